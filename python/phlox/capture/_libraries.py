"""Which code is the program's own, and which that of Python, NumPy, Phlox and other packages."""

from __future__ import annotations

import sysconfig
from os import path
from types import FunctionType, ModuleType
from typing import Any

import numpy

_PACKAGE = path.dirname(path.dirname(path.abspath(__file__))) + path.sep
_NUMPY = path.dirname(path.abspath(numpy.__file__)) + path.sep
_LIBRARY = tuple({sysconfig.get_path(name) + path.sep for name in ("stdlib", "platstdlib")})
_PACKAGES = tuple({sysconfig.get_path(name) + path.sep for name in ("purelib", "platlib")})


def is_left_alone(file: str) -> bool:
    """Whether functions of the file are called as they are: those of the standard library, NumPy and Phlox."""
    library = file.startswith(_LIBRARY) and not file.startswith(_PACKAGES)
    return library or file.startswith((_PACKAGE, _NUMPY, "<frozen"))


def is_of_phlox(function: Any) -> bool:
    """Whether a function or method is Phlox's, in Python or bound."""
    if type(function) is FunctionType:
        return function.__code__.co_filename.startswith(_PACKAGE)
    return type(function).__module__ == "nanobind"


def is_library(module: ModuleType) -> bool:
    """Whether the functions and classes of a module are not the program's to exchange."""
    file = getattr(module, "__file__", None)
    if file is None:  # built into Python, or made by the program
        return module.__spec__ is not None
    return is_left_alone(file) or file.startswith((*_PACKAGES, *_LIBRARY))
