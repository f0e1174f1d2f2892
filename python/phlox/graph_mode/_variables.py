"""Variables: tensors that a session keeps from run to run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .._failure import fail
from ._calls import convert, create_function
from ._graph import Graph, GraphKeys, Operation, get_default_graph
from ._kinds import KINDS, kind
from ._shapes import TensorShape
from ._tensors import Graphed, IndexedSlices, Tensor, add_outputs, as_dtype


@kind("VariableV2")
def _run_variable(execution: Any, operation: Operation, inputs: list[Any]) -> Any:
    return [execution.state.read(operation.name)]


@kind("ReadVariableOp")
def _run_read(execution: Any, operation: Operation, inputs: list[Any]) -> Any:
    return [execution.state.read(operation.attributes["variable"])]


def _check_shape(operation: Operation, value: Any) -> None:
    shape = operation.attributes.get("shape")
    if not TensorShape(shape).is_compatible_with(list(value.shape)):
        fail(
            "ShapeError",
            "sizes_differ",
            f'the variable "{operation.attributes["variable"]}" has the shape {shape}, and not {list(value.shape)}',
            hint="tf.assign(variable, value, validate_shape=False)",
        )


@kind("Assign")
def _run_assign(execution: Any, operation: Operation, inputs: list[Any]) -> Any:
    _check_shape(operation, inputs[0])
    return [execution.state.write(operation.attributes["variable"], inputs[0].detach().clone())]


def _accumulating(name: str, combine: Callable[..., Any]) -> None:
    @kind(name)
    def run(execution: Any, operation: Operation, inputs: list[Any]) -> Any:
        variable = operation.attributes["variable"]
        now = execution.state.read(variable).detach()
        value = combine(now, *(i.detach() for i in inputs))
        if value.shape != now.shape or value.dtype != now.dtype:
            fail(
                "ShapeError",
                "sizes_differ",
                f'"{operation.name}" would turn the variable "{variable}" into another shape or dtype',
                variable=now,
                value=inputs[-1],
            )
        return [execution.state.write(variable, value)]


_accumulating("AssignAdd", lambda now, value: now + value)
_accumulating("AssignSub", lambda now, value: now - value)
_accumulating(
    "ScatterUpdate", lambda now, rows, value: now.index_put([rows.long()], value.expand(_rows(now, rows)))
)
_accumulating("ScatterAdd", lambda now, rows, value: now.index_put([rows.long()], value, accumulate=True))
_accumulating("ScatterSub", lambda now, rows, value: now.index_put([rows.long()], -value, accumulate=True))


def _rows(now: Any, rows: Any) -> list[int]:
    return [*rows.shape, *now.shape[1:]]


@kind("IsVariableInitialized")
def _run_is_initialized(execution: Any, operation: Operation, inputs: list[Any]) -> Any:
    return [execution.state.is_initialized(operation.attributes["variable"])]


@kind("UpdateVariables")
def _run_update(execution: Any, operation: Operation, inputs: list[Any]) -> Any:
    """New values of several variables, from a function of their old ones and of the inputs."""
    from ._kinds import FUNCTIONS, filled

    names = operation.attributes["variables"]
    now = [execution.state.read(name).detach() for name in names]
    args, kwargs = filled(operation.arguments, [i.detach() for i in inputs])
    function = FUNCTIONS[operation.attributes["function"]].function
    assert function
    new = function(now, *args, **kwargs)
    return [execution.state.write(name, value) for name, value in zip(names, new)][:1]


class Variable(Graphed):
    """A tensor that a session keeps from run to run. It has no value before its initializer has run.

    It is used like a tensor; `assign`, `assign_add` and `assign_sub` give operations that change it.

    Example:
        w = tf.Variable(tf.zeros([3, 2]), name="w")
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            session.run(w.assign_add(tf.ones([3, 2])))
    """

    def __init__(
        self,
        initial_value: Any = None,
        trainable: bool = True,
        collections: Sequence[Any] | None = None,
        validate_shape: bool = True,
        caching_device: Any = None,
        name: str | None = None,
        variable_def: Any = None,
        dtype: Any = None,
        expected_shape: Any = None,
        use_resource: Any = None,
    ):
        if initial_value is None:
            fail(
                "ValueError",
                "missing_argument",
                "a variable needs an initial value",
                "tf.Variable(tf.zeros([3]))",
            )
        graph = get_default_graph().root
        self.trainable = trainable
        with (
            graph.as_default(),
            graph.control_dependencies(None),
            graph.name_scope(name or "Variable") as scope,
        ):
            with graph.name_scope("Initializer"):
                value = initial_value() if callable(initial_value) else initial_value
                # Numbers of Python become float32 or int32; what has a dtype keeps it.
                self.initial_value = convert(
                    value, None if isinstance(value, Graphed) else dtype, "initial_value"
                )
            dtype = as_dtype(dtype) or self.initial_value.dtype
            if self.initial_value.dtype is not dtype:
                self.initial_value = create_function("cast", (self.initial_value, dtype), {})
            shape = self.initial_value.shape if validate_shape else TensorShape(None)
            sizes = shape.as_list() if shape else None
            operation = graph.add(KINDS["VariableV2"], [], scope, attributes={"shape": sizes, "dtype": dtype})
            self.handle = add_outputs(operation, [(dtype, sizes)])[0]
            self.initializer = self._assign("Assign", self.initial_value, "Assign").op
        self.validate_shape = validate_shape
        self.constraint: Any = None
        self._register(graph, collections)

    def _register(self, graph: Graph, collections: Sequence[Any] | None) -> None:
        names = [GraphKeys.GLOBAL_VARIABLES] if collections is None else list(collections)
        if (
            self.trainable
            and GraphKeys.TRAINABLE_VARIABLES not in names
            and GraphKeys.LOCAL_VARIABLES not in names
        ):
            names.append(GraphKeys.TRAINABLE_VARIABLES)
        for name in names:
            graph.add_to_collection(name, self)

    @classmethod
    def of_operations(cls, graph: Graph, data: dict[str, Any]) -> Variable:
        """The variable of operations that are in the graph already, as a file names them."""
        self = object.__new__(cls)
        self.handle = graph.get_tensor_by_name(data["name"])
        self.initial_value = graph.get_tensor_by_name(data["initial_value"])
        self.initializer = graph.get_operation_by_name(data["initializer"])
        self.trainable, self.validate_shape = data["trainable"], data["validate_shape"]
        self.constraint = None
        return self

    def to_data(self) -> dict[str, Any]:
        """The names of its operations, for files."""
        return {
            "name": self.name,
            "initial_value": self.initial_value.name,
            "initializer": self.initializer.name,
            "trainable": self.trainable,
            "validate_shape": self.validate_shape,
        }

    # --- what it is

    @property
    def name(self) -> str:
        """The name, such as "scope/w:0"."""
        return self.handle.name

    @property
    def op(self) -> Operation:
        """The operation that holds it."""
        return self.handle.op

    @property
    def graph(self) -> Graph:
        """The graph that it belongs to."""
        return self.handle.graph

    @property
    def dtype(self) -> Any:
        """The dtype."""
        return self.handle.dtype

    @property
    def device(self) -> str:
        """The device."""
        return self.handle.device

    @property
    def shape(self) -> TensorShape:
        """The shape."""
        return self.handle.shape

    def get_shape(self) -> TensorShape:
        """The shape."""
        return self.handle.shape

    # --- its value

    def as_tensor(self) -> Tensor:
        """The value where it is used: what it is when that operation runs."""
        graph = get_default_graph()
        if graph.root is not self.graph:
            return graph.capture(self.handle)  # which says that graphs are mixed
        if graph is self.graph:
            return self.handle
        operation = graph.add(
            KINDS["ReadVariableOp"], [], f"{self.op.name}/read", attributes={"variable": self.op.name}
        )
        return add_outputs(operation, [(self.dtype, self.shape)])[0]

    def value(self) -> Tensor:
        """The value where it is used: what it is when that operation runs."""
        return self.as_tensor()

    def read_value(self) -> Tensor:
        """The value after the control dependencies of the current scope."""
        graph = get_default_graph()
        operation = graph.add(
            KINDS["ReadVariableOp"], [], f"{self.op.name}/read", attributes={"variable": self.op.name}
        )
        return add_outputs(operation, [(self.dtype, self.shape)])[0]

    def initialized_value(self) -> Tensor:
        """The value, or the initial one while there is none."""
        from ._branches import cond

        return cond(is_variable_initialized(self), self.read_value, lambda: self.initial_value)

    def _assign(
        self, kind_name: str, value: Any, name: str | None, rows: Any = None, checked: bool = True
    ) -> Tensor:
        tensor = convert(value, self.dtype)
        shape = self.shape
        if kind_name == "Assign" and checked and not shape.is_compatible_with(tensor.shape):
            fail(
                "ShapeError",
                "sizes_differ",
                f'the variable "{self.name}" has the shape {shape}, and the value {tensor.shape}',
                hint="tf.assign(variable, value, validate_shape=False)",
            )
        inputs = [tensor] if rows is None else [convert(rows), tensor]
        attributes = {
            "variable": self.op.name,
            "shape": shape.as_list() if checked and shape else None,
        }
        operation = get_default_graph().add(KINDS[kind_name], inputs, name, attributes=attributes)
        return add_outputs(operation, [(self.dtype, shape)])[0]

    def assign(
        self, value: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True
    ) -> Tensor:
        """Sets it; gives the new value."""
        return self._assign("Assign", value, name)

    def assign_add(
        self, delta: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True
    ) -> Tensor:
        """Adds to it; gives the new value."""
        return self._changed_by("AssignAdd", "ScatterAdd", delta, name)

    def assign_sub(
        self, delta: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True
    ) -> Tensor:
        """Subtracts from it; gives the new value."""
        return self._changed_by("AssignSub", "ScatterSub", delta, name)

    def _changed_by(self, dense: str, sparse: str, delta: Any, name: str | None) -> Tensor:
        if isinstance(delta, IndexedSlices):
            return self._assign(sparse, delta.values, name, delta.indices)
        return self._assign(dense, delta, name)

    def load(self, value: Any, session: Any = None) -> None:
        """Sets it in a session, without an operation."""
        from ._session import session_for

        session_for(session, f'load "{self.name}"').run(self.initializer, {self.initial_value: value})

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return f"<tf.Variable '{self.name}' shape={self.shape} dtype={self.dtype.name}>"


def assign(
    ref: Variable, value: Any, validate_shape: bool = True, use_locking: bool = True, name: str | None = None
) -> Tensor:
    """Sets a variable; gives the new value."""
    return ref._assign("Assign", value, name, checked=validate_shape)


def assign_add(ref: Variable, value: Any, use_locking: bool = False, name: str | None = None) -> Tensor:
    """Adds to a variable; gives the new value."""
    return ref.assign_add(value, name=name)


def assign_sub(ref: Variable, value: Any, use_locking: bool = False, name: str | None = None) -> Tensor:
    """Subtracts from a variable; gives the new value."""
    return ref.assign_sub(value, name=name)


def scatter_update(
    ref: Variable, indices: Any, updates: Any, use_locking: bool = True, name: str | None = None
) -> Tensor:
    """Sets rows of a variable; gives the new value."""
    return ref._assign("ScatterUpdate", updates, name, indices)


def scatter_add(
    ref: Variable, indices: Any, updates: Any, use_locking: bool = False, name: str | None = None
) -> Tensor:
    """Adds to rows of a variable; gives the new value."""
    return ref._assign("ScatterAdd", updates, name, indices)


def scatter_sub(
    ref: Variable, indices: Any, updates: Any, use_locking: bool = False, name: str | None = None
) -> Tensor:
    """Subtracts from rows of a variable; gives the new value."""
    return ref._assign("ScatterSub", updates, name, indices)


def is_variable_initialized(variable: Variable) -> Tensor:
    """Whether a variable has a value, as a tensor."""
    operation = get_default_graph().add(
        KINDS["IsVariableInitialized"], [], None, attributes={"variable": variable.op.name}
    )
    return add_outputs(operation, [(as_dtype("bool"), [])])[0]


# --- collections of variables


def _collection(key: str, what: str) -> Callable[..., list[Variable]]:
    def variables(scope: str | None = None) -> list[Variable]:
        return get_default_graph().get_collection(key, scope)

    variables.__name__ = variables.__qualname__ = f"{what}_variables"
    variables.__doc__ = (
        f"The {what} variables of the default graph; with `scope`, those whose names begin so."
    )
    return variables


global_variables = _collection(GraphKeys.GLOBAL_VARIABLES, "global")
local_variables = _collection(GraphKeys.LOCAL_VARIABLES, "local")
trainable_variables = _collection(GraphKeys.TRAINABLE_VARIABLES, "trainable")
model_variables = _collection(GraphKeys.MODEL_VARIABLES, "model")
moving_average_variables = _collection(GraphKeys.MOVING_AVERAGE_VARIABLES, "moving_average")


def variables_initializer(var_list: Sequence[Variable], name: str = "init") -> Operation:
    """An operation that gives these variables their initial values, in an order in which each is there when needed."""
    from ._order import group

    return group(*(variable.initializer for variable in var_list), name=name)


def global_variables_initializer() -> Operation:
    """An operation that gives all global variables their initial values."""
    return variables_initializer(global_variables(), "init")


def local_variables_initializer() -> Operation:
    """An operation that gives all local variables their initial values."""
    return variables_initializer(local_variables(), "init_1")


def tables_initializer(name: str = "init_all_tables") -> Operation:
    """An operation that fills what is in the collection of tables."""
    from ._order import group

    return group(*get_default_graph().get_collection(GraphKeys.TABLE_INITIALIZERS), name=name)


initialize_all_variables = global_variables_initializer
