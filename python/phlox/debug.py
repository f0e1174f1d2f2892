"""What a program does, told while it runs: how much Phlox says (docs/debugging.md lists the levels), and what one asks."""

from __future__ import annotations

import string
from builtins import format as format_of
from collections.abc import Callable
from os import PathLike
from typing import Any

from ._failure import fail
from ._phlox import (
    Finding,
    Graph,
    Tensor,
    _bisect,
    _debug_callback,
    _debug_level,
    _debug_print,
    _DebugLevel,
    _diff,
    _first_difference,
    _replay,
    _replay_text,
    _save_tensorboard_graph,
)

__all__ = [
    "Finding",
    "bisect",
    "callback",
    "current_level",
    "diff",
    "first_difference",
    "level",
    "print",
    "replay",
    "replay_text",
    "save_tensorboard_graph",
]


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
    if not isinstance(format, str):
        what = "a tensor" if isinstance(format, Tensor) else f"a {type(format).__name__}"
        fail(
            "TypeError",
            "wrong_argument_type",
            f"print: the first argument is a format, a text, and not {what}",
            'px.debug.print("{}", x)',
        )
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
    if others := [type(value).__name__ for value in tensors if not isinstance(value, Tensor)]:
        fail(
            "TypeError",
            "wrong_argument_type",
            f"callback: the function is called with tensors, not with {others[0]}",
            "functools.partial(function, value), or a lambda, for what is no tensor",
        )
    _debug_callback(function, list(tensors), name)


def replay(path: str | PathLike[str]) -> list[Tensor]:
    """Runs the operation again that `px.trap_nonfinite()` has written to this file, on the same inputs; its results.

    Raises StateError where the operation overwrote an input, which then is not in the file.
    """
    return _replay(path)


def replay_text(path: str | PathLike[str]) -> str:
    """What is in such a file: the operation as a graph of one node, with the place that it comes from."""
    return _replay_text(path)[2]


def diff(first: Any, second: Any) -> str:
    """What differs in two graphs, whatever their numbers: lines with "-" are in the first only, with "+" in the second.

    Graphs, or functions that were captured. "the graphs are equal" where they are.

        >>> graph = px.trace(lambda x: px.relu(x) * 1, px.ones(3)).graph
        >>> print(px.debug.diff(graph, graph.optimize()))
          %0: f32[3] = relu(%x0)
        - %1: f32[3] = mul(%0, 1)
        - return %1
        + return %0
        1 nodes equal, 0 changed, 1 only in the first, 0 only in the second
    """
    return _diff(_graph_of(first), _graph_of(second))


def _graph_of(value: Any) -> Graph:
    graph = value if isinstance(value, Graph) else getattr(value, "graph", None)
    if not isinstance(graph, Graph):
        fail(
            "TypeError",
            "wrong_argument_type",
            f"a {type(value).__name__} is no graph",
            "px.trace(function, ...)",
        )
    return graph


def first_difference(first: Any, second: Any, inputs: list[Tensor], tolerance: float = 0.0) -> Finding | None:
    """The first node that is in both graphs and gives other values for these inputs; None where all results agree.

    Values differ that are further apart than `tolerance`; for 0, in any bit.
    """
    return _first_difference(_graph_of(first), _graph_of(second), inputs, tolerance)


def bisect(
    function: Any, *args: Any, passes: list[str] | None = None, tolerance: float = 0.0, **kwargs: Any
) -> Finding | None:
    """Where a captured function begins to compute something else than the kernels of eager execution; None: nowhere.

    The graph of `function(*args)`, or a graph with its inputs, runs node by node, as it does when called, and after each
    pass (those of px.jit unless `passes` names some). The first pass that changes a result by more than `tolerance` is
    named, with the first node, its line in the program, and the values. Nothing of the program is changed.

        >>> px.debug.bisect(net.forward, images, passes=["fold_batch_norm"], tolerance=1e-3)
    """
    if isinstance(function, Graph):
        return _bisect(function, list(args), passes, tolerance)
    from ._graph_tools import captured_call

    captured, tensors = captured_call(function, args, kwargs)
    return _bisect(captured.graph, captured.inputs_for(tensors), passes, tolerance)


def save_tensorboard_graph(folder: str | PathLike[str], graph: Any) -> str:
    """Writes a graph, or that of a captured function, to a new event file of TensorBoard in the folder; the file's path.

    Nodes stand in the scopes of the modules that they come from.

        >>> px.debug.save_tensorboard_graph("logs", step)  # then: tensorboard --logdir logs
    """
    return _save_tensorboard_graph(folder, _graph_of(graph))
