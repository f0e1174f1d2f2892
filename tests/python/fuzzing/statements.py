"""The statements that programs are made of: each function writes one, as Python that uses what there is."""

import random
from dataclasses import dataclass, field

import sampling

import phlox as px
from phlox import nn

from . import helpers

DTYPES = ["float32"] * 8 + [
    "float64",
    "float16",
    "bfloat16",
    "int64",
    "int64",
    "int32",
    "int8",
    "uint8",
    "bool",
]
DTYPES += ["complex64"]
WRITERS = []  # (weight, function)


def statement(weight):
    def note(function):
        WRITERS.append((weight, function))
        return function

    return note


OPERATIONS = [o for o in px.operations() if not o.reads_values and o.result in ("tensor", "tensors", "tuple")]
POINTWISE = [o for o in OPERATIONS if o.is_pointwise]
IN_PLACE = [o for o in POINTWISE if hasattr(px.Tensor, o.__name__ + "_") and not o.pointwise["underived"] & 1]
SAMPLED = [o for o in OPERATIONS if o.samples and not o.is_pointwise]
SAMPLES = {}


def samples_of(operation):
    if operation.__name__ not in SAMPLES:
        SAMPLES[operation.__name__] = sampling.read_samples(operation)
    return SAMPLES[operation.__name__]


def call_of(name):
    """How a program calls an operation."""
    if hasattr(px, name):
        return f"px.{name}"
    return f"nn.functional.{name}" if hasattr(nn.functional, name) else f"px.Tensor.{name}"


@dataclass
class Draw:
    """Draws for one program; `names` has what its variables are just now."""

    random: random.Random
    names: dict
    fresh: int = 0
    lines: list = field(default_factory=list)  # that were drawn

    def chance(self, probability):
        return self.random.random() < probability

    def choice(self, items):
        return self.random.choice(items)

    def new(self):
        self.fresh += 1
        return f"t{self.fresh}"

    def seed(self):
        return self.random.randrange(10**6)

    def shape(self):
        return tuple(
            self.random.choice([1, 2, 3, 4, 5, 0] if self.chance(0.05) else [1, 2, 3, 4, 3, 4, 5])
            for _ in range(self.random.choice([0, 1, 1, 2, 2, 2, 2, 3, 3, 4]))
        )

    def tensors(self, fits=lambda t: True):
        return [n for n, v in self.names.items() if isinstance(v, px.Tensor) and fits(v)]

    def tensor(self, fits=lambda t: True):
        """The name of a tensor; recent ones are likelier."""
        found = self.tensors(fits)
        if not found:
            raise LookupError
        return found[-1 - min(int(self.random.expovariate(0.35)), len(found) - 1)]

    def floating(self):
        return self.tensor(lambda t: t.dtype.is_floating_point)

    def real(self):
        return self.tensor(lambda t: not t.dtype.is_complex)

    def number(self):
        return self.choice(["2", "0.5", "-1", "3.0", "0", "1", "-0.0", "1e-3", "7"])

    def operand(self, shape):
        """A number, or a tensor that broadcasts to the shape."""
        if self.chance(0.2):
            return self.number()
        fitting = self.tensors(lambda t: broadcasts(tuple(t.shape), shape))
        if fitting and self.chance(0.7):
            return self.choice(fitting)
        other = self.tensor()
        return f"fit({other}, {shape})"


def broadcasts(shape, to):
    return len(shape) <= len(to) and all(a in (1, b) for a, b in zip(reversed(shape), reversed(to)))


@statement(10)
def pointwise(d):
    in_place = d.chance(0.35)
    operation = d.choice(IN_PLACE if in_place else POINTWISE)
    first = d.tensor()
    shape = tuple(d.names[first].shape)
    arguments, operand = [], 0
    for _, kind, required, _ in operation.parameters:
        if kind in sampling.OPERANDS:
            text = first if operand == 0 else d.operand(shape)
            if operation.pointwise["masks"] >> operand & 1:
                text = f"({d.tensor()} > 0)" if d.chance(0.3) else f"(fit({d.real()}, {shape}) > 0)"
            elif operation.pointwise["underived"] >> operand & 1 and text[0].isalpha():
                text += ".detach()"
            arguments.append(text)
            operand += 1
        elif required:
            arguments.append("2" if kind == "integer" else "0.75")
    if in_place:
        return f"{arguments[0]}.{operation.__name__}_({', '.join(arguments[1:])})"
    return f"{d.new()} = {call_of(operation.__name__)}({', '.join(arguments)})"


