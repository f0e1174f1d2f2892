"""The standard's dtypes: what there are, what promotes to what, and the limits of each."""

from __future__ import annotations

import dataclasses
from typing import Any

from .. import _numbers, _phlox
from .._phlox import Tensor, device, dtype

_KINDS = {
    "bool": ("bool",),
    "signed integer": ("int8", "int16", "int32", "int64"),
    "unsigned integer": ("uint8", "uint16", "uint32", "uint64"),
    "real floating": ("float32", "float64"),
    "complex floating": ("complex64", "complex128"),
}
_KINDS["integral"] = _KINDS["signed integer"] + _KINDS["unsigned integer"]
_KINDS["numeric"] = _KINDS["integral"] + _KINDS["real floating"] + _KINDS["complex floating"]

STANDARD_DTYPES = {name: _phlox.dtypes[name] for name in _KINDS["bool"] + _KINDS["numeric"]}


def astype(x: Tensor, dtype: dtype, /, *, copy: bool = True, device: device | None = None) -> Tensor:
    """The array in another dtype; a new one even if that is its dtype, unless `copy` is false."""
    made = x.to(dtype) if device is None else x.to(device, dtype)
    return made.clone() if copy and made is x else made


def _dtype_of(value: dtype | Tensor) -> dtype:
    return value.dtype if isinstance(value, Tensor) else value


def can_cast(from_: dtype | Tensor, to: dtype, /) -> bool:
    """Whether promotion leads from one dtype to the other. Arrays count as their dtype."""
    return _phlox.promote_types(_dtype_of(from_), to) == to


def isdtype(dtype: dtype, kind: dtype | str | tuple[dtype | str, ...]) -> bool:
    """Whether a dtype is of a kind, such as "real floating", or is one of several."""
    if isinstance(kind, tuple):
        return any(isdtype(dtype, k) for k in kind)
    if isinstance(kind, str):
        if kind not in _KINDS:
            raise ValueError(f"isdtype: {kind!r} is no kind of dtypes; there are {', '.join(_KINDS)}")
        return dtype.name in _KINDS[kind]
    return dtype == kind


def result_type(*arrays_and_dtypes: Any) -> dtype:
    """The dtype of a result of these arrays, dtypes and numbers, of which numbers are weak."""
    from .. import result_type as of_all

    return of_all(*arrays_and_dtypes)


@dataclasses.dataclass(frozen=True)
class FloatingLimits:
    """What `finfo` gives."""

    bits: int
    eps: float
    max: float
    min: float
    smallest_normal: float
    dtype: dtype


@dataclasses.dataclass(frozen=True)
class IntegerLimits:
    """What `iinfo` gives."""

    bits: int
    max: int
    min: int
    dtype: dtype


def finfo(type: dtype | Tensor, /) -> FloatingLimits:
    """The limits of a floating dtype; of a complex one those of its parts."""
    found = _numbers.finfo(_dtype_of(type))
    kind = _phlox.dtypes[found.dtype]
    return FloatingLimits(found.bits, found.eps, found.max, found.min, found.smallest_normal, kind)


def iinfo(type: dtype | Tensor, /) -> IntegerLimits:
    """The limits of an integer dtype."""
    found = _numbers.iinfo(_dtype_of(type))
    return IntegerLimits(found.bits, found.max, found.min, _phlox.dtypes[found.dtype])


class NamespaceInfo:
    """What `__array_namespace_info__` gives: devices and dtypes."""

    def capabilities(self) -> dict[str, bool | int | None]:
        """Boolean masks as indices, shapes that depend on values, and how many dimensions there may be."""
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 64}

    def default_device(self) -> device:
        """Where arrays are made when nothing is said."""
        return _phlox.zeros(0).device

    def devices(self) -> list[device]:
        """Where arrays can be."""
        return [self.default_device()]

    def default_dtypes(self, *, device: device | None = None) -> dict[str, dtype]:
        """The dtype of each kind that functions choose when nothing is said."""
        real = _phlox.get_default_dtype()
        return {
            "real floating": real,
            "complex floating": _phlox.promote_types(real, _phlox.dtypes["complex64"]),
            "integral": _phlox.dtypes["int64"],
            "indexing": _phlox.dtypes["int64"],
        }

    def dtypes(
        self, *, device: device | None = None, kind: str | tuple[str, ...] | None = None
    ) -> dict[str, dtype]:
        """The standard's dtypes, or those of a kind or of several."""
        return {n: d for n, d in STANDARD_DTYPES.items() if kind is None or isdtype(d, kind)}


def __array_namespace_info__() -> NamespaceInfo:  # noqa: N807
    """What can be asked about devices and dtypes."""
    return NamespaceInfo()
