"""Programs that are traced: writes in place, views, gradients, random numbers, whole training steps."""

# shard: graph

import pytest

import phlox as px
from phlox import nn


def same(a, b):
    if isinstance(a, px.Tensor):
        return a.dtype == b.dtype and a.shape == b.shape and px.equal(a, b)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    return a == b


def agrees(function, *args):
    """Eager and traced give the same and leave the same in their arguments."""
    eager_args = [a.clone() for a in args]
    expected = function(*eager_args)
    traced = px.trace(function, *[a.clone() for a in args])
    traced_args = [a.clone() for a in args]
    assert same(traced(*traced_args), expected), traced.graph
    assert same(traced_args, eager_args), traced.graph
    return traced


def test_text():
    traced = px.trace(lambda x, y: px.relu(x @ y).sum(0) * 2.5, px.ones(3, 4), px.ones(4, 2))
    assert str(traced.graph) == (
        "graph(%x0: f32[3,4], %x1: f32[4,2]) {\n"
        "  %0: f32[3,2] = contraction(%x0, %x1)\n"
        "  %1: f32[3,2] = relu(%0)\n"
        "  %2: f32[2] = reduce.sum(%1, dims=[0])\n"
        "  %3: f32[2] = mul(%2, 2.5)\n"
        "  return %3\n"
        "}\n"
    )
    assert traced.graph.operations == ["contraction", "relu", "reduce.sum", "mul"]
    assert "relu" in traced.graph.to_dot() and traced.graph.to_dot().startswith("digraph")
    assert "test_trace.py" in traced.graph.to_text(locations=True)


def test_equal_nodes_are_one():
    traced = px.trace(lambda x: px.exp(x) + px.exp(x), px.ones(3))
    assert traced.graph.operations == ["exp", "add"]


def test_what_nobody_needs_is_left_out():
    def function(x):
        px.exp(x).sum()
        return x + 1

    assert px.trace(function, px.ones(3)).graph.operations == ["add"]


def test_writes_in_place():
    def function(x):
        y = x * 2
        y[0] = 7.0
        y[1:].mul_(3)
        row = y[2]
        y.add_(1)
        row += 5
        return y, row, y.T

    agrees(function, px.randn(4, 3))


def test_writes_into_arguments():
    def function(x, y):
        x.add_(y)
        y[0].zero_()
        return x * y

    agrees(function, px.randn(3, 4), px.randn(3, 4))


def test_results_look_at_arguments_as_they_do_eagerly():
    def function(x):
        x.mul_(2)
        return x, x[1:], x.T

    traced = px.trace(function, px.ones(3, 3))
    x = px.ones(3, 3)
    whole, rows, turned = traced(x)
    x[2, 0] = 5.0
    assert whole[2, 0].item() == rows[1, 0].item() == turned[0, 2].item() == 5.0


def test_arguments_that_share_memory():
    def function(x, y):
        y.add_(10)
        return x.sum(), x * y

    base = px.arange(6.0)
    traced = px.trace(function, base, base)
    a, b = px.arange(6.0), px.arange(6.0)
    assert same(traced(a, a), function(b, b)) and same(a, b)


def test_overlapping_views_as_arguments():
    def function(x, y):
        y.add_(10)
        return x * 1

    base = px.arange(6.0)
    traced = px.trace(function, base[:4], base[2:])
    a, b = px.arange(6.0), px.arange(6.0)
    assert same(traced(a[:4], a[2:]), function(b[:4], b[2:])) and same(a, b)


def test_swap():
    def function(x, y):
        t = x.clone()
        x.copy_(y)
        y.copy_(t)

    agrees(function, px.randn(3), px.randn(3))


def test_tensors_around_the_function_are_live():
    weight = px.ones(3)
    traced = px.trace(lambda x: x * weight, px.ones(3))
    weight.fill_(4)
    assert same(traced(px.ones(3)), px.full((3,), 4.0))


def test_literals_are_constants():
    traced = px.trace(lambda x: x * px.tensor([1.0, 2.0, 3.0]), px.ones(3))
    assert "constant(1.0,2.0,3.0)" in str(traced.graph)
    big = px.trace(lambda x: x + px.tensor(list(range(100))), px.ones(100))
    assert "constant(@0)" in str(big.graph) and len(big.graph.constants) == 1
    assert same(px.Graph.parse(str(big.graph), big.graph.constants).run([px.ones(100)])[0], big(px.ones(100)))


