"""convert(): the same function, whose control flow, loads and calls go through the capture."""

from __future__ import annotations

import ast
import functools
import inspect
import weakref
from collections.abc import Callable
from types import BuiltinMethodType, CellType, CodeType, FunctionType, MethodType
from typing import Any, TypeVar

from .. import _phlox
from ..debug import callback
from ._backend import current
from ._compilation import bind, compile_function, future_flags, is_converted
from ._host_calls import ASKED, as_it_is, asked, by_class
from ._impure import check
from ._interception import intercept, intercept_other, logged, with_functions
from ._libraries import is_left_alone, is_of_package, is_of_phlox
from ._plan import Plan
from ._refusals import refuse
from ._runtime import Unit
from ._source import source_of
from ._trees import UNIT, Normalizer
from ._unrewritten import watched

Function = TypeVar("Function", bound=Callable[..., Any])

_MARK = "__phlox_do_not_convert__"

# By identity of code objects.
_plans: dict[int, tuple[CodeType, CodeType | None, Plan | None]] = {}
_users: dict[int, tuple[CodeType, bool]] = {}
_KEPT = "__phlox_converted__"  # in the function's own dictionary, so that both go together


def do_not_convert(function: Function) -> Function:
    """Marks a function that is called as it is while it is captured: its control flow runs in Python.

    Example:
        @px.capture.do_not_convert
        def log(message):
            ...
    """
    setattr(getattr(function, "__func__", function), _MARK, True)
    return function


