"""Functions that are called as they are, those of libraries: what they read of the program is watched, what they change
is refused."""

from __future__ import annotations

import builtins
import functools
import io
import logging
import os
import pathlib
import queue
import sys
import weakref
from abc import ABCMeta
from collections import deque
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

from .. import _phlox
from .._contents import contents, holds_objects
from .._phlox import Tensor
from .._settings import are_deterministic_algorithms_enabled
from .._structures import LENSES, PLAIN, is_array, is_container
from ._backend import Session, current, place
from ._impure import check_arguments, check_iterable
from ._libraries import is_of_package
from ._refusals import refuse

_NEVER = frozenset((*PLAIN, Tensor, type, slice, range))
# These look at no more than which object it is, or show it.
_HARMLESS = frozenset(
    (builtins.type, builtins.id, builtins.callable, builtins.super, builtins.property, *PLAIN)
)
_TESTS = (builtins.isinstance, builtins.issubclass)
_FUNCTIONS = (BuiltinFunctionType, FunctionType, MethodType)
_LRU = type(functools.lru_cache(int))
_EXACT = frozenset((list, dict, set, frozenset, tuple, deque, *PLAIN))  # their methods were looked at by name
_SHOWING = ("logging", "warnings", "traceback", "pdb", "bdb", "inspect", "typing", "abc", "contextlib")


def as_it_is(target: Any, owner: Any = None) -> Any:
    """What to call instead of a function that is not rewritten; `owner` is the object whose method it is."""
    if _is_asked(target, owner):
        return asked(target)
    if owner is not None and type(owner) in _EXACT and target.__name__ not in ("__iter__", "__reversed__"):
        return target
    if isinstance(owner, io.TextIOBase) or is_of_package(type(owner)):
        return target
    try:
        if target in _HARMLESS:
            return target
    except TypeError:  # without a hash
        pass
    if getattr(target, "__module__", None) in _SHOWING:
        return shown(target)
    return functools.partial(_call, target, owner)


def _call(target: Any, owner: Any, *arguments: Any, **keywords: Any) -> Any:
    session = current.session
    if session is None:
        return target(*arguments, **keywords)
    if target in _TESTS:
        return _test(session, target, arguments)
    check_arguments(target, arguments, keywords)
    given = list(_objects(session, (owner, *arguments, *keywords.values())))
    held = [(value, depth, contents(value)) for value, depth in given]
    for value, _ in given:
        check_iterable(value)
    sets = isinstance(owner, queue.SimpleQueue) or (
        isinstance(owner, ContextVar) and target.__name__ != "get"
    )
    if sets and id(owner) not in session.made:
        session.backend.mutate("method", owner, target.__name__, None, place())
    for value, depth, before in held:
        if depth is None and holds_objects(value):
            observe(session, "contents", value, None, before)
    result = target(*arguments, **keywords)
    for value, depth, before in held:
        if contents(value) != before:
            name = getattr(target, "__name__", type(target).__name__)
            if depth is None:
                session.backend.mutate("method", value, name, None, place())
            else:
                refuse("mutation_in_region", what=f"the {type(value).__name__}")
    if _is_object(result):
        # Held by nothing but the variable and the argument: it was made by the call.
        if sys.getrefcount(result) == 2 and not _is_view(result):
            session.add_new(result)
        elif id(result) not in session.made and is_container(result):
            observe(session, "contents", result, None, contents(result))
    return result


def _objects(session: Session, values: Any) -> Iterator[tuple[Any, int | None]]:
    """What a call might look into or change: what was there before the capture, or before the branch or loop."""
    for value in values:
        if not _is_object(value):
            continue
        depth = session.made_at(value)
        if type(value) is tuple or (depth is not None and depth >= session.depth):
            if isinstance(value, (list, tuple, set, frozenset)):
                yield from _objects(session, value)
            elif isinstance(value, dict):
                yield from _objects(session, value.values())
        else:
            yield value, depth


def _is_object(value: Any) -> bool:
    return type(value) not in _NEVER and not isinstance(value, (type, Tensor, FunctionType))


def _is_view(value: Any) -> bool:
    """Whether a new object shows memory of another one."""
    return (is_array(value) and getattr(value, "base", None) is not None) or isinstance(value, LENSES)


def observe(session: Session, kind: str, owner: Any, name: Any, value: Any) -> None:
    if not session.is_known(kind, owner, name, None):
        session.backend.observe(kind, owner, name, value, place())


# --- calls whose result is compared at each call of the captured function


def _is_asked(target: Any, owner: Any) -> bool:
    if type(target) not in _FUNCTIONS:
        return isinstance(target, (_LRU, weakref.ref))
    return (
        (isinstance(owner, ContextVar) and target.__name__ == "get")
        or (isinstance(owner, type) and target.__name__ == "__subclasses__")
        or (isinstance(owner, logging.Logger) and target.__name__ in ("isEnabledFor", "getEffectiveLevel"))
        or getattr(target, "__func__", target) in ASKED
    )


def asked(target: Any) -> Any:
    """A function that is called again by each call of the captured one, to see whether it gives the same."""

    def call(*arguments: Any, **keywords: Any) -> Any:
        session = current.session
        if session is None:
            return target(*arguments, **keywords)
        if type(target) is not _LRU:
            result = target(*arguments, **keywords)
        elif any(map(session.backend.is_symbolic, (*arguments, *keywords.values()))):
            refuse("cache", name=target.__name__)
        else:  # what it keeps is for others too
            result = _phlox._outside_capture(lambda: target(*arguments, **keywords))
        session.backend.observe("call", target, (arguments, keywords), result, place())
        return result

    return call


ASKED: frozenset[Any] = frozenset(
    (
        builtins.dir,
        sys.getrecursionlimit,
        os.getcwd,
        _phlox.get_num_threads,
        are_deterministic_algorithms_enabled,
        *(getattr(os.path, name) for name in "exists lexists isfile isdir islink getsize getmtime".split()),
        *(getattr(pathlib.Path, name) for name in "exists is_file is_dir is_symlink".split()),
    )
)


def by_class(function: Any) -> Any:
    """A function of functools.singledispatch."""
    from ._conversion import converted_callable

    def call(*arguments: Any, **keywords: Any) -> Any:
        if not arguments:
            return function(*arguments, **keywords)
        chosen = asked(function.dispatch)(type(arguments[0]))
        return converted_callable(chosen)(*arguments, **keywords)

    return call


def _test(session: Session, target: Any, arguments: tuple[Any, ...]) -> Any:
    """isinstance() and issubclass(); classes of which others may say later that they belong to them are asked again."""
    result = target(*arguments)
    kinds = arguments[1] if type(arguments[1]) is tuple else arguments[1:]
    if any(isinstance(kind, ABCMeta) for kind in kinds) and not isinstance(arguments[0], (*PLAIN, Tensor)):
        if id(arguments[0]) not in session.made:
            session.backend.observe("call", target, (arguments, {}), result, place())
    return result


def shown(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that shows values: what it reads of them does not matter to the graph."""

    def call(*arguments: Any, **keywords: Any) -> Any:
        before, current.session = current.session, None
        try:
            return function(*arguments, **keywords)
        finally:
            current.session = before

    return call