def test_random_numbers_go_on():
    traced = px.trace(lambda x: x + px.randn(3) + px.rand(3), px.zeros(3))
    px.manual_seed(5)
    expected = [px.zeros(3) + px.randn(3) + px.rand(3) for _ in range(3)]
    px.manual_seed(5)
    assert same([traced(px.zeros(3)) for _ in range(3)], expected)


def test_generator_of_its_own():
    generator = px.Generator()
    generator.manual_seed(3)
    traced = px.trace(lambda x: x + px.rand(2, generator=generator), px.zeros(2))
    state = generator.get_state()
    first = traced(px.zeros(2))
    generator.set_state(state)
    assert same(first, px.rand(2, generator=generator))


def training_step(model, optimizer, clip=False):
    def step(x, y):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        if clip:
            nn.utils.clip_grad_norm_(model.parameters(), 0.1)
        optimizer.step()
        return loss

    return step


def mlp():
    return nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 3))


def network():
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.LayerNorm(16),
        nn.Linear(16, 3),
    )


OPTIMIZERS = {
    "sgd": lambda p: px.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-3),
    "adam": lambda p: px.optim.Adam(p, lr=0.01, amsgrad=True),
    "adamw": lambda p: px.optim.AdamW(p, lr=0.01),
    "rmsprop": lambda p: px.optim.RMSprop(p, lr=0.01, centered=True, momentum=0.5),
}


@pytest.mark.parametrize("make", [mlp, network])
@pytest.mark.parametrize("optimizer", sorted(OPTIMIZERS))
def test_training_steps(make, optimizer):
    """Forward, loss, backward, clipping and the optimiser's step are one graph: the same bits as eager steps."""
    px.manual_seed(0)
    shape = (8, 6) if make is mlp else (8, 2, 4, 4)
    batches = [(px.randn(*shape), px.randint(0, 3, (8,))) for _ in range(4)]
    runs = []
    for captured in ("eagerly", "traced", "optimized"):
        px.manual_seed(1)
        model = make()
        chosen = OPTIMIZERS[optimizer](model.parameters())
        step = training_step(model, chosen, clip=True)
        losses = [step(*batches[0])]
        if captured != "eagerly":
            state = px.get_rng_state()
            step = px.trace(step, *batches[0])
            px.set_rng_state(state)
        if captured == "optimized":
            step = step.optimize()
        losses += [step(*batch) for batch in batches[1:]]
        gradients = [p.grad for p in model.parameters()]
        runs.append((losses, model.state_dict(), gradients, px.get_rng_state()))
    assert same(runs[0], runs[1]) and same(runs[0], runs[2])


def test_learning_rate_is_an_input():
    runs = []
    for captured in (False, True):
        px.manual_seed(1)
        model = nn.Linear(3, 2)
        optimizer = px.optim.SGD(model.parameters(), lr=0.1)
        schedule = px.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
        step = training_step(model, optimizer)
        x, y = px.ones(4, 3), px.tensor([0, 1, 0, 1])
        losses = [step(x, y)]
        if captured:
            step = px.trace(step, x, y)
        for _ in range(3):
            schedule.step()
            losses.append(step(x, y))
        runs.append(losses)
    assert same(*runs)


def test_tracing_changes_nothing():
    """Neither parameters, gradients nor buffers move while a step is traced."""
    px.manual_seed(0)
    model = network()
    optimizer = px.optim.AdamW(model.parameters())
    step = training_step(model, optimizer)
    x, y = px.randn(4, 2, 4, 4), px.tensor([0, 1, 2, 0])
    step(x, y)
    before = {k: v.clone() for k, v in model.state_dict().items()}, [p.grad for p in model.parameters()]
    versions = [p.version for p in model.parameters()] if hasattr(px.Tensor, "version") else None
    px.trace(step, x, y)
    assert same(dict(model.state_dict()), before[0])
    assert all(p.grad is g or px.equal(p.grad, g) for p, g in zip(model.parameters(), before[1]))
    assert versions is None or versions == [p.version for p in model.parameters()]


def test_structures():
    def function(batch, scale=1.0):
        return {"sum": batch["x"] + batch["more"][0], "parts": (batch["x"] * scale, [batch["more"][1]])}

    batch = {"x": px.ones(2), "more": [px.ones(2), px.zeros(2)]}
    traced = px.trace(function, batch, scale=3.0)
    assert same(traced(batch, scale=3.0), function(batch, scale=3.0))
    with pytest.raises(px.GraphError) as error:
        traced(batch, scale=4.0)
    assert error.value.code == "E1002"
    with pytest.raises(px.GraphError):
        traced({"x": px.ones(2), "more": [px.ones(2)]}, scale=3.0)


