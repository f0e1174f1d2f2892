"""Methods that Python calls by itself, such as `__mul__` and `__len__`, and properties: converted while something is captured.

No call of them stands in the program's text, so the classes of the objects that a capture meets have the converted ones
for as long as it runs. These do the same on ordinary values, so that other threads may use them meanwhile.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import FunctionType
from typing import Any

from ._backend import current

# Called under their names, by a rewritten call; or no part of what a program computes.
_LEFT = frozenset(
    "__init__ __new__ __call__ __del__ __repr__ __str__ __format__ __hash__ __reduce__ __reduce_ex__ __getstate__ __setstate__ "
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

    def __init__(self) -> None:
        self._known: set[type] = set()
        self._mine: list[tuple[type, str]] = []

    def meet(self, value: Any, depth: int = 3) -> None:
        """Watches the class of a value, and those of the elements of a container."""
        kind = type(value)
        if kind in _CONTAINERS and depth:
            for part in value.values() if kind is dict else value:
                if type(part) in _CONTAINERS or type(part) not in self._known:
                    self.meet(part, depth - 1)
        elif kind not in self._known:
            self.watch(kind)

    def watch(self, kind: type) -> None:
        self._known.add(kind)
        for cls in kind.__mro__:
            if not cls.__flags__ & _HEAP_TYPE or _is_of_package(cls):
                continue
            for name, method in list(vars(cls).items()):
                made = _converted_method(name, method)
                if made is not None:
                    self._exchange(cls, name, method, made)

    def _exchange(self, cls: type, name: str, method: Any, made: Any) -> None:
        key = (cls, name)
        with _lock:
            entry = _exchanged.get(key)
            if entry is None:
                entry = _exchanged[key] = [0, method, made]
                setattr(cls, name, made)
            entry[0] += 1
        self._mine.append(key)

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


def _is_of_package(cls: type) -> bool:
    return str(cls.__module__).partition(".")[0] == "phlox"


def original(owner: Any, name: str, method: Any) -> Any:
    """The program's own method, where the converted one was found."""
    for cls in owner.__mro__ if isinstance(owner, type) else type(owner).__mro__:
        entry = _exchanged.get((cls, name))
        if entry is not None and entry[2] is method:
            return entry[1]
    return method


def is_property(owner: Any, name: str) -> bool:
    """Whether it is a property that was converted: what it reads is watched, and its value may be another each time."""
    for cls in type(owner).__mro__:
        found = vars(cls).get(name)
        if found is not None:
            return type(found) is property and (cls, name) in _exchanged
    return False


def _converted_method(name: str, method: Any) -> Any:
    from ._conversion import is_users

    if type(method) is property:
        if type(method.fget) is FunctionType and is_users(method.fget):
            return property(_converted(method.fget), method.fset, method.fdel, method.__doc__)
        return None
    special = name.startswith("__") and name.endswith("__") and name not in _LEFT
    return _converted(method) if special and type(method) is FunctionType and is_users(method) else None


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
