"""Functions of the program that cannot be rewritten, as their source is not at hand: what their code names is watched."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from contextlib import suppress
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from .._phlox import Module, Tensor
from .._structures import PLAIN
from ._backend import DELETED, Session, current

_DEPTH = 3  # of attributes of attributes


def watched(function: FunctionType) -> Any:
    """What to call instead of the function: beforehand the capture hears of all that the function may read."""

    def call(*arguments: Any, **keywords: Any) -> Any:
        if (session := current.session) is not None:
            watch(session, function, (*arguments, *keywords.values()))
        return function(*arguments, **keywords)

    return functools.wraps(function)(call)


def watch(session: Session, function: FunctionType, arguments: Iterable[Any] = ()) -> None:
    _Watcher(session).watch(function, arguments)


class _Watcher:
    def __init__(self, session: Session) -> None:
        self._session = session
        self._seen: set[int] = set()

    def watch(self, function: FunctionType, arguments: Iterable[Any] = ()) -> None:
        if id(function) in self._seen:
            return
        self._seen.add(id(function))
        self._session.note_function(function)
        names = set(_names_in(function.__code__))
        owners = [*arguments, *self._variables(function, names)]
        for _ in range(_DEPTH):
            owners = [value for owner in owners for value in self._attributes(owner, names)]

    def _variables(self, function: FunctionType, names: set[str]) -> Iterable[Any]:
        from ._runtime import observe

        variables = function.__globals__
        for name in names & variables.keys():
            observe(self._session, "global", variables, name, variables[name])
            yield variables[name]
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
            with suppress(ValueError):  # of a cell without a value
                observe(self._session, "free", cell, name, cell.cell_contents)
                yield cell.cell_contents

    def _attributes(self, owner: Any, names: set[str]) -> Iterable[Any]:
        from ._conversion import is_users
        from ._runtime import Unit

        function = getattr(owner, "__func__", owner) if isinstance(owner, MethodType) else owner
        if type(function) is FunctionType:
            if is_users(function):
                self.watch(function)
            return
        if isinstance(owner, (*PLAIN, Tensor)):
            return
        known = set(getattr(owner, "__dict__", ()))
        if not isinstance(owner, ModuleType):
            known.update(name for cls in type(owner).__mro__ for name in cls.__dict__)
        for name in names if isinstance(owner, Module) else names & known:
            value = getattr(owner, name, DELETED)
            if value is not DELETED:
                yield Unit.attribute(owner, name, value)


def _names_in(code: CodeType) -> Iterable[str]:
    yield from code.co_names
    for part in code.co_consts:
        if isinstance(part, CodeType):
            yield from _names_in(part)
