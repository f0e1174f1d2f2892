"""Captured functions that ask for values which are known only when their graphs run."""

import logging

import phlox.nn.functional as F

import phlox as px


def slice_up_to_a_tensor():
    """
    phlox.errors.GraphError: [E1001] index: a bound of a slice must be known while a function is captured, and this tensor has no value yet
      tensor  n  i64[] cpu   captures.py:LINE   px.jit(lambda x, n: x[:n])(px.ones(3), px.tensor(2))
      try     keep the shape: px.where(px.arange(x.shape[0]) < n, x, 0); or pass the bound as an int
    """
    px.jit(lambda x, n: x[:n])(px.ones(3), px.tensor(2))


def size_that_is_a_tensor():
    """
    phlox.errors.GraphError: [E1001] zeros: 'size' must be known while a function is captured, and this tensor has no value yet
      size  n  i64[] cpu   captures.py:LINE   px.jit(lambda n: px.zeros(n, 2))(px.tensor(3))
      try   pass it as an int: each value is a graph of its own; shapes are known: x.shape[0]
    """
    px.jit(lambda n: px.zeros(n, 2))(px.tensor(3))


def shape_with_a_tensor():
    """
    phlox.errors.GraphError: [E1001] reshape: 'shape' must be known while a function is captured, and this tensor has no value yet
      shape  n  i64[] cpu   captures.py:LINE   px.jit(lambda x, n: x.reshape(n, 2))(px.ones(4), px.tensor(2))
      try    pass it as an int: each value is a graph of its own; shapes are known: x.shape[0]
    """
    px.jit(lambda x, n: x.reshape(n, 2))(px.ones(4), px.tensor(2))


def attribute_that_is_a_tensor():
    """
    phlox.errors.GraphError: [E1001] leaky_relu: 'negative_slope' must be known while a function is captured, and this tensor has no value yet
      negative_slope  r  f32[] cpu   captures.py:LINE   px.jit(lambda x, r: F.leaky_relu(x, r))(px.ones(3), px.tensor(0.1))
      try             pass it as a number: each value is a graph of its own; or compute with tensors: *, +, px.where
    """
    px.jit(lambda x, r: F.leaky_relu(x, r))(px.ones(3), px.tensor(0.1))


def element_of_a_list_by_a_tensor():
    """
    phlox.errors.GraphError: [E1001] index: an integer must be known while a function is captured, and this tensor has no value yet
      tensor  n  i64[] cpu   captures.py:LINE   px.jit(lambda x, n: x * [1, 2, 3][n])(px.ones(3), px.tensor(1))
      try     index a tensor: px.tensor([1, 2, 3])[n]; or pass the number as an int
    """
    px.jit(lambda x, n: x * [1, 2, 3][n])(px.ones(3), px.tensor(1))


def tensor_of_tensors():
    """
    phlox.errors.GraphError: [E1001] tensor: an element must be known while a function is captured, and this tensor has no value yet
      tensor  f32[] cpu
      at      captures.py:LINE   px.jit(lambda x: px.tensor([x[0], 1.0]))(px.ones(3))
      try     px.stack([a, b]) joins tensors
    """
    px.jit(lambda x: px.tensor([x[0], 1.0]))(px.ones(3))


def sorted_rows():
    """
    phlox.errors.GraphError: [E1001] sorted() compares by a tensor, which has no value yet while a function is captured
      condition  bool[] cpu
      at         captures.py:LINE   px.jit(lambda x: sorted(x))(px.ones(3))
      try        px.sort(x).values; of a list of tensors, px.sort(px.stack(values)).values
    """
    px.jit(lambda x: sorted(x))(px.ones(3))


def tensor_in_a_list():
    """
    phlox.errors.GraphError: [E1001] `in` compares with a tensor, which has no value yet while a function is captured
      condition  bool[] cpu
      at         captures.py:LINE   px.jit(lambda x, n: x if n in (1, 2) else -x)(px.ones(3), px.tensor(1))
      try        (px.tensor([1, 2, 3]) == x).any()
    """
    px.jit(lambda x, n: x if n in (1, 2) else -x)(px.ones(3), px.tensor(1))


def condition_in_a_trace():
    """
    phlox.errors.GraphError: [E1001] a condition on a tensor has no value yet while a function is captured, and a trace knows one way only
      condition  bool[] cpu
      at         captures.py:LINE   if x.sum() > 0:
      try        px.jit in place of px.trace captures both; or px.where(condition, a, b)
    """

    def absolute(x):
        if x.sum() > 0:
            return x
        return -x

    px.trace(absolute, px.ones(3))