def render(d, value):
    """An argument of a sample, with tensors of the program for its placeholders."""
    if isinstance(value, sampling.Placeholder):
        shape = value.array.shape
        if value.kind == "bool":
            return f"(fit({d.real()}, {shape}) > 0)"
        if value.kind == "index":
            n = int(value.array.max(initial=0)) + 1
            if d.chance(0.5):
                return f"px.tensor({value.array.tolist()})"
            return f"index({d.tensor()}, {n}, {shape})"
        if value.kind == "complex":
            return f'data({d.seed()}, {shape}, "complex64")'
        if value.kind == "constant" or d.chance(0.1):
            return f"data({d.seed()}, {shape})"
        name = d.floating() if d.chance(0.8) else d.tensor()
        text = name if tuple(d.names[name].shape) == shape else f"fit({name}, {shape})"
        if value.array.size and value.array.min() >= 0.5:
            return f"({text}.abs() + 0.5)"
        return text
    if isinstance(value, sampling.Deferred):
        arguments = [render(d, v) for v in value.args]
        arguments += [f"{k}={render(d, v)}" for k, v in value.kwargs.items()]
        name = getattr(value.function, "__name__", "")
        return f"{call_of(name)}({', '.join(arguments)})"
    if isinstance(value, (list, tuple)):
        items = ", ".join(render(d, v) for v in value)
        if isinstance(value, list):
            return f"[{items}]"
        return f"({items},)" if value else "()"
    if value.__class__.__module__.startswith("phlox"):
        return str(value).replace("phlox.", "px.")
    return repr(value)


@statement(14)
def sampled(d):
    operation = d.choice(SAMPLED)
    _, args, kwargs = d.choice(samples_of(operation))
    arguments = [render(d, v) for v in args] + [f"{k}={render(d, v)}" for k, v in kwargs.items()]
    result = f"[{d.choice([0, 0, 1])}]" if operation.result in ("tuple", "tensors") else ""
    return f"{d.new()} = {call_of(operation.__name__)}({', '.join(arguments)}){result}"


@statement(4)
def reduction(d):
    x = d.tensor()
    name = d.choice(
        ["sum", "mean", "amax", "amin", "prod", "var", "argmax", "any", "logsumexp", "cumsum", "norm"]
    )
    rank = d.names[x].dim()
    dim = d.random.randrange(-rank, rank) if rank else 0
    if name in ("cumsum", "logsumexp") or d.chance(0.6):
        keep = "" if name == "cumsum" or d.chance(0.6) else ", keepdim=True"
        return f"{d.new()} = {x}.{name}(dim={dim}{keep})"
    return f"{d.new()} = {x}.{name}()"


def subscript(d, shape):
    """Something that stands in brackets after a tensor: a view."""
    items = []
    for size in shape[: d.random.randrange(len(shape) + 1)] if shape else ():
        kind = d.random.randrange(8)
        if kind == 0 and size:
            items.append(str(d.random.randrange(-size, size)))
        elif kind == 1:
            items.append(d.choice(["::-1", "::-2", "-1:0:-1", "2::-1"]))
        elif kind == 2:
            items.append(d.choice(["::2", "1::2", "::3"]))
        elif kind in (3, 4):
            items.append(d.choice(["1:", ":-1", ":2", "1:3", "-2:"]))
        else:
            items.append(":")
    if d.chance(0.15):
        items.append("...")
    if d.chance(0.1):
        items.insert(d.random.randrange(len(items) + 1), "None")
    return ", ".join(items) or "..."


