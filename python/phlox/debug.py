"""What a program does, told while it runs: how much Phlox says (docs/debugging.md lists the levels), and what one asks."""

from __future__ import annotations

import string
from builtins import format as format_of
from collections.abc import Callable
from typing import Any

from ._failure import fail
from ._phlox import Tensor, _debug_callback, _debug_level, _debug_print, _DebugLevel

__all__ = ["callback", "current_level", "level", "print"]


class level(_DebugLevel):  # noqa: N801
    """Sets the debug level of this thread, from 0 to 7, for a `with` block. Outside of all it is that of PHLOX_DEBUG.

    Raises ValueError for another number.

        >>> with px.debug.level(1):
        ...     graph = graph.optimize()  # says in a line each, on standard error, what the passes changed
    """


def current_level() -> int:
    """The debug level that holds now in this thread."""
    return _debug_level()


def print(format: str, *args: Any, **kwargs: Any) -> None:  # noqa: A001
    """Prints a line, as `print(format.format(...))` does, in captured functions too: at each call, with the values there.

    Lines come in the program's order, from branches and loops as well. A format such as `{:.3f}` is for tensors of one
    element. What is no tensor is formatted when the function is captured. Where a gradient has to run a part of a captured
    function again, nothing is printed again. Raises ValueError for a format that does not fit.

        >>> @px.jit
        ... def step(x):
        ...     loss = (x * x).mean()
        ...     px.debug.print("loss {:.2f} of {}", loss, x)
        ...     return loss
        >>> loss = step(px.tensor([1.0, 2.0]))
        loss 2.50 of tensor([1., 2.])
    """
    tensors: list[Tensor] = []
    text = ""
    next_position = 0
    for literal, field, spec, conversion in _pieces(format):
        text += _escaped(literal)
        if field is None:
            continue
        name: int | str = field
        if field == "":
            name = next_position
            next_position += 1
        elif field.isdigit():
            name = int(field)
        try:
            value = args[name] if isinstance(name, int) else kwargs[name]
        except (IndexError, KeyError):
            fail("ValueError", "invalid_value", f"print: there is no argument for {{{field}}}", format=format)
        if isinstance(value, Tensor):
            text += f"{{{len(tensors)}:{spec}}}" if spec else f"{{{len(tensors)}}}"
            tensors.append(value)
            continue
        try:
            text += _escaped(format_of(string.Formatter().convert_field(value, conversion), spec or ""))
        except (TypeError, ValueError):
            fail(
                "ValueError",
                "invalid_value",
                f"print: '{spec}' is no format of a {type(value).__name__}",
                format=format,
            )
    if next_position < len(args) and sum(isinstance(arg, Tensor) for arg in args) > len(tensors):
        fail("ValueError", "invalid_value", "print: more tensors than the format has {}", format=format)
    _debug_print(text, tensors)


def _pieces(format: str) -> list[tuple[str, str | None, str | None, str | None]]:  # noqa: A002
    try:
        return list(string.Formatter().parse(format))
    except ValueError as error:
        fail(
            "ValueError",
            "invalid_value",
            f"print: {str(error).lower()}",
            "{} for each tensor, and {{ for a brace",
            format=format,
        )


def _escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def callback(function: Callable[..., Any], *tensors: Tensor) -> None:
    """Calls `function(*tensors)`, in captured functions too: at each call, with copies of the values there.

    In the program's order with other callbacks and px.debug.print(). The result of the function is not looked at; what it
    raises ends the call. A graph with a callback can be printed, but its text cannot be read back: a function is an object
    of the program.

        >>> losses = []
        >>> @px.jit
        ... def step(x):
        ...     loss = (x * x).mean()
        ...     px.debug.callback(losses.append, loss)
        ...     return loss
        >>> loss = step(px.tensor([1.0, 2.0]))
        >>> losses
        [tensor(2.5000)]
    """
    if not callable(function):
        fail("TypeError", "wrong_argument_type", f"callback: a {type(function).__name__} cannot be called")
    name = getattr(function, "__qualname__", type(function).__name__)
    _debug_callback(function, list(tensors), name)
