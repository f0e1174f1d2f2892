"""Gradients that follow a captured function backwards: they end where they end eagerly."""

# shard: graph

import pytest
from jit_helpers import same, t

import phlox as px
from phlox import nn


def detached(x):
    return x.detach() * x


def without_gradients(x):
    with px.no_grad():
        y = x * 2
    return y * x


def detached_in_a_branch(x):
    return px.cond(x.sum() > -100, lambda: x.detach() * x, lambda: x * 1)


def without_gradients_in_a_branch(x):
    def yes():
        with px.no_grad():
            y = x * 2
        return y * x

    return px.cond(x.sum() > -100, yes, lambda: x * 1)


def detached_in_a_loop(x):
    return px.while_loop(lambda h, i: i < 3, lambda h, i: (h * x + h.detach() * 2, i + 1), (x, px.tensor(0)))[
        0
    ]


def detached_state(x):
    return px.while_loop(lambda h, i: i < 3, lambda h, i: (h.detach() * x, i + 1), (x, px.tensor(0)))[0]


def begins_without_gradients(x):
    h = px.ones(2)
    return px.while_loop(lambda h, i: i < 3, lambda h, i: (h[:1] * x + h, i + 1), (h, px.tensor(0)))[0]


def detached_view(x):
    return x.detach()[:1] * x + x[1:] * x[:1].detach()


def leaf_made_inside(x):
    y = (x * 1).detach().requires_grad_()
    (g,) = px.autograd.grad((y * y * x.detach()).sum(), [y], create_graph=True)
    return (g * x).sum() + (y * x).sum()


def detached_result_of_a_branch(x):
    return px.cond(x.sum() > -100, lambda: (x * 2).detach(), lambda: x * 1) * x


@pytest.mark.parametrize(
    "function",
    [
        detached,
        without_gradients,
        detached_in_a_branch,
        without_gradients_in_a_branch,
        detached_in_a_loop,
        detached_state,
        begins_without_gradients,
        detached_view,
        leaf_made_inside,
        detached_result_of_a_branch,
    ],
)
def test_gradients_end_where_they_end_eagerly(function):
    """backward() outside of the captured function, which is followed backwards, and inside."""

    def gradient(f, x):
        x = x.detach().requires_grad_()
        return px.autograd.grad(f(x).sum(), [x])[0]

    x = t(1.5, -2)
    expected = gradient(function, x)
    assert px.allclose(gradient(px.jit(function), x), expected)
    assert px.allclose(px.jit(lambda x: gradient(function, x))(x), expected)
    assert px.allclose(gradient(px.trace(function, x.clone().requires_grad_()), x), expected)


def test_detached_parameters_around_a_function():
    w = t(2, 3).requires_grad_()
    again = w.detach()

    for function in (lambda x: w.detach() * x + w * x * x, lambda x: again * x + w * x * x):
        for run in (function, px.jit(function)):
            w.grad = None
            run(t(5, 7)).sum().backward()
            assert px.equal(w.grad, t(25, 49))


def test_writes_without_gradients_keep_the_history():
    def function(x):
        y = x + 3
        with px.no_grad():
            y *= 5
        return y + x

    for run in (function, px.jit(function)):
        x = t(1, 2).requires_grad_()
        y = run(x)
        y.sum().backward()
        assert same(y, t(21, 27)) and same(x.grad, t(2, 2))


def test_a_detached_view_and_its_leaf_in_one_branch():
    """The view lies as the leaf does, but gradients do not flow through it."""
    p = px.randn(4, 3, 2).requires_grad_()

    def function(a):
        y = px.cond(p.sum() > -1e9, lambda: px.where(a.detach().reshape(4, 3, 2) > 0, p, -p), lambda: p * 1)
        return px.autograd.grad(y.sum(), [p])[0]

    a = p.unfold(-1, 2, 1).detach()
    assert same(px.jit(function)(a), function(a))


def test_graphs_of_training_steps_detach_nothing():
    net = nn.Linear(2, 2)
    optimizer = px.optim.SGD(net.parameters(), lr=0.1)

    @px.jit
    def step(x):
        optimizer.zero_grad()
        loss = net(x).square().sum()
        loss.backward()
        optimizer.step()
        return loss.detach()

    step(px.ones(3, 2))
    assert "detach" not in step.graph.operations


def test_arguments_that_want_gradients_are_captured_for_them():
    traced = px.trace(lambda x: x * 2, t(1, 2))
    with pytest.raises(px.GraphError, match="captured for other inputs"):
        traced(t(1, 2).requires_grad_())
    with px.no_grad():
        assert same(traced(t(1, 2).requires_grad_()), t(2, 4))


def test_gradients_of_the_programs_own_are_not_followed():
    """A custom function or a hook takes part in backward() inside; who follows the graph from outside is told."""

    class Twice(px.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, gradient):
            return gradient * 100

    def custom(x):
        return Twice.apply(x) * 1

    def hooked(x):
        y = x * 2
        y.register_hook(lambda g: g * 50)
        return y * 1

    def gradient(function, x):
        x = x.detach().requires_grad_()
        return px.autograd.grad(function(x).sum(), [x])[0]

    for function, name in ((custom, "the function Twice"), (hooked, "a hook")):
        assert same(px.jit(lambda x, f=function: gradient(f, x))(t(1, 2)), t(100, 100))
        with pytest.raises(px.GraphError, match=f"do not go through {name}"):
            gradient(px.jit(function), t(1, 2))
        with pytest.raises(px.GraphError, match=f"do not go through {name}"):
            branch = px.jit(
                lambda x, f=function: gradient(lambda v: px.cond(v.sum() > 0, lambda: f(v), lambda: v), x)
            )
            branch(t(1, 2))
    with px.no_grad():
        assert same(px.jit(custom)(t(1, 2)), t(2, 4))
