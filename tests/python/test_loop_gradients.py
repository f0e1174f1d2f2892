"""Gradients through captured loops and scans: those of eager execution, to any order."""

# shard: graph

import random

import pytest

import phlox as px
from phlox import nn

F64 = px.float64


def close(a, b):
    assert a.shape == b.shape and a.dtype == b.dtype
    assert px.allclose(a, b, rtol=1e-11, atol=1e-13), (a - b).abs().max()


def gradients_agree(function, *arguments, order=2):
    """The value and its gradients by each floating argument, `order` times over, eagerly and captured."""

    def differentiate(*given):
        given = [g.detach().requires_grad_() if g.dtype == F64 else g for g in given]
        leaves = [g for g in given if g.requires_grad]
        value = function(*given)
        results = [value]
        for turn in range(order):
            found = px.autograd.grad(value, leaves, create_graph=True, allow_unused=True)
            found = [px.zeros_like(leaf) if g is None else g for leaf, g in zip(leaves, found)]
            results += found
            value = sum(
                (g * px.cos(px.arange(1.0, g.numel() + 1, dtype=F64).reshape(g.shape) + turn)).sum()
                for g in found
            )
            if not value.requires_grad:
                break
        return [r.detach() for r in results]

    expected = differentiate(*arguments)
    jitted = px.jit(differentiate)
    for _ in range(2):
        actual = jitted(*arguments)
        assert len(actual) == len(expected)
        for a, e in zip(actual, expected):
            close(a, e)
    text = str(jitted.graph)
    assert str(px.Graph.parse(text, jitted.graph.constants)) == text
    return jitted


def weights():
    px.manual_seed(0)
    return px.randn(3, 3, dtype=F64) * 0.4, px.randn(2, 3, dtype=F64)


@pytest.mark.parametrize("turns", [1, 2, 6])
def test_while_loop(turns):
    def function(w, h, n):
        i = px.tensor(0)
        while i < n:
            h = px.tanh(h @ w)
            i = i + 1
        return (h * h).sum()

    gradients_agree(function, *weights(), px.tensor(turns), order=3)


def test_the_number_of_turns_may_change():
    def step(w, h, n):
        w = w.detach().requires_grad_()
        for _ in range(n):
            h = px.sin(h @ w) + h
        return px.autograd.grad(h.sum(), [w])[0]

    w, h = weights()
    jitted = px.jit(step)
    for n in (1, 4, 2, 9):
        close(jitted(w, h, px.tensor(n)), step(w, h, px.tensor(n)))
    assert jitted.capture_count == 1
    # Without turns nothing depends on the weight: zero, where eagerly there is nothing to differentiate.
    with pytest.raises(AssertionError, match="None in this run"):  # eagerly E0604: nothing depends on w
        jitted(w, h, px.tensor(0))


def test_the_index_of_a_turn():
    def function(w, h, n):
        for i in range(n):
            h = h @ w * (i + 1) / 3
        return (h**2).sum()

    gradients_agree(function, *weights(), px.tensor(4))


def test_numbers_in_the_state():
    def function(w, h, n):
        count, scale = px.tensor(0), 1.0
        while count < n:
            h = (h @ w) * scale
            scale = scale * 0.5
            count = count + 2
        return h.sum() + count * h[0, 0]

    gradients_agree(function, *weights(), px.tensor(5))


def test_loops_in_loops():
    def function(w, h, n):
        for _ in range(n):
            j = px.tensor(0)
            while j < 3:
                h = px.tanh(h @ w)
                j = j + 1
            h = h + w[0]
        return (h * h).sum()

    gradients_agree(function, *weights(), px.tensor(2))


def test_branches_in_loops():
    def function(w, h, n):
        for i in range(n):
            if h.sum() > 0:
                h = px.sin(h @ w)
            else:
                h = h @ w.mT + 0.3
            if i == 2:
                break
        return (h * h).sum()

    gradients_agree(function, *weights(), px.tensor(5))
    w, h = weights()
    gradients_agree(function, w, -h, px.tensor(2))


def test_loops_in_branches():
    def function(w, h, n):
        if n > 2:
            for _ in range(n):
                h = h @ w
        return (h * h).sum()

    gradients_agree(function, *weights(), px.tensor(3))
    gradients_agree(function, *weights(), px.tensor(1))


