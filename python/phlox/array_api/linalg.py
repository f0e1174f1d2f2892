"""The standard's linear algebra."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import _phlox
from .._failure import fail
from .._phlox import Tensor, dtype
from ._statistics import sum


def _operations() -> Any:
    from .. import linalg

    return linalg


def matmul(x1: Tensor, x2: Tensor, /) -> Tensor:
    """The product of matrices, or of stacks of them."""
    return _phlox.matmul(x1, x2)


def matrix_transpose(x: Tensor, /) -> Tensor:
    """The array with its last two axes exchanged."""
    return _phlox.matrix_transpose(x)


def tensordot(x1: Tensor, x2: Tensor, /, *, axes: int | tuple[Sequence[int], Sequence[int]] = 2) -> Tensor:
    """The sum of products over some axes of each."""
    if isinstance(axes, int):
        return _phlox.tensordot(x1, x2, axes)
    return _phlox.tensordot(x1, x2, list(axes[0]), list(axes[1]))


def vecdot(x1: Tensor, x2: Tensor, /, *, axis: int = -1) -> Tensor:
    """The sum of products along an axis, the first array conjugated."""
    if x1.ndim and x2.ndim and x1.shape[axis] != x2.shape[axis]:
        fail(
            "ShapeError",
            "sizes_differ",
            f"vecdot: axis {axis} has {x1.shape[axis]} and {x2.shape[axis]} elements",
            x1=x1,
            x2=x2,
        )
    return _phlox.vecdot(x1, x2, axis).to(_phlox.promote_types(x1.dtype, x2.dtype))


def outer(x1: Tensor, x2: Tensor, /) -> Tensor:
    """All products of the elements of two vectors."""
    return _phlox.outer(x1, x2)


def trace(x: Tensor, /, *, offset: int = 0, dtype: dtype | None = None) -> Tensor:
    """The sum along a diagonal of matrices."""
    return sum(diagonal(x, offset=offset), axis=-1, dtype=dtype)


def diagonal(x: Tensor, /, *, offset: int = 0) -> Tensor:
    """A diagonal of matrices."""
    return _phlox.diagonal(x, offset, -2, -1)


def cross(x1: Tensor, x2: Tensor, /, *, axis: int = -1) -> Tensor:
    """The cross product of vectors of three elements along an axis."""
    return _operations().cross(x1, x2, dim=axis)


def cholesky(x: Tensor, /, *, upper: bool = False) -> Tensor:
    """The triangular factor of positive definite matrices."""
    return _operations().cholesky(x, upper=upper)


def det(x: Tensor, /) -> Tensor:
    """The determinants of matrices."""
    return _operations().det(x)


def eigh(x: Tensor, /) -> Any:
    """The eigenvalues and eigenvectors of symmetric or Hermitian matrices: `eigenvalues, eigenvectors`."""
    return _operations().eigh(x)


def eigvalsh(x: Tensor, /) -> Tensor:
    """The eigenvalues of symmetric or Hermitian matrices."""
    return _operations().eigvalsh(x)


def inv(x: Tensor, /) -> Tensor:
    """The inverses of matrices."""
    return _operations().inv(x)


def matrix_norm(x: Tensor, /, *, keepdims: bool = False, ord: int | float | str | None = "fro") -> Tensor:
    """A norm of matrices."""
    return _operations().matrix_norm(x, "fro" if ord is None else ord, keepdim=keepdims)


def matrix_power(x: Tensor, n: int, /) -> Tensor:
    """The product of `n` equal matrices; of their inverses if negative."""
    return _operations().matrix_power(x, n)


def _relative(x: Tensor, rtol: float | Tensor | None) -> float | Tensor | None:
    """The standard's default: the machine epsilon times the larger size of the matrices."""
    from ._dtypes import finfo

    return max(x.shape[-2:]) * finfo(x.dtype).eps if rtol is None else rtol


def matrix_rank(x: Tensor, /, *, rtol: float | Tensor | None = None) -> Tensor:
    """The number of singular values that are larger than `rtol` times the largest."""
    return _operations().matrix_rank(x, rtol=_relative(x, rtol))


def pinv(x: Tensor, /, *, rtol: float | Tensor | None = None) -> Tensor:
    """The pseudo-inverses of matrices."""
    return _operations().pinv(x, rtol=_relative(x, rtol))


def qr(x: Tensor, /, *, mode: str = "reduced") -> Any:
    """An orthogonal and a triangular factor: `Q, R`."""
    return _operations().qr(x, mode)


def slogdet(x: Tensor, /) -> Any:
    """The sign of determinants and the logarithm of their absolute values: `sign, logabsdet`."""
    return _operations().slogdet(x)


def solve(x1: Tensor, x2: Tensor, /) -> Tensor:
    """The solutions of linear equations. `x2` is one vector if it has one dimension, else a stack of matrices."""
    if x2.ndim == 1:
        return _operations().solve(x1, x2[:, None])[..., 0]
    return _operations().solve(*(_stacked(x1, x2)))


def _stacked(x1: Tensor, x2: Tensor) -> tuple[Tensor, Tensor]:
    """Both with the same stack in front, so that `x2` cannot be taken for a stack of vectors."""
    ndim = max(x1.ndim, x2.ndim)
    first, second = (x.reshape((1,) * (ndim - x.ndim) + tuple(x.shape)) for x in (x1, x2))
    return first, second


def svd(x: Tensor, /, *, full_matrices: bool = True) -> Any:
    """The singular value decomposition: `U, S, Vh`."""
    return _operations().svd(x, full_matrices)


def svdvals(x: Tensor, /) -> Tensor:
    """The singular values of matrices."""
    return _operations().svdvals(x)


def vector_norm(
    x: Tensor,
    /,
    *,
    axis: int | tuple[int, ...] | None = None,
    keepdims: bool = False,
    ord: int | float = 2,
) -> Tensor:
    """A norm of vectors along axes, or of all elements."""
    return _operations().vector_norm(x, ord, axis, keepdims)
