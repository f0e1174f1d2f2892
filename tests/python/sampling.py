"""Reads the samples of the registry: calls of operations with random arguments, in any dtype and memory layout."""

import operator

import numpy as np
import scipy
from phlox._signature import default_value

import phlox as px

FLOATING = {"float16": 2e-3, "bfloat16": 1.6e-2, "float32": None, "float64": None}
COMPLEX = ["complex64", "complex128"]
INTEGERS = ["int64", "int32", "int16", "int8", "uint8"]
OPERANDS = ("tensor", "operand")
LAYOUTS = ["contiguous", "transposed", "strided", "flipped", "expanded"]


class Later:
    """Something in a sample that becomes a tensor. Its methods are called then."""

    def __getattr__(self, name):
        method = getattr(px.Tensor, name)
        return lambda *args, **kwargs: Deferred(method, (self, *args), kwargs)

    def __getitem__(self, item):
        return Deferred(operator.getitem, (self, item), {})


class Placeholder(Later):
    """A random array, before it has a dtype and a layout."""

    def __init__(self, kind, array):
        self.kind = kind  # "float", "complex", "constant", "index", "bool"
        self.array = array
        self.natural = False  # not negative as an integer: exponents, shifts


class Deferred(Later):
    """A call of another operation, made when its arguments are tensors."""

    def __init__(self, function, args, kwargs):
        self.function, self.args, self.kwargs = function, args, kwargs


class Sampler:
    """The helpers A, P, Z (complex), C (as A, but data that takes no gradient), I, B and S of samples.

    S(3) is a positive-definite matrix of 3 rows, S(2, 3) a batch of two of them.

    Seeded by the text of the sample.
    """

    def __init__(self, text, low=-2.0, high=2.0):
        self.random = np.random.default_rng(abs(hash_text(text)))
        self.low, self.high = low, high

    def A(self, *shape):  # noqa: N802
        return Placeholder("float", self.random.uniform(self.low, self.high, shape))

    def P(self, *shape):  # noqa: N802
        return Placeholder("float", self.random.uniform(0.5, 2.0, shape))

    def Z(self, *shape):  # noqa: N802
        parts = self.random.uniform(self.low, self.high, (2, *shape))
        return Placeholder("complex", parts[0] + 1j * parts[1])

    def C(self, *shape):  # noqa: N802
        return Placeholder("constant", self.random.uniform(self.low, self.high, shape))

    def S(self, *shape):  # noqa: N802
        return Deferred(
            lambda x: x @ x.adjoint() + px.eye(shape[-1], dtype=x.dtype), (self.A(*shape, shape[-1]),), {}
        )

    def I(self, n, *shape):  # noqa: N802, E743
        return Placeholder("index", self.random.integers(0, n, shape))

    def B(self, *shape):  # noqa: N802
        return Placeholder("bool", self.random.integers(0, 2, shape).astype(bool))


def defer(function):
    """A function that notes its calls."""
    return lambda *args, **kwargs: Deferred(function, args, kwargs)


def hash_text(text):
    """A number that is the same in every process."""
    value = 0
    for character in text:
        value = (value * 131 + ord(character)) % (2**61 - 1)
    return value


def read_samples(operation):
    """The (args, kwargs) of each sample of an operation, with placeholders."""
    samples = []
    for text in operation.samples.split(";"):
        text = text.strip()
        if not text:
            continue
        sampler = Sampler(text)
        names = {f.__name__: defer(f) for f in px.operations()}
        names.update(
            {
                "A": sampler.A,
                "P": sampler.P,
                "Z": sampler.Z,
                "C": sampler.C,
                "I": sampler.I,
                "B": sampler.B,
                "S": sampler.S,
            }
        )
        record = {
            name: lambda *args, **kwargs: (args, kwargs)
            for name in (operation.__name__, *operation.alias.split())
        }
        samples.append((text, *eval(text, {**vars(px), "px": px, **names, **record})))
    return samples


def pointwise_samples(operation):
    """Samples of a pointwise operation, from its ranges."""
    traits = operation.pointwise
    shapes = [[(3, 4)] * 3, [(2, 3, 4), (4,), (3, 1)], [(), (), ()], [(0, 3)] * 3, [(33,)] * 3]
    samples = []
    for number, chosen in enumerate(shapes):
        text = f"{operation.__name__} {number}"
        args, operand = [], 0
        for name, kind, required, _ in operation.parameters:
            if kind in OPERANDS:
                mask = traits["masks"] >> operand & 1
                first = operand - bin(traits["masks"]).count("1") <= 0
                low = traits["sample_low"] if first else traits["other_low"]
                high = traits["sample_high"] if first else traits["other_high"]
                sampler = Sampler(text + name, low, high)
                underived = traits["underived"] >> operand & 1
                sample = sampler.B if mask else sampler.C if underived else sampler.A
                args.append(sample(*chosen[operand]))
                args[-1].natural = not first
                operand += 1
            elif required:
                args.append(2 if kind == "integer" else 0.75)
        samples.append((text, tuple(args), {}))
    return samples


