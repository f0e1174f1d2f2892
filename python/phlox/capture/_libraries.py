"""Which code is the program's own, and which that of Python, NumPy, Phlox and other packages."""

from __future__ import annotations

import sysconfig
from os import path
from types import FunctionType
from typing import Any

import numpy

from .._phlox import Operation, OperationMethod

_PACKAGE = path.dirname(path.dirname(path.abspath(__file__))) + path.sep
_NUMPY = path.dirname(path.abspath(numpy.__file__)) + path.sep
_LIBRARY = tuple({sysconfig.get_path(name) + path.sep for name in ("stdlib", "platstdlib")})
_PACKAGES = tuple({sysconfig.get_path(name) + path.sep for name in ("purelib", "platlib")})


_OPERATIONS = (Operation, OperationMethod)


def is_left_alone(file: str) -> bool:
    """Whether functions of the file are called as they are: those of the standard library, NumPy and Phlox."""
    library = file.startswith(_LIBRARY) and not file.startswith(_PACKAGES)
    return library or file.startswith((_PACKAGE, _NUMPY, "<frozen"))


def is_of_package(cls: type) -> bool:
    """Whether a class is one of Phlox."""
    return cls in _OPERATIONS or str(cls.__module__).partition(".")[0] in ("phlox", "nanobind")


def is_of_phlox(function: Any) -> bool:
    """Whether a function or method is Phlox's, in Python or bound."""
    if type(function) is FunctionType:
        return function.__code__.co_filename.startswith(_PACKAGE)
    return type(function).__module__ == "nanobind"