def convert(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with its control flow, reads and writes of host state, and calls open to a capture.

    It shares defaults, closure cells and globals with `function`, and does the same on ordinary values. A method gives a
    method. A function whose source is not at hand comes back as it is; GraphError for one that cannot be captured.
    """
    if isinstance(function, MethodType):
        return MethodType(convert(function.__func__), function.__self__)
    return _converted(function) if isinstance(function, FunctionType) else converted_callable(function)


def converted_callable(target: Any) -> Any:
    """What to call instead of `target`: converted code for the program's functions, else itself, watched."""
    kind = type(target)
    if kind is FunctionType:
        _refuse_async(target)
        if is_users(target):
            return _noted(target)
        check(target)
        made = intercept_other(target)
        return _of_library(target) if made is target else made
    if kind is MethodType:
        function = target.__func__
        if type(function) is _phlox.OperationMethod:
            return _of_backend(target)
        if type(function) is not FunctionType or not is_users(function):
            check(target)
            return _of_library(target, target.__self__)
        return MethodType(_noted(function), target.__self__)
    if kind is BuiltinMethodType or kind is type:
        check(target)
        made = intercept(target)
        if made is not target:
            return made
        watched = as_it_is(target, getattr(target, "__self__", None))
        return watched if current.session is None else current.session.backend.callee(target, watched)
    if isinstance(target, functools.partial) and kind.__call__ is functools.partial.__call__:
        inner = converted_callable(target.func)
        return target if inner is target.func else functools.partial(inner, *target.args, **target.keywords)
    if isinstance(target, _phlox.Operation):
        check(target)
        return _of_backend(target)
    if isinstance(target, type):
        return target
    method = getattr(kind, "__call__", None)  # noqa: B004
    if type(method) is FunctionType and is_users(method):
        if current.session is not None and id(target) not in current.session.made:
            Unit.attribute(target, "__call__", MethodType(method, target))
        return MethodType(_noted(method), target)
    check(target)
    made = intercept_other(target)
    # A phlox module among others: its forward() is converted when the module calls it.
    if kind is type(_phlox.as_tensor):
        made = _of_backend(made)
        return with_functions(made) if is_of_phlox(target) else made
    if not callable(target):
        return target  # for Python's own error
    if made is not target or is_of_package(kind):
        if made is not target:
            return made
        if target in ASKED:
            return asked(target)
        return with_functions(target) if is_of_phlox(target) else target
    return as_it_is(target, target)


def _of_library(target: Any, owner: Any = None) -> Any:
    """A function of a library, with functions of the program in its closure converted."""
    if current.session is None:
        return target
    function = getattr(target, "__func__", target)
    if type(function) is not FunctionType:
        return as_it_is(target, owner)
    if is_converted(function.__code__):
        return target
    if function.__module__ == "logging":
        return logged(target, as_it_is(target, owner))
    if function in ASKED:
        return asked(target)
    if owner is None:
        if hasattr(target, "dispatch") and hasattr(target, "registry"):
            return by_class(target)
        target = _rebound(target)
    if is_of_phlox(function):
        # What a callback is given runs with the graph, and not in the capture.
        return target if function is callback else with_functions(target)
    return as_it_is(target, owner)


def _rebound(function: FunctionType) -> FunctionType:
    """The function, such as one that contextlib.contextmanager made, over converted functions of the program."""
    cells = function.__closure__ or ()
    try:
        given = [cell.cell_contents for cell in cells]
    except ValueError:  # a cell without a value
        return function
    made = [converted_callable(v) if type(v) is FunctionType and is_users(v) else v for v in given]
    if all(a is b for a, b in zip(given, made)):
        return function
    rebound = FunctionType(
        function.__code__,
        function.__globals__,
        function.__name__,
        function.__defaults__,
        tuple(map(CellType, made)),
    )
    rebound.__kwdefaults__ = function.__kwdefaults__
    return rebound


def _of_backend(target: Any) -> Any:
    return target if current.session is None else current.session.backend.callee(target)


Unit.convert = staticmethod(converted_callable)


def _refuse_async(function: FunctionType) -> None:
    if function.__code__.co_flags & (inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR):
        refuse("async_function", function=function.__name__)


def is_users(function: FunctionType) -> bool:
    """Whether a function is the program's own, and not of this package, NumPy or the standard library."""
    code = function.__code__
    if is_converted(code):
        return False
    known = _users.get(id(code))
    if known is None:
        known = _users[id(code)] = (code, not is_left_alone(code.co_filename))
    return known[1] and not getattr(function, _MARK, False)


def _noted(function: FunctionType) -> Any:
    """The converted function; the capture under way depends on its code."""
    made = _converted(function)
    if current.session is None:
        return made
    current.session.note_function(function)
    return watched(function) if made is function else made


def _converted(function: FunctionType) -> Any:
    entry = function.__dict__.get(_KEPT)
    # functools.wraps() copies it to other functions.
    if entry is not None and entry[0]() is function and entry[1] is function.__code__:
        made = entry[2]
        if made is None:
            return function
        if made.__defaults__ is function.__defaults__ and made.__kwdefaults__ is function.__kwdefaults__:
            return made
    made = _convert_now(function)
    function.__dict__[_KEPT] = (weakref.ref(function), function.__code__, made)
    return function if made is None else made


def _convert_now(function: FunctionType) -> Any:
    """A new function over the converted code; None where the source is not at hand."""
    code = function.__code__
    entry = _plans.get(id(code))
    if entry is None:
        entry = _plans[id(code)] = (code, *_plan_of(function))
    _, made_code, plan = entry
    if made_code is None or plan is None:
        return None
    cells = dict(zip(code.co_freevars, function.__closure__ or ()))
    unit = Unit(plan, function.__globals__, cells)
    made = bind(made_code, function.__globals__, {**cells, UNIT: CellType(unit)})
    made.__defaults__, made.__kwdefaults__ = function.__defaults__, function.__kwdefaults__
    made.__name__, made.__qualname__, made.__doc__ = (
        function.__name__,
        function.__qualname__,
        function.__doc__,
    )
    made.__module__, made.__annotations__ = function.__module__, function.__annotations__
    if hasattr(function, "__type_params__"):
        made.__type_params__ = function.__type_params__  # type: ignore[attr-defined]
    made.__dict__.update({name: value for name, value in function.__dict__.items() if name != _KEPT})
    return made


def _plan_of(function: FunctionType) -> tuple[CodeType | None, Plan | None]:
    _refuse_async(function)
    code = function.__code__
    source = source_of(function)
    if source is None:
        return None, None
    node = Normalizer(source.class_name).visit(source.node)
    if not isinstance(node, ast.Lambda):
        node.name = code.co_name
    plan = Plan(code.co_filename, function.__qualname__, future_flags(code), function.__globals__)
    return compile_function(plan, node, code.co_freevars), plan
