"""The limits of number types: `px.finfo(px.float32).eps`, `px.iinfo(px.int8).max`."""

from __future__ import annotations

from ._phlox import dtypes, get_default_dtype

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._phlox import dtype as _dtype

# Bits of the significand after the point, and the largest exponent.
_FLOATING = {
    "float16": (10, 15),
    "bfloat16": (7, 127),
    "float32": (23, 127),
    "float64": (52, 1023),
}


class finfo:  # noqa: N801
    """The limits of a floating dtype: `bits`, `eps`, `max`, `min`, `tiny`, `smallest_normal`, `resolution`.

    Without a dtype, those of the default one. Raises TypeError for a dtype that is not floating.

    Example:
        px.finfo(px.float32).eps  # 1.1920928955078125e-07
    """

    dtype: str
    bits: int
    eps: float
    max: float
    min: float
    tiny: float
    smallest_normal: float
    resolution: float

    def __init__(self, dtype: _dtype | None = None) -> None:
        dtype = dtype or get_default_dtype()
        name = {"complex64": "float32", "complex128": "float64"}.get(dtype.name, dtype.name)
        if name not in _FLOATING:
            raise TypeError(f"finfo: {dtype.name} is not a floating dtype")
        digits, exponent = _FLOATING[name]
        self.dtype = name
        self.bits = dtypes[name].itemsize * 8
        self.eps = 2.0**-digits
        self.max = (2.0 - self.eps) * 2.0**exponent
        self.min = -self.max
        self.tiny = self.smallest_normal = 2.0 ** (1 - exponent)
        self.resolution = 10.0 ** -int(digits * 0.30103)

    def __repr__(self) -> str:
        return f"finfo(dtype={self.dtype}, eps={self.eps:g}, max={self.max:g}, tiny={self.tiny:g})"


class iinfo:  # noqa: N801
    """The limits of an integer dtype: `bits`, `max`, `min`.

    Raises TypeError for a dtype that is not an integer.

    Example:
        px.iinfo(px.int8).max  # 127
    """

    dtype: str
    bits: int
    max: int
    min: int

    def __init__(self, dtype: _dtype) -> None:
        if "int" not in dtype.name:
            raise TypeError(f"iinfo: {dtype.name} is not an integer dtype")
        self.dtype = dtype.name
        self.bits = dtype.itemsize * 8
        signed = dtype.is_signed
        self.max = 2 ** (self.bits - signed) - 1
        self.min = -(2 ** (self.bits - 1)) if signed else 0

    def __repr__(self) -> str:
        return f"iinfo(dtype={self.dtype}, min={self.min}, max={self.max})"
