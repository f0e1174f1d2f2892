"""px.script: numbers are inputs, tensors may be declared, and whole programs do what they do eagerly."""

# shard: graph
# ruff: noqa: F722, F821 - annotations are types of tensors

import math

import pytest

import phlox as px
from phlox import nn

# --- programs


@px.script
def newton(a: float, tolerance: float = 1e-10) -> float:
    guess = a / 2
    while True:
        better = (guess + a / guess) / 2
        if abs(better - guess) < tolerance:
            return better
        guess = better


@px.script
def collatz(n: int) -> int:
    steps = 0
    while n != 1:
        n = n // 2 if n % 2 == 0 else 3 * n + 1
        steps += 1
    return steps


@px.script
def is_prime(n: int) -> bool:
    if n < 2:
        return False
    divisor = 2
    while divisor * divisor <= n:
        if n % divisor == 0:
            return False
        divisor += 1
    return True


@px.script
def horner(x, degree: int, scale: float = 1.0):
    total = px.zeros_like(x)
    for k in range(degree, -1, -1):
        total = total * x + scale / (k + 1)
    return total


def smooth(x, strength):
    def mix(a, b):
        return a * (1 - strength) + b * strength

    return mix(x, x.mean())


@px.script
def smoothed(x, times: int, strength: float, centre: bool = False):
    if centre:
        x = x - x.mean()
    for _ in range(times):
        x = smooth(x, strength)
    return x


