"""px.checkpoint: the gradients of a plain call, with the random numbers of the first run, wherever it stands."""

# shard: foundation

import pytest
from phlox.utils.checkpoint import checkpoint, checkpoint_sequential

import phlox as px

x = px.tensor([[0.3, -1.0, 0.7, 2.0], [1.1, 0.2, -0.4, 0.9], [0.5, 0.6, -0.8, -1.2]])
w = px.linspace(-1, 1, 16).reshape(4, 4).requires_grad_()


def smooth(a):
    return px.tanh(a @ w).sin()


def noisy(a):
    hidden = px.nn.functional.dropout(px.tanh(a @ w), 0.5, True)
    return px.nn.functional.dropout((hidden @ w).sin(), 0.3, True)


def checkpointed(function):
    return lambda *args: checkpoint(function, *args)


def plain(function):
    return function


def gradient(function):
    return px.func.grad(lambda a: function(a).sum())


def seeded(run):
    """What a run gives, and a number that is drawn after it."""
    px.manual_seed(3)
    return [*run(), px.rand(2)]


def assert_same(run):
    """`run` is called with the two ways to make a function one of a block; the bits are to be the same."""
    expected, found = (seeded(lambda way=way: run(way)) for way in (plain, checkpointed))
    assert len(expected) == len(found) > 1
    for a, b in zip(expected, found):
        assert px.equal(a, b)


def value_and_gradients(function):
    leaf = x.clone().requires_grad_()
    result = function(leaf)
    return [result, *px.autograd.grad(result.sum(), [leaf, w])]


def test_random_numbers_repeat_and_the_generator_goes_on():
    assert_same(lambda way: value_and_gradients(way(noisy)))


def test_other_random_numbers_on_request():
    px.manual_seed(0)
    leaf = px.ones(1000).requires_grad_()
    result = checkpoint(lambda a: a * px.exp(a * px.rand(1000)), leaf, preserve_rng_state=False)
    (found,) = px.autograd.grad(result.sum(), leaf)
    px.manual_seed(0)
    other = px.ones(1000).requires_grad_()
    (expected,) = px.autograd.grad((other * px.exp(other * px.rand(1000))).sum(), other)
    assert not px.allclose(found, expected)


@pytest.mark.parametrize(
    "transform",
    [
        gradient,
        lambda f: gradient(gradient(f)),
        lambda f: lambda a: px.func.vjp(f, a)[1](px.ones(3, 4)),
        lambda f: lambda a: px.func.jvp(f, (a,), (px.ones(3, 4),))[1],
        px.func.jacrev,
        px.func.jacfwd,
        lambda f: px.func.hessian(lambda a: f(a).sum()),
        px.vmap,
        lambda f: px.vmap(gradient(f)),
        lambda f: gradient(px.vmap(f)),
        lambda f: gradient(gradient(px.vmap(f))),
        lambda f: lambda a: px.func.linearize(f, a)[1](px.ones(3, 4)),
    ],
)
def test_composes_with_the_functions_of_functions(transform):
    expected = transform(smooth)(x)
    px.testing.assert_close(transform(checkpointed(smooth))(x), expected)  # inside
    px.testing.assert_close(checkpointed(transform(smooth))(x), expected)  # around
    outer = gradient(checkpointed(transform(checkpointed(smooth))))(x)
    px.testing.assert_close(outer, gradient(transform(smooth))(x))


@pytest.mark.parametrize("randomness", ["different", "same"])
def test_random_numbers_of_samples(randomness):
    assert_same(lambda way: value_and_gradients(px.vmap(way(noisy), randomness=randomness)))
    assert_same(lambda way: value_and_gradients(way(px.vmap(noisy, randomness=randomness))))


def test_gradients_inside_of_the_function():
    def block(a):
        first = px.nn.functional.dropout(a.sin(), 0.5, True)
        (g,) = px.autograd.grad((first * first).sum(), a, create_graph=True)
        second = px.nn.functional.dropout(g.exp(), 0.5, True)
        (h,) = px.autograd.grad((second * second * first).sum(), a, create_graph=True)
        return px.nn.functional.dropout(h * second, 0.5, True) @ w

    assert_same(lambda way: value_and_gradients(lambda leaf: way(block)(leaf * 1.5)))


def test_nested():
    def both(way):
        return lambda a: way(noisy)(way(noisy)(a)).cos()

    assert_same(lambda way: value_and_gradients(way(both(way))))


def captured_twice(function):
    captured = px.jit(function)
    leaf = x.clone().requires_grad_()
    return [t for _ in range(2) for t in captured(leaf, px.tensor(1.0))]


def test_captured_functions_repeat_their_random_numbers():
    def step(way):
        def run(a, _):
            result = way(noisy)(a)
            return (result, *px.autograd.grad(result.sum(), [a, w]))

        return run

    assert_same(lambda way: captured_twice(step(way)))


