"""Linear models with any differentiable loss, fitted by gradient descent."""

from sklearn_adreg._display import DerivativesDisplay
from sklearn_adreg._display_coefficient_path import CoefficientPathDisplay
from sklearn_adreg._display_epsilon_path import EpsilonPathDisplay
from sklearn_adreg._display_loss_curve import LossCurveDisplay
from sklearn_adreg._display_ode import OdeDisplay
from sklearn_adreg._regressor import GradientDescentRegressor
from sklearn_adreg._search import GradientDescentRegressorCV

__version__ = "0.1.0"

__all__ = [
    "CoefficientPathDisplay",
    "DerivativesDisplay",
    "EpsilonPathDisplay",
    "GradientDescentRegressor",
    "GradientDescentRegressorCV",
    "LossCurveDisplay",
    "OdeDisplay",
]
