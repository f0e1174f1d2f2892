"""Control flow of captured functions, read from their source: `if`, `while`, `for` and the like on tensors.

    @px.capture.do_not_convert
    def log(message): ...        # called as it is while something is captured

`convert(f)` is f, rewritten so that a `Backend` hears of each condition, loop, read and write that depends on what is not
known yet. On ordinary values it does what f does. docs/control-flow.md tells what is converted and what is refused.
"""

from ._backend import ANYTHING, DELETED, Backend, Place, Session, Undefined, capturing
from ._conversion import convert, do_not_convert
from ._refusals import REFUSALS, refuse

__all__ = [
    "ANYTHING",
    "DELETED",
    "REFUSALS",
    "Backend",
    "Place",
    "Session",
    "Undefined",
    "capturing",
    "convert",
    "do_not_convert",
    "refuse",
]