def test_variables_written_in_place():
    def function(w, h, n):
        h = h * 1
        total = px.zeros((), dtype=F64)
        for _ in range(n):
            h = px.tanh(h @ w)
            total += h.sum()
        return total * total

    gradients_agree(function, *weights(), px.tensor(3))


def test_random_numbers_are_drawn_once():
    def step(x, n):
        x = x.detach().requires_grad_()
        y = x
        for _ in range(n):
            y = nn.functional.dropout(y, 0.5)
        (gradient,) = px.autograd.grad(y.sum(), [x])
        return y.detach(), gradient

    jitted = px.jit(step)
    x = px.ones(1000)
    for seed in range(3):
        px.manual_seed(seed)
        expected = step(x, px.tensor(3))
        px.manual_seed(seed)
        actual = jitted(x, px.tensor(3))
        for a, e in zip(actual, expected):
            assert px.equal(a, e)
        assert px.equal(actual[0], actual[1])


def test_random_numbers_in_branches_are_drawn_once():
    def step(x):
        x = x.detach().requires_grad_()
        y = nn.functional.dropout(x, 0.5) if x.sum() > 0 else x * 2
        (gradient,) = px.autograd.grad(y.sum(), [x])
        return y.detach(), gradient

    jitted = px.jit(step)
    for seed in range(3):
        px.manual_seed(seed)
        y, gradient = jitted(px.ones(1000))
        assert px.equal(y, gradient) and 0 < (y == 0).sum() < 1000


def test_buffers_written_in_loops_and_branches():
    """What gradients do not flow to may be written, here the running statistics."""

    def make():
        px.manual_seed(0)
        return nn.BatchNorm1d(3), px.randn(5, 3)

    def step(net, x, n):
        x = x.detach().requires_grad_()
        y = x
        for _ in range(n):
            y = net(y) + y
        if n > 1:
            y = net(y)
        (gradient,) = px.autograd.grad((y * y).sum(), [x])
        return gradient

    net, x = make()
    expected = [step(net, x, px.tensor(3)) for _ in range(2)]
    other, x = make()
    jitted = px.jit(lambda x, n: step(other, x, n))
    for e in expected:
        assert px.allclose(jitted(x, px.tensor(3)), e, rtol=1e-5, atol=1e-6)
    for name, value in net.state_dict().items():
        assert px.allclose(other.state_dict()[name], value, rtol=1e-6), name


def test_a_written_operand_counts_as_it_was():
    def step(x, n):
        x = x.detach().requires_grad_()
        scale, y = px.ones(()) * 2, x
        for _ in range(n):
            y = y * (scale * 1)
            with px.no_grad():
                scale += 1
        return px.autograd.grad(y.sum(), [x])[0], scale

    for n in (1, 3):
        expected = step(px.ones(2), px.tensor(n))
        actual = px.jit(step)(px.ones(2), px.tensor(n))
        for a, e in zip(actual, expected):
            assert px.equal(a, e)


def test_gradients_flow_through_the_call():
    """The loop is captured, backward() is called outside."""
    w, h = weights()

    @px.jit
    def forward(w, h, n):
        for _ in range(n):
            h = px.tanh(h @ w)
        return h

    a, b = w.clone().requires_grad_(), w.clone().requires_grad_()
    forward(a, h, px.tensor(4)).sum().backward()
    x = h
    for _ in range(4):
        x = px.tanh(x @ b)
    x.sum().backward()
    close(a.grad, b.grad)


def test_training_steps_with_a_loop():
    def make():
        px.manual_seed(1)
        cell = nn.Linear(4, 4)
        return cell, px.optim.Adam(cell.parameters(), lr=0.01), px.randn(2, 4)

    def step(cell, optimizer, x, n):
        optimizer.zero_grad()
        i = px.tensor(0)
        while i < n:
            x = px.tanh(cell(x))
            i = i + 1
        loss = (x - 1).square().mean()
        loss.backward()
        optimizer.step()
        return loss.detach()

    cell, optimizer, x = make()
    expected = [step(cell, optimizer, x, px.tensor(n)).item() for n in (3, 1, 4, 2)]
    other, other_optimizer, x = make()
    jitted = px.jit(lambda x, n: step(other, other_optimizer, x, n))
    assert [jitted(x, px.tensor(n)).item() for n in (3, 1, 4, 2)] == pytest.approx(expected, rel=1e-6)


