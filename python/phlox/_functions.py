"""Functions that take something else than tensors and numbers, and so are no operations of the registry."""

from __future__ import annotations

import mmap as _mmap
from collections.abc import Sequence
from typing import Any

from . import _phlox
from ._failure import fail
from ._phlox import Size, Tensor
from ._structures import flatten, unflatten

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._phlox import dtype as _dtype

_KINDS = {
    "bool": lambda d: d.name == "bool",
    "signed integer": lambda d: d.name.startswith("int"),
    "unsigned integer": lambda d: d.name.startswith("uint"),
    "integral": lambda d: "int" in d.name,
    "real floating": lambda d: d.is_floating_point,
    "complex floating": lambda d: d.is_complex,
    "numeric": lambda d: d.name != "bool",
}


def isdtype(dtype: _dtype, kind: str | _dtype | tuple[str | _dtype, ...]) -> bool:
    """Whether a dtype is of a kind: "bool", "signed integer", "unsigned integer", "integral", "real floating",
    "complex floating" or "numeric", another dtype, or one of a tuple of these. Source: Array API standard 2024.12.

    >>> import phlox as px
    >>> px.isdtype(px.int8, "integral"), px.isdtype(px.float32, (px.float64, "bool"))
    (True, False)

    Raises ValueError (E0102) for a kind that does not exist.
    """
    if isinstance(kind, tuple):
        return any(isdtype(dtype, k) for k in kind)
    if not isinstance(kind, str):
        return dtype == kind
    if kind not in _KINDS:
        fail("ValueError", "unknown_name", f"isdtype: kind is {kind!r}", hint=", ".join(_KINDS))
    return _KINDS[kind](dtype)


def broadcast_shapes(*shapes: int | Sequence[int]) -> Size:
    """The shape that tensors of these shapes broadcast to.

    >>> import phlox as px
    >>> px.broadcast_shapes((3, 1), (4,), 1)
    (3, 4)

    Raises ShapeError where they do not fit.
    """
    sizes = [(s,) if isinstance(s, int) else tuple(s) for s in shapes]
    rank = max((len(s) for s in sizes), default=0)
    result = [1] * rank
    for shape in sizes:
        for d, size in enumerate(shape, rank - len(shape)):
            if size < 0:
                fail("ShapeError", "invalid_value", f"broadcast_shapes: {list(shape)} has a negative size")
            if size != 1 and result[d] not in (1, size):
                fail(
                    "ShapeError",
                    "shapes_do_not_broadcast",
                    f"broadcast_shapes: {', '.join(str(list(s)) for s in sizes)} do not broadcast",
                    hint="sizes must be equal, or 1, counted from the last dimension",
                )
            if size != 1:
                result[d] = size
    return Size(result)


def frombuffer(
    buffer: Any, *, dtype: _dtype, count: int = -1, offset: int = 0, requires_grad: bool = False
) -> Tensor:
    """A vector on the memory of `buffer`, an object such as bytearray: `count` elements, or all, from byte `offset` on.

    Writing into one changes the other. A buffer that may only be read, such as bytes, is copied.

    >>> import phlox as px
    >>> px.frombuffer(bytearray(b"\\x01\\x00\\x02\\x00"), dtype=px.int16)
    tensor([1, 2], dtype=int16)

    Raises ValueError where the elements do not fill the bytes.
    """
    view = memoryview(buffer).cast("B")
    size = dtype.itemsize
    if offset < 0 or offset > len(view) or count < -1:
        fail(
            "ValueError",
            "invalid_value",
            f"frombuffer: offset {offset} and count {count} for {len(view)} bytes",
        )
    rest = len(view) - offset
    if count == -1 and rest % size:
        fail(
            "ValueError",
            "invalid_value",
            f"frombuffer: {rest} bytes are no whole number of {dtype.name}, of {size} bytes",
        )
    count = rest // size if count == -1 else count
    if count * size > rest:
        fail(
            "ValueError",
            "invalid_value",
            f"frombuffer: {count} {dtype.name} need {count * size} bytes, not {rest}",
        )
    data = view[offset : offset + count * size]
    if data.readonly or not count or offset % size:
        tensor = _phlox._from_bytes(bytes(data), dtype, (count,))
    else:
        import numpy as np

        same_size = {1: np.uint8, 2: np.int16, 4: np.int32, 8: np.int64}
        whole = np.frombuffer(data, dtype=dtype.name if hasattr(np, dtype.name) else same_size[size])
        tensor = _phlox.from_numpy(whole)
        if tensor.dtype != dtype:
            tensor = tensor.view(dtype)
    return tensor.requires_grad_() if requires_grad else tensor


