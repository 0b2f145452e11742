"""A table of some 200 fits: what a change of the code must not change.

`python benchmarks/golden.py write FILE` fits and keeps what was found, with minima that
were found independently; `python benchmarks/golden.py compare FILE` fits again, prints
each fit that differs, and a summary.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import scipy
import sklearn
from _golden_fits import LOSSES, Fit, drawn, fits
from _optimum import Objective, constant, optimum, textbook
from sklearn.base import clone

import sklearn_adreg
from sklearn_adreg import GradientDescentRegressor

# A change of the number of steps that rounding may make.
STEPS = 2


def objectives(fit: Fit) -> list[Objective]:
    """One objective for each target."""
    X, y, weights = drawn(fit.loss, fit.shape, fit.weighted, fit.targets)
    case = LOSSES[fit.loss]
    penalty = {
        key: fit.parameters[key]
        for key in ("alpha", "l1_ratio", "fit_intercept")
        if key in fit.parameters
    }
    given = np.ones(len(X)) if weights is None else weights
    return [
        Objective(
            case.loss, X.astype(float), target, given, pieces=case.pieces, **penalty
        )
        for target in np.atleast_2d(y.T).astype(float)
    ]


def total(parts: list[Objective], coef: Any, intercept: Any) -> float:
    """Objective, summed over targets."""
    pairs = zip(parts, np.atleast_2d(coef), np.atleast_1d(intercept), strict=True)
    return sum(part.value(w, b) for part, w, b in pairs)


def found(fit: Fit) -> dict[str, Any]:
    """Fit, and return what is kept."""
    X, y, weights = drawn(fit.loss, fit.shape, fit.weighted, fit.targets)
    model = clone(GradientDescentRegressor(LOSSES[fit.loss].loss, **fit.parameters))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            model.fit(X, y, weights)
        except Exception as error:  # kept: the table says which fits fail
            return {"error": type(error).__name__}
    return {
        "coef": model.coef_.tolist(),
        "intercept": model.intercept_.tolist(),
        "n_iter": model.n_iter_,
        "loss_first": float(model.loss_curve_[0]),
        "loss_last": float(model.loss_curve_[-1]),
        "objective": total(objectives(fit), model.coef_, model.intercept_),
        "warnings": sorted({item.category.__name__ for item in caught}),
    }


def reference(fit: Fit) -> dict[str, Any]:
    """Find the optimum, or where the textbook's steps lead, independently."""
    parts, case = objectives(fit), LOSSES[fit.loss]
    null = sum(constant(part) for part in parts)
    if fit.textbook:
        if "max_iter" not in fit.parameters:
            return {"null": null}
        chosen = fit.parameters["epsilon"], fit.parameters["max_iter"]
        solutions = [textbook(part, *chosen) for part in parts]
    else:
        solutions = [optimum(part, case.robust) for part in parts]
    coef, intercept = map(np.array, zip(*solutions, strict=True))
    value = total(parts, coef, intercept)
    if fit.flat:
        return {"null": null, "objective": value}
    kept = {"coef": coef.tolist(), "intercept": intercept.tolist()}
    return {"null": null, "objective": value} | kept


def limit(fit: Fit) -> float:
    """Return the relative difference of objectives from which on a fit is printed.

    It is the default of `tol`. Single predictions may differ by ten times as much: it
    is their root mean square that `tol` asks for, of two fits beside one optimum.
    """
    return 1e-4 if fit.shape == "float32" else 1e-6


def gap(now: dict[str, Any], best: dict[str, Any]) -> float:
    """Objective above that of the reference, relative; 0 where there is none."""
    return change(best, now, best)


def change(old: dict[str, Any], new: dict[str, Any], best: dict[str, Any]) -> float:
    """Relative change of the objective; no less than 1e-3 of a constant's counts."""
    if "objective" not in old or "objective" not in new:
        return 0.0
    size = max(abs(old["objective"]), 1e-3 * best["null"])
    return (new["objective"] - old["objective"]) / size


def apart(fit: Fit, one: dict[str, Any], other: dict[str, Any]) -> float:
    """Largest difference of linear predictors in standard deviations of y."""
    if "coef" not in one or "coef" not in other:
        return 0.0
    X, y, weights = drawn(fit.loss, fit.shape, fit.weighted, fit.targets)
    used = slice(None) if weights is None else weights > 0
    X, y = X[used].astype(float), np.atleast_2d(y[used].T)
    change = np.atleast_2d(one["coef"]) - np.atleast_2d(other["coef"])
    shift = np.atleast_1d(one["intercept"]) - np.atleast_1d(other["intercept"])
    moved = np.abs(change @ X.T + shift[:, None]).max(axis=1)
    deviation = np.log(y + 1).std(axis=1) if linked(fit) else y.std(axis=1)
    return float((moved / deviation).max())


