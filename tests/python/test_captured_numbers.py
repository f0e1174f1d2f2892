"""Python's numbers that a condition on a tensor decides count in a captured function as they do in Python."""

# shard: graph

import math
import operator

import pytest
from jit_helpers import agrees, t
from phlox.capture._refusals import NUMBER_REFUSALS

import phlox as px

DTYPES = [px.float16, px.bfloat16, px.float32, px.float64, px.int64]
POINTS = [(t(x).reshape(()),) for x in (-2, 0, 0.5, 3)]


def exactly(function, *inputs):
    """As agrees(), and results are of the same classes."""
    jitted = agrees(function, *inputs)
    for args in inputs:
        expected, actual = function(*args), jitted(*args)
        assert [type(v) for v in expected] == [type(v) for v in actual], (expected, actual)
    return jitted


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_they_never_make_a_tensor_wider(dtype):
    x = px.tensor([1, 2, 3]).to(dtype)

    def function(c):
        r = 1.1 if c > 0 else 2.5
        n = 2
        while n < c:
            n += 1
        y = x * 1
        y += n
        return x * r, r * x, x - n, n / x, x.mul(r), px.add(x, n), y, px.maximum(x, n), -r * x

    exactly(function, *POINTS)


def test_they_come_out_as_numbers():
    def function(c):
        r = 1.0 if c > 0 else 2.0
        n = 0
        for i in range(c.to(px.int64)):
            n += i
        done = False
        while not done:
            n += 1
            done = n > c
        return r, n, [n / 3, n // 2, n % 2, -n], {"a": max(n, 7), "b": min(r, 1.5)}, done

    jitted = exactly(function, *POINTS)
    assert [type(v) for v in jitted(*POINTS[0])[:2]] == [float, int]


def test_functions_of_numbers():
    def function(c):
        n, r = (1, 0.5) if c > 0 else (7, 2.5)
        classes = isinstance(n, int), type(r) is float, isinstance(n, (px.Tensor, str))
        return round(r), divmod(n, 3), pow(n, 2), sum([n, r]), math.trunc(-r), math.sqrt(r), abs(-n), classes

    exactly(function, *POINTS)


def test_a_tensor_of_a_number():
    def function(c):
        n, r = (1, 0.5) if c > 0 else (7, 2.5)
        return px.tensor(n), px.as_tensor(r), px.tensor(n > 3)

    exactly(function, *POINTS)


def test_a_tensor_on_one_side_only():
    def function(c):
        y = c * 2 if c > 0 else 1
        total = 0.0
        while y < 5:
            total = total + y
            y = y + 1
        return y, total

    agrees(function, (t(0.5).reshape(()),), (t(1).reshape(()),))
    assert [v.item() for v in px.jit(function)(px.tensor(-2.0))] == list(function(px.tensor(-2.0)))


def test_they_stay_numbers_in_lists():
    x = px.ones(2, dtype=px.float16)

    def function(c):
        r = 0.5 if c > 0 else 2.5
        found = [1]
        found.append(r)
        found.insert(0, operator.add(r, 1))
        return [x * v for v in found], abs(-r), found

    exactly(function, *POINTS)


def test_an_int_on_one_side_and_a_float_on_the_other():
    ints, floats = px.tensor([1, 2]), t(1, 2)

    @px.jit
    def function(c, x):
        n = 1 if c > 0 else 2.5
        for _ in range(c.to(px.int64)):
            n = n + 1
        return n, x * n

    def eager(c, x):
        n = 1 if c > 0 else 2.5
        for _ in range(c.to(px.int64)):
            n = n + 1
        return n, x * n

    for (c,) in POINTS:
        assert function(c, floats)[0] == eager(c, floats)[0]
        assert px.equal(function(c, floats)[1], eager(c, floats)[1])
    with pytest.raises(px.GraphError, match="an int on one way and a float on another") as caught:
        function(POINTS[0][0], ints)
    assert "test_captured_numbers.py" in str(caught.value)


@pytest.mark.parametrize(
    "function, error",
    [
        (lambda n, r: 1 / n, ZeroDivisionError),
        (lambda n, r: 7 // n, ZeroDivisionError),
        (lambda n, r: 7.5 % n, ZeroDivisionError),
        (lambda n, r: math.sqrt(r), ValueError),
        (lambda n, r: math.log(n), ValueError),
        (lambda n, r: (1e308 * 10 - r) // 1 and int(1e308 * 10 - r), OverflowError),
    ],
)
def test_what_raises_in_python_raises_when_the_graph_runs(function, error):
    def choose(c):
        n, r = (2, 0.25) if c > 0 else (0, -1.0)
        return function(n, r)

    with pytest.raises(error):
        choose(px.tensor(-1.0))
    with pytest.raises(AssertionError, match=r"line \d+ of <lambda>"):
        px.jit(choose)(px.tensor(-1.0))


def test_a_power_that_would_be_a_float():
    function = px.jit(lambda c: 2 ** (3 if c > 0 else -1))
    assert function(px.tensor(1.0)) == 8
    with pytest.raises(AssertionError, match="power"):
        function(px.tensor(-1.0))


@pytest.mark.parametrize(
    "function",
    [
        lambda n: px.zeros(n),
        lambda n: [5, 6, 7][n],
        lambda n: {1: 2, 2: 3}[n],
        lambda n: n in {1, 2},
        lambda n: f"{n}",
        lambda n: round(n / 3, 2),
    ],
)
def test_what_needs_the_value(function):
    def choose(c):
        return function(1 if c > 0 else 2)

    choose(px.tensor(1.0))
    with pytest.raises(px.GraphError, match="needs the value of a number") as caught:
        px.jit(choose)(px.tensor(1.0))
    assert caught.value.refusal == "number_value" and "test_captured_numbers.py" in str(caught.value)


def test_complex_numbers():
    with pytest.raises(px.GraphError, match="complex number") as caught:
        px.jit(lambda c: 1j if c > 0 else 2.0)(px.tensor(1.0))
    assert caught.value.refusal in NUMBER_REFUSALS


def test_any_and_all_and_extremes_of_tensors():
    x = t(1, 3, 2)

    def function(c):
        n = 1 if c > 0 else 5
        found = any(v > c for v in x), all(v > c for v in x), any([n > 2, c > 2]), all([True])
        return found, max(x), min(x[0], c), max([n, 3]), min(n, 2), max([2]), max(n, 4, 3)

    exactly(function, *POINTS)
    agrees(lambda c: max(c, x[0]) * x, *POINTS)
