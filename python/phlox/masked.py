"""Reductions, scans and normalisations of the elements where a mask is true: the operations that live in px.masked."""

from ._homes import fill as _fill

_fill(globals(), "masked")
