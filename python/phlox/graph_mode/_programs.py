"""What a run needs as a program: captured once for given shapes, or run operation by operation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

import phlox

from .. import _phlox
from .. import errors as _errors
from .._failure import fail
from ._config import RunMetadata
from ._execution import Frame, State, has_gradients, needed, variables_of, watched_of
from ._graph import Operation
from ._tensors import Graphed, Tensor, _constant_value, string

if TYPE_CHECKING:
    from ._session import Session

px: Any = phlox  # whose operations only its stub names

# --- values from and for the program around


def as_array(value: Any) -> Any:
    """The value as NumPy has it: a copy, and a number where there are no dimensions. Texts are bytes."""
    if isinstance(value, np.ndarray):
        return value.item() if value.ndim == 0 else value
    if not isinstance(value, phlox.Tensor):
        fail(
            "TypeError", "wrong_argument_type", "run(): a TensorArray cannot be fetched", hint="array.stack()"
        )
    value = value.detach()
    if value.dtype.name == "bfloat16":
        value = value.float()
    return np.array(value.numpy())[()]


def fed_value(tensor: Tensor, value: Any) -> Any:
    """The value as a Phlox tensor of the dtype of the tensor it is fed for. Raises ShapeError for another shape."""
    if isinstance(value, Graphed):
        fail(
            "TypeError",
            "wrong_argument_type",
            f'the value fed for "{tensor.name}" is a tensor of a graph',
            hint="its value: session.run(x)",
        )
    if tensor.dtype is string:
        result: Any = _constant_value(value, string)
    elif isinstance(value, phlox.Tensor):
        result = value.detach().to(tensor.dtype)
    else:
        array = np.asarray(value)
        if array.dtype.kind in "OUS":
            fail(
                "TypeError",
                "wrong_argument_type",
                f'the value fed for "{tensor.name}" is not made of numbers',
                hint="lists of which all rows have one length",
            )
        if array.dtype.kind == "f" and not (tensor.dtype.is_floating_point or tensor.dtype.is_complex):
            if not np.all(array == np.trunc(array)):
                fail(
                    "TypeError",
                    "cast_loses",
                    f'"{tensor.name}" is {tensor.dtype.name}, and fractions are fed for it',
                )
        result = px.tensor(array).to(tensor.dtype)
    if not tensor.shape.is_compatible_with(list(result.shape)):
        fail(
            "ShapeError",
            "sizes_differ",
            f'a value of the shape {tuple(result.shape)} is fed for "{tensor.name}", which has the shape {tensor.shape}',
        )
    return result


# --- programs


class Program:
    """What must run for some fetches when some tensors are given, and its captures by the shapes of what is given."""

    def __init__(self, session: Session, targets: Sequence[Any], fed: Sequence[Tensor]):
        self.targets = list(dict.fromkeys(targets))
        self.fed = list(fed)
        operations = [t.op if isinstance(t, Tensor) else t for t in self.targets if t not in self.fed]
        self.operations = needed(operations, fed)
        self.watched = watched_of(self.operations)
        self.differentiates = has_gradients(self.operations)
        self.variables = variables_of(self.operations)
        self.why_eager = ""
        self._divide()
        self.captures: dict[Any, _Capture] = {}
        for operation in self.operations:
            session.check_device(operation)

    def _divide(self) -> None:
        """What is of the host runs before or after what is captured; where it lies between, nothing is captured."""
        host = {o for o in self.operations if _is_of_host(o)}
        self.before: list[Operation] = []
        self.after: list[Operation] = []
        self.middle = self.operations
        if not host:
            return
        before: set[Operation] = set()
        after: set[Operation] = set()
        for operation in self.operations:
            sources = {t.op for t in operation.inputs if t not in self.fed} | set(operation.control_inputs)
            sources &= set(self.operations)
            early = all(o in before or o.kind.key == "Const" for o in sources)
            if operation.kind.key in _SOURCES:
                before |= set(needed([operation], self.fed))
            elif operation in host and early:
                before |= {operation, *(o for o in sources if o.kind.key == "Const")}
            elif operation in host or sources & after:
                after.add(operation)
        for operation in after:
            if operation not in host:
                self.why_eager = (
                    f'"{operation.name}" needs what comes from Python, which needs what comes from the graph'
                )
        if any("sources" in o.attributes for o in after):
            self.why_eager = "gradients of what comes from Python"
        self.before = [o for o in self.operations if o in before]
        self.after = [o for o in self.operations if o in after]
        self.middle = [o for o in self.operations if o not in before and o not in after]

    def run(self, session: Session, fed: dict[Tensor, Any], metadata: RunMetadata | None) -> dict[Any, Any]:
        """Runs it; gives the values of the fetches."""
        eager = _phlox._is_jit_disabled() or self.why_eager or metadata is not None and metadata.wants_times
        if eager:
            return self._run_eagerly(session, fed, metadata)
        state = State(session)
        early = Frame(state, session.graph, fed)
        early.run(self.before)
        given = {t: v for t, v in early.values.items() if isinstance(v, phlox.Tensor)}
        wanted = self._wanted()
        with session.lock:
            middle = self._run_middle(session, given, wanted, metadata)
        if middle is None:
            return self._run_eagerly(session, fed, metadata, early)
        values = {**early.values, **middle}
        late = Frame(State(session), session.graph, values)
        late.run(self.after)
        return {t: late.value(t) if isinstance(t, Tensor) else None for t in self.targets}

    def _wanted(self) -> list[Tensor]:
        """The tensors that are fetched from what is captured, or used after it."""
        inside = set(self.middle)
        tensors = [t for t in self.targets if isinstance(t, Tensor) and t.op in inside and t not in self.fed]
        tensors += [t for o in self.after for t in o.inputs if t.op in inside and t not in self.fed]
        return list(dict.fromkeys(tensors))

    def _run_middle(
        self, session: Session, given: dict[Tensor, Any], wanted: list[Tensor], metadata: RunMetadata | None
    ) -> dict[Tensor, Any] | None:
        if not self.middle:
            return {}
        used = {t for o in self.middle for t in o.inputs}
        arguments = {t: v for t, v in given.items() if t in used}
        missing = {n for n in self.variables if n not in session.variables}
        key = (
            tuple((v.dtype, tuple(v.shape)) for v in arguments.values()),
            tuple(sorted(missing)),
            session.layout,
        )
        if key not in self.captures:
            try:
                self.captures[key] = _Capture(
                    session, self, list(arguments), list(arguments.values()), wanted
                )
            except _errors.GraphError as error:
                if not any(code in error.code for code in ("E1001", "E1002", "E1005")):
                    raise
                self.why_eager = str(error).split("\n")[0]
                return None
        capture = self.captures[key]
        if metadata is not None:
            metadata.captured, metadata.graph = True, capture.captured.graph
        return capture.run(session, list(arguments.values()))

    def _run_eagerly(
        self,
        session: Session,
        fed: dict[Tensor, Any],
        metadata: RunMetadata | None,
        early: Frame | None = None,
    ) -> dict[Any, Any]:
        if metadata is not None:
            metadata.captured = False
            metadata.why_eager = self.why_eager or "it was asked for"
        state = State(session, self.watched[1])
        frame = Frame(state, session.graph, fed, (), self.watched[0])
        if early is not None:
            for tensor, value in early.values.items():
                if tensor not in fed:
                    frame.set(tensor, value)
            frame.done |= early.done
        with px.set_grad_enabled(self.differentiates):
            if metadata is not None and metadata.wants_times:
                metadata.time(frame, self.operations)
            else:
                frame.run(self.operations)
        with session.lock:
            session.keep(state)
        return {t: frame.value(t) if isinstance(t, Tensor) else None for t in self.targets}


# Operations of the host that nothing is differentiated through: what they need runs before what is captured.
_SOURCES = ("IteratorGetNext", "MakeIterator")


def _is_of_host(operation: Operation) -> bool:
    """Whether it runs in Python or handles texts, or a body of it does."""
    if operation.kind.host or any(t.dtype is string for t in (*operation.inputs, *operation.outputs)):
        return True
    return any(_is_of_host(o) for graph in operation.subgraphs.values() for o in graph.get_operations())


class _Capture:
    """The program as one graph of Phlox, for given shapes."""

    def __init__(
        self,
        session: Session,
        program: Program,
        arguments: list[Tensor],
        examples: list[Any],
        wanted: list[Tensor],
    ):
        self.wanted = wanted
        self.new_names: list[str] = []
        self.arrays: list[int] = []

        def run(tensors: list[Any]) -> list[Any]:
            state = State(session, program.watched[1])
            values = dict(zip(arguments, tensors))
            frame = Frame(state, session.graph, values, (), program.watched[0])
            with px.set_grad_enabled(program.differentiates):
                frame.run(program.middle)
            results = [frame.value(t) for t in wanted]
            flat = [r.detach() if isinstance(r, phlox.Tensor) else r.stack().detach() for r in results]
            self.new_names = [name for name in state.written if not session.fits(name, state.values[name])]
            with px.no_grad():
                for name in state.written:
                    if name not in self.new_names:
                        session.variables[name].copy_(state.values[name].detach())
            return [*flat, *(state.values[name].detach() for name in self.new_names)]

        self.captured = _phlox._trace(run, examples).optimize(None)

    def run(self, session: Session, arguments: list[Any]) -> dict[Tensor, Any]:
        """The values of what is wanted; variables have their new values."""
        results = self.captured.run(arguments)
        count = len(self.wanted)
        for name, value in zip(self.new_names, results[count:]):
            session.set_variable(name, value)
        return dict(zip(self.wanted, results[:count]))
