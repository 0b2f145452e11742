"""Conversion to ONNX, in which a fitted model predicts without Python.

`register` teaches `skl2onnx.to_onnx` the estimators of this package, alone and in
pipelines: the linear predictor and its inverse link.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sklearn_adreg._classifier import GradientDescentClassifier
from sklearn_adreg._loss.linear import loss_of_fit, named
from sklearn_adreg._regressor import GradientDescentRegressor
from sklearn_adreg._search import GradientDescentRegressorCV
from sklearn_adreg.losses import Bernoulli, Multinomial, PoissonDeviance

__all__ = ["register"]

# The operators of inverse links, by the method that is the link: that of another loss,
# or of a subclass that overrides it, has none.
_LINKS = {
    PoissonDeviance.inverse_link: "Exp",
    Bernoulli.inverse_link: "Sigmoid",
    Multinomial.inverse_link: "Softmax",
}


def register() -> None:
    """Register the estimators of this package with skl2onnx.

    Afterwards ``skl2onnx.to_onnx(model, X[:1])`` converts fitted ones. A regressor has
    one output, its predictions of shape (n_samples, 1) or (n_samples, n_targets). A
    classifier has two, labels and probabilities; for a loss without probabilities the
    second is the linear predictor. Labels that are numbers or booleans become int64.
    Numbers are of the type of `X`, of float32 where that is not a float: it gives about
    five digits. There is no offset: predictions are those of an offset of zero.

    Raises
    ------
    ImportError
        If skl2onnx is not installed. Later, `skl2onnx.to_onnx` raises
        NotImplementedError for a loss with an inverse link of its own.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_adreg import GradientDescentRegressor
    >>> from sklearn_adreg.onnx import register
    >>> X = np.random.default_rng(0).standard_normal((50, 2))
    >>> model = GradientDescentRegressor("poisson").fit(X, np.exp(X[:, 0]))
    >>> register()  # doctest: +SKIP
    >>> skl2onnx.to_onnx(model, X[:1])  # doctest: +SKIP
    """
    try:
        from skl2onnx import update_registered_converter
        from skl2onnx.common.shape_calculator import (
            calculate_linear_classifier_output_shapes,
            calculate_linear_regressor_output_shapes,
        )
    except ModuleNotFoundError as error:
        raise ImportError(
            "Conversion to ONNX needs skl2onnx, which is not installed. Install it "
            "with `pip install 'sklearn-adreg[onnx]'`."
        ) from error
    for kind in GradientDescentRegressor, GradientDescentRegressorCV:
        update_registered_converter(
            kind,
            f"SklearnAdreg{kind.__name__}",
            calculate_linear_regressor_output_shapes,
            _convert_regressor,
        )
    update_registered_converter(
        GradientDescentClassifier,
        "SklearnAdregGradientDescentClassifier",
        calculate_linear_classifier_output_shapes,
        _convert_classifier,
        options={"zipmap": [True, False, "columns"], "nocl": [True, False]},
    )


def _convert_regressor(scope: Any, operator: Any, container: Any) -> None:
    """Write the predictions of a regressor."""
    nodes = _Nodes(operator, container)
    linear, model = nodes.linear_predictor(), operator.raw_operator
    found = nodes.after_link(linear, loss_of_fit(model))
    nodes.end("Identity", found, output=0).add_to(scope, container)


def _convert_classifier(scope: Any, operator: Any, container: Any) -> None:
    """Write labels, and probabilities or what there is in their place."""
    nodes, model = _Nodes(operator, container), operator.raw_operator
    linear, binary = nodes.linear_predictor(), len(model.classes_) == 2
    labels = model.classes_
    numbers = labels.dtype.kind in "biuf"  # floats that are labels are whole
    labels = labels.astype(np.int64 if numbers else str)
    scores = linear
    if hasattr(model, "predict_proba"):
        scores = nodes.after_link(linear, loss_of_fit(model))
        if binary:
            one = np.ones(1, nodes.dtype)
            scores = nodes("Concat", nodes("Sub", one, scores), scores, axis=1)
        else:
            axes = np.array([1], dtype=np.int64)
            scores = nodes("Div", scores, nodes("ReduceSum", scores, axes))
    if binary:
        zero = np.zeros(1, nodes.dtype)
        chosen = nodes("Cast", nodes("Greater", linear, zero), to=_INT64)
        chosen = nodes("Reshape", chosen, np.array([-1], dtype=np.int64))
    else:
        chosen = nodes("ArgMax", linear, axis=1, keepdims=0)
    nodes.end("Gather", labels, chosen, output=0).add_to(scope, container)
    nodes.end("Identity", scores, output=1).add_to(scope, container)


# How ONNX numbers these types.
_INT64, _FLOATS = 7, {np.float32: 1, np.float64: 11}


class _Nodes:
    """Makes nodes of a model that is converted."""

    def __init__(self, operator: Any, container: Any) -> None:
        from skl2onnx.common.data_types import guess_numpy_type

        self.operator, self.opset = operator, container.target_opset
        self.given = guess_numpy_type(operator.inputs[0].type)
        self.dtype = np.float64 if self.given == np.float64 else np.float32

    def __call__(self, name: str, *inputs: Any, **attributes: Any) -> Any:
        """Return a node of an operator."""
        from skl2onnx.algebra import onnx_ops

        make = getattr(onnx_ops, f"Onnx{name}")
        return make(*inputs, op_version=self.opset, **attributes)

    def end(self, name: str, *inputs: Any, output: int) -> Any:
        """Return the node of an output."""
        names = [self.operator.outputs[output].full_name]
        return self(name, *inputs, output_names=names)

    def linear_predictor(self) -> Any:
        """X w + b, (n_samples, n_outputs)."""
        model, X = self.operator.raw_operator, self.operator.inputs[0]
        if self.given != self.dtype:  # integers and booleans
            X = self("Cast", X, to=_FLOATS[self.dtype])
        coef = np.atleast_2d(model.coef_).T.astype(self.dtype)
        level = np.atleast_1d(model.intercept_).astype(self.dtype)
        return self("Add", self("MatMul", X, coef), level)

    def after_link(self, linear: Any, loss: Any) -> Any:
        """Return predictions, by the inverse link of a loss."""
        link = getattr(type(loss), "inverse_link", None)
        if getattr(loss, "inverse_link", None) is None:
            return linear
        if link not in _LINKS:
            raise NotImplementedError(
                f"The inverse link of the loss {named(loss)} must be that of a loss of "
                "sklearn_adreg with the log, the logit or the softmax for a link to "
                "be converted to ONNX. Got one of its own instead. Convert a model of "
                "the linear predictor, and apply the link to what it returns."
            )
        attributes = {"axis": 1} if _LINKS[link] == "Softmax" else {}
        return self(_LINKS[link], linear, **attributes)
