"""Sessions: they keep the values of variables, and run what a fetch needs as one captured program."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import phlox

from .._failure import fail
from ._config import ConfigProto, RunMetadata, RunOptions
from ._execution import Frame, State, has_gradients, needed, watched_of
from ._graph import Graph, Operation, get_default_graph, phlox_device
from ._programs import Program, as_array, fed_value
from ._tensors import IndexedSlices, SparseTensor, Tensor

px: Any = phlox  # whose operations only its stub names

_sessions = threading.local()


class SparseTensorValue(NamedTuple):
    """A sparse tensor with values: what is fed for one, and what fetching one gives."""

    indices: Any
    values: Any
    dense_shape: Any


class IndexedSlicesValue(NamedTuple):
    """Rows of a larger tensor, with values."""

    values: Any
    indices: Any
    dense_shape: Any


def _stack() -> list[Session]:
    return _sessions.__dict__.setdefault("stack", [])


def get_default_session() -> Session | None:
    """The session of the surrounding `with`, or None."""
    return _stack()[-1] if _stack() else None


def session_for(session: Session | None, what: str) -> Session:
    """The session given, or the default one. Raises StateError where there is none."""
    found = session or get_default_session()
    if found is None:
        fail(
            "StateError",
            "invalid_value",
            f"there is no default session to {what}",
            "with tf.Session() as session:",
        )
    return found


# --- fetches


def _fetch_leaves(fetches: Any, graph: Graph, found: list[Any]) -> Callable[[dict[Any, Any]], Any]:
    """Appends the tensors and operations of a structure; gives the function that fills it with values."""
    if isinstance(fetches, dict):
        parts = {key: _fetch_leaves(value, graph, found) for key, value in fetches.items()}
        return lambda values: type(fetches)((key, part(values)) for key, part in parts.items())
    if isinstance(fetches, SparseTensor):
        triple = [
            _fetch_leaves(t, graph, found) for t in (fetches.indices, fetches.values, fetches.dense_shape)
        ]
        return lambda values: SparseTensorValue(*(part(values) for part in triple))
    if isinstance(fetches, IndexedSlices):
        rows = [_fetch_leaves(t, graph, found) for t in (fetches.values, fetches.indices)]
        return lambda values: IndexedSlicesValue(rows[0](values), rows[1](values), None)
    if isinstance(fetches, (list, tuple)):
        items = [_fetch_leaves(value, graph, found) for value in fetches]
        if hasattr(fetches, "_fields"):
            return lambda values: type(fetches)(*(item(values) for item in items))
        return lambda values: type(fetches)(item(values) for item in items)
    if fetches is None:
        fail(
            "TypeError",
            "wrong_argument_type",
            "run(): None cannot be fetched",
            "the name of a tensor, or the tensor",
        )
    element = graph.as_graph_element(fetches)
    found.append(element)
    return lambda values: values[element]


# --- the session


class Session:
    """Runs operations of a graph, and keeps the values of its variables.

    `run` computes what a fetch needs and nothing else, as one captured program for each set of fetches, fed tensors and
    shapes; with `px.disable_jit()`, or where that is impossible, operation by operation (`RunMetadata.why_eager` tells).

    Example:
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            loss_value, _ = session.run([loss, train_op], feed_dict={x: images, y: labels})
    """

    def __init__(self, target: str = "", graph: Graph | None = None, config: ConfigProto | None = None):
        if target:
            fail(
                "NotSupportedError", "not_supported", f'a session on another machine, "{target}"', 'target=""'
            )
        self.graph = (get_default_graph() if graph is None else graph).root
        self.config = config or ConfigProto()
        self.config.apply()
        self.variables: dict[str, Any] = {}
        self.layout = 0  # grows when a variable gets another shape
        self.generators: dict[Any, Any] = {}
        self.resources: dict[str, Any] = {}
        self.lock = threading.RLock()
        self._programs: dict[Any, Program] = {}
        self._closed = False
        self._scopes: list[Any] = []
        self._partial: dict[str, _PartialRun] = {}

    # --- what it keeps

    def set_variable(self, name: str, value: Any) -> None:
        """Gives a variable a value, from outside of a run."""
        if self.fits(name, value):
            with px.no_grad():
                self.variables[name].copy_(value.detach())
            return
        self.variables[name] = value.detach().clone()
        self.layout += 1

    def fits(self, name: str, value: Any) -> bool:
        """Whether a variable has a value that one like this can be written over."""
        old = self.variables.get(name)
        return old is not None and old.shape == value.shape and old.dtype is value.dtype

    def keep(self, state: State) -> None:
        """Takes the new values of variables over from a run."""
        values = [(name, state.values[name].detach().clone()) for name in state.written]
        for name, value in values:
            self.set_variable(name, value)
        state.written.clear()

    def check_device(self, operation: Operation) -> None:
        """Raises DeviceError where the device of an operation is not there, unless the session may take another."""
        name = phlox_device(operation.device)
        if name != "cpu" and not self.config.allow_soft_placement and not px.cuda.is_available():
            fail(
                "DeviceError",
                "unknown_device",
                f'the operation "{operation.name}" belongs to "{operation.device}", which is not there',
                hint="tf.ConfigProto(allow_soft_placement=True)",
            )

    @property
    def graph_def(self) -> Any:
        """The graph as data."""
        return self.graph.as_graph_def()

    # --- running

    def run(
        self,
        fetches: Any,
        feed_dict: Any = None,
        options: RunOptions | None = None,
        run_metadata: RunMetadata | None = None,
    ) -> Any:
        """The values of tensors, and None for operations, in the structure of `fetches`: NumPy arrays and numbers.

        `feed_dict` gives values to placeholders, or to any other tensor, in whose stead they are used. Names may stand for
        tensors. Raises FailedPreconditionError for variables without a value, ShapeError for values of a wrong shape,
        GraphError for tensors of another graph.
        """
        self._check_open("run")
        leaves: list[Any] = []
        fill = _fetch_leaves(fetches, self.graph, leaves)
        fed = self._fed(feed_dict)
        values = self._run(leaves, fed, options, run_metadata)
        arrays = {t: as_array(v) if isinstance(t, Tensor) else None for t, v in values.items()}
        return fill(arrays)

    def _run(
        self,
        leaves: list[Any],
        fed: dict[Tensor, Any],
        options: RunOptions | None = None,
        run_metadata: RunMetadata | None = None,
    ) -> dict[Any, Any]:
        key = (tuple(leaves), tuple(fed))
        if key not in self._programs:
            self._programs[key] = Program(self, leaves, list(fed))
        metadata = run_metadata
        if metadata is not None:
            metadata.begin(options)
        start = time.perf_counter()
        values = self._programs[key].run(self, fed, metadata)
        if metadata is not None:
            metadata.seconds = time.perf_counter() - start
        return values

    def _fed(self, feed_dict: Any) -> dict[Tensor, Any]:
        fed: dict[Tensor, Any] = {}
        for key, value in (feed_dict or {}).items():
            for tensor, part in self._feeds(key, value):
                fed[tensor] = fed_value(tensor, part)
        return fed

    def _feeds(self, key: Any, value: Any) -> list[tuple[Tensor, Any]]:
        if isinstance(key, SparseTensor):
            parts = tuple(value)
            if len(parts) != 3:
                fail("ValueError", "invalid_value", "a sparse tensor is fed (indices, values, dense_shape)")
            return list(zip((key.indices, key.values, key.dense_shape), parts))
        if isinstance(key, (tuple, list)):
            return [pair for k, v in zip(key, value) for pair in self._feeds(k, v)]
        element = self.graph.as_graph_element(key, allow_operation=False)
        return [(element, value)]

    def make_callable(
        self, fetches: Any, feed_list: Sequence[Any] | None = None, accept_options: bool = False
    ) -> Any:
        """A function of the values of `feed_list` that runs the fetches: the same as `run`, with less to do in each call."""
        self._check_open("make a callable")
        leaves: list[Any] = []
        fill = _fetch_leaves(fetches, self.graph, leaves)
        tensors = [self.graph.as_graph_element(t, allow_operation=False) for t in feed_list or ()]
        program = Program(self, leaves, tensors)

        def function(*values: Any) -> Any:
            self._check_open("run")
            if len(values) != len(tensors):
                fail(
                    "TypeError",
                    "missing_argument",
                    f"the callable takes {len(tensors)} values, {len(values)} were given",
                )
            fed = {t: fed_value(t, v) for t, v in zip(tensors, values)}
            found = program.run(self, fed, None)
            return fill({t: as_array(v) if isinstance(t, Tensor) else None for t, v in found.items()})

        return function

    def partial_run_setup(self, fetches: Any, feeds: Sequence[Any] | None = None) -> str:
        """Begins a run that `partial_run` continues: all that will be fetched, and all that will be fed."""
        self._check_open("run")
        leaves: list[Any] = []
        _fetch_leaves(fetches, self.graph, leaves)
        tensors = [self.graph.as_graph_element(t, allow_operation=False) for t in feeds or ()]
        handle = f"partial_run_{len(self._partial)}"
        self._partial[handle] = _PartialRun(self, leaves, tensors)
        return handle

    def partial_run(self, handle: str, fetches: Any, feed_dict: Any = None) -> Any:
        """The values of some fetches of a run in parts; what ran in earlier parts does not run again."""
        if handle not in self._partial:
            fail("ValueError", "unknown_name", f'there is no partial run "{handle}"', "partial_run_setup()")
        leaves: list[Any] = []
        fill = _fetch_leaves(fetches, self.graph, leaves)
        values = self._partial[handle].run(leaves, self._fed(feed_dict))
        return fill({t: as_array(v) if isinstance(t, Tensor) else None for t, v in values.items()})

    def explain(self) -> str:
        """One line for each program that has run: what it fetches, how often it was captured, or why it was not."""
        lines = []
        for program in self._programs.values():
            names = ", ".join(t.name for t in program.targets)
            state = program.why_eager or f"captured {len(program.captures)} times"
            lines.append(f"[{names}]: {len(program.operations)} operations, {state}")
        return "\n".join(lines)

    # --- scopes

    def _check_open(self, what: str) -> None:
        if self._closed:
            fail("StateError", "invalid_value", f"the session is closed: cannot {what}", "a new tf.Session()")

    def as_default(self) -> Any:
        """A scope in which `eval()` and `run()` of tensors and operations use this session. It stays open at the end."""
        return _DefaultSession(self)

    def __enter__(self) -> Session:
        scope = _DefaultSession(self)
        scope.__enter__()
        self._scopes.append(scope)
        return self

    def __exit__(self, *error: Any) -> None:
        self._scopes.pop().__exit__(*error)
        self.close()

    def close(self) -> None:
        """Lets go of variables and captured programs."""
        self._closed = True
        for resource in self.resources.values():
            if hasattr(resource, "close_session"):
                resource.close_session(True)
        self.variables.clear()
        self._programs.clear()
        self.resources.clear()


class _DefaultSession:
    """Makes a session and its graph the default ones."""

    def __init__(self, session: Session):
        self.session = session

    def __enter__(self) -> Session:
        self.graph = self.session.graph.as_default()
        self.graph.__enter__()
        _stack().append(self.session)
        return self.session

    def __exit__(self, *error: Any) -> None:
        stack = _stack()
        del stack[len(stack) - 1 - stack[::-1].index(self.session)]
        self.graph.__exit__(*error)


class InteractiveSession(Session):
    """A session that is the default one from its beginning until it is closed: for notebooks."""

    def __init__(self, target: str = "", graph: Graph | None = None, config: ConfigProto | None = None):
        super().__init__(target, graph, config)
        self._default = _DefaultSession(self)
        self._default.__enter__()

    def __exit__(self, *error: Any) -> None:
        self._scopes.pop().__exit__(*error)
        self.close()

    def close(self) -> None:
        """Ends being the default session, and lets go of variables and captured programs."""
        if not self._closed:
            self._default.__exit__(None, None, None)
        super().close()


class _PartialRun:
    """A run in parts: operation by operation, each once."""

    def __init__(self, session: Session, fetches: list[Any], feeds: list[Tensor]):
        self.session, self.fetches, self.feeds = session, fetches, feeds
        operations = needed([t.op if isinstance(t, Tensor) else t for t in fetches], feeds)
        tensors, variables = watched_of(operations)
        self.differentiates = has_gradients(operations)
        self.frame = Frame(State(session, variables), session.graph, {}, (), tensors)
        self.allowed = set(operations)

    def run(self, fetches: list[Any], fed: dict[Tensor, Any]) -> dict[Any, Any]:
        """One part."""
        for tensor in fed:
            if tensor not in self.feeds or tensor in self.frame.values:
                fail(
                    "ValueError",
                    "invalid_value",
                    f'"{tensor.name}" was fed already, or not named in partial_run_setup()',
                )
        for fetch in fetches:
            if fetch not in self.fetches:
                fail("ValueError", "invalid_value", f'"{fetch.name}" was not named in partial_run_setup()')
        for tensor, value in fed.items():
            self.frame.set(tensor, value)
        operations = needed([t.op if isinstance(t, Tensor) else t for t in fetches], self.frame.values)
        missing = [
            o for o in operations if any(t in self.feeds and t not in self.frame.values for t in o.inputs)
        ]
        if missing:
            names = sorted(
                {t.name for o in missing for t in o.inputs if t in self.feeds and t not in self.frame.values}
            )
            fail(
                "ValueError",
                "missing_argument",
                f"this part of the run needs {', '.join(names)}, not fed so far",
            )
        state = self.frame.state
        with px.set_grad_enabled(self.differentiates):
            self.frame.run(operations)
        self.session.keep(state)
        return {t: self.frame.value(t) if isinstance(t, Tensor) else None for t in fetches}
