"""Tensors that have a dtype and a shape, but no value until a session runs them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from .. import _phlox
from .._failure import fail
from ._graph import Graph, Operation, get_default_graph
from ._kinds import KINDS, kind
from ._shapes import TensorShape

if TYPE_CHECKING:
    from ._variables import Variable as _Variable


class StringType:
    """The dtype of texts, which stay on the host: names of files, summaries, what Python functions take and give."""

    name = "string"
    is_floating_point = is_complex = False

    def __repr__(self) -> str:
        return "phlox.graph_mode.string"


string = StringType()
DTYPES: dict[str, Any] = {**_phlox.dtypes, "string": string}


def as_dtype(value: Any) -> Any:
    """A dtype from a dtype, its name, NumPy's, or a Python type."""
    if isinstance(value, (_phlox.dtype, StringType)) or value is None:
        return value
    if value in (str, bytes, "str"):
        return string
    name = value if isinstance(value, str) else np.dtype(value).name
    name = name.removesuffix("_ref")
    if name not in DTYPES:
        fail("TypeError", "unknown_name", f"{value!r} is not a dtype", hint="tf.float32")
    return DTYPES[name]


class Graphed:
    """What a tensor and a variable can both do: operators, methods of Phlox's tensors, evaluation."""

    dtype: Any
    # Set below, from a table.
    __add__: Callable[..., Any]
    __sub__: Callable[..., Any]
    __mul__: Callable[..., Any]
    __lt__: Callable[..., Any]

    def as_tensor(self) -> Tensor:
        """The tensor to compute with."""
        raise NotImplementedError

    def __getattr__(self, name: str) -> Any:
        from ._calls import method

        if name.startswith("_") or (found := method(name)) is None:
            raise AttributeError(f"'{type(self).__name__}' object has no attribute {name!r}")
        return lambda *args, **kwargs: found(self.as_tensor(), *args, **kwargs)

    def __getitem__(self, index: Any) -> Tensor:
        from ._calls import create_function

        return create_function("strided_slice", (self.as_tensor(), index), {}, "strided_slice")

    def __bool__(self) -> NoReturn:
        fail(
            "TypeError",
            "value_while_capturing",
            "a tensor of a graph has no truth value before it is run",
            hint="tf.cond(x > 0, lambda: ..., lambda: ...), or session.run(x)",
        )

    def __iter__(self) -> NoReturn:
        fail(
            "TypeError",
            "value_while_capturing",
            "a tensor of a graph cannot be iterated over",
            hint="tf.unstack(x), or tf.map_fn(function, x)",
        )

    def __len__(self) -> NoReturn:
        fail(
            "TypeError",
            "value_while_capturing",
            "the length of a tensor of a graph is asked for",
            hint="x.shape[0], or tf.shape(x)[0]",
        )

    def __array__(self, *_: Any) -> NoReturn:
        fail(
            "TypeError",
            "value_while_capturing",
            "a tensor of a graph has no values before it is run",
            hint="session.run(x), or tf.py_func(function, [x], dtype)",
        )

    __array_ufunc__ = None
    __array_priority__ = 1000

    def eval(self, feed_dict: Any = None, session: Any = None) -> Any:
        """The value, in a session, by default that of the surrounding `with`."""
        from ._session import session_for

        return session_for(session, "evaluate a tensor").run(self, feed_dict)


def _operator(key: str, name: str, reflected: bool) -> Callable[..., Any]:
    def method(self: Graphed, other: Any) -> Any:
        from ._calls import create_function

        if isinstance(other, IndexedSlices):
            other = other.as_dense()
        if not isinstance(other, (Graphed, int, float, complex, np.ndarray, np.generic, _phlox.Tensor, list)):
            return NotImplemented
        pair = (other, self) if reflected else (self, other)
        return create_function(key, pair, {}, name)

    return method


# Python's operator, the operation of the registry, and the name that TensorFlow gives it in a graph.
_OPERATORS = {
    "add": ("add", "add"),
    "sub": ("sub", "sub"),
    "mul": ("mul", "mul"),
    "truediv": ("div", "truediv"),
    "floordiv": ("floor_divide", "floordiv"),
    "mod": ("remainder", "FloorMod"),
    "pow": ("pow", "pow"),
    "matmul": ("matmul", "matmul"),
    "and": ("bitwise_and", "LogicalAnd"),
    "or": ("bitwise_or", "LogicalOr"),
    "xor": ("bitwise_xor", "LogicalXor"),
}
_COMPARISONS = {"lt": "Less", "le": "LessEqual", "gt": "Greater", "ge": "GreaterEqual"}
for _python, (_key, _name) in _OPERATORS.items():
    setattr(Graphed, f"__{_python}__", _operator(_key, _name, False))
    setattr(Graphed, f"__r{_python}__", _operator(_key, _name, True))
for _python, _name in _COMPARISONS.items():
    setattr(Graphed, f"__{_python}__", _operator(_python, _name, False))


