"""px.jit: captured functions follow the program around them, and control flow on tensors is part of the graph."""

# shard: graph

import pytest
from jit_helpers import agrees, same, t

import phlox as px
from phlox import nn

# --- what it depends on


def test_captures_once():
    jitted = agrees(lambda x: px.relu(x) * 2, *[(px.randn(3),) for _ in range(5)])
    assert jitted.capture_count == 1
    assert jitted.graph.operations == ["relu", "mul"]
    assert "captured 1 times" in jitted.explain() and "ran 5 times" in jitted.explain()
    jitted.assert_compiled(max_compiles=1)
    jitted(px.randn(4))
    with pytest.raises(px.GraphError, match="more than 1"):
        jitted(px.randn(4, 2))


def test_sizes_are_not_compiled_anew():
    """64 batch and sequence sizes: one graph, and one for sizes of one where broadcasting asks for it."""
    px.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.LayerNorm(8), nn.GELU(), nn.Dropout(0.1), nn.Linear(8, 4))
    optimizer = px.optim.Adam(model.parameters(), lr=0.01)

    @px.jit
    def step(x, y):
        optimizer.zero_grad()
        logits = model(x)
        pooled = logits.mean(1) + px.nn.functional.softmax(logits, 1).sum(1) / x.shape[1] ** 0.5
        loss = nn.functional.cross_entropy(pooled, y)
        loss.backward()
        optimizer.step()
        return loss.detach()

    step(px.randn(3, 5, 6), px.zeros(3, dtype=px.int64))  # makes the state of the optimiser
    for i in range(64):
        batch, length = 1 + i % 8, 2 + i // 8
        step(px.randn(batch, length, 6), px.zeros(batch, dtype=px.int64))
    assert step.capture_count >= 64 and step.compile_count <= 2, step.explain()
    assert "for all sizes" in step.explain()
    assert any("f32[b,s,6]" in str(graph) for graph in step.symbolic_graphs)


def test_a_program_that_asks_for_its_sizes_is_several_graphs():
    jitted = px.jit(lambda x: x * 2 if x.shape[0] > 3 else x + 1)
    for size in (1, 2, 3, 4, 5, 9):
        assert same(jitted(px.ones(size)), px.ones(size) * 2)
    assert jitted.compile_count == 2 and jitted.capture_count == 6
    assert "the operations differ from" in jitted.explain()


def test_numbers_and_shapes_are_part_of_the_key():
    calls = []

    @px.capture.do_not_convert
    def note():
        calls.append(1)

    @px.jit
    def scale(x, by=2.0, *, flip=False):
        note()
        return (x * by).flip(0) if flip else x * by

    assert same(scale(t(1, 2)), t(2, 4))
    assert same(scale(t(1, 2), 3.0), t(3, 6))
    assert same(scale(t(1, 2), by=3.0, flip=True), t(6, 3))
    assert same(scale(t(1, 2, 3)), t(2, 4, 6))
    assert same(scale(t(5, 2)), t(10, 4))
    assert len(calls) == 4 == scale.capture_count


GLOBAL = 2.0


def test_globals_closures_and_attributes_are_guarded():
    global GLOBAL
    GLOBAL = 2.0
    factor = 3.0

    class Config:
        def __init__(self):
            self.scale, self.names = 1.0, ["a"]

    config = Config()

    @px.jit
    def function(x):
        return x * GLOBAL * factor * config.scale * len(config.names)

    assert same(function(t(1)), t(6))
    GLOBAL = 4.0
    assert same(function(t(1)), t(12))
    factor = 1.0
    assert same(function(t(1)), t(4))
    config.scale = 2.0
    assert same(function(t(1)), t(8))
    config.names.append("b")
    assert same(function(t(1)), t(16))
    config.names.pop()
    config.scale = 1.0
    assert same(function(t(1)), t(4))
    assert function.capture_count == 5
    assert "changed" in function.explain()


