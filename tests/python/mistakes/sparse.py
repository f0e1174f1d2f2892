"""Sparse and ragged tensors."""

import phlox as px


def coordinate_out_of_range():
    """
    phlox.errors.IndexError: [E0501] sparse_coo_tensor: 5 in 'indices' is out of range
      indices  i64[2] cpu
      at       sparse.py:LINE   px.sparse_coo_tensor([[0, 5], [1, 0]], [1.0, 2.0], (3, 3))
      try      allowed are 0 to 2
    """
    px.sparse_coo_tensor([[0, 5], [1, 0]], [1.0, 2.0], (3, 3))


def negative_coordinate():
    """
    phlox.errors.IndexError: [E0501] sparse_coo_tensor: -1 in 'indices' is out of range
      indices  i64[2] cpu
      at       sparse.py:LINE   px.sparse_coo_tensor([[0, -1]], [1.0, 2.0])
      try      allowed are 0 to 0
    """
    px.sparse_coo_tensor([[0, -1]], [1.0, 2.0])


def fewer_values_than_coordinates():
    """
    phlox.errors.ShapeError: [E0205] sparse_coo_tensor: indices have 2 columns, one for each of the values
      indices  positions  i64[2,2] cpu   sparse.py:LINE   px.sparse_coo_tensor(positions, [1.0], (3, 3))
      values              f32[1] cpu
    """
    positions = px.tensor([[0, 1], [1, 0]])
    px.sparse_coo_tensor(positions, [1.0], (3, 3))


def coordinates_as_rows():
    """
    phlox.errors.ShapeError: [E0205] sparse_coo_tensor: the size [3,3] is not 3 sparse dimensions and then those of a value
      indices  positions  i64[3,2] cpu   sparse.py:LINE   px.sparse_coo_tensor(positions, [1.0, 2.0], (3, 3))
      values              f32[2] cpu
    """
    positions = px.tensor([[0, 1], [1, 0], [2, 2]])
    px.sparse_coo_tensor(positions, [1.0, 2.0], (3, 3))


def coordinates_that_are_no_integers():
    """
    phlox.errors.DTypeError: [E0301] sparse_coo_tensor: 'indices' holds integers, not float32
      indices  f32[2] cpu
      at       sparse.py:LINE   px.sparse_coo_tensor(positions, [1.0, 2.0], (3,))
      try      indices.to(px.int64)
    """
    positions = px.tensor([[0.0, 1.0]])
    px.sparse_coo_tensor(positions, [1.0, 2.0], (3,))


def broken_promise_of_order():
    """
    phlox.errors.ValueError: [E0101] sparse_coo_tensor: is_coalesced says that positions ascend and differ, but they do not
      input  i64[1,2] cpu
      at     sparse.py:LINE   px.sparse_coo_tensor([[1, 0]], [1.0, 2.0], (3,), is_coalesced=True)
    """
    px.sparse_coo_tensor([[1, 0]], [1.0, 2.0], (3,), is_coalesced=True)


def row_pointers_that_fall():
    """
    phlox.errors.ValueError: [E0101] sparse_csr_tensor: 'crow_indices' must begin with 0, never fall, and end with 3, the number of stored elements
      input  i64[4] cpu
      at     sparse.py:LINE   px.sparse_csr_tensor([0, 2, 1, 3], [0, 1, 2], [1.0, 2.0, 3.0], (3, 3))
    """
    px.sparse_csr_tensor([0, 2, 1, 3], [0, 1, 2], [1.0, 2.0, 3.0], (3, 3))


def row_pointers_of_another_height():
    """
    phlox.errors.ShapeError: [E0205] sparse_csr_tensor: 'crow_indices' has one element more than there are rows, which is 4
      crow_indices  rows  i64[3] cpu   sparse.py:LINE   px.sparse_csr_tensor(rows, [0, 1], [1.0, 2.0], (3, 3))
      values              f32[2] cpu
      size          [3,3]
    """
    rows = px.tensor([0, 1, 2])
    px.sparse_csr_tensor(rows, [0, 1], [1.0, 2.0], (3, 3))


def column_out_of_range():
    """
    phlox.errors.IndexError: [E0501] sparse_csr_tensor: 7 in 'col_indices' is out of range
      col_indices  i64[2] cpu
      at           sparse.py:LINE   px.sparse_csr_tensor([0, 1, 2], [0, 7], [1.0, 2.0], (2, 2))
      try          allowed are 0 to 1
    """
    px.sparse_csr_tensor([0, 1, 2], [0, 7], [1.0, 2.0], (2, 2))


def columns_in_disorder():
    """
    phlox.errors.ValueError: [E0101] sparse_csr_tensor: 'col_indices' does not ascend within each row
      input  i64[2,2] cpu
      at     sparse.py:LINE   px.sparse_csr_tensor([0, 2, 2], [1, 0], [1.0, 2.0], (2, 2))
    """
    px.sparse_csr_tensor([0, 2, 2], [1, 0], [1.0, 2.0], (2, 2))


