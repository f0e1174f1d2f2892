"""The operations that live in px.fft."""

from ._homes import fill as _fill

_fill(globals(), "fft")
