"""Programs on symbolic values: the functional form computes what Python computes."""

# shard: graph

import pytest
from comparison import compare
from fake import FakeBackend, run_symbolic

NUMBERS = (-3, -1, 0, 1, 2, 5)


def if_else(a, b):
    if a > b:
        c = a - b
    else:
        c = b - a
    return c


def if_alone(a, b):
    c = 1
    if a > b:
        c = a
    return c + b


def elif_chain(a, b):
    if a > 3:
        c = 1
    elif a > 1:
        c = 2
    elif b > 0:
        c = 3
    else:
        c = 4
    return c


def nested_if(a, b):
    c = 0
    if a > 0:
        if b > 0:
            c = 1
        else:
            c = 2
        c = c * 10
    return c


def plain_outside(a, b, flag=True):
    c = a
    if flag:
        if a > b:
            c = b
        c = c + 1
    return c


def early_return(a, b):
    if a > b:
        return a
    c = a * 2
    return c + b


def early_returns(a, b):
    if a > 3:
        return 1
    if a > 1:
        return 2
    if b > 0:
        return 3
    return 4


def return_deep_inside(a, b):
    c = a + b
    if a > 0:
        if b > 0:
            return c
        c = c * 2
    c = c + 1
    return c


def return_in_plain_branch(a, b, flag=True):
    if flag:
        if a > 0:
            return a
        b = b + 1
    b = b * 2
    return b


def branches_that_both_return(a, b):
    if a > b:
        return a
    else:
        return b


def either_returns(a, b):
    if a > b:
        if a > 1:
            return a
        b = b + 10
    else:
        if b > 1:
            return b
        a = a + 10
    return a + b


def returns_nothing(a, b):
    if a > b:
        a = b
        return
    b = a


def while_counts(a, b):
    n = 0
    while n < a:
        n = n + 1
        b = b + n
    return b, n


def while_break(a, b):
    n = 0
    while n < 10:
        n = n + 1
        if n > a:
            break
        b = b + n
    return b, n


def while_true(a, b):
    while True:
        b = b + 1
        if b > a:
            break
    return b


def while_true_return(a, b):
    while True:
        b = b + 1
        if b > a:
            return b


def while_continue(a, b):
    n = 0
    while n < a:
        n = n + 1
        if n % 2 == 0:
            continue
        b = b + n
    return b, n


def while_else(a, b):
    n = 0
    while n < a:
        n = n + 1
        if n > 3:
            break
    else:
        b = b + 100
    return b, n


def while_return(a, b):
    n = 0
    while n < 20:
        n = n + 1
        if n * 2 > a:
            return n
        b = b + 1
    return b


def while_becomes_symbolic(a, b):
    n = 0
    while n < 4:
        n = n + a * a + 1
        b = b + 1
    return n, b


def while_walrus(a, b):
    n = 0
    while (n := n + 1) < a:
        b = b + n
    return b, n


def while_chained(a, b):
    n = 0
    while 0 <= n < a:
        n = n + 1
    return n + b


def while_nested(a, b):
    total, i = 0, 0
    while i < a:
        j = 0
        while j < i:
            j = j + 1
            if j == 3:
                break
            total = total + 1
        i = i + 1
    return total + b


def nested_return(a, b):
    i = 0
    while i < 6:
        j = 0
        while j < 6:
            if i * j > a + 4:
                return i * 10 + j
            j = j + 1
        i = i + 1
    return b


def python_loop(a, b):
    for n in range(4):
        if n > a:
            b = b + n
    return b


def python_loop_break(a, b):
    for n in range(6):
        if n > a:
            break
        b = b + n
    return b


def python_loop_break_else(a, b):
    for n in range(3):
        if n == a:
            break
        b = b + n
    else:
        b = b + 50
    return b


def python_loop_continue(a, b):
    for n in range(6):
        if n == a:
            continue
        b = b + n
    return b


def python_loop_return(a, b):
    for n in range(6):
        if n == a:
            return n + 100
        b = b + n
    return b


