"""
Autograd against JAX
====================

The two backends give the same coefficients and differ in the time that a fit takes. The
claim, asserted below: from 100 to 30,000 rows, with a fixed learning rate and with
``epsilon="auto"``, the coefficients with autograd and with JAX agree to 1e-10; with
``epsilon="auto"`` they agree as closely with those of `LinearRegression`. The figure
shows the time of each fit.
"""

from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import LogLocator, NullLocator
from sklearn.linear_model import LinearRegression
from threadpoolctl import threadpool_limits

from sklearn_adreg import GradientDescentRegressor

# %%
# The fits to compare
# -------------------
#
# A hundred steps of plain gradient descent with a fixed learning rate, and the default,
# ``epsilon="auto"``, which descends in whitened coordinates: uncorrelated columns of
# unit variance. Each is fitted with both backends.

TEXTBOOK = {"epsilon": 0.1, "max_iter": 100, "tol": 0}
N_SAMPLES = (100, 300, 1_000, 3_000, 10_000, 30_000)
N_FEATURES = 20
BACKENDS = ("autograd", "jax")


def data(n_samples):
    """Standard normal columns, a linear target and a little noise."""
    rows, coefficients, noise = np.random.default_rng(1).spawn(3)
    X = rows.standard_normal((n_samples, N_FEATURES))
    signal = X @ coefficients.standard_normal(N_FEATURES)
    return X, signal + 0.1 * noise.standard_normal(n_samples)


def models():
    """All models, by the choice of the learning rate and by the backend."""
    textbook = {
        ("textbook", backend): GradientDescentRegressor(backend=backend, **TEXTBOOK)
        for backend in BACKENDS
    }
    whitened = {
        ("auto", backend): GradientDescentRegressor(backend=backend)
        for backend in BACKENDS
    }
    return textbook | whitened | {("exact", "LAPACK"): LinearRegression()}


# %%
# Times
# -----
#
# JAX compiles the descent when it first meets data of a shape, and keeps the compiled
# code for as long as Python runs. So each model is fitted once before the timing
# starts, and the coefficients of these first fits are compared.


def check_agreement(problem):
    """Fit all models to the data, and compare their coefficients."""
    coef = {key: model.fit(*problem).coef_ for key, model in models().items()}
    for rule in ("textbook", "auto"):
        np.testing.assert_allclose(
            coef[rule, "autograd"], coef[rule, "jax"], rtol=0, atol=1e-10
        )
    np.testing.assert_allclose(
        coef["auto", "autograd"], coef["exact", "LAPACK"], rtol=0, atol=1e-10
    )


problems = {n_samples: data(n_samples) for n_samples in N_SAMPLES}
for problem in problems.values():
    check_agreement(problem)

# %%
# The time reported is that of the fastest of several fits. Each round fits all models
# to all numbers of rows, so that a moment in which the machine is busy with something
# else does not fall on one of them alone. Matrix products run on a single thread: the
# amount of work is compared, not the number of cores.

N_ROUNDS = 9


def seconds(model, X, y):
    """Time of a fit."""
    start = perf_counter()
    model.fit(X, y)
    return perf_counter() - start


def one_round():
    """The time of each model for each number of rows."""
    return [
        [seconds(model, X, y) for X, y in problems.values()]
        for model in models().values()
    ]


with threadpool_limits(1):
    fastest = np.min([one_round() for _ in range(N_ROUNDS)], axis=0)
times = dict(zip(models(), 1e3 * fastest, strict=True))  # milliseconds


def print_table():
    """Milliseconds, a line for each model and a column for each number of rows."""
    print(f"{'milliseconds, for rows:':<24}", *(f"{n:>8,}" for n in N_SAMPLES))
    for (rule, backend), row in times.items():
        print(f"{f'{rule}, {backend}':<24}", *(f"{time:8.2f}" for time in row))


print_table()

# %%
# What costs what
# ---------------
#
# A hundred plain steps cost about the same for few rows as for many: they use only the
# Gram matrix of the columns, 20 x 20, which is formed once. Autograd records every step
# anew, in Python, a hundred times; JAX runs a compiled loop. As rows are added, forming
# the Gram matrix takes a growing part of the time. It is the same work for both
# backends, and so their lines draw nearer.
#
# In whitened coordinates there are only two or three steps, and the backends are close
# at every size. `LinearRegression` computes a singular value decomposition of X, which
# is more work than forming the Gram matrix.

COLORS = {"autograd": "#0072B2", "jax": "#D55E00", "LAPACK": "#000000"}
NAMES = {"autograd": "autograd", "jax": "JAX", "LAPACK": "LinearRegression"}
MARKERS = {"autograd": "o", "jax": "s", "LAPACK": "^"}


def draw(axes, rule):
    """One line for each backend, and one for the exact solution."""
    for key in ((rule, "autograd"), (rule, "jax"), ("exact", "LAPACK")):
        backend = key[1]
        axes.loglog(
            N_SAMPLES,
            times[key],
            color=COLORS[backend],
            marker=MARKERS[backend],
            markersize=5,
            linewidth=2,
            linestyle=":" if backend == "LAPACK" else "-",
            label=NAMES[backend],
        )
    axes.set_xlabel("number of rows")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter("{x:g}")
    axes.grid(color="0.9")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


figure, (left, right) = plt.subplots(
    1, 2, figsize=(9, 4.2), sharey=True, layout="constrained"
)
draw(left, "textbook")
left.set_title("epsilon=0.1, 100 steps")
left.set_ylabel("fit time (milliseconds)")
draw(right, "auto")
right.set_title('epsilon="auto"')
figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3)
plt.show()