def test_long_loops():
    @px.jit
    def step(x, n):
        x = x.detach().requires_grad_()
        y = x
        for _ in range(n):
            y = y * 0.9999
        return px.autograd.grad(y, [x])[0]

    assert step(px.tensor(1.0, dtype=F64), px.tensor(50_000)).item() == pytest.approx(0.9999**50_000)


def test_memory_of_a_loop_is_given_back():
    def run():
        for _ in range(3):
            jitted(px.ones(100, 100), px.tensor(50))

    @px.jit
    def jitted(x, n):
        x = x.detach().requires_grad_()
        y = x
        for _ in range(n):
            y = px.sin(y)
        return px.autograd.grad(y.sum(), [x])[0]

    run()
    before = px.memory.statistics()["allocated_bytes"]
    run()
    assert px.memory.statistics()["allocated_bytes"] == before


# --- scans


def rows():
    px.manual_seed(2)
    return px.randn(5, 2, 3, dtype=F64)


@pytest.mark.parametrize("reverse", [False, True])
def test_scan(reverse):
    def function(w, h, xs):
        def turn(h, x):
            h = px.tanh(h @ w + x)
            return h, (h * h, h.sum())

        last, (squares, sums) = px.scan(turn, h, xs, reverse=reverse)
        return (squares * squares).sum() + (sums * px.arange(5.0, dtype=F64)).sum() + last.sum()

    gradients_agree(function, *weights(), rows())


def test_scan_of_structures_is_a_loop():
    def function(xs):
        def turn(carry, x):
            total = {"sum": carry["sum"] + x["a"], "n": carry["n"] + 1}
            return total, (total["sum"] / total["n"], x["b"])

        return px.scan(turn, {"sum": px.zeros(3), "n": px.tensor(0)}, xs)

    xs = {"a": px.randn(4, 3), "b": px.arange(4)}
    expected, jitted = function(xs), px.jit(function)
    for last, (means, kept) in (jitted(xs), px.trace(function, xs)(xs)):
        assert px.equal(last["sum"], expected[0]["sum"]) and px.equal(last["n"], expected[0]["n"])
        assert px.equal(means, expected[1][0]) and px.equal(kept, xs["b"])
    assert jitted.graph.operations.count("for_loop") == 1


def test_scans_of_nothing():
    def function(xs):
        return px.scan(lambda c, x: (c + x.sum(), x * 2), px.zeros(()), xs)

    for last, ys in (function(px.zeros(0, 3)), px.jit(function)(px.zeros(0, 3))):
        assert last.item() == 0 and ys.shape == (0, 3)


def test_map():
    def function(w, h):
        return px.map(lambda row: px.outer(row, row) @ w, h).sum()

    w, h = weights()
    assert px.equal(px.map(lambda row: row * 2, h), h * 2)
    gradients_agree(function, w, h)


def test_scan_errors():
    with pytest.raises(px.ShapeError, match="number of rows"):
        px.scan(lambda c, x: (c, x[0]), (), (px.ones(3), px.ones(4)))
    with pytest.raises(px.ShapeError, match="number of rows"):
        px.map(lambda x: x, px.tensor(1.0))


# --- random loops


def random_expression(draw, names, depth=2):
    """A smooth expression of tensors [2, 3]."""
    if depth == 0:
        return draw.choice(names)
    a, b = (random_expression(draw, names, depth - 1) for _ in range(2))
    forms = [
        "px.tanh({a})",
        "px.sin({a} + {b})",
        "{a} * {b}",
        "{a} @ w",
        "0.5 * {a} - {b}",
        "px.sigmoid({a}) * 0.7",
    ]
    forms += ["px.cond({a}.sum() > 0, lambda: {a} * 0.3, lambda: {b})", "({a} + {b}.flip(0))", "{a}[0] + {b}"]
    return draw.choice(forms).format(a=f"({a})", b=f"({b})")


