"""How much Phlox says about what it does: docs/debugging.md lists the levels."""

from __future__ import annotations

from ._phlox import _debug_level, _DebugLevel

__all__ = ["current_level", "level"]


class level(_DebugLevel):  # noqa: N801
    """Sets the debug level of this thread, from 0 to 7, for a `with` block. Outside of all it is that of PHLOX_DEBUG.

    Raises ValueError for another number.

        >>> with px.debug.level(1):
        ...     graph = graph.optimize()  # says in a line each, on standard error, what the passes changed
    """


def current_level() -> int:
    """The debug level that holds now in this thread."""
    return _debug_level()