def test_a_value_that_changes_always_is_an_error_that_names_it():
    counter = type("Counter", (), {})()
    counter.value = 0

    @px.jit
    def function(x):
        return x + counter.value

    with pytest.raises(px.GraphError, match=r"`\.value` of a Counter"):
        for counter.value in range(20):
            function(t(1))


def test_train_and_eval():
    px.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5))
    jitted = px.jit(model)
    x = px.randn(8, 3)
    with px.no_grad():
        for mode in (True, False, True, False):
            model.train(mode)
            state, buffers = px.get_rng_state(), {k: v.clone() for k, v in model.state_dict().items()}
            expected = model(x)
            after = {k: v.clone() for k, v in model.state_dict().items()}
            model.load_state_dict(buffers)
            px.set_rng_state(state)
            assert same(jitted(x), expected)
            assert same(dict(model.state_dict()), after)
    assert jitted.capture_count == 2


def test_host_state_may_not_be_changed():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.calls = 0

        def forward(self, x):
            self.calls += 1
            return x

    with pytest.raises(px.GraphError, match="calls"):
        px.jit(Model())(t(1))
    seen = []

    def function(x):
        seen.append(x)
        return x

    with pytest.raises(px.GraphError, match="append"):
        px.jit(function)(t(1))
    assert seen == []


def test_disable_jit(monkeypatch):
    jitted = px.jit(lambda x: x.item())
    with px.disable_jit():
        assert jitted(px.tensor(3.0)) == 3.0
    with pytest.raises(px.GraphError):
        jitted(px.tensor(3.0))
    monkeypatch.setenv("PHLOX_JIT", "0")
    assert jitted(px.tensor(3.0)) == 3.0


def test_methods_and_nesting():
    class Model:
        def __init__(self, factor):
            self.factor = factor

        @px.jit
        def run(self, x):
            return inner(x) * self.factor

    @px.jit
    def inner(x):
        return x + 1

    a, b = Model(2.0), Model(5.0)
    assert same(a.run(t(1)), t(4)) and same(b.run(t(1)), t(10)) and same(a.run(t(2)), t(6))
    assert a.run.capture_count == 1
    assert inner.capture_count == 0


# --- training


def model_and_data():
    px.manual_seed(1)
    model = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Dropout(0.1), nn.Linear(16, 3))
    return model, [(px.randn(8, 4), px.randint(0, 3, (8,))) for _ in range(5)]


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("accumulate", [False, True])
def test_training_steps(momentum, accumulate):
    runs = []
    for captured in (False, True):
        model, data = model_and_data()
        optimizer = px.optim.SGD(model.parameters(), lr=0.1, momentum=momentum)

        def step(x, y, model=model, optimizer=optimizer):
            if not accumulate:
                optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            return loss

        run = px.jit(step) if captured else step
        losses = [run(*batch).detach() for batch in data]
        runs.append((losses, dict(model.state_dict()), [p.grad for p in model.parameters()]))
        if captured:
            assert run.capture_count == 1 + (accumulate and not momentum), run.explain()
    assert same(*runs)


def test_adam_is_captured_in_the_first_call():
    runs = []
    for captured in (False, True):
        model, data = model_and_data()
        optimizer = px.optim.AdamW(model.parameters(), lr=0.01)

        def step(x, y, model=model, optimizer=optimizer):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

        run = px.jit(step) if captured else step
        runs.append(([run(*batch).detach() for batch in data], dict(model.state_dict())))
        if captured:
            assert run.capture_count == 1
        optimizer.param_groups[0]["lr"] = 0.5
        runs[-1] += (run(*data[0]).detach(), [p.clone() for p in model.parameters()])
        assert not captured or run.capture_count == 1
    assert same(*runs)


