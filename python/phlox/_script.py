"""px.script: a function as a graph, made from its source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._scripted import Script


def script(function: Any) -> Script:
    """The function as a graph, made from its source: checked as a whole when it is defined, and with its numbers as inputs.

        @px.script
        def power(x: "f32[b, 64]", n: int) -> "f32[b, 64]":
            result = px.ones_like(x)
            for _ in range(n):
                result = result * x
            return result

    It is `px.jit` with three things more. Every line, and every function of the program that it uses, must be of the
    subset in docs/script.md, and every name must exist: nothing waits for a call. Parameters annotated `int`, `float` or
    `bool` are inputs of the graph, so loops and conditions on them become part of it, and one capture serves all
    values. Tensors may be declared with dtype and sizes, which calls are held to; where all are, the graph is made
    at once: `print(power.graph)`. `function` may be a method or a module.

    Raises GraphError (E1002) for what cannot be in a script, with the line and a cure. Calls raise DTypeError, ShapeError
    and TypeError for arguments of other types than declared.
    """
    from ._scripted import Script  # only here, so that importing phlox does not cost it

    return Script(function)
