"""What comes out of a branch or loop may be a tensor that exists: writes into one of the two are seen, or refused."""

# shard: graph

import pytest
from jit_helpers import agrees, t

import phlox as px

POINTS = [(t(1, 2, 3), px.tensor(c)) for c in (2.0, -2.0)]


def written_result(a, c):
    y = a if c > 0 else a * 2
    y.add_(1)
    return y


def written_original(a, c):
    b = a * 1
    y = b if c > 0 else b * 2
    b.add_(1)
    return y


def another_name(a, c):
    h = a * 2
    other = h
    if c > 0:
        h = h * 2
    h += 1
    return h, other


def after_a_loop(a, c):
    h = a
    while h.sum() < c:
        h = h * 2
    h += 1
    return h


def two_variables_of_a_loop(a, c):
    a, b, total = a * 1, a * 1, a * 0
    for _ in range(c.to(px.int64) + 3):
        a += 1
        total = total + b
        b = a
    return total


def a_variable_and_what_is_around(a, c):
    w = a * 1
    before, total = w * 0, w * 0
    for _ in range(c.to(px.int64) + 3):
        total = total + before
        before = w
        w.add_(1)
    return total


def written_in_a_loop(a, c):
    w, other = a * 1, a * 0
    for _ in range(c.to(px.int64) + 3):
        y = w if c > 0 else other
        y.add_(1)
    return w


def written_in_another_branch(a, c):
    a = a * 1
    y = a if c > 0 else a * 2
    if c < 5:
        y.add_(1)
    return a


def one_of_two_results(a, c):
    if c > 0:
        y = a * 1
        z = y
    else:
        y, z = a * 2, a * 3
    y.add_(1)
    return y, z


def a_view(a, c):
    b = a * 1
    v = b[0:2] if c > 0 else b[1:3]
    v.mul_(5)
    return b


def an_element(a, c):
    b = a * 1
    b[1 if c > 0 else 2].add_(5)
    return b


def an_element_in_a_loop(a, c):
    b = a * 1
    for i in range(c.to(px.int64)):
        b[i].add_(5)
    return b


@pytest.mark.parametrize(
    "function",
    [f for f in list(globals().values()) if getattr(f, "__module__", "") == __name__],
    ids=lambda f: f.__name__,
)
def test_what_may_be_another_tensor_is_refused(function):
    function(*(x.clone() for x in POINTS[0]))
    with pytest.raises(px.GraphError, match="may be another one|may have been written") as caught:
        px.jit(function)(*(x.clone() for x in POINTS[0]))
    text = str(caught.value)
    assert caught.value.code == "E1002" and "test_captured_aliases.py" in text and "clone()" in text


def test_writes_that_nobody_else_sees():
    def function(a, c):
        h = a * 2
        h = h * 2 if c > 0 else h
        h += 1
        while h.sum() < 40:
            h = h * 2
        h.mul_(2)
        best = px.tensor([0.0, 0.0, 0.0])
        if c > 0:
            best = h * 1
        best += 1
        return h, best

    agrees(function, *POINTS)


def test_sides_that_write_one_memory():
    def function(x, c):
        a = x * 1
        b = a.flip(0)
        if c > 0:
            a[0] = 5
        else:
            b[0] = 7
        return a, b

    with pytest.raises(px.GraphError, match="write one memory through different views"):
        px.jit(function)(*POINTS[0])


def test_a_state_that_gets_the_result_of_its_loop():
    class Cell:
        def __init__(self):
            self.state = px.ones(3)

        def step(self, x, c):
            h = self.state
            for _ in range(c.to(px.int64)):
                h = h * 2 + x
            self.state.copy_(h)
            return h

    eager, captured = Cell(), Cell()
    step = px.jit(captured.step)
    for n in (0.0, 2.0, 1.0):
        assert px.equal(step(t(1, 2, 3), px.tensor(n)), eager.step(t(1, 2, 3), px.tensor(n)))
        assert px.equal(captured.state, eager.state)


def test_elements_at_numbers_of_the_graph_are_views():
    def function(x, n):
        out = px.zeros(6)
        out[0] = 1
        for i in range(n):
            before = out[i]
            out[i + 1] = before * 2 + x.sum()
            out[i + 1] += before
        last = out[n]
        first = last * 1
        out.mul_(2)
        return out, last, first

    agrees(function, *[(t(1, 2), px.tensor(n)) for n in (0, 1, 4)])


def test_an_argument_that_a_variable_may_be():
    def function(x, c):
        b = x * 2
        for _ in range(c.clamp_min(0).to(px.int64)):
            b = x
            if c > 1:
                b = b if c > 5 else b
        b.add_(1)
        return b

    with pytest.raises(px.GraphError, match="may be another one"):
        px.jit(function)(*POINTS[0])


@pytest.mark.parametrize("swallow", ["except", "suppress"])
def test_exceptions_of_one_side_are_not_caught_for_both(swallow):
    import contextlib

    def with_except(x):
        try:
            y = {}["missing"] if x > 0 else x
        except KeyError:
            y = x * 7
        return y

    def with_suppress(x):
        y = x * 7
        with contextlib.suppress(KeyError):
            y = {}["missing"] if x > 0 else x
        return y

    if swallow == "except":
        with pytest.raises(px.GraphError, match="KeyError is raised under a condition"):
            px.jit(with_except)(px.tensor(1.0))
    else:
        with pytest.raises(KeyError):
            px.jit(with_suppress)(px.tensor(1.0))


def test_an_error_of_the_capture_is_not_caught_by_the_program():
    def function(x):
        try:
            return x * x.item()
        except Exception:
            return x * 0

    with pytest.raises(px.GraphError):
        px.jit(function)(px.tensor(2.0))


def test_exceptions_that_are_caught_in_the_same_branch():
    def function(x):
        if x > 0:
            try:
                x = x + {}["missing"]
            except KeyError:
                x = x * 5
        return x

    agrees(function, (px.tensor(1.0),), (px.tensor(-1.0),))
