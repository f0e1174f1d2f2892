"""A random program: the tensors around a function, its arguments, and its statements."""

import random
from dataclasses import dataclass, field, replace

import phlox as px

from . import helpers
from .statements import DTYPES, NAMES, Draw, draw_statement, indented, view_of

CALLS = 3


@dataclass(frozen=True)
class Program:
    seed: int
    state: tuple = ()  # statements that make what is around the function
    arguments: tuple = ()  # (name, expression); the expression may use `call`, the number of the call
    body: tuple = ()
    results: tuple = ()
    between: tuple = ()  # statements of the host between two calls

    def text(self):
        """The program as a file that can be run."""
        names = ", ".join(name for name, _ in self.arguments)
        making = "\n".join(f"{name} = {expression}" for name, expression in self.arguments)
        comma = "," if len(self.arguments) == 1 else ""
        lines = [
            f"# program {self.seed}",
            "import phlox as px",
            "from phlox import nn",
            "from fuzzing.helpers import data, fit, index",
            f"px.manual_seed({self.seed})",
            *self.state,
            "def arguments(call):",
            indented(f"{making}\nreturn {names}{comma}" if names else "return ()"),
            self.function(),
        ]
        if self.between:
            lines += [
                "def between():",
                indented("\n".join(["with px.no_grad():", *map(indented, self.between)])),
            ]
        return "\n".join(lines)

    def function(self):
        names = ", ".join(name for name, _ in self.arguments)
        ends = f"return [{', '.join(self.results)}]"
        return f"def function({names}):\n" + indented("\n".join([*self.body, ends]))


@dataclass
class World:
    """A program in the making or at work: its names and the state of the default generator."""

    program: Program
    names: dict = field(default_factory=dict)
    random_state: object = None

    def __post_init__(self):
        self.names.update(NAMES)
        px.manual_seed(self.program.seed)
        for line in self.program.state:
            exec(line, self.names)
        self.random_state = px.get_rng_state()

    def arguments(self, call):
        scope = {**self.names, "call": call}
        for name, expression in self.program.arguments:
            scope[name] = eval(expression, scope)
        return [scope[name] for name, _ in self.program.arguments]

    def function(self):
        scope = self.names
        exec(self.program.function(), scope)
        return scope.pop("function")

    def run(self, function, *arguments):
        """Runs something with the random numbers of this world."""
        px.set_rng_state(self.random_state)
        try:
            return function(*arguments)
        finally:
            self.random_state = px.get_rng_state()

    def between(self):
        with px.no_grad():
            for line in self.program.between:
                exec(line, self.names)


def draw_tensor(d, call=""):
    dtype = d.choice(DTYPES)
    layout = d.choice(helpers.LAYOUTS) if d.chance(0.35) else "contiguous"
    options = [f'"{dtype}"'] if dtype != "float32" or layout != "contiguous" else []
    options += [f'"{layout}"'] if layout != "contiguous" else []
    options += ["special=True"] if d.chance(0.07) else []
    seed = f"{d.seed()}{call}"
    return f"data({', '.join([seed, str(d.shape()), *options])})"


MODULES = [
    ("nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))", (2, 4)),
    ("nn.Sequential(nn.Linear(4, 5), nn.Dropout(0.3), nn.LayerNorm(5))", (3, 4)),
    ("nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.BatchNorm2d(3), nn.GELU())", (2, 2, 4, 4)),
    ("nn.Sequential(nn.Conv1d(2, 3, 2), nn.Tanh(), nn.MaxPool1d(2))", (2, 2, 5)),
    ("nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 2))", (3, 4)),
]
OPTIMIZERS = [
    "SGD({}, lr=0.1)",
    "SGD({}, lr=0.1, momentum=0.9, nesterov=True)",
    "Adam({}, lr=0.01)",
    "AdamW({}, lr=0.01, amsgrad=True)",
    "RMSprop({}, lr=0.01)",
]


