"""Graphs of operations that wait to be run, and the scopes in which they are written."""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .._failure import fail

if TYPE_CHECKING:
    from ._kinds import Kind
    from ._tensors import Tensor

_HERE = os.path.dirname(__file__)
_NAME = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*")


class GraphKeys:
    """Names of the usual collections."""

    GLOBAL_VARIABLES = "variables"
    LOCAL_VARIABLES = "local_variables"
    TRAINABLE_VARIABLES = "trainable_variables"
    MODEL_VARIABLES = "model_variables"
    MOVING_AVERAGE_VARIABLES = "moving_average_variables"
    REGULARIZATION_LOSSES = "regularization_losses"
    LOSSES = "losses"
    UPDATE_OPS = "update_ops"
    SUMMARIES = "summaries"
    QUEUE_RUNNERS = "queue_runners"
    TABLE_INITIALIZERS = "table_initializer"
    GLOBAL_STEP = "global_step"
    TRAIN_OP = "train_op"
    INIT_OP = "init_op"
    READY_OP = "ready_op"
    SAVERS = "savers"
    SUMMARY_OP = "summary_op"
    WEIGHTS = "weights"
    BIASES = "biases"
    ACTIVATIONS = "activations"


def _place() -> str:
    """The line of the program that writes an operation now, such as train.py:41."""
    frame: Any = sys._getframe(2)
    while frame is not None and (
        frame.f_code.co_filename.startswith(_HERE) or "contextlib" in frame.f_code.co_filename
    ):
        frame = frame.f_back
    return f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}" if frame else ""


class Operation:
    """One step of a graph: what it computes, on which tensors, and after which other operations.

    `arguments` is what its function is called with, with `Input(i)` in place of the tensor `inputs[i]`.
    """

    def __init__(
        self,
        graph: Graph,
        name: str,
        kind: Kind,
        inputs: Sequence[Tensor],
        arguments: Any = ((), {}),
        attributes: dict[str, Any] | None = None,
    ):
        self.graph, self.name, self.kind = graph, name, kind
        self.inputs: tuple[Tensor, ...] = tuple(inputs)
        self.arguments = arguments
        self.attributes = attributes or {}
        self.control_inputs: tuple[Operation, ...] = ()
        self.outputs: list[Tensor] = []
        self.device = ""
        self.gradient: str | None = None  # the name of a registered gradient that replaces its own
        self.position = 0
        self.place = _place()  # where the program wrote it

    @property
    def type(self) -> str:
        """What it computes, as TensorFlow names it: MatMul, Relu, Placeholder, ..."""
        return self.attributes.get("type", self.kind.type)

    @property
    def subgraphs(self) -> dict[str, Graph]:
        """The bodies of loops and branches."""
        return {name: value for name, value in self.attributes.items() if isinstance(value, Graph)}

    def get_attr(self, name: str) -> Any:
        """An attribute. Raises ValueError for an unknown name."""
        if name not in self.attributes:
            fail("ValueError", "unknown_name", f'"{self.name}" has no attribute "{name}"')
        return self.attributes[name]

    def run(self, feed_dict: Any = None, session: Any = None) -> None:
        """Runs the operation in a session, by default the one of the surrounding `with`."""
        from ._session import session_for

        session_for(session, f'run "{self.name}"').run(self, feed_dict)

    def _add_control_inputs(self, operations: Iterable[Operation]) -> None:
        self.graph.check_not_finalized(f'give "{self.name}" another control input')
        self.control_inputs += tuple(o for o in operations if o not in self.control_inputs)

    def __repr__(self) -> str:
        return f"<tf.Operation '{self.name}' type={self.type}>"


