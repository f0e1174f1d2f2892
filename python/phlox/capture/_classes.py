"""Methods that Python calls by itself, such as `__mul__` and `__len__`, and properties: converted while something is captured.

No call of them stands in the program's text, so the classes of the objects that a capture meets have the converted ones
for as long as it runs. These do the same on ordinary values, so that other threads may use them meanwhile.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any

from .. import _phlox
from .._phlox import Tensor
from ._backend import current
from ._libraries import is_of_package

# Called under their names, by a rewritten call; or no part of what a program computes.
_LEFT = frozenset(
    "__init__ __new__ __call__ __del__ __reduce__ __reduce_ex__ __getstate__ __setstate__ "
    "__setattr__ __delattr__ __getattribute__ __class_getitem__ __init_subclass__ __set_name__ __post_init__ "
    "__instancecheck__ __subclasscheck__ __prepare__".split()
)
_CONTAINERS = (list, tuple, dict, set, frozenset)
_HEAP_TYPE = 1 << 9

_lock = threading.Lock()
_exchanged: dict[
    tuple[type, str], list[Any]
] = {}  # how many captures need it, the original, the converted one


class WatchedClasses:
    """The classes that one capture has met."""

    def __init__(self, observe: Callable[[str, Any, str, Any], None]) -> None:
        self._observe = observe
        self._known: set[type] = set()
        self._mine: list[tuple[type, str]] = []

    def meet(self, value: Any, depth: int = 3) -> None:
        """Watches the class of a value, and those of the elements of a container."""
        kind = type(value)
        if kind in _CONTAINERS and depth:
            for part in value.values() if kind is dict else value:
                if type(part) in _CONTAINERS or type(part).__flags__ & _HEAP_TYPE:
                    self.meet(part, depth - 1)
        elif isinstance(value, Tensor):
            if _phlox._is_around(value):
                self._observe("tensor", value, "", (value.dtype, value.shape, value.device))
        elif kind.__flags__ & _HEAP_TYPE and not is_of_package(kind) and not isinstance(value, ModuleType):
            self._observe("class", value, "__class__", kind)
            if kind not in self._known:
                self.watch(kind)

    def watch(self, kind: type) -> None:
        self._known.add(kind)
        found: dict[str, Any] = {}  # the methods that objects of the class have
        for cls in kind.__mro__:
            if not cls.__flags__ & _HEAP_TYPE or is_of_package(cls):
                continue
            for name, method in list(vars(cls).items()):
                method = original(cls, name, method)
                made = _converted_method(name, method)
                if made is not None:
                    self._exchange(cls, name, method, made)
                    found.setdefault(name, method)
        for name, method in found.items():
            self._observe("attribute", kind, name, method)

    def _exchange(self, cls: type, name: str, method: Any, made: Any) -> None:
        key = (cls, name)
        with _lock:
            entry = _exchanged.get(key)
            if entry is None:
                entry = _exchanged[key] = [0, method, made]
                setattr(cls, name, made)
            entry[0] += 1
        self._mine.append(key)

    def is_property(self, owner: Any, name: str) -> bool:
        """Whether it is a property that was converted: what it reads is watched, and its value may be another each time."""
        for cls in type(owner).__mro__:
            found = vars(cls).get(name)
            if found is not None:
                return type(found) is property and (cls, name) in _exchanged
        return False

    def leave(self) -> None:
        """Gives all classes back their own methods."""
        with _lock:
            for key in self._mine:
                entry = _exchanged[key]
                entry[0] -= 1
                if not entry[0]:
                    del _exchanged[key]
                    cls, name = key
                    if vars(cls).get(name) is entry[2]:
                        setattr(cls, name, entry[1])
        del self._observe  # it holds the session, which holds this


def original(owner: Any, name: str, method: Any) -> Any:
    """The program's own method, where the converted one was found."""
    for cls in owner.__mro__ if isinstance(owner, type) else type(owner).__mro__:
        entry = _exchanged.get((cls, name))
        if entry is not None and entry[2] is method:
            return entry[1]
    return method


def _converted_method(name: str, method: Any) -> Any:
    from ._conversion import is_users

    if type(method) is property:
        if type(method.fget) is FunctionType and is_users(method.fget):
            return property(_converted(method.fget), method.fset, method.fdel, method.__doc__)
        return None
    special = name.startswith("__") and name.endswith("__") and name not in _LEFT
    if not special or type(method) is not FunctionType:
        return None
    # One that a library has wrapped, such as the __repr__ of a dataclass, has its code elsewhere.
    return _converted(method) if is_users(method) else _reading_all(method)


def _converted(function: FunctionType) -> Callable[..., Any]:
    from ._conversion import converted_callable

    made = converted_callable(function)
    return _reading_all(function) if made is function else made


def _reading_all(function: FunctionType) -> Callable[..., Any]:
    """A method without source, such as the `__eq__` of a dataclass, is taken to read all attributes."""
    from ._runtime import Unit

    def call(*arguments: Any, **keywords: Any) -> Any:
        if current.session is not None:
            for owner in arguments:
                for name, value in list(getattr(owner, "__dict__", {}).items()):
                    Unit.attribute(owner, name, value)
        return function(*arguments, **keywords)

    return call
