"""What tests of captured functions compare with."""

import phlox as px


def same(a, b):
    if isinstance(a, px.Tensor) or isinstance(b, px.Tensor):
        a, b = (v.detach() if isinstance(v, px.Tensor) else px.as_tensor(v) for v in (a, b))
        return a.dtype == b.dtype and a.shape == b.shape and px.equal(a, b)
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    return a == b


def agrees(function, *inputs):
    """Jitted and eager give the same for each input; the jitted function."""
    jitted = px.jit(function)
    for args in inputs:
        expected, actual = function(*args), jitted(*args)
        assert same(actual, expected), (args, actual, expected, jitted.graph)
    return jitted


def follows(function, *calls):
    """Compares for each entry: arguments, or a change of the program that comes before the next ones."""
    jitted = px.jit(function)
    for call in calls:
        if callable(call):
            call()
            continue
        expected, actual = function(*call), jitted(*call)
        assert same(actual, expected) and type(actual) is type(expected), (call, actual, expected)
    return jitted


def t(*values):
    return px.tensor([float(v) for v in values])