class Graph:
    """Operations that wait to be run by a `Session`.

    Operations that are written go into the default graph, which `with graph.as_default():` sets.

    Example:
        graph = tf.Graph()
        with graph.as_default():
            x = tf.placeholder(tf.float32, [None, 3], name="x")
            y = tf.reduce_sum(x * 2, axis=1, name="y")
        with tf.Session(graph=graph) as session:
            session.run("y:0", {"x:0": [[1, 2, 3]]})
    """

    def __init__(self, outer: Graph | None = None):
        self.outer = outer  # the graph that this one is a body in
        self.captures: dict[Tensor, Tensor] = {}  # of the outer graph: what stands for it here
        self.results: Any = None  # what the body gives, a structure of tensors
        self.parameters: list[Tensor] = []
        self.waits_for: list[Operation] = []  # of graphs around, for control dependencies
        self.seed: int | None = None
        self.finalized = False
        self.functions: dict[str, Callable[..., Any]] = {}  # those of py_func, which files cannot hold
        self._operations: dict[str, Operation] = {}
        self._used_names: dict[str, int] = {}
        self._collections: dict[Any, list[Any]] = {}
        self._scope = ""
        self._control: list[tuple[Operation, ...] | None] = []
        self._devices: list[Any] = []
        self._overrides: dict[str, str] = {}
        self._lock = threading.RLock()

    # --- operations

    @property
    def root(self) -> Graph:
        """The graph around all bodies of loops and branches."""
        return self if self.outer is None else self.outer.root

    @property
    def version(self) -> int:
        """Grows with each operation."""
        return len(self._operations)

    def add(
        self,
        kind: Kind,
        inputs: Sequence[Tensor],
        name: str | None,
        arguments: Any = ((), {}),
        attributes: dict[str, Any] | None = None,
    ) -> Operation:
        """Writes an operation, without outputs yet."""
        self.check_not_finalized("add an operation")
        with self._lock:
            wanted = name or (attributes or {}).get("type", kind.type)
            exact = wanted.endswith("/")  # the name of a scope that was opened for this operation
            full = wanted[:-1] if exact else self.unique_name(wanted)
            inputs = [self.capture(tensor) for tensor in inputs]
            operation = Operation(self, full, kind, inputs, arguments, attributes)
            operation.position = len(self._operations)
            operation.control_inputs = self._current_control_inputs()
            operation.device = self._current_device(operation)
            operation.gradient = self._overrides.get(operation.type)
            self._operations[full] = operation
            return operation

    def capture(self, tensor: Tensor) -> Tensor:
        """The tensor as it is seen in this graph: tensors from around a body become inputs of it."""
        if tensor.graph is self:
            return tensor
        if self.outer is None:
            fail(
                "GraphError",
                "bad_graph",
                f'the tensor "{tensor.name}" is not an element of this graph',
                hint="write all of a computation within one `with graph.as_default():`",
            )
        if tensor not in self.captures:
            from ._tensors import parameter

            outer = self.outer.capture(tensor)
            if outer not in self.captures:
                self.captures[outer] = parameter(self, outer, f"captured/{outer.op.name}")
            self.captures[tensor] = self.captures[outer]
        return self.captures[tensor]

    def unique_name(self, name: str, mark_as_used: bool = True) -> str:
        """The name within the current scope, with `_1`, `_2`, ... where it is taken. Raises ValueError for bad names."""
        if not _NAME.fullmatch(name) and not (self._scope and re.fullmatch(r"[\w.\\/>-]*", name)):
            fail("ValueError", "invalid_value", f'"{name}" is not a name of an operation')
        full = f"{self._scope}/{name}" if self._scope else name
        key = full.lower()
        count = self._used_names.get(key, 0)
        if mark_as_used:
            self._used_names[key] = count + 1
        if count:
            base = full
            while True:
                full = f"{base}_{count}"
                if full.lower() not in self._used_names:
                    break
                count += 1
            if mark_as_used:
                self._used_names[full.lower()] = 1
        return full

    def check_not_finalized(self, what: str) -> None:
        """Raises GraphError where the graph may not change any more."""
        if self.root.finalized:
            fail(
                "GraphError",
                "bad_graph",
                f"the graph is finalized and cannot be modified: cannot {what}",
                hint="write everything before graph.finalize(), or before the training session begins",
            )

    def finalize(self) -> None:
        """From now on an operation that is added raises GraphError. It finds loops that add operations in each turn."""
        self.finalized = True

    def get_operations(self) -> list[Operation]:
        """All operations, in the order in which they were written."""
        return list(self._operations.values())

    def get_operation_by_name(self, name: str) -> Operation:
        """The operation of this name. Raises KeyError's Phlox form, ValueError, for an unknown one."""
        if not isinstance(name, str):
            fail("TypeError", "wrong_argument_type", f"an operation's name is a text, not {name!r}")
        if name not in self._operations:
            hint = self._similar(name)
            if ":" in name:
                hint = "get_tensor_by_name() takes names of tensors"
            fail("ValueError", "unknown_name", f'the name "{name}" is not an operation of this graph', hint)
        return self._operations[name]

    def get_tensor_by_name(self, name: str) -> Tensor:
        """The tensor of this name, such as "scope/dense/MatMul:0". Raises ValueError for an unknown one."""
        operation, _, number = str(name).rpartition(":")
        if not operation or not number.isdecimal():
            fail(
                "ValueError",
                "unknown_name",
                f'"{name}" is not the name of a tensor, which is "operation:number"',
                f'"{name}:0"',
            )
        outputs = self.get_operation_by_name(operation).outputs
        if int(number) >= len(outputs):
            fail(
                "ValueError",
                "unknown_name",
                f'"{operation}" has {len(outputs)} outputs, so there is no "{name}"',
            )
        return outputs[int(number)]

    def as_graph_element(self, obj: Any, allow_tensor: bool = True, allow_operation: bool = True) -> Any:
        """The tensor or operation that `obj` is or names. Raises GraphError for one of another graph."""
        from ._tensors import Tensor, Variable

        if isinstance(obj, str):
            if ":" in obj and allow_tensor:
                return self.get_tensor_by_name(obj)
            if allow_operation:
                return self.get_operation_by_name(obj)
        if isinstance(obj, Variable):
            obj = obj.handle
        if isinstance(obj, (Tensor, Operation)):
            if obj.graph is not self:
                where = "a body of a loop or branch of" if obj.graph.root is self else "another graph than"
                fail(
                    "GraphError",
                    "bad_graph",
                    f'"{obj.name}" is not an element of this graph: it is of {where} this one',
                    hint="tf.Session(graph=x.graph), or fetch what the loop gives",
                )
            if isinstance(obj, Tensor) and allow_tensor or isinstance(obj, Operation) and allow_operation:
                return obj
        kinds = [w for w, on in (("tensor", allow_tensor), ("operation", allow_operation)) if on]
        fail(
            "TypeError", "wrong_argument_type", f"{obj!r} is not a {' or '.join(kinds)} and does not name one"
        )

    def _similar(self, name: str) -> str:
        import difflib

        close = difflib.get_close_matches(name, self._operations, n=3)
        return " or ".join(f'"{c}"' for c in close)

    # --- scopes

    @contextmanager
    def as_default(self) -> Iterator[Graph]:
        """In this scope operations are written into this graph."""
        stack = _stack()
        stack.append(self)
        try:
            yield self
        finally:
            del stack[len(stack) - 1 - stack[::-1].index(self)]

    @contextmanager
    def name_scope(self, name: str | None) -> Iterator[str]:
        """Names in this scope begin with `name/`; a name that ends in `/` opens an earlier scope again."""
        before = self._scope
        if not name:
            self._scope = ""
        elif name.endswith("/"):
            self._scope = name[:-1]
        else:
            self._scope = self.unique_name(name)
        try:
            yield f"{self._scope}/" if self._scope else ""
        finally:
            self._scope = before

    @contextmanager
    def control_dependencies(self, control_inputs: Sequence[Any] | None) -> Iterator[None]:
        """Operations in this scope run after these. None forgets those of scopes around."""
        found: tuple[Operation, ...] | None = None
        if control_inputs is not None:
            found = tuple(self._control_operation(c) for c in control_inputs)
        self._control.append(found)
        try:
            yield
        finally:
            self._control.pop()

    def _control_operation(self, obj: Any) -> Operation:
        from ._tensors import IndexedSlices

        element: Any = obj.values if isinstance(obj, IndexedSlices) else obj
        around = self.outer
        while around is not None:  # the whole loop or branch waits for what is written around it
            if getattr(element, "graph", None) == around:
                element = around.as_graph_element(element)
                operation = element if isinstance(element, Operation) else element.op
                self.waits_for.append(operation)
                return operation
            around = around.outer
        element = self.as_graph_element(element)
        return element if isinstance(element, Operation) else element.op

    def _current_control_inputs(self) -> tuple[Operation, ...]:
        found: dict[Operation, None] = {}
        for entry in self._control:
            if entry is None:
                found.clear()
            else:
                found.update(dict.fromkeys(entry))
        return tuple(o for o in found if o.graph is self)

    @contextmanager
    def device(self, device_name_or_function: Any) -> Iterator[None]:
        """Operations in this scope belong to this device: "/cpu:0", "/gpu:0", a function of an operation, or None."""
        if isinstance(device_name_or_function, str):
            phlox_device(device_name_or_function)
        self._devices.append(device_name_or_function)
        try:
            yield
        finally:
            self._devices.pop()

    def _current_device(self, operation: Operation) -> str:
        device = ""
        for entry in self._devices:
            if callable(entry):
                operation.device = device
                device = entry(operation) or ""
            else:
                device = entry or ""
        return device

    @contextmanager
    def colocate_with(self, op: Any, ignore_existing: bool = False) -> Iterator[None]:
        """Operations in this scope belong to the device of `op`."""
        element = self.as_graph_element(op)
        operation = element if isinstance(element, Operation) else element.op
        before = self._devices
        self._devices = [operation.device] if ignore_existing else [*before, operation.device]
        try:
            yield
        finally:
            self._devices = before

    @contextmanager
    def gradient_override_map(self, op_type_map: dict[str, str]) -> Iterator[None]:
        """In this scope operations of these types get the gradients registered under these names.

        Example:
            @tf.RegisterGradient("Clipped")
            def clipped(op, grad):
                return tf.clip_by_value(grad, -1.0, 1.0)

            with graph.gradient_override_map({"Identity": "Clipped"}):
                y = tf.identity(x)
        """
        from ._gradients import registered_gradient

        for name in op_type_map.values():
            registered_gradient(name)
        before = self._overrides
        self._overrides = {**before, **op_type_map}
        try:
            yield
        finally:
            self._overrides = before

    # --- collections

    def add_to_collection(self, name: Any, value: Any) -> None:
        """Appends a value to a collection."""
        self.root._collections.setdefault(name, []).append(value)

    def add_to_collections(self, names: Any, value: Any) -> None:
        """Appends a value to several collections."""
        for name in {names} if isinstance(names, str) else set(names or ()):
            self.add_to_collection(name, value)

    def get_collection(self, name: Any, scope: str | None = None) -> list[Any]:
        """A copy of a collection; with `scope`, of the items whose names match this regular expression."""
        items = self.root._collections.get(name, [])
        if scope is None:
            return list(items)
        pattern = re.compile(scope)
        return [item for item in items if hasattr(item, "name") and pattern.match(item.name)]

    def get_collection_ref(self, name: Any) -> list[Any]:
        """The collection itself, a list that may be changed."""
        return self.root._collections.setdefault(name, [])

    def get_all_collection_keys(self) -> list[Any]:
        """The names of collections that hold something."""
        return [key for key, items in self.root._collections.items() if items]

    def clear_collection(self, name: Any) -> None:
        """Empties a collection."""
        self.root._collections.pop(name, None)

    # --- files

    def as_graph_def(self, from_version: int | None = None, add_shapes: bool = False) -> Any:
        """The graph as data that can be written to a file: see `tf.GraphDef`."""
        from ._graph_def import graph_def_of

        return graph_def_of(self)

    def __repr__(self) -> str:
        return f"<tf.Graph of {len(self._operations)} operations>"


