"""The errors of Phlox. Each derives from `PhloxError` and from the built-in class that fits it.

The text has a code, what was expected, the line of the program and a cure; `error.code` is the entry in the catalogue.
"""

from ._phlox import (
    AssertionError,
    DeviceError,
    DTypeError,
    FileError,
    FileNotFoundError,
    FormatError,
    GradientError,
    GraphError,
    IndexError,
    LinAlgError,
    NonFiniteError,
    NotSupportedError,
    OutOfMemoryError,
    PhloxError,
    ShapeError,
    StateError,
    TypeError,
    ValueError,
    _error_catalog,
    _explain_error,
)

__all__ = [
    "AssertionError",
    "DTypeError",
    "DeviceError",
    "FileError",
    "FileNotFoundError",
    "FormatError",
    "GradientError",
    "GraphError",
    "IndexError",
    "LinAlgError",
    "NonFiniteError",
    "NotSupportedError",
    "OutOfMemoryError",
    "PhloxError",
    "ShapeError",
    "StateError",
    "TypeError",
    "ValueError",
    "catalog",
    "explain",
]


def catalog() -> dict[str, tuple[str, str]]:
    """All codes with their name and title: `{"E0203": ("inner_sizes_differ", "Inner sizes of a product differ"), ...}`."""
    return {f"E{code:04}": (name, title) for code, name, title in _error_catalog()}


def explain(code):
    """The page of an error, such as "E0203": what it means, an example, the cure. The same as `phlox help E0203`."""
    return _explain_error(code)
