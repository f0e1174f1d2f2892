"""Gradients from Python: backward, grad, modes, hooks, functions of one's own, checkpointing, anomaly mode."""

import gc
import threading
import weakref

import pytest

import phlox as px


def leaf(*values):
    return px.tensor(list(values), requires_grad=True)


def test_backward_accumulates():
    x = leaf(1.0, 2.0)
    (x * x).sum().backward()
    assert x.grad.tolist() == [2.0, 4.0]
    (x * x).sum().backward()
    assert x.grad.tolist() == [4.0, 8.0]
    x.grad = None
    assert x.grad is None
    x.grad = px.ones(2)
    del x.grad
    assert x.grad is None


def test_grad_function():
    x, y = leaf(2.0), leaf(3.0)
    gx, gy = px.autograd.grad((x * y).sum(), [x, y])
    assert (gx.item(), gy.item()) == (3.0, 2.0) and x.grad is None
    (g,) = px.autograd.grad(x * x, x, grad_outputs=px.tensor([5.0]))
    assert g.item() == 20
    with pytest.raises(px.GradientError):
        px.autograd.grad(x * 2, [y])
    assert px.autograd.grad(x * 2, [y], allow_unused=True) == (None,)


def test_higher_derivatives():
    x = leaf(2.0)
    (first,) = px.autograd.grad(x**4, x, create_graph=True)
    (second,) = px.autograd.grad(first, x, create_graph=True)
    (third,) = px.autograd.grad(second, x)
    assert (first.item(), second.item(), third.item()) == (32.0, 48.0, 48.0)


def test_retain_graph():
    x = leaf(3.0)
    y = x * x
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.item() == 12
    with pytest.raises(px.GradientError) as error:
        y.backward()
    assert error.value.code == "E0602"


def test_backward_functions():
    x = leaf(1.0, 2.0)
    px.autograd.backward([x.sum(), (x * 3).sum()])
    assert x.grad.tolist() == [4.0, 4.0]
    (x * x).backward(px.tensor([1.0, 10.0]))
    assert x.grad.tolist() == [6.0, 44.0]
    with pytest.raises(px.GradientError):
        (x * x).backward()
    with pytest.raises(px.GradientError):
        px.ones(1).backward()
    with pytest.raises(TypeError):
        x.sum().backward(1.0)


def test_modes():
    x = leaf(1.0)
    assert px.is_grad_enabled()
    with px.no_grad():
        assert not px.is_grad_enabled() and not (x * 2).requires_grad
        with px.enable_grad():
            assert (x * 2).requires_grad
        assert not px.is_grad_enabled()
    with px.set_grad_enabled(False):
        assert not (x * 2).requires_grad
    assert (x * 2).requires_grad
    px.set_grad_enabled(False)
    assert not px.is_grad_enabled()
    px.set_grad_enabled(True)
    with px.inference_mode():
        y = x * 2
        assert y.is_inference() and not y.requires_grad and px.is_inference_mode_enabled()
    with pytest.raises(px.GradientError):
        y.requires_grad_()
    with pytest.raises(ZeroDivisionError), px.no_grad():
        1 / 0  # noqa: B018
    assert px.is_grad_enabled()


def test_modes_as_decorators():
    @px.no_grad()
    def one(x):
        """Doc."""
        return x * 2

    @px.no_grad
    def two(x):
        return x * 2

    @px.inference_mode()
    def three(x):
        return x * 2

    @px.set_grad_enabled(False)
    def four(x):
        return x * 2

    x = leaf(1.0)
    assert not any(f(x).requires_grad for f in (one, two, three, four))
    assert one.__name__ == "one" and one.__doc__ == "Doc." and (x * 2).requires_grad


def test_modes_belong_to_a_thread():
    seen = []
    with px.no_grad():
        thread = threading.Thread(target=lambda: seen.append(px.is_grad_enabled()))
        thread.start()
        thread.join()
    assert seen == [True]


def test_leaves():
    x = leaf(1.0)
    y = x * 2
    assert x.is_leaf and x.grad_fn is None and not y.is_leaf and y.requires_grad
    assert "Mul" in repr(y.grad_fn) and y.grad_fn == y.grad_fn
    assert y.grad_fn.next_functions[0][0].name() == "AccumulateGrad"
    assert y.detach().is_leaf and not y.detach().requires_grad
    with pytest.raises(px.GradientError):
        y.requires_grad = False
    with pytest.raises(px.GradientError):
        px.tensor([1]).requires_grad_()
    y.detach_()
    assert y.is_leaf and y.grad_fn is None and not y.requires_grad
    assert not leaf(1.0).requires_grad_(False).requires_grad