def _unary(key: str, name: str) -> Callable[..., Any]:
    def method(self: Graphed) -> Any:
        from ._calls import create_function

        return create_function(key, (self,), {}, name)

    return method


for _python, _key, _name in (
    ("neg", "neg", "Neg"),
    ("abs", "abs", "Abs"),
    ("invert", "bitwise_not", "LogicalNot"),
):
    setattr(Graphed, f"__{_python}__", _unary(_key, _name))


class Tensor(Graphed):
    """One output of an operation: a dtype, what is known of the shape, and a name like "scope/MatMul:0".

    It has Phlox's operators and methods, each of which writes an operation into the graph. Two tensors are equal when
    they are the same object; `tf.equal` compares values.
    """

    def __init__(self, op: Operation, number: int, dtype: Any, shape: Any = None, known: Any = None):
        self.op, self.value_index = op, number
        self.dtype = dtype
        self._shape = TensorShape(shape)
        self.known = (
            known  # small values that do not depend on data, for each of the sizes tried (_calls.SIZES)
        )

    def as_tensor(self) -> Tensor:
        """Itself."""
        return self

    @property
    def graph(self) -> Graph:
        """The graph that it belongs to."""
        return self.op.graph

    @property
    def name(self) -> str:
        """The name of the operation, a colon and the number of the output."""
        return f"{self.op.name}:{self.value_index}"

    @property
    def device(self) -> str:
        """The device of the operation."""
        return self.op.device

    @property
    def shape(self) -> TensorShape:
        """What is known of the shape."""
        return self._shape

    def get_shape(self) -> TensorShape:
        """What is known of the shape."""
        return self._shape

    def set_shape(self, shape: Any) -> None:
        """Adds to what is known of the shape. Raises ShapeError where it contradicts."""
        self._shape = self._shape.merge_with(shape)

    def consumers(self) -> list[Operation]:
        """The operations that take it."""
        return [o for o in self.graph.get_operations() if self in o.inputs]

    def __repr__(self) -> str:
        dtype = getattr(self.dtype, "name", "unknown")
        return f"<tf.Tensor '{self.name}' shape={self._shape} dtype={dtype}>"


class IndexedSlices:
    """Rows of a larger tensor: `values[i]` belongs in row `indices[i]`, rows named twice add up."""

    def __init__(self, values: Any, indices: Any, dense_shape: Any = None):
        self.values, self.indices, self.dense_shape = values, indices, dense_shape

    def as_dense(self) -> Tensor:
        """The larger tensor, with zeros elsewhere."""
        from ._calls import create_function

        if self.dense_shape is None:
            fail("ValueError", "missing_argument", "IndexedSlices without dense_shape cannot become a tensor")
        return create_function("scatter_nd_rows", (self.indices, self.values, self.dense_shape), {})


class SparseTensor:
    """A tensor by its elements that are not zero: indices int64[n, rank], values [n], dense_shape int64[rank].

    `tf.sparse_placeholder` makes one that is fed a `SparseTensorValue`; `tf.sparse_tensor_to_dense` makes it dense.
    """

    def __init__(self, indices: Any, values: Any, dense_shape: Any):
        from ._calls import convert

        self.indices, self.values = convert(indices, _phlox.dtypes["int64"]), convert(values)
        self.dense_shape = convert(dense_shape, _phlox.dtypes["int64"])

    @property
    def dtype(self) -> Any:
        """The dtype of the values."""
        return self.values.dtype

    @property
    def graph(self) -> Graph:
        """The graph that it belongs to."""
        return self.values.graph

    def __repr__(self) -> str:
        return f"<tf.SparseTensor of {self.values!r}>"


# --- placeholders and constants


def add_outputs(operation: Operation, specs: Iterable[tuple[Any, ...]]) -> list[Tensor]:
    """Gives an operation outputs of these dtypes and shapes."""
    operation.outputs = [Tensor(operation, i, *spec) for i, spec in enumerate(specs)]
    return operation.outputs


@kind("Placeholder")
def _run_placeholder(execution: Any, operation: Operation, inputs: list[Any]) -> Any:
    from .errors import InvalidArgumentError, _raise

    dtype, shape = operation.attributes["dtype"], TensorShape(operation.attributes["shape"])
    _raise(
        InvalidArgumentError,
        "missing_argument",
        f'you must feed a value for the placeholder "{operation.name}" of dtype {dtype.name} and shape {shape}',
        hint=f'session.run(..., feed_dict={{"{operation.name}:0": value}})',
    )


def placeholder(dtype: Any, shape: Any = None, name: str | None = None) -> Tensor:
    """A tensor whose value each run is given: `session.run(y, {x: value})`. Sizes that differ from run to run are None."""
    dtype = as_dtype(dtype)
    sizes = None if shape is None else TensorShape(shape).as_list()
    operation = get_default_graph().add(
        KINDS["Placeholder"], [], name, attributes={"dtype": dtype, "shape": sizes}
    )
    return add_outputs(operation, [(dtype, sizes)])[0]


@kind("PlaceholderWithDefault")
def _run_default(execution: Any, operation: Operation, inputs: list[Any]) -> Any:
    return inputs


