"""The operations that live in px.linalg."""

from ._homes import fill as _fill

_fill(globals(), "linalg")
