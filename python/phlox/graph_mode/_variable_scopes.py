"""Variables by name: `get_variable`, and the scopes that prefix names, share variables and set defaults."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .._failure import fail
from ._graph import GraphKeys, get_default_graph
from ._shapes import TensorShape
from ._tensors import as_dtype
from ._variables import Variable

AUTO_REUSE = "auto_reuse"


class VariableScope:
    """The prefix of the names of variables, whether they are shared, and what get_variable() takes for granted."""

    def __init__(self, name: str = "", reuse: Any = False, **defaults: Any):
        self.name = name
        self.reuse = reuse
        self.defaults = defaults
        self.original_name_scope = f"{name}/" if name else ""

    @property
    def initializer(self) -> Any:
        """The initializer of variables that have none of their own."""
        return self.defaults.get("initializer")

    @property
    def regularizer(self) -> Any:
        """The regularizer of variables that have none of their own."""
        return self.defaults.get("regularizer")

    @property
    def dtype(self) -> Any:
        """The dtype of variables of which nothing else is said."""
        return self.defaults.get("dtype") or as_dtype("float32")

    def reuse_variables(self) -> None:
        """From now on get_variable() gives variables that exist."""
        self.reuse = True

    def set_initializer(self, initializer: Any) -> None:
        """Sets the initializer of variables that have none of their own."""
        self.defaults["initializer"] = initializer

    def set_regularizer(self, regularizer: Any) -> None:
        """Sets the regularizer of variables that have none of their own."""
        self.defaults["regularizer"] = regularizer

    def get_collection(self, name: Any) -> list[Any]:
        """The items of a collection whose names begin with this scope."""
        return get_default_graph().get_collection(name, re.escape(self.name + "/") if self.name else None)

    def global_variables(self) -> list[Variable]:
        """The global variables of this scope."""
        return self.get_collection(GraphKeys.GLOBAL_VARIABLES)

    def trainable_variables(self) -> list[Variable]:
        """The trainable variables of this scope."""
        return self.get_collection(GraphKeys.TRAINABLE_VARIABLES)


class _Store:
    """The variables of a graph by name, and its current scope."""

    def __init__(self) -> None:
        self.scope = VariableScope()
        self.variables: dict[str, Variable] = {}
        self.default_names: dict[str, int] = {}


def _store() -> _Store:
    root = get_default_graph().root
    if not hasattr(root, "_variable_store"):
        root._variable_store = _Store()  # type: ignore[attr-defined]
    return root._variable_store  # type: ignore[attr-defined]


def get_variable_scope() -> VariableScope:
    """The current variable scope."""
    return _store().scope


@contextmanager
def variable_scope(
    name_or_scope: Any,
    default_name: str | None = None,
    values: Any = None,
    initializer: Any = None,
    regularizer: Any = None,
    reuse: Any = None,
    dtype: Any = None,
    auxiliary_name_scope: bool = True,
    **other: Any,
) -> Iterator[VariableScope]:
    """Names of variables and operations in this scope begin with its name.

    `reuse=True` shares variables that exist, `tf.AUTO_REUSE` makes them where they do not. A scope object opens that scope
    again. Where the name is None, `default_name` is made unique.
    """
    store, before = _store(), _store().scope
    if isinstance(name_or_scope, VariableScope):
        name, inherited = name_or_scope.name, name_or_scope
        scope_name = inherited.original_name_scope
    else:
        inherited = before
        if name_or_scope is None:
            if default_name is None:
                fail("TypeError", "missing_argument", "variable_scope() needs a name or a default_name")
            prefix = f"{before.name}/{default_name}" if before.name else default_name
            count = store.default_names.get(prefix, 0)
            store.default_names[prefix] = count + 1
            name_or_scope = f"{default_name}_{count}" if count else default_name
        name = f"{before.name}/{name_or_scope}" if before.name else name_or_scope
        scope_name = name_or_scope
    given = {"initializer": initializer, "regularizer": regularizer, "dtype": as_dtype(dtype), **other}
    defaults = {**inherited.defaults, **{k: v for k, v in given.items() if v is not None}}
    scope = VariableScope(
        name, reuse or inherited.reuse or (before.reuse if inherited is not before else False), **defaults
    )
    graph = get_default_graph()
    if isinstance(name_or_scope, VariableScope):
        scope.original_name_scope = inherited.original_name_scope
        scope_name = name.rpartition("/")[2] if name else ""
    store.scope = scope
    try:
        if auxiliary_name_scope and scope_name:
            with graph.name_scope(scope_name) as opened:
                if not isinstance(name_or_scope, VariableScope):
                    scope.original_name_scope = opened
                yield scope
        else:
            yield scope
    finally:
        store.scope = before


def get_variable(
    name: str,
    shape: Any = None,
    dtype: Any = None,
    initializer: Any = None,
    regularizer: Any = None,
    trainable: bool | None = None,
    collections: Any = None,
    caching_device: Any = None,
    partitioner: Any = None,
    validate_shape: bool = True,
    use_resource: Any = None,
    custom_getter: Any = None,
    constraint: Any = None,
) -> Variable:
    """The variable of this name in the current variable scope: a new one, or where the scope shares, the one there is.

    The initializer is a function of the shape (`tf.zeros_initializer()`), or a value; by default Glorot's uniform one for
    floating dtypes. Raises ValueError where the variable exists and is not shared, or is shared and does not exist.
    """
    if partitioner is not None:
        fail(
            "NotSupportedError",
            "not_supported",
            "get_variable(): variables are not divided into parts",
            "partitioner=None",
        )
    scope, store = get_variable_scope(), _store()
    getter = custom_getter or scope.defaults.get("custom_getter")
    settings = {
        "shape": shape,
        "dtype": dtype,
        "initializer": initializer,
        "regularizer": regularizer,
        "trainable": trainable,
        "collections": collections,
        "validate_shape": validate_shape,
        "constraint": constraint,
    }
    full = f"{scope.name}/{name}" if scope.name else name
    if getter is not None:
        return getter(
            lambda name, **given: _get_variable(store, scope, name, **{**settings, **given}), full, **settings
        )
    return _get_variable(store, scope, full, **settings)


def _get_variable(
    store: _Store,
    scope: VariableScope,
    full: str,
    shape: Any,
    dtype: Any,
    initializer: Any,
    regularizer: Any,
    trainable: bool | None,
    collections: Any,
    validate_shape: bool,
    constraint: Any = None,
) -> Variable:
    dtype = as_dtype(dtype)
    if full in store.variables:
        variable = store.variables[full]
        if not scope.reuse:
            fail(
                "ValueError",
                "invalid_value",
                f'the variable "{full}" exists already, and the scope does not share it',
                hint="reuse=True or reuse=tf.AUTO_REUSE in variable_scope()",
            )
        if shape is not None and not variable.shape.is_compatible_with(shape):
            fail(
                "ShapeError",
                "sizes_differ",
                f'the variable "{full}" is shared with the shape {TensorShape(shape)}, and it has {variable.shape}',
            )
        if dtype is not None and dtype is not variable.dtype:
            fail(
                "DTypeError",
                "wrong_dtype",
                f'the variable "{full}" is shared as {dtype.name}, and is {variable.dtype.name}',
            )
        return variable
    if scope.reuse is True:
        fail(
            "ValueError",
            "unknown_name",
            f'the variable "{full}" does not exist, or was not made with get_variable()',
            hint="reuse=tf.AUTO_REUSE in variable_scope()",
        )
    dtype = dtype or scope.dtype
    initializer = initializer if initializer is not None else scope.initializer
    if initializer is None:
        from .initializers import glorot_uniform_initializer, zeros_initializer

        floating = dtype.is_floating_point or dtype.is_complex
        initializer = glorot_uniform_initializer() if floating else zeros_initializer()
    if isinstance(initializer, type):
        initializer = initializer()
    if callable(initializer):
        sizes = TensorShape(shape)
        if not sizes.is_fully_defined():
            fail(
                "ValueError",
                "missing_argument",
                f'the shape of the new variable "{full}" is {sizes}; it must be known',
            )
        made = initializer
        initial: Any = lambda: made(sizes.as_list(), dtype=dtype)  # noqa: E731
    else:
        initial = initializer
    graph = get_default_graph().root
    with graph.name_scope(None):
        variable = Variable(
            initial,
            trainable=trainable is not False,
            collections=collections,
            validate_shape=validate_shape,
            name=full,
            dtype=dtype,
        )
    variable.constraint = constraint
    store.variables[full] = variable
    regularizer = regularizer or scope.regularizer
    if regularizer is not None:
        with graph.as_default(), graph.name_scope(f"{full}/Regularizer/"):
            loss = regularizer(variable)
        if loss is not None:
            graph.add_to_collection(GraphKeys.REGULARIZATION_LOSSES, loss)
    return variable
