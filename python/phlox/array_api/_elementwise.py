"""The standard's elementwise functions: those of the registry, with the standard's parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import _phlox
from .._phlox import Tensor

Number = bool | int | float | complex

# The standard's own list; what each computes, and on how many arrays, the registry knows.
_NAMES = """
    abs acos acosh add asin asinh atan atan2 atanh bitwise_and bitwise_left_shift bitwise_or
    bitwise_right_shift bitwise_xor ceil conj copysign cos cosh divide exp expm1 floor floor_divide greater greater_equal
    hypot imag isfinite isinf isnan less less_equal log log10 log1p log2 logaddexp logical_and logical_not logical_or
    logical_xor maximum minimum multiply negative nextafter not_equal positive pow real reciprocal remainder signbit
    sin sinh sqrt square subtract tan tanh trunc
""".split()


def standard_functions() -> dict[str, Callable[..., Tensor]]:
    """The functions of one element that the standard names, by name."""
    return {name: _standard(name, getattr(_phlox, name)) for name in _NAMES}


def _standard(name: str, operation: Any) -> Callable[..., Tensor]:
    """The operation as a function of arrays that have no names, only places."""

    def of_one(x: Tensor, /) -> Tensor:
        return operation(x)

    def of_two(x1: Tensor | Number, x2: Tensor | Number, /) -> Tensor:
        return operation(x1, x2)

    function: Callable[..., Tensor] = of_one if len(operation.parameters) == 1 else of_two
    function.__name__ = function.__qualname__ = name
    function.__module__ = "phlox.array_api"
    function.__doc__ = operation.__doc__
    return function


def round(x: Tensor, /) -> Tensor:
    """The nearest whole numbers, halves to even; of complex numbers both parts."""
    if x.dtype.is_complex:
        return _phlox.complex(_phlox.round(x.real), _phlox.round(x.imag))
    return _phlox.round(x)


def sign(x: Tensor, /) -> Tensor:
    """The sign; for complex numbers the point of length 1 in their direction. Both zeros give 0."""
    return (_phlox.sgn(x) if x.dtype.is_complex else _phlox.sign(x)) + 0


def bitwise_invert(x: Tensor, /) -> Tensor:
    """All bits flipped; of bool the negation."""
    return _phlox.bitwise_not(x)


def equal(x1: Tensor | Number, x2: Tensor | Number, /) -> Tensor:
    """Where elements are equal. (`px.equal` asks whether whole tensors are.)"""
    return _phlox.eq(x1, x2)


def clip(x: Tensor, /, min: Tensor | Number | None = None, max: Tensor | Number | None = None) -> Tensor:
    """Elements not below `min` and not above `max`, in the dtype of `x`."""
    if min is None and max is None:
        return _phlox.clone(x)
    return _phlox.clip(x, min, max).to(x.dtype)
