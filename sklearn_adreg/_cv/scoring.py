"""Scorers by name, what metadata reach them and the splitter, and their scores.

Scores come from mean squared errors, where there is a formula, or from a scorer's call.
Where second moments of the held-out rows are known, the mean squared error is a
quadratic form of theta, and no row is read; where a fit is so good that the form
cancels, or the loss is another one, the rows are multiplied with theta.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
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
from sklearn.utils.validation import validate_data

from sklearn_adreg._cv.descents import Candidates, Ends, Fold
from sklearn_adreg._cv.folds import shares, some_rows
from sklearn_adreg._loss.check import get_loss
from sklearn_adreg._loss.linear import fitted_loss, predicted
from sklearn_adreg._loss.outputs import outputs_of
from sklearn_adreg._regressor import GradientDescentRegressor
from sklearn_adreg._rows.moments import Moments
from sklearn_adreg._rows.rows import Data
from sklearn_adreg.losses import Loss

# Below this part of what it is a difference of, a mean square has lost too many digits:
# ten are left of sixteen.
_CANCELLED = 1e-6
# Models whose predictions are held at one time: of 100,000 rows 51 MB.
_PREDICTED = 64

Scores = dict[str, np.ndarray]
Scorer = Callable[..., Any]
Formula = Callable[[np.ndarray, np.ndarray], np.ndarray]
# Scores by the name of the measure, and where NaN in them means divergence.
Evaluation = tuple[Scores, np.ndarray]


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
    # Of several outputs a scorer makes what it can: formulas are of one a target.
    several = outputs_of(estimator) > 1
    measures = [
        Measure(
            name,
            scorer,
            passed[name],
            None if several else _formula(scorer, passed[name], sample_weight),
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


@dataclass(frozen=True)
class Evaluator:
    """What all candidates on a split are scored with.

    `X` and `y` are as they came, for the scorers; models have coefficients of a float
    type, `dtype`, and `settings`.
    """

    data: Data
    X: Any
    y: Any
    dtype: np.dtype
    candidates: Candidates
    measures: Sequence[Measure]
    settings: dict[str, Any]

    def last(self, fold: Fold, n_iter: np.ndarray, tol: float) -> Evaluation:
        """Score each candidate where it stops, after `n_iter` steps at the latest."""
        ends = fold.descents.stop(self.data, self.candidates, n_iter, tol)
        return self._scored(fold, ends, n_iter.shape, self.measures)

    def path(self, fold: Fold, max_iter: int) -> np.ndarray:
        """First score, after 0, 1, ... steps, (n_candidates, max_iter + 1)."""
        ends = fold.descents.path(self.data, self.candidates, max_iter)
        shape, first = (len(self.candidates.params), max_iter + 1), self.measures[:1]
        return self._scored(fold, ends, shape, first)[0][first[0].name]

    def _scored(
        self,
        fold: Fold,
        ends: Iterable[Ends],
        shape: tuple[int, ...],
        measures: Sequence[Measure],
    ) -> Evaluation:
        """Score models, some at a time; those that diverged are scored NaN."""
        scores = {measure.name: np.full(shape, np.nan) for measure in measures}
        failed = np.zeros(shape, dtype=bool)
        candidates = np.arange(shape[0]).reshape((-1,) + (1,) * (len(shape) - 1))
        numbers = np.broadcast_to(candidates, shape)
        spread = spread_of(self.data, fold.test)
        for where, diverged, theta in ends:
            failed[where], stable = diverged, ~diverged
            values = self._scores(
                fold, theta[:, stable], numbers[where][stable], measures, spread
            )
            for name, kept in values.items():
                scores[name][where][stable] = kept
        return scores, failed

    def _scores(
        self,
        fold: Fold,
        theta: np.ndarray,
        numbers: np.ndarray,
        measures: Sequence[Measure],
        spread: np.ndarray,
    ) -> Scores:
        """Scores of models, (n_models,), from theta, (p, n_models, n_targets)."""
        found: Scores = {}
        if any(measure.formula for measure in measures):
            loss = get_loss(self.settings["loss"])
            errors = mean_squared_errors(self.data, fold, loss, theta)
            found = {
                measure.name: measure.formula(errors, spread)
                for measure in measures
                if measure.formula is not None
            }
        if len(found) < len(measures):
            models = self._models(theta, numbers)
            found |= call_scorers(measures, models, self.X, self.y, fold.test)
        return found

    def _models(
        self, theta: np.ndarray, numbers: np.ndarray
    ) -> Iterator[GradientDescentRegressor]:
        """Fitted models of candidates, one at a time."""
        one = np.ndim(self.y) == 1 and theta.shape[2] == 1
        target = 0 if one else slice(None)
        loss = fitted_loss(get_loss(self.settings["loss"]), None)
        for each, number in zip(theta.swapaxes(0, 1), numbers, strict=True):
            params = self.candidates.params[number]
            model = GradientDescentRegressor(**(self.settings | params))
            coef, intercept = self.data.rows.outer(each)
            model.coef_ = coef.T.astype(self.dtype)[target]
            model.intercept_ = intercept.astype(self.dtype)[target]
            model.epsilon_ = params["epsilon"]
            if loss is not None:
                model.loss_ = loss
            validate_data(model, self.X, skip_check_array=True)  # names of features
            yield model


def mean_squared_errors(
    data: Data, fold: Fold, loss: Loss, theta: np.ndarray
) -> np.ndarray:
    """Of models on the held-out rows, (n_models, n_targets)."""
    if fold.moments is None:
        doubtful, errors = np.arange(theta.shape[1]), np.empty(theta.shape[1:])
    else:
        errors, size = _by_moments(fold.moments, theta)
        doubtful = np.flatnonzero((errors <= _CANCELLED * size).any(axis=1))
    if len(doubtful) == 0:
        return errors
    test = some_rows(data, fold.test)
    for start in range(0, len(doubtful), _PREDICTED):
        chosen = theta[:, doubtful[start : start + _PREDICTED]]
        linear = test.rows.matvec(chosen.reshape(len(theta), -1))
        linear = linear.reshape(-1, *chosen.shape[1:])
        squares = (test.target[:, None] - predicted(loss, linear)) ** 2
        found = np.average(squares, axis=0, weights=shares(test.weight))
        errors[doubtful[start : start + _PREDICTED]] = found
    return errors


def _by_moments(test: Moments, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean squared errors, and the size of what they are a difference of."""
    shape, columns = theta.shape[1:], theta.reshape(len(theta), -1)
    coef, level = columns[:-1], columns[-1].reshape(shape)
    quadratic = np.einsum("ij,ij->j", test.gram @ coef, coef).reshape(shape)
    linear = np.einsum("ijk,ik->jk", theta[:-1], test.cross)
    shift = (level - test.target_mean) + (test.mean @ coef).reshape(shape)
    size = test.square + quadratic + shift**2
    return size - 2 * linear, size


