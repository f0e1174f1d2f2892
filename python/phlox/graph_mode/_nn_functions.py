"""The functions of `tf.nn` and `tf.losses` that TensorFlow calls otherwise than Phlox: channels last, losses by keyword."""

from __future__ import annotations

from typing import Any

import phlox
import phlox.nn.functional

from .._failure import fail
from .._phlox import Tensor
from ._functions import _axes, _int
from ._kinds import function

px: Any = phlox  # whose operations only its stub names
F: Any = phlox.nn.functional


@function("nn.softmax", "Softmax")
def softmax(logits: Tensor, axis: Any = None, dim: Any = None) -> Tensor:
    """Probabilities from logits, along `axis`, by default the last."""
    axis = dim if axis is None else axis
    return px.softmax(logits, -1 if axis is None else _int(axis))


@function("nn.log_softmax", "LogSoftmax")
def log_softmax(logits: Tensor, axis: Any = None, dim: Any = None) -> Tensor:
    """Logarithms of the probabilities."""
    axis = dim if axis is None else axis
    return px.log_softmax(logits, -1 if axis is None else _int(axis))


@function("nn.leaky_relu", "LeakyRelu")
def leaky_relu(features: Tensor, alpha: float = 0.2) -> Tensor:
    """x, or alpha * x where that is negative."""
    return px.leaky_relu(features, alpha)


@function("nn.softmax_cross_entropy_with_logits_v2", "SoftmaxCrossEntropyWithLogits")
def softmax_cross_entropy_v2(labels: Tensor, logits: Tensor, axis: Any = -1, dim: Any = None) -> Tensor:
    """The cross entropy of each row, between probabilities and logits."""
    dim = axis if dim is None else dim
    return -(labels * px.log_softmax(logits, dim)).sum(dim)


@function("nn.softmax_cross_entropy_with_logits", "SoftmaxCrossEntropyWithLogits")
def softmax_cross_entropy(labels: Tensor, logits: Tensor, dim: Any = -1, axis: Any = None) -> Tensor:
    """The cross entropy of each row, between probabilities, which are constants, and logits."""
    return softmax_cross_entropy_v2(labels.detach(), logits, dim if axis is None else axis)


@function("nn.sparse_softmax_cross_entropy_with_logits", "SparseSoftmaxCrossEntropyWithLogits")
def sparse_softmax_cross_entropy(labels: Tensor, logits: Tensor) -> Tensor:
    """The cross entropy of each row, between class numbers and logits."""
    classes = logits.shape[-1]
    losses = F.cross_entropy(logits.reshape(-1, classes), labels.to(px.int64).reshape(-1), reduction="none")
    return losses.reshape(labels.shape)


@function("nn.sigmoid_cross_entropy_with_logits", "SigmoidCrossEntropyWithLogits")
def sigmoid_cross_entropy(labels: Tensor, logits: Tensor) -> Tensor:
    """The cross entropy of each element, between probabilities and logits."""
    return F.binary_cross_entropy_with_logits(logits, labels, reduction="none")


def _channels_first(x: Tensor, data_format: str) -> Tensor:
    return x if data_format.startswith("NC") else x.movedim(-1, 1)


def _as_given(x: Tensor, data_format: str) -> Tensor:
    return x if data_format.startswith("NC") else x.movedim(1, -1)


def _window(value: Any, data_format: str) -> list[int]:
    """The two sizes of a window or stride, of which TensorFlow gives four, two or one."""
    value = [value] if isinstance(value, int) else list(value)
    if len(value) == 4:
        value = value[2:] if data_format.startswith("NC") else value[1:3]
    return value * 2 if len(value) == 1 else value