def from_file(
    filename: str, shared: bool = False, size: int | None = 0, *, dtype: _dtype | None = None
) -> Tensor:
    """A vector of `size` elements on the bytes of a file, which are read when they are used.

    With `shared`, what is written into the tensor is written into the file, which is made as long as that needs; else
    the file stays as it is. Raises FileError where it cannot be opened, ValueError where it is too short.
    """
    kind = dtype or _phlox.get_default_dtype()
    count = size or 0
    length = count * kind.itemsize
    if count < 0:
        fail("ValueError", "invalid_value", f"from_file: size is {count}")
    try:
        with open(filename, "r+b" if shared else "rb") as file:
            have = file.seek(0, 2)
            if have < length and shared:
                file.truncate(length)
            elif have < length:
                fail(
                    "ValueError",
                    "invalid_value",
                    f"from_file: {count} {kind.name} need {length} bytes, {filename} has {have}",
                )
            if not length:
                return _phlox.zeros((0,), dtype=kind)
            access = _mmap.ACCESS_WRITE if shared else _mmap.ACCESS_COPY
            memory = _mmap.mmap(file.fileno(), length, access=access)
    except OSError as error:
        fail("FileError", "file_not_found", f"from_file: {error}")
    return frombuffer(memory, dtype=kind)


def getitem(input: Tensor, indices: Any) -> Tensor:
    """`input[indices]`, as a function."""
    return input[indices]


def setitem(input: Tensor, indices: Any, value: Any) -> Tensor:
    """A new tensor: `input` with `value` at `input[indices]`. Gradients flow to both.

    >>> import phlox as px
    >>> px.setitem(px.zeros(3), 1, 5.0)
    tensor([0., 5., 0.])
    """
    result = input.clone()
    result[indices] = value
    return result


def histogramdd(
    input: Tensor,
    bins: int | Sequence[int] | Sequence[Tensor],
    *,
    range: Sequence[float] | None = None,  # noqa: A002
    weight: Tensor | None = None,
    density: bool = False,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """How many points, the last dimension of `input`, fall into each cell of a grid: the counts, and the edges along each
    dimension.

    `bins` is the number of intervals, for all dimensions or each, or the edges of each; `range` the two ends of each
    dimension, one after the other. Points may have weights; with `density` the integral is 1.
    """
    if not isinstance(bins, int) and any(isinstance(b, Tensor) for b in bins):
        edges_of_each = [b for b in bins if isinstance(b, Tensor)]
        counts, *edges = _phlox.histogramdd_at(input, edges_of_each, weight=weight, density=density)
    else:
        numbers = [bins] * input.shape[-1] if isinstance(bins, int) else list(bins)
        counts, *edges = _phlox.histogramdd_grid(input, numbers, range=range, weight=weight, density=density)
    return counts, tuple(edges)


def stop_gradient(value: Any) -> Any:
    """The tensor, or each of a structure, cut off from gradients: `detach()` under the name that JAX and TensorFlow use."""
    tensors: list[Tensor] = []
    structure = flatten(value, tensors)
    return unflatten(structure, [t.detach() for t in tensors])
