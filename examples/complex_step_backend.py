"""A third backend: derivatives by a step along the imaginary axis.

For an analytic f that is real for real arguments, f'(z) = Im f(z + ih) / h, up to a
term in h^2. Nothing is subtracted, so that h may be far below the rounding of z.

W. Squire and G. Trapp, "Using complex variables to estimate derivatives of real
functions", SIAM Review 40(1), 1998.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.datasets import load_diabetes

from sklearn_adreg import GradientDescentRegressor
from sklearn_adreg.backends import Backend, iterate_in_python


@dataclass(frozen=True)  # gives equality and a hash; instances clone and pickle
class ComplexStepBackend(Backend):
    """Differentiate analytic NumPy code, in host memory, by the complex step."""

    length: float = 1e-100

    @property
    def name(self):
        return "complex step"

    @property
    def array_namespace(self):
        return np

    def value_and_gradient(self, function):
        def differentiated(params, *constants):
            gradient = np.empty_like(params)
            for index in np.ndindex(params.shape):  # one step for each parameter
                stepped = params.astype(complex)
                stepped[index] += 1j * self.length
                gradient[index] = self._slope(function(stepped, *constants))
            return function(params, *constants), gradient

        return differentiated

    def value_and_derivative(self, loss):
        def differentiated(y_true, y_pred):
            # The loss is elementwise: one step moves every prediction at once. It is
            # taken in double precision, where 1e-100 is not zero; the dtype is kept.
            stepped = y_pred.astype(complex) + 1j * self.length
            slope = self._slope(loss(y_true, stepped))
            return loss(y_true, y_pred), slope.astype(y_pred.dtype)

        return differentiated

    def iterate(self, *args):
        return iterate_in_python(*args)

    def _slope(self, stepped):
        if not np.iscomplexobj(stepped):  # abs() has dropped the step
            raise TypeError(f"backend={self.name!r} differentiates no abs().")
        return stepped.imag / self.length


if __name__ == "__main__":
    X, y = load_diabetes(return_X_y=True, scaled=False)
    by_step = GradientDescentRegressor(backend=ComplexStepBackend()).fit(X, y)
    by_tape = GradientDescentRegressor(backend="autograd").fit(X, y)
    np.testing.assert_allclose(by_step.coef_, by_tape.coef_, rtol=1e-10)
    print("The complex step and autograd agree:", by_step.coef_.round(3))