def search(log_probabilities, width, length: int, stop: int):
    """The likeliest sequences of tokens, where the next depends on the last alone."""
    scores = px.full((width,), -1e30)
    scores[0] = 0.0
    tokens = px.zeros(width, 12, dtype=px.int64)
    last = px.zeros(width, dtype=px.int64)
    for i in range(length):
        ended = (last == stop).unsqueeze(1)
        ahead = px.where(ended, px.full_like(log_probabilities[last], -1e30), log_probabilities[last])
        ahead[:, stop] = px.where(ended[:, 0], px.zeros(width), ahead[:, stop])
        candidates = (scores.unsqueeze(1) + ahead).flatten()
        scores, best = candidates.topk(width)
        last = best % log_probabilities.shape[0]
        tokens = tokens[best // log_probabilities.shape[0]]
        tokens[:, i] = last
        if (last == stop).all():
            break
    return tokens, scores


class Cell(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.mix = nn.Linear(2 * size, size)

    def forward(self, x, state):
        return px.tanh(self.mix(px.cat([x, state], 1)))


class Recurrent(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.cell = Cell(size)
        self.size = size

    def forward(self, xs, steps: int, keep: bool):
        state = px.zeros(xs.shape[1], self.size)
        states = px.zeros(xs.shape[0], xs.shape[1], self.size)
        for t in range(steps):
            state = self.cell(xs[t], state)
            if keep:
                states[t] = state
        return state, states


def function_of(script):
    return script.__wrapped__


@pytest.mark.parametrize("a", [2.0, 9.0, 1e-3, 12345.678])
def test_newton(a):
    assert newton(a) == function_of(newton)(a)
    assert newton(a, tolerance=0.5) == function_of(newton)(a, 0.5)


def test_numbers_are_not_constants():
    assert [collatz(n) for n in (1, 6, 27)] == [0, 8, 111]
    assert [n for n in range(30) if is_prime(n)] == [2, 3, 5, 7, 11, 13, 17, 19, 23, 29]
    assert collatz.capture_count == is_prime.capture_count == 1
    assert type(collatz(6)) is int and type(is_prime(7)) is bool and type(newton(4.0)) is float


def test_loops_over_numbers_beside_tensors():
    x = px.randn(5)
    for degree, scale in ((0, 1.0), (3, 0.1), (7, -2.5)):
        assert (horner(x, degree, scale) == function_of(horner)(x, degree, scale)).all()
    assert horner.capture_count == 1
    horner(px.randn(6), 2)
    assert horner.capture_count == 2  # another shape
    for values in ((0, 0.5, True), (4, 0.1, False), (3, 0.3, True)):
        assert (smoothed(x, *values) == function_of(smoothed)(x, *values)).all()
    assert smoothed.capture_count == 1


def test_beam_search():
    scripted = px.script(search)
    log_probabilities = px.log_softmax(px.randn(6, 6), 1)
    for width, length, stop in ((3, 12, 5), (3, 4, 5), (3, 9, 0), (3, 12, 2)):
        tokens, scores = scripted(log_probabilities, width, length, stop)
        wanted, wanted_scores = search(log_probabilities, width, length, stop)
        assert (tokens == wanted).all() and (scores == wanted_scores).all()
    assert scripted.capture_count == 1  # the width, without annotation, is a constant
    assert scripted(log_probabilities, 4, 12, 5)[0].shape == (4, 12)
    assert scripted.capture_count == 2


def test_recurrent_module():
    module = Recurrent(4)
    scripted = px.script(module)
    xs = px.randn(6, 2, 4)
    for steps, keep in ((6, True), (2, True), (0, False), (4, False)):
        state, states = scripted(xs, steps, keep)
        wanted, wanted_states = module(xs, steps, keep)
        assert (state == wanted).all() and (states == wanted_states).all()
    assert scripted.capture_count == 1
    state, _ = scripted(xs, 5, True)
    state.sum().backward()
    gradient = module.cell.mix.weight.grad.clone()
    module.zero_grad()
    module(xs, 5, True)[0].sum().backward()
    px.testing.assert_close(gradient, module.cell.mix.weight.grad)
    module.eval()
    scripted(xs, 1, True)
    assert scripted.capture_count == 2 and "eval" in scripted.explain()


class Counter:
    def __init__(self, scale):
        self.scale = scale

    @px.script
    def times(self, x, n: int):
        for _ in range(n):
            x = x * self.scale
        return x


def test_methods():
    two, three = Counter(2.0), Counter(3.0)
    x = px.ones(2)
    assert two.times(x, 3).tolist() == [8, 8] and three.times(x, n=2).tolist() == [9, 9]
    assert two.times is two.times and two.times(x, 0).tolist() == [1, 1]
    two.scale = 10.0  # watched, as everything that is read
    assert two.times(x, 2).tolist() == [100, 100]


# --- numbers count as Python's do

BINARY = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "rsub": lambda a, b: b - a,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "rdiv": lambda a, b: b / a,
    "floor": lambda a, b: a // b,
    "mod": lambda a, b: a % b,
    "rmod": lambda a, b: b % a,
    "pow": lambda a, b: a**b,
    "lt": lambda a, b: a < b,
    "ge": lambda a, b: b >= a,
    "eq": lambda a, b: a == b,
    "maximum": lambda a, b: px.where(a > 0, a, b),
    "method": lambda a, b: a.mul(b),
    "function": lambda a, b: px.add(a, b),
}


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "float16", "int64", "int32", "uint8"])
@pytest.mark.parametrize("name", BINARY)
def test_dtype_beside_a_tensor_is_that_of_a_python_number(name, dtype):
    compute = BINARY[name]

    def with_int(x, n: int):
        return compute(x, n)

    def with_float(x, n: float):
        return compute(x, n)

    x = px.tensor([1, 2, 5, 7]).to(getattr(px, dtype))
    for function, numbers in ((with_int, (1, 2, 3)), (with_float, (0.1, 1.7, 3.0))):
        scripted = px.script(function)
        for n in numbers:
            result, wanted = scripted(x, n), function(x, n)
            assert result.dtype == wanted.dtype
            assert (result == wanted).all(), (result, wanted)


@pytest.mark.parametrize("name", [n for n in BINARY if n not in ("maximum", "method", "function")])
def test_numbers_with_numbers_are_pythons(name):
    compute = BINARY[name]

    def ints(a: int, b: int):
        return compute(a, b)

    def floats(a: float, b: float):
        return compute(a, b)

    def mixed(a: int, b: float):
        return compute(a, b)

    for function, pairs in (
        (ints, ((7, 2), (-7, 2), (7, -2), (3, 3))),
        (floats, ((7.5, 2.0), (-7.25, 2.0), (0.1, 0.7))),
        (mixed, ((7, 2.5), (-7, 0.5))),
    ):
        scripted = px.script(function)
        for pair in pairs:
            if name == "pow" and function is ints and pair[1] < 0:
                continue  # a float in Python; docs/script.md
            wanted = function(*pair)
            if isinstance(wanted, complex):
                continue
            result = scripted(*pair).item()
            assert type(result) is type(wanted) and result == pytest.approx(wanted, rel=1e-15)


