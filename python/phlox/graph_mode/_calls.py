"""Calls of functions become operations of the graph, with shapes and dtypes from running them without data."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import _phlox
from .. import errors as _errors
from .._failure import fail
from ._graph import Operation, get_default_graph
from ._kinds import FUNCTIONS, Input, Kind, filled, registry_kind, results_of
from ._kinds import values as asked
from ._shapes import TensorShape
from ._tensors import Graphed, IndexedSlices, SparseTensor, Tensor, add_outputs, as_dtype, constant_of, string
from ._tensors import _constant_value as constant_value

# A size that is not known is tried as each of these, which many numbers divide; what differs between the results is
# not known there either. Where that fails because of it, it is tried as 1, which broadcasts.
SIZES = (60, 120)
MOST_KNOWN = 4096  # elements of values that are known before the graph runs


def convert(value: Any, dtype: Any = None, name: str | None = None) -> Tensor:
    """The value as a tensor of the default graph: numbers, lists, arrays and Phlox tensors become constants."""
    dtype = as_dtype(dtype)
    if isinstance(value, Operation):
        fail(
            "TypeError",
            "wrong_argument_type",
            f'the operation "{value.name}" is used as a tensor',
            hint="one of its outputs",
        )
    if isinstance(value, IndexedSlices):
        value = value.as_dense()
    if isinstance(value, SparseTensor):
        fail(
            "TypeError",
            "wrong_argument_type",
            "a sparse tensor is used as a tensor",
            hint="tf.sparse_tensor_to_dense(x)",
        )
    if isinstance(value, Graphed):
        tensor = value.as_tensor()
        if dtype is not None and tensor.dtype is not None and tensor.dtype is not dtype:
            fail(
                "TypeError",
                "wrong_dtype",
                f'the tensor "{tensor.name}" has the dtype {tensor.dtype.name}, {dtype.name} is needed',
                hint=f"tf.cast(x, tf.{dtype.name})",
            )
        return tensor
    if isinstance(value, TensorShape):
        value = np.asarray(value.as_list(), dtype=np.int32)
    if isinstance(value, (list, tuple)) and any(isinstance(leaf, Graphed) for leaf in _flat(value)):
        return create_function("stack", ([convert(v, dtype) for v in value],), {}, name or "packed")
    return constant_of(constant_value(value, dtype), name or "Const")


def _flat(value: Any) -> list[Any]:
    if isinstance(value, (list, tuple)):
        return [leaf for part in value for leaf in _flat(part)]
    return [value]


# --- operations from calls


def find_function(key: str) -> Kind | None:
    """The function of this name for graphs: with TensorFlow's parameters where it has been given them, else Phlox's."""
    return FUNCTIONS.get(key) or registry_kind(key.rpartition(".")[2])


def method(name: str) -> Callable[..., Any] | None:
    """The function that a method of Phlox's tensors is in graphs."""
    operation = vars(_phlox).get(name)
    if not isinstance(operation, _phlox.Operation) or not operation.is_method:
        return None
    kind = registry_kind(name)
    return None if kind is None else functools.partial(create, kind)


def create_function(key: str, args: Sequence[Any], kwargs: dict[str, Any], name: str | None = None) -> Any:
    """Writes an operation that calls the function of this name."""
    found = find_function(key)
    assert found, key
    return create(found, *args, name=name, **kwargs)


def create(kind: Kind, *args: Any, name: str | None = None, **kwargs: Any) -> Any:
    """Writes an operation that calls a function; gives its results, tensors in the structure that the function gives."""
    inputs: list[Tensor] = []
    # TensorFlow calls operands x and y.
    for ours, theirs in zip(kind.parameters, ("x", "y")):
        if theirs in kwargs and theirs not in kind.parameters:
            kwargs[ours] = kwargs.pop(theirs)
    names = dict(enumerate(kind.parameters))
    args = tuple(_argument(kind, names.get(i), value, inputs) for i, value in enumerate(args))
    kwargs = {key: _argument(kind, key, value, inputs) for key, value in kwargs.items()}
    graph = get_default_graph()
    with graph._lock:
        inputs = [graph.capture(tensor) for tensor in inputs]
        structure, specs = infer(kind, (args, kwargs), inputs)
        operation = graph.add(kind, inputs, name, (args, kwargs))
        outputs = add_outputs(operation, specs)
    return _structured(structure, iter(outputs))


def _argument(kind: Kind, parameter: str | None, value: Any, inputs: list[Tensor]) -> Any:
    """The argument with `Input(i)` for tensors, which are appended to `inputs`."""
    if parameter in kind.tensors and value is not None:
        value = convert(value)
    elif parameter in kind.lists and value is not None:
        value = [convert(v) for v in value] if isinstance(value, (list, tuple)) else convert(value)
    return with_inputs(value, inputs)