def phlox_device(name: str) -> str:
    """The Phlox device of a TensorFlow device name: "/job:worker/device:GPU:1" is "cuda:1". Raises DeviceError."""
    found = re.fullmatch(
        r"(?:/job:\w+)?(?:/replica:\d+)?(?:/task:\d+)?/?(?:(?:device:)?(cpu|gpu|cuda)(?::(\d+|\*))?)?",
        name,
        re.I,
    )
    if not found:
        fail("DeviceError", "unknown_device", f'"{name}" is not the name of a device', '"/cpu:0" or "/gpu:0"')
    kind, number = found[1] or "cpu", found[2] or "0"
    return "cpu" if kind.lower() == "cpu" else f"cuda:{0 if number == '*' else number}"


# --- the default graph

_stacks = threading.local()
_global_graph = Graph()


def _stack() -> list[Graph]:
    if not hasattr(_stacks, "graphs"):
        _stacks.graphs = []
    return _stacks.graphs


def get_default_graph() -> Graph:
    """The graph into which operations are written now in this thread."""
    return _stack()[-1] if _stack() else _global_graph


def reset_default_graph() -> None:
    """Begins a new default graph. Raises GraphError within `with graph.as_default():`."""
    if _stack():
        fail("GraphError", "bad_graph", "reset_default_graph() within the scope of another graph")
    global _global_graph
    _global_graph = Graph()