def test_functions_of_numbers():
    @px.script
    def several(a: float, n: int, flag: bool):
        root = math.sqrt(max(a, 0.0)) + math.exp(-min(a, float(n), 2.0))
        return root, int(a) + n, abs(-n), float(n) / 2, bool(n), not flag, math.floor(a), -a, +n

    for values in ((2.5, 3, True), (0.25, 0, False)):
        results = [r.item() if isinstance(r, px.Tensor) else r for r in several(*values)]
        wanted = function_of(several)(*values)
        for result, value in zip(results, wanted, strict=True):
            assert type(result) is type(value) and result == pytest.approx(value, rel=1e-15)


def test_numbers_stay_numbers_through_branches_and_loops():
    @px.script
    def accumulated(x, n: int, rate: float, flag: bool):
        total, weight = 0.0, 1
        for i in range(n):
            total += rate * (i + 1)
            weight = weight * 2 if flag else weight + 1
        while total > 3 and weight < 100:
            total -= 0.1
            weight += 1
        return x * total + weight

    for dtype in (px.float32, px.float16, px.int32):
        x = px.tensor([1, 2, 3]).to(dtype)
        for values in ((0, 0.5, True), (5, 0.3, True), (9, 0.1, False)):
            result, wanted = accumulated(x, *values), function_of(accumulated)(x, *values)
            assert result.dtype == wanted.dtype and (result == wanted).all()


@px.script
def mixed_kinds(a: float, n: int):
    found = 3
    for i in range(n):
        found -= a / 2 if i % 2 else 1
        if found < 0:
            return found, i
    if a > 2:
        found = n
    return found, n


def test_variables_that_are_ints_and_floats():
    for values in ((0.5, 0), (0.5, 3), (7.0, 4), (2.5, 2), (1.0, 9)):
        results = [r.item() if isinstance(r, px.Tensor) else r for r in mixed_kinds(*values)]
        assert results == list(function_of(mixed_kinds)(*values))
    assert mixed_kinds.capture_count == 1


def test_arguments_for_numbers():
    @px.script
    def scaled(x, n: int = 2, *, factor: float = 1.5):
        return x * n * factor

    x = px.ones(2)
    assert scaled(x).tolist() == [3, 3] and scaled(x, 4, factor=1).tolist() == [4, 4]
    assert scaled(x, px.tensor(3)).tolist() == [4.5, 4.5]
    for wrong, said in (
        (2.5, "an int, not 2.5"),
        ("2", "an int, not '2'"),
        (px.ones(2), r"an int, not f32\[2\]"),
    ):
        with pytest.raises(px.PhloxError, match=said) as error:
            scaled(x, wrong)
        assert error.value.code == "E0104" and isinstance(error.value, TypeError)
    with pytest.raises(TypeError, match="missing a required argument"):
        scaled()
    with pytest.raises(px.PhloxError, match="`factor` is a number, through which no gradient flows"):
        scaled(x, factor=px.tensor(1.5, requires_grad=True))


# --- declared tensors


def test_graph_at_definition():
    @px.script
    def layer(x: "f32[b, 3]", w: "f32[3, n]", scale: float) -> "f32[b, n]":
        return px.relu(x @ w) * scale

    assert layer.capture_count == 0
    text = str(layer.graph)
    assert "%x0: f32[b,3], %x1: f32[3,s], %x2: f64[]" in text and "f32[b,s] = relu" in text
    x, w = px.randn(4, 3), px.randn(3, 5)
    assert (layer(x, w, 0.5) == function_of(layer)(x, w, 0.5)).all()

    @px.script
    def fixed(x: "f64[]", flag: bool = True):
        return x + 1 if flag else x - 1

    assert isinstance(fixed.graph, px.Graph) and "cond" in fixed.graph.operations
    assert fixed(px.tensor(1.0, dtype=px.float64), False).item() == 0

    @px.script
    def undeclared(x):
        return x

    with pytest.raises(px.PhloxError, match="no graph"):
        print(undeclared.graph)
    undeclared(px.ones(1))
    assert "f32[1]" in str(undeclared.graph)


def test_where_no_one_graph_serves_all_sizes():
    @px.script
    def total(x: "f32[n]"):
        found = 0
        for row in x:
            found = found + row
        return found

    with pytest.raises(px.StateError, match="no one graph for all sizes\n  because") as error:
        print(total.graph)
    assert "px.scan()" in str(error.value)
    assert total(px.ones(3)).item() == 3 and total(px.ones(5)).item() == 5
    assert "no one graph for all sizes" in total.explain() and "f32[5]" in str(total.graph)


