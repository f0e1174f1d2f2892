"""Random programs over numbers and tensors give as scripts what they give eagerly."""

# shard: graph

import linecache
import random

import pytest

import phlox as px

ARGUMENTS = ((0, 0.5, True), (3, -1.25, False), (2, 2.0, True))


class Program:
    """The text of a random function of a tensor x, an int n, a float a and a bool f."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.numbers = ["n", "a", "p", "q"]
        self.lines = ["def program(x, n: int, a: float, f: bool):", "    p, q, y = 0.0, 1.0, x * 1.0"]
        for _ in range(2):
            self.block(1, 0, False)
        self.text = "\n".join([*self.lines, "    return y, p, q", ""])

    def pick(self, *forms):
        return self.random.choice(forms)()

    def number(self, depth=0):
        def operand():
            return self.number(depth + 1)

        def leaf():
            return self.random.choice([*self.numbers, "1", "2", "0.5", "3"])

        def sum_():
            return f"({operand()} {self.random.choice('+-*')} {operand()})"

        if depth > 2:
            return leaf()
        return self.pick(
            *[leaf, sum_] * 4,
            lambda: f"({operand()} / 2)",
            lambda: f"({operand()} // 3)",
            lambda: f"({operand()} % 5)",
            lambda: f"max({operand()}, {operand()})",
            lambda: f"({operand()} if {self.condition(depth + 1)} else {operand()})",
        )

    def condition(self, depth=0):
        def compare():
            return f"{self.number(depth + 1)} {self.random.choice(['<', '>', '<=', '==', '!='])} {self.number(depth + 1)}"

        if depth > 2:
            return compare()
        return self.pick(
            *[compare] * 4,
            lambda: "f",
            lambda: f"not ({self.condition(depth + 1)})",
            lambda: (
                f"({self.condition(depth + 1)} {self.random.choice(['and', 'or'])} {self.condition(depth + 1)})"
            ),
        )

    def tensor(self, depth=0):
        def part():
            return self.tensor(depth + 1)

        def leaf():
            return self.random.choice("xy")

        if depth > 2:
            return leaf()
        return self.pick(
            leaf,
            leaf,
            lambda: f"({part()} {self.random.choice('+-*')} {self.number(1)})",
            lambda: f"({self.number(1)} {self.random.choice('+-*')} {part()})",
            lambda: f"px.where({part()} > {self.number(1)}, {part()}, {part()})",
            lambda: f"({part()} * 0.5).clamp(-100, 100)",
        )

    def block(self, indent, depth, in_loop):
        for _ in range(self.random.randint(1, 3)):
            self.statement(indent, depth, in_loop)

    def add(self, indent, line):
        self.lines.append("    " * indent + line)

    def statement(self, indent, depth, in_loop):
        kinds = ["number", "number", "tensor", "leave"]
        kind = self.random.choice(kinds if depth > 2 else [*kinds, "if", "if", "for", "for", "while"])
        if kind == "number":
            self.add(
                indent, f"{self.random.choice('pq')} {self.random.choice(['=', '+=', '-='])} {self.number()}"
            )
        elif kind == "tensor":
            self.add(indent, f"y = {self.tensor()}")
        elif kind == "leave":
            self.add(indent, f"if {self.condition()}:")
            self.add(indent + 1, self.random.choice(["break", "continue"]) if in_loop else "return y, p, q")
        elif kind == "if":
            self.add(indent, f"if {self.condition()}:")
            self.block(indent + 1, depth + 1, in_loop)
            if self.random.random() < 0.6:
                self.add(indent, "else:")
                self.block(indent + 1, depth + 1, in_loop)
        elif kind == "for":
            name = f"i{depth}"
            self.add(indent, f"for {name} in range(n):")
            self.numbers.append(name)
            self.block(indent + 1, depth + 1, True)
            self.numbers.remove(name)
        else:
            name = f"k{len(self.lines)}"
            self.add(indent, f"{name} = 0")
            self.add(indent, f"while {name} < 3 and {self.condition()}:")
            self.add(indent + 1, f"{name} += 1")
            self.block(indent + 1, depth + 1, True)

    def function(self, name):
        linecache.cache[name] = (len(self.text), None, self.text.splitlines(True), name)
        space = {"px": px}
        exec(compile(self.text, name, "exec"), space)
        return space["program"]


def agree(result, wanted):
    if isinstance(wanted, px.Tensor):
        return result.dtype == wanted.dtype and px.allclose(result, wanted, rtol=0, atol=0, equal_nan=True)
    result = result.item() if isinstance(result, px.Tensor) else result
    return result == wanted or abs(wanted) > 2**53  # beyond, Python's ints are exact and floats are not


@pytest.mark.parametrize("seed", range(10))
def test_scripts_do_what_functions_do(seed):
    program = Program(seed)
    function = program.function(f"random script {seed}")
    script = px.script(function)
    for dtype in (px.float32, px.float16):
        x = px.tensor([0.5, -2.0, 3.0]).to(dtype)
        for values in ARGUMENTS:
            wanted, result = function(x, *values), script(x, *values)
            assert all(map(agree, result, wanted)), f"{values}: {result}, not {wanted}\n{program.text}"
    assert script.capture_count == 2
