"""The order of the gallery: what is used first comes first."""

from pathlib import Path

ORDER = (
    # a loss of one's own, and those that are there
    *("flights_cost", "own_loss", "costs_of_rows", "losses", "quantile_fan"),
    *("many_quantiles", "flights", "intervals", "robust", "poisson", "zero_inflated"),
    *("tobit", "location_scale", "classifier", "softmax", "lasso", "sparse"),
    # gradient descent at work
    *("linear_regression", "epsilon", "loss_curves", "coefficient_paths"),
    *("choosing_epsilon", "early_stopping", "grid_search", "backends"),
    # derivatives
    *("tanh", "sine_cosine"),
)


def by_use(filename):
    """Sort key of a file: its place in `ORDER`; what is not there comes last."""
    name = Path(filename).stem.removeprefix("plot_")
    return (ORDER.index(name) if name in ORDER else len(ORDER)), name
