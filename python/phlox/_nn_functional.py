"""The operations that live in px.nn.functional."""

from ._homes import fill

fill(globals(), "nn.functional")
