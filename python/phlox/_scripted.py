"""Scripts: functions as graphs from their source, whose numbers are inputs and whose tensors may be declared."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FunctionType
from typing import Any

from . import _phlox
from ._annotations import TensorType, Unreadable, as_number, read
from ._exact_numbers import DTYPES, Number
from ._failure import fail
from ._jit import Jitted, bound_to
from ._phlox import Graph, Module, SymbolicGraph, Tensor
from ._script_check import check, node_of, refuse_at
from ._structures import flatten, unflatten
from ._trace import capture_function
from .capture import capturing
from .capture._backend import current
from .capture._conversion import converted_callable
from .errors import GraphError

# The sizes that a graph for all sizes is made from: none of them is one that programs like to write.
_SIZES = ((5, 7, 11, 13, 17, 19), (23, 29, 31, 37, 41, 43))


class _Declaration:
    """The parameters of a script and what their annotations say."""

    def __init__(self, function: FunctionType, signature: inspect.Signature):
        self.name = function.__name__
        self._function = function
        self.signature = signature
        self.parameters = list(signature.parameters.values())
        self.keyword_only = [p.name for p in self.parameters if p.kind is p.KEYWORD_ONLY]
        for parameter in self.parameters:
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                self._refuse("script_parameter", parameter.name, name=parameter.name)
        self.types = [self._read(p.name, p.annotation) for p in self.parameters]
        known: set[str] = set()
        for parameter, type_ in zip(self.parameters, self.types):
            if isinstance(type_, TensorType):
                known.update(type_.names)
                if not type_.used_names <= known:
                    self._refuse("script_annotation", parameter.name, annotation=type_.text)
        self.size_names = sorted(known)
        self.result = self._read("return", signature.return_annotation)
        self.is_complete = all(
            type_ in DTYPES or isinstance(type_, TensorType) or parameter.default is not parameter.empty
            for parameter, type_ in zip(self.parameters, self.types)
        )

    def _read(self, name: str, annotation: Any) -> Any:
        try:
            found = read(annotation)
        except Unreadable:
            self._refuse("script_annotation", name, annotation=str(annotation).strip("'\""))
        return found if name == "return" or not isinstance(found, tuple) else None

    def _refuse(self, refusal: str, parameter: str, /, **words: object) -> None:
        node = node_of(self._function)
        a = node.args
        parameters = [*a.posonlyargs, *a.args, *a.kwonlyargs, a.vararg, a.kwarg]
        place: Any = next((p for p in parameters if p is not None and p.arg == parameter), None)
        refuse_at(
            refusal,
            self._function.__code__.co_filename,
            place or getattr(node, "returns", None) or node,
            function=self.name,
            **words,
        )

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
        """The values of all parameters, in their order."""
        if not kwargs and len(args) == len(self.parameters) and not self.keyword_only:
            return list(args)
        bound = self.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return list(bound.arguments.values())

    def checked(self, values: list[Any]) -> list[Any]:
        """The values with tensors for numbers; raises where tensors are not as declared."""
        sizes: dict[str, int] = {}
        owners: dict[str, str] = {}
        for i, (parameter, type_) in enumerate(zip(self.parameters, self.types)):
            if isinstance(type_, TensorType):
                type_.check(self.name, parameter.name, values[i], sizes, owners)
            elif type_ is not None:
                values[i] = as_number(self.name, parameter.name, type_, values[i])
        return values

    def sizes_of(self, values: tuple[Any, ...]) -> dict[str, int]:
        """The named sizes of arguments that were checked."""
        sizes: dict[str, int] = {}
        for value, type_ in zip(values, self.types):
            if isinstance(type_, TensorType):
                sizes.update(type_.named_sizes(value))
        return sizes

    def examples(self, sizes: dict[str, int]) -> list[Any]:
        """Arguments of the declared types."""
        return [
            type_.example(sizes)
            if isinstance(type_, TensorType)
            else _phlox.zeros((), dtype=DTYPES[type_])
            if type_ in DTYPES
            else parameter.default
            for parameter, type_ in zip(self.parameters, self.types)
        ]

    def call(self, function: Callable[..., Any], values: list[Any]) -> Any:
        """The function with values for all parameters."""
        named = dict(zip((p.name for p in self.parameters), values))
        keywords = {name: named.pop(name) for name in self.keyword_only}
        return function(*named.values(), **keywords)

    def check_result(self, result: Any, values: tuple[Any, ...]) -> None:
        """Raises where a result is not as annotated."""
        if self.result is None:
            return
        sizes = self.sizes_of(values)
        types, results = (
            (self.result, result) if isinstance(self.result, tuple) else ((self.result,), (result,))
        )
        if not isinstance(results, (tuple, list)) or len(results) != len(types):
            self._refuse_result(_described(result), f"a tuple of {len(types)}")
        for type_, value in zip(types, results):
            if isinstance(type_, TensorType):
                if not type_.fits(value, sizes):
                    self._refuse_result(_described(value), type_.described(sizes))
            elif type_ is not None and not _is_number_of(type_, value):
                self._refuse_result(_described(value), type_.__name__)

    def _refuse_result(self, given: str, expected: str) -> None:
        self._refuse("script_result", "return", given=given, expected=expected)

    def finished(self, result: Any) -> Any:
        """What a call gives: Python's numbers where the result is annotated so."""
        if isinstance(self.result, tuple):
            return tuple(_finished(t, value) for t, value in zip(self.result, result))
        return _finished(self.result, result)


def _finished(type_: Any, value: Any) -> Any:
    return type_(value.item()) if type_ in DTYPES and isinstance(value, Tensor) else value


