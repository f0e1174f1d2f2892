"""The memory of a captured step, told before it runs, against what the allocator counts while it runs."""

# shard: graph

import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest

import phlox as px
from phlox import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 3, padding=1)
        self.conv2 = nn.Conv2d(32, 64, 3, padding=1)
        self.norm = nn.BatchNorm2d(64)
        self.head = nn.Linear(64 * 4 * 4, 10)

    def forward(self, x):
        x = px.relu(self.norm(self.conv2(px.relu(self.conv1(x)))))
        return self.head(px.adaptive_max_pool2d(x, 4).flatten(1))


def mlp():
    return nn.Sequential(nn.Linear(256, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))


def encoder():
    class Classifier(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(100, 64)
            self.query, self.key, self.value = (nn.Linear(64, 64) for _ in range(3))
            self.norm = nn.LayerNorm(64)
            self.head = nn.Linear(64, 10)

        def forward(self, x):
            x = self.embedding(x)
            y = nn.functional.scaled_dot_product_attention(self.query(x), self.key(x), self.value(x))
            return self.head(self.norm(x + y).mean(1))

    return Classifier()


CASES = {
    "mlp": (mlp, lambda b: px.randn(b, 256), 512),
    "convolutions": (Net, lambda b: px.randn(b, 1, 28, 28), 64),
    "attention": (encoder, lambda b: px.randint(0, 100, (b, 32)), 64),
}


def step_of(make, optimizer=px.optim.AdamW):
    px.manual_seed(0)
    net = make()
    opt = optimizer(net.parameters(), lr=1e-3)

    def step(x, y):
        opt.zero_grad()
        loss = nn.functional.cross_entropy(net(x), y)
        loss.backward()
        opt.step()
        return loss

    return step


def assert_predicted(function, *args):
    """The peak of a captured call is predicted within five percent."""
    function(*args)  # the state of an optimiser
    gc.collect()
    before = px.memory.statistics()["allocated_bytes"]
    plan = px.memory.plan(function, *args)
    assert px.memory.statistics()["allocated_bytes"] == before
    jitted = px.jit(function)
    px.memory.reset_peak()
    jitted(*args)
    measured = px.memory.statistics()["peak_allocated_bytes"]
    others = before - plan.inputs - plan.constants
    assert abs(plan.peak + others - measured) <= 0.05 * (measured - others), (str(plan), measured, others)


@pytest.mark.parametrize("case", CASES)
def test_the_peak_is_predicted_within_five_percent(case):
    make, inputs, batch = CASES[case]
    assert_predicted(step_of(make), inputs(batch), px.randint(0, 10, (batch,)))


def branch(x, n):
    y = (x.exp() + x.tanh()) @ x if x.sum() > n else x.cos() + 1
    return y * 2


def loop(x, n):
    i = px.tensor(0)
    while i < n:
        x = (x @ x).tanh() * 0.5 + x.exp().log1p()
        i = i + 1
    return x


def loops_in_loops(x, n):
    for _ in range(n):
        y = x
        for _ in range(n):
            y = (y @ x).tanh() + x
        x = y + (x * 2).sin() if y.sum() > 0 else y
    return x


def scan(x, n):
    weight = x.detach().requires_grad_()
    rows = px.stack([x, x + 1, x + 2, x + n])
    y = px.scan(lambda carry, row: ((carry * weight).tanh() + row, carry * 2), px.zeros_like(x), rows)[1]
    y.sum().backward()
    return weight.grad


@pytest.mark.parametrize("function", [branch, loop, loops_in_loops, scan])
def test_what_branches_and_loops_need_is_predicted(function):
    px.manual_seed(0)
    assert_predicted(function, px.randn(256, 256), px.tensor(3))


def test_loops_of_an_unknown_number_of_turns_say_so():
    weight = nn.Parameter(px.randn(64, 64))

    def step(x, turns):
        y = x
        while turns > 0:
            y, turns = px.tanh(y @ weight), turns - 1
        return px.autograd.grad(y.sum(), [weight])[0]

    plan = px.memory.plan(step, px.randn(64, 64), px.tensor(3))
    text = str(plan)
    assert " for one turn, and 16.0 KB more with each further turn" in text.splitlines()[0]
    assert 16 << 10 <= plan.kept_by_turn <= plan.kept < 17 << 10


def test_small_functions_have_a_peak():
    plan = px.memory.plan(lambda x: (x.exp() + 1).sum(), px.ones(32, 32))
    assert plan.inputs == 4096 and plan.intermediate == 8192  # of exp and of the sum
    assert plan.peak == 3 * 4096 + plan.constants + plan.outputs
    assert px.memory.largest_batch(lambda x: (x.exp() + 1).sum(), px.ones(32, 32), limit=10) is None


def test_captures_of_all_sizes_share_what_lies_in_between():
    step = px.jit(step_of(mlp, px.optim.SGD))

    def run(batch):
        step(px.randn(batch, 256), px.randint(0, 10, (batch,)))
        return step._workspace.block_sizes

    largest = run(512)
    for batch in (64, 256, 500):
        assert run(batch) == largest
    more = run(1024)
    assert len(more) == len(largest) == 1 and more[0] > largest[0]
    assert run(64) == more


def test_the_plan_tells_the_largest_tensors():
    plan = px.memory.plan(step_of(Net), px.randn(16, 1, 28, 28), px.randint(0, 10, (16,)))
    sizes = [size for size, _, _ in plan.largest]
    assert len(sizes) == 10 and sizes == sorted(sizes, reverse=True)
    assert 'in Conv2d "conv2"' in plan.largest[0][2] or 'in BatchNorm2d "norm"' in plan.largest[0][2]
    text = str(plan)
    assert text.startswith("peak ") and "in between" in text and "convolution" in text


def test_the_largest_batch():
    step = step_of(mlp)
    x, y = px.randn(4096, 256), px.randint(0, 10, (4096,))
    limit = px.memory.plan(step, x[:1000].clone(), y[:1000].clone()).peak
    batch = px.memory.largest_batch(step, x, y, limit=limit)
    assert 1000 <= batch < 1050
    assert px.memory.plan(step, x[:batch].clone(), y[:batch].clone()).peak <= limit
    assert px.memory.largest_batch(step, x, y, limit=1 << 10) is None


def test_the_largest_batch_may_be_larger_than_the_given_one():
    step = step_of(mlp)
    x, y = px.randn(1000, 256), px.randint(0, 10, (1000,))
    limit = px.memory.plan(step, x, y).peak
    batch = px.memory.largest_batch(step, x[:8].clone(), y[:8].clone(), limit=limit)
    assert 1000 <= batch < 1050
    assert px.memory.largest_batch(step, x, y, limit=float(limit)) == batch


def test_a_function_for_one_batch_keeps_it():
    fixed = px.memory.largest_batch(lambda x: x.reshape(4, 25) + 1, px.ones(10, 10), limit="1GB")
    assert fixed == 10


def test_out_of_memory_names_the_largest_batch():
    step = px.jit(step_of(mlp, px.optim.SGD))
    small = px.randn(8, 256), px.randint(0, 10, (8,))
    step(*small)
    x, y = px.randn(20000, 256), px.randint(0, 10, (20000,))
    px.memory.empty_cache()
    now = px.memory.statistics()["allocated_bytes"]
    px.memory.set_limit(now + (40 << 20))
    try:
        with pytest.raises(px.errors.OutOfMemoryError) as error:
            step(x, y)
        text = str(error.value)
        batch = int(text.split("a batch of ")[1].split()[0])
        assert "in place of 20000" in text and 1000 < batch < 20000
        x, y = x[:batch].clone(), y[:batch].clone()
    finally:
        px.memory.set_limit(None)
    assert text.startswith("[E0403]")
    assert step(*small).item() > 0


def test_the_command(tmp_path):
    (tmp_path / "program.py").write_text(
        "import phlox as px\n\n\ndef f(x):\n    return (x.exp() + 1).sum()\n"
    )

    def phlox(*words):
        environment = {**os.environ, "PYTHONPATH": str(Path(px.__file__).parents[1])}
        return subprocess.run(
            [sys.executable, "-m", "phlox", *words],
            capture_output=True,
            text=True,
            env=environment,
            cwd=tmp_path,
        )

    done = phlox("plan", "program:f", "--args", "f32[1000,1000]", "--limit", "4MB")
    assert done.stdout.startswith("peak ") and "program.py:5" in done.stdout, done
    batch = int(done.stdout.splitlines()[-1].removeprefix("largest batch in 4MB: "))
    assert 300 < batch < 600
    for command in (("plan",), ("graph", "print"), ("graph", "diff"), ("graph", "bisect")):
        assert "--args" in phlox(*command, "--help").stdout
    assert "--limit" in phlox("plan", "--help").stdout
    assert "is for functions" in phlox("plan", "f.graph", "--limit", "2GB").stderr
    (tmp_path / "f.graph").write_text(phlox("graph", "print", "program:f", "--args", "f32[1000,1000]").stdout)
    assert phlox("plan", "f.graph").stdout.startswith("peak ")
    assert "is no size" in phlox("plan", "program:f", "--args", "f32[2]", "--limit", "much").stderr


def test_limits_are_numbers_and_texts():
    try:
        for limit, known in [
            ("2GB", 2 << 30),
            (1.5 * 2**20, 3 << 19),
            (-1, 0),
            ("512 KB", 512 << 10),
            (None, 0),
        ]:
            px.memory.set_limit(limit)
            assert px.memory.statistics()["limit_bytes"] == known
        with pytest.raises(ValueError, match="'much' is no size in bytes"):
            px.memory.set_limit("much")
    finally:
        px.memory.set_limit(None)
