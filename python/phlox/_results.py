"""What a captured function gives besides tensors: made anew for each call, as the function itself would."""

from __future__ import annotations

import array
import copy
import dataclasses
import io
from collections import Counter, deque
from collections.abc import Iterable
from typing import Any

from ._phlox import Tensor
from ._structures import MAPPINGS, REGISTERED, Rebuilt, is_array

_COPIED = (set, bytearray, deque, array.array, Counter)


def made_of_fields(kind: type, fields: dict[str, Any]) -> Any:
    made: Any = object.__new__(kind)
    for name, value in fields.items():
        object.__setattr__(made, name, value)
    return made


class Results:
    """Replaces what each call must make itself; refuses what cannot be made again. `known` was there before the call."""

    def __init__(self, session: Any, known: Iterable[Any]):
        self._session = session
        self._known = {id(value) for value in known}

    def finished(self, value: Any) -> Any:
        kind: Any = type(value)
        if kind is list or kind is tuple:
            return kind([self.finished(part) for part in value])
        if kind is dict or kind in MAPPINGS:
            made: Any = value.copy()
            made.update({key: self.finished(part) for key, part in value.items()})
            return made
        if isinstance(value, tuple) and hasattr(kind, "_fields"):
            return kind(*map(self.finished, value))
        known = isinstance(value, Tensor) or kind in REGISTERED or id(value) in self._known
        return value if known else self._finished_object(value)

    def _finished_object(self, value: Any) -> Any:
        from .capture import refuse

        kind = type(value)
        if hasattr(kind, "__next__") and not isinstance(value, io.IOBase):
            refuse("result_iterator", kind=kind.__name__)
        if kind in _COPIED or is_array(value):
            if not is_array(value) and any(isinstance(part, Tensor) for part in value):
                refuse("result_object", kind=kind.__name__)
            return Rebuilt(copy.copy, (), value)
        if id(value) not in self._session.made:
            return value
        if isinstance(value, (list, dict)) or not dataclasses.is_dataclass(kind):
            refuse("result_object", kind=kind.__name__)
        names = (
            list(vars(value)) if hasattr(value, "__dict__") else [f.name for f in dataclasses.fields(value)]
        )
        return Rebuilt(made_of_fields, (kind,), {name: self.finished(getattr(value, name)) for name in names})