def test_declared_types_are_checked():
    @px.script
    def product(x: "f32[b, n]", y: "f32[n, 2]", twice: "f32[2*n]", label: "i64[b]"):
        return x @ y, twice, label

    def call(x=(4, 3), y=(3, 2), twice=(6,), label=(4,), dtype=px.int64):
        return product(px.ones(x), px.ones(y), px.ones(twice), px.ones(label, dtype=dtype))

    call()
    for arguments, code, said in (
        ({"y": (5, 2)}, "E0205", "product: dimension 0 of `y` is 5, but `x` has n = 3"),
        ({"y": (3, 4)}, "E0205", "product: dimension 1 of `y` is 4, but 2 is expected"),
        ({"twice": (5,)}, "E0205", "product: dimension 0 of `twice` is 5, but 2 * n = 6 is expected"),
        ({"x": (4,)}, "E0204", "product: `x` has 1 dimensions, not 2"),
        ({"dtype": px.int32}, "E0301", "product: `label` is of dtype i32, not i64"),
    ):
        with pytest.raises(px.PhloxError) as error:
            call(**arguments)
        text = str(error.value)
        assert error.value.code == code and said in text and "expected" in text and "given" in text
        assert "test_script.py" in text

    @px.script
    def wide(x: "f32[64, m]"):
        return x

    with pytest.raises(px.ShapeError, match="dimension 0 of `x` is 3, but 64 is expected"):
        wide(px.ones(3, 5))
    with pytest.raises(px.PhloxError, match="`x` is a tensor, .*, not a list"):
        product([1.0], px.ones(3, 2), px.ones(6), px.ones(4, dtype=px.int64))


def test_annotations_of_other_kinds_are_left_alone():
    @px.script
    def several(
        x: px.Tensor, names: "list[str]", y: "px.Tensor | None" = None, mode: str = "sum"
    ) -> "px.Tensor":
        return x.sum() if mode == "sum" else x + len(names)

    assert several(px.ones(3), ["a"]).item() == 3
    assert several(px.ones(3), ["a"], mode="other").tolist() == [2, 2, 2]


# --- in other captures


def test_inside_of_jit_trace_and_vmap():
    @px.jit
    def outer(x, n):
        return horner(x, n) + horner(x, 2, 0.5)

    x = px.randn(4)
    for n in (1, 5):
        wanted = function_of(horner)(x, n) + function_of(horner)(x, 2, 0.5)
        px.testing.assert_close(outer(x, px.tensor(n)), wanted)
    assert outer.capture_count == 1
    traced = px.trace(lambda x, n: smoothed(x, n, 0.5), x, px.tensor(2))
    assert (traced(x, px.tensor(3)) == function_of(smoothed)(x, 3, 0.5)).all()
    rows = px.vmap(lambda row: horner(row, 3))(px.randn(2, 4))
    assert rows.shape == (2, 4)
    with px.disable_jit():
        assert (horner(x, 3) == function_of(horner)(x, 3)).all()
        assert collatz(6) == 8


def test_a_script_calls_scripts():
    @px.script
    def primes(n: int) -> int:
        count = 0
        for i in range(n):
            if is_prime(i):
                count += 1
        return count

    assert [primes(n) for n in (0, 3, 30)] == [0, 1, 10]


def test_gradients_flow_through():
    x = px.randn(3, requires_grad=True)
    horner(x, 3).sum().backward()
    again = x.detach().clone().requires_grad_()
    function_of(horner)(again, 3).sum().backward()
    px.testing.assert_close(x.grad, again.grad)


def test_assertions_and_looks():
    @px.script
    def positive(x, n: int):
        assert n > 0, "n must be positive"
        return x / n

    assert positive(px.ones(1), 2).item() == 0.5
    with pytest.raises(AssertionError, match="n must be positive"):
        positive(px.ones(1), 0)
    assert repr(positive) == "<script positive(x, n: int)>"
    assert positive.explain().startswith("positive: captured 1 times")
    positive.assert_compiled(1)
    with pytest.raises(px.GraphError, match="more than 1"):
        positive(px.ones(1, dtype=px.float64), 1)
    assert positive(px.ones(2), 1).tolist() == [1, 1] and positive.compile_count == 1
