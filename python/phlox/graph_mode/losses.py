"""Losses with weights: each adds itself to the collection LOSSES, of which `get_total_loss` is the sum."""

from __future__ import annotations

from typing import Any

from ._calls import convert as _convert
from ._calls import create_function as _call
from ._graph import GraphKeys as _GraphKeys
from ._graph import get_default_graph as _get_default_graph


class Reduction:
    """How the losses of elements become one."""

    NONE = "none"
    SUM = "weighted_sum"
    MEAN = "weighted_mean"
    SUM_BY_NONZERO_WEIGHTS = "weighted_sum_by_nonzero_weights"


def compute_weighted_loss(
    losses: Any,
    weights: Any = 1.0,
    scope: str | None = None,
    loss_collection: Any = _GraphKeys.LOSSES,
    reduction: str = Reduction.SUM_BY_NONZERO_WEIGHTS,
) -> Any:
    """The losses times weights, as one number: the sum by the number of weights that are not zero."""
    losses = _convert(losses)
    weights = _call("cast", (_convert(weights), losses.dtype), {})
    rank = weights.shape.ndims
    if rank is not None and losses.shape.ndims is not None:
        for _ in range(losses.shape.ndims - rank if rank else 0):
            weights = _call("expand_dims", (weights, -1), {})
    weighted = losses * weights
    if reduction == Reduction.NONE:
        result = weighted
    else:
        total = _call("reduce_sum", (weighted,), {})
        spread = weights + _call("zeros_like", (losses,), {})
        if reduction == Reduction.SUM:
            result = total
        elif reduction == Reduction.MEAN:
            result = _call("div_no_nan", (total, _call("reduce_sum", (spread,), {})), {})
        else:
            present = _call("cast", (_call("not_equal", (spread, 0), {}), losses.dtype), {})
            result = _call("div_no_nan", (total, _call("reduce_sum", (present,), {})), {}, "value")
    if loss_collection is not None:
        _get_default_graph().add_to_collection(loss_collection, result)
    return result


def _loss(name: str, values: Any, weights: Any, scope: str | None, collection: Any, reduction: str) -> Any:
    with _get_default_graph().name_scope(scope or name):
        return compute_weighted_loss(values(), weights, None, collection, reduction)


def mean_squared_error(
    labels: Any,
    predictions: Any,
    weights: Any = 1.0,
    scope: str | None = None,
    loss_collection: Any = _GraphKeys.LOSSES,
    reduction: str = Reduction.SUM_BY_NONZERO_WEIGHTS,
) -> Any:
    """The mean of squared differences."""
    values = lambda: _call("squared_difference", (predictions, labels), {})  # noqa: E731
    return _loss("mean_squared_error", values, weights, scope, loss_collection, reduction)


def absolute_difference(
    labels: Any,
    predictions: Any,
    weights: Any = 1.0,
    scope: str | None = None,
    loss_collection: Any = _GraphKeys.LOSSES,
    reduction: str = Reduction.SUM_BY_NONZERO_WEIGHTS,
) -> Any:
    """The mean of absolute differences."""
    values = lambda: _call("abs", (_convert(predictions) - labels,), {})  # noqa: E731
    return _loss("absolute_difference", values, weights, scope, loss_collection, reduction)


def softmax_cross_entropy(
    onehot_labels: Any,
    logits: Any,
    weights: Any = 1.0,
    label_smoothing: float = 0,
    scope: str | None = None,
    loss_collection: Any = _GraphKeys.LOSSES,
    reduction: str = Reduction.SUM_BY_NONZERO_WEIGHTS,
) -> Any:
    """The mean cross entropy between probabilities and logits."""

    def values() -> Any:
        labels = _call("cast", (onehot_labels, _convert(logits).dtype), {})
        if label_smoothing > 0:
            labels = labels * (1 - label_smoothing) + label_smoothing / int(_convert(logits).shape[-1])
        labels = _call("stop_gradient", (labels,), {})
        return _call("nn.softmax_cross_entropy_with_logits_v2", (labels, logits), {})

    return _loss("softmax_cross_entropy_loss", values, weights, scope, loss_collection, reduction)


def sparse_softmax_cross_entropy(
    labels: Any,
    logits: Any,
    weights: Any = 1.0,
    scope: str | None = None,
    loss_collection: Any = _GraphKeys.LOSSES,
    reduction: str = Reduction.SUM_BY_NONZERO_WEIGHTS,
) -> Any:
    """The mean cross entropy between class numbers and logits."""
    values = lambda: _call("nn.sparse_softmax_cross_entropy_with_logits", (labels, logits), {})  # noqa: E731
    return _loss("sparse_softmax_cross_entropy_loss", values, weights, scope, loss_collection, reduction)


def sigmoid_cross_entropy(
    multi_class_labels: Any,
    logits: Any,
    weights: Any = 1.0,
    label_smoothing: float = 0,
    scope: str | None = None,
    loss_collection: Any = _GraphKeys.LOSSES,
    reduction: str = Reduction.SUM_BY_NONZERO_WEIGHTS,
) -> Any:
    """The mean cross entropy of each element."""

    def values() -> Any:
        labels = _call("cast", (multi_class_labels, _convert(logits).dtype), {})
        labels = labels * (1 - label_smoothing) + 0.5 * label_smoothing if label_smoothing > 0 else labels
        return _call("nn.sigmoid_cross_entropy_with_logits", (labels, logits), {})

    return _loss("sigmoid_cross_entropy_loss", values, weights, scope, loss_collection, reduction)


def get_losses(scope: str | None = None, loss_collection: Any = _GraphKeys.LOSSES) -> list[Any]:
    """The losses of the default graph."""
    return _get_default_graph().get_collection(loss_collection, scope)


def get_regularization_losses(scope: str | None = None) -> list[Any]:
    """The losses of regularizers."""
    return _get_default_graph().get_collection(_GraphKeys.REGULARIZATION_LOSSES, scope)


def get_total_loss(
    add_regularization_losses: bool = True, name: str = "total_loss", scope: str | None = None
) -> Any:
    """The sum of all losses of the default graph."""
    found = get_losses(scope)
    if add_regularization_losses:
        found = [*found, *get_regularization_losses(scope)]
    return _call("add_n", (found,), {}, name)
