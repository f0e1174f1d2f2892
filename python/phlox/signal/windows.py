"""The windows that live in px.signal.windows."""

from .._homes import fill as _fill

_fill(globals(), "signal.windows")
