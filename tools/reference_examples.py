"""Examples of the reference: the registry's samples with numbers that one can read, run, and shown with their results."""

import ast
import builtins
import contextlib
import doctest
import io
import math
import random
import re

import phlox as px

LARGEST_SHOWN = 40  # elements; of larger results the shape is shown
LARGEST_WRITTEN = 30  # elements; larger inputs are drawn at random
PLACEHOLDERS = {"A", "P", "Z", "C", "S", "I", "B"}
MOST_EXAMPLES = 3


class ExampleError(Exception):
    """An example of the reference does not run."""


def home_of(operation):
    """The name by which a program calls an operation: px.linalg.norm."""
    if operation.overload_of:
        return home_of(getattr(px._phlox, operation.overload_of))
    if not operation.home:
        return f"px.{operation.__name__}"
    prefix = operation.home.rpartition(".")[2] + "_"
    return f"px.{operation.home}.{operation.__name__.removeprefix(prefix)}"


def nested(values, shape):
    """The source text of nested lists of the shape."""
    if not shape:
        return next(values)
    return "[" + ", ".join(nested(values, shape[1:]) for _ in range(shape[0])) + "]"


class Numbers:
    """The source texts of tensors in the places of the placeholders of a sample; the same in every process."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def number(self, low, high):
        """One with a single decimal, not zero."""
        steps = [i for i in range(math.ceil(low * 10), math.floor(high * 10) + 1) if i]
        return f"{self.random.choice(steps) / 10:.1f}" if steps else f"{(low + high) / 2:.2f}"

    def tensor(self, count, shape, one, larger):
        if count > LARGEST_WRITTEN:
            return larger
        if 0 in shape:
            return f"px.zeros({shape})"
        return f"px.tensor({nested(iter(one, None), shape)})"

    def text(self, kind, arguments, low=-2.0, high=2.0):
        """The text for `kind(*arguments)`, which has that many elements; also how many these are."""
        shape = tuple(arguments[1:] if kind == "I" else arguments)
        count = math.prod(shape)
        sizes = ", ".join(map(str, shape))
        if kind == "S":
            shape, count = (*shape, shape[-1]), count * shape[-1]
            return self.definite(shape), count
        if kind == "I":
            one, larger = (
                (lambda: str(self.random.randrange(arguments[0]))),
                f"px.randint(0, {arguments[0]}, ({sizes},))",
            )
        elif kind == "B":
            one, larger = (lambda: self.random.choice(["True", "False"])), f"px.rand({sizes}) > 0.5"
        elif kind == "P":
            one, larger = (lambda: self.number(0.5, 2)), f"px.rand({sizes}) + 0.5"
        elif kind == "Z":
            one = lambda: f"{self.number(-2, 2)}{self.random.choice('+-')}{self.number(0.1, 2)}j"  # noqa: E731
            larger = f"px.complex(px.randn({sizes}), px.randn({sizes}))"
        else:
            one, larger = (lambda: self.number(low, high)), f"px.randn({sizes})"
        return self.tensor(count, shape, one, larger), count

    def definite(self, shape):
        """Symmetric matrices that outweigh what is beside the diagonal."""
        size = shape[-1]
        if 0 in shape:
            return f"px.zeros({shape})"

        def matrix():
            rows = [[0.0] * size for _ in range(size)]
            for i in range(size):
                for j in range(i):
                    rows[i][j] = rows[j][i] = self.random.randrange(-9, 10) / 10
                rows[i][i] = float(size + self.random.randrange(1, 4))
            return str(rows)

        return f"px.tensor({nested(iter(matrix, None), shape[:-2])})"


class Writer(ast.NodeTransformer):
    """Makes a program of a sample: names get their px, placeholders become variables."""

    def __init__(self, operation):
        self.operation = operation
        self.numbers = Numbers(operation.__name__)
        self.assignments: list[str] = []
        self.names: set[str] = set()
        self.elements = 0
        self.parameters: dict[ast.AST, str] = {}

    def visit_Call(self, node):  # noqa: N802
        if isinstance(node.func, ast.Name) and node.func.id in PLACEHOLDERS:
            arguments = [ast.literal_eval(a) for a in node.args]
            text, count = self.numbers.text(node.func.id, arguments)
            return self.variable(node, text, count)
        if (
            isinstance(node.func, ast.Attribute) and node.func.attr == "detach"
        ):  # tells tests what takes no gradient
            self.parameters.setdefault(node.func.value, self.parameters.get(node, ""))
            return self.visit(node.func.value)
        return self.generic_visit(node)

    def variable(self, node, text, count):
        wanted = self.parameters.get(node)
        free = (n for n in [wanted, *"abcdefghijklmn"] if n and n not in self.names)
        name = next(free)
        self.names.add(name)
        self.elements += count
        self.assignments.append(f"{name} = {text}")
        return ast.Name(name, ast.Load())

    def visit_Name(self, node):  # noqa: N802
        if node.id == "px" or (hasattr(builtins, node.id) and not hasattr(px, node.id)):
            return node
        return ast.Attribute(ast.Name("px", ast.Load()), node.id, ast.Load())

    def write(self, text):
        call = ast.parse(text, mode="eval").body
        parameters = [name for name, *_ in self.operation.parameters]
        for name, argument in zip(parameters, call.args):
            self.parameters[argument] = name
        for keyword in call.keywords:
            self.parameters[keyword.value] = keyword.arg
        call.args = [self.visit(a) for a in call.args]
        for keyword in call.keywords:
            keyword.value = self.visit(keyword.value)
        call.func = ast.parse(home_of(self.operation), mode="eval").body
        return [*self.assignments, ast.unparse(ast.fix_missing_locations(call))]


def pointwise_program(operation):
    """A program for an operation whose samples are made from the ranges of its operands."""
    traits = operation.pointwise
    numbers = Numbers(operation.__name__)
    lines, given, place = [], [], 0
    for name, kind, required, _ in operation.parameters:
        if kind in ("tensor", "operand"):
            first = place - bin(traits["masks"]).count("1") <= 0
            low = max(traits["sample_low" if first else "other_low"], -4)
            high = min(traits["sample_high" if first else "other_high"], 6)
            if traits["masks"] >> place & 1:
                text = "px.tensor([True, False, True, False])"
            elif traits["types"] == "integral":
                text = "px.tensor([1, 5, 6, 12])" if first else "px.tensor([3, 1, 2, 2])"
            else:
                values = (numbers.number(low, high) for _ in range(4))
                text = f"px.tensor([{', '.join(sorted(values, key=float) if place == 0 else values)}])"
            lines.append(f"{name} = {text}")
            given.append(name)
            place += 1
        elif required:
            given.append("2" if kind == "integer" else "0.75")
    return [*lines, f"{home_of(operation)}({', '.join(given)})"]


def programs(operation):
    """Programs, as lists of lines, that show what an operation does: the small ones of its samples."""
    found = []
    for text in filter(None, map(str.strip, operation.samples.split(";"))):
        writer = Writer(operation)
        lines = writer.write(text)
        found.append((writer.elements > LARGEST_WRITTEN, any("px.zeros((" in line for line in lines), lines))
    found.sort(key=lambda entry: entry[:2])  # stable: small ones first
    chosen = [lines for _, _, lines in found[:MOST_EXAMPLES]]
    if not chosen and operation.example:
        calls = map(str.strip, operation.example.split(";"))
        home = home_of(operation).rpartition(".")[0]
        chosen = [[c if c.startswith("px.") else f"{home}.{c}"] for c in calls]
    if not chosen and operation.is_pointwise:
        chosen = [pointwise_program(operation)]
    return chosen


def shown(value):
    """How a result is shown, and whether its shape stands for it."""
    if isinstance(value, px.Tensor):
        return (repr(value), False) if value.numel() <= LARGEST_SHOWN else (repr(value.shape), True)
    if isinstance(value, (tuple, list)) and any(isinstance(part, px.Tensor) for part in value):
        count = sum(part.numel() for part in value if isinstance(part, px.Tensor))
        if count > LARGEST_SHOWN:
            return repr([part.shape if isinstance(part, px.Tensor) else part for part in value]), True
    return repr(value), False


def draws(lines):
    return any(re.search(r"\brand|px\.normal", line) for line in lines)


def run(lines, what):
    """The last line of a program as it is shown, and the text of its result."""
    space = {"px": px}
    px.manual_seed(0)
    try:
        for line in lines[:-1]:
            exec(line, space)
        result = eval(lines[-1], space)
        text, is_shape = shown(result)
    except Exception as error:
        raise ExampleError(f"{what}: {'; '.join(lines)}\n    {error}") from error
    last = lines[-1]
    if is_shape:
        several = not isinstance(result, px.Tensor)
        last = f"[part.shape for part in {last}]" if several else f"{last}.shape"
    return last, None if result is None else text


def session_of(operation):
    """The examples of an operation, run, as a session of Python. Raises ExampleError when one fails or there is none."""
    chosen = programs(operation)
    if not chosen:
        raise ExampleError(f"{operation.__name__}: has neither samples nor an example")
    has_generator = any(kind == "generator" for _, kind, *_ in operation.parameters)
    blocks = []
    known: dict[str, str] = {}  # the line that gave a variable its value
    for *setup, call in chosen:
        last, text = run([*setup, call], operation.__name__)
        if has_generator or draws([*setup, call]):
            setup.insert(0, "px.manual_seed(0)")
            known.clear()
        new = [line for line in setup if known.get(line.partition(" = ")[0]) != line]
        known.update((line.partition(" = ")[0], line) for line in new)
        blocks.append("\n".join([*(f">>> {line}" for line in (*new, last)), *([text] if text else [])]))
    return "\n\n".join(blocks)


def session_of_docstring(name, text):
    """The examples of a docstring with their results, which must be those that are written there.

    One that speaks of what the program has (its step, its images) is shown as it is.
    """
    space = {"px": px}
    session = []
    px.manual_seed(0)
    for example in doctest.DocTestParser().get_examples(text):
        session += [("... " if i else ">>> ") + line for i, line in enumerate(example.source.splitlines())]
        output = io.StringIO()
        try:
            with contextlib.redirect_stdout(output):
                exec(compile(example.source, name, "single"), space)
        except NameError:
            session += example.want.splitlines()
            continue
        except Exception as error:
            raise ExampleError(f"{name}: {example.source.strip()}\n    {error}") from error
        found = output.getvalue()
        if found.split() != example.want.split():
            raise ExampleError(f"{name}: {example.source.strip()}\n    gives {found}    not   {example.want}")
        session += found.splitlines()
    return "\n".join(session)
