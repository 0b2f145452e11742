"""Scorers by name, what metadata reach them and the splitter, and their scores.

Scores come from mean squared errors, where there is a formula, or from a scorer's call.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from sklearn import get_config
from sklearn.metrics import get_scorer
from sklearn.model_selection import check_cv
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    process_routing,
)

Scores = dict[str, np.ndarray]
Scorer = Callable[..., Any]
Formula = Callable[[np.ndarray, np.ndarray], np.ndarray]


def _r2(errors: np.ndarray, spread: np.ndarray) -> np.ndarray:
    # As scikit-learn scores a constant target: 1 where it is met, 0 where it is not.
    constant = np.where(errors == 0, 1.0, 0.0)
    flat = spread == 0
    score = np.where(flat, constant, 1 - errors / np.where(flat, 1.0, spread))
    return score.mean(axis=1)


def _neg_mean_squared_error(errors: np.ndarray, _spread: np.ndarray) -> np.ndarray:
    return -errors.mean(axis=1)


def _neg_root_mean_squared_error(errors: np.ndarray, _spread: np.ndarray) -> np.ndarray:
    return -np.sqrt(errors).mean(axis=1)


# Scores as functions of mean squared errors, (n_candidates, n_targets).
FORMULAS: dict[str, Formula] = {
    "r2": _r2,
    "neg_mean_squared_error": _neg_mean_squared_error,
    "neg_root_mean_squared_error": _neg_root_mean_squared_error,
}


class Measure(NamedTuple):
    """A scorer with its name, what it is passed, and its formula where it has one."""

    name: str
    scorer: Scorer
    params: dict[str, Any]
    formula: Formula | None

    def params_of(self, rows: np.ndarray, n_samples: int) -> dict[str, Any]:
        """Cut what it is passed down to some rows, where there is one for each."""
        return {
            name: array[rows]
            if (array := np.asarray(values)).shape[:1] == (n_samples,)
            else values
            for name, values in self.params.items()
        }


def named_scorers(scoring: Any) -> dict[str, Scorer]:
    """Scorers by the name under which `cv_results_` has them; the first one selects."""
    if scoring is None:
        scorer = get_scorer("r2")
        if _is_routing():  # weights are for the fit and for what is shown of it
            scorer.set_score_request(sample_weight=True)
        return {"score": scorer}
    if isinstance(scoring, Mapping):
        return {name: get_scorer(scorer) for name, scorer in scoring.items()}
    if isinstance(scoring, str) or callable(scoring):
        return {"score": get_scorer(scoring)}
    return {name: get_scorer(name) for name in scoring}


def make_router(estimator: Any) -> MetadataRouter:
    """Route what `fit` is passed to the splitter and to the scorers."""
    router = MetadataRouter(owner=type(estimator).__name__).add_self_request(estimator)
    router.add(
        splitter=check_cv(estimator.cv),
        method_mapping=MethodMapping().add(caller="fit", callee="split"),
    )
    for name, scorer in named_scorers(estimator.scoring).items():
        mapping = MethodMapping().add(caller="fit", callee="score")
        router.add(**{_key(name): scorer}, method_mapping=mapping)
    return router


def routed(
    estimator: Any, sample_weight: Any, params: dict[str, Any]
) -> tuple[dict[str, Any], list[Measure]]:
    """Find what the splitter is passed, and the measures with what they are."""
    scorers = named_scorers(estimator.scoring)
    if _is_routing():
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        found = process_routing(estimator, "fit", **weights, **params)
        for_splitter = dict(found["splitter"].split)
        passed = {name: dict(found[_key(name)].score) for name in scorers}
    else:
        for_splitter = {"groups": params.get("groups")}
        if unknown := set(params) - {"groups"}:
            raise TypeError(
                "GradientDescentRegressorCV.fit takes X, y, sample_weight and groups, "
                "unless metadata routing is enabled "
                "(sklearn.set_config(enable_metadata_routing=True)). Got "
                f"{sorted(unknown)} instead."
            )
        passed = {
            name: _weights_for(scorer, sample_weight)
            for name, scorer in scorers.items()
        }
    measures = [
        Measure(
            name, scorer, passed[name], _formula(scorer, passed[name], sample_weight)
        )
        for name, scorer in scorers.items()
    ]
    return for_splitter, measures


def check_rows(measures: Iterable[Measure], splits: Iterable[Any]) -> None:
    """Raise where a measure cannot be told from so few held-out rows."""
    if any(measure.formula is _r2 for measure in measures) and any(
        len(test) < 2 for _, test in splits
    ):
        raise ValueError(
            "The 'scoring' parameter must be one that a single row can be scored with, "
            "since cv holds out one row at a time. Got R^2 instead, which is not "
            "defined for it. Use scoring='neg_mean_squared_error'."
        )


def call_scorers(
    measures: Iterable[Measure],
    models: Iterable[Any],
    X: np.ndarray,
    y: np.ndarray,
    test: np.ndarray,
) -> Scores:
    """Scores of models, (n_models,), by the measures that have no formula."""
    slow = [measure for measure in measures if measure.formula is None]
    params = [measure.params_of(test, len(y)) for measure in slow]
    held_X, held_y = X[test], y[test]
    found = [
        [
            measure.scorer(model, held_X, held_y, **passed)
            for measure, passed in zip(slow, params, strict=True)
        ]
        for model in models
    ]
    columns = np.array(found, dtype=np.float64).reshape(-1, len(slow)).T
    return {measure.name: column for measure, column in zip(slow, columns, strict=True)}


def _is_routing() -> bool:
    return bool(get_config()["enable_metadata_routing"])


def _key(name: str) -> str:
    return f"scorer {name}"


def _weights_for(scorer: Scorer, sample_weight: Any) -> dict[str, Any]:
    """Weights for a scorer that takes them, as recent GridSearchCV passes them."""
    if sample_weight is None:
        return {}
    takes = inspect.signature(getattr(scorer, "_score_func", scorer)).parameters
    return {"sample_weight": sample_weight} if "sample_weight" in takes else {}


def _formula(
    scorer: Scorer, passed: dict[str, Any], sample_weight: Any
) -> Formula | None:
    """Find the formula of a scorer of scikit-learn's with the weights of the fit."""
    if passed.get("sample_weight") is not sample_weight or set(passed) - {
        "sample_weight"
    }:
        return None
    for name, formula in FORMULAS.items():
        if _contents(scorer) == _contents(get_scorer(name)):
            return formula
    return None


def _contents(scorer: Scorer) -> dict[str, Any]:
    """All that a scorer is made of, but for what it requests."""
    contents = getattr(scorer, "__dict__", {})
    return {
        name: value for name, value in contents.items() if name != "_metadata_request"
    }