def test_branches_in_captured_functions():
    def inside(way):
        def run(a, p):
            result = px.cond(p > 0, way(noisy), px.sin, (a,))
            return (result, *px.autograd.grad(result.sum(), [a, w]))

        return run

    def around(way):
        def run(a, p):
            def block(b):
                b = px.nn.functional.dropout(b, 0.5, True)
                b = px.cond(p > 0, noisy, px.sin, (b,))
                return px.nn.functional.dropout(b * b, 0.5, True)

            result = way(block)(a)
            return (result, *px.autograd.grad(result.sum(), [a, w]))

        return run

    assert_same(lambda way: captured_twice(inside(way)))
    assert_same(lambda way: captured_twice(around(way)))


def test_captured_functions_inside():
    def run(way):
        captured = px.jit(noisy)
        leaf = x.clone().requires_grad_()
        given = []
        for _ in range(2):
            result = way(captured)(leaf * 1.5)
            given += [result, *px.autograd.grad(result.sum(), leaf)]
        return given

    assert_same(run)


def test_training_is_the_same():
    def train(way):
        px.manual_seed(5)
        layers = px.nn.Sequential(px.nn.Linear(4, 8), px.nn.Dropout(0.3), px.nn.Tanh(), px.nn.Linear(8, 1))
        optimizer = px.optim.SGD(layers.parameters(), lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            way(layers)(x).pow(2).mean().backward()
            optimizer.step()
        return [p.detach() for p in layers.parameters()]

    assert_same(train)


def test_structures():
    def block(a, parts, scale):
        return {"product": (a * parts["k"] * scale, None), "count": 3}

    a, k = px.ones(2, requires_grad=True), px.full((2,), 3.0, requires_grad=True)
    result = px.checkpoint(block, a, {"k": k * 1}, scale=2.0, use_reentrant=False)
    assert result["count"] == 3 and result["product"][1] is None
    result["product"][0].sum().backward()
    assert a.grad.tolist() == [6.0, 6.0] and k.grad.tolist() == [2.0, 2.0]


def test_what_is_saved_is_freed():
    def block(a):
        for _ in range(10):
            a = px.tanh(a)
        return a

    def kept(way):
        leaf = px.zeros(1 << 16).requires_grad_()
        before = px.memory.statistics()["allocated_bytes"]
        result = way(block)(leaf)
        return px.memory.statistics()["allocated_bytes"] - before, result

    assert kept(checkpointed)[0] <= kept(plain)[0] / 5


def test_arguments_that_were_written_are_refused():
    leaf = x.clone().requires_grad_()
    between = leaf * 1
    result = checkpoint(smooth, between)
    between.mul_(2)
    with pytest.raises(px.GradientError, match="modified in place") as error:
        result.sum().backward()
    assert error.value.code == "E0601"


def test_a_different_second_run_is_refused():
    calls = []

    def block(a):
        calls.append(1)
        return (a * a).sin() if len(calls) == 1 else (a * a).sin().exp()

    result = checkpoint(block, x.clone().requires_grad_())
    with pytest.raises(px.StateError, match="the second run saved"):
        result.sum().backward()


def test_contexts_for_each_run():
    seen = []

    class Note:
        def __init__(self, name):
            self.name = name

        def __enter__(self):
            seen.append(self.name)

        def __exit__(self, *_):
            seen.append(f"/{self.name}")

    result = checkpoint(smooth, x.clone().requires_grad_(), context_fn=lambda: (Note("first"), Note("again")))
    assert seen == ["first", "/first"]
    result.sum().backward()
    assert seen == ["first", "/first", "again", "/again"]


def test_in_parts():
    layers = [px.nn.Linear(4, 4), px.tanh, px.nn.Linear(4, 4), px.sin, px.nn.Linear(4, 1)]
    model = px.nn.Sequential(*(layer for layer in layers if isinstance(layer, px.nn.Module)))
    for chain, parts in ((layers, 3), (layers, 1), (model, 2)):
        leaf = x.clone().requires_grad_()
        result = checkpoint_sequential(chain, parts, leaf, use_reentrant=False)
        expected = leaf
        for layer in chain:
            expected = layer(expected)
        px.testing.assert_close(result, expected)
        found, wanted = (px.autograd.grad(r.sum(), leaf)[0] for r in (result, expected))
        px.testing.assert_close(found, wanted)
    with pytest.raises(ValueError, match="2 functions cannot be run in 3 parts"):
        checkpoint_sequential(layers[:2], 3, x)


def test_without_gradients_it_is_a_call():
    with px.no_grad():
        assert not checkpoint(smooth, x).requires_grad
    assert px.checkpoint is checkpoint is px.func.checkpoint is px.autograd.checkpoint
