"""Printing and callbacks: eagerly, in traced and in jitted functions, in branches and loops, in the program's order."""

# shard: graph

import pytest

import phlox as px


def ways(function, *examples):
    return {"eager": function, "traced": px.trace(function, *examples), "jit": px.jit(function)}


def test_print_runs_at_each_call(capsys):
    def f(x):
        loss = (x * x).mean()
        px.debug.print("loss {:.2f} of {}", loss, x)
        return loss

    for way, g in ways(f, px.zeros(2)).items():
        capsys.readouterr()
        for values in ([1.0, 2.0], [3.0, 4.0], [3.0, 4.0]):
            g(px.tensor(values))
        expected = ["loss 2.50 of tensor([1., 2.])"] + ["loss 12.50 of tensor([3., 4.])"] * 2
        assert capsys.readouterr().out.splitlines() == expected, way


@pytest.mark.parametrize(
    ("text", "arguments", "keywords", "expected"),
    [
        ("plain", (), {}, "plain"),
        ("{{}} {}", (px.tensor(3),), {}, "{} 3"),
        ("{1} {0}", (px.tensor(1.5), px.tensor(True)), {}, "True 1.5"),
        ("{x:>6.1f}|{n:03d} {s!r}", (), {"x": px.tensor(2.25), "n": 7, "s": "{a}"}, "   2.2|007 '{a}'"),
        ("{:e} {}", (px.tensor([1000.0]), px.ones(2, dtype=px.int64)), {}, "1.000000e+03 tensor([1, 1])"),
        ("{:.1f}", (px.tensor(1 + 2j),), {}, "(1.0+2.0j)"),
        ("{}", (px.tensor(2.3025851),), {}, "2.30259"),
        ("{:5d}", (px.tensor(42),), {}, "   42"),
        ("ünï {}", (px.tensor(1),), {}, "ünï 1"),
    ],
)
def test_formats(capsys, text, arguments, keywords, expected):
    px.debug.print(text, *arguments, **keywords)
    px.jit(lambda: px.debug.print(text, *arguments, **keywords))()
    assert capsys.readouterr().out.splitlines() == [expected] * 2


@pytest.mark.parametrize(
    ("text", "arguments", "reason"),
    [
        ("{} {}", (px.tensor(1),), "no argument for {}"),
        ("{}", (px.tensor(1), px.tensor(2)), "more tensors"),
        ("no", (px.tensor(1),), "more tensors"),
        ("{", (px.tensor(1),), "single"),
        ("{:.2f}", (px.ones(2),), "tensor 0 has 2 elements"),
        ("{:d}", (px.tensor(1.0),), "'d' is no format of float32"),
        ("{:z}", (3,), "'z' is no format of a int"),
    ],
)
def test_formats_that_do_not_fit(text, arguments, reason):
    with pytest.raises(px.errors.ValueError, match="E0101") as error:
        px.debug.print(text, *arguments)
    assert reason in str(error.value)


def test_branches_and_loops(capsys):
    def f(x):
        px.debug.print("begin")
        if x.sum() > 0:
            px.debug.print("positive {}", x.sum())
            y = x
        else:
            px.debug.print("negative {}", x.sum())
            y = -x
        i = px.tensor(0)
        while y.sum() < 10:
            y = y * 2
            px.debug.print("turn {}: {}", i, y.sum())
            if i == 1:
                px.debug.print("the second")
            i = i + 1
        for k in range(y.sum().to(px.int64) % 3):
            px.debug.print("k {}", k)
        px.debug.print("end")
        return y

    jitted = px.jit(f)
    for values in ([1.0, 2.0], [-2.0, -2.5], [5.0, 6.0]):
        capsys.readouterr()
        expected = f(px.tensor(values))
        eager = capsys.readouterr().out
        assert px.equal(jitted(px.tensor(values)), expected)
        assert capsys.readouterr().out == eager
        assert eager.startswith("begin\n") and eager.endswith("end\n")


def test_equal_prints_stay_apart_and_in_order(capsys):
    def f(x):
        for _ in range(2):
            px.debug.print("{}", x)
            px.debug.callback(lambda t: print("callback", t.item()), x)
        return x

    for g in ways(f, px.tensor(0)).values():
        capsys.readouterr()
        g(px.tensor(7))
        assert capsys.readouterr().out.splitlines() == ["7", "callback 7"] * 2


def test_passes_keep_effects(capsys):
    def f(x):
        px.debug.print("sum {}", x.sum())
        px.debug.print("sum {}", x.sum())
        px.debug.print("constant {}", px.tensor(2.0) * 3)

    traced = px.trace(f, px.ones(2))
    fast = traced.optimize(list(px.Graph.passes()))
    assert fast.graph.operations.count("print") == 3
    fast(px.ones(2))
    assert capsys.readouterr().out.splitlines() == ["sum 2", "sum 2", "constant 6"]


def test_text_of_a_graph_that_prints(capsys):
    graph = px.trace(lambda x: px.debug.print('a "quote" {}, {{}}', x), px.zeros(2)).graph
    again = px.Graph.parse(str(graph))
    assert str(again) == str(graph)
    again.verify()
    count = again.run([px.tensor([1.0, 2.0]), px.tensor(4)])[-1]
    assert count.item() == 5
    assert capsys.readouterr().out == 'a "quote" tensor([1., 2.]), {}\n'


def test_callbacks_take_tensors():
    with pytest.raises(px.errors.TypeError, match=r"with tensors, not with int(.|\n)*functools.partial"):
        px.debug.callback(print, px.ones(1), 3)


