"""The operations that live in px.signal."""

from .._homes import fill as _fill
from . import windows as windows

_fill(globals(), "signal")
