"""The standard's reductions and cumulative functions. Sums of small integers are int64 or, of unsigned ones, uint64."""

from __future__ import annotations

from typing import Any

from .. import _phlox
from .._failure import fail
from .._phlox import Tensor, dtype

Axes = int | tuple[int, ...] | None


def _sum_dtype(x: Tensor, wanted: dtype | None) -> dtype:
    """The dtype that a sum or product has."""
    if wanted is not None:
        return wanted
    if x.dtype.is_floating_point or x.dtype.is_complex:
        return x.dtype
    return _phlox.dtypes["int64" if x.dtype.is_signed or x.dtype.name == "bool" else "uint64"]


def _reduced(operation: Any, x: Tensor, axis: Axes, keepdims: bool, **options: Any) -> Tensor:
    """A reduction. Over no axes, (), it takes each element alone."""
    if axis == ():
        return operation(x.unsqueeze(-1), -1, **options)
    return operation(x, axis, keepdim=keepdims, **options)


def sum(x: Tensor, /, *, axis: Axes = None, dtype: dtype | None = None, keepdims: bool = False) -> Tensor:
    """The sum over axes, all by default."""
    return _reduced(_phlox.sum, x, axis, keepdims, dtype=_sum_dtype(x, dtype))


def prod(x: Tensor, /, *, axis: Axes = None, dtype: dtype | None = None, keepdims: bool = False) -> Tensor:
    """The product over axes, all by default."""
    return _reduced(_phlox.prod, x, axis, keepdims, dtype=_sum_dtype(x, dtype))


def mean(x: Tensor, /, *, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """The mean over axes, all by default; of integers in the default floating dtype."""
    return _reduced(_phlox.mean, x, axis, keepdims)


def var(x: Tensor, /, *, axis: Axes = None, correction: int | float = 0.0, keepdims: bool = False) -> Tensor:
    """The variance over axes: squared deviations divided by their number less `correction`."""
    return _reduced(_phlox.var, x, axis, keepdims, correction=correction)


def std(x: Tensor, /, *, axis: Axes = None, correction: int | float = 0.0, keepdims: bool = False) -> Tensor:
    """The standard deviation over axes, the root of `var`."""
    return _phlox.sqrt(var(x, axis=axis, correction=correction, keepdims=keepdims))


def max(x: Tensor, /, *, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """The largest element over axes, all by default."""
    return _reduced(_phlox.amax, x, axis, keepdims)


def min(x: Tensor, /, *, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """The smallest element over axes, all by default."""
    return _reduced(_phlox.amin, x, axis, keepdims)


def all(x: Tensor, /, *, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """Whether all elements over axes are true."""
    return _reduced(_phlox.all, x, axis, keepdims)


def any(x: Tensor, /, *, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """Whether any element over axes is true."""
    return _reduced(_phlox.any, x, axis, keepdims)


def _cumulative(
    operation: Any, start: int, x: Tensor, axis: int | None, dtype: dtype | None, include_initial: bool
) -> Tensor:
    if axis is None:
        if x.ndim != 1:
            fail(
                "ShapeError",
                "invalid_value",
                f"{operation.__name__}: an axis is needed for an array that is no vector",
                "axis=0",
                x=x,
            )
        axis = 0
    wanted = _sum_dtype(x, dtype)
    result = operation(x, axis, dtype=wanted)
    if not include_initial:
        return result
    size = [1 if i == axis % x.ndim else n for i, n in enumerate(x.shape)]
    return _phlox.cat([_phlox.full(size, start, dtype=wanted), result], axis)


def cumulative_sum(
    x: Tensor,
    /,
    *,
    axis: int | None = None,
    dtype: dtype | None = None,
    include_initial: bool = False,
) -> Tensor:
    """The sums of the elements so far along an axis; with `include_initial`, zero before them."""
    return _cumulative(_phlox.cumsum, 0, x, axis, dtype, include_initial)


def cumulative_prod(
    x: Tensor,
    /,
    *,
    axis: int | None = None,
    dtype: dtype | None = None,
    include_initial: bool = False,
) -> Tensor:
    """The products of the elements so far along an axis; with `include_initial`, one before them."""
    return _cumulative(_phlox.cumprod, 1, x, axis, dtype, include_initial)


def diff(
    x: Tensor,
    /,
    *,
    axis: int = -1,
    n: int = 1,
    prepend: Tensor | None = None,
    append: Tensor | None = None,
) -> Tensor:
    """The differences of neighbours along an axis, `n` times."""
    return _phlox.diff(x, n, axis, prepend, append)