def test_other_shapes_are_refused():
    traced = px.trace(lambda x: x + 1, px.ones(3))
    with pytest.raises(px.GraphError, match=r"f32\[3\]"):
        traced(px.ones(4))
    with pytest.raises(px.GraphError):
        traced(px.ones(3, dtype=px.float64))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.item(),
        lambda x: x * float(x),
        lambda x: x if x else -x,
        lambda x: x.tolist(),
        lambda x: x.numpy(),
        lambda x: int(x),
        lambda x: list(range(x)),
    ],
)
def test_values_cannot_be_read(function):
    for x in (px.tensor(2), px.tensor([[2]])):
        with pytest.raises((px.GraphError, TypeError)):
            px.trace(function, x)


def test_nothing_escapes():
    kept = []

    def function(x):
        kept.append(x * 2)
        return x

    with pytest.raises(px.GraphError, match="kept by the program"):
        px.trace(function, px.ones(2))
    with pytest.raises(px.GraphError):
        kept[0].sum().item()


def test_errors_leave_no_trace():
    def function(x):
        (x * 2).sum().backward()
        raise KeyError("mine")

    x = px.ones(3, requires_grad=True)
    with pytest.raises(KeyError):
        px.trace(function, x)
    assert x.grad is None
    assert px.ones(3).sum().item() == 3.0


def test_checks_are_part_of_the_graph():
    traced = px.trace(lambda i: px.nn.functional.one_hot(i, 4), px.tensor([1, 2]))
    assert same(traced(px.tensor([0, 3])), px.nn.functional.one_hot(px.tensor([0, 3]), 4))
    with pytest.raises(IndexError, match="one_hot"):
        traced(px.tensor([0, 4]))
    table = px.randn(5, 2)
    look = px.trace(lambda i: px.nn.functional.embedding(i, table), px.tensor([1, 2]))
    for bad in ([0, -1], [0, 5]):
        with pytest.raises(IndexError):
            look(px.tensor(bad))


def test_a_module_is_a_function():
    model = mlp().eval()
    traced = px.trace(model, px.ones(2, 6))
    x = px.randn(2, 6)
    assert same(traced(x), model(x).detach())


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "ends"),
        ("graph(%x: f32[3]) {\n  return %y\n}", "no %y"),
        ("graph(%x: f32[3]) {\n  %0: f32[4] = relu(%x)\n  return %0\n}", r"f32\[3\], not f32\[4\]"),
        ("graph(%x: f32[3]) {\n  %0: f32[3] = grelu(%x)\n  return %0\n}", "no primitive 'grelu'"),
        ("graph(%x: g32[3]) {\n  return %x\n}", "no dtype"),
        ("graph(%x: f32[-3]) {\n  return %x\n}", "not a size"),
        ("graph(%x: f32[3]) {\n  %x: f32[3] = relu(%x)\n  return %x\n}", "made twice"),
        ("graph(%x: f32[3]) {\n  %0: f32[3] = relu(%x, hue=3)\n  return %0\n}", "no attribute"),
        ("graph(%x: f32[3]) {\n  %0: f32[] = reduce.sum(%x, dims=5)\n  return %0\n}", "dims"),
        ("graph(%x: f32[3]) {\n  %0: f32[2] = constant(1.0)\n  return %0\n}", "number of values"),
        ("graph(%x: f32[3]) {\n  %0: f32[2] = constant(@3)\n  return %0\n}", "no constant"),
        ("graph(%x: f32[3]) {\n  return %x\n}\nmore", "follows"),
    ],
)
def test_bad_texts(text, message):
    with pytest.raises(px.GraphError, match=message) as error:
        px.Graph.parse(text)
    assert error.value.code == "E1004"


def test_run_checks_its_inputs():
    graph = px.Graph.parse("graph(%x: f32[3]) {\n  %0: f32[3] = relu(%x)\n  return %0\n}")
    assert same(graph.run([px.tensor([-1.0, 0.0, 2.0])])[0], px.tensor([0.0, 0.0, 2.0]))
    for inputs in ([], [px.ones(4)], [px.ones(3), px.ones(3)], [px.ones(3, dtype=px.int64)]):
        with pytest.raises(px.errors.ValueError):
            graph.run(inputs)


def test_other_memory_layouts_run_too():
    traced = px.trace(lambda x: (x * 2).sum(0), px.ones(3, 4))
    for x in (px.randn(3, 4), px.randn(4, 3).T, px.randn(6, 8)[::2, ::2], px.randn(4, 3).T, px.randn(3, 4)):
        assert same(traced(x), (x * 2).sum(0))


