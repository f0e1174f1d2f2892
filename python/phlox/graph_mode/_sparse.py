"""Sparse tensors: what graphs do with them."""

from __future__ import annotations

from typing import Any

from ._calls import create_function
from ._tensors import SparseTensor, Tensor


def sparse_tensor_to_dense(
    sp_input: SparseTensor, default_value: Any = 0, validate_indices: bool = True, name: str | None = None
) -> Tensor:
    """The tensor with all its elements."""
    dense = create_function(
        "sparse_to_dense", (sp_input.indices, sp_input.dense_shape, sp_input.values, default_value), {}, name
    )
    rank = sp_input.indices.shape.as_list()[1] if sp_input.indices.shape else None
    if rank is not None and not dense.shape:
        dense.set_shape([None] * rank)
    return dense


def sparse_tensor_dense_matmul(
    sp_a: SparseTensor, b: Any, adjoint_a: bool = False, adjoint_b: bool = False, name: str | None = None
) -> Tensor:
    """The product of a sparse matrix and a matrix."""
    return create_function(
        "matmul",
        (sparse_tensor_to_dense(sp_a), b),
        {"transpose_a": adjoint_a, "transpose_b": adjoint_b},
        name,
    )


def sparse_reduce_sum(sp_input: SparseTensor, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The sum over `axis`."""
    return create_function("reduce_sum", (sparse_tensor_to_dense(sp_input), axis, keepdims), {})
