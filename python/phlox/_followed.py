"""Functions of the program that Phlox calls, such as hooks: while something is captured, it follows what they read."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any


def now(function: Callable[..., Any]) -> Callable[..., Any]:
    """What to call in place of the function now."""
    # Not imported before something is captured.
    backend = sys.modules.get("phlox.capture._backend")
    if backend is None or not backend.active or backend.current.session is None:
        return function
    from .capture._runtime import converted_part

    return converted_part(function)


def followed(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, for later calls."""

    def call(*arguments: Any, **keywords: Any) -> Any:
        return now(function)(*arguments, **keywords)

    return functools.update_wrapper(call, function)
