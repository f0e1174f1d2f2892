"""Gradients that cannot be computed as asked."""

import phlox as px


def backward_without_gradients():
    """
    phlox.errors.GradientError: [E0604] backward: the tensor does not depend on anything that requires gradients
      tensor  loss  f32[] cpu   gradients.py:LINE   loss.backward()
      try     requires_grad = True on the leaves before the forward computation, outside no_grad()
    """
    loss = px.ones(3).sum()
    loss.backward()


def backward_of_many_elements():
    """
    phlox.errors.GradientError: [E0605] backward: without a gradient argument the tensor must be a single real number
      tensor  y  f32[3] cpu   gradients.py:LINE   y.backward()
      try     y.sum().backward(), or give a gradient of the shape of y
    """
    w = px.ones(3, requires_grad=True)
    y = w * 2
    y.backward()


def backward_twice():
    """
    phlox.errors.GradientError: [E0602] mul: gradients were computed before, and what they need was freed
      at   gradients.py:LINE   loss.backward()
      try  backward(retain_graph=True) the first time, or run the forward computation again
    """
    w = px.ones(3, requires_grad=True)
    loss = (w * w).sum()
    loss.backward()
    loss.backward()


def backward_with_a_gradient_of_another_shape():
    """
    phlox.errors.GradientError: [E0608] backward: a gradient must have the shape and dtype of its tensor
      tensor    f32[3] cpu
      gradient  f32[2] cpu
      at        gradients.py:LINE   y.backward(px.ones(2))
    """
    w = px.ones(3, requires_grad=True)
    y = w * 2
    y.backward(px.ones(2))


def leaf_changed_in_place():
    """
    phlox.errors.GradientError: [E0603] sub: a leaf that requires gradients cannot be modified in place
      tensor  w  f32[3] cpu   gradients.py:LINE   w -= 0.1
      try     with no_grad(): for updates and initialisation; else the form that returns a new tensor
    """
    w = px.ones(3, requires_grad=True)
    w -= 0.1


def leaf_assigned_to():
    """
    phlox.errors.GradientError: [E0603] setitem: a leaf that requires gradients cannot be modified in place
      tensor  w  f32[3] cpu   gradients.py:LINE   w[0] = 1.0
      try     with no_grad(): for updates and initialisation; else the form that returns a new tensor
    """
    w = px.ones(3, requires_grad=True)
    w[0] = 1.0


def view_of_a_leaf_changed_in_place():
    """
    phlox.errors.GradientError: [E0603] mul_: a leaf that requires gradients cannot be modified in place
      view of a leaf  w[0]  f32[] cpu   gradients.py:LINE   w[0].mul_(2)
      try             with no_grad(): for updates and initialisation; else the form that returns a new tensor
    """
    w = px.ones(3, requires_grad=True)
    w[0].mul_(2)


def saved_tensor_changed_in_place():
    """
    phlox.errors.GradientError: [E0601] exp: a tensor needed for the gradient was modified in place
      tensor  f32[3] cpu, version 3, saved at version 0
      at      gradients.py:LINE   z.sum().backward()
      try     use the out-of-place form, or clone() the tensor before writing into it
    """
    w = px.ones(3, requires_grad=True)
    y = w.exp()
    y.mul_(2)
    y.mul_(y)
    z = y.exp()
    y += 1
    z.sum().backward()


def requires_grad_of_a_result():
    """
    phlox.errors.GradientError: [E0607] requires_grad: only leaves, which no operation has made, allow this
      tensor  y  f32[3] cpu   gradients.py:LINE   y.requires_grad_(False)
      try     y.detach() is a leaf of the same data
    """
    w = px.ones(3, requires_grad=True)
    y = w * 2
    y.requires_grad_(False)


def gradient_of_another_shape():
    """
    phlox.errors.GradientError: [E0608] set_grad: the gradient must be like its tensor
      tensor    w  f32[3] cpu   gradients.py:LINE   w.grad = px.ones(2)
      gradient     f32[2] cpu
    """
    w = px.ones(3, requires_grad=True)
    w.grad = px.ones(2)


def gradient_of_another_kind():
    """
    phlox.errors.TypeError: [E0104] grad: must be a tensor or None, not float
      at  gradients.py:LINE   w.grad = 1.0
    """
    w = px.ones(3, requires_grad=True)
    w.grad = 1.0


def gradient_that_does_not_exist():
    """
    phlox.errors.GradientError: [E0604] grad: the outputs do not depend on input 0
      input  b  f32[3] cpu   gradients.py:LINE   px.autograd.grad((a * 2).sum(), [b])
      try    allow_unused gives an undefined gradient in such a place
    """
    a, b = px.ones(3, requires_grad=True), px.ones(3, requires_grad=True)
    px.autograd.grad((a * 2).sum(), [b])


def out_with_gradients():
    """
    phlox.errors.GradientError: [E0603] exp: out= cannot take part in gradients
      at   gradients.py:LINE   px.exp(w, out=result)
      try  leave out= away, or write under px.no_grad()
    """
    w, result = px.ones(3, requires_grad=True), px.zeros(3)
    px.exp(w, out=result)


def inference_tensor_in_training():
    """
    phlox.errors.GradientError: [E0611] mul_: a tensor made in inference mode cannot take part in gradients
      tensor  x  f32[3] cpu   gradients.py:LINE   x.mul_(w)
      try     write into a clone() made outside inference mode
    """
    with px.inference_mode():
        x = px.ones(3)
    w = px.ones(3, requires_grad=True)
    x.mul_(w)


def pickle_of_a_result():
    """
    phlox.errors.GradientError: [E0607] pickle: only leaves, which no operation has made, can be pickled
      tensor  y  f32[3] cpu   gradients.py:LINE   pickle.dumps(y)
      try     y.detach()
    """
    import pickle

    w = px.ones(3, requires_grad=True)
    y = w * 2
    pickle.dumps(y)


def not_a_number_in_anomaly_mode():
    """
    phlox.errors.GradientError: [E0609] sqrt: the gradient of input 0 is NaN
      gradient  f32[2] cpu
      forward   gradients.py:LINE   y = w.sqrt() * w
      at        gradients.py:LINE   y.sum().backward()
      try       look at the values that reach this operation; clamp them, or add a small epsilon
    """
    w = px.zeros(2, requires_grad=True)
    with px.autograd.detect_anomaly():
        y = w.sqrt() * w
        y.sum().backward()