def _padded(x: Tensor, padding: Any, window: list[int], strides: list[int], value: float) -> Tensor:
    """With TensorFlow's padding: SAME puts the odd one at the end."""
    if not isinstance(padding, str):
        amounts = [n for pair in reversed(padding) for n in pair]
        return px.pad(x, amounts, value=value)
    if padding.upper() == "VALID":
        return x
    if padding.upper() != "SAME":
        fail("ValueError", "invalid_value", f"padding is SAME or VALID, not {padding}")
    amounts = []
    for size, w, s in reversed(list(zip(x.shape[-2:], window, strides))):
        total = max((-(-size // s) - 1) * s + w - size, 0)
        amounts += [total // 2, total - total // 2]
    return px.pad(x, amounts, value=value) if any(amounts) else x


@function("nn.conv2d", "Conv2D")
def conv2d(
    input: Tensor,
    filter: Any = None,
    strides: Any = 1,
    padding: Any = "VALID",
    use_cudnn_on_gpu: bool = True,
    data_format: str = "NHWC",
    dilations: Any = 1,
    filters: Any = None,
) -> Tensor:
    """Convolution: input [batch, height, width, channels], filter [height, width, in, out]."""
    kernel = filters if filter is None else filter
    stride, dilation = _window(strides, data_format), _window(dilations, data_format)
    window = [(n - 1) * d + 1 for n, d in zip(kernel.shape[:2], dilation)]
    x = _padded(_channels_first(input, data_format), padding, window, stride, 0.0)
    return _as_given(F.conv2d(x, kernel.permute(3, 2, 0, 1), None, stride, 0, dilation), data_format)


@function("nn.max_pool", "MaxPool")
def max_pool(value: Tensor, ksize: Any, strides: Any, padding: Any, data_format: str = "NHWC") -> Tensor:
    """The largest in each window."""
    window, stride = _window(ksize, data_format), _window(strides, data_format)
    x = _padded(_channels_first(value, data_format), padding, window, stride, float("-inf"))
    return _as_given(px.max_pool2d(x, window, stride), data_format)


@function("nn.avg_pool", "AvgPool")
def avg_pool(value: Tensor, ksize: Any, strides: Any, padding: Any, data_format: str = "NHWC") -> Tensor:
    """The mean of each window, of the elements that are there."""
    window, stride = _window(ksize, data_format), _window(strides, data_format)
    x = _channels_first(value, data_format)
    padded = _padded(x, padding, window, stride, 0.0)
    total = px.avg_pool2d(padded, window, stride)
    if padded is not x:
        total = total / px.avg_pool2d(_padded(px.ones_like(x), padding, window, stride, 0.0), window, stride)
    return _as_given(total, data_format)


@function("nn.bias_add", "BiasAdd")
def bias_add(value: Tensor, bias: Tensor, data_format: str = "NHWC") -> Tensor:
    """With a number added to each channel."""
    if data_format.startswith("NC"):
        bias = bias.reshape([-1] + [1] * (value.ndim - 2))
    return value + bias


@function("nn.moments", "Moments")
def moments(
    x: Tensor, axes: Any, shift: Any = None, keep_dims: bool = False, keepdims: Any = None
) -> tuple[Tensor, Tensor]:
    """Mean and variance over these axes."""
    keep = keep_dims if keepdims is None else keepdims
    mean = x.mean(_axes(axes), keepdim=True)
    centred = (x - mean) ** 2
    variance = centred.mean(_axes(axes), keepdim=True)
    if keep:
        return mean, variance
    return px.squeeze(mean, _axes(axes)), px.squeeze(variance, _axes(axes))


@function("nn.batch_normalization", "BatchNormalization")
def batch_normalization(
    x: Tensor, mean: Tensor, variance: Tensor, offset: Any, scale: Any, variance_epsilon: float
) -> Tensor:
    """(x - mean) / sqrt(variance + epsilon) * scale + offset."""
    factor = px.rsqrt(variance + variance_epsilon)
    factor = factor if scale is None else factor * scale
    result = (x - mean) * factor
    return result if offset is None else result + offset


@function("nn.embedding_lookup", "Gather")
def embedding_lookup(params: Tensor, ids: Tensor) -> Tensor:
    """The rows of `params` that `ids` name."""
    return params[ids.to(px.int64)]


@function("nn.top_k", "TopKV2")
def top_k(input: Tensor, k: Any = 1, sorted: bool = True) -> tuple[Tensor, Tensor]:
    """The k largest along the last dimension, and their places (int32)."""
    values, places = px.topk(input, _int(k), -1)
    return values, places.to(px.int32)


@function("nn.in_top_k", "InTopK")
def in_top_k(predictions: Tensor, targets: Tensor, k: Any) -> Tensor:
    """Whether the score of each target is among the k largest of its row."""
    score = predictions.gather(1, targets.to(px.int64).unsqueeze(1))
    return (predictions > score).sum(1) < _int(k)
