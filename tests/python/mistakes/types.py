"""Dtypes, devices and arguments of the wrong kind."""

import numpy as np

import phlox as px
from phlox import nn
from phlox.nn import functional as F


def bits_of_floats():
    """
    phlox.errors.DTypeError: [E0301] bitwise_and: takes integers and bool, not float32
      input  x  f32[3] cpu   types.py:LINE   x & x
      other  x  f32[3] cpu
      try    x.to(px.int64)
    """
    x = px.ones(3)
    x & x


def fractions_into_integers():
    """
    phlox.errors.DTypeError: [E0302] add: a float32 result does not fit into a int64 tensor in place
      target  counts  i64[3] cpu   types.py:LINE   counts += 0.5
      try     use the form that returns a new tensor
    """
    counts = px.zeros(3, dtype=px.int64)
    counts += 0.5


def number_too_large_for_its_dtype():
    """
    phlox.errors.DTypeError: [E0303] the integer 300 does not fit uint8
      at   types.py:LINE   px.tensor(300, dtype=px.uint8)
      try  give a dtype with more bits
    """
    px.tensor(300, dtype=px.uint8)


def gradient_of_integers():
    """
    phlox.errors.GradientError: [E0606] requires_grad: only floating and complex tensors can require gradients, not int64
      tensor  labels  i64[2] cpu   types.py:LINE   labels.requires_grad_()
      try     labels.to(float32)
    """
    labels = px.tensor([1, 2])
    labels.requires_grad_()


def gradient_of_integers_from_the_start():
    """
    phlox.errors.GradientError: [E0606] requires_grad: only floating and complex tensors can require gradients, not int64
      tensor  i64[2] cpu
      at      types.py:LINE   px.tensor([1, 2], requires_grad=True)
      try     tensor.to(float32)
    """
    px.tensor([1, 2], requires_grad=True)


def labels_as_floats():
    """
    phlox.errors.DTypeError: [E0301] cross_entropy: class numbers are integers, not float32
      target  labels  f32[2] cpu   types.py:LINE   F.cross_entropy(logits, labels)
      try     labels.to(px.int64)
    """
    logits, labels = px.ones(2, 10), px.ones(2)
    F.cross_entropy(logits, labels)


def floats_as_indices_of_an_embedding():
    """
    phlox.errors.DTypeError: [E0301] embedding: positions are integers, not float32
      input  words  f32[3] cpu   types.py:LINE   table(words)
      try    words.to(px.int64)
    """
    table = nn.Embedding(10, 4)
    words = px.ones(3)
    table(words)


def name_of_a_dtype():
    """
    phlox.errors.ValueError: [E0103] "float31" is not a dtype
      at   types.py:LINE   px.zeros(2, dtype="float31")
      try  one of bool, uint8 ... uint64, int8 ... int64, float16, bfloat16, float32, float64, complex64, complex128
    """
    px.zeros(2, dtype="float31")


def name_of_a_device():
    """
    phlox.errors.DeviceError: [E0402] "gpu" is not a device
      at   types.py:LINE   px.zeros(2, device="gpu")
      try  "cpu" or "cuda:0"
    """
    px.zeros(2, device="gpu")


def device_that_is_not_there():
    """
    phlox.errors.DeviceError: [E0402] the device cuda:7 is not available here
      at  types.py:LINE   px.ones(2).to("cuda:7")
    """
    px.ones(2).to("cuda:7")


def list_in_place_of_a_tensor():
    """
    phlox.errors.TypeError: [E0104] relu: 'input' must be a tensor
      got  list
      at   types.py:LINE   px.relu([1.0, 2.0])
      try  px.tensor(data)
    """
    px.relu([1.0, 2.0])


def array_in_place_of_a_tensor():
    """
    phlox.errors.TypeError: [E0104] relu: 'input' must be a tensor
      got  numpy.ndarray
      at   types.py:LINE   px.relu(np.ones(2))
      try  px.from_numpy(array)
    """
    px.relu(np.ones(2))


def text_in_place_of_a_number():
    """
    phlox.errors.TypeError: [E0104] sum: 'dim' must be an integer, a list of integers or None
      got  str
      at   types.py:LINE   x.sum(dim="rows")
      try  sum(input, dim=None, keepdim=False, dtype=None)
    """
    x = px.ones(2)
    x.sum(dim="rows")


def text_added_to_a_tensor():
    """
    phlox.errors.TypeError: [E0104] add: 'other' must be a tensor or a number
      got  str
      at   types.py:LINE   x.add("1")
      try  add(input, other)
    """
    x = px.ones(2)
    x.add("1")


def missing_argument():
    """
    phlox.errors.TypeError: [E0105] matmul: the argument 'other' is missing
      at   types.py:LINE   px.matmul(px.ones(2, 2))
      try  matmul(input, other)
    """
    px.matmul(px.ones(2, 2))


def unknown_argument():
    """
    phlox.errors.TypeError: [E0104] softmax: there is no argument 'dimension'
      at   types.py:LINE   px.softmax(x, dimension=0)
      try  softmax(input, dim=-1, dtype=None)
    """
    x = px.ones(2)
    px.softmax(x, dimension=0)


