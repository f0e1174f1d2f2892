"""einops on tensors: `from phlox.einops import rearrange, reduce, repeat, einsum, pack, unpack`.

Importing this registers Phlox with the einops package, so `einops.rearrange` takes tensors from then on, too.
"""

from __future__ import annotations

from typing import Any

from einops import einsum, pack, parse_shape, rearrange, reduce, repeat, unpack
from einops._backends import AbstractBackend

from . import _phlox
from ._phlox import Tensor

__all__ = ["einsum", "pack", "parse_shape", "rearrange", "reduce", "repeat", "unpack"]


class PhloxBackend(AbstractBackend):
    """What einops asks of a library. It finds this class by its base class."""

    framework_name = "phlox"

    def is_appropriate_type(self, tensor: object) -> bool:
        return isinstance(tensor, Tensor)

    def from_numpy(self, x: Any) -> Tensor:
        return _phlox.from_numpy(x)

    def to_numpy(self, x: Tensor) -> Any:
        return x.detach().numpy()

    def arange(self, start: int, stop: int) -> Tensor:
        return _phlox.arange(start, stop)

    def transpose(self, x: Tensor, axes: Any) -> Tensor:
        return x.permute(axes)

    def reduce(self, x: Tensor, operation: str, axes: Any) -> Tensor:
        name = {"min": "amin", "max": "amax"}.get(operation, operation)
        return getattr(_phlox, name)(x, tuple(axes))

    def stack_on_zeroth_dimension(self, tensors: list[Tensor]) -> Tensor:
        return _phlox.stack(tensors)

    def add_axis(self, x: Tensor, new_position: int) -> Tensor:
        return x.unsqueeze(new_position)

    def add_axes(self, x: Tensor, n_axes: int, pos2len: dict[int, int]) -> Tensor:
        sizes = [-1] * n_axes
        for position, length in pos2len.items():
            x = x.unsqueeze(position)
            sizes[position] = length
        return x.expand(sizes)

    def tile(self, x: Tensor, repeats: Any) -> Tensor:
        return x.tile(repeats)

    def concat(self, tensors: list[Tensor], axis: int) -> Tensor:
        return _phlox.cat(tensors, axis)

    def is_float_type(self, x: Tensor) -> bool:
        return x.dtype.is_floating_point

    def einsum(self, pattern: str, *x: Tensor) -> Tensor:
        return _phlox.einsum(pattern, list(x))