def test_retain_grad():
    x = leaf(1.0)
    y = x * 2
    y.retain_grad()
    (y * 3).sum().backward()
    assert y.grad.item() == 3 and y.retains_grad and x.grad.item() == 6


def test_retain_grad_stays_through_writes_in_place():
    """The gradient kept is that of the value at last, as in PyTorch."""
    x = leaf(1.0)
    y = x * 2
    y.retain_grad()
    y.mul_(5)
    assert y.retains_grad
    (y * 3).sum().backward()
    assert y.grad.item() == 3 and x.grad.item() == 30
    x = px.ones(3, requires_grad=True)
    y = x * 2
    y.retain_grad()
    y[0] = 7.0  # a write through a view of it
    (y * 3).sum().backward()
    assert y.grad.tolist() == [3, 3, 3] and x.grad.tolist() == [0, 6, 6]


def test_gradcheck():
    x = px.randn(2, 3, dtype=px.float64, requires_grad=True)
    before = x.detach().clone()
    assert px.autograd.gradcheck(lambda a, b: (px.sin(a) @ b, a.T), [x, x.T.detach()])
    assert px.equal(x, before) and x.grad is None

    class Wrong(px.autograd.Function):
        @staticmethod
        def forward(context, a):
            return a * 2

        @staticmethod
        def backward(context, gradient):
            return gradient * 3

    with pytest.raises(
        px.GradientError, match=r"gradcheck: .* is 3.0 by backward\(\) and [12]\.\d+ by differences"
    ):
        px.autograd.gradcheck(Wrong.apply, x)
    assert not px.autograd.gradcheck(Wrong.apply, x, raise_exception=False)
    with pytest.raises(px.errors.ValueError, match="must be float64"):
        px.autograd.gradcheck(px.sin, px.ones(2, requires_grad=True))
    with pytest.raises(px.errors.ValueError, match="no input requires"):
        px.autograd.gradcheck(px.sin, px.ones(2))


def test_hooks():
    x = leaf(1.0)
    seen = []
    handle = x.register_hook(lambda g: seen.append(g.item()))
    other = x.register_hook(lambda g: g * 10)
    (x * 2).backward()
    assert seen == [2.0] and x.grad.item() == 20
    handle.remove()
    other.remove()
    other.remove()
    x.grad = None
    (x * 2).backward()
    assert seen == [2.0] and x.grad.item() == 2