def array_of(placeholder, dtype):
    """The values as an array of the dtype (float32 for bfloat16)."""
    array = placeholder.array
    if placeholder.kind == "complex":
        return array.astype("complex128" if dtype in ("float64", "complex128") else "complex64")
    if placeholder.kind not in ("float", "constant"):
        return array
    if dtype in COMPLEX:  # on neither side of a branch cut, and not on it
        turned = np.roll(array.ravel(), 1).reshape(array.shape)
        return (array + 1j * np.where(abs(turned) < 0.1, 0.1, turned)).astype(dtype)
    if dtype == "bool":
        return array > 0
    if dtype in INTEGERS:
        positive = dtype.startswith("u") or placeholder.natural
        return np.ceil(np.abs(array) if positive else array).astype(dtype)
    return array.astype("float32" if dtype == "bfloat16" else dtype)


def laid_out(array, layout):
    """The array with another memory layout, and with the same values except for `expanded`."""
    if array.ndim == 0 or layout == "contiguous":
        return array
    if layout == "transposed":
        return np.asfortranarray(array)
    if layout == "strided":
        wide = np.zeros((*array.shape[:-1], array.shape[-1] * 2), array.dtype)
        wide[..., ::2] = array
        return wide[..., ::2]
    if layout == "flipped":
        return np.ascontiguousarray(array[..., ::-1])[..., ::-1]
    if layout == "expanded":
        return np.broadcast_to(array[:1], array.shape) if array.shape[0] else array
    raise ValueError(layout)


def to_tensor(placeholder, dtype, layout, requires_grad=False):
    """The tensor of a placeholder."""
    tensor = px.from_numpy(laid_out(np.array(array_of(placeholder, dtype)), layout))
    if dtype == "bfloat16" and placeholder.kind in ("float", "constant"):
        tensor = tensor.to(px.bfloat16)
    if requires_grad and placeholder.kind in ("float", "complex"):
        tensor = tensor.detach().clone().requires_grad_() if layout == "expanded" else tensor.requires_grad_()
    return tensor


def has_tensors(sample):
    """Whether a sample has tensor arguments at all, so that dtypes and layouts matter."""

    def search(value):
        if isinstance(value, (list, tuple)):
            return any(map(search, value))
        return isinstance(value, Later) or (isinstance(value, dict) and search(list(value.values())))

    return search(sample[1:])


def convert(value, make):
    """Replaces the placeholders in nested arguments."""
    if isinstance(value, Placeholder):
        return make(value)
    if isinstance(value, Deferred):
        return value.function(*convert(value.args, make), **convert(value.kwargs, make))
    if isinstance(value, (list, tuple)):
        return type(value)(convert(v, make) for v in value)
    if isinstance(value, dict):
        return {k: convert(v, make) for k, v in value.items()}
    return value


def to_reference(value):
    """Tensors as arrays for the reference: floats as float64, integers as they are."""
    if isinstance(value, px.Tensor):
        value = value.detach()
        if value.dtype.is_floating_point:
            return value.to(px.float64).numpy()
        if value.dtype.is_complex:
            return value.to(px.complex128).numpy()
        return value.numpy()
    if isinstance(value, (list, tuple)):
        return type(value)(to_reference(v) for v in value)
    return value


def bind(operation, args, kwargs):
    """Arguments by the name of their parameter, defaults included."""
    names = [p[0] for p in operation.parameters]
    bound = {}
    for position, (name, _, required, default) in enumerate(operation.parameters):
        if position < len(args):
            bound[name] = args[position]
            if (
                position == operation.variadic
                and isinstance(args[position], int)
                and len(args) > position + 1
            ):
                bound[name] = tuple(args[position:])
                break
        elif name in kwargs:
            bound[name] = kwargs[name]
        elif not required:
            bound[name] = default_value(default)
    synonyms = {"axis": "dim", "keepdims": "keepdim"}
    for name, value in kwargs.items():
        bound[name if name in names else synonyms.get(name, name)] = value
    return bound


def reference(operation, args, kwargs):
    """What NumPy or SciPy says."""
    bound = {name: to_reference(value) for name, value in bind(operation, args, kwargs).items()}
    operands = [v for (name, kind, *_), v in zip(operation.parameters, bound.values()) if kind in OPERANDS]
    if operation.is_pointwise:
        masks = operation.pointwise["masks"]
        plain = [v for i, v in enumerate(operands) if not masks >> i & 1]
        for name, value in zip("xyz", plain):
            bound.setdefault(name, value)
    with np.errstate(all="ignore"):
        return eval(operation.reference, {"np": np, "scipy": scipy, "inf": np.inf, **bound})


def as_list(value):
    """The results of an operation, one or several, as a list."""
    if isinstance(value, (list, tuple)) and not isinstance(value, px.Size):
        return [v for item in value for v in as_list(item)] if value else []
    return [value]
