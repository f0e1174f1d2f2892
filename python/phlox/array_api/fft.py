"""The standard's Fourier transforms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .._phlox import Tensor, device, dtype


def _operations() -> Any:
    from .. import fft

    return fft


def _one_axis(name: str, summary: str) -> Callable[..., Tensor]:
    def transform(x: Tensor, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> Tensor:
        return getattr(_operations(), name)(x, n, axis, norm)

    return _named(transform, name, summary)


def _many_axes(name: str, summary: str) -> Callable[..., Tensor]:
    def transform(
        x: Tensor,
        /,
        *,
        s: Sequence[int] | None = None,
        axes: Sequence[int] | None = None,
        norm: str = "backward",
    ) -> Tensor:
        return getattr(_operations(), name)(x, s, axes, norm)

    return _named(transform, name, summary)


def _named(function: Callable[..., Tensor], name: str, summary: str) -> Callable[..., Tensor]:
    function.__name__ = function.__qualname__ = name
    function.__doc__ = summary
    return function


fft = _one_axis("fft", "The discrete Fourier transform along an axis.")
ifft = _one_axis("ifft", "The inverse of `fft`.")
rfft = _one_axis("rfft", "The transform of real numbers: its half that is not the mirror of the other.")
irfft = _one_axis("irfft", "The inverse of `rfft`.")
hfft = _one_axis("hfft", "The real transform of one half of a Hermitian signal.")
ihfft = _one_axis("ihfft", "The inverse of `hfft`.")
fftn = _many_axes("fftn", "The discrete Fourier transform along several axes.")
ifftn = _many_axes("ifftn", "The inverse of `fftn`.")
rfftn = _many_axes("rfftn", "The transform of real numbers along several axes.")
irfftn = _many_axes("irfftn", "The inverse of `rfftn`.")


def fftfreq(n: int, /, *, d: float = 1.0, dtype: dtype | None = None, device: device | None = None) -> Tensor:
    """The frequencies of the results of `fft`, in cycles per unit of the spacing `d`."""
    return _operations().fftfreq(n, d, dtype=dtype, device=device)


def rfftfreq(
    n: int, /, *, d: float = 1.0, dtype: dtype | None = None, device: device | None = None
) -> Tensor:
    """The frequencies of the results of `rfft`, in cycles per unit of the spacing `d`."""
    return _operations().rfftfreq(n, d, dtype=dtype, device=device)


def fftshift(x: Tensor, /, *, axes: int | Sequence[int] | None = None) -> Tensor:
    """Frequencies in rising order, zero in the middle."""
    return _operations().fftshift(x, axes)


def ifftshift(x: Tensor, /, *, axes: int | Sequence[int] | None = None) -> Tensor:
    """The inverse of `fftshift`."""
    return _operations().ifftshift(x, axes)
