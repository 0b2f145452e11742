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
from sklearn_adreg._loss.linear import (
    LinearLoss,
    fitted_loss,
    predicted,
    scored_by_loss,
)
from sklearn_adreg._regressor import GradientDescentRegressor
from sklearn_adreg._rows.moments import Moments
from sklearn_adreg._rows.rows import Data
from sklearn_adreg._solve.score import least_of_constants, mean_losses, spared
from sklearn_adreg.backends import get_backend
from sklearn_adreg.losses import Loss, get_loss

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
    loss = get_loss(estimator.loss)
    if estimator.scoring is None and scored_by_loss(loss, given["row_data"]):
        return for_splitter, [Measure("score", scorers["score"], {}, spared)]
    measures = [
        Measure(
            name, scorer, passed[name], _formula(scorer, passed[name], sample_weight)
        )
        for name, scorer in scorers.items()
    ]
    if given["offset"] is not None:
        _check_offset(measures)
    return for_splitter, measures


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


@dataclass(frozen=True)
class Evaluator:
    """What all candidates on a split are scored with.

    `target` is (n, n_targets) with the offset that the data's may be less. `X` and `y`
    are as they came, for the scorers; models have coefficients of a float type,
    `dtype`, and `settings`.
    """

    data: Data
    target: np.ndarray
    loss: LinearLoss
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
        spread = self._spread(fold)
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
            errors = self._errors(fold, theta)
            found = {
                measure.name: measure.formula(errors, spread)
                for measure in measures
                if measure.formula is not None
            }
        if len(found) < len(measures):
            models = self._models(theta, numbers)
            found |= call_scorers(measures, models, self.X, self.y, fold.test)
        return found

    @property
    def _by_loss(self) -> bool:
        return self.measures[0].formula is spared

    def _spread(self, fold: Fold) -> np.ndarray:
        """Measure what errors on the held-out rows are compared with, (n_targets,)."""
        if not self._by_loss:
            held = fold.test
            return spread_of(self.target[held], self.data.weight[held])
        test, backend = some_rows(self.data, fold.test), self.settings["backend"]
        known = test.target, shares(test.weight), test.row_data
        return least_of_constants(self.loss, get_backend(backend), *known)

    def _errors(self, fold: Fold, theta: np.ndarray) -> np.ndarray:
        """Measure mean squared errors, or mean losses, (n_models, n_targets)."""
        if not self._by_loss:
            return mean_squared_errors(self.data, fold, self.loss.loss, theta)
        test = some_rows(self.data, fold.test)
        weight, found = shares(test.weight), []
        for linear in linear_predictors(test, theta):
            columns = linear.reshape(len(linear), -1)
            target = np.tile(test.target, (1, linear.shape[1]))
            losses = self.loss(target, columns, *test.row_data)
            found.append(mean_losses(losses, weight).reshape(linear.shape[1:]))
        return np.concatenate(found)

    def _models(
        self, theta: np.ndarray, numbers: np.ndarray
    ) -> Iterator[GradientDescentRegressor]:
        """Fitted models of candidates, one at a time."""
        target = 0 if np.ndim(self.y) == 1 else slice(None)
        loss = fitted_loss(self.loss.loss, None)
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
    found = [
        np.average(
            (test.target[:, None] - predicted(loss, linear)) ** 2,
            axis=0,
            weights=shares(test.weight),
        )
        for linear in linear_predictors(test, theta[:, doubtful])
    ]
    errors[doubtful] = np.concatenate(found)
    return errors


def linear_predictors(test: Data, theta: np.ndarray) -> Iterator[np.ndarray]:
    """Linear predictors of some models at a time, (n, n_models, n_targets)."""
    for start in range(0, theta.shape[1], _PREDICTED):
        chosen = theta[:, start : start + _PREDICTED]
        linear = test.rows.matvec(chosen.reshape(len(theta), -1))
        linear = linear.reshape(-1, *chosen.shape[1:])
        yield linear if test.offset is None else linear + test.offset[:, None]


def _by_moments(test: Moments, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean squared errors, and the size of what they are a difference of."""
    shape, columns = theta.shape[1:], theta.reshape(len(theta), -1)
    coef, level = columns[:-1], columns[-1].reshape(shape)
    quadratic = np.einsum("ij,ij->j", test.gram @ coef, coef).reshape(shape)
    linear = np.einsum("ijk,ik->jk", theta[:-1], test.cross)
    shift = (level - test.target_mean) + (test.mean @ coef).reshape(shape)
    size = test.square + quadratic + shift**2
    return size - 2 * linear, size


def spread_of(target: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Mean square deviation of targets from their mean, as metrics compute it.

    It is zero for constant targets exactly.
    """
    mean = np.average(target, axis=0, weights=shares(weight))
    return np.average((target - mean) ** 2, axis=0, weights=shares(weight))


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
