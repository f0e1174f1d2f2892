"""What operations of a graph compute: functions by name, and kinds of operations that are more than functions.

The two tables here are all that a file can name, so reading a graph never runs foreign code.
"""

from __future__ import annotations

import inspect
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import _phlox
from .._failure import fail


@dataclass(frozen=True)
class Input:
    """Stands for the input of this number among the arguments of an operation."""

    number: int


@dataclass(frozen=True, eq=False)
class Kind:
    """How operations are run: `run(execution, operation, inputs)` gives the values of the outputs.

    Those of the host (queues, files, Python functions) cannot be part of a captured graph. Names of types are
    TensorFlow's.
    """

    key: str
    type: str
    run: Callable[..., Any]
    host: bool = False
    # Whether it only needs the sizes of its inputs, never their values.
    of_shapes: bool = False
    # Whether the same inputs always give the same outputs, and nothing else happens.
    pure: bool = False
    function: Callable[..., Any] | None = None
    tensors: frozenset[str] = field(default_factory=frozenset)  # the parameters that are tensors
    lists: frozenset[str] = field(default_factory=frozenset)  # those that are lists of tensors
    parameters: tuple[str, ...] = ()


class _Values(threading.local):
    """Which values a function may ask for while it runs without data."""

    known: tuple[Any, ...] = ()  # the tensors that do not depend on data
    guess: int | None = None  # while shapes are inferred: what stands for sizes that are not known


values = _Values()


def numbers(tensor: Any) -> Any:
    """The values of a tensor as numbers of Python. Raises GraphError while capturing where they depend on data."""
    if any(tensor is one for one in values.known):
        return _phlox._outside_capture(tensor.tolist)
    if values.guess is not None:
        return np.full(tuple(tensor.shape), values.guess).tolist()
    return tensor.tolist()


KINDS: dict[str, Kind] = {}


def kind(key: str, type: str = "", host: bool = False) -> Callable[[Callable[..., Any]], Kind]:
    """Makes a function a kind of operation."""

    def register(run: Callable[..., Any]) -> Kind:
        KINDS[key] = Kind(key, type or key, run, host=host)
        return KINDS[key]

    return register


def _call(execution: Any, operation: Any, inputs: list[Any]) -> Any:
    """Runs an operation that is a function of its arguments."""
    args, kwargs = filled(operation.arguments, inputs)
    return results_of(operation.kind.function(*args, **kwargs))


def results_of(value: Any) -> list[Any]:
    """The results of a function as a flat list."""
    if isinstance(value, (tuple, list)):
        return [one for part in value for one in results_of(part)]
    return [value if isinstance(value, _phlox.Tensor) else _phlox.as_tensor(value)]


def filled(arguments: Any, inputs: list[Any]) -> Any:
    """The arguments with the values of inputs in their places."""
    if isinstance(arguments, Input):
        return inputs[arguments.number]
    if isinstance(arguments, (tuple, list)):
        return type(arguments)(filled(a, inputs) for a in arguments)
    if isinstance(arguments, dict):
        return {key: filled(a, inputs) for key, a in arguments.items()}
    if isinstance(arguments, slice):
        return slice(*(filled(a, inputs) for a in (arguments.start, arguments.stop, arguments.step)))
    return arguments


def camel_case(name: str) -> str:
    """`batch_norm` is BatchNorm."""
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[._]", name))


# --- functions

FUNCTIONS: dict[str, Kind] = {}


def function(
    key: str, type: str = "", *, of_shapes: bool = False, pure: bool = True
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Offers a function of Phlox tensors in graphs, under the name that TensorFlow has for it.

    Parameters annotated `Tensor` or `Tensors` take what can be made a tensor.
    """

    def register(implementation: Callable[..., Any]) -> Callable[..., Any]:
        annotations = implementation.__annotations__
        FUNCTIONS[key] = Kind(
            key,
            type or camel_case(key.rpartition(".")[2]),
            _call,
            of_shapes=of_shapes,
            pure=pure,
            function=implementation,
            tensors=frozenset(n for n, a in annotations.items() if a == "Tensor" and n != "return"),
            lists=frozenset(n for n, a in annotations.items() if a == "Tensors"),
            parameters=tuple(inspect.signature(implementation).parameters),
        )
        return implementation

    return register


def _from_registry(operation: Any) -> Kind:
    kinds = {name: kind for name, kind, _, _ in operation.parameters}
    draws = any(kind == "generator" for kind in kinds.values())
    return Kind(
        f"phlox.{operation.__name__}",
        camel_case(operation.__name__),
        _call,
        pure=not draws,
        function=operation,
        tensors=frozenset(n for n, k in kinds.items() if k in ("tensor", "optional_tensor")),
        lists=frozenset(n for n, k in kinds.items() if k == "tensors"),
        parameters=tuple(kinds),
    )


def registry_kind(name: str) -> Kind | None:
    """The operation of Phlox's registry with this name or alias, for graphs; None where there is none."""
    operation = vars(_phlox).get(name)
    if not isinstance(operation, _phlox.Operation) or name.endswith("_"):
        return None
    key = f"phlox.{operation.__name__}"
    if key not in FUNCTIONS:
        FUNCTIONS[key] = _from_registry(operation)
    return FUNCTIONS[key]


def find_kind(key: str) -> Kind:
    """The kind of operation that a file names. Raises FormatError for an unknown one."""
    if key in KINDS:
        return KINDS[key]
    if key.startswith("phlox.") and (found := registry_kind(key.removeprefix("phlox."))):
        return found
    if key in FUNCTIONS:
        return FUNCTIONS[key]
    fail("FormatError", "file_malformed", f'the graph has an operation "{key}" that is not known')
