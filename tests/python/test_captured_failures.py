"""What a captured function that fails leaves behind, the exceptions that its runs raise, and settings of optimisers."""

# shard: graph

import pytest

import phlox as px
from phlox import nn


class Stop(Exception):
    pass


def stop():
    raise Stop


def fails_at_once(net, optimizer, x):
    optimizer.zero_grad()
    stop()


def fails_after_backward(net, optimizer, x):
    net(x).sum().backward()
    stop()


def fails_after_the_step(net, optimizer, x):
    net(x).sum().backward()
    optimizer.step()
    stop()


def fails_in_a_branch(net, optimizer, x):
    net(x).sum().backward()
    if x.sum() > 0:
        optimizer.step()
        stop()


def fails_in_a_loop(net, optimizer, x):
    while x.sum() < 100:
        net(x).sum().backward()
        stop()
        x = x * 2


def fails_in_a_hook(net, optimizer, x):
    y = net(x)
    y.register_hook(lambda gradient: stop())
    y.sum().backward()


def fails_with_another_gradient(net, optimizer, x):
    net[0].weight.grad = px.ones_like(net[0].weight)
    net(x).sum().backward()
    net[0].weight.grad = None
    stop()


def fails_after_writing(net, optimizer, x):
    net[1].running_mean.zero_()
    with px.no_grad():
        net[0].weight.add_(1)
    stop()


@pytest.mark.parametrize("optimizer", [px.optim.SGD, px.optim.Adam])
@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize("body", [f for name, f in list(globals().items()) if name.startswith("fails_")])
def test_a_failed_capture_leaves_all_as_it_was(body, trained, optimizer):
    net = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Linear(3, 2))
    optimizer = optimizer(net.parameters(), lr=0.1)
    x = px.ones(4, 3) * px.arange(4.0).reshape(4, 1)
    if trained:
        net(x).sum().backward()
        optimizer.step()

    def state():
        tensors = [*net.parameters(), *net.buffers()]
        gradients = [p.grad if p.grad is None else p.grad.tolist() for p in net.parameters()]
        return [t.tolist() for t in tensors], gradients, [p.requires_grad for p in net.parameters()]

    before, kept = state(), {name: t.tolist() for name, t in optimizer.state_dict().items()}
    for capture in (
        px.jit(lambda x: body(net, optimizer, x)),
        lambda x: px.memory.plan(body, net, optimizer, x),
    ):
        with pytest.raises(Stop):
            capture(x)
        assert state() == before
        after = optimizer.state_dict()
        assert all(after[name].tolist() == value for name, value in kept.items())
    optimizer.zero_grad()
    net(x).sum().backward()
    optimizer.step()
    assert state() != before


# --- exceptions


class Unfit(ValueError):
    def __init__(self, reason, code=0):
        super().__init__(reason, code)
        self.code = code


class Odd(Exception):
    def __init__(self, number):
        super().__init__(f"number {number}")  # a copy would be made of the text


def outcome(function, *arguments):
    try:
        return "gives", function(*arguments).tolist()
    except Exception as error:
        return type(error), error.args


@pytest.mark.parametrize(
    "exception", [ValueError, ValueError("negative"), KeyError("a", 1), Unfit("odd", code=3), StopIteration()]
)
def test_raise_keeps_class_and_arguments(exception):
    def function(x):
        if x.sum() < 0:
            raise exception
        return x * 2

    jitted = px.jit(function)
    for value in (1.0, -1.0, 2.0, -2.0):
        assert outcome(jitted, px.tensor([value])) == outcome(function, px.tensor([value]))
    assert jitted.capture_count == 1
    with pytest.raises(Exception) as error:  # noqa: PT011, B017 - any of the five
        jitted(px.tensor([-1.0]))
    assert isinstance(error.value.__cause__, px.errors.AssertionError)
    name = exception.__name__ if isinstance(exception, type) else type(exception).__name__
    assert f"of function(): {name}" in str(error.value.__cause__)


def test_raise_in_a_function_that_is_called():
    def check(x, name):
        if x.min() <= 0:
            raise Unfit(f"{name} is not positive")
        return x

    @px.jit
    def function(x, y):
        return px.log(check(x, "x")) + px.log(check(y, "y"))

    good, bad = px.ones(2), -px.ones(2)
    assert function(good, good).tolist() == [0, 0]
    for arguments, name in [((bad, good), "x"), ((good, bad), "y")]:
        with pytest.raises(Unfit, match=f"{name} is not positive") as error:
            function(*arguments)
        assert error.value.code == 0
    traced = px.errors.AssertionError  # what the graph itself raises
    graph = function.graph
    with pytest.raises(traced, match=r"line \d+ of check\(\): Unfit: \('y is not positive', 0\)"):
        graph.run([good, bad])