def test_hooks_that_fail():
    x = leaf(1.0)
    x.register_hook(lambda g: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        (x * 2).backward()
    y = leaf(1.0)
    y.register_hook(lambda g: 5)
    with pytest.raises(px.errors.TypeError):
        (y * 2).backward()


def test_writing_in_place_is_noticed():
    x = leaf(1.0)
    with pytest.raises(px.GradientError) as error:
        x.add_(1)
    assert error.value.code == "E0603"
    y = px.exp(x)
    z = y * y
    y.add_(1)
    with pytest.raises(px.GradientError) as error:
        z.backward()
    assert error.value.code == "E0601"
    with px.no_grad():
        x.add_(1)
    assert x.item() == 2 and x.is_leaf


class Cube(px.autograd.Function):
    @staticmethod
    def forward(ctx, x, scale=1.0):
        ctx.save_for_backward(x)
        ctx.scale = scale
        return x * x * x * scale

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return gradient * 3 * x * x * ctx.scale, None


def test_function():
    x = leaf(2.0)
    y = Cube.apply(x, 2.0)
    assert "Cube" in repr(y.grad_fn)
    (g,) = px.autograd.grad(y, x, create_graph=True)
    assert g.item() == 24
    (second,) = px.autograd.grad(g, x)
    assert second.item() == 24
    assert not Cube.apply(x.detach()).requires_grad


def test_function_of_several():
    class Split(px.autograd.Function):
        @staticmethod
        def forward(x, y):
            return x + y, x - y, px.tensor([1])

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.mark_non_differentiable(output[2])
            ctx.shapes = [i.shape for i in inputs]

        @staticmethod
        def backward(ctx, a, b, _):
            return a + b, a - b

    x, y = leaf(1.0), leaf(2.0)
    total, difference, index = Split.apply(x, y)
    assert not index.requires_grad
    (total * 3 + difference).backward()
    assert (x.grad.item(), y.grad.item()) == (4.0, 2.0)


def test_function_errors():
    class Wrong(px.autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            return x * y

        @staticmethod
        def backward(ctx, gradient):
            return gradient

    x, y = leaf(1.0), leaf(1.0)
    with pytest.raises(px.GradientError, match="1 gradients for 2"):
        Wrong.apply(x, y).backward()

    class Raises(Wrong):
        @staticmethod
        def backward(ctx, gradient):
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        Raises.apply(x, y).backward()

    class RaisesForward(Wrong):
        @staticmethod
        def forward(ctx, x, y):
            raise KeyError("forward")

    with pytest.raises(KeyError, match="forward"):
        RaisesForward.apply(x, y)


def test_functions_are_released():
    x = leaf(2.0)
    y = Cube.apply(x)
    token = type("Token", (), {})()
    y.register_hook(lambda g, token=token: None)
    reference = weakref.ref(token)
    del token, y
    gc.collect()
    assert reference() is None


def test_checkpoint():
    w = leaf(3.0)
    calls = []

    def block(x, power):
        calls.append(1)
        return px.exp(x * w) ** power

    x = leaf(0.5)
    y = px.autograd.checkpoint(block, x, 2)
    assert len(calls) == 1
    y.backward()
    assert len(calls) == 2
    x2, w2 = leaf(0.5), leaf(3.0)
    (px.exp(x2 * w2) ** 2).backward()
    assert x.grad.item() == pytest.approx(x2.grad.item()) and w.grad.item() == pytest.approx(w2.grad.item())


def test_anomaly_names_the_line():
    x = leaf(0.0)
    with px.autograd.detect_anomaly():
        y = px.sqrt(x) * 0  # the line that is wrong
        with pytest.raises(px.GradientError) as error:
            y.backward()
    assert error.value.code == "E0609"
    assert "the line that is wrong" in str(error.value)


def test_deep_graphs():
    x = leaf(1.0)
    y = x
    for _ in range(200_000):
        y = y + 1
    y.backward()
    assert x.grad.item() == 1
    del y


def test_threads():
    x = leaf(1.0)

    def work():
        for _ in range(50):
            (x * 2).backward()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert x.grad.item() == 400


def test_post_accumulate_grad_hook():
    """It sees the finished gradient, may use it up, and goes with its handle."""
    x = px.tensor([1.0, 2.0], requires_grad=True)
    seen = []

    def hook(leaf):
        assert leaf is x
        seen.append(leaf.grad.tolist())
        leaf.grad = None

    handle = x.register_post_accumulate_grad_hook(hook)
    (x * x).sum().backward()
    (x * 3).sum().backward()
    assert seen == [[2.0, 4.0], [3.0, 3.0]] and x.grad is None
    handle.remove()
    x.sum().backward()
    assert len(seen) == 2 and x.grad.tolist() == [1.0, 1.0]
    with pytest.raises(px.GradientError, match="only a leaf"):
        (x * 2).register_post_accumulate_grad_hook(hook)


def test_post_accumulate_grad_hook_runs_a_backward_pass():
    x = px.tensor([1.0], requires_grad=True)
    calls = []

    def hook(leaf):
        calls.append(leaf.grad.item())
        if len(calls) == 1:
            with px.enable_grad():
                (leaf * 10).sum().backward()

    x.register_post_accumulate_grad_hook(hook)
    x.sum().backward()
    assert calls == [1.0, 11.0]


class DoubleInPlace(px.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        x.mul_(2)
        ctx.mark_dirty(x)
        return x

    @staticmethod
    def backward(ctx, gradient):
        return gradient * 2


def test_mark_dirty():
    x = px.tensor([1.0, 3.0], requires_grad=True)
    y = x * 1
    z = DoubleInPlace.apply(y)
    assert z is y and y.tolist() == [2.0, 6.0]
    (y * y).sum().backward()
    assert x.grad.tolist() == [8.0, 24.0]
    with pytest.raises(px.GradientError):
        DoubleInPlace.apply(x)

    class Liar(px.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.mark_dirty(x)
            return x * 2

    with pytest.raises(px.GradientError, match="mark_dirty"):
        Liar.apply(x * 1)
