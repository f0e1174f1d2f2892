"""Layers as functions: each makes its variables in a scope of its own, `dense/kernel`, `dense/bias`, ..."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .._failure import fail as _fail
from ._branches import cond as _cond
from ._calls import convert as _convert
from ._calls import create_function as _call
from ._graph import GraphKeys as _GraphKeys
from ._graph import get_default_graph as _get_default_graph
from ._tensors import Graphed as _Graphed
from ._variable_scopes import get_variable as _get_variable
from ._variable_scopes import variable_scope as _variable_scope
from .initializers import Ones as _Ones
from .initializers import Zeros as _Zeros


def _known_size(inputs: Any, axis: int, what: str) -> int:
    size = inputs.shape.as_list()[axis] if inputs.shape else None
    if size is None:
        _fail(
            "ValueError",
            "invalid_value",
            f'{what}: the size of dimension {axis} of "{inputs.name}" must be known',
        )
    return size


def _activated(value: Any, activation: Callable[[Any], Any] | None, regularizer: Any) -> Any:
    result = value if activation is None else activation(value)
    if regularizer is not None:
        _get_default_graph().add_to_collection(_GraphKeys.REGULARIZATION_LOSSES, regularizer(result))
    return result


def dense(
    inputs: Any,
    units: int,
    activation: Callable[[Any], Any] | None = None,
    use_bias: bool = True,
    kernel_initializer: Any = None,
    bias_initializer: Any = None,
    kernel_regularizer: Any = None,
    bias_regularizer: Any = None,
    activity_regularizer: Any = None,
    kernel_constraint: Any = None,
    bias_constraint: Any = None,
    trainable: bool = True,
    name: str | None = None,
    reuse: Any = None,
) -> Any:
    """activation(inputs @ kernel + bias), along the last dimension."""
    inputs = _convert(inputs)
    with _variable_scope(name, default_name="dense", reuse=reuse):
        size = _known_size(inputs, -1, "dense()")
        kernel = _get_variable(
            "kernel",
            [size, units],
            inputs.dtype,
            kernel_initializer,
            kernel_regularizer,
            trainable,
            constraint=kernel_constraint,
        )
        if inputs.shape.ndims == 2:
            result = _call("matmul", (inputs, kernel), {})
        else:
            result = _call("tensordot", (inputs, kernel, [[inputs.shape.ndims - 1], [0]]), {})
        if use_bias:
            bias = _get_variable(
                "bias",
                [units],
                inputs.dtype,
                bias_initializer or _Zeros(),
                bias_regularizer,
                trainable,
                constraint=bias_constraint,
            )
            result = _call("nn.bias_add", (result, bias), {})
        return _activated(result, activation, activity_regularizer)


def _format(data_format: str) -> str:
    if data_format not in ("channels_last", "channels_first"):
        _fail(
            "ValueError",
            "invalid_value",
            f"data_format is channels_last or channels_first, not {data_format}",
        )
    return "NHWC" if data_format == "channels_last" else "NCHW"


def conv2d(
    inputs: Any,
    filters: int,
    kernel_size: Any,
    strides: Any = (1, 1),
    padding: str = "valid",
    data_format: str = "channels_last",
    dilation_rate: Any = (1, 1),
    activation: Callable[[Any], Any] | None = None,
    use_bias: bool = True,
    kernel_initializer: Any = None,
    bias_initializer: Any = None,
    kernel_regularizer: Any = None,
    bias_regularizer: Any = None,
    activity_regularizer: Any = None,
    kernel_constraint: Any = None,
    bias_constraint: Any = None,
    trainable: bool = True,
    name: str | None = None,
    reuse: Any = None,
) -> Any:
    """activation(convolution + bias) of [batch, height, width, channels], with a kernel [height, width, in, out]."""
    inputs, order = _convert(inputs), _format(data_format)
    sizes = [kernel_size] * 2 if isinstance(kernel_size, int) else list(kernel_size)
    with _variable_scope(name, default_name="conv2d", reuse=reuse):
        channels = _known_size(inputs, -1 if order == "NHWC" else 1, "conv2d()")
        kernel = _get_variable(
            "kernel",
            [*sizes, channels, filters],
            inputs.dtype,
            kernel_initializer,
            kernel_regularizer,
            trainable,
            constraint=kernel_constraint,
        )
        settings = {"data_format": order, "dilations": dilation_rate}
        result = _call("nn.conv2d", (inputs, kernel, strides, padding.upper()), settings)
        if use_bias:
            bias = _get_variable(
                "bias",
                [filters],
                inputs.dtype,
                bias_initializer or _Zeros(),
                bias_regularizer,
                trainable,
                constraint=bias_constraint,
            )
            result = _call("nn.bias_add", (result, bias, order), {})
        return _activated(result, activation, activity_regularizer)


def batch_normalization(
    inputs: Any,
    axis: int = -1,
    momentum: float = 0.99,
    epsilon: float = 1e-3,
    center: bool = True,
    scale: bool = True,
    beta_initializer: Any = None,
    gamma_initializer: Any = None,
    moving_mean_initializer: Any = None,
    moving_variance_initializer: Any = None,
    beta_regularizer: Any = None,
    gamma_regularizer: Any = None,
    training: Any = False,
    trainable: bool = True,
    name: str | None = None,
    reuse: Any = None,
) -> Any:
    """Normalised along `axis`: in training by mean and variance of the batch, else by their moving averages.

    The updates of the averages are in the collection UPDATE_OPS, and must be run with the training step:

        with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
            train_op = optimizer.minimize(loss)

    Source: Ioffe, Szegedy 2015, arXiv:1502.03167.
    """
    inputs = _convert(inputs)
    rank = inputs.shape.ndims
    if rank is None:
        _fail("ValueError", "invalid_value", "batch_normalization(): the number of dimensions must be known")
    axis = axis % rank
    with _variable_scope(name, default_name="batch_normalization", reuse=reuse):
        size = _known_size(inputs, axis, "batch_normalization()")

        def variable(name: str, initializer: Any, regularizer: Any, learns: bool) -> Any:
            return _get_variable(name, [size], inputs.dtype, initializer, regularizer, learns)

        gamma = (
            variable("gamma", gamma_initializer or _Ones(), gamma_regularizer, trainable) if scale else None
        )
        beta = variable("beta", beta_initializer or _Zeros(), beta_regularizer, trainable) if center else None
        mean = variable("moving_mean", moving_mean_initializer or _Zeros(), None, False)
        variance = variable("moving_variance", moving_variance_initializer or _Ones(), None, False)
        others = [d for d in range(rank) if d != axis]

        def of_batch() -> Any:
            batch_mean, batch_variance = _call("nn.moments", (inputs, others), {})
            return batch_mean, batch_variance

        def of_time() -> Any:
            return mean.read_value(), variance.read_value()

        flag = training
        if isinstance(flag, _Graphed):
            used_mean, used_variance = _cond(flag, of_batch, of_time)
        else:
            used_mean, used_variance = of_batch() if flag else of_time()
        if isinstance(flag, _Graphed) or flag:
            for average, value in ((mean, used_mean), (variance, used_variance)):
                # Without training the value is the average itself, so nothing changes.
                update = average.assign_sub((average - value) * (1 - momentum))
                _get_default_graph().add_to_collection(_GraphKeys.UPDATE_OPS, update.op)
        shape = [size if d == axis else 1 for d in range(rank)]

        def placed(tensor: Any) -> Any:
            if tensor is None or axis == rank - 1:
                return tensor
            return _call("reshape", (tensor, shape), {})

        parts = [placed(t) for t in (used_mean, used_variance, beta, gamma)]
        return _call("nn.batch_normalization", (inputs, *parts, epsilon), {})


def dropout(
    inputs: Any,
    rate: float = 0.5,
    noise_shape: Any = None,
    seed: int | None = None,
    training: Any = False,
    name: str | None = None,
) -> Any:
    """Zeros at random places in training, with probability `rate`; the others grow so that the mean stays."""

    def dropped() -> Any:
        return _call("nn.dropout", (inputs,), {"rate": rate, "noise_shape": noise_shape, "seed": seed})

    def same() -> Any:
        return _call("identity", (inputs,), {})

    with _get_default_graph().name_scope(name or "dropout"):
        if isinstance(training, _Graphed):
            return _cond(training, dropped, same)
        return dropped() if training else same()


def flatten(inputs: Any, name: str | None = None) -> Any:
    """[batch, all others]."""
    inputs = _convert(inputs)
    sizes: Sequence[Any] = inputs.shape.as_list()[1:]
    rest = 1
    for size in sizes:
        rest = -1 if size is None or rest < 0 else rest * size
    if rest < 0:
        first = _call("shape", (inputs,), {})[0]
        return _call("reshape", (inputs, [first, -1]), {}, name)
    return _call("reshape", (inputs, [-1, rest]), {}, name or "flatten")


def _pool(
    function: str, inputs: Any, size: Any, strides: Any, padding: str, data_format: str, name: str | None
) -> Any:
    return _call(function, (inputs, size, strides, padding.upper(), _format(data_format)), {}, name)


def max_pooling2d(
    inputs: Any,
    pool_size: Any,
    strides: Any,
    padding: str = "valid",
    data_format: str = "channels_last",
    name: str | None = None,
) -> Any:
    """The largest in each window."""
    return _pool("nn.max_pool", inputs, pool_size, strides, padding, data_format, name)


def average_pooling2d(
    inputs: Any,
    pool_size: Any,
    strides: Any,
    padding: str = "valid",
    data_format: str = "channels_last",
    name: str | None = None,
) -> Any:
    """The mean of each window."""
    return _pool("nn.avg_pool", inputs, pool_size, strides, padding, data_format, name)