def linked(fit: Fit) -> bool:
    """Whether the linear predictor is the logarithm of the prediction."""
    return hasattr(LOSSES[fit.loss].loss, "inverse_link")


def differences(fit: Fit, old: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Whatever is to be said of a fit; nothing where it is as it was."""
    before, best = old["found"], old["reference"]
    if "error" in before or "error" in now:
        words = [run.get("error", "no error") for run in (before, now)]
        return [] if words[0] == words[1] else [f"{words[0]} -> {words[1]}"]
    moved = change(before, now, best)
    said = [f"objective {moved:+.1e}"] if abs(moved) > limit(fit) else []
    if abs(now["n_iter"] - before["n_iter"]) > STEPS:
        said.append(f"n_iter {before['n_iter']} -> {now['n_iter']}")
    off = apart(fit, before, now)
    if off > 10 * limit(fit) and (said or not fit.flat):
        said.append(f"predictions {off:.1e}{' (flat)' if fit.flat else ''}")
    if before["warnings"] != now["warnings"]:
        said.append(f"warnings {before['warnings']} -> {now['warnings']}")
    above = gap(now, best)
    if said or above > limit(fit) + max(gap(before, best), 0.0):
        said.append(f"gap {gap(before, best):+.1e} -> {above:+.1e}")
    return said


def write(path: Path) -> None:
    """Fit all, find all optima, keep both, and print what misses its optimum."""
    table, start = {}, time.perf_counter()
    for fit in fits():
        kept = table[fit.name] = {"found": found(fit), "reference": reference(fit)}
        above, off = gap(kept["found"], kept["reference"]), apart(fit, *kept.values())
        if "error" in kept["found"]:
            print(f"{fit.name}: {kept['found']['error']}")
        elif abs(above) > limit(fit) or off > 10 * limit(fit):
            print(f"{fit.name}: gap {above:+.1e}, predictions {off:.1e} off")
    content = {"made with": made_with(), "fits": table}
    path.write_text(json.dumps(content, separators=(",", ":")).replace('},"', '},\n"'))
    gaps = [gap(*kept.values()) for kept in table.values()]
    errors = sum("error" in kept["found"] for kept in table.values())
    summary(len(gaps), {"errors": errors}, max(gaps), start)


def compare(path: Path) -> None:
    """Fit all again, and print what differs."""
    content, start = json.loads(path.read_text()), time.perf_counter()
    then, now = content["made with"], made_with()
    for key in then:
        if then[key] != now.get(key):
            print(f"made with {key} {then[key]}; now {now.get(key)}")
    table, gaps = content["fits"], [0.0]
    counts = dict.fromkeys(("differ", "worse", "better", "errors", "missing"), 0)
    for fit in fits():
        if fit.name not in table:
            counts["missing"] += 1
            print(f"{fit.name}: not in the table")
            continue
        old, new = table[fit.name], found(fit)
        said = differences(fit, old, new)
        counts["differ"] += bool(said)
        counts["errors"] += "error" in new and "error" not in old["found"]
        moved = change(old["found"], new, old["reference"])
        counts["worse"] += moved > limit(fit)
        counts["better"] += moved < -limit(fit)
        gaps.append(gap(new, old["reference"]))
        if said:
            print(f"{fit.name}: {'; '.join(said)}")
    summary(len(table), counts, max(gaps), start)


def summary(fitted: int, counts: dict[str, int], largest: float, start: float) -> None:
    """Print the last line."""
    words = ", ".join(f"{count} {name}" for name, count in counts.items())
    seconds = time.perf_counter() - start
    print(f"{fitted} fits: {words}; largest gap {largest:.1e} ({seconds:.0f} s)")


def made_with() -> dict[str, Any]:
    """Versions, defaults and losses that a table holds for."""
    modules = sklearn_adreg, np, scipy, sklearn
    defaults = GradientDescentRegressor().get_params()
    return {
        "python": platform.python_version(),
        **{module.__name__: module.__version__ for module in modules},
        **{f"default of {name}": value for name, value in defaults.items()},
        **{
            f"loss {name}": getattr(case.loss, "__name__", repr(case.loss))
            for name, case in LOSSES.items()
        },
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("write", "compare"))
    parser.add_argument("file", type=Path)
    arguments = parser.parse_args()
    {"write": write, "compare": compare}[arguments.what](arguments.file)