def view_of(d, x):
    """An expression that looks at a tensor, or `x` itself."""
    t = d.names[x]
    rank, shape = t.dim(), tuple(t.shape)
    kind = d.random.randrange(16)
    a, b = (d.random.randrange(-rank, rank) for _ in range(2)) if rank else (0, 0)
    if kind < 5:
        return f"{x}[{subscript(d, shape)}]"
    if kind == 5:
        return f"{x}.transpose({a}, {b})" if rank else f"{x}.reshape(1)"
    if kind == 6:
        return f"{x}.reshape({d.choice(reshapes(t.numel()))})"
    if kind == 7:
        return f"{x}.unsqueeze({a})" if rank else f"{x}.unsqueeze(0)"
    if kind == 8 and rank > 1:
        return f"{x}.diagonal({d.choice([0, 0, 1, -1])}, {a}, {b})"
    if kind == 9 and rank and shape[a] > 1:
        return f"{x}.unfold({a}, {d.random.randrange(1, shape[a] + 1)}, {d.choice([1, 1, 2])})"
    if kind == 10:
        return f"{x}.expand({', '.join(['2', *['-1'] * rank])})"
    if kind == 11 and t.numel() > 3:
        size = d.choice([((2,), (1,)), ((2, 2), (1, 1)), ((2, 2), (2, 1)), ((2,), (2,)), ((1, 3), (0, 1))])
        return f"{x}.as_strided({size[0]}, {size[1]}, {t.storage_offset() if d.chance(0.5) else 0})"
    if kind == 12:
        return (
            f"{x}.T"
            if rank == 2
            else f"{x}.permute({', '.join(map(str, d.random.sample(range(rank), rank)))})"
        )
    if kind == 13 and rank and shape[a]:
        return f"{x}.{d.choice(['split(1', 'chunk(2', 'tensor_split(2'])}, dim={a})[{d.choice([0, -1])}]"
    if kind == 14:
        return f"{x}.detach()" if d.chance(0.5) else f"{x}.squeeze()"
    if kind == 15:
        if t.dtype.is_complex:
            return d.choice([f"px.view_as_real({x})", f"{x}.real", f"{x}.imag", f"{x}.conj()"])
        return f"{x}.view({d.choice(reshapes(t.numel()))})"
    return f"{x}[{subscript(d, shape)}]"


def reshapes(count):
    found = ["(-1,)"] if count else ["(0,)", "(2, 0)"]
    for a in (1, 2, 3, 4):
        if count and count % a == 0:
            found += [f"({a}, {count // a})", f"({count // a}, {a})"]
    return found


@statement(12)
def view(d):
    return f"{d.new()} = {view_of(d, d.tensor())}"


@statement(3)
def converted(d):
    x = d.tensor()
    way = d.choice(
        ["clone()", "contiguous()", f"to(px.{d.choice(DTYPES)})", "clone().requires_grad_()", "float()"]
    )
    return f"{d.new()} = {x}.{way}"


@statement(12)
def written(d):
    x = d.tensor()
    target = view_of(d, x) if d.chance(0.6) else x
    shape = tuple(d.names[x].shape)
    kind = d.random.randrange(12)
    if kind < 3:
        return f"{x}[{subscript(d, shape)}] = {d.number() if d.chance(0.4) else d.operand(shape)}"
    if kind == 3:
        return f"{target}.{d.choice(['fill_', 'add_', 'mul_', 'sub_'])}({d.number()})"
    if kind == 4:
        return f"{target}.zero_()"
    if kind == 5:
        return f"{target}.copy_({d.operand(shape) if target == x else d.tensor()})"
    if kind == 6:
        return f"{target}.{d.choice(['add_', 'mul_', 'sub_', 'copy_', 'maximum_'])}({view_of(d, d.tensor())})"
    if kind == 7:
        value = d.number() if d.chance(0.6) else d.tensor(lambda t: t.dim() == 0)
        return (
            f"{x}[{d.real()} > 0] = {value}"
            if d.chance(0.3)
            else f"{x}[fit({d.real()}, {shape}) > 0] = {value}"
        )
    if kind == 8:
        return f"{target}.masked_fill_(fit({d.real()}, {shape}) > 0, {d.number()})"
    if kind == 9 and shape and shape[0]:
        places = (d.random.choice([1, 2, 3]),)
        accumulate = d.choice(["", ", accumulate=True"])
        value = f"data({d.seed()}, {(*places, *shape[1:])})"
        return f"{x}.index_put_([index({d.tensor()}, {shape[0]}, {places})], {value}{accumulate})"
    if kind == 10:
        sign = d.choice(["+", "-", "*"])
        return f"{x}[{subscript(d, shape)}] {sign}= {d.number() if d.chance(0.5) else d.operand(shape)}"
    if kind == 11 and shape and shape[0]:
        return f"{x}[index({d.tensor()}, {shape[0]}, (2,))] = {d.number()}"
    if x[0] in "wp":  # another name for it, or Python takes it for a local variable
        return f"{x}.{d.choice(['add_', 'sub_', 'mul_'])}({d.operand(shape)})"
    return f"{x} {d.choice(['+', '-', '*'])}= {d.operand(shape)}"


