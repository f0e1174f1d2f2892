"""The operations that live in px.fft."""

from ._homes import fill

fill(globals(), "fft")
