"""Runs a function as it is and converted, and compares results, side effects, exceptions and their lines."""

import traceback
from contextlib import nullcontext
from os import path

import phlox.capture
from phlox.capture import Backend, capturing, convert

LOG = []
_PACKAGE = path.dirname(phlox.capture.__file__)


def note(value):
    """A side effect; gives the value back."""
    LOG.append(repr(value))
    return value


def run(function, arguments, keywords):
    LOG.clear()
    try:
        result = ("result", repr(function(*arguments, **keywords)))
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        # The frames of the program, as a traceback shows them; the first are those of this test.
        lines = [(f.filename, f.lineno, f.name) for f in frames if f.filename != __file__]
        result = ("error", type(error), str(error), lines)
    return result, list(LOG)


def compare(function, *arguments, **keywords):
    """Fails unless the converted function does the same, with and without a capture."""
    plain = run(function, arguments, keywords)
    made = convert(function)
    assert made is not function, "the source was not found"
    assert run(made, arguments, keywords) == plain
    with capturing(Backend()):
        result, log = run(made, arguments, keywords)
    if result[0] == "error":
        lines = [line for line in result[3] if not line[0].startswith(_PACKAGE)]
        result = (*result[:3], lines)
    assert (result, log) == plain


__all__ = ["LOG", "compare", "note", "nullcontext", "run"]