def test_gan_with_two_optimisers():
    runs = []
    for captured in (False, True):
        px.manual_seed(3)
        generator = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 2))
        critic = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 1))
        first = px.optim.Adam(generator.parameters(), lr=0.01)
        second = px.optim.Adam(critic.parameters(), lr=0.01)
        loss_of = nn.functional.binary_cross_entropy_with_logits

        def step(real, generator=generator, critic=critic, first=first, second=second, loss_of=loss_of):
            fake = generator(px.randn(16, 2))
            second.zero_grad()
            lost = loss_of(critic(real), px.ones(16, 1)) + loss_of(critic(fake.detach()), px.zeros(16, 1))
            lost.backward()
            second.step()
            first.zero_grad()
            fooled = loss_of(critic(fake), px.ones(16, 1))
            fooled.backward()
            first.step()
            return lost, fooled

        run = px.jit(step) if captured else step
        px.manual_seed(4)
        losses = [tuple(v.detach() for v in run(px.randn(16, 2))) for _ in range(4)]
        runs.append((losses, dict(generator.state_dict()), dict(critic.state_dict())))
    assert same(*runs)


def test_rnn_with_a_python_loop_and_a_list():
    px.manual_seed(0)
    cell = nn.Linear(3 + 5, 5)

    def run(sequence):
        h, outputs = px.zeros(2, 5), []
        for x in sequence:
            h = px.tanh(cell(px.cat([x, h], 1)))
            outputs.append(h)
        return px.stack(outputs), h

    with px.no_grad():
        jitted = agrees(run, (px.randn(4, 2, 3),), (px.randn(4, 2, 3),), (px.randn(6, 2, 3),))
    assert jitted.capture_count == 2


def test_gradients_flow_through_results():
    px.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    jitted = px.jit(model)
    x = px.randn(5, 3, requires_grad=True)
    results = []
    for f in (model, jitted, jitted):
        model.zero_grad()
        x.grad = None
        f(x).pow(2).sum().backward()
        results.append([x.grad.clone(), *(p.grad.clone() for p in model.parameters())])
    assert same(results[0], results[1]) and same(results[0], results[2])
    second = []
    for f in (model, jitted):
        (g,) = px.autograd.grad(f(x).sum(), x, create_graph=True)
        second.append(px.autograd.grad(g.pow(2).sum(), x)[0])
    assert same(*second)


# --- control flow on tensors


def test_if():
    def function(x):
        if x.sum() > 0:
            y = x * 2
        else:
            y = -x
        return y + 1

    jitted = agrees(function, (t(1, 2),), (t(-1, -2),), (t(3, -1),))
    assert jitted.capture_count == 1 and "cond" in jitted.graph.operations
    graph = px.Graph.parse(str(jitted.graph), jitted.graph.constants)
    graph.verify()
    assert str(graph) == str(jitted.graph)
    assert same(graph.run([t(-4, 1)])[0], function(t(-4, 1)))


def test_elif_and_early_return():
    def function(x):
        s = x.sum()
        if s > 10:
            return x
        elif s > 5:
            x = x + 1
        elif s > 0:
            return x * 3
        return x - 1

    agrees(function, (t(20),), (t(7),), (t(2),), (t(-3),))


def test_conditions():
    def function(x, y):
        a = x if x.sum() > 0 and y.sum() > 0 else -x
        b = 1.0 if x.sum() > 0 or y.sum() > 0 else 0.0
        c = 1 if not x.sum() > 0 else 2
        d = 5 if 0 < x.sum() < 3 else 7
        return a, b, c, d

    jitted = px.jit(function)
    for x, y in [(t(1), t(1)), (t(-1), t(1)), (t(1), t(-1)), (t(-1), t(-1)), (t(4), t(1))]:
        assert same(jitted(x, y), function(x, y))


def test_while():
    def collatz(n):
        steps = px.tensor(0)
        while n != 1:
            if n % 2 == 0:
                n = n // 2
            else:
                n = 3 * n + 1
            steps = steps + 1
        return steps

    jitted = agrees(collatz, *[(px.tensor(n),) for n in (1, 2, 7, 27, 97)])
    assert jitted.capture_count == 1
    graph = px.Graph.parse(str(jitted.graph), jitted.graph.constants)
    graph.verify()
    assert graph.run([px.tensor(27)])[0].item() == 111