# --- the scopes of the default graph


def _of_default_graph(name: str) -> Callable[..., Any]:
    method = getattr(Graph, name)

    def function(*args: Any, **kwargs: Any) -> Any:
        return getattr(get_default_graph(), name)(*args, **kwargs)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"`Graph.{name}` of the default graph. {method.__doc__}"
    return function


add_to_collection = _of_default_graph("add_to_collection")
add_to_collections = _of_default_graph("add_to_collections")
get_collection = _of_default_graph("get_collection")
get_collection_ref = _of_default_graph("get_collection_ref")
control_dependencies = _of_default_graph("control_dependencies")
device = _of_default_graph("device")
colocate_with = _of_default_graph("colocate_with")


@contextmanager
def name_scope(name: str | None, default_name: str | None = None, values: Any = None) -> Iterator[str]:
    """Names in this scope begin with `name/`, or where that is None with `default_name/`. Gives the name of the scope."""
    with get_default_graph().name_scope(default_name if name is None else name) as scope:
        yield scope


def disable_v2_behavior() -> None:
    """Does nothing: there are only graphs here. Programs that run with TensorFlow 2 call it."""


disable_eager_execution = disable_v2_behavior


def executing_eagerly() -> bool:
    """False: operations wait until a session runs them."""
    return False


def set_random_seed(seed: int | None) -> None:
    """Random operations of the default graph draw from generators with this seed, afresh in each session."""
    get_default_graph().root.seed = seed