def with_inputs(value: Any, inputs: list[Tensor]) -> Any:
    """The value with `Input(i)` in place of its tensors, which are appended to `inputs`."""
    if isinstance(value, (Graphed, IndexedSlices, np.ndarray, _phlox.Tensor)):
        tensor = convert(value)
        if tensor not in inputs:
            inputs.append(tensor)
        return Input(inputs.index(tensor))
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, TensorShape):
        return value.as_list()
    if isinstance(value, (list, tuple)):
        parts = [with_inputs(v, inputs) for v in value]
        return parts if isinstance(value, list) else tuple(parts)
    if isinstance(value, dict):
        return {key: with_inputs(v, inputs) for key, v in value.items()}
    if isinstance(value, slice):
        return slice(*(with_inputs(v, inputs) for v in (value.start, value.stop, value.step)))
    if isinstance(value, (type, np.dtype)) and value is not str:
        return as_dtype(value)
    return value


def _structured(structure: Any, outputs: Any) -> Any:
    if isinstance(structure, list):
        return [_structured(part, outputs) for part in structure]
    if isinstance(structure, tuple):
        parts = (_structured(part, outputs) for part in structure)
        return type(structure)(*parts) if hasattr(structure, "_fields") else tuple(parts)
    return next(outputs)


def _structure(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        parts = [_structure(part) for part in value]
        if hasattr(value, "_fields"):
            return type(value)(*parts)
        return parts if isinstance(value, list) else tuple(parts)
    return None


# --- dtypes and shapes


def outside(function: Callable[[], Any]) -> Any:
    """Runs the function with values, also while something is captured."""
    return _phlox._outside_capture(function)


def dummy(dtype: Any, sizes: Sequence[int]) -> Any:
    """A tensor of this dtype and shape that needs no memory."""
    return _phlox.zeros((), dtype=dtype).expand(list(sizes))


def infer(kind: Kind, arguments: Any, inputs: Sequence[Tensor]) -> tuple[Any, list[tuple[Any, Any, Any]]]:
    """The structure of the results, and of each the dtype, the shape and the value where it does not depend on data."""
    if any(t.dtype is string for t in inputs):
        fail(
            "TypeError",
            "wrong_dtype",
            f"{kind.key}: texts are not computed with in a graph",
            hint="tf.py_func(function, [x], tf.string)",
        )
    if any(not t.shape for t in inputs):
        return _infer_without_ranks(kind, arguments, inputs)
    try:
        first, second = (_evaluate(kind, arguments, inputs, turn, size) for turn, size in enumerate(SIZES))
    except _errors.GraphError:
        return _infer_from_values(kind, arguments, inputs)
    except _errors.PhloxError as error:
        if all(t.shape.is_fully_defined() for t in inputs):
            raise
        if found := _try_sizes(kind, arguments, inputs):
            return found
        add_line(error, f"  note  {SIZES[0]} stands for sizes that are not known yet")
        raise
    specs = []
    for (dtype, one, value), (_, two, other) in zip(first[1], second[1]):
        sizes = [a if a == b else None for a, b in zip(one, two)] if len(one) == len(two) else None
        specs.append((dtype, sizes, None if value is None or other is None else (value, other)))
    return first[0], specs


def add_line(error: Any, line: str) -> None:
    """Adds a line to the text of an error, before what to try."""
    lines = str(error.args[0]).split("\n")
    place = next((i for i, text in enumerate(lines) if text.startswith("  try ")), len(lines))
    lines.insert(place, line)
    error.args = ("\n".join(lines), *error.args[1:])


def _infer_from_values(
    kind: Kind, arguments: Any, inputs: Sequence[Tensor]
) -> tuple[Any, list[tuple[Any, Any, Any]]]:
    """Of a function whose results have sizes that depend on values: what is the same for zeros, ones and others."""
    function: Any = kind.function
    # Large tensors are not made only to learn what comes out of them: small sizes stand for theirs.
    large = {s for t in inputs for s in t.shape.as_list() if s} if _are_large(inputs) else set()
    small = {size: 5 + 2 * i for i, size in enumerate(sorted(large))}
    back = {stand_in: size for size, stand_in in small.items()}
    tries = []
    for unknown in (2, 3):
        for values in (_phlox.zeros, _phlox.ones, _counted):
            shapes = [[unknown if s is None else small.get(s, s) for s in t.shape.as_list()] for t in inputs]
            made = [values(shape, dtype=t.dtype) for shape, t in zip(shapes, inputs)]
            args, kwargs = filled(arguments, made)
            result = outside(lambda: function(*args, **kwargs))
            tries.append([(t.dtype, list(t.shape)) for t in outside(lambda: results_of(result))])
            structure = _structure(result)
    specs = []
    for one in zip(*tries):
        columns = zip(*(sizes for _, sizes in one))
        sizes = [back.get(c[0], c[0]) if len(set(c)) == 1 else None for c in columns]
        specs.append((one[0][0], sizes, None))
    return structure, specs


def _are_large(inputs: Sequence[Tensor]) -> bool:
    return any(np.prod([s for s in t.shape.as_list() if s]) > MOST_KNOWN for t in inputs)


def _counted(sizes: Sequence[int], dtype: Any) -> Any:
    count = int(np.prod(sizes))
    return (_phlox.arange(count).reshape(list(sizes)) % 2**7).to(dtype)


def _try_sizes(kind: Kind, arguments: Any, inputs: Sequence[Tensor]) -> Any:
    """Infers with unknown sizes as 1, which broadcasts, or as a size of another input; None where nothing fits."""
    known = {size for t in inputs for size in t.shape.as_list() if size}
    for size in (1, *sorted(known - {1})[:8]):
        try:
            structure, results = _evaluate(kind, arguments, inputs, None, size)
        except _errors.PhloxError:
            continue
        return structure, [
            (dtype, [None if s == size else s for s in sizes], None) for dtype, sizes, _ in results
        ]
    return None


def _infer_without_ranks(
    kind: Kind, arguments: Any, inputs: Sequence[Tensor]
) -> tuple[Any, list[tuple[Any, Any, Any]]]:
    """Of tensors of which not even the number of dimensions is known: the dtypes of the results."""
    for rank in (1, 2, 3, 4, 0):
        if found := _try_sizes(kind, arguments, [_with_rank(t, rank) for t in inputs]):
            structure, specs = found
            return structure, [(dtype, None, None) for dtype, _, _ in specs]
    return infer(kind, arguments, [_with_rank(t, 2) for t in inputs])  # for its error


def _with_rank(tensor: Tensor, rank: int) -> Tensor:
    shape = tensor.shape if tensor.shape else [None] * rank
    return Tensor(tensor.op, tensor.value_index, tensor.dtype, shape)


def _evaluate(
    kind: Kind, arguments: Any, inputs: Sequence[Tensor], turn: int | None, size: int
) -> tuple[Any, list[tuple[Any, list[int], Any]]]:
    """Runs a function without data where unknown sizes are `size`."""
    values = [
        tensor.known[turn]
        if turn is not None and tensor.known
        else dummy(tensor.dtype, [size if s is None else s for s in tensor.shape.as_list()])
        for tensor in inputs
    ]
    function = kind.function
    assert function
    structure: Any = None
    specs: list[tuple[Any, list[int], Any]] = []

    def run(traced: list[Any]) -> list[Any]:
        nonlocal structure, specs
        # What is known is found around the function and not an argument, so its values can be asked for.
        seen = [v if t.known and turn is not None else a for v, t, a in zip(values, inputs, traced)]
        args, kwargs = filled(arguments, seen)
        result = outside(lambda: function(*args, **kwargs)) if kind.of_shapes else function(*args, **kwargs)
        structure = _structure(result)
        flat = outside(lambda: results_of(result))
        specs = [(t.dtype, list(t.shape), t if kind.of_shapes else None) for t in flat]
        return []

    exact = all(t.shape.is_fully_defined() and (t.known or t.dtype.is_floating_point) for t in inputs)
    asked.guess = None if exact else size
    asked.known = tuple(v for v, t in zip(values, inputs) if t.known and turn is not None)
    try:
        outside(lambda: _phlox._trace(run, values))
    finally:
        asked.guess, asked.known = None, ()
    known = kind.pure and not kind.of_shapes and turn is not None and all(t.known for t in inputs)
    if known and all(np.prod(sizes) <= MOST_KNOWN for _, sizes, _ in specs):
        args, kwargs = filled(arguments, values)
        flat = outside(lambda: results_of(function(*args, **kwargs)))
        specs = [(dtype, sizes, tensor) for (dtype, sizes, _), tensor in zip(specs, flat)]
    return structure, specs


# --- namespaces


def lifted(kind: Kind, name: str) -> Callable[..., Any]:
    """The function as one that writes operations."""

    def function(*args: Any, **kwargs: Any) -> Any:
        return create(kind, *args, **kwargs)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = kind.function.__doc__ if kind.function else None
    function.__wrapped__ = kind.function  # type: ignore[attr-defined]
    return function


def offer(namespace: dict[str, Any], home: str) -> Callable[[str], Any]:
    """The `__getattr__` of a module whose functions are those of Phlox, in graphs: tf.nn.relu, tf.exp, ..."""
    module = namespace["__name__"]

    def get(name: str) -> Any:
        kind = None
        if not name.startswith("_"):
            kind = FUNCTIONS.get(f"{home}.{name}" if home else name) or registry_kind(name)
        if kind is None:
            import difflib

            close = difflib.get_close_matches(name, [*namespace, *FUNCTIONS], n=3)
            hint = f"; did you mean {' or '.join(close)}?" if close else ""
            raise AttributeError(f"module '{module}' has no attribute {name!r}{hint}")
        namespace[name] = lifted(kind, name)
        return namespace[name]

    return get