def test_while_with_numbers_break_and_continue():
    def function(x, limit):
        total, i = 0.0, 0
        while i < limit:
            i += 1
            if x[i % 3] < 0:
                continue
            total = total + x[i % 3]
            if total > 10:
                break
        return total * 1.0, i

    jitted = px.jit(function)
    for x in (t(1, 2, 3), t(-1, 5, 6), t(-1, -1, -1)):
        for limit in (0, 1, 5, 50):
            expected = function(x, px.tensor(limit))
            actual = jitted(x, px.tensor(limit))
            assert [float(v) for v in actual] == [float(v) for v in expected]


def test_loop_variables_written_in_place():
    def count(n):
        steps = px.tensor(0)
        alias = steps
        while n > 1:
            n = n // 2
            steps += 1
        return steps, alias, n

    agrees(count, *[(px.tensor(n),) for n in (1, 2, 100)])

    def outside(x, n):
        for i in range(n):
            x += i
        return x * 1

    for n in (0, 1, 4):
        x, y = t(1, 2), t(1, 2)
        assert same(px.jit(outside)(x, px.tensor(n)), outside(y, px.tensor(n))) and same(x, y)

    def mixed(x, n):
        for _ in range(n):
            x += 1
            x = x * 2
        return x

    with pytest.raises(px.GraphError, match="in place"):
        px.jit(mixed)(t(1), px.tensor(2))


def test_for_over_a_range_of_a_tensor():
    def function(x, n):
        y = x
        for i in range(n):
            y = y + i * x
        return y

    agrees(function, *[(t(1, 2), px.tensor(n)) for n in (0, 1, 5)])


def test_loops_write_in_place_and_draw_random_numbers():
    def function(x, n):
        out = px.zeros(8)
        for i in range(n):
            out[i] = x.sum() + px.rand(())
        return out

    jitted = px.jit(function)
    for n in (0, 3, 8):
        px.manual_seed(n)
        expected, state = function(t(1, 2), px.tensor(n)), px.get_rng_state()
        px.manual_seed(n)
        assert same(jitted(t(1, 2), px.tensor(n)), expected)
        assert px.get_rng_state() == state


def test_return_in_a_loop():
    def find(x, wanted):
        i = 0
        while i < 5:
            if x[i] == wanted:
                return i, x * i
            i += 1
        return -1, x

    jitted = px.jit(find)
    x = t(3, 1, 4, 1, 5)
    for wanted in (3, 4, 5, 9):
        actual, expected = jitted(x, px.tensor(float(wanted))), find(x, px.tensor(float(wanted)))
        assert int(actual[0]) == expected[0] and same(actual[1], expected[1])


def test_beam_search():
    table = px.softmax(px.arange(36.0).reshape(6, 6).sin() * 3, -1).log()

    def search(start, width=3):
        scores, last = px.zeros(width), start.expand(width)
        paths, length = px.zeros(width, 8, dtype=px.int64), 0
        while length < 8 and scores.max() > -12:
            candidates = scores[:, None] + table[last]
            scores, flat = candidates.reshape(-1).topk(width)
            origin, last = flat // 6, flat % 6
            paths = paths[origin]
            paths[:, length] = last
            length = length + 1
        return paths, scores, length

    jitted = px.jit(search)
    for start in range(6):
        for a, b in zip(jitted(px.tensor(start)), search(px.tensor(start))):
            assert same(a, b) or int(a) == int(b)


def test_gradients_through_branches():
    w = px.tensor([1.0, -2.0, 3.0], requires_grad=True)

    def loss(x):
        y = w * x
        if y.sum() > 0:
            z = y.exp().sum()
        else:
            z = (y * y).sum() * w[0]
        return z

    def step(x):
        w.grad = None
        loss(x).backward()
        return w.grad.clone()

    jitted = px.jit(step)
    for x in (t(1, 1, 1), t(1, 5, 1), t(-1, 0, -2)):
        assert px.testing.assert_close(jitted(x), step(x)) is None
    assert jitted.capture_count == 1
    outside = px.jit(loss)
    for x in (t(1, 1, 1), t(1, 5, 1)):
        found = []
        for f in (loss, outside):
            w.grad = None
            f(x).backward()
            found.append(w.grad.clone())
        px.testing.assert_close(*found)


