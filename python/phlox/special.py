"""The operations that live in px.special."""

from ._homes import fill as _fill

_fill(globals(), "special")
