"""px.jit: a function runs as a graph, captured when it is first called and again when what it depends on changes."""

from __future__ import annotations

import copy
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import MethodType
from typing import TYPE_CHECKING, Any, overload

from . import _phlox
from ._contents import contents
from ._failure import fail
from ._followed import now
from ._modes import is_grad_enabled
from ._phlox import Graph, Module, SymbolicGraph, Tensor, get_default_dtype
from ._structures import (
    PLAIN,
    bits,
    first_positions,
    flatten,
    frozen,
    is_container,
    kinds_of,
    parts_of,
    text_of,
)
from ._trace import MISSED, capture_function
from .errors import AssertionError, GraphError, OutOfMemoryError, PhloxError

if TYPE_CHECKING:
    from .capture import Place

OTHER_ARGUMENTS = "arguments of other shapes, dtypes or values"
MOST_CAPTURES = 8  # for equal arguments, because of host state that changes
MOST_VALUES = 32  # of arguments that are no tensors, where all else is the same


@contextmanager
def disable_jit() -> Iterator[None]:
    """Captured functions run eagerly, line by line, in this scope. The environment variable PHLOX_JIT=0 does it for all."""
    before = _phlox._disable_jit(True)
    try:
        yield
    finally:
        _phlox._disable_jit(before)


# --- guards: what the program around looked like


class _Guard:
    """A value that the function read while it was captured."""

    __slots__ = ("exact", "frozen", "kind", "name", "owner", "place", "value")

    def __init__(self, kind: str, owner: Any, name: Any, value: Any, place: Place):
        self.kind, self.owner, self.name, self.place = kind, owner, name, place
        self.frozen = kind not in _TEXT_KINDS and is_container(value)
        self.exact = kind in _TEXT_KINDS or not (self.frozen or isinstance(value, PLAIN))
        self.value: Any = frozen(value) if self.frozen else value

    def current(self) -> Any:
        if self.kind == "attribute":
            return getattr(self.owner, self.name, _MISSING)
        if self.kind == "class":
            return type(self.owner)
        if self.kind == "contents":
            return contents(self.owner)
        if self.kind == "tensor":
            return self.owner.dtype, self.owner.shape, self.owner.device
        if self.kind == "call":
            try:
                return self.owner(*self.name[0], **self.name[1])
            except Exception:  # the captured function meets it
                return _MISSING
        if self.kind == "method":
            method = getattr(self.owner, self.name, _MISSING)
            return getattr(method, "__func__", method)
        if self.kind == "function":
            now = text_of(self.owner)
            return self.value if all(a is b for a, b in zip(now, self.value)) else now
        if self.kind == "free":
            try:
                return self.owner.cell_contents if self.owner is not None else self.value
            except ValueError:
                return _MISSING
        try:
            return self.owner[self.name]
        except (KeyError, IndexError):
            return _MISSING

    def holds(self) -> bool:
        now = self.current()
        if now is self.value:
            return True
        if self.kind in ("contents", "tensor"):
            return bool(now == self.value)
        if self.exact:
            return False
        if self.frozen:
            return bool(frozen(now) == self.value)
        return type(now) is type(self.value) and bool(bits(now) == bits(self.value))

    def what(self) -> str:
        if self.kind in ("attribute", "method"):
            owner = self.owner.__name__ if isinstance(self.owner, type) else f"a {type(self.owner).__name__}"
            return f"`.{self.name}` of {owner}"
        if self.kind == "class":
            return f"the class of a {self.value.__name__}"
        if self.kind == "tensor":
            return "the dtype, shape or device of a tensor"
        if self.kind == "contents":
            return f"what a {type(self.owner).__name__} holds"
        if self.kind == "call":
            return f"what {getattr(self.owner, '__name__', type(self.owner).__name__)}() gives"
        if self.kind == "function":
            return f"the code of {self.name}()"
        return f"`{self.name}`"


_MISSING = object()
_TEXT_KINDS = ("method", "function", "class", "contents", "tensor")


def _note_modules(function: Callable[..., Any], reads: list[tuple[Any, ...]]) -> list[Tensor]:
    """Modules report to the capture when they run; these may have been asked in another way. Gives their tensors."""
    found = [function, getattr(function, "__self__", None), *(entry[3] for entry in reads)]
    for cell in getattr(function, "__closure__", None) or ():
        with suppress(ValueError):  # of a cell without a value
            found.append(cell.cell_contents)
    parts = {id(part): part for value in found if isinstance(value, Module) for part in value.modules()}
    tensors: list[Tensor] = []
    for part in parts.values():
        part._note_use()
        tensors += [*part.parameters(recurse=False), *part.buffers(recurse=False)]
    return tensors


