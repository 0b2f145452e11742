"""Linear models with any differentiable loss, fitted by gradient descent."""

from sklearn_adreg._classifier import GradientDescentClassifier
from sklearn_adreg._display.coefficient_path import CoefficientPathDisplay
from sklearn_adreg._display.derivatives import DerivativesDisplay
from sklearn_adreg._display.epsilon_path import EpsilonPathDisplay
from sklearn_adreg._display.loss_curve import LossCurveDisplay
from sklearn_adreg._display.ode import OdeDisplay
from sklearn_adreg._max_epsilon import max_stable_epsilon
from sklearn_adreg._regressor import GradientDescentRegressor
from sklearn_adreg._search import GradientDescentRegressorCV

__version__ = "0.2.0"

__all__ = [
    "CoefficientPathDisplay",
    "DerivativesDisplay",
    "EpsilonPathDisplay",
    "GradientDescentClassifier",
    "GradientDescentRegressor",
    "GradientDescentRegressorCV",
    "LossCurveDisplay",
    "OdeDisplay",
    "max_stable_epsilon",
]
