"""Scorers by name, what metadata reach them and the splitter, and their formulas."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from sklearn import get_config
from sklearn.metrics import get_scorer
from sklearn.model_selection import check_cv
from sklearn.utils import _safe_indexing
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    process_routing,
)

from sklearn_adreg._loss.linear import scored_by_loss
from sklearn_adreg._loss.outputs import outputs_of
from sklearn_adreg._solve.score import spared
from sklearn_adreg.losses import get_loss

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


# Scores as functions of mean squared errors, (n_candidates, n_targets); by default a
# loss that takes row data is scored by `spared`, of its own mean.
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
            name: _safe_indexing(_sliceable(values), rows)
            if np.shape(values)[:1] == (n_samples,)
            else values
            for name, values in self.params.items()
        }


def _sliceable(values: Any) -> Any:
    """Return an array, or a data frame, whose columns keep their names."""
    return values if hasattr(values, "shape") else np.asarray(values)


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
    estimator: Any, given: dict[str, Any], params: dict[str, Any]
) -> tuple[dict[str, Any], list[Measure]]:
    """Find what the splitter is passed, and the measures with what they are.

    `given` are the arguments of `fit` that have a name: None where there is none.
    """
    scorers, sample_weight = named_scorers(estimator.scoring), given["sample_weight"]
    if _is_routing():
        known = {name: each for name, each in given.items() if each is not None}
        found = process_routing(estimator, "fit", **known, **params)
        for_splitter = dict(found["splitter"].split)
        passed = {name: dict(found[_key(name)].score) for name in scorers}
    else:
        for_splitter = {"groups": params.get("groups")}
        if unknown := set(params) - {"groups"}:
            raise TypeError(
                f"GradientDescentRegressorCV.fit takes X, y, {', '.join(given)} and "
                "groups, unless metadata routing is enabled "
                "(sklearn.set_config(enable_metadata_routing=True)). Got "
                f"{sorted(unknown)} instead."
            )
        passed = {
            name: _weights_for(scorer, sample_weight)
            for name, scorer in scorers.items()
        }
    # Formulas are of one predictor a target; of several, a scorer makes what it can.
    several, loss = outputs_of(estimator) > 1, get_loss(estimator.loss)
    if estimator.scoring is None and several:
        known = {name: each for name, each in given.items() if each is not None}
        return for_splitter, [Measure("score", _own_score, known, None)]
    if estimator.scoring is None and scored_by_loss(loss, given["row_data"]):
        return for_splitter, [Measure("score", scorers["score"], {}, spared)]
    measures = [
        Measure(
            name,
            scorer,
            passed[name],
            None if several else _formula(scorer, passed[name], sample_weight),
        )
        for name, scorer in scorers.items()
    ]
    if given["offset"] is not None:
        _check_offset(measures)
    return for_splitter, measures


def _own_score(estimator: Any, X: Any, y: Any, **known: Any) -> float:
    """Score as a model does itself: one of several outputs by its loss."""
    return float(estimator.score(X, y, **known))


def _check_offset(measures: Iterable[Measure]) -> None:
    """Refuse scorers that would see predictions without the offset."""
    for measure in measures:
        if measure.formula is None and "offset" not in measure.params:
            raise ValueError(
                "With an offset the 'scoring' parameter must be R^2 or a squared "
                "error, which are those of predictions with the held-out offset, or "
                "scorers that request it. Got one that does not instead, "
                f"{measure.scorer!r}: it would see predictions without the offset. "
                "Enable metadata routing "
                "(sklearn.set_config(enable_metadata_routing=True)) and pass one with "
                "set_score_request(offset=True), whose metric takes the offset."
            )


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