@statement(2)
def looked_up(d):
    x = d.tensor(lambda t: t.dim() > 0)
    size = d.names[x].shape[0]
    kind = d.random.randrange(4)
    if kind == 0:
        return f"{d.new()} = {x}[index({d.tensor()}, {size}, {d.choice([(2,), (3,), (2, 2)])})]"
    if kind == 1:
        return f"{d.new()} = {x}[px.tensor({[d.random.randrange(-size, size) for _ in range(3)]})]"
    if kind == 2:
        return f"{d.new()} = px.where({d.real()} > 0, {x}, {d.operand(tuple(d.names[x].shape))})"
    return f"{d.new()} = px.{d.choice(['cat', 'stack'])}([{x}, {d.operand(tuple(d.names[x].shape))}], {d.choice([0, -1])})"


@statement(7)
def gradient(d):
    leaves = d.tensors(lambda t: t.requires_grad and t.is_leaf)
    if not leaves or d.chance(0.08):
        name = d.new()
        return f"{name} = {d.floating()}.detach().clone().requires_grad_()"
    leaf = d.choice(leaves)
    recorded = d.tensors(lambda t: t.requires_grad and t.dtype.is_floating_point)
    if not recorded:
        raise LookupError
    x = d.choice(recorded[-4:])
    shape = tuple(d.names[x].shape)
    total = d.choice([f"{x}.sum()", f"({x} * data({d.seed()}, {shape})).sum()", f"({x} * {x}).mean()"])
    kind = d.random.randrange(10)
    if kind < 3:
        return f"{total}.backward({d.choice(['', 'retain_graph=True', 'retain_graph=True'])})"
    if kind < 5:
        # The second gradient of a product looks at the values, and takes a shorter way where it can.
        second = "retain_graph=True" if any("prod(" in line for line in d.lines) else "create_graph=True"
        options = d.choice([second, "retain_graph=True", second])
        return f"{d.new()} = px.autograd.grad({total}, [{leaf}], allow_unused=True, {options})[0]"
    if kind == 5:
        if d.names[x].is_leaf:  # it would keep the hook
            raise LookupError
        hook = d.choice(["lambda g: g * 2", "lambda g: g.clamp(-1, 1)", "lambda g: None"])
        return f"{x}.register_hook({hook})"
    if kind == 6:
        return d.choice(
            [
                f"{leaf}.grad = None",
                f"{leaf}.grad.zero_()",
                f"{leaf}.grad.mul_(0.5)",
                f"{leaf}.grad = {leaf}.detach() * 2",
                f"{leaf}.grad[:1] = 3.0",
                f"{leaf}.grad.copy_({leaf}.detach())",
            ]
        )
    if kind == 7:
        return f"{d.new()} = {leaf}.grad"
    if kind == 8:
        return f"{x}.retain_grad()"
    return f"with px.no_grad():\n    {leaf}.{d.choice(['sub_', 'add_'])}({leaf}.grad, alpha=0.1)"


@statement(3)
def drawn(d):
    generators = [n for n, v in d.names.items() if isinstance(v, px.Generator)]
    own = f"generator={d.choice(generators)}" if generators and d.chance(0.5) else ""
    comma = f", {own}" if own else ""
    kind = d.random.randrange(7)
    if kind == 0:
        return (
            f"{d.new()} = px.{d.choice(['rand', 'randn'])}({', '.join(map(str, d.shape())) or '()'}{comma})"
        )
    if kind == 1:
        return f"{d.new()} = px.randint(0, 5, {d.shape()}{comma})"
    if kind == 2:
        return f"{d.new()} = nn.functional.dropout({d.floating()}, {d.choice([0.5, 0.2])})"
    if kind == 3:
        return f"{d.tensor()}.{d.choice(['uniform_', 'normal_', 'exponential_', 'random_'])}({own})"
    if kind == 4:
        return f"{d.new()} = px.bernoulli({d.floating()}.sigmoid(){comma})"
    if kind == 5:
        return f"{d.new()} = px.{d.choice(['rand_like', 'randn_like'])}({d.floating()})"
    return f"{d.tensor()}.bernoulli_(0.4{comma})"


