"""The standard's functions that search, sort and find what is unique."""

from __future__ import annotations

from typing import NamedTuple

from .. import _phlox
from .._failure import fail
from .._phlox import Tensor
from ._statistics import sum

Number = bool | int | float | complex


def argmax(x: Tensor, /, *, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Where the largest element is, along an axis or in the flattened array."""
    return _phlox.argmax(x, axis, keepdims)


def argmin(x: Tensor, /, *, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Where the smallest element is, along an axis or in the flattened array."""
    return _phlox.argmin(x, axis, keepdims)


def count_nonzero(
    x: Tensor, /, *, axis: int | tuple[int, ...] | None = None, keepdims: bool = False
) -> Tensor:
    """How many elements over axes are not zero."""
    return sum(x != 0, axis=axis, keepdims=keepdims)


def nonzero(x: Tensor, /) -> tuple[Tensor, ...]:
    """Where elements are not zero: one vector of places for each dimension."""
    if x.ndim == 0:
        fail(
            "ShapeError", "invalid_value", "nonzero: an array of no dimensions has no places", "x[None]", x=x
        )
    return tuple(_phlox.nonzero_tuple(x))


def searchsorted(x1: Tensor, x2: Tensor, /, *, side: str = "left", sorter: Tensor | None = None) -> Tensor:
    """Where each element of `x2` belongs in the sorted vector `x1`."""
    return _phlox.searchsorted(x1, x2, side=side, sorter=sorter)


def where(condition: Tensor, x1: Tensor | Number, x2: Tensor | Number, /) -> Tensor:
    """Elements of `x1` where the condition is true, of `x2` elsewhere."""
    return _phlox.where(condition, x1, x2)


def sort(x: Tensor, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Tensor:
    """The elements in order along an axis."""
    return _phlox.sort(x, axis, descending, stable)[0]


def argsort(x: Tensor, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Tensor:
    """The places of the elements in order along an axis."""
    return _phlox.argsort(x, axis, descending, stable)


class UniqueAll(NamedTuple):
    """What `unique_all` gives."""

    values: Tensor
    indices: Tensor
    inverse_indices: Tensor
    counts: Tensor


class UniqueCounts(NamedTuple):
    """What `unique_counts` gives."""

    values: Tensor
    counts: Tensor


class UniqueInverse(NamedTuple):
    """What `unique_inverse` gives."""

    values: Tensor
    inverse_indices: Tensor


def unique_all(x: Tensor, /) -> UniqueAll:
    """The different elements in order, where each is first, which one each element is, and how often each is there.

    Each NaN is different from all others. Complex numbers are ordered by their real part, then by the imaginary one.
    """
    flat = x.flatten()
    if flat.dtype.is_complex:
        order = _phlox.argsort(flat.imag, stable=True)
        order = order[_phlox.argsort(flat.real[order], stable=True)]
    else:
        order = _phlox.argsort(flat, stable=True)
    ordered = flat[order]
    first = _phlox.ones_like(ordered, dtype=_phlox.dtypes["bool"])
    first[1:] = ordered[1:] != ordered[:-1]
    starts = first.nonzero().flatten()
    ends = _phlox.cat([starts[1:], _phlox.full((starts.numel() > 0,), flat.numel(), dtype=starts.dtype)])
    inverse = _phlox.empty_like(order)
    inverse[order] = _phlox.cumsum(first, 0) - 1
    return UniqueAll(ordered[starts], order[starts], inverse.reshape(x.shape), ends - starts)


def unique_values(x: Tensor, /) -> Tensor:
    """The different elements. Each NaN is different from all others."""
    return unique_all(x).values if x.dtype.is_complex else _phlox.unique(x)


def unique_counts(x: Tensor, /) -> UniqueCounts:
    """The different elements, and how often each is there."""
    found = unique_all(x)
    return UniqueCounts(found.values, found.counts)


def unique_inverse(x: Tensor, /) -> UniqueInverse:
    """The different elements, and which one each element is."""
    found = unique_all(x)
    return UniqueInverse(found.values, found.inverse_indices)
