"""Operations that run in Python, on NumPy arrays: `tf.py_func` and `tf.Print`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import _phlox
from .._failure import fail
from ._calls import convert
from ._graph import Operation, get_default_graph
from ._kinds import KINDS, kind
from ._tensors import Graphed, Tensor, _constant_value, add_outputs, as_dtype, string


def to_numpy(value: Any) -> Any:
    """The value as an array of NumPy, texts as an array of objects."""
    if isinstance(value, np.ndarray):
        return value
    value = value.detach()
    return np.array((value.float() if value.dtype.name == "bfloat16" else value).numpy())


def from_numpy(value: Any, dtype: Any, what: str) -> Any:
    """What Python gave as a value of this dtype. Raises DTypeError where it is of another kind."""
    if dtype is string:
        return _constant_value(value, string)
    array = np.asarray(value)
    if array.dtype.kind in "OUS":
        fail("DTypeError", "wrong_dtype", f"{what} gave {value!r}, which is not of the dtype {dtype.name}")
    tensor = _phlox.tensor(array)
    if tensor.dtype is not dtype and isinstance(value, (np.ndarray, np.generic)):
        fail(
            "DTypeError",
            "wrong_dtype",
            f"{what} gave {tensor.dtype.name} where {dtype.name} was announced",
            hint=f".astype({dtype.name!r})",
        )
    return tensor.to(dtype)


@kind("PyFunc", host=True)
def _run_function(frame: Any, operation: Operation, inputs: list[Any]) -> Any:
    functions = operation.graph.root.functions
    token = operation.attributes["token"]
    if token not in functions:
        fail(
            "GraphError",
            "bad_graph",
            f'"{operation.name}" calls a function of Python, which files do not hold',
            hint="write the graph with the same program",
        )
    result = functions[token](*(_given(to_numpy(i)) for i in inputs))
    dtypes = operation.attributes["dtypes"]
    results = list(result) if isinstance(result, (list, tuple)) else [result]
    if not dtypes:
        return []
    if len(results) != len(dtypes):
        fail(
            "ValueError",
            "invalid_value",
            f'"{operation.name}": the function gave {len(results)} values, not {len(dtypes)}',
        )
    return [from_numpy(r, d, f'the function of "{operation.name}"') for r, d in zip(results, dtypes)]


def _given(array: Any) -> Any:
    return array.item() if array.dtype == object and array.ndim == 0 else array


def py_func(
    func: Callable[..., Any], inp: Sequence[Any], Tout: Any, stateful: bool = True, name: str | None = None
) -> Any:
    """What a function of Python gives: it takes NumPy arrays, and gives arrays of the dtypes `Tout`.

    It runs in Python, so it is not part of the captured program, is not saved with the graph, and has no gradient.
    """
    graph = get_default_graph()
    single = not isinstance(Tout, (list, tuple))
    dtypes = [as_dtype(d) for d in ([Tout] if single else Tout)]
    token = f"pyfunc_{len(graph.root.functions)}"
    graph.root.functions[token] = func
    inputs = [convert(i) for i in inp]
    attributes = {"token": token, "dtypes": dtypes}
    outputs = add_outputs(
        graph.add(KINDS["PyFunc"], inputs, name, attributes=attributes), [(d, None) for d in dtypes]
    )
    if not outputs:
        return graph.get_operations()[-1]
    return outputs[0] if single else outputs


@kind("Print", host=True)
def _run_print(frame: Any, operation: Operation, inputs: list[Any]) -> Any:
    most = operation.attributes["summarize"]
    texts = []
    for value in inputs[1:]:
        flat = to_numpy(value).ravel()
        more = "..." if len(flat) > most else ""
        texts.append(f"[{' '.join(str(v) for v in flat[:most])}{more}]")
    sys.stderr.write(operation.attributes["message"] + "".join(texts) + "\n")
    return inputs[:1]


def Print(
    input_: Any,
    data: Sequence[Any],
    message: str = "",
    first_n: Any = None,
    summarize: int = 3,
    name: str | None = None,
) -> Tensor:
    """The tensor; in a run the first elements of `data` are written to standard error."""
    tensor = convert(input_)
    inputs = [tensor, *(convert(d) for d in data if isinstance(d, Graphed))]
    attributes = {"message": message, "summarize": summarize}
    operation = get_default_graph().add(KINDS["Print"], inputs, name, attributes=attributes)
    return add_outputs(operation, [(tensor.dtype, tensor.shape)])[0]
