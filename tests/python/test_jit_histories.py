"""What a captured function writes into tensors around it keeps its gradients: eager = captured, call after call."""

# shard: graph

import pytest

import phlox as px


def argument(w, state):
    def f(b, x):
        b.mul_(w * x)

    return f, lambda: state


def returned_argument(w, state):
    def f(b, x):
        b.mul_(w * x)
        return b

    return f, lambda: state


def tensor_around(w, state):
    def f(b, x):
        state.mul_(w * x)
        return x * 1

    return f, lambda: state


def slice_of_one_around(w, state):
    def f(b, x):
        state[:1] = (w * x)[:1]
        state.mul_(w)
        return state.sum()

    return f, lambda: state


def base_of_a_view(w, state):
    view = state[1:]

    def f(b, x):
        state.mul_(w * x)

    return f, lambda: view


def in_branches(w, state):
    def f(b, x):
        if x.sum() > 4:
            state.mul_(w)
        else:
            state.add_(w * 3)

    return f, lambda: state


def result_and_state(w, state):
    def f(b, x):
        y = (w * x).tanh()
        state.copy_(y + state * 0.5)
        return y

    return f, lambda: state


def calls(make, wrap):
    w = px.tensor([2.0, 3.0], requires_grad=True)
    state = px.ones(2)
    f, end = make(w, state)
    f = wrap(f)
    total = 0
    for i in range(3):
        result = f(state, px.full((2,), 1.0 + i))
        if result is not None:
            total = total + result.sum()
    (total + (end() * end()).sum()).backward()
    return state.detach().tolist(), w.grad.tolist(), state.requires_grad


PROGRAMS = [
    argument,
    returned_argument,
    tensor_around,
    slice_of_one_around,
    base_of_a_view,
    in_branches,
    result_and_state,
]


@pytest.mark.parametrize("make", PROGRAMS, ids=lambda f: f.__name__)
def test_gradients_flow_through_what_is_written(make):
    expected = calls(make, lambda f: f)
    captured = calls(make, px.jit)
    assert captured[0] == expected[0]
    assert captured[1] == pytest.approx(expected[1], rel=1e-6)
    assert captured[2] == expected[2]


def test_the_written_argument_comes_back():
    w = px.tensor([2.0, 3.0], requires_grad=True)

    @px.jit
    def f(b):
        b.mul_(w)
        return b

    state = px.ones(2)
    result = f(state)
    with px.no_grad():
        result.add_(1)
    assert state.tolist() == [3.0, 4.0]


def test_an_argument_that_is_a_view_of_a_parameter_is_refused():
    w = px.tensor([2.0, 3.0], requires_grad=True)
    f = px.jit(lambda x: (x * w).sum())
    with pytest.raises(px.GraphError, match="shares memory with another"):
        f(w[:])
    f(w[:].clone()).backward()
    assert w.grad.tolist() == [4.0, 6.0]


def test_a_parameter_lies_in_an_argument_without_gradients():
    w = px.tensor([2.0, 3.0], requires_grad=True)

    @px.jit
    def f(x):
        (x * w).sum().backward()
        return w.grad * 1

    assert f(w.detach()).tolist() == [2.0, 3.0]
    assert f(w.detach()).tolist() == [4.0, 6.0]


def test_backward_to_what_was_computed_before_is_refused():
    w = px.tensor([2.0, 3.0], requires_grad=True)

    @px.jit
    def f(x):
        (x * x).sum().backward()
        return x.grad

    with pytest.raises(px.GraphError, match="computed before the captured function"):
        f(w * 2)
    x = px.ones(2, requires_grad=True)
    assert f(x).tolist() == [2.0, 2.0]
    with pytest.raises(px.GraphError, match="computed before the captured function"):
        f(w * 2)
    inside = px.jit(lambda x: px.autograd.grad((x * x).sum(), x)[0])
    assert inside(w * 2).tolist() == [8.0, 12.0]


def test_gradients_of_a_leaf_made_inside_are_captured_once():
    @px.jit
    def f(x):
        x = x.detach().requires_grad_()
        (x * x).sum().backward()
        return x.grad

    for i in range(12):
        assert f(px.full((3,), float(i))).tolist() == [2.0 * i] * 3
    f.assert_compiled(max_compiles=1)
