"""The operations that live in px.special."""

from ._homes import fill

fill(globals(), "special")