def test_an_exception_that_cannot_be_made_again_is_an_assertion():
    @px.jit
    def function(x):
        if x.sum() < 0:
            raise Odd(3)
        return x

    with pytest.raises(px.errors.AssertionError, match=r"line \d+ of function\(\): Odd: number 3"):
        function(px.tensor([-1.0]))

    @px.jit
    def with_tensor(x):
        if x.sum() < 0:
            raise ValueError("bad", x)
        return x

    with pytest.raises(px.GraphError, match="E1001"):
        with_tensor(px.tensor([-1.0]))


def test_assert_with_an_exception_as_message():
    def function(x):
        assert x.sum() > 0, ValueError("negative")
        return x

    for call in (function, px.jit(function)):
        with pytest.raises(AssertionError, match="negative"):
            call(px.tensor([-1.0]))


# --- what was not said


def test_functions_without_source_say_so():
    names = {"px": px}
    exec("def absolute(x):\n    if x.sum() > 0:\n        return x\n    return -x\n", names)
    with pytest.raises(
        px.GraphError, match=r"absolute\(\) has a condition on a tensor, .* that is not at hand"
    ):
        px.jit(names["absolute"])(px.ones(3))
    with pytest.raises(px.GraphError, match="a lambda has a condition on a tensor"):
        px.jit(eval("lambda x: x if x.sum() > 0 else -x"))(px.ones(3))


def test_jit_with_brackets():
    @px.jit()
    def double(x):
        return x * 2

    assert double(px.ones(2)).tolist() == [2, 2]
    assert double.capture_count == 1
    with pytest.raises(TypeError, match=r"px.jit: a function or a module, not int"):
        px.jit(3)


def test_messages_that_are_not_logged_may_have_tensors(caplog):
    import logging

    logger = logging.getLogger("phlox.tests")

    @px.jit
    def function(x):
        logger.debug("x is %s", x)
        logger.warning("called with %s", "text")
        return x * 2

    assert function(px.ones(2)).tolist() == [2, 2]
    assert [record.getMessage() for record in caplog.records] == ["called with text"]


# --- settings of optimisers


def test_learning_rates_are_read_at_each_call():
    w = px.ones(3, requires_grad=True)
    optimizer = px.optim.SGD([w], lr=0.5, momentum=0.9, weight_decay=0.01)
    adam = px.optim.Adam([px.ones(1, requires_grad=True)], betas=(0.8, 0.99))

    @px.jit
    def scaled(x):
        group = optimizer.param_groups[0]
        first, second = adam.param_groups[0]["betas"]
        return x * group["lr"], x * group["momentum"], x * group["weight_decay"], x * (first + second)

    def eagerly(x):
        return scaled.__wrapped__(x)

    x = px.ones(2, dtype=px.float16)
    assert [t.tolist() for t in scaled(x)] == [t.tolist() for t in eagerly(x)]
    assert all(t.dtype == px.float16 for t in scaled(x))
    optimizer.param_groups[0]["lr"] = 0.25
    optimizer.param_groups[0]["momentum"] = 0.5
    assert [t.tolist() for t in scaled(x)] == [t.tolist() for t in eagerly(x)]
    assert scaled.capture_count == 1
    optimizer.param_groups[0]["weight_decay"] = 0.5
    assert [t.tolist() for t in scaled(x)] == [t.tolist() for t in eagerly(x)]
    assert scaled.capture_count == 2


def test_learning_rates_may_be_set_in_captured_steps():
    def run(jit):
        w = px.tensor([1.0, 2.0], requires_grad=True)
        optimizer = px.optim.SGD([w], lr=0.5)

        def step(x):
            optimizer.zero_grad()
            loss = (w * x).sum()
            loss.backward()
            optimizer.step()
            for group in optimizer.param_groups:
                group["lr"] *= 0.5
                if loss < 2:
                    group["lr"] = 0.125
                group.update(lr=group["lr"] + 1)
            return loss.detach()

        step = jit(step)
        return [(step(px.ones(2)).item(), w.tolist(), optimizer.param_groups[0]["lr"]) for _ in range(3)]

    assert run(px.jit) == run(lambda f: f)