def test_text_of_a_graph_with_a_callback():
    def show(x):
        pass

    graph = px.trace(lambda x: px.debug.callback(show, x), px.zeros(2)).graph
    assert 'callback(%effects1, %x0, name="' in str(graph) and 'show")' in str(graph)
    with pytest.raises(px.GraphError, match="object of the program that captured it"):
        px.Graph.parse(str(graph))


def test_training_step_with_gradients(capsys):
    model = px.nn.Linear(2, 1)
    optimizer = px.optim.SGD(model.parameters(), lr=0.1)
    losses = []

    @px.jit
    def step(x):
        optimizer.zero_grad()
        loss = (model(x) ** 2).mean()
        px.debug.print("loss")
        loss.backward()
        optimizer.step()
        px.debug.callback(lambda value: losses.append(value.item()), loss)
        return loss

    returned = [step(px.ones(3, 2)).item() for _ in range(4)]
    assert capsys.readouterr().out == "loss\n" * 4
    assert losses == returned


def test_gradients_through_a_captured_function_print_nothing_again(capsys):
    @px.jit
    def f(x):
        y = x * x
        if y.sum() > 0:
            px.debug.print("yes")
            y = y * 2
        px.debug.print("end")
        return y.sum()

    x = px.ones(2, requires_grad=True)
    f(x).backward()
    assert x.grad.tolist() == [4.0, 4.0]
    assert capsys.readouterr().out == "yes\nend\n"

    @px.jit
    def whole(x):
        y = f(x)
        return px.autograd.grad(y, x)[0]

    assert whole(px.ones(2, requires_grad=True)).tolist() == [4.0, 4.0]
    assert capsys.readouterr().out == "yes\nend\n"


def test_callbacks_keep_what_they_get():
    kept = []

    @px.jit
    def f(x):
        y = x + 1
        px.debug.callback(kept.append, y)
        y += 1
        return y * 2

    f(px.tensor([1.0]))
    f(px.tensor([2.0]))
    assert [t.tolist() for t in kept] == [[2.0], [3.0]]


def test_a_callback_that_raises_ends_the_call():
    def refuse(value):
        raise RuntimeError(f"refused {value.item()}")

    @px.jit
    def f(x):
        px.debug.callback(refuse, x)
        return x

    for _ in range(2):
        with pytest.raises(RuntimeError, match="refused 3"):
            f(px.tensor(3))
    with pytest.raises(px.errors.TypeError):
        px.debug.callback(3)


def test_a_callback_may_call_the_function_it_is_part_of():
    depths = []

    def again(x):
        depths.append(x.item())
        if x.item() < 3:
            f(x + 1)

    @px.jit
    def f(x):
        px.debug.callback(again, x)
        return x

    f(px.tensor(0))
    assert depths == [0, 1, 2, 3]


def test_the_test_of_a_loop_may_not_print():
    @px.jit
    def f(x):
        return px.while_loop(lambda s: px.debug.print("no") or s < 3, lambda s: s + 1, (x,))

    with pytest.raises(px.GraphError, match="the test of a loop"):
        f(px.tensor(0))


def test_vmap_prints_for_each_sample(capsys):
    px.vmap(lambda x: px.debug.print("{}", x.sum()) or x)(px.arange(4.0).reshape(2, 2))
    assert capsys.readouterr().out.splitlines() == ["1", "5"]


def test_a_jitted_function_in_another(capsys):
    inner = px.trace(lambda x: (px.debug.print("inner {}", x), x + 1)[1], px.tensor(0))

    @px.jit
    def outer(x):
        px.debug.print("before")
        y = inner(x)
        px.debug.print("after")
        return y

    assert outer(px.tensor(4)).item() == 5
    assert capsys.readouterr().out.splitlines() == ["before", "inner 4", "after"]


# --- random orders


def random_order():
    return px.randperm(9)


def shuffled():
    return px.shuffle(px.arange(12.0).reshape(6, 2))


def drawn_with_replacement():
    return px.multinomial(px.tensor([[0.1, 0.0, 0.2, 0.7], [1.0, 2.0, 3.0, 4.0]]), 8, replacement=True)


def drawn_without_replacement():
    return px.multinomial(px.tensor([0.1, 0.0, 0.2, 0.7]), 3)


@pytest.mark.parametrize(
    "function", [random_order, shuffled, drawn_with_replacement, drawn_without_replacement]
)
def test_random_orders_are_captured(function):
    captured, found = px.jit(function), []
    for call in (function, captured):
        px.manual_seed(5)
        found.append([call().tolist() for _ in range(4)])
    assert found[0] == found[1]
    assert found[0][0] != found[0][1]
    assert captured.capture_count == 1
    again = px.Graph.parse(str(captured.graph), captured.graph.constants)
    assert str(again) == str(captured.graph)


def test_weights_are_checked_in_each_run():
    draw = px.jit(lambda weights: px.multinomial(weights, 2))
    assert sorted(draw(px.tensor([1.0, 0.0, 2.0])).tolist()) == [0, 2]
    for weights, said in [
        ([1.0, -1.0, 1.0], "a weight is negative"),
        ([1.0, 0.0, 0.0], "2 positions cannot be drawn"),
    ]:
        for call in (draw, draw.__wrapped__):
            with pytest.raises(ValueError, match=f"multinomial: {said}"):
                call(px.tensor(weights))
    assert draw.capture_count == 1
