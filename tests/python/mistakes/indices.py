"""Positions, slices and masks."""

import phlox as px


def position():
    """
    phlox.errors.IndexError: [E0501] index: position 3 is out of range for dimension 0 of size 3
      at   indices.py:LINE   x[3]
      try  allowed are -3 to 2
    """
    x = px.ones(3, 4)
    x[3]


def position_in_the_second_dimension():
    """
    phlox.errors.IndexError: [E0501] index: position -5 is out of range for dimension 1 of size 4
      at   indices.py:LINE   x[0, -5]
      try  allowed are -4 to 3
    """
    x = px.ones(3, 4)
    x[0, -5]


def too_many_indices():
    """
    phlox.errors.IndexError: [E0502] index: 3 dimensions are indexed, the tensor has 2
      input  x  f32[3,4] cpu   indices.py:LINE   x[0, 0, 0]
    """
    x = px.ones(3, 4)
    x[0, 0, 0]


def text_as_index():
    """
    phlox.errors.IndexError: [E0503] index: takes integers, slices, ..., None, and integer or boolean tensors, not str
      at  indices.py:LINE   x["a"]
    """
    x = px.ones(3, 4)
    x["a"]


def float_as_index():
    """
    phlox.errors.IndexError: [E0503] index: takes integers, slices, ..., None, and integer or boolean tensors, not float
      at  indices.py:LINE   x[1.0]
    """
    x = px.ones(3, 4)
    x[1.0]


def index_of_a_number():
    """
    phlox.errors.IndexError: [E0502] index: 1 dimensions are indexed, the tensor has 0
      input  x  f32[] cpu   indices.py:LINE   x[0]
    """
    x = px.tensor(1.0)
    x[0]


def slice_backwards():
    """
    phlox.errors.IndexError: [E0503] index: slice step cannot be zero
      got  slice(None, None, 0)
      at   indices.py:LINE   x[::0]
    """
    x = px.ones(3, 4)
    x[::0]


def slice_with_a_float():
    """
    phlox.errors.IndexError: [E0503] index: slice indices must be integers or None or have an __index__ method
      got  slice(0, 1.5, None)
      at   indices.py:LINE   x[0:1.5]
    """
    x = px.ones(3, 4)
    x[0:1.5]


def two_ellipses():
    """
    phlox.errors.IndexError: [E0503] index: `...` stands twice
      at   indices.py:LINE   x[..., ...]
      try  write `:` for single dimensions
    """
    x = px.ones(3, 4)
    x[..., ...]


def positions_from_a_tensor():
    """
    phlox.errors.IndexError: [E0501] index: position 7 is out of range for dimension 0 of size 3
      index  chosen  i64[2] cpu at [1]   indices.py:LINE   x[chosen]
      try    allowed are -3 to 2
    """
    x, chosen = px.ones(3, 4), px.tensor([0, 7])
    x[chosen]


def positions_as_floats():
    """
    phlox.errors.IndexError: [E0503] index: a tensor of float32 cannot index dimension 0
      index  chosen  f32[2] cpu   indices.py:LINE   x[chosen]
      try    integers are positions, bool is a mask; cast with .to(px.int64)
    """
    x, chosen = px.ones(3, 4), px.tensor([0.0, 1.0])
    x[chosen]


def mask_of_another_shape():
    """
    phlox.errors.IndexError: [E0501] index: the mask has size 2 where dimension 0 has size 3
      input  x     f32[3,4] cpu   indices.py:LINE   x[mask]
      mask   mask  bool[2] cpu
    """
    x = px.ones(3, 4)
    mask = px.tensor([True, False])
    x[mask]


def value_of_another_shape():
    """
    phlox.errors.ShapeError: [E0201] setitem: a value of [3] does not fit into places of [4]
      input  x  f32[3,4] cpu   indices.py:LINE   x[0] = px.ones(3)
      value     f32[3] cpu
      try    sizes must be those of the places, or 1, counted from the last dimension
    """
    x = px.ones(3, 4)
    x[0] = px.ones(3)


def values_for_a_mask():
    """
    phlox.errors.ShapeError: [E0201] setitem: values of [3] do not fit the places [2]
      input   f32[4] cpu
      values  f32[3] cpu
      at      indices.py:LINE   x[x > 1] = px.ones(3)
    """
    x = px.arange(4.0)
    x[x > 1] = px.ones(3)


def gather_beyond_the_end():
    """
    phlox.errors.IndexError: [E0501] gather: position 3 is out of range for dimension 1 of size 3
      index  index  i64[1,2] cpu at [0,1]   indices.py:LINE   x.gather(1, index)
      try    allowed are 0 to 2
    """
    x, index = px.ones(2, 3), px.tensor([[0, 3]])
    x.gather(1, index)


def scatter_counted_from_the_end():
    """
    phlox.errors.IndexError: [E0501] scatter: position -1 is out of range for dimension 1 of size 3
      index  index  i64[1,2] cpu at [0,1]   indices.py:LINE   x.scatter(1, index, 5.0)
      try    allowed are 0 to 2
    """
    x, index = px.ones(2, 3), px.tensor([[0, -1]])
    x.scatter(1, index, 5.0)


def index_select_of_a_matrix():
    """
    phlox.errors.ShapeError: [E0204] index_select: the index is a vector, not of 2 dimensions
      index  index  i64[1,2] cpu   indices.py:LINE   x.index_select(0, index)
    """
    x, index = px.ones(2, 3), px.tensor([[0, 1]])
    x.index_select(0, index)


def word_beyond_the_table():
    """
    phlox.errors.IndexError: [E0501] embedding: position 10 is out of range for dimension 0 of size 10
      index  words  i64[2] cpu at [1]   indices.py:LINE   table(words)
      try    allowed are -10 to 9
    """
    table = px.nn.Embedding(10, 4)
    words = px.tensor([3, 10])
    table(words)


def class_beyond_the_last():
    """
    phlox.errors.IndexError: [E0501] cross_entropy: target 3 is not one of 3 classes
      at   indices.py:LINE   px.nn.functional.cross_entropy(logits, labels)
      try  targets count from 0; ignore_index marks those to leave out
    """
    logits, labels = px.ones(2, 3), px.tensor([0, 3])
    px.nn.functional.cross_entropy(logits, labels)


def more_than_there_is():
    """
    phlox.errors.IndexError: [E0501] topk: k is 5, but the dimension has 3 elements
      input  x  f32[3] cpu   indices.py:LINE   x.topk(5)
    """
    x = px.ones(3)
    x.topk(5)


def narrow_beyond_the_end():
    """
    phlox.errors.IndexError: [E0501] narrow: 2 elements from 2 on leave dimension 0 of size 3
      input  x  f32[3] cpu   indices.py:LINE   x.narrow(0, 2, 2)
    """
    x = px.ones(3)
    x.narrow(0, 2, 2)


def deletion():
    """
    phlox.errors.TypeError: [E0106] del: elements of a tensor cannot be deleted
      tensor  x  f32[3] cpu   indices.py:LINE   del x[0]
      try     x[keep], with a mask or the positions that stay, gives a new tensor
    """
    x = px.ones(3)
    del x[0]