def python_loops_return(a, b):
    for i in range(3):
        for j in range(3):
            if i + j > a:
                return i * 10 + j + 100
            b = b + j
        b = b * 2
    return b


def python_loops_break(a, b):
    for i in range(3):
        for j in range(3):
            if i + j > a:
                break
            b = b + j
        b = b * 2
    return b


def loop_of_two_ways(a, b):
    for i in range(4):
        if a > i:
            if b > i:
                break
            b = b + 2
        elif b > 3:
            continue
        a = a + 1
    return a, b


def python_while_break(a, b):
    n = 0
    while n < 5:
        n += 1
        if b > a:
            break
        b = b + 1
    else:
        a = a + 100
    return a, b


def conditional_expression(a, b):
    return (a if a > b else b) + (1 if a else 2)


def boolean(a, b):
    c = 0
    if a > 0 and b > 0:
        c = 1
    if a > 0 or b > 0:
        c = c + 2
    if not a > b:
        c = c + 4
    if a > 0 and (b > 0 or a > 1) and not b > 4:
        c = c + 8
    return c


def chained(a, b):
    c = 0
    if -2 < a < b:
        c = 1
    if a < b <= 3 > a:
        c = c + 2
    return c


def walrus(a, b):
    c = 7
    if a > 0 and (c := a + b) > 2:
        return c
    return c - 1


def closure(a, b):
    total = 0

    def add(value):
        nonlocal total
        if value > 0:
            total = total + value
        return total

    add(a)
    add(b)
    return total


def closure_reads(a, b):
    c = 1
    read = lambda: c + b  # noqa: E731
    if a > 0:
        c = 2
    return read()


def recursion_on_host(a, b, depth=3):
    if depth == 0:
        return a
    if a > b:
        a = a - 1
    return recursion_on_host(a, b, depth - 1)


def helper(value):
    if value > 0:
        return value * 2
    return -value


def calls(a, b):
    return helper(a) + helper(b)


def lambdas(a, b):
    f = lambda x: x if x > 0 else -x  # noqa: E731
    return f(a) * 10 + f(b)


def comprehension(a, b):
    return [x if x > 1 else 0 for x in (a, b, a + b)]


def dictionary(a, b):
    made = {"a": 0}
    made["b"] = a if a > b else b
    return made["a"] + made["b"]


def list_in_branch(a, b):
    out = [0]
    if a > b:
        out[0] = a
    else:
        out[0] = b
    return out


def same_length_lists(a, b):
    out = []
    also = out
    if a > b:
        out.append(a)
    else:
        out.append(b)
    return also


def with_block(a, b):
    from contextlib import nullcontext

    with nullcontext(3) as c:
        if a > b:
            b = a + c
    return b


def try_block(a, b):
    try:
        if a > b:
            b = a
    finally:
        b = b + 1
    return b


def try_inside(a, b):
    if a > b:
        try:
            raise KeyError("x")
        except KeyError:
            b = a
    return b


def asserts(a, b):
    assert a > -100, "small"
    return a + b


def local_in_branch(a, b):
    if a > b:
        difference = a - b
        b = difference * 2
    return b


def match_statement(a, b, kind="max"):
    match kind:
        case "max":
            if a > b:
                return a
            return b
        case _:
            return 0


def kinds_that_are_not_read(a, b):
    if a > b:
        note = "more"

        def step(x):
            return x + 1

        a = step(a)
    else:
        note = None  # noqa: F841

        def step(x):
            return x - 1

        a = step(b)
    return a


def delete(a, b):
    c = a
    if a > b:
        d = c + 1
        b = d
        del d
    return b


def deep(a, b):
    for i in range(2):
        while True:
            if a > b:
                b = b + 1
                if b == 4:
                    return b * 100, i
                continue
            a = a + 1
            if a - b > 1 or a > 6:
                break
    return a, b


FUNCTIONS = [
    f for f in list(globals().values()) if getattr(f, "__module__", "") == __name__ and f is not helper
]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_two_numbers(function):
    for a in NUMBERS:
        for b in NUMBERS:
            assert run_symbolic(function, a, b) == function(a, b), (a, b)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_the_same_on_numbers(function):
    for a, b in ((-3, 1), (0, 0), (2, 5), (5, -1)):
        compare(function, a, b)