def test_branches_may_give_other_memory_orders():
    def function(x):
        y = x * 1
        if x.sum() > 0:
            z = y.T
        else:
            z = x + 1
        w = y * 2
        return z, z + w.sum(), w

    agrees(function, (px.ones(3, 3),), (-px.ones(3, 3),), (px.arange(9.0).reshape(3, 3),))


def test_cond_and_while_loop():
    def function(x):
        y = px.cond(x.sum() > 0, lambda v: v * 2, lambda v: v - 1, (x,))
        (z, n) = px.while_loop(lambda z, n: n < 4, lambda z, n: (z * 2, n + 1), (y, px.tensor(0)))
        return y, z, n

    agrees(function, (t(1, 2),), (t(-1, -2),))


# --- what cannot be captured


@pytest.mark.parametrize(
    "function, message",
    [
        (lambda x: x.item(), "values"),
        (lambda x: x[x > 0], "shape of a result"),
        (lambda x: px.cond(x.sum() > 0, lambda: x, lambda: x.sum()), "different types"),
        (lambda x: px.cond(x > 0, lambda: x, lambda: x), "one truth value"),
    ],
)
def test_refusals(function, message):
    with pytest.raises(px.PhloxError, match=message):
        px.jit(function)(t(1, 2))


def test_more_refusals():
    def different(x):
        if x.sum() > 0:
            y = x
        else:
            y = x.to(px.int64)
        return y

    def grows(x):
        y = x
        while y.sum() < 10:
            y = px.cat([y, x])
        return y

    def collects(x):
        out = []
        while x.sum() < 10:
            x = x + 1
            out.append(x)
        return out

    for function in (different, grows, collects):
        with pytest.raises(px.GraphError):
            px.jit(function)(t(1, 2))


def test_literals_that_are_written():
    def function(x, n):
        total, ones = px.tensor(0.0), px.tensor([1.0, 1.0])
        for i in range(n):
            inner = px.tensor([0.0, 0.0])
            inner += x
            total += inner.sum() + i
        ones[0] = 5.0
        return total, ones

    agrees(function, *[(t(1, 2), px.tensor(n)) for n in (3, 0, 2, 3)])


def test_results_may_be_written_by_the_program():
    jitted = px.jit(lambda x: (px.tensor([1.0, 2.0]), x * 1, px.tensor([3.0, 4.0])[:1]))
    for _ in range(3):
        results = jitted(t(1))
        assert same(results, (t(1, 2), t(1), t(3)))
        for r in results:
            r.zero_()


def test_tensors_made_in_a_capture_cannot_be_kept():
    kept = {}

    @px.capture.do_not_convert
    def table():
        if "table" not in kept:
            kept["table"] = px.tensor([1.0, 2.0])
        return kept["table"]

    with pytest.raises(px.GraphError, match="kept by the program"):
        px.jit(lambda x: x * table())(t(1, 1))


def test_assertions():
    def function(x, n):
        assert x.sum() > 0, "the sum"
        if x.max() > 100:
            raise ValueError("too large")
        if x.max() > 10:
            assert x.min() > 5
        total = px.tensor(0.0)
        for i in range(n):
            assert i < 3, "three turns"
            total = total + x.sum()
        return total

    jitted = agrees(function, (t(1, 2), px.tensor(3)), (t(1, 2), px.tensor(0)), (t(11, 6), px.tensor(2)))
    for args, kind, message in [
        ((t(-1, -2), px.tensor(1)), AssertionError, "the sum"),
        ((t(101, 200), px.tensor(1)), ValueError, "too large"),
        ((t(11, 2), px.tensor(1)), AssertionError, "min"),
        ((t(1, 2), px.tensor(4)), AssertionError, "three turns"),
    ]:
        with pytest.raises(kind, match=message):
            jitted(*args)
    assert jitted.capture_count == 1
    graph = px.Graph.parse(str(jitted.graph), jitted.graph.constants)
    graph.verify()
    with pytest.raises(AssertionError, match="three turns"):
        graph.run([t(1, 2), px.tensor(4)])


