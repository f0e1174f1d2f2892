"""Random functions of two numbers for test_syntax_random.py."""

import random

VARIABLES = ("a", "b", "c", "d")


class Writer:
    """Writes functions f0, f1, ... With `symbolic`, only what both sides of a condition can agree on."""

    def __init__(self, seed, symbolic):
        self.random = random.Random(seed)
        self.symbolic = symbolic
        self.lines = []
        self.counter = 0

    def module(self, count):
        self.lines = ["from comparison import note", ""]
        for number in range(count):
            self.counter = 0
            self.lines.append(f"def f{number}(a, b):")
            self.line(1, "c, d = 1, a + b")
            self.block(1, self.random.randint(2, 5), 0, False)
            self.line(1, self.result())
            self.lines.append("")
        return "\n".join(self.lines)

    def line(self, depth, text):
        self.lines.append("    " * depth + text)

    def result(self):
        return f"return ({self.expression(1)}, {self.random.choice(VARIABLES)})"

    # --- expressions

    def atom(self):
        return self.random.choice([*VARIABLES, *VARIABLES, str(self.random.randint(-2, 4))])

    def expression(self, depth=0):
        kind = self.random.randint(0, 12 if depth < 2 else 5)
        if kind < 4:
            return self.atom()
        if kind < 8:
            operator = self.random.choice(["+", "-", "*", "%", "//"] if not self.symbolic else ["+", "-"])
            return f"({self.expression(depth + 1)} {operator} {self.expression(depth + 1)})"
        if kind == 8:
            test = self.condition(depth + 1)
            return f"({self.expression(depth + 1)} if {test} else {self.expression(depth + 1)})"
        if kind == 9 and not self.symbolic:
            return f"note({self.expression(depth + 1)})"
        if kind == 10:
            return f"(lambda x: x if x > {self.atom()} else {self.atom()})({self.expression(depth + 1)})"
        if kind == 11:
            return f"[x for x in ({self.atom()}, {self.atom()})][{self.random.randint(0, 1)}]"
        if kind == 12 and not self.symbolic:
            return f"sum([x for x in range({self.atom()}) if {self.condition(depth + 1)}])"
        return self.atom()

    def condition(self, depth=0):
        kind = self.random.randint(0, 9 if depth < 2 else 3)
        compare = self.random.choice(["<", ">", "<=", "==", "!="])
        if kind < 5:
            return f"{self.expression(depth + 1)} {compare} {self.expression(depth + 1)}"
        if kind == 5:
            return f"{self.atom()} < {self.expression(depth + 1)} {compare} {self.atom()}"
        if kind == 6:
            return f"not {self.condition(depth + 1)}"
        if kind == 9 and self.random.random() < 0.3:
            return f"({self.random.choice(VARIABLES)} := {self.expression(depth + 1)}) > 0"
        word = self.random.choice(["and", "or"])
        return f"({self.condition(depth + 1)} {word} {self.condition(depth + 1)})"

    # --- statements

    def block(self, depth, count, nesting, in_loop):
        for _ in range(count):
            self.statement(depth, nesting, in_loop)

    def statement(self, depth, nesting, in_loop):
        choices = ["assign"] * 4 + ["augment"]
        if nesting < 3:
            choices += ["if"] * 4 + ["while", "for", "for"]
            if not self.symbolic:
                choices += ["try", "function", "with"]
        choices += ["leave"] * (2 if nesting else 0)
        if not self.symbolic:
            choices += ["note", "delete"]
        getattr(self, "write_" + self.random.choice(choices))(depth, nesting, in_loop)

    def body(self, depth, nesting, in_loop):
        self.block(depth + 1, self.random.randint(1, 3), nesting + 1, in_loop)

    def write_assign(self, depth, nesting, in_loop):
        if self.random.random() < 0.2:
            x, y = self.random.sample(VARIABLES, 2)
            self.line(depth, f"{x}, {y} = {self.expression()}, {self.expression()}")
        else:
            self.line(depth, f"{self.random.choice(VARIABLES)} = {self.expression()}")

    def write_augment(self, depth, nesting, in_loop):
        self.line(depth, f"{self.random.choice(VARIABLES)} += {self.expression()}")

    def write_note(self, depth, nesting, in_loop):
        self.line(depth, f"note({self.expression()})")

    def write_delete(self, depth, nesting, in_loop):
        if self.random.random() < 0.2:
            self.line(depth, f"del {self.random.choice(VARIABLES)}")
        else:
            self.line(depth, "pass")

    def write_if(self, depth, nesting, in_loop):
        self.line(depth, f"if {self.condition()}:")
        self.body(depth, nesting, in_loop)
        if self.random.random() < 0.3:
            self.line(depth, f"elif {self.condition()}:")
            self.body(depth, nesting, in_loop)
        if self.random.random() < 0.5:
            self.line(depth, "else:")
            self.body(depth, nesting, in_loop)

    def write_leave(self, depth, nesting, in_loop):
        leave = self.random.choice(["return", "break", "continue"]) if in_loop else "return"
        self.line(depth, self.result() if leave == "return" else leave)

    def write_while(self, depth, nesting, in_loop):
        self.counter += 1
        n = f"n{self.counter}"
        self.line(depth, f"{n} = 0")
        limit = self.random.choice(["3", f"{self.random.choice(VARIABLES)} % 5"])
        test = self.random.choice([f"{n} < {limit}", f"{n} < 4 and {self.condition()}", f"0 <= {n} < 3"])
        self.line(depth, f"while {test}:")
        self.line(depth + 1, f"{n} = {n} + 1")
        self.body(depth, nesting, True)
        self.loop_else(depth, nesting)

    def write_for(self, depth, nesting, in_loop):
        target = self.random.choice(VARIABLES)
        over = self.random.choice(["range(3)", f"({self.atom()}, {self.expression()})", "[1, 2, 3]"])
        if self.symbolic and self.random.random() < 0.3:
            over = f"range({self.random.choice(VARIABLES)} % 4)"
        self.line(depth, f"for {target} in {over}:")
        self.body(depth, nesting, True)
        self.loop_else(depth, nesting)

    def loop_else(self, depth, nesting):
        if self.random.random() < 0.25:
            self.line(depth, "else:")
            self.body(depth, nesting + 1, False)

    def write_try(self, depth, nesting, in_loop):
        self.line(depth, "try:")
        self.body(depth, nesting, in_loop)
        if self.random.random() < 0.6:
            self.line(depth, "except (ZeroDivisionError, NameError) as error:")
            self.line(depth + 1, "note(str(error))")
            self.body(depth, nesting, in_loop)
        if self.random.random() < 0.5:
            self.line(depth, "finally:")
            self.line(depth + 1, f"note({self.expression()})")
        else:
            self.line(depth, "except KeyError:")
            self.line(depth + 1, "pass")

    def write_with(self, depth, nesting, in_loop):
        self.line(depth, f"with note_block({self.atom()}):")
        self.body(depth, nesting, in_loop)

    def write_function(self, depth, nesting, in_loop):
        self.counter += 1
        name, shared = f"g{self.counter}", self.random.choice(VARIABLES)
        self.line(depth, f"def {name}(x, y={self.atom()}):")
        self.line(depth + 1, f"nonlocal {shared}")
        self.line(depth + 1, f"{shared} = x")
        self.line(depth + 1, f"if {shared} > y:")
        self.line(depth + 2, f"return {self.expression()}")
        self.line(depth + 1, f"return {self.expression()}")
        self.line(depth, f"{self.random.choice(VARIABLES)} = {name}({self.expression()})")
