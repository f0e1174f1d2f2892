"""How code written in Python raises the library's errors: with code, place, names and cure."""

from typing import Any, NoReturn

from . import _phlox


def fail(kind: str, code: str, summary: str, hint: str = "", **details: Any) -> NoReturn:
    """Raises `phlox.errors.<kind>` with the code of this name; details are tensors or texts."""
    _phlox._fail(kind, code, summary, details, hint)
    raise AssertionError("_fail() always raises")
