"""Random functions with branches and loops on tensors, numbers, writes in place and exceptions: captured as eagerly, or refused.

`python test_fuzzed_control_flow.py FIRST COUNT` compares more of them.
"""

# shard: graph

import linecache
import random
import sys
from collections import Counter

import pytest

import phlox as px

PROGRAMS, CHUNK = 300, 50


class Drawn:
    """The text of a function of two vectors, a condition and an integer."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.lines = [
            "def program(x, y, c, k):",
            "    a, b, h = x * 1, y + 1, x.half()",
            "    n, r, done = 1, 0.5, False",
        ]
        self.catches = 0
        for _ in range(self.random.randrange(3, 7)):
            self.statement(1)
        self.lines.append("    return a, b, h, n, r, done")
        self.text = "\n".join(self.lines) + "\n"

    def add(self, depth, text):
        self.lines.append("    " * depth + text)

    def one(self, *options):
        return self.random.choice(options)

    def number(self, depth=0):
        if depth > 1 or self.random.random() < 0.5:
            return self.one("n", "r", "2", "0.5", "n", "r")
        a, b = self.number(depth + 1), self.number(depth + 1)
        return self.one(
            f"({a} {self.one('+', '-', '*')} {b})",
            f"({a} / 4)",
            f"({a} // 3)",
            f"({a} % 5)",
            f"max({a}, {b})",
            f"min({a}, {b})",
            f"abs({a})",
            f"({a} if {self.test()} else {b})",
        )

    def vector(self, depth=0):
        if depth > 1 or self.random.random() < 0.4:
            return self.one("a", "b", "a", "b", "x")
        v = self.vector(depth + 1)
        return self.one(
            f"({v} {self.one('+', '-', '*')} {self.vector(depth + 1)})",
            f"({v} * {self.number(1)})",
            f"({self.number(1)} - {v})",
            f"{v}.flip(0)",
            f"{v}.tanh()",
            f"({v} if {self.test()} else {self.vector(depth + 1)})",
        )

    def test(self):
        return self.one(
            "c > 0",
            "a.sum() > b.sum()",
            "c > n",
            f"n < {self.random.randrange(5)}",
            "not done",
            "a[0] > 0.5 and c < 2",
            "0 < c < 2",
            "any(v > 1 for v in b)",
            "k > 1",
        )

    def block(self, depth):
        for _ in range(self.random.randrange(1, 3)):
            self.statement(depth)

    def statement(self, depth):
        kind = self.random.randrange(14 if depth < 3 else 8)
        if kind < 2:
            self.add(depth, f"{self.one('a', 'b')} = {self.vector()}")
        elif kind == 2:
            self.add(
                depth,
                f"{self.one('n += 1', 'r = r * 0.5 + 0.25', 'n = n * 2 % 7', 'done = not done', 'done = c > 1')}",
            )
        elif kind == 3:
            self.add(depth, f"{self.one('n', 'r')} = {self.number()}")
        elif kind == 4:
            self.add(depth, f"h = h {self.one('*', '+', '-')} {self.number()}")
        elif kind == 5:
            self.add(depth, f"{self.one('a', 'b')}.{self.one('add_', 'mul_', 'copy_')}({self.vector(1)})")
        elif kind == 6:
            self.add(depth, f"{self.one('a', 'b', 'h')} {self.one('+', '*')}= {self.number(1)}")
        elif kind == 7:
            self.add(
                depth,
                f"{self.one('a', 'b')}[{self.one('0', 'i % 3', 'k % 3', '1:')}] = {self.number(1)}".replace(
                    "i %", "n %"
                ),
            )
        elif kind < 11:
            self.add(depth, f"if {self.test()}:")
            self.block(depth + 1)
            if self.random.random() < 0.6:
                self.add(depth, "else:")
                self.block(depth + 1)
        elif kind == 11:
            self.add(depth, f"for i in range({self.one('k', '2', '3')}):")
            self.block(depth + 1)
            self.add(depth + 1, self.one("n = n + i", "a = a + b[i % 3]", "pass"))
        elif kind == 12:
            name = f"turns{len(self.lines)}"
            self.add(depth, f"{name} = 0")
            self.add(depth, f"while {name} < {self.one('k', '2')}{self.one('', ' and c > -1')}:")
            self.add(depth + 1, f"{name} += 1")
            self.block(depth + 1)
        else:
            self.add(depth, "try:")
            self.block(depth + 1)
            self.add(depth + 1, self.one("n = [1, 2][n]", "n = {1: 5, 2: 6}[n]", "pass"))
            self.add(depth, "except (KeyError, IndexError, TypeError):")
            self.block(depth + 1)


CALLS = [(0, 1.5, 2), (1, -0.5, 0), (2, 0.75, 3), (3, 2.5, 1)]


def arguments(seed, call):
    number, condition, turns = CALLS[call]
    generator = random.Random(1000 * seed + number)
    x, y = (px.tensor([generator.uniform(-1, 2) for _ in range(3)]) for _ in range(2))
    return x, y, px.tensor(condition), px.tensor(turns)


def kind(value):
    return (value.dtype, tuple(value.shape)) if isinstance(value, px.Tensor) else type(value)


def differs(a, b):
    """Whether two results are not the same; a number that is a tensor on some ways only counts as one."""
    if isinstance(a, px.Tensor) != isinstance(b, px.Tensor):
        a, b = (v.item() if isinstance(v, px.Tensor) else v for v in (a, b))
        return not (a == b or abs(a - b) <= 1e-6 * abs(a) or (a != a and b != b))
    if isinstance(a, px.Tensor):
        return kind(a) != kind(b) or not px.equal(a.nan_to_num(9.0), b.nan_to_num(9.0))
    return not (a == b or (a != a and b != b))


def compare(seed):
    """ "same", "refused", or what is different."""
    text = Drawn(seed).text
    name = f"<program {seed}>"
    linecache.cache[name] = len(text), None, text.splitlines(True), name
    scope = {"px": px}
    exec(compile(text, name, "exec"), scope)
    program, outcome = scope["program"], "same"
    captured = px.jit(program)
    for call in range(len(CALLS)):
        given, again = arguments(seed, call), arguments(seed, call)
        try:
            expected = program(*given)
        except Exception as error:
            expected = error
        try:
            actual = captured(*again)
        except (px.GraphError, AssertionError):
            outcome = "refused"
            continue
        except Exception as error:
            if isinstance(expected, Exception):
                continue
            if isinstance(error, (px.errors.PhloxError, ArithmeticError, LookupError, TypeError)):
                outcome = "refused"  # a side that is not taken eagerly does not run
                continue
            return f"{text}\ncall {call}: captured raises {error!r}"
        if isinstance(expected, Exception):
            return f"{text}\ncall {call}: eager raises {expected!r}, captured gives {actual}"
        for i, (one, other) in enumerate(zip((*expected, *given), (*actual, *again))):
            if differs(one, other):
                return f"{text}\ncall {call}, {i}: eager {one}, captured {other}"
    return outcome


@pytest.mark.parametrize("first", range(0, PROGRAMS, CHUNK))
def test_programs(first):
    outcomes = Counter()
    for seed in range(first, first + CHUNK):
        outcome = compare(seed)
        assert outcome in ("same", "refused"), outcome
        outcomes[outcome] += 1
    assert outcomes["same"] > CHUNK / 4


if __name__ == "__main__":
    found = Counter()
    for seed in range(int(sys.argv[1]), int(sys.argv[1]) + int(sys.argv[2])):
        outcome = compare(seed)
        if outcome not in ("same", "refused"):
            print(f"--- {seed}\n{outcome}", flush=True)
            outcome = "different"
        found[outcome] += 1
    print(dict(found))
