"""The standard's functions that change shapes, join arrays and choose elements."""

from __future__ import annotations

from .. import _phlox
from .._failure import fail
from .._phlox import Tensor

Axes = int | tuple[int, ...]


def _all_of(x: Tensor) -> tuple[int, ...]:
    return tuple(range(x.ndim))


def _tuple(axes: Axes) -> tuple[int, ...]:
    return (axes,) if isinstance(axes, int) else tuple(axes)


def broadcast_arrays(*arrays: Tensor) -> list[Tensor]:
    """The arrays in the one shape that they broadcast to."""
    return list(_phlox.broadcast_tensors(list(arrays))) if arrays else []


def broadcast_to(x: Tensor, /, shape: tuple[int, ...]) -> Tensor:
    """The array in a larger shape."""
    return _phlox.broadcast_to(x, shape)


def concat(arrays: tuple[Tensor, ...] | list[Tensor], /, *, axis: int | None = 0) -> Tensor:
    """The arrays one after the other along `axis`; flattened ones if it is None."""
    if axis is None:
        return _phlox.cat([a.flatten() for a in arrays])
    return _phlox.cat(list(arrays), axis)


def stack(arrays: tuple[Tensor, ...] | list[Tensor], /, *, axis: int = 0) -> Tensor:
    """The arrays side by side along a new axis."""
    return _phlox.stack(list(arrays), axis)


def unstack(x: Tensor, /, *, axis: int = 0) -> tuple[Tensor, ...]:
    """The slices along an axis."""
    return tuple(_phlox.unbind(x, axis))


def expand_dims(x: Tensor, /, axis: int = 0) -> Tensor:
    """The array with a new axis of size 1."""
    if not -x.ndim - 1 <= axis <= x.ndim:
        fail(
            "IndexError", "index_out_of_range", f"expand_dims: there is no axis {axis}", f"0 to {x.ndim}", x=x
        )
    return _phlox.unsqueeze(x, axis)


def squeeze(x: Tensor, /, axis: Axes) -> Tensor:
    """The array without the axes, which must be of size 1."""
    axes = _tuple(axis)
    for one in axes:
        if x.shape[one] != 1:
            fail(
                "ShapeError",
                "invalid_value",
                f"squeeze: axis {one} has {x.shape[one]} elements, not 1",
                "px.squeeze leaves such an axis as it is",
                x=x,
            )
    return _phlox.squeeze(x, axes)


def flip(x: Tensor, /, *, axis: Axes | None = None) -> Tensor:
    """The array with the order along axes, all by default, reversed."""
    return _phlox.flip(x, _all_of(x) if axis is None else _tuple(axis))


def moveaxis(x: Tensor, source: Axes, destination: Axes, /) -> Tensor:
    """The array with axes in other places."""
    return _phlox.movedim(x, _tuple(source), _tuple(destination))


def permute_dims(x: Tensor, /, axes: tuple[int, ...]) -> Tensor:
    """The array with its axes in another order."""
    return _phlox.permute(x, axes)


def repeat(x: Tensor, repeats: int | Tensor, /, *, axis: int | None = None) -> Tensor:
    """Each element several times; of the flattened array without an axis."""
    return _phlox.repeat_interleave(x, repeats, axis)


def reshape(x: Tensor, /, shape: tuple[int, ...], *, copy: bool | None = None) -> Tensor:
    """The elements in another shape. A copy if `copy` says so, an error where False would need one."""
    if copy:
        return _phlox.reshape(x.clone(), shape)
    return x.view(shape) if copy is False else _phlox.reshape(x, shape)


def roll(x: Tensor, /, shift: Axes, *, axis: Axes | None = None) -> Tensor:
    """The elements moved along axes; those that leave come in at the other end."""
    if axis is None:
        return _phlox.roll(x, shift)
    axes, shifts = _tuple(axis), _tuple(shift)
    return _phlox.roll(x, shifts * len(axes) if len(shifts) == 1 else shifts, axes)


def tile(x: Tensor, repetitions: tuple[int, ...], /) -> Tensor:
    """The array several times along each axis."""
    return _phlox.tile(x, repetitions)


def take(x: Tensor, indices: Tensor, /, *, axis: int | None = None) -> Tensor:
    """The slices of these numbers along an axis, which only a vector may leave out."""
    if axis is None and x.ndim != 1:
        fail(
            "ShapeError",
            "invalid_value",
            "take: an axis is needed for more than one dimension",
            "axis=0",
            x=x,
        )
    axis = 0 if axis is None else axis
    return x[(slice(None),) * (axis % x.ndim) + (indices,)]


def take_along_axis(x: Tensor, indices: Tensor, /, *, axis: int = -1) -> Tensor:
    """The elements at these places along an axis, one for each element of `indices`."""
    return _phlox.take_along_dim(x, _phlox.where(indices < 0, indices + x.shape[axis], indices), axis)