def each(xs, n):
    total = 0
    for x in xs:
        total = total + x
    return total


def each_numbered(xs, n):
    total = 0
    for i, x in enumerate(xs, 1):
        total = total + i * x
    return total


def each_of_two(xs, n):
    total = 0
    for x, y in zip(xs, xs):
        total = total + x * y
    return total


def each_break(xs, n):
    total = 0
    for x in xs:
        if x > n:
            break
        total = total + x
    else:
        total = total + 1000
    return total


def each_continue(xs, n):
    total = 0
    for x in xs:
        if x > n:
            continue
        total = total + x
    return total


def each_return(xs, n):
    total = 0
    for x in xs:
        if x > n:
            return x
        total = total + x
    return total


def each_appended(xs, n):
    out = []
    for x in xs:
        out.append(x * n)
    return out


def each_comprehended(xs, n):
    return [x + n for x in xs]


def pairs(xs, n):
    total = 0
    for x in xs:
        for y in xs:
            if x > y:
                total = total + 1
            if total > n:
                return total
    return total


def up_to(xs, n):
    total = 0
    for i in range(n):
        total = total + i
    return total


def from_to(xs, n):
    total = 0
    for i in range(1, n, 2):
        for x in xs:
            total = total + i * x
    return total


def a_row_in_python(xs, n):
    total = n
    for _ in range(3):
        for x in xs:
            if x == n:
                break
            total = total + x
        n = n - 1
    return total


def length(xs, n):
    return len(xs) + n


def target_is_kept(xs, n):
    x = 0
    for x in xs:
        if x > n:
            break
    return x


ROWS = [f for f in list(globals().values()) if getattr(f, "__module__", "") == __name__]
ROWS = ROWS[ROWS.index(each) :]


@pytest.mark.parametrize("function", ROWS, ids=lambda f: f.__name__)
def test_rows(function):
    for xs in ((), (1,), (1, 2, 3), (3, 1, 2, 5, 4), (-1, 4, 2)):
        for n in (0, 1, 3, 4):
            assert run_symbolic(function, xs, n) == function(xs, n), (xs, n)


def test_what_the_backend_is_asked():
    backend = FakeBackend()
    run_symbolic(while_counts, 3, 0, backend=backend)
    assert backend.calls == [("while_loop", [".go", "b", "n"])]
    backend = FakeBackend()
    run_symbolic(early_return, 3, 0, backend=backend)
    assert backend.calls == [("cond", ["c", ".returned", ".value"])]
    backend = FakeBackend()
    run_symbolic(each_appended, (1, 2), 3, backend=backend)
    assert backend.calls == [("for_loop", ["out"])]


def test_assert_fails_with_its_message():
    def positive(a):
        assert a > 0, f"not {1 + 1}"
        return a

    with pytest.raises(AssertionError, match="not 2"):
        run_symbolic(positive, -1)


def test_raise_alone_is_an_assertion():
    def positive(a):
        if a <= 0:
            raise ValueError(f"not {1 + 1}")
        return a

    assert run_symbolic(positive, 3) == 3
    with pytest.raises(ValueError, match="not 2"):
        run_symbolic(positive, -1)


def test_alias_of_a_list_that_became_another_object():
    class Stack:
        def __init__(self):
            self.values = []

        def append(self, value):
            self.values.append(value)

    class Stacking(FakeBackend):
        def for_loop(self, count, body, names, initial, place):
            initial = [Stack() if isinstance(v, list) else v for v in initial]
            return super().for_loop(count, body, names, initial, place)

    def stacked(xs):
        out = []
        for x in xs:
            out.append(x)
        return out.values

    def aliased(xs):
        out = also = []
        for x in xs:
            out.append(x)
        return also

    assert run_symbolic(stacked, (1, 2), backend=Stacking())[-2:] == [1, 2]
    assert "has no value" in repr(run_symbolic(aliased, (1, 2), backend=Stacking()))