def random_loop(seed):
    """A program of one or two loops, scans and branches; `n` is a tensor."""
    draw = random.Random(seed)
    lines, names = [], ["h", "k"]

    def loop(indentation, depth):
        body = f"px.tanh({random_expression(draw, names)})"
        kind = draw.randrange(4)
        if kind == 0:
            lines.append(
                f"{indentation}h, _ = px.while_loop(lambda h, i: i < n, lambda h, i: ({body}, i + 1), (h, px.tensor(0)))"
            )
        elif kind == 1:
            other = f"px.tanh({random_expression(draw, names)})"
            lines.append(
                f"{indentation}h, k, _ = px.while_loop(lambda h, k, i: i < n, "
                f"lambda h, k, i: ({body}, {other} * 0.5, i + 1), (h, k, px.tensor(0)))"
            )
        elif kind == 2:
            lines.append(
                f"{indentation}h, ys = px.scan(lambda h, x: ({body} + x, h * x), h, xs{draw.choice(['', ', reverse=True'])})"
            )
            lines.append(f"{indentation}h = h + ys.sum(0)")
        elif depth:
            lines.append(f"{indentation}def inner(h, i, k=k):")
            loop(indentation + "    ", depth - 1)
            lines.append(f"{indentation}    return h, i + 1")
            lines.append(f"{indentation}h, _ = px.while_loop(lambda h, i: i < 2, inner, (h, px.tensor(0)))")
        else:
            lines.append(f"{indentation}h = {body}")

    for _ in range(draw.choice([1, 1, 2])):
        loop("    ", 1)
    return (
        "def function(w, h, k, xs, n):\n" + "\n".join(lines) + "\n    return (h * h).sum() + (h * k).mean()\n"
    )


@pytest.mark.parametrize("seed", range(60))
def test_random_loops(seed):
    scope = {"px": px}
    exec(random_loop(seed), scope)
    w, h = weights()
    px.manual_seed(seed)
    arguments = (w, h, px.randn(2, 3, dtype=F64), px.randn(4, 2, 3, dtype=F64) * 0.3, px.tensor(seed % 4))
    try:
        gradients_agree(scope["function"], *arguments, order=1 + seed % 2)
    except AssertionError:
        print(random_loop(seed))
        raise


# --- which results of branches and loops have gradients


def factors_in_a_for_loop(x, w, n):
    y, scale = x, px.tensor(1.0)
    for _ in range(n):
        y, scale = y * w, scale * 2
    return y, scale


def factors_in_a_while_loop(x, w, n):
    y, scale = x, px.tensor(1.0)
    while scale < 4:
        y = y * w
        scale *= 2
    return y, scale


def factors_in_a_branch(x, w, n):
    y, scale, total = x, px.tensor(1.0), px.zeros(3)
    if n > 1:
        y, scale = y * w, scale * 2
        total += x.sum(0)
    return y, scale, total


def followed_by_nobody(x, w, n):
    scale = px.tensor(1.0)
    for _ in range(n):
        with px.no_grad():
            scale = scale * w.sum()
    return scale


def detached_in_between(x, w, n):
    total, scale = px.zeros(3), px.tensor(1.0)
    for _ in range(n):
        total, scale = total + w * scale, (total.detach() ** 2).sum()
    return total, scale


def reached_in_the_second_turn(x, w, n):
    first, second, third = px.zeros(3), px.zeros(3), px.zeros(3)
    for _ in range(n):
        first, second, third = w, first * 2, third + 1
    return first, second, third


def loops_in_loops(x, w, n):
    y, scale = x, px.tensor(1.0)
    for _ in range(n):
        for _ in range(n):
            if scale < 100:
                y, scale = y * w, scale * 2
    return y, scale


def rows_of_a_scan(x, w, n):
    return px.scan(lambda c, row: ((c[0] * w, c[1] * 2), (c[1], row * c[0])), (px.ones(3), px.tensor(1.0)), x)


@pytest.mark.parametrize(
    "function",
    [
        factors_in_a_for_loop,
        factors_in_a_while_loop,
        factors_in_a_branch,
        followed_by_nobody,
        detached_in_between,
        reached_in_the_second_turn,
        loops_in_loops,
        rows_of_a_scan,
    ],
)
def test_results_without_gradients_have_none(function):
    def flat(value):
        return [value] if isinstance(value, px.Tensor) else [t for part in value for t in flat(part)]

    x = px.arange(6.0).reshape(2, 3)
    found = []
    for call in (function, px.jit(function)):
        w = px.tensor([0.5, 1.0, 2.0], requires_grad=True)
        results = flat(call(x, w, px.tensor(2)))
        flags = [r.requires_grad for r in results]
        if any(flags):
            sum((r * r).sum() for r in results if r.requires_grad).backward()
        gradient = None if w.grad is None else w.grad.tolist()
        found.append((flags, [r.tolist() for r in results], gradient))
    assert found[0] == found[1]
