"""Layers that make images larger or smaller without parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import _phlox
from .._phlox import Module, Tensor


class Upsample(Module):
    """`functional.interpolate()` as a layer: to `size`, or by `scale_factor`.

    Example:
        nn.Upsample(scale_factor=2, mode="bilinear")(px.ones(1, 3, 8, 8))  # [1, 3, 16, 16]
    """

    def __init__(
        self,
        size: int | Sequence[int] | None = None,
        scale_factor: float | Sequence[float] | None = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
    ) -> None:
        super().__init__()
        self.size: Any = size
        self.scale_factor: Any = scale_factor
        self.mode, self.align_corners = mode, align_corners

    def forward(self, input: Tensor) -> Tensor:
        """The image of the size asked for."""
        return _phlox.interpolate(
            input,
            size=self.size,
            scale_factor=self.scale_factor,
            mode=self.mode,
            align_corners=self.align_corners,
        )

    def extra_repr(self) -> str:
        """The settings that the layer shows."""
        wanted = f"size={self.size}" if self.size is not None else f"scale_factor={self.scale_factor}"
        return f"{wanted}, mode={self.mode!r}"


class PixelShuffle(Module):
    """`functional.pixel_shuffle()` as a layer: channels become positions.

    Example:
        nn.PixelShuffle(2)(px.ones(1, 12, 8, 8))  # [1, 3, 16, 16]
    """

    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        self.upscale_factor = upscale_factor

    def forward(self, input: Tensor) -> Tensor:
        """[..., channels * r * r, height, width] as [..., channels, height * r, width * r]."""
        return _phlox.pixel_shuffle(input, self.upscale_factor)

    def extra_repr(self) -> str:
        """The settings that the layer shows."""
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(Module):
    """`functional.pixel_unshuffle()` as a layer: positions become channels.

    Example:
        nn.PixelUnshuffle(2)(px.ones(1, 3, 16, 16))  # [1, 12, 8, 8]
    """

    def __init__(self, downscale_factor: int) -> None:
        super().__init__()
        self.downscale_factor = downscale_factor

    def forward(self, input: Tensor) -> Tensor:
        """[..., channels, height * r, width * r] as [..., channels * r * r, height, width]."""
        return _phlox.pixel_unshuffle(input, self.downscale_factor)

    def extra_repr(self) -> str:
        """The settings that the layer shows."""
        return f"downscale_factor={self.downscale_factor}"
