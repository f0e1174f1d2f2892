"""px.trap_nonfinite(): the first operation with NaN or infinity, forward and backward, eagerly and captured."""

# shard: graph

import math
import re

import pytest

import phlox as px
from phlox import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.block = nn.Sequential(nn.Linear(4, 4), nn.Tanh())
        self.head = Head()

    def forward(self, x):
        return self.head(self.block(self.first(x)))


class Head(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(px.ones(4))

    def forward(self, x):
        return px.log((x * self.scale).abs()).sum()


@pytest.fixture(autouse=True)
def in_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def trapped(function, *args):
    with px.trap_nonfinite(), pytest.raises(px.errors.NonFiniteError) as error:
        function(*args)
    assert error.value.code == "E0609" and isinstance(error.value, ArithmeticError)
    return str(error.value)


def test_the_text_of_the_error():
    x = px.tensor([[1.0, 2.0], [0.0, -3.0]])
    text = trapped(lambda: px.log(x))
    assert text == (
        "[E0609] log: 1 NaN and 1 infinite of 4 elements, of finite inputs\n"
        "  input   x  f32[2,2] cpu: from -3 to 2, mean 0\n"
        "  result  f32[2,2] cpu: from 0 to 0.6931, mean 0.3466, 1 NaN and 1 infinite, the first at [1,0]\n"
        "  from    test_trap_nonfinite.py:48   text = trapped(lambda: px.log(x))\n"
        "  replay  ./nonfinite-log-1.safetensors\n"
        "  try     look at the inputs: px.debug.replay() runs the operation again, from the file"
    )


@pytest.mark.parametrize("way", ["eager", "traced", "jit"])
def test_forward_names_the_module(way):
    net = Net()
    with px.no_grad():
        net.head.scale[2] = 0
    f = {"eager": lambda: net, "traced": lambda: px.trace(net, px.ones(2, 3)), "jit": lambda: px.jit(net)}[
        way
    ]()
    text = trapped(f, px.ones(2, 3))
    assert text.startswith("[E0609] log: 2 infinite of 8 elements, of finite inputs\n")
    assert re.search(r"from .*test_trap_nonfinite.py:31 +return px.log.*   in Head \"head\"\n", text), text


@pytest.mark.parametrize("way", ["eager", "jit"])
def test_backward_names_the_forward_line(way):
    net = nn.Sequential(nn.Linear(2, 2, bias=False), nn.ReLU())
    with px.no_grad():
        net[0].weight.zero_()

    def step(x):
        loss = px.sqrt(net(x)).sum()
        net.zero_grad()
        loss.backward()
        return loss

    step(px.ones(1, 2))
    text = trapped(step if way == "eager" else px.jit(step), px.ones(1, 2))
    assert "infinite of 2 elements" in text.splitlines()[0]
    assert "gradient of sqrt" in text and "loss = px.sqrt(net(x)).sum()" in text


def test_infinities_that_come_in_go_on():
    mask = px.tensor([[0.0, -math.inf], [0.0, 0.0]])

    def attend(x):
        return px.softmax(x + mask, dim=1).sum() + px.where(x > 0, x, -math.inf).amax()

    with px.trap_nonfinite():
        attend(px.ones(2, 2))
        px.jit(attend)(px.ones(2, 2))
    text = trapped(lambda: px.softmax(px.full((1, 2), -math.inf), dim=1))
    assert text.startswith("[E0609] softmax: 2 NaN of 2 elements\n") and "2 infinite" in text
    assert "as its inputs have NaN" in trapped(lambda: px.tensor([math.nan]) + 1)


def test_in_branches_and_loops():
    @px.jit
    def f(x):
        if x.sum() > 0:
            y = 1 / x
        else:
            y = x
        while y.sum() < 1e30:
            y = y * y * 1e20
        return y

    assert "1 / x" in trapped(f, px.tensor([1.0, 0.0]))
    text = trapped(f, px.tensor([0.1, 0.1]))
    assert "mul: 2 infinite of 2 elements" in text and "y = y * y * 1e20" in text


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64", "complex64"])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_every_place_is_looked_at(dtype, bad):
    dtype = getattr(px, dtype)
    for count in (1, 7, 8, 31, 33, 255, 256, 300, 1000):
        for place in {0, count // 2, count - 1}:
            x = px.zeros(count, dtype=dtype)
            with px.trap_nonfinite():
                x = x * 1
            x[place] = bad
            assert f"the first at [{place}]" in trapped(lambda: x - x)


def test_layouts():
    x = px.ones(4, 6)
    x[1, 2] = 0
    for view in (x.T, x[:, ::2], x.flip(0), x[1].expand(3, 6)):
        assert "reciprocal" in trapped(lambda view=view: px.reciprocal(view))


def test_replay():
    x, y = px.tensor([1.0, 0.0]), px.tensor([2.0, 0.0])
    trapped(lambda: x / y)
    results = px.debug.replay("nonfinite-div-1.safetensors")
    assert str(results[0]) == str(x / y)
    assert "div(%x0, %x1)" in px.debug.replay_text("nonfinite-div-1.safetensors")
    with pytest.raises(px.errors.FileError):
        px.debug.replay("nothing.safetensors")
    px.save({"x": x}, "other.safetensors")
    with pytest.raises(px.errors.FormatError, match="was not written by"):
        px.debug.replay("other.safetensors")


def test_replay_of_a_gradient(tmp_path):
    x = px.tensor([0.0, 4.0], requires_grad=True)
    text = trapped(lambda: px.sqrt(x).sum().backward())
    path = re.search(r"replay +(\S+)", text).group(1)
    assert math.isinf(px.debug.replay(path)[0][0].item())


def test_what_was_overwritten_cannot_be_replayed():
    x = px.tensor([1.0, 0.0])
    text = trapped(lambda: x.log_())
    assert "overwritten by the result" in text
    with pytest.raises(px.errors.StateError, match="overwrote an input"):
        px.debug.replay(re.search(r"replay +(\S+)", text).group(1))


def test_scope_and_switch(tmp_path):
    bad = px.zeros(1)
    bad.log()
    with px.trap_nonfinite(False):
        bad.log()
    with px.trap_nonfinite(), px.trap_nonfinite(False):
        bad.log()
    folder = tmp_path / "replays"
    folder.mkdir()
    with px.trap_nonfinite(folder=folder), pytest.raises(px.errors.NonFiniteError):
        bad.log()
    assert [p.name for p in folder.iterdir()] == ["nonfinite-log-1.safetensors"]

    @px.trap_nonfinite
    def decorated():
        return bad.log()

    with pytest.raises(px.errors.NonFiniteError):
        decorated()
    bad.log()
    px.set_trap_nonfinite(True)
    try:
        with pytest.raises(px.errors.NonFiniteError):
            bad.log()
    finally:
        px.set_trap_nonfinite(False)
    bad.log()
    with px.trap_nonfinite(folder="missing"), pytest.raises(px.errors.NonFiniteError, match="not written"):
        bad.log()


@pytest.mark.parametrize("optimizer", ["SGD", "AdamW"])
@pytest.mark.parametrize("jit", [False, True])
def test_nothing_changes_where_all_is_finite(optimizer, jit):
    def train(trap):
        px.manual_seed(0)
        net = nn.Sequential(nn.Linear(8, 16), nn.Dropout(0.2), nn.ReLU(), nn.Linear(16, 3))
        extra = {"momentum": 0.9} if optimizer == "SGD" else {}
        opt = getattr(px.optim, optimizer)(net.parameters(), lr=0.05, **extra)

        def step(x, y):
            opt.zero_grad()
            loss = px.nn.functional.cross_entropy(net(x), y)
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            opt.step()
            return loss

        run = px.jit(step) if jit else step
        x, y = px.randn(32, 8), px.randint(0, 3, (32,))
        losses = []
        for _ in range(5):
            if trap:
                with px.trap_nonfinite():
                    losses.append(run(x, y).item())
            else:
                losses.append(run(x, y).item())
        return losses

    assert train(True) == train(False)


def test_vmap_and_functional_transforms():
    with px.trap_nonfinite():
        x = px.vmap(lambda a: (a * a).sum())(px.ones(3, 2))
        assert x.tolist() == [2.0, 2.0, 2.0]
        assert px.func.grad(lambda a: (a**3).sum())(px.ones(2)).tolist() == [3.0, 3.0]
    assert "log" in trapped(px.vmap(lambda a: a.log()), px.zeros(3, 2))