def _is_number_of(kind: type, value: Any) -> bool:
    if not isinstance(value, Tensor):
        return type(value) is kind
    fits = value.dtype == DTYPES[kind] or (kind is float and value.dtype.is_floating_point)
    return fits and value.ndim == 0


def _described(value: Any) -> str:
    if isinstance(value, Number):
        return {dtype: kind for kind, dtype in DTYPES.items()}[value.dtype].__name__
    if isinstance(value, Tensor):
        return f"{value.dtype.short_name}[{', '.join(map(str, value.shape))}]"
    if isinstance(value, (tuple, list)):
        return f"a {type(value).__name__} of {len(value)}"
    return (
        repr(value) if value is None or isinstance(value, (bool, int, float, str)) else type(value).__name__
    )


@contextmanager
def _capturing_script() -> Iterator[None]:
    """Control flow is captured in this scope, and values of numbers that are missing are parameters."""
    from ._graph_backend import GraphBackend

    if current.session is None:  # px.trace() calls a script
        with capturing(GraphBackend()), _capturing_script():
            yield
        return
    backend: Any = current.session.backend
    before, backend.in_script = backend.in_script, True
    try:
        yield
    finally:
        backend.in_script = before


class Script:
    """A function that runs as a graph, made from its source. Made by `px.script`.

    `capture_count`, `compile_count` and `assert_compiled()` are those of `px.jit`.
    """

    __name__: str

    def __init__(self, function: Any):
        body = (
            type(function).forward
            if isinstance(function, Module)
            else getattr(function, "__func__", function)
        )
        if not isinstance(body, FunctionType):
            what = type(function).__name__
            fail(
                "TypeError", "wrong_argument_type", f"px.script: a function, a method or a module, not {what}"
            )
        functools.update_wrapper(self, body)
        signature = inspect.signature(function.forward if isinstance(function, Module) else function)
        self._function, self._body = function, body
        self._declared = declared = _Declaration(body, signature)
        check(function)
        owner = function if isinstance(function, Module) else getattr(function, "__self__", None)

        def run(*values: Any) -> Any:
            numbers = [i for i, type_ in enumerate(declared.types) if type_ in DTYPES]
            given = list(values)
            if not _phlox._is_capturing():
                for i in numbers:
                    given[i] = given[i].item()
                return declared.call(function, given)
            for i in numbers:
                given[i] = Number(given[i])
            with _capturing_script():
                result = declared.call(converted_callable(function), given)
                declared.check_result(result, values)
            tensors: list[Tensor] = []
            structure = flatten(result, tensors)
            return unflatten(structure, [t.plain() if isinstance(t, Number) else t for t in tensors])

        run.__name__ = self.__name__
        run.__self__ = owner  # type: ignore[attr-defined]
        self._run = run
        self._jitted = Jitted(run)
        self._refusal = ""  # why there is no graph for all sizes
        self._declared_graph = self._graph_of_all_sizes() if declared.is_complete else None

    def _graph_of_all_sizes(self) -> Graph | SymbolicGraph | None:
        """The graph of the declared types, captured without a call; None where a call must come first."""
        names = self._declared.size_names
        graphs = []
        for sizes in _SIZES[: 2 if names else 1]:
            # Beyond those in the table any distinct ones will do.
            known = {n: sizes[i] if i < len(sizes) else sizes[-1] + 2 * i for i, n in enumerate(names)}
            tensors: list[Tensor] = []
            structure = flatten((tuple(self._declared.examples(known)), {}), tensors)
            try:
                captured = capture_function(self._run, structure, tensors)[0]
                # Passes may look at sizes, so the graph for all of them is the one before.
                graphs.append(captured.graph if names else captured.optimize(None).graph)
            except GraphError as error:
                if error.code == "E1005":
                    return None
                raise
        if not names:
            return graphs[0]
        joined = SymbolicGraph(graphs[0])
        if joined.admit(graphs[1]):
            return joined
        self._refusal = joined.refusal
        return None

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self
        return bound_to(
            self, "_scripted_methods", instance, lambda: Script(self._function.__get__(instance, owner))
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        declared = self._declared
        values = declared.checked(declared.bind(args, kwargs))
        if _phlox._is_capturing():
            return self._run(*values)
        return declared.finished(self._jitted(*values))

    @property
    def graph(self) -> Graph | SymbolicGraph:
        """The graph: with declared tensors the one of all sizes, made at definition, else that of the last capture.

        Raises StateError before the first call where tensors are not declared, or no one graph serves all sizes.
        """
        if self._declared_graph is not None:
            return self._declared_graph
        if self._refusal and not self.capture_count:
            fail(
                "StateError",
                "invalid_value",
                f"{self.__name__}: no graph before a call, as there is no one graph for all sizes",
                hint="call it once; a loop over rows may be px.scan() or px.map()",
                because=self._refusal,
            )
        return self._jitted.graph

    @property
    def capture_count(self) -> int:
        """How often the function was captured by calls."""
        return self._jitted.capture_count

    def explain(self) -> str:
        """As that of px.jit: each graph and its captures; and why no one graph serves all declared sizes, if so."""
        text = self._jitted.explain()
        return f"{text}\n  no one graph for all sizes: {self._refusal}" if self._refusal else text

    @property
    def compile_count(self) -> int:
        """How many graphs there are, if captures that differ in sizes only are one."""
        return self._jitted.compile_count

    def assert_compiled(self, max_compiles: int = 1) -> None:
        """From now on a graph beyond this number raises GraphError; raises it at once if there were more already."""
        self._jitted.assert_compiled(max_compiles)

    def __repr__(self) -> str:
        return f"<script {self.__name__}{self._declared.signature}>"
