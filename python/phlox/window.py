"""The windows of px.signal.windows under a shorter name: px.window.hann(512)."""

from ._homes import fill as _fill

_fill(globals(), "signal.windows")
