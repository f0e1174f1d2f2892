"""Running the operations of a graph, one after the other: with values, or while they are captured as one program."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from .. import _phlox
from .. import errors as _errors
from ._calls import MOST_KNOWN, add_line, outside
from ._graph import Graph, Operation
from ._kinds import KINDS
from ._kinds import values as asked
from ._tensors import Tensor
from .errors import FailedPreconditionError, _raise

if TYPE_CHECKING:
    from ._session import Session

_running = threading.local()


def current_generator(seed: int | None) -> Any:
    """The generator that the random operation draws from that runs now; None for Phlox's own.

    With a seed of the graph or of the operation, each operation has a generator of its own in each session.
    """
    stack = getattr(_running, "operations", None)
    if not stack:
        return None
    frame, operation = stack[-1]
    graph_seed = operation.graph.root.seed
    if graph_seed is None and seed is None:
        return None
    generators = frame.state.session.generators
    key = (graph_seed, seed, operation.name if seed is None else "")
    if key not in generators:
        text = repr(key)
        number = zlib.crc32(text.encode()) << 32 | zlib.adler32(text.encode())
        generators[key] = outside(lambda: _phlox.Generator().manual_seed(number & (2**63 - 1)))
    return generators[key]


class State:
    """The variables of a session as a run sees them; what is written takes effect at its end.

    A variable by which something is differentiated is a leaf of the gradients each time it has a new value.
    """

    def __init__(self, session: Session, watched: Iterable[str] = ()):
        self.session = session
        self.watched = set(watched)
        self.values: dict[str, Any] = {}
        self.written: dict[str, None] = {}
        self.leaves: dict[str, list[Any]] = {}

    def is_initialized(self, name: str) -> Any:
        """Whether the variable has a value, as a tensor."""
        known = name in self.values or name in self.session.variables
        return outside(lambda: _phlox.tensor(known))

    def read(self, name: str) -> Any:
        """The value now. Raises FailedPreconditionError where there is none."""
        if name not in self.values:
            if name not in self.session.variables:
                _raise(
                    FailedPreconditionError,
                    "undefined_tensor",
                    f'attempting to use the uninitialized variable "{name}"',
                    hint="session.run(tf.global_variables_initializer()), or restore a checkpoint, first",
                )
            self.values[name] = self.session.variables[name]
        value = self.values[name]
        if name in self.watched and not value.requires_grad and can_have_gradient(value):
            value = self.values[name] = value.detach().requires_grad_()
            self.leaves.setdefault(name, []).append(value)
        return value

    def write(self, name: str, value: Any) -> Any:
        """Gives the variable a new value."""
        self.values[name] = value
        self.written[name] = None
        return value


def can_have_gradient(value: Any) -> bool:
    """Whether it is a tensor of floating or complex numbers."""
    return isinstance(value, _phlox.Tensor) and (value.dtype.is_floating_point or value.dtype.is_complex)


class Frame:
    """The values of the tensors of one graph: of the whole, or of one turn of a loop or one branch."""

    def __init__(
        self,
        state: State,
        graph: Graph,
        values: dict[Tensor, Any],
        known: Iterable[Tensor] = (),
        watched: Iterable[Tensor] = (),
    ):
        self.state, self.graph = state, graph
        self.watched = set(watched)
        self.known = set(known)  # while capturing: tensors that do not depend on data
        self.values: dict[Tensor, Any] = {}
        self.done: set[Operation] = set()
        for tensor, value in values.items():
            self.set(tensor, value)

    def set(self, tensor: Tensor, value: Any, known: bool = False) -> None:
        """Gives a tensor its value; one by which something is differentiated becomes a leaf of the gradients."""
        if tensor.op.kind.key == "VariableV2":  # that is fed: bodies see it too
            self.state.values[tensor.op.name] = self.values[tensor] = value
            return
        if tensor in self.watched and can_have_gradient(value) and not value.requires_grad:
            value = value.detach().requires_grad_()
            known = False
            self.known.discard(tensor)
        if known:
            self.known.add(tensor)
        self.values[tensor] = value

    def value(self, tensor: Tensor) -> Any:
        """The value of a tensor whose operation has run."""
        if tensor.op.kind.key == "VariableV2":
            return self.state.read(tensor.op.name)
        return self.values[tensor]

    def run(self, operations: Sequence[Operation]) -> None:
        """Runs the operations that have not run yet, in order."""
        capturing = _phlox._is_capturing()
        stack = _running.__dict__.setdefault("operations", [])
        for operation in operations:
            if operation in self.done:
                continue
            stack.append((self, operation))
            try:
                self._run(operation, capturing)
            except _errors.PhloxError as error:
                _add_place(error, operation)
                raise
            finally:
                stack.pop()
            self.done.add(operation)

    def _run(self, operation: Operation, capturing: bool) -> None:
        kind = operation.kind
        if operation.outputs and all(t in self.values for t in operation.outputs):
            return  # fed, or given by the loop or branch around
        if kind.key == "VariableV2":  # is read where it is used
            self.state.read(operation.name)
            return
        inputs = [self.value(tensor) for tensor in operation.inputs]
        known = kind.key in ("Const", "IsVariableInitialized")
        if operation.gradient is not None:
            from ._gradients import run_with_gradient

            results = run_with_gradient(self, operation, inputs)
        elif capturing and kind.function and self._is_known(operation):
            known = True
            results = outside(lambda: kind.run(self, operation, inputs))
        else:
            if capturing:
                asked.known = tuple(v for v, t in zip(inputs, operation.inputs) if t in self.known)
            try:
                results = kind.run(self, operation, inputs)
            finally:
                asked.known = ()
        for tensor, value in zip(operation.outputs, results):
            if tensor not in self.values:  # one that is fed stays what it is
                self.set(tensor, value, known and capturing)

    def _is_known(self, operation: Operation) -> bool:
        if operation.kind.of_shapes:
            return True
        small = all((t.shape.num_elements() or 0) <= MOST_KNOWN for t in operation.outputs)
        return operation.kind.pure and small and all(t in self.known for t in operation.inputs)

    def known_value(self, tensor: Tensor) -> Any:
        """The value as a number of Python where it does not depend on data, or nothing is captured; else None."""
        value = self.value(tensor)
        if not _phlox._is_capturing() or tensor in self.known:
            return outside(value.item)
        return None


def _add_place(error: Any, operation: Operation) -> None:
    """Says in the text of an error which operation it happened in."""
    if getattr(error, "_has_node", False) or not error.args:
        return
    where = f", written in {operation.place}" if operation.place else ""
    add_line(error, f'  node  "{operation.name}", {operation.type}{where}')
    error._has_node = True


# --- what is needed


def needed(targets: Iterable[Operation], given: Iterable[Tensor] = ()) -> list[Operation]:
    """The operations that must run for these, in the order in which they were written.

    Tensors that are given need nothing.
    """
    given = set(given)
    found: set[Operation] = set()
    waiting = list(targets)
    while waiting:
        operation = waiting.pop()
        if operation in found:
            continue
        found.add(operation)
        waiting.extend(operation.control_inputs)
        waiting.extend(t.op for t in operation.inputs if t not in given)
    return sorted(found, key=lambda o: o.position)


def body_operations(graph: Graph, extra: Sequence[Operation] = ()) -> list[Operation]:
    """The operations of a body: those that its results need, and those that change something."""
    from ._calls import _flat

    results = [t.op for t in _flat(graph.results) if isinstance(t, Tensor)]
    return needed([*results, *extra])


def variables_of(operations: Iterable[Operation], written_only: bool = False) -> set[str]:
    """The names of the variables that the operations read or write, in bodies too."""
    found: set[str] = set()
    for operation in operations:
        if operation.kind.key == "VariableV2" and not written_only:
            found.add(operation.name)
        is_read = operation.kind.key in ("ReadVariableOp", "IsVariableInitialized")
        if "variable" in operation.attributes and not (written_only and is_read):
            found.add(operation.attributes["variable"])
        found.update(operation.attributes.get("variables", ()))
        for graph in operation.subgraphs.values():
            found |= variables_of(body_operations(graph), written_only)
    return found


def watched_of(operations: Sequence[Operation]) -> tuple[set[Tensor], set[str]]:
    """What something is differentiated by: tensors, and variables by name."""
    tensors: set[Tensor] = set()
    variables: set[str] = set()
    for operation in operations:
        for tensor in operation.attributes.get("sources", ()):
            name = variable_name(tensor)
            if name is None:
                tensors.add(tensor)
            else:
                variables.add(name)
        for graph in operation.subgraphs.values():
            inside, names = watched_of(body_operations(graph))
            variables |= names
            tensors |= {
                t for t, seen in graph.captures.items() if seen in inside and t.graph is operation.graph
            }
    return tensors, variables


def variable_name(tensor: Tensor) -> str | None:
    """The variable that a tensor reads, if it does nothing else."""
    if tensor.op.kind is KINDS["VariableV2"]:
        return tensor.op.name
    return tensor.op.attributes["variable"] if tensor.op.kind is KINDS["ReadVariableOp"] else None


def has_gradients(operations: Iterable[Operation]) -> bool:
    """Whether something is differentiated, in bodies too."""
    return any(
        "sources" in o.attributes or any(has_gradients(body_operations(g)) for g in o.subgraphs.values())
        for o in operations
    )
