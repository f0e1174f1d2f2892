"""The operations that live in px.linalg."""

from ._homes import fill

fill(globals(), "linalg")
