"""The standard's functions that make arrays."""

from __future__ import annotations

from typing import Any

from .. import _phlox
from .._failure import fail
from .._phlox import Tensor, device, dtype

Sizes = int | tuple[int, ...]


def _shape(shape: Sizes) -> tuple[int, ...]:
    return (shape,) if isinstance(shape, int) else tuple(shape)


def asarray(
    obj: Any, /, *, dtype: dtype | None = None, device: device | None = None, copy: bool | None = None
) -> Tensor:
    """An array of a number, nested sequences of numbers, or another array; of that one's memory where `copy` allows.

    `copy=False` raises ValueError where the memory cannot be shared.
    """
    if copy and not isinstance(obj, Tensor):
        return _phlox.tensor(obj, dtype=dtype, device=device)
    made = _phlox.as_tensor(obj, dtype=dtype, device=device)
    if copy:
        return made.clone() if made is obj else made
    shares = made is obj or (hasattr(obj, "dtype") and dtype in (None, _phlox.as_tensor(obj).dtype))
    if copy is False and not shares:
        fail("ValueError", "invalid_value", "asarray: this cannot be shared, only copied", "copy=None")
    return made


def from_dlpack(x: Any, /, *, device: device | None = None, copy: bool | None = None) -> Tensor:
    """The array of another library that speaks DLPack; its memory, unless a copy is asked for."""
    made = _phlox.from_dlpack(x)
    if device is not None:
        made = made.to(device)
    return made.clone() if copy else made


def arange(
    start: int | float,
    /,
    stop: int | float | None = None,
    step: int | float = 1,
    *,
    dtype: dtype | None = None,
    device: device | None = None,
) -> Tensor:
    """Evenly spaced numbers from `start`, 0 if only one number is given, up to but without `stop`."""
    if stop is None:
        start, stop = 0, start
    if (stop - start) * step <= 0:
        if dtype is None and any(isinstance(v, float) for v in (start, stop, step)):
            dtype = _phlox.get_default_dtype()
        return _phlox.empty((0,), dtype=dtype or _phlox.dtypes["int64"], device=device)
    return _phlox.arange(start, stop, step, dtype=dtype, device=device)


def linspace(
    start: int | float | complex,
    stop: int | float | complex,
    /,
    num: int,
    *,
    dtype: dtype | None = None,
    device: device | None = None,
    endpoint: bool = True,
) -> Tensor:
    """`num` evenly spaced numbers from `start` to `stop`, which is left out without `endpoint`."""
    steps = num if endpoint else num + 1
    if isinstance(start, complex) or isinstance(stop, complex) or (dtype is not None and dtype.is_complex):
        start, stop = complex(start), complex(stop)
        parts = [
            linspace(a, b, num, device=device, endpoint=endpoint, dtype=_phlox.dtypes["float64"])
            for a, b in ((start.real, stop.real), (start.imag, stop.imag))
        ]
        wanted = dtype or _phlox.promote_types(_phlox.get_default_dtype(), _phlox.dtypes["complex64"])
        return _phlox.complex(*parts).to(wanted)
    return _phlox.linspace(start, stop, steps, dtype=dtype, device=device)[:num]


def eye(
    n_rows: int,
    n_cols: int | None = None,
    /,
    *,
    k: int = 0,
    dtype: dtype | None = None,
    device: device | None = None,
) -> Tensor:
    """Zeros with ones on the diagonal `k`, above the main one if positive."""
    columns = n_rows if n_cols is None else n_cols
    made = _phlox.zeros((n_rows, columns), dtype=dtype, device=device)
    if -n_rows < k < columns:
        made.diagonal(k).fill_(1)
    return made


def empty(shape: Sizes, *, dtype: dtype | None = None, device: device | None = None) -> Tensor:
    """An array whose elements are not set."""
    return _phlox.empty(_shape(shape), dtype=dtype, device=device)


def zeros(shape: Sizes, *, dtype: dtype | None = None, device: device | None = None) -> Tensor:
    """Zeros."""
    return _phlox.zeros(_shape(shape), dtype=dtype, device=device)


def ones(shape: Sizes, *, dtype: dtype | None = None, device: device | None = None) -> Tensor:
    """Ones."""
    return _phlox.ones(_shape(shape), dtype=dtype, device=device)


def full(
    shape: Sizes,
    fill_value: bool | int | float | complex,
    *,
    dtype: dtype | None = None,
    device: device | None = None,
) -> Tensor:
    """One number everywhere; without `dtype` the default one of its kind."""
    return _phlox.full(_shape(shape), fill_value, dtype=dtype, device=device)


def empty_like(x: Tensor, /, *, dtype: dtype | None = None, device: device | None = None) -> Tensor:
    """An array like `x` whose elements are not set."""
    return _phlox.empty_like(x, dtype=dtype, device=device)


def zeros_like(x: Tensor, /, *, dtype: dtype | None = None, device: device | None = None) -> Tensor:
    """Zeros in the shape of `x`."""
    return _phlox.zeros_like(x, dtype=dtype, device=device)


def ones_like(x: Tensor, /, *, dtype: dtype | None = None, device: device | None = None) -> Tensor:
    """Ones in the shape of `x`."""
    return _phlox.ones_like(x, dtype=dtype, device=device)


def full_like(
    x: Tensor,
    /,
    fill_value: bool | int | float | complex,
    *,
    dtype: dtype | None = None,
    device: device | None = None,
) -> Tensor:
    """One number everywhere, in the shape of `x`."""
    return _phlox.full_like(x, fill_value, dtype=dtype, device=device)


def meshgrid(*arrays: Tensor, indexing: str = "xy") -> list[Tensor]:
    """Coordinates of a grid. `xy`, the standard's default, lets the first array run along the second dimension."""
    return list(_phlox.meshgrid(list(arrays), indexing=indexing)) if arrays else []


def tril(x: Tensor, /, *, k: int = 0) -> Tensor:
    """The triangle on and below the diagonal `k`, zeros elsewhere."""
    return _phlox.tril(x, k)


def triu(x: Tensor, /, *, k: int = 0) -> Tensor:
    """The triangle on and above the diagonal `k`, zeros elsewhere."""
    return _phlox.triu(x, k)
