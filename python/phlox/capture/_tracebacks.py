"""Errors in branches and loops show the program's lines, and not how these came to be run."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from os import path
from types import TracebackType
from typing import Any, TypeVar

from ._backend import current

Function = TypeVar("Function", bound=Callable[..., Any])
_PACKAGE = path.dirname(path.abspath(__file__)) + path.sep


def short(function: Function) -> Function:
    """The function, through which errors pass without the frames of this package and of the backend."""

    @functools.wraps(function)
    def call(*arguments: Any) -> Any:
        try:
            return function(*arguments)
        except BaseException as error:
            raise error.with_traceback(_shortened(error.__traceback__))  # noqa: B904 - the same error, with its own cause

    return call  # type: ignore[return-value]


def _shortened(trace: TracebackType | None) -> TracebackType | None:
    backend = current.session and sys.modules.get(type(current.session.backend).__module__)
    file = getattr(backend, "__file__", None)
    kept = []
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if not name.startswith(_PACKAGE) and name != file:
            kept.append(trace)
        trace = trace.tb_next
    shortened: TracebackType | None = None
    for part in reversed(kept):
        shortened = TracebackType(shortened, part.tb_frame, part.tb_lasti, part.tb_lineno)
    return shortened