@statement(2)
def block(d):
    inner = d.choice([pointwise, view, written, sampled, gradient, reduction])
    kind = d.random.randrange(4)
    if kind == 0:
        return "with px.no_grad():\n" + indented(inner(d))
    if kind == 1:
        return f"for _ in range({d.choice([2, 3])}):\n" + indented(d.choice([written, pointwise])(d))
    if kind == 2:
        return f"if {d.tensor()}.dim() > 1:\n" + indented(inner(d)) + "\nelse:\n" + indented(inner(d))
    x = d.tensor(lambda t: t.dim() > 0)
    return f"for row in {x}:\n    {d.choice(['row.mul_(2)', 'row.add_(row)', 'row[...] = 1', 'row.neg_()'])}"


def turned(d, name, shape):
    """An expression of a branch or a turn of a loop: from `name` and tensors around, of the shape and dtype of `name`."""
    kind = d.random.randrange(6)
    other = f"fit({d.real()}.detach(), {shape})"
    if kind == 0:
        return f"({name} * {d.number()}).to({name}.dtype)"
    if kind == 1:
        return f"({name} + {other}).to({name}.dtype)"
    if kind == 2:
        return f"px.where({other} > 0, {name}, -{name})"
    if kind == 3 and shape:
        return f"{name}.flip({d.random.randrange(len(shape))}).clone()"
    if kind == 4:
        return f"px.{d.choice(['tanh', 'sin', 'relu', 'sqrt'])}({name}.to(px.float64)).to({name}.dtype)"
    return f"px.maximum({name}, {other}.to({name}.dtype))"


@statement(4)
def flow(d):
    """Branches and loops on tensors. Captured, their results are row-major. Gradients through loops add up in another order: test_loop_gradients.py."""
    x = d.tensor(lambda t: not t.dtype.is_complex and t.dtype != px.bool)
    shape = tuple(d.names[x].shape)
    kind, start = d.random.randrange(4), f"{x}.detach() * 1"
    if kind == 0:
        sides = ", ".join(f"lambda v: {turned(d, 'v', shape)}" for _ in range(2))
        return f"{d.new()} = px.cond({d.real()}.sum() > {d.number()}, {sides}, ({x},)).contiguous()"
    if kind == 1:
        test = d.choice([f"n < {d.random.randrange(4)}", "(n < 3) & (v.sum() < 5)"])
        body = f"({turned(d, 'v', shape)}, n + 1)"
        return f"{d.new()} = px.while_loop(lambda v, n: {test}, lambda v, n: {body}, ({start}, px.tensor(0)))[0].contiguous()"
    if kind == 2:
        inner = f"px.cond(v.sum() > 0, lambda: {turned(d, 'v', shape)}, lambda: v)"
        return f"{d.new()} = px.while_loop(lambda v, n: n < 2, lambda v, n: ({inner}, n + 1), ({start}, px.tensor(0)))[0].contiguous()"
    if not shape:
        raise LookupError
    row = shape[1:]
    reverse = d.choice(["", ", reverse=True"])
    turn = f"lambda c, r: ({turned(d, 'c', row)}, ({turned(d, 'r', row)}, c))"
    begin = f"px.ones({row}, dtype={x}.dtype)"
    return f"{d.new()} = px.scan({turn}, {begin}, {start}{reverse})[1][{d.choice([0, 1])}]"


@statement(3)
def step(d):
    """A training step of the module, where there is one."""
    modules = [n for n, v in d.names.items() if isinstance(v, nn.Module)]
    if not modules:
        raise LookupError
    module, loss = modules[0], d.new()
    shape = d.names["SHAPES"][module]
    if d.chance(0.4):
        return f"{loss} = {module}(fit({d.floating()}, {shape}))"
    lines = [f"{loss} = {module}(fit({d.floating()}, {shape})).{d.choice(['sum', 'mean'])}()"]
    if d.chance(0.8):
        lines.insert(0, f"optimizer.zero_grad({d.choice(['', '', 'set_to_none=False'])})")
    lines += [f"{loss}.backward()"]
    if d.chance(0.3):
        lines.append(f"nn.utils.clip_grad_norm_({module}.parameters(), 0.5)")
    if d.chance(0.85):
        lines.append("optimizer.step()")
    return "\n".join(lines)


def indented(text):
    return "\n".join("    " + line for line in text.splitlines())


def draw_statement(d):
    weights, writers = zip(*WRITERS)
    return d.random.choices(writers, weights)[0](d)


NAMES = {"px": px, "nn": nn, "data": helpers.data, "fit": helpers.fit, "index": helpers.index}