# --- one capture


def capture_converted(function: Callable[..., Any], structure: Any, tensors: list[Tensor]) -> Any:
    """The function captured with control flow on tensors, the structure of its result, and what the capture saw."""
    # Only here, so that importing phlox does not cost them.
    from ._graph_backend import GraphBackend
    from ._results import Results
    from .capture import capturing
    from .capture._conversion import converted_callable

    backend, around = GraphBackend(), list[Tensor]()

    def watched(*args: Any, **kwargs: Any) -> Any:
        with capturing(backend) as session:
            session.meet((args, kwargs))
            result = converted_callable(function)(*args, **kwargs)
            session.check_escaped()
            known = [*parts_of((args, kwargs)), *(read[3] for read in backend.reads)]
            backend.check_unchanged()
            finished = Results(session, known).finished(result)
            tensors: list[Tensor] = []
            flatten(finished, tensors)
            _phlox._follow_back(tensors)
        around.extend(_note_modules(function, backend.reads))
        around.extend(entry[1] for entry in backend.reads if entry[0] == "tensor")
        return finished

    return *capture_function(watched, structure, tensors, lambda: around), backend


class _Capture:
    def __init__(
        self,
        function: Callable[..., Any],
        args: Any,
        kwargs: Any,
        structure: Any,
        tensors: list[Tensor],
        workspace: Any,
    ):
        captured, result, backend = capture_converted(function, structure, tensors)
        self.program = captured.graph  # before passes, which may look at sizes
        self.number, self.why = 0, ""  # of its graph, and why it was made
        self.captured = captured.optimize(None)
        self.captured.use_workspace(workspace)
        self.guards: list[_Guard] = []
        from .capture import DELETED

        known: dict[tuple[str, int, Any], _Guard] = {}
        for kind, owner, name, value, place in backend.reads:
            place_of = frozen(name) if kind == "call" else id(name)
            key = (kind, id(owner), name if isinstance(name, (str, int)) else place_of)
            if key not in known:
                known[key] = _Guard(kind, owner, name, _MISSING if value is DELETED else value, place)
                self.guards.append(known[key])
        self.call = _phlox._CapturedCall(args, kwargs, self.captured, result)
        self.call.guard(self.guards)
        self.raised = backend.raised

    def broken_guard(self) -> _Guard | None:
        return next((guard for guard in self.guards if not guard.holds()), None)

    def fits(self, tensors: list[Tensor]) -> bool:
        if self.broken_guard() is not None or self.captured.what_changed() is not None:
            return False
        return self.captured.misfit(tensors) is None


# --- methods


class _BoundMethods(dict):
    """What an object keeps of its captured methods. A copy of the object begins without any, as they run on the object."""

    def __init__(self, instance: Any):
        super().__init__()
        self.is_of = id(instance)

    def __copy__(self) -> _BoundMethods:
        return _BoundMethods(None)

    def __deepcopy__(self, memo: dict[int, Any]) -> _BoundMethods:
        return _BoundMethods(None)

    def __reduce__(self) -> Any:
        return _BoundMethods, (None,)


def bound_to(method: Any, name: str, instance: Any, make: Callable[[], Any]) -> Any:
    """The method of this object, made once; it lives as long as the object, in its `__dict__`."""
    attributes = getattr(instance, "__dict__", None)
    if attributes is None:  # of a class with __slots__: the object is an argument among others
        return MethodType(method, instance)
    bound = attributes.get(name)
    if bound is None or bound.is_of != id(instance):
        bound = attributes[name] = _BoundMethods(instance)
    if method not in bound:
        bound[method] = make()
    return bound[method]


# --- the function


