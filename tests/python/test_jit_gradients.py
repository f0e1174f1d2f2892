"""Gradients that follow a captured function backwards: they end where they end eagerly."""

# shard: graph

from functools import partial

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


class Twice(px.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, gradient):
        return gradient * FACTOR


FACTOR = 100.0
WEIGHT = px.nn.Parameter(t(1, 2))


def custom(x):
    return Twice.apply(x) * 1


def hooked(x):
    y = x * 2
    y.register_hook(lambda g: g * 50)
    return y * 1


def mapped(x):
    return px.vmap(lambda row: (row * row * WEIGHT).sum().tanh())(x.reshape(-1, 2))


def mapped_with_noise(x):
    return px.vmap(lambda row: px.dropout(row * WEIGHT, 0.5, True), randomness="different")(x.expand(6, 2))


def gradient(function, x):
    x = x.detach().requires_grad_()
    return px.autograd.grad(function(x).sum(), [x])[0]


OWN = {
    custom: "the function Twice",
    hooked: "a hook",
    mapped: r"vmap\(\)",
    mapped_with_noise: r"vmap\(\)",
}
FOLLOWED = (mapped, mapped_with_noise)  # from outside


def results(function, x, count=3):
    px.manual_seed(1)
    return [function(x) for _ in range(count)]


@pytest.mark.parametrize("function", OWN)
def test_gradients_of_the_programs_own(function):
    """Custom functions, hooks and vmap take part in backward() inside, and vmap from outside too."""
    expected = results(partial(gradient, function), t(1, 2))
    inside = results(px.jit(lambda x: gradient(function, x)), t(1, 2))
    assert all(map(same, inside, expected))
    jitted = px.jit(function)
    if function in FOLLOWED:
        assert all(map(same, results(partial(gradient, jitted), t(1, 2)), expected))
    else:
        with pytest.raises(
            px.GraphError, match=f"gradients of a captured .* do not go through {OWN[function]}"
        ):
            gradient(jitted, t(1, 2))
    if function is not hooked:  # which needs gradients
        with px.no_grad():
            assert all(map(same, results(px.jit(function), t(1, 2)), results(function, t(1, 2))))


@pytest.mark.parametrize("function", OWN)
def test_gradients_of_the_programs_own_that_are_not_followed(function):
    x = t(1, 2).requires_grad_()
    with pytest.raises(px.GraphError, match=f"do not go through {OWN[function]}"):
        px.autograd.grad(px.jit(function)(x).sum(), [x], create_graph=True)
    with pytest.raises(px.GraphError, match=f"do not go through {OWN[function]}"):
        branch = px.jit(
            lambda x: gradient(lambda v: px.cond(v.sum() > 0, lambda: function(v).sum(), lambda: v.sum()), x)
        )
        branch(t(1, 2))


def test_own_gradients_read_what_is_around(monkeypatch):
    inside = px.jit(lambda x: gradient(custom, x))
    for factor in (100.0, 7.0):
        monkeypatch.setitem(globals(), "FACTOR", factor)
        assert same(inside(t(1, 2)), t(factor, factor))


def hooked_inside_of_vmap(x):
    return px.vmap(hooked)(x)


def custom_inside_of_vmap(x):
    return px.vmap(custom)(x)


@pytest.mark.parametrize("function", [hooked_inside_of_vmap, custom_inside_of_vmap])
def test_code_of_the_program_under_vmap_is_not_followed(function):
    with pytest.raises(px.GraphError, match="do not go through (a hook|the function Twice)"):
        gradient(px.jit(function), px.ones(2, 2))


def test_parameters_that_vmap_maps_over():
    weight, plain = px.nn.Parameter(px.ones(4, 2)), px.nn.Parameter(t(1, 2))
    functions = (
        lambda x: px.vmap(lambda r, w: (r * w * w).sum())(x, weight).sum(),
        lambda x: px.vmap(lambda r: px.vmap(lambda w: (r * w * plain).sum())(weight).sum())(x).sum(),
    )
    for function in functions:
        found = []
        for f in (function, px.jit(function)):
            weight.grad = plain.grad = None
            f(px.randn(4, 2, generator=px.Generator().manual_seed(3))).backward()
            found.append((weight.grad, plain.grad))
        assert same(found[0][0], found[1][0])
        assert (plain.grad is None) == (function is functions[0])
        assert plain.grad is None or same(found[0][1], found[1][1])


def test_vmap_in_vmap_reaches_what_is_around():
    weight, shared = px.nn.Parameter(t(1, 2, 3)), px.nn.Parameter(px.tensor(2.0))
    x = t(1, 2)
    px.vmap(lambda a: px.vmap(lambda b: a * b * shared)(weight).sum())(x).sum().backward()
    assert same(weight.grad, t(6, 6, 6)) and shared.grad.item() == 18


def test_a_written_argument_is_not_followed():
    def function(x, y):
        y.mul_(px.vmap(lambda a: a * 2)(x))
        return y.sum()

    x = t(1, 2, 3).requires_grad_()
    with pytest.raises(px.GraphError, match=r"do not go through vmap\(\)"):
        px.jit(function)(x, x * 1).backward()


