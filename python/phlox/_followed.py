"""Functions of the program that Phlox calls, such as hooks: while something is captured, it follows what they read."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any


def _session() -> Any:
    """The capture under way, if there is one."""
    # Not imported before something is captured.
    backend = sys.modules.get("phlox.capture._backend")
    return None if backend is None or not backend.active else backend.current.session


def now(function: Callable[..., Any]) -> Callable[..., Any]:
    """What to call in place of the function now."""
    if _session() is None:
        return function
    from .capture._runtime import converted_part

    return converted_part(function)


def now_of(owner: Any, name: str) -> Any:
    """The same of a function that is an attribute, which may be another one at the next call."""
    function = getattr(owner, name)
    if _session() is None:
        return function
    from .capture._runtime import Unit

    Unit.attribute(owner, name, function)
    return function if function is None else now(function)


def expect(owner: Any, name: str) -> None:
    """The attribute was just set, and is put back in the end: what it is now is nothing that may change."""
    session = _session()
    if session is not None:
        session.is_known("attribute", owner, name, getattr(owner, name))


def made(value: Any) -> Any:
    """An object that is new, and so belongs to the captured call; gives it back."""
    session = _session()
    return value if session is None else session.add_new(value)


def followed(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, for later calls."""

    def call(*arguments: Any, **keywords: Any) -> Any:
        return now(function)(*arguments, **keywords)

    return functools.update_wrapper(call, function)