class Jitted:
    """A function that runs as a graph. Made by `px.jit`."""

    def __init__(self, function: Callable[..., Any]):
        self._function = self.__wrapped__ = function
        self.__name__ = getattr(function, "__name__", type(function).__name__)
        self.__doc__ = getattr(function, "__doc__", None)
        self._captures: dict[Any, list[_Capture]] = {}
        self._graphs: dict[Any, list[SymbolicGraph]] = {}  # one for all sizes, by kinds of arguments
        self._calls: list[Any] = []  # those of all captures: the quick way to find the one that fits
        self._numbers: dict[int, int] = {}  # of graphs
        self._raised: dict[str, BaseException] = {}  # what the program raises, by the texts of checks
        self._values: Counter[Any] = Counter()  # how many captures differ in nothing but values of arguments
        self._workspace = _phlox._Workspace()  # memory for what lives in between, shared by all captures
        self._lock = threading.RLock()
        self._most: int | None = None

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self
        return bound_to(
            self, "_jitted_methods", instance, lambda: Jitted(self._function.__get__(instance, owner))
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            for captured in self._calls:
                result = captured.call(args, kwargs)
                if result is not MISSED:
                    return result
            return self._call_otherwise(args, kwargs)
        except OutOfMemoryError as error:
            self._name_largest_batch(error, args, kwargs)
            raise
        except AssertionError as error:
            said = str(error).removeprefix("[E1006] ")
            for text, exception in self._raised.items():
                if said == text or said.startswith(text + "\n"):
                    raise copy.copy(exception) from error
            raise

    def _name_largest_batch(self, error: OutOfMemoryError, args: Any, kwargs: Any) -> None:
        """Adds to the text of the error how large a batch would fit."""
        from .memory import largest_batch

        tensors: list[Tensor] = []
        flatten((args, kwargs), tensors)
        if _phlox._is_capturing() or _phlox._is_batching() or not tensors or tensors[0].ndim == 0:
            return
        batch, given = None, tensors[0].shape[0]
        with suppress(PhloxError):
            batch = largest_batch(self, *args, **kwargs)
        if batch is None or batch >= given:
            return
        text = str(error)
        place = text.find("\n  try ") if "\n  try " in text else len(text)
        label = "fits".ljust(
            max(6, len(text[place + 3 :]) - len(text[place + 6 :].lstrip()))
        )  # as wide as others
        error.args = (f"{text[:place]}\n  {label}a batch of {batch} in place of {given}{text[place:]}",)

    def _call_otherwise(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if _phlox._is_jit_disabled() or _phlox._is_batching() or _phlox._is_capturing():
            return now(self._function)(*args, **kwargs)  # part of what is captured around it
        tensors: list[Tensor] = []
        structure = flatten((args, kwargs), tensors)
        key = (
            frozen(structure),
            tuple((t.dtype, t.shape, t.requires_grad) for t in tensors),
            (
                tuple(map(type, tensors)),
                tuple(first_positions(tensors)),
                is_grad_enabled(),
                get_default_dtype(),
            ),
        )
        for capture in self._captures.get(key, ()):
            if capture.fits(tensors):
                return capture.call.run(tensors)
        made = self._capture(key, args, kwargs, structure, tensors)
        # What the first call makes, such as the state of an optimiser, is there in the second.
        return made.call.run(tensors) if made else self._function(*args, **kwargs)

    def _capture(
        self, key: Any, args: Any, kwargs: Any, structure: Any, tensors: list[Tensor]
    ) -> _Capture | None:
        with self._lock:
            captures = self._captures.setdefault(key, [])
            for capture in captures:
                if capture.fits(tensors):
                    return capture
            why = self._reason(captures, tensors)
            if len(captures) >= MOST_CAPTURES:
                fail(
                    "GraphError",
                    "not_capturable",
                    f"{self.__name__}: {why}, {MOST_CAPTURES} times by now",
                    hint="pass what changes as an argument that is a tensor, or keep it in a tensor that you write in place",
                )
            kinds = kinds_of(structure), key[1:]
            if self._values[kinds] >= MOST_VALUES:
                fail(
                    "GraphError",
                    "not_capturable",
                    f"{self.__name__}: its arguments that are no tensors had {MOST_VALUES} different values by now, each of which "
                    "is a graph of its own",
                    hint="pass numbers that change as tensors, px.tensor(0.1), and the same objects again",
                )
            try:
                capture = _Capture(self._function, args, kwargs, structure, tensors, self._workspace)
            except GraphError as error:
                if error.code == "E1005":
                    return None
                raise
            capture.number, capture.why = self._place(key, capture, why)
            captures.append(capture)
            self._raised.update(capture.raised)
            self._values[kinds] += 1
            self._calls.append(capture.call)
            return capture

    def _place(self, key: Any, capture: _Capture, why: str) -> tuple[int, str]:
        """The number of the graph that the capture is at other sizes, and why it was made."""
        structure, types, modes = key
        kinds = (structure, tuple((dtype, len(shape), wants) for dtype, shape, wants in types), modes)
        graphs = self._graphs.setdefault(kinds, [])
        refusals = []
        for graph in graphs:
            if graph.admit(capture.program):
                return self._numbers[id(graph)], why
            refusals.append(graph.refusal)
        if refusals and why == OTHER_ARGUMENTS:
            why = f"{why}: {refusals[-1]}"
        if self._most is not None and self.compile_count >= self._most:
            fail(
                "GraphError",
                "not_capturable",
                f"{self.__name__}: compiled more than {self._most} times",
                hint="explain() tells why; pass what changes as a tensor",
                because=why,
            )
        graph = SymbolicGraph(capture.program)
        graphs.append(graph)
        self._numbers[id(graph)] = len(self._numbers) + 1
        return self._numbers[id(graph)], why

    def _reason(self, captures: list[_Capture], tensors: list[Tensor]) -> str:
        if captures:
            last = captures[-1]
            if (broken := last.broken_guard()) is not None:
                return f"{broken.what()}, read in line {broken.place.line}, changed"
            changed = last.captured.what_changed() or last.captured.misfit(tensors)
            return changed or "another capture was in the way"
        if not self._captures or all(not c for c in self._captures.values()):
            return "the first call"
        return OTHER_ARGUMENTS

    # --- looking at it

    @property
    def capture_count(self) -> int:
        """How often the function was captured."""
        return sum(map(len, self._captures.values()))

    @property
    def compile_count(self) -> int:
        """How many graphs there are, if captures that differ in sizes only are one."""
        return sum(map(len, self._graphs.values()))

    @property
    def symbolic_graphs(self) -> list[SymbolicGraph]:
        """These graphs, with names in the place of sizes that differed: `print(step.symbolic_graphs[0])`."""
        return [graph for graphs in self._graphs.values() for graph in graphs]

    @property
    def graph(self) -> Graph:
        """The graph of the last capture. Raises StateError before the first call."""
        for captures in reversed(list(self._captures.values())):
            if captures:
                return captures[-1].captured.graph
        fail(
            "StateError",
            "invalid_value",
            f"{self.__name__}: not called yet, so there is no graph",
            hint="call it once",
        )

    def explain(self) -> str:
        """One line a graph, with the sizes that it was seen at, and one a capture: why it was made, how often it ran."""
        graphs, captures = self.compile_count, self.capture_count
        lines = [
            f"{self.__name__}: captured {captures} times, {graphs} {'graph' if graphs == 1 else 'graphs'}"
        ]
        for graph in self.symbolic_graphs:
            number = self._numbers[id(graph)]
            sizes = f" for all sizes {', '.join(graph.sizes)}" if graph.sizes else ""
            lines.append(f"  graph {number}{sizes}")
            for key, capture in self._entries():
                if capture.number != number:
                    continue
                shapes = ", ".join(f"{str(d).removeprefix('phlox.')}{list(s)}" for d, s, _ in key[1])
                lines.append(
                    f"    {capture.why}: ({shapes}), {len(capture.captured.graph.operations)} operations, "
                    f"{len(capture.guards)} guards, ran {capture.call.calls} times"
                )
        return "\n".join(lines)

    def _entries(self) -> list[tuple[Any, _Capture]]:
        return [(key, c) for key, captures in self._captures.items() for c in captures]

    def assert_compiled(self, max_compiles: int = 1) -> None:
        """From now on a graph beyond this number raises GraphError; raises it at once if there were more already.

        Captures that differ in sizes only are one graph.
        """
        self._most = max_compiles
        if self.compile_count > max_compiles:
            fail(
                "GraphError",
                "not_capturable",
                f"{self.__name__}: compiled {self.compile_count} times, more than {max_compiles}",
                hint="explain() tells why; pass what changes as a tensor",
            )

    def __repr__(self) -> str:
        return f"<jitted {self.__name__}, captured {self.capture_count} times>"


@overload
def jit(function: Callable[..., Any]) -> Jitted: ...
@overload
def jit() -> Callable[[Callable[..., Any]], Jitted]: ...
def jit(function: Callable[..., Any] | None = None) -> Any:
    """The function as a graph: the same results, whole training steps included.

        @px.jit
        def step(x, y):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

    It is captured when it is first called with arguments of new shapes, dtypes or values, and again when something around
    it that it read has changed: globals, attributes, closures, `train()` and `eval()`. Nothing is silently kept as it
    was. `if`, `while` and `for` on tensors become part of the graph (docs/control-flow.md). `function` may be a module,
    which is captured in its forward().

    Captures that differ in sizes only are one graph. Raises GraphError for what cannot be captured, with the line and a
    cure. `step.explain()` tells each capture, `step.assert_compiled(max_compiles=2)` holds the number of graphs,
    `px.disable_jit()` runs everything eagerly.
    """
    if function is None:  # @px.jit()
        return jit
    if not callable(function):
        fail(
            "TypeError",
            "wrong_argument_type",
            f"px.jit: a function or a module, not {type(function).__name__}",
        )
    return Jitted(function)