def too_many_arguments():
    """
    phlox.errors.TypeError: [E0104] relu: takes at most 1 arguments, and 3 were given
      at   types.py:LINE   px.relu(x, x, x)
      try  relu(input)
    """
    x = px.ones(2)
    px.relu(x, x, x)


def argument_given_twice():
    """
    phlox.errors.TypeError: [E0104] relu: the argument 'input' is given twice
      at   types.py:LINE   px.relu(x, input=x)
      try  relu(input)
    """
    x = px.ones(2)
    px.relu(x, input=x)


def sizes_as_floats():
    """
    phlox.errors.TypeError: [E0104] zeros: 'size' must be an integer or a list of integers
      got  float
      at   types.py:LINE   px.zeros(2, 2.5)
      try  zeros(size, dtype=None, device=None, requires_grad=False)
    """
    px.zeros(2, 2.5)


def ragged_list():
    """
    phlox.errors.ValueError: [E0101] tensor: the sequences at depth 1 have different lengths
      so far  [2,2]
      at      types.py:LINE   px.tensor([[1, 2], [3]])
    """
    px.tensor([[1, 2], [3]])


def list_of_text():
    """
    phlox.errors.TypeError: [E0104] tensor: data must be numbers, not str
      at  types.py:LINE   px.tensor(["a", "b"])
    """
    px.tensor(["a", "b"])


def item_of_many_elements():
    """
    phlox.errors.ValueError: [E0101] item: a tensor of 6 elements is not a single number
      tensor  x  f32[2,3] cpu   types.py:LINE   x.item()
      try     index or reduce it first; tolist() in Python and to_vector() in C++ give all elements
    """
    x = px.ones(2, 3)
    x.item()


def float_of_many_elements():
    """
    phlox.errors.ValueError: [E0101] float: a tensor of 6 elements is not a single number
      tensor  x  f32[2,3] cpu   types.py:LINE   float(x)
      try     index or reduce it first; tolist() in Python and to_vector() in C++ give all elements
    """
    x = px.ones(2, 3)
    float(x)


def truth_of_many_elements():
    """
    phlox.errors.ValueError: [E0101] bool: the truth of a tensor of 6 elements is ambiguous
      tensor  bool[2,3] cpu
      at      types.py:LINE   if x > 0:
      try     x.any() or x.all()
    """
    x = px.ones(2, 3)
    if x > 0:
        pass


def index_from_many_elements():
    """
    phlox.errors.TypeError: [E0104] index: only an integer tensor of one element counts as an integer
      tensor  x  f32[3] cpu   types.py:LINE   [1, 2, 3][x]
    """
    x = px.ones(3)
    [1, 2, 3][x]


def numpy_of_a_tensor_with_gradients():
    """
    phlox.errors.GradientError: [E0606] numpy: a tensor that requires gradients does not become an array, which would lose them
      tensor  x  f32[2] cpu   types.py:LINE   x.numpy()
      try     x.detach().numpy()
    """
    x = px.ones(2, requires_grad=True)
    x.numpy()


def length_of_a_number():
    """
    phlox.errors.TypeError: [E0104] len: a tensor of 0 dimensions is a number, and no list of them
      tensor  x  f32[] cpu   types.py:LINE   len(x)
      try     x.item(), or x.reshape(1)
    """
    x = px.tensor(1.0)
    len(x)


def iteration_over_a_number():
    """
    phlox.errors.TypeError: [E0104] iteration: a tensor of 0 dimensions is a number, and no list of them
      tensor  f32[] cpu
      at      types.py:LINE   for _ in x:
      try     tensor.item(), or tensor.reshape(1)
    """
    x = px.tensor(1.0)
    for _ in x:
        pass


def negative_size():
    """
    phlox.errors.ShapeError: [E0101] a shape has the negative size -3
      shape  [2,-3]
      at     types.py:LINE   px.zeros(2, -3)
    """
    px.zeros(2, -3)


def step_of_a_range():
    """
    phlox.errors.ValueError: [E0101] arange: the step is 0
      at  types.py:LINE   px.arange(0, 10, 0)
    """
    px.arange(0, 10, 0)


def probability_of_a_dropout():
    """
    phlox.errors.ValueError: [E0101] Dropout: the probability must lie between 0 and 1, not 1.5
      at  types.py:LINE   nn.Dropout(1.5)
    """
    nn.Dropout(1.5)


def name_of_a_reduction():
    """
    phlox.errors.ValueError: [E0101] mse_loss: reduction is 'average'
      at   types.py:LINE   F.mse_loss(x, x, reduction="average")
      try  reduction="mean", "sum" or "none"
    """
    x = px.ones(2)
    F.mse_loss(x, x, reduction="average")


def array_of_objects():
    """
    phlox.errors.DTypeError: [E0301] from_numpy: there is no dtype for NumPy's object
      at   types.py:LINE   px.from_numpy(np.array([object()]))
      try  array.astype("float32")
    """
    px.from_numpy(np.array([object()]))
