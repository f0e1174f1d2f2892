"""How far or how alike two batches of vectors are."""

from __future__ import annotations

from .. import _phlox
from .._phlox import Module, Tensor


class PairwiseDistance(Module):
    """`functional.pairwise_distance()` as a layer: the `p`-norm of x1 - x2 + eps along the last dimension.

    Example:
        nn.PairwiseDistance()(px.zeros(2, 3), px.ones(2, 3))  # [2], each the root of 3
    """

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        super().__init__()
        self.norm, self.eps, self.keepdim = p, eps, keepdim

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        """[..., width] and [..., width] as [...], or [..., 1] with `keepdim`."""
        return _phlox.pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)

    def extra_repr(self) -> str:
        """The settings that the layer shows."""
        return f"p={self.norm}"


class CosineSimilarity(Module):
    """`functional.cosine_similarity()` as a layer: the cosine of the angle between vectors along `dim`.

    Example:
        nn.CosineSimilarity()(px.ones(2, 3), px.ones(2, 3))  # [2], each 1
    """

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        super().__init__()
        self.dim, self.eps = dim, eps

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        """The similarities; both inputs broadcast, and `dim` disappears."""
        return _phlox.cosine_similarity(x1, x2, self.dim, self.eps)

    def extra_repr(self) -> str:
        """The settings that the layer shows."""
        return f"dim={self.dim}"
