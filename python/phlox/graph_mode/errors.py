"""The errors of sessions under TensorFlow's names. Each is also one of Phlox's errors, with its code and text.

Example:
    while True:
        try:
            session.run(train_op)
        except tf.errors.OutOfRangeError:  # the data set is at its end
            break
"""

from __future__ import annotations

from typing import Any, NoReturn, TypeVar

from .. import errors as _errors
from .._failure import fail as _fail


class OpError(_errors.PhloxError):
    """What went wrong when a graph ran."""

    @property
    def message(self) -> str:
        """The text."""
        return str(self)


class FailedPreconditionError(OpError, _errors.StateError):
    """Something was not ready, such as a variable without a value."""


class OutOfRangeError(OpError, _errors.StateError):
    """Nothing more comes: a data set is at its end, or a queue is closed and empty."""


class CancelledError(OpError, _errors.StateError):
    """The operation was given up, such as one that waited for a queue that was closed."""


class InvalidArgumentError(OpError, _errors.ValueError):
    """A value that the graph cannot take."""


class NotFoundError(OpError, _errors.FileNotFoundError):
    """Something that does not exist, such as a name in a checkpoint."""


_Kind = TypeVar("_Kind", bound=OpError)


def _raise(kind: type[_Kind], code: str, summary: str, hint: str = "", **details: Any) -> NoReturn:
    """Raises an error of this kind, with the text that Phlox's errors have."""
    base = next(k for k in kind.__mro__ if k.__module__ == "phlox.errors" and k is not _errors.PhloxError)
    try:
        _fail(base.__name__, code, summary, hint, **details)
    except _errors.PhloxError as error:
        raised = kind(*error.args)
        raised.__dict__.update(error.__dict__)
    raise raised from None


__all__ = [
    "CancelledError",
    "FailedPreconditionError",
    "InvalidArgumentError",
    "NotFoundError",
    "OpError",
    "OutOfRangeError",
]