def draw_state(d):
    state, leaves = [], []
    for i in range(d.choice([0, 1, 1, 2])):
        state.append(f"w{i} = {draw_tensor(d)}")
    for i in range(d.choice([0, 0, 1, 1, 2])):
        shape, dtype = d.shape(), d.choice(["float32", "float32", "float64"])
        state.append(f'p{i} = data({d.seed()}, {shape}, "{dtype}").requires_grad_()')
        leaves.append(f"p{i}")
        if d.chance(0.9):
            state.append(f'p{i}.grad = data({d.seed()}, {shape}, "{dtype}")')
    if state and d.chance(0.15):
        state.append("w9 = w0.unsqueeze(0)" if state[0].startswith("w0") else "w9 = p0.detach()")
    if d.chance(0.25):
        state.append(f"g0 = px.Generator().manual_seed({d.seed()})")
    if d.chance(0.25):
        module, shape = d.choice(MODULES)
        state.append(f"m0 = {module}")
        state.append(f"optimizer = px.optim.{d.choice(OPTIMIZERS).format('m0.parameters()')}")
        # Optimisers make their state, and parameters their gradients, in the first step.
        state.append(f"m0(data({d.seed()}, {shape})).square().mean().backward()\noptimizer.step()")
        state.append(f'SHAPES = {{"m0": {shape}}}')
    return state, leaves


def draw_program(seed):
    """The program of a seed. Statements that do not work where they are drawn are left out."""
    d = Draw(random.Random(seed), {})
    state, leaves = draw_state(d)
    world = World(Program(seed, tuple(state)))
    d.names = world.names
    call = " + call" if d.chance(0.9) else ""
    arguments = []
    for i in range(d.choice([1, 1, 2, 2, 3])):
        present = d.tensors()
        if present and d.chance(0.22):
            try:
                expression = view_of(d, d.choice(present)) if d.chance(0.7) else d.choice(present)
            except LookupError:
                continue
            if expression.split("[")[0].split(".")[0] in leaves:
                expression += ".detach()"
        else:
            expression = draw_tensor(d, call)
            if d.chance(0.05) and '"int' not in expression:
                expression += ".clone().requires_grad_()"
            if d.chance(0.04):
                layouts = [d.choice(helpers.LAYOUTS) for _ in range(CALLS)]
                expression = f"data({d.seed()} + call, {d.shape()}, layout={layouts}[call])"
            elif present and d.chance(0.03):
                other = d.choice(present)
                expression = f"{other} if call == 2 else {other}.detach().clone()"
        try:
            d.names[f"a{i}"] = eval(expression, {**world.names, "call": 0})
        except Exception:
            continue
        arguments.append((f"a{i}", expression))
    body, locals_ = draw_body(d, world, {name: world.names[name] for name, _ in arguments})
    return finish(d, Program(seed, tuple(state), tuple(arguments), tuple(body)), locals_, leaves)


def draw_body(d, world, scope):
    body = []
    for _ in range(d.random.randrange(2, 14)):
        for _ in range(6):
            try:
                text = draw_statement(d)
                exec(compile(text, "<statement>", "exec"), d.names)
            except (LookupError, px.errors.PhloxError, Exception):
                continue
            if len(text) < 400 and all(t.numel() < 300 for t in d.names.values() if isinstance(t, px.Tensor)):
                body.append(text)
                d.lines.append(text)
                break
            for name in [n for n, t in d.names.items() if isinstance(t, px.Tensor) and t.numel() >= 300]:
                del d.names[name]
    return body, [n for n in d.names if n[0] == "t" and n[1:].isdigit()]


def finish(d, program, made, leaves):
    used = [n for n in made if any(n in line for line in program.body) and isinstance(d.names[n], px.Tensor)]
    results = [n for n in used if d.chance(0.6)][-5:]
    results += [n for n, _ in program.arguments if d.chance(0.1)]
    results += [n for n in d.tensors() if n[0] in "wp" and d.chance(0.07)]
    between = []
    for name in d.tensors(lambda t: True):
        if name[0] == "w" and d.chance(0.3):
            changes = (
                ["logical_not_()"] if d.names[name].dtype == px.bool else ["add_(1)", f"copy_(1 - {name})"]
            )
            between.append(f"{name}.{d.choice([*changes, 'zero_()'])}")
    for leaf in leaves:
        if d.chance(0.3):
            options = [
                "{}.mul_(0.5)",
                "{0}.grad = {0}.detach() * 3",
                "{0}.grad = {0}.detach() * 3",
                "{}.grad = None",
            ]
            between.append(d.choice(options).format(leaf))
    return replace(program, results=tuple(results), between=tuple(between))