def spread_of(data: Data, index: np.ndarray) -> np.ndarray:
    """Mean square deviation of targets from their mean, as metrics compute it.

    It is zero for constant targets exactly.
    """
    target, weight = data.target[index], shares(data.weight[index])
    mean = np.average(target, axis=0, weights=weight)
    return np.average((target - mean) ** 2, axis=0, weights=weight)


def call_scorers(
    measures: Iterable[Measure],
    models: Iterable[Any],
    X: Any,
    y: Any,
    test: np.ndarray,
) -> Scores:
    """Scores of models, (n_models,), by the measures that have no formula.

    Scorers get the rows of what was passed to `fit`: of a data frame, a data frame.
    """
    slow = [measure for measure in measures if measure.formula is None]
    n_samples = len(y)
    held_X, held_y = _safe_indexing(X, test), _safe_indexing(y, test)
    params = [measure.params_of(test, n_samples) for measure in slow]
    found = [
        [
            _one_number(measure, measure.scorer(model, held_X, held_y, **passed))
            for measure, passed in zip(slow, params, strict=True)
        ]
        for model in models
    ]
    columns = np.array(found, dtype=np.float64).reshape(-1, len(slow)).T
    return {measure.name: column for measure, column in zip(slow, columns, strict=True)}


def _one_number(measure: Measure, score: Any) -> float:
    """Return what a scorer has returned, as a number."""
    number = np.asarray(score)
    if number.size != 1 or number.dtype.kind not in "biuf":
        raise ValueError(
            "The 'scoring' parameter must be made of scorers that return one number "
            f"each. Got {score!r} from {measure.name!r} instead. To score by several, "
            "pass a dictionary of scorers."
        )
    return float(number.item())


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
