"""A third backend: complex-step differentiation, a step along the imaginary axis.

For an analytic f that is real for real arguments, f'(z) = Im f(z + ih) / h, up to a
term in h^2. There is no subtraction and so no cancellation: h may be tiny.

W. Squire and G. Trapp, "Using complex variables to estimate derivatives of real
functions", SIAM Review 40(1), 1998.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.datasets import load_diabetes

from sklearn_adreg import GradientDescentRegressor
from sklearn_adreg.backends import Backend


@dataclass(frozen=True)  # gives equality and a hash; instances clone and pickle
class ComplexStepBackend(Backend):
    """Differentiate analytic NumPy code, in host memory, by the complex step."""

    length: float = 1e-100

    @property
    def name(self):
        return "complex step"

    def value_and_derivative(self, loss):
        def differentiated(y_true, y_pred, *row_data):
            slope = np.empty_like(y_pred)  # keeps the dtype
            # No row depends on another: a step along a column moves all rows at once.
            # It is taken in double precision, where 1e-100 is not zero.
            for column in np.ndindex(y_pred.shape[1:]):  # once where there are none
                stepped = y_pred.astype(complex)
                stepped[:, *column] += 1j * self.length
                change = self._slope(loss(y_true, stepped, *row_data))
                slope[:, *column] = change.sum(axis=tuple(range(1, change.ndim)))
            return loss(y_true, y_pred, *row_data), slope

        return differentiated

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
