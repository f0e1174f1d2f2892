"""Initial values of variables: functions of a shape, for `tf.get_variable(name, shape, initializer=...)`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .._phlox import dtypes as _dtypes
from ._calls import constant_value as _constant_value
from ._calls import create_function as _create_function
from ._tensors import constant as _constant

_FLOAT = _dtypes["float32"]


class Initializer:
    """A function of a shape that gives the initial value of a variable."""

    def __call__(self, shape: Sequence[int], dtype: Any = None, partition_info: Any = None) -> Any:
        """The value, a tensor of the graph."""
        raise NotImplementedError


class Constant(Initializer):
    """The same number everywhere, or these values."""

    def __init__(self, value: Any = 0, dtype: Any = None, verify_shape: bool = False):
        self.value, self.dtype = value, dtype

    def __call__(self, shape: Sequence[int], dtype: Any = None, partition_info: Any = None) -> Any:
        """The value, a tensor of the graph."""
        return _constant(_constant_value(self.value, dtype or self.dtype or _FLOAT), shape=shape)


class Zeros(Constant):
    """Zeros."""

    def __init__(self, dtype: Any = None):
        super().__init__(0, dtype)


class Ones(Constant):
    """Ones."""

    def __init__(self, dtype: Any = None):
        super().__init__(1, dtype)


class _Random(Initializer):
    function = ""

    def __init__(self, first: float, second: float, seed: int | None = None, dtype: Any = None):
        self.settings = (first, second)
        self.seed, self.dtype = seed, dtype

    def __call__(self, shape: Sequence[int], dtype: Any = None, partition_info: Any = None) -> Any:
        """The value, a tensor of the graph."""
        dtype = dtype or self.dtype or _FLOAT
        return _create_function(self.function, (list(shape), *self.settings, dtype, self.seed), {})


class RandomNormal(_Random):
    """Normal random numbers."""

    function = "random_normal"

    def __init__(self, mean: float = 0.0, stddev: float = 1.0, seed: int | None = None, dtype: Any = None):
        super().__init__(mean, stddev, seed, dtype)


class TruncatedNormal(_Random):
    """Normal random numbers within two standard deviations."""

    function = "truncated_normal"

    def __init__(self, mean: float = 0.0, stddev: float = 1.0, seed: int | None = None, dtype: Any = None):
        super().__init__(mean, stddev, seed, dtype)


class RandomUniform(_Random):
    """Random numbers from minval to maxval."""

    function = "random_uniform"

    def __init__(self, minval: float = 0.0, maxval: float = 1.0, seed: int | None = None, dtype: Any = None):
        super().__init__(minval, maxval, seed, dtype)


class VarianceScaling(Initializer):
    """Random numbers of variance scale / n, where n counts inputs (fan_in), outputs (fan_out) or their mean (fan_avg)."""

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | None = None,
        dtype: Any = None,
    ):
        self.scale, self.mode, self.distribution = scale, mode, distribution
        self.seed, self.dtype = seed, dtype

    def __call__(self, shape: Sequence[int], dtype: Any = None, partition_info: Any = None) -> Any:
        """The value, a tensor of the graph."""
        dtype = dtype or self.dtype or _FLOAT
        window = math.prod(shape[:-2])
        fan_in = shape[-2] * window if len(shape) > 1 else math.prod(shape)
        fan_out = shape[-1] * window if len(shape) > 1 else math.prod(shape)
        fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(1.0, fan)
        if self.distribution == "uniform":
            limit = math.sqrt(3 * variance)
            return _create_function("random_uniform", (list(shape), -limit, limit, dtype, self.seed), {})
        if self.distribution == "untruncated_normal":
            return _create_function(
                "random_normal", (list(shape), 0.0, math.sqrt(variance), dtype, self.seed), {}
            )
        # What is cut off takes variance away, which this number gives back.
        deviation = math.sqrt(variance) / 0.87962566103423978
        return _create_function("truncated_normal", (list(shape), 0.0, deviation, dtype, self.seed), {})


class GlorotUniform(VarianceScaling):
    """Uniform, variance by the mean of inputs and outputs. Source: Glorot, Bengio 2010."""

    def __init__(self, seed: int | None = None, dtype: Any = None):
        super().__init__(1.0, "fan_avg", "uniform", seed, dtype)


class GlorotNormal(VarianceScaling):
    """Normal, variance by the mean of inputs and outputs. Source: Glorot, Bengio 2010."""

    def __init__(self, seed: int | None = None, dtype: Any = None):
        super().__init__(1.0, "fan_avg", "truncated_normal", seed, dtype)


class HeNormal(VarianceScaling):
    """Normal, variance 2 by the inputs. Source: He, Zhang, Ren, Sun 2015, arXiv:1502.01852."""

    def __init__(self, seed: int | None = None, dtype: Any = None):
        super().__init__(2.0, "fan_in", "truncated_normal", seed, dtype)


zeros_initializer = Zeros
ones_initializer = Ones
constant_initializer = Constant
random_normal_initializer = RandomNormal
truncated_normal_initializer = TruncatedNormal
random_uniform_initializer = RandomUniform
variance_scaling_initializer = VarianceScaling
glorot_uniform_initializer = GlorotUniform
glorot_normal_initializer = GlorotNormal
he_normal = HeNormal

zeros, ones, constant = Zeros, Ones, Constant
glorot_uniform, glorot_normal = GlorotUniform, GlorotNormal
random_normal, truncated_normal, random_uniform = RandomNormal, TruncatedNormal, RandomUniform
variance_scaling = VarianceScaling