def test_own_gradients_of_one_result_leave_the_other_alone():
    other = px.nn.Parameter(t(3, 4))

    def both(x):
        return px.vmap(lambda r: (r * WEIGHT).sum())(x), px.vmap(lambda r: (r * other).sum())(x)

    for function in (both, px.jit(both)):
        WEIGHT.grad = None
        function(px.ones(3, 2))[0].sum().backward()
        assert same(WEIGHT.grad, t(3, 3))
        assert other.grad is None
    WEIGHT.grad = None


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x.register_hook(lambda g: g * 2),
        lambda x: WEIGHT.register_hook(lambda g: g * 2),
        lambda x: WEIGHT.register_post_accumulate_grad_hook(lambda p: None),
        lambda x: x.retain_grad(),
    ],
)
def test_hooks_of_tensors_around_are_refused(change):
    def function(x):
        change(x)
        return (x * WEIGHT).sum()

    with pytest.raises(px.GraphError, match="changes what backward.. does at a tensor around it"):
        px.jit(function)(WEIGHT * 1)
    WEIGHT.grad = None
    (WEIGHT * 1).sum().backward()
    assert same(WEIGHT.grad, t(1, 1))


class Exponential(px.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        y = px.exp(x)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, gradient):
        return gradient * ctx.saved_tensors[0]


class Attributes(px.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.twice, ctx.factor = x * 2, FACTOR
        ctx.save_for_backward(x * 3)
        return x * ctx.twice

    @staticmethod
    def backward(ctx, gradient):
        return gradient * ctx.twice * ctx.factor * ctx.saved_tensors[0]


@pytest.mark.parametrize("function", [Exponential, Attributes])
def test_what_custom_functions_keep(function):
    jitted = px.jit(lambda x: gradient(function.apply, x))
    for x in (t(1, 2), t(3, 4)):
        assert same(jitted(x), gradient(function.apply, x))
        assert same(px.jit(function.apply)(x), function.apply(x))


def test_results_that_a_custom_function_saves_go_when_they_are_dropped():
    before = px.memory.statistics()["allocated_bytes"]
    for _ in range(4):
        Exponential.apply(px.ones(1000, 100).requires_grad_())
    assert px.memory.statistics()["allocated_bytes"] == before


class Counter:
    def __init__(self):
        self.calls = 0

    def __call__(self, x):
        self.calls += 1
        return x * self.calls


class Scale:
    factor = 1.0

    def __call__(self, x):
        return x * self.factor


@pytest.mark.parametrize(
    "call",
    [
        lambda f, x: px.vmap(f)(x),
        lambda f, x: px.cond(x.sum() > 0, f, f, (x,)),
        lambda f, x: px.switch(x.sum().long() * 0, [f], x),
    ],
)
def test_objects_that_are_called_are_watched(call):
    scale = Scale()
    jitted = px.jit(lambda x: call(scale, x))
    for scale.factor in (2.0, 3.0):
        assert same(jitted(t(1, 2)), call(scale, t(1, 2)))
    counter = Counter()
    with pytest.raises(px.GraphError, match="calls"):
        px.jit(lambda x: call(counter, x))(t(1, 2))


def test_hooks_of_parameters_run_once():
    parameter = px.nn.Parameter(t(1, 2))
    parameter.register_hook(lambda g: g * 3)

    def function(x):
        return px.vmap(lambda r: (r * parameter).sum())(x).sum()

    found = []
    for f in (function, px.jit(function)):
        parameter.grad = None
        f(px.ones(3, 2)).backward()
        found.append(parameter.grad)
    assert same(found[0], t(9, 9)) and same(found[1], t(9, 9))


def test_what_hooks_change_around_them_is_refused():
    seen = []

    def logging(x):
        y = x * 2
        y.register_hook(lambda g: seen.append(1))
        return y * 1

    result = px.jit(logging)(t(1, 2).requires_grad_())
    with pytest.raises(px.GraphError, match="do not go through a hook"):
        result.sum().backward()
    with pytest.raises(px.GraphError, match="changes a list by append"):
        px.jit(lambda x: gradient(logging, x))(t(1, 2))
    assert not seen


@pytest.mark.parametrize(
    "call",
    [
        lambda x: px.vmap(scaled)(x),
        lambda x: px.func.vjp(scaled, x)[0],
        lambda x: px.func.jacrev(scaled)(x),
        lambda x: px.utils.checkpoint.checkpoint(scaled, x),
        lambda x: px.map(scaled, x),
        lambda x: px.cond(x.sum() > 0, scaled, scaled, (x,)),
        lambda x: px.switch(x.sum().long(), [scaled, scaled, scaled], x),
        lambda x: px.vmap(partial(scaled, power=2))(x),
    ],
)
def test_functions_that_functions_of_phlox_call_are_watched(call, monkeypatch):
    jitted = px.jit(call)
    for factor in (100.0, 7.0):
        monkeypatch.setitem(globals(), "FACTOR", factor)
        assert same(jitted(t(1, 2)), call(t(1, 2)))


def scaled(x, power=1):
    return x**power * FACTOR
