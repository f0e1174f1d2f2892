"""Operations that order others: `group`, `tuple`, `no_op`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._failure import fail
from ._bodies import flatten
from ._calls import convert, create_function
from ._execution import Frame
from ._graph import Operation, get_default_graph
from ._kinds import KINDS, kind
from ._tensors import Graphed, IndexedSlices, SparseTensor, Tensor


@kind("NoOp")
def _run_nothing(frame: Frame, operation: Operation, inputs: list[Any]) -> Any:
    return []


def no_op(name: str | None = None) -> Operation:
    """An operation that does nothing."""
    return get_default_graph().add(KINDS["NoOp"], [], name)


def _operations(items: Any) -> list[Operation]:
    found = []
    for item in flatten(items):
        if item is None:
            continue
        if isinstance(item, IndexedSlices):
            item = item.values
        if isinstance(item, SparseTensor):
            item = item.values
        if isinstance(item, Graphed):
            item = item.as_tensor().op
        if not isinstance(item, Operation):
            fail("TypeError", "wrong_argument_type", f"group() takes operations and tensors, not {item!r}")
        found.append(item)
    return found


def group(*inputs: Any, name: str | None = None, **_: Any) -> Operation:
    """An operation that is done when all of these are."""
    operations = _operations(list(inputs))
    with get_default_graph().control_dependencies(operations):
        return no_op(name or "group_deps")


def tuple_(tensors: Sequence[Any], name: str | None = None, control_inputs: Any = None) -> list[Any]:
    """The same tensors, none of which is there before all of them are."""
    waits = [*_operations(list(tensors)), *_operations(list(control_inputs or []))]
    with get_default_graph().name_scope(name or "tuple"), get_default_graph().control_dependencies(waits):
        return [
            None
            if t is None
            else IndexedSlices(identity(t.values), identity(t.indices), t.dense_shape)
            if isinstance(t, IndexedSlices)
            else t
            if isinstance(t, Operation)
            else identity(t)
            for t in tensors
        ]


def identity(input: Any, name: str | None = None) -> Tensor:
    """The tensor, after the control dependencies of the current scope."""
    return create_function("identity", (convert(input),), {}, name)


def with_dependencies(dependencies: Any, output: Any, name: str | None = None) -> Any:
    """The tensor, once these operations are done."""
    with get_default_graph().control_dependencies(_operations(list(dependencies))):
        return identity(output, name)