def condition_that_is_not_converted():
    """
    phlox.errors.GraphError: [E1001] absolute() is not rewritten, and its condition on a tensor has no value yet while a function is captured
      condition  bool[] cpu
      at         captures.py:LINE   return x if x.sum() > 0 else -x
      try        leave out @px.capture.do_not_convert; or px.where(condition, a, b)
    """

    @px.capture.do_not_convert
    def absolute(x):
        return x if x.sum() > 0 else -x

    px.jit(lambda x: absolute(x))(px.ones(3))


def logged_tensor():
    """
    phlox.errors.GraphError: [E1002] logging.warning() shows values that are known only when the graph runs
      at   captures.py:LINE   px.jit(lambda x: logging.warning("x is %s", x))(px.ones(3))
      try  px.debug.callback(lambda value: logging.warning("%s", value), x)
    """
    px.jit(lambda x: logging.warning("x is %s", x))(px.ones(3))


def printed_without_a_format():
    """
    phlox.errors.TypeError: [E0104] print: the first argument is a format, a text, and not a tensor
      at   captures.py:LINE   px.debug.print(px.ones(3))
      try  px.debug.print("{}", x)
    """
    px.debug.print(px.ones(3))


def setting_of_an_optimizer():
    """
    phlox.errors.GraphError: [E1002] `weight_decay` of an optimizer is set in a captured function, which would do so once
      at   captures.py:LINE   optimizer.param_groups[0]["weight_decay"] = 0.1
      try  set it outside of the captured function, which is captured again then; `lr` may be set inside
    """
    optimizer = px.optim.SGD([px.ones(3, requires_grad=True)], lr=0.1)

    def step(x):
        optimizer.param_groups[0]["weight_decay"] = 0.1
        return x

    px.jit(step)(px.ones(3))


def state_of_an_optimizer():
    """
    phlox.errors.GraphError: [E1002] optimizer: state_dict() copies numbers, which have no values yet while a function is captured
      at   captures.py:LINE   px.jit(lambda x: x * len(optimizer.state_dict()))(px.ones(3))
      try  call it outside of the captured function
    """
    optimizer = px.optim.SGD([px.ones(3, requires_grad=True)], lr=0.1)
    px.jit(lambda x: x * len(optimizer.state_dict()))(px.ones(3))


def rates_of_a_schedule():
    """
    phlox.errors.GraphError: [E1001] optimizer: the learning rate is asked for, which has no value yet while a function is captured
      at   captures.py:LINE   px.jit(lambda x: x * schedule.get_last_lr()[0])(px.ones(3))
      try  compute with its tensor: param_groups[0]["lr"], in C++ lr_tensor()
    """
    optimizer = px.optim.SGD([px.ones(3, requires_grad=True)], lr=0.1)
    schedule = px.optim.lr_scheduler.StepLR(optimizer, 10)
    px.jit(lambda x: x * schedule.get_last_lr()[0])(px.ones(3))


def jacfwd_of_a_captured_batch():
    """
    phlox.errors.GraphError: [E1002] gradients of gradients of a captured function do not go through vmap()
      such as  jvp(), jacfwd() and hessian(), which are computed so
      at       captures.py:LINE   px.func.jacfwd(px.jit(px.vmap(lambda x: x * x.sum())))(px.ones(2, 3))
      try      take them inside of the captured function: px.jit(px.func.jacfwd(f))
    """
    px.func.jacfwd(px.jit(px.vmap(lambda x: x * x.sum())))(px.ones(2, 3))


def map_over_nothing():
    """
    phlox.errors.ShapeError: [E0205] map: `xs` is an empty list, and there is no tensor whose rows it could take
      at   captures.py:LINE   px.map(lambda x: x, [])
      try  px.stack(tensors) has a row for each of several tensors
    """
    px.map(lambda x: x, [])


def memory_of_a_parameter_in_a_trace():
    """
    phlox.errors.GraphError: [E1002] data: a tensor that exists outside of the captured function would have other memory after the first call only
      tensor  w  f32[3] cpu   captures.py:LINE   w.data = x * 2
      try     with px.no_grad(): w.copy_(value)
    """
    w = px.ones(3)

    def step(x):
        w.data = x * 2
        return x

    px.trace(step, px.ones(3))
