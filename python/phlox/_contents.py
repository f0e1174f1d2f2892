"""What an object holds, through its attributes and elements, to compare with what it holds later."""

from __future__ import annotations

import io
import weakref
from collections import deque
from collections.abc import Iterator
from types import BuiltinFunctionType, CodeType, FrameType, FunctionType, ModuleType
from typing import Any

from ._phlox import Tensor
from ._structures import PLAIN, Frozen, Identity, frozen, is_container

_MOST = 20_000  # parts that are looked at; what is beyond is compared by identity
_WHOLE = (type, Tensor, FunctionType, BuiltinFunctionType, ModuleType, CodeType, FrameType, io.IOBase)
# Objects of these modules have locks, handlers and the like, which come and go.
_LEFT = frozenset(("phlox", "logging", "threading", "asyncio", "concurrent", "multiprocessing", "warnings"))
_is_left: dict[type, bool] = {}


def contents(value: Any) -> Any:
    """What compares equal as long as the object, and all that it holds, is the same."""
    return _Reader().read(value)


def holds_objects(value: Any) -> bool:
    """Whether a value is, or holds, an object with attributes, which frozen() compares by identity."""
    seen, parts = set(), [value]
    while parts:
        part = parts.pop()
        if isinstance(part, PLAIN) or isinstance(part, _WHOLE) or id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, dict):
            parts += part.values()
        elif isinstance(part, (list, tuple, set, frozenset, deque)):
            parts += part
        elif not is_container(part) and next(attributes_of(part), None) is not None:
            return True
    return False


def attributes_of(value: Any) -> Iterator[tuple[str, Any]]:
    """The attributes that the object has itself, by name."""
    kind = type(value)
    left = _is_left.get(kind)
    if left is None:
        left = _is_left[kind] = any(str(c.__module__).partition(".")[0] in _LEFT for c in kind.__mro__)
    if left:
        return
    yield from getattr(value, "__dict__", {}).items()
    for cls in kind.__mro__:
        slots = cls.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__") and hasattr(value, name):
                yield name, getattr(value, name)


class _Reader:
    def __init__(self) -> None:
        self._seen: set[int] = set()

    def read(self, value: Any) -> Any:
        if isinstance(value, PLAIN):
            return frozen(value)
        this = Identity((None, value))
        if isinstance(value, _WHOLE) or id(value) in self._seen or len(self._seen) >= _MOST:
            return this
        self._seen.add(id(value))
        return Frozen((type(value), this, *self._held(value)))

    def _held(self, value: Any) -> Iterator[Any]:
        if isinstance(value, dict):
            for key, part in list(value.items()):
                yield self.read(key)
                yield self.read(part)
        elif isinstance(value, (list, tuple, deque)):
            yield from map(self.read, list(value))
        elif isinstance(value, weakref.ref):
            yield self.read(value())
        elif is_container(value):
            yield frozen(value)
            return
        for name, part in list(attributes_of(value)):
            yield name
            yield self.read(part)
