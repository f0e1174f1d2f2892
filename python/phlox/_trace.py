"""Tracing: a function is called once, and what it does with tensors is kept as a graph."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any

from . import _phlox
from ._failure import fail
from ._phlox import Graph, Tensor
from ._structures import first_positions, flatten, same, unflatten

MISSED = _phlox._missed()  # what a call of a captured function gives when it was not for it


def capture_function(
    function: Callable[..., Any],
    structure: Any,
    examples: list[Tensor],
    around: Callable[[], Iterable[Tensor]] = tuple,
) -> tuple[Any, Any]:
    """What the function does with arguments of this structure, (args, kwargs), and the structure of its result.

    `around` gives, when the function has run, tensors that were there before: the result holds these very ones.
    """
    from ._results import LeftBehind, with_stand_ins  # only here, so that importing phlox does not cost it

    result: Any = None

    def flat_function(tensors: list[Tensor]) -> list[Tensor]:
        nonlocal result
        for example, tensor in zip(examples, tensors):
            if type(example) is not Tensor:
                tensor.__class__ = type(example)
        tensors = [tensors[first] for first in first_positions(examples)]
        args, kwargs = unflatten(structure, tensors)
        left = LeftBehind(tensors)
        results: list[Tensor] = []
        result = flatten(_called(function, args, kwargs), results)
        left.check()
        result = with_stand_ins(result, results, tensors, around())
        return results

    captured = _phlox._trace(flat_function, examples)
    return captured, result


def _called(function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    try:
        return function(*args, **kwargs)
    except RecursionError:
        pass  # with all of its frames
    fail(
        "GraphError",
        "not_capturable",
        "a captured function calls itself without end: of a branch on a tensor both sides are captured",
        hint="a while loop, or a branch on a number of the program",
    )


class Traced:
    """A function that was traced. Calling it runs its graph; `graph` shows it.

    Arguments must be like those of the trace: the same structure, shapes and dtypes, and equal numbers and texts, which
    are part of the graph.
    """

    def __init__(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]):
        self.__name__ = getattr(function, "__name__", type(function).__name__)
        self.__doc__ = getattr(function, "__doc__", None)
        examples: list[Tensor] = []
        self._arguments = flatten((args, kwargs), examples)
        self._captured, result = capture_function(function, self._arguments, examples)
        self._call = _phlox._CapturedCall(args, kwargs, self._captured, result)

    @property
    def graph(self) -> Graph:
        """The graph of the function."""
        return self._captured.graph

    def optimize(self, passes: list[str] | None = None) -> Traced:
        """The same function with its graph after these passes; by default after those that keep every bit.

        `px.Graph.passes()` lists them. Raises ValueError for an unknown name.
        """
        fast = copy.copy(self)
        fast._captured = self._captured.optimize(passes)
        fast._call = self._call.with_captured(fast._captured)
        return fast

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        result = self._call.call(args, kwargs)
        if result is not MISSED:
            return result
        tensors: list[Tensor] = []
        if not same(flatten((args, kwargs), tensors), self._arguments):
            fail(
                "GraphError",
                "not_capturable",
                f"{self.__name__}: called with other arguments than those it was traced with",
                "trace it again: numbers, texts and the structure of arguments are part of a trace",
            )
        return self._call.run(tensors)

    def __repr__(self) -> str:
        return f"<traced {self.__name__}: {self.graph!r}>"


def trace(function: Any, *args: Any, **kwargs: Any) -> Any:
    """Calls the function once, with arguments like these, and keeps what it does with tensors as a graph.

    The function may be a module. Its Python code runs now, and never again: `if` and `while` on Python values, numbers
    and texts are decided here. Tensors that it reads besides its arguments stay the ones they are; what it writes in
    place, random numbers and gradients included, happens again at each call of the result.

    Raises GraphError where the function asks for the values of tensors (E1001), or does what cannot be captured (E1002).

        >>> double = px.trace(lambda x: px.relu(x) * 2, px.ones(3))
        >>> print(double.graph)
        graph(%x0: f32[3]) {
          %0: f32[3] = relu(%x0)
          %1: f32[3] = mul(%0, 2)
          return %1
        }
        >>> double(px.tensor([1.0, -2.0, 3.0]))
        tensor([2., 0., 6.])

    A tensor in place of the function is a matrix, and its trace the sum of its diagonal, as in PyTorch.
    """
    if isinstance(function, Tensor):
        return _phlox.trace(function, *args, **kwargs)
    return Traced(function, args, kwargs)