def product_of_wrong_sizes():
    """
    phlox.errors.ShapeError: [E0203] matmul: inner sizes differ, 3 and 4
      lhs  sparse csr f32[3,3], 3 stored
      rhs  f32[4,2] cpu
      at   sparse.py:LINE   graph @ px.ones(4, 2)
    """
    graph = px.eye(3).to_sparse_csr()
    graph @ px.ones(4, 2)


def rows_of_coordinates():
    """
    phlox.errors.StateError: [E0101] crow_indices: the layout coo has none
      input  sparse coo f32[3,3], 3 stored
      at     sparse.py:LINE   graph.crow_indices()
      try    to_sparse_csr()
    """
    graph = px.eye(3).to_sparse()
    graph.crow_indices()


def blocks_that_do_not_fit():
    """
    phlox.errors.ValueError: [E0101] to_sparse: blocks of the size [2,2] do not fill a matrix [3,3]
      input  sparse coo f32[3,3], 3 stored
      at     sparse.py:LINE   px.eye(3).to_sparse_bsr((2, 2))
      try    blocksize=(rows, columns), which divide those of the matrix
    """
    px.eye(3).to_sparse_bsr((2, 2))


def sum_of_other_shapes():
    """
    phlox.errors.ShapeError: [E0205] add: sparse tensors have the same shape and the same sparse dimensions
      lhs  sparse coo f32[3,3], 3 stored
      rhs  sparse coo f32[4,4], 4 stored
      at   sparse.py:LINE   px.eye(3).to_sparse() + px.eye(4).to_sparse()
    """
    px.eye(3).to_sparse() + px.eye(4).to_sparse()


def coalesce_while_capturing():
    """
    phlox.errors.GraphError: [E1001] coalesce: how many positions differ is not known while a function is captured
      at   sparse.py:LINE   px.jit(px.sparse.coalesce)(graph)
      try  coalesce() before the captured function, or is_coalesced=True where that is so
    """
    graph = px.sparse_coo_tensor([[0, 0], [1, 1]], [1.0, 2.0], (3, 3))
    px.jit(px.sparse.coalesce)(graph)


def batch_of_sparse_tensors():
    """
    phlox.errors.ValueError: [E0101] vmap: samples share a SparseTensor, so in_dims has None for it
      at   sparse.py:LINE   px.vmap(lambda a, x: a @ x)(graph, px.ones(5, 3))
      try  map its values, and make one of them inside of the function
    """
    graph = px.eye(3).to_sparse()
    px.vmap(lambda a, x: a @ x)(graph, px.ones(5, 3))


def offsets_that_fall():
    """
    phlox.errors.ValueError: [E0101] nested_from_jagged: offsets must begin with 0, never fall, and end with 5, the number of elements
      input  i64[4] cpu
      at     sparse.py:LINE   px.nested.nested_from_jagged(px.ones(5, 2), px.tensor([0, 3, 1, 5]))
    """
    px.nested.nested_from_jagged(px.ones(5, 2), px.tensor([0, 3, 1, 5]))


def offset_out_of_range():
    """
    phlox.errors.IndexError: [E0501] nested_from_jagged: 9 in 'offsets' is out of range
      offsets  i64[2] cpu
      at       sparse.py:LINE   px.nested.nested_from_jagged(px.ones(5, 2), px.tensor([0, 9]))
      try      allowed are 0 to 5
    """
    px.nested.nested_from_jagged(px.ones(5, 2), px.tensor([0, 9]))


def rows_that_differ():
    """
    phlox.errors.ShapeError: [E0205] nested_tensor: rows differ in more than the first dimension
      first  words   f32[2,8] cpu   sparse.py:LINE   px.nested.nested_tensor([words, others])
      other  others  f32[3,4] cpu
    """
    words, others = px.ones(2, 8), px.ones(3, 4)
    px.nested.nested_tensor([words, others])


def sum_over_rows_of_different_lengths():
    """
    phlox.errors.ShapeError: [E0206] sum: rows of different lengths have no common elements
      input  ragged f32[2,*], 5 elements
      at     sparse.py:LINE   px.nested.nested_tensor([px.ones(2), px.ones(3)]).sum(0)
      try    dim=1 for the elements of each row, more for what is behind
    """
    px.nested.nested_tensor([px.ones(2), px.ones(3)]).sum(0)


def rows_of_different_lengths():
    """
    phlox.errors.ValueError: [E0101] add: the lengths of rows differ
      lhs  ragged f32[2,*], 5 elements
      rhs  ragged f32[2,*], 5 elements
      at   sparse.py:LINE   short + px.nested.nested_tensor([px.ones(3), px.ones(2)])
    """
    short = px.nested.nested_tensor([px.ones(2), px.ones(3)])
    short + px.nested.nested_tensor([px.ones(3), px.ones(2)])
