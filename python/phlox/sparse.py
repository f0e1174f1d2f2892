"""Sparse tensors: positions and values of the elements that are stored, as ordinary tensors; all others are 0.

    a = px.sparse_coo_tensor([[0, 1, 1], [2, 0, 2]], [3.0, 4.0, 5.0], (2, 3), requires_grad=True)
    (a @ px.ones(3, 4)).sum().backward()
    a.values().grad

`px.sparse.from_scipy` and `to_scipy` exchange matrices with SciPy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import _phlox
from ._failure import fail
from ._phlox import SparseTensor as SparseTensor
from ._phlox import Tensor, _sparse
from ._structures import register as _register

_register(SparseTensor, SparseTensor._parts, SparseTensor._from_parts)


def _rebuild(parts: tuple[Any, ...]) -> SparseTensor:
    """What copies and pickles are made with."""
    return SparseTensor._from_parts(parts)


_Size = Sequence[int] | None


def _positions(given: Any) -> Tensor:
    if isinstance(given, Tensor):
        return given
    tensor = _phlox.as_tensor(given)
    # A list without an element says nothing of its dtype.
    return tensor.to(_phlox.dtypes["int64"]) if tensor.numel() == 0 else tensor


def _values(given: Any, dtype: Any, device: Any, requires_grad: bool) -> Tensor:
    if isinstance(given, Tensor):
        given = given.to(device) if device is not None else given
        given = given.to(dtype) if dtype is not None else given
    else:
        given = _phlox.tensor(given, dtype=dtype, device=device)
    return given.detach().requires_grad_() if requires_grad else given


def sparse_coo_tensor(
    indices: Any,
    values: Any,
    size: _Size = None,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    is_coalesced: bool = False,
) -> SparseTensor:
    """A sparse tensor from coordinates: `indices` int64[sparse dimensions, stored], a column for each of the `values`
    [stored, dense dimensions]. Without `size` it is the smallest that holds them.

    Positions may repeat, and mean the sum then. `is_coalesced` promises that they ascend in row-major order and do not.
    Raises IndexError (E0501) for a position outside, ShapeError for shapes that do not fit, DTypeError for indices that
    are no integers, ValueError for a promise that does not hold.

    >>> px.sparse_coo_tensor([[0, 1], [2, 0]], [3.0, 4.0], (2, 3)).to_dense()
    tensor([[0., 0., 3.],
            [4., 0., 0.]])
    """
    values = _values(values, dtype, device, requires_grad)
    return _sparse.coo(_positions(indices), values, size, is_coalesced)


def _compressed(
    layout: str, pointers: Any, indices: Any, values: Any, size: _Size, **options: Any
) -> SparseTensor:
    values = _values(values, **options)
    return _sparse.compressed(layout, _positions(pointers), _positions(indices), values, size)


def sparse_csr_tensor(
    crow_indices: Any,
    col_indices: Any,
    values: Any,
    size: _Size = None,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> SparseTensor:
    """A sparse matrix row by row: row i has `values[crow_indices[i] : crow_indices[i + 1]]` in the columns
    `col_indices` of the same range, which ascend. Without `size` it is the smallest that holds them.

    Raises ValueError for pointers that do not begin with 0, fall, or do not end with the number of values, and for
    columns that do not ascend; IndexError (E0501) for a column outside; ShapeError for shapes that do not fit.

    >>> px.sparse_csr_tensor([0, 1, 3], [2, 0, 2], [3.0, 4.0, 5.0], (2, 3)).to_dense()
    tensor([[0., 0., 3.],
            [4., 0., 5.]])
    """
    options = {"dtype": dtype, "device": device, "requires_grad": requires_grad}
    return _compressed("csr", crow_indices, col_indices, values, size, **options)


def sparse_csc_tensor(
    ccol_indices: Any,
    row_indices: Any,
    values: Any,
    size: _Size = None,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> SparseTensor:
    """A sparse matrix column by column, as sparse_csr_tensor() row by row.

    >>> px.sparse_csc_tensor([0, 1, 1, 3], [1, 0, 1], [4.0, 3.0, 5.0], (2, 3)).to_dense()
    tensor([[0., 0., 3.],
            [4., 0., 5.]])
    """
    options = {"dtype": dtype, "device": device, "requires_grad": requires_grad}
    return _compressed("csc", ccol_indices, row_indices, values, size, **options)


def sparse_bsr_tensor(
    crow_indices: Any,
    col_indices: Any,
    values: Any,
    size: _Size = None,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> SparseTensor:
    """A matrix of dense blocks, `values` [stored, rows of a block, columns of a block], row by row as in
    sparse_csr_tensor(), with pointers and columns that count blocks.

    >>> px.sparse_bsr_tensor([0, 1], [1], [[[1.0, 2.0], [3.0, 4.0]]], (2, 4)).to_dense()
    tensor([[0., 0., 1., 2.],
            [0., 0., 3., 4.]])
    """
    options = {"dtype": dtype, "device": device, "requires_grad": requires_grad}
    return _compressed("bsr", crow_indices, col_indices, values, size, **options)


def sparse_bsc_tensor(
    ccol_indices: Any,
    row_indices: Any,
    values: Any,
    size: _Size = None,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> SparseTensor:
    """A matrix of dense blocks, column by column; see sparse_bsr_tensor().

    >>> px.sparse_bsc_tensor([0, 0, 1], [0], [[[1.0, 2.0], [3.0, 4.0]]], (2, 4)).to_dense()
    tensor([[0., 0., 1., 2.],
            [0., 0., 3., 4.]])
    """
    options = {"dtype": dtype, "device": device, "requires_grad": requires_grad}
    return _compressed("bsc", ccol_indices, row_indices, values, size, **options)


def sparse_compressed_tensor(
    compressed_indices: Any,
    plain_indices: Any,
    values: Any,
    size: _Size = None,
    *,
    dtype: Any = None,
    layout: str = "sparse_csr",
    device: Any = None,
    requires_grad: bool = False,
) -> SparseTensor:
    """sparse_csr_tensor(), or its like for another `layout`: "sparse_csc", "sparse_bsr", "sparse_bsc"."""
    options = {"dtype": dtype, "device": device, "requires_grad": requires_grad}
    return _compressed(layout, compressed_indices, plain_indices, values, size, **options)


def to_sparse(
    input: Tensor | SparseTensor,
    sparse_dim: int | None = None,
    *,
    layout: str = "sparse_coo",
    blocksize: Sequence[int] | None = None,
) -> SparseTensor:
    """The elements of a tensor that are not 0. Dimensions behind the first `sparse_dim` are stored whole. A matrix may get
    another `layout`: "sparse_csr", "sparse_csc", "sparse_bsr" or "sparse_bsc", the latter in blocks of `blocksize`.
    Gradients flow back to what is stored.

    >>> px.eye(3).to_sparse().values()
    tensor([1., 1., 1.])
    """
    if isinstance(input, SparseTensor):
        return input.to_sparse(layout, blocksize)
    if layout in ("sparse_coo", "coo"):
        return _sparse.to_sparse(input, sparse_dim)
    return _sparse.to_layout(input, layout, blocksize)


def to_dense(input: Any) -> Tensor:
    """A tensor with zeros where nothing is stored; a dense tensor itself."""
    dense: Tensor = input.to_dense()
    return dense


def coalesce(input: SparseTensor) -> SparseTensor:
    """Values of equal positions added up, in row-major order.

    >>> px.sparse.coalesce(px.sparse_coo_tensor([[1, 0, 1]], [2.0, 3.0, 4.0])).values()
    tensor([3., 6.])
    """
    return input.coalesce()


def mm(mat1: Any, mat2: Any, reduce: str = "sum") -> Any:
    """The product of matrices of which one or both are sparse: dense where one is dense. Gradients flow to the values of
    the sparse ones and to the dense one.

    With a sparse mat1 and a dense mat2, `reduce` takes something else than the sum over the products with the elements
    that a row stores: their "mean", the largest, "amax", or the least, "amin". A row that stores nothing gives zeros.

    >>> a = px.sparse_csr_tensor([0, 1, 2], [1, 0], [2.0, 3.0], (2, 2))
    >>> px.sparse.mm(a, px.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor([[6., 8.],
            [3., 6.]])
    """
    if reduce == "sum":
        return mat1 @ mat2
    if reduce not in ("mean", "amax", "amin"):
        fail("ValueError", "invalid_value", f"mm: reduce is {reduce!r}", '"sum", "mean", "amax" or "amin"')
    if not isinstance(mat1, SparseTensor) or isinstance(mat2, SparseTensor):
        fail(
            "TypeError", "wrong_argument_type", f'mm: reduce="{reduce}" takes a sparse mat1 and a dense mat2'
        )
    if mat1.ndim != 2 or mat2.ndim != 2 or mat1.shape[1] != mat2.shape[0]:
        summary = f"mm: shapes {list(mat1.shape)} and {list(mat2.shape)} do not multiply"
        fail("ShapeError", "inner_sizes_differ", summary, mat2=mat2)
    stored = mat1 if mat1.layout == "sparse_coo" else mat1.to_sparse("sparse_coo")
    rows, columns = stored.indices()
    products = stored.values().unsqueeze(1) * mat2[columns]
    index = rows.unsqueeze(1).expand(products.shape)
    nothing = products.new_zeros((mat1.shape[0], mat2.shape[1]))
    return nothing.scatter_reduce(0, index, products, reduce, include_self=False)


def addmm(input: Tensor, mat1: SparseTensor, mat2: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """beta input + alpha mat1 @ mat2, with a sparse mat1."""
    return beta * input + alpha * (mat1 @ mat2)


def sampled_addmm(
    input: SparseTensor, mat1: Tensor, mat2: Tensor, *, beta: Any = 1, alpha: Any = 1
) -> SparseTensor:
    """beta input + alpha mat1 @ mat2 at the positions that `input` stores, the only ones that are computed.

    >>> where = px.sparse_coo_tensor([[0, 1], [1, 1]], [0.0, 0.0], (2, 2))
    >>> px.sparse.sampled_addmm(where, px.ones(2, 3), px.ones(3, 2)).values()
    tensor([3., 3.])
    """
    return _sparse.sampled_addmm(input, mat1, mat2, beta, alpha)


def add(input: Any, other: Any, *, alpha: Any = 1) -> Any:
    """input + alpha other: sparse where both are, dense otherwise."""
    if isinstance(input, SparseTensor) and isinstance(other, SparseTensor):
        return _sparse.add(input, other, alpha)
    return input + (other if alpha == 1 else other * alpha)


def sum(input: SparseTensor, dim: int | Sequence[int] | None = None, dtype: Any = None) -> Any:
    """The sum of all elements, 0-d; or over dimensions: sparse where a sparse one remains, dense otherwise.

    >>> px.sparse.sum(px.eye(3).to_sparse(), 1).to_dense()
    tensor([1., 1., 1.])
    """
    return (input if dtype is None else input.to(dtype)).sum(dim)


def softmax(input: SparseTensor, dim: int, *, dtype: Any = None) -> SparseTensor:
    """Softmax over the stored elements along `dim`. What is not stored counts as -inf, and stays unstored.

    >>> px.sparse.softmax(px.tensor([[1.0, 1.0, 0.0], [0.0, 0.0, 5.0]]).to_sparse(), 1).values()
    tensor([0.5000, 0.5000, 1.0000])
    """
    return (input if dtype is None else input.to(dtype)).softmax(dim)


def log_softmax(input: SparseTensor, dim: int, *, dtype: Any = None) -> SparseTensor:
    """The logarithm of softmax()."""
    return (input if dtype is None else input.to(dtype)).log_softmax(dim)


def map_values(function: Any, input: SparseTensor) -> SparseTensor:
    """`function` of the values at the same positions, which is that of the whole tensor where function(0) is 0.
    Positions that repeat are added up before.

    >>> px.sparse.map_values(px.sqrt, px.tensor([[4.0, 0.0], [0.0, 9.0]]).to_sparse()).values()
    tensor([2., 3.])
    """
    input = input.coalesce()
    return input.with_values(function(input.values()))


def from_scipy(matrix: Any) -> SparseTensor:
    """A sparse tensor from a matrix or array of scipy.sparse: csr, csc and bsr keep their layout, others get coo. The
    values are shared with SciPy where its elements already are in the order of the layout."""
    layout = matrix.format
    if layout not in ("csr", "csc", "bsr"):
        matrix = matrix.tocoo()
        positions = [
            _phlox.from_numpy(c.astype("int64"))
            for c in (getattr(matrix, "coords", None) or (matrix.row, matrix.col))
        ]
        return _sparse.coo(_phlox.stack(positions), _phlox.from_numpy(matrix.data), matrix.shape, False)
    if not matrix.has_canonical_format:
        matrix = matrix.copy()
        matrix.sum_duplicates()
    pointers, indices = (_phlox.from_numpy(a.astype("int64")) for a in (matrix.indptr, matrix.indices))
    return _sparse.compressed(layout, pointers, indices, _phlox.from_numpy(matrix.data), matrix.shape)


def to_scipy(input: SparseTensor) -> Any:
    """The matrix as an array of scipy.sparse in the same layout, which shares the values; bsc becomes csc. Positions are
    added up where they repeat."""
    import scipy.sparse  # type: ignore[import-untyped]

    if input.dense_dim() > 0:
        fail(
            "NotSupportedError",
            "not_supported",
            "to_scipy: SciPy has no dense dimensions",
            "input.to_dense()",
        )
    if input.layout == "sparse_bsc":
        input = input.to_sparse_csc()
    values = input.detach().values().numpy()
    if input.layout == "sparse_coo":
        coordinates = tuple(input.indices().numpy())
        return scipy.sparse.coo_array((values, coordinates), shape=tuple(input.shape))
    if input.layout == "sparse_csc":
        parts = values, input.row_indices().numpy(), input.ccol_indices().numpy()
        return scipy.sparse.csc_array(parts, shape=tuple(input.shape))
    parts = values, input.col_indices().numpy(), input.crow_indices().numpy()
    kind = scipy.sparse.csr_array if input.layout == "sparse_csr" else scipy.sparse.bsr_array
    return kind(parts, shape=tuple(input.shape))