def placeholder_with_default(input: Any, shape: Any, name: str | None = None) -> Tensor:
    """A tensor that may be given a value in a run, and is `input` where it is not."""
    from ._calls import convert

    tensor = convert(input)
    operation = get_default_graph().add(KINDS["PlaceholderWithDefault"], [tensor], name)
    tensor.shape.merge_with(shape)
    return add_outputs(operation, [(tensor.dtype, shape)])[0]


def sparse_placeholder(dtype: Any, shape: Any = None, name: str | None = None) -> SparseTensor:
    """A sparse tensor that each run is given, as a SparseTensorValue or as (indices, values, dense_shape)."""
    name = name or "SparsePlaceholder"
    rank = None if shape is None else TensorShape(shape).ndims
    indices = placeholder("int64", [None, rank], f"{name}/indices")
    values = placeholder(dtype, [None], f"{name}/values")
    return SparseTensor(indices, values, placeholder("int64", [rank], f"{name}/shape"))


@kind("Parameter")
def _run_parameter(execution: Any, operation: Operation, inputs: list[Any]) -> Any:
    raise AssertionError(f"{operation.name}: the loop or branch around gives its value")


def parameter(graph: Graph, like: Tensor, name: str, shape: Any = ...) -> Tensor:
    """An input of a body: a value that the loop or branch around gives."""
    shape = like.shape if shape is ... else TensorShape(shape)
    sizes = shape.as_list() if shape else None
    operation = Operation(
        graph,
        graph.unique_name(name),
        KINDS["Parameter"],
        [],
        attributes={"dtype": like.dtype, "shape": sizes},
    )
    operation.position = graph.version
    graph._operations[operation.name] = operation
    return add_outputs(operation, [(like.dtype, sizes)])[0]


@kind("Const")
def _run_constant(execution: Any, operation: Operation, inputs: list[Any]) -> Any:
    return [operation.attributes["value"]]


def _constant_value(value: Any, dtype: Any) -> Any:
    """The value as a Phlox tensor, or as an array of objects for texts. Python's integers are int32 as in TensorFlow."""
    if isinstance(value, _phlox.Tensor):
        return value.detach().clone() if dtype is None else value.detach().to(dtype)
    array = np.asarray(value)
    if array.dtype.kind in "USO" or dtype is string:
        if array.dtype.kind not in "USO":
            fail("TypeError", "wrong_argument_type", f"{value!r} is not a text")
        return np.vectorize(lambda t: t.encode() if isinstance(t, str) else t, otypes=[object])(array)
    if dtype is None and not isinstance(value, (np.ndarray, np.generic)):
        numpy_leaves = any(isinstance(leaf, (np.ndarray, np.generic)) for leaf in _leaves(value))
        if array.dtype.kind == "f" and not numpy_leaves:
            dtype = _phlox.dtypes["float32"]
        elif array.dtype.kind == "i" and not numpy_leaves:
            dtype = _phlox.dtypes["int32"]
    tensor = _phlox.tensor(array)
    if dtype is not None and dtype is not tensor.dtype:
        if array.dtype.kind in "fc" and not (dtype.is_floating_point or dtype.is_complex):
            fail(
                "TypeError",
                "cast_loses",
                f"a constant of dtype {dtype.name} cannot be made of floating numbers",
                hint="tf.cast(value, dtype)",
            )
        tensor = tensor.to(dtype)
    return tensor


def _leaves(value: Any) -> Iterable[Any]:
    if isinstance(value, (list, tuple)):
        for part in value:
            yield from _leaves(part)
    else:
        yield value


def constant(value: Any, dtype: Any = None, shape: Any = None, name: str = "Const") -> Tensor:
    """A tensor of this value. Python's integers are int32 and its floats float32; a single one fills `shape`."""
    data = _constant_value(value, as_dtype(dtype))
    if shape is not None:
        sizes: Any = TensorShape(shape).as_list()
        is_text = isinstance(data, np.ndarray)
        data = (
            (np.broadcast_to(data, sizes) if data.size == 1 else data.reshape(sizes))
            if is_text
            else (data.reshape(()).expand(sizes).contiguous() if data.numel() == 1 else data.reshape(sizes))
        )
    return constant_of(data, name)


def constant_of(data: Any, name: str = "Const") -> Tensor:
    """A constant of this Phlox tensor, or array of texts."""
    graph = get_default_graph()
    dtype = string if isinstance(data, np.ndarray) else data.dtype
    operation = graph.add(KINDS["Const"], [], name, attributes={"value": data})
    operation.outputs = [Tensor(operation, 0, dtype, data.shape)]
    if dtype is not string and data.numel() <= 4096:
        operation.outputs[0].known = (data, data)
    return operation.outputs[0]


def __getattr__(name: str) -> Any:
    if name == "Variable":  # _variables needs this module first
        from ._variables import Variable

        return Variable
    raise AttributeError(name)


if TYPE_CHECKING:
    Variable = _Variable