def test_a_number_stays_what_it_is_where_a_loop_gives_another_kind():
    @px.jit
    def last(x):
        found = 1.5
        while x > 0:
            found = 2
            x = x - 1
        return found

    assert [last(px.tensor(x)) for x in (-1.0, 3.0)] == [1.5, 2.0]


def test_recursion_on_a_tensor_is_refused():
    @px.jit
    def doubled(x):
        if x.sum() > 10:
            return x
        return doubled(x * 2)

    with pytest.raises(px.GraphError, match="calls itself without end") as caught:
        doubled(px.ones(3))
    assert caught.value.code == "E1002"


@pytest.mark.parametrize(
    "call",
    [
        lambda x: px.cond(x.sum() > 0, lambda x: x + 1, lambda x: x - 1, x),
        lambda x: px.while_loop(lambda x: x.sum() < 3, lambda x: x + 1, x),
    ],
)
def test_operands_are_a_tuple(call):
    with pytest.raises(TypeError, match="is a tuple of what the functions are called with"):
        call(px.ones(3))


@pytest.mark.parametrize(
    "kind", [list, tuple, lambda values: {"a": values[0]}], ids=["list", "tuple", "dict"]
)
def test_structures_made_in_branches_one_after_the_other(kind):
    key = 0 if kind in (list, tuple) else "a"

    def f(x):
        s = kind([x])
        for _ in range(2):
            if x.sum() > 0:
                s = kind([s[key] - 1])
        n = 0
        while n < x.shape[0]:
            if s[key].sum() > 0:
                s = kind([s[key] * 2])
            n = n + 1
        return s[key]

    captured = px.jit(f)
    for x in (px.ones(3), -px.ones(3), px.full((3,), 2.0)):
        assert captured(x).tolist() == f(x).tolist()


def both(function, *args):
    return function(*args), px.jit(function)(*args)


def test_sides_of_a_condition_have_one_structure():
    x = px.tensor(1.0)
    f = px.jit(lambda c: px.cond(c, lambda a: {"u": a, "v": a * 10}, lambda a: {"v": a * 10, "u": a}, (x,)))
    for c in (True, False):
        result = f(px.tensor(c))
        assert (result["u"].item(), result["v"].item()) == (1, 10)
    for a, b in ((1, 2), ("yes", "no"), ((x, None), (None, x)), ([x], (x,))):
        with pytest.raises(px.GraphError, match="differ in structure"):
            px.jit(lambda c, a=a, b=b: px.cond(c, lambda: a, lambda: b))(px.tensor(True))
        assert repr(px.cond(px.tensor(False), lambda a=a: a, lambda b=b: b)) == repr(b)


def test_numbers_go_round_in_loops():
    x = px.tensor(1.0)
    for count, last in both(
        lambda x: px.while_loop(lambda i, x: x < 5, lambda i, x: (i + 1, x * 2), (0, x)), x
    ):
        assert (count.item(), last.item()) == (3, 8)
    for count, ys in both(lambda x: px.scan(lambda c, v: (c + 1, v * c), 0, x), px.ones(3)):
        assert (count.item(), ys.tolist()) == (3, [0, 1, 2])
    start = {"a": px.tensor(0.0), "b": px.tensor(0.0)}
    turn = lambda c, v: ({"b": c["b"] + 100, "a": c["a"] + v}, v)  # noqa: E731
    for carry, _ in both(lambda x: px.scan(turn, start, x), px.ones(3)):
        assert (carry["a"].item(), carry["b"].item()) == (3, 300)
    with pytest.raises(px.GraphError, match="the state before and after a turn"):
        px.while_loop(lambda x: x < 5, lambda x: (x, x), (x,))