@pytest.mark.parametrize("choose", [lambda a: a.reshape(-1), lambda a: a.contiguous().view(-1)])
@pytest.mark.parametrize("write", ["argument", "result"])
def test_whether_memory_is_shared_follows_from_the_layout(choose, write):
    def function(a):
        flat = choose(a)
        (a if write == "argument" else flat).neg_()
        return flat * 1

    rows, columns = px.arange(6.0).reshape(2, 3), px.arange(6.0).reshape(3, 2).T
    compiled = px.jit(function)
    for argument in (rows, columns, rows, columns):
        eager = argument.clone()
        assert eager.stride() == argument.stride()
        expected = function(eager)
        assert same([compiled(argument), argument], [expected, eager])
    with pytest.raises(px.GraphError, match="captured for other inputs"):
        px.trace(function, rows)(columns)


def test_whether_memory_between_is_shared_follows_from_the_layout():
    def function(a):
        scaled = a * 2
        flat = scaled.reshape(-1)
        scaled.neg_()
        return flat

    rows, columns = px.arange(6.0).reshape(2, 3), px.arange(6.0).reshape(3, 2).T
    compiled = px.jit(function)
    for argument in (rows, columns):
        assert same(compiled(argument), function(argument))


def test_strides_of_what_comes_out_of_a_branch_are_unknown():
    def function(a):
        b = px.cond(a.sum() > 0, lambda: a.T * 2, lambda: a.T)
        return px.as_strided(b, (2,), (1,))

    with pytest.raises(px.GraphError, match=r"as_strided\(\) of what comes out of a branch or loop"):
        px.trace(function, px.ones(2, 3))


def test_arguments_that_share_memory_only_now():
    def function(x, y):
        y.add_(1)
        return x * y

    traced = px.trace(function, px.ones(3), px.ones(3))
    x = px.ones(3)
    with pytest.raises(px.GraphError, match="share memory"):
        traced(x, x)
    shared = px.trace(lambda x, y: x * y, px.ones(3), px.ones(3))
    assert same(shared(x, x), x * x)
    both = px.trace(function, x, x)
    with pytest.raises(px.GraphError, match="share memory"):
        both(px.ones(3), px.ones(3))


def test_results_are_kept_apart_from_later_runs():
    state = px.zeros(3)

    def function(x):
        state.add_(x)
        return state * 1, x + 1

    traced = px.trace(function, px.ones(3))
    results = [traced(px.full((3,), float(i))) for i in range(4)]
    assert [r[0][0].item() for r in results] == [0.0, 1.0, 3.0, 6.0]
    assert [r[1][0].item() for r in results] == [1.0, 2.0, 3.0, 4.0]


def test_many_threads_run_one_function():
    from concurrent.futures import ThreadPoolExecutor

    weight = px.randn(8, 8)
    traced = px.trace(lambda x: px.softmax(x @ weight, -1).sum(0), px.ones(16, 8))
    inputs = [px.randn(16, 8) for _ in range(40)]
    expected = [px.softmax(x @ weight, -1).sum(0) for x in inputs]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            assert same(list(pool.map(traced, inputs)), expected)


def test_an_error_in_a_run_leaves_the_function_usable():
    table = px.randn(4, 2)
    traced = px.trace(lambda i: (table[i] * 2).sum(0), px.tensor([1, 2]))
    good = traced(px.tensor([0, 3]))
    with pytest.raises(IndexError):
        traced(px.tensor([0, 9]))
    assert same(traced(px.tensor([0, 3])), good)


def test_arguments_that_share_memory_take_no_values_with_gradients():
    """Eagerly the one becomes part of the history of the other if it is a view of it."""
    p = px.ones(2, requires_grad=True)

    def function(a, b):
        b[...] = p
        return a.sum()

    a = px.zeros(2, 2)
    with pytest.raises(px.GraphError, match="shares memory with another"):
        px.trace(function, a, a[0])
    assert px.trace(function, a, px.zeros(2))(a, px.zeros(2)).item() == 0


def test_results_with_names():
    """What sort() gives is a tuple of its own type; its tensors are results all the same."""
    traced = px.trace(lambda x: px.sort(x), px.ones(3))
    values, indices = traced(px.tensor([3.0, 1.0, 2.0]))
    assert (values.tolist(), indices.tolist()) == ([1.0, 2.0, 3.0], [1, 2, 0])
