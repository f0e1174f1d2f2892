"""What a captured function gives besides tensors: made anew for each call, as the function itself would."""

from __future__ import annotations

import array
import copy
import dataclasses
import io
from collections import Counter, deque
from collections.abc import Iterable
from typing import Any

from . import _phlox
from ._exact_numbers import Number
from ._phlox import Tensor
from ._structures import MAPPINGS, REGISTERED, Given, Leaf, Rebuilt, is_array

_COPIED = (set, bytearray, deque, array.array, Counter)


def made_of_fields(kind: type, fields: dict[str, Any]) -> Any:
    made: Any = object.__new__(kind)
    for name, value in fields.items():
        object.__setattr__(made, name, value)
    return made


class LeftBehind:
    """What a captured function must leave as it found it, as a call of its graph does not touch it."""

    def __init__(self, arguments: list[Tensor]):
        self._arguments = arguments
        self._mode = _phlox._get_mode()
        self._flags = [(tensor.is_leaf, tensor.requires_grad) for tensor in arguments]

    def check(self) -> None:
        from .capture import refuse

        mode = _phlox._get_mode()
        if (mode ^ self._mode) & 3:
            _phlox._set_mode(self._mode)
            refuse("mode_left", state="off" if mode & 3 else "on")
        for tensor, (leaf, requires) in zip(self._arguments, self._flags):
            if leaf and tensor.is_leaf and tensor.requires_grad != requires:
                refuse("flag_of_argument")


def with_stand_ins(
    structure: Any, results: list[Tensor], arguments: list[Tensor], around: Iterable[Tensor]
) -> Any:
    """The flat structure of a result, in which arguments and tensors around the function stand for themselves."""
    return _replaced(structure, _stand_ins(results, arguments, {id(tensor) for tensor in around}))


def _replaced(structure: Any, leaves: list[Any]) -> Any:
    if isinstance(structure, Leaf):
        return leaves[structure.number]
    kind: Any = type(structure)
    if kind is list or kind is tuple:
        return kind([_replaced(part, leaves) for part in structure])
    if kind is dict:
        return {key: _replaced(part, leaves) for key, part in structure.items()}
    if kind is Rebuilt:
        return Rebuilt(structure.function, structure.first, _replaced(structure.part, leaves))
    if isinstance(structure, tuple) and hasattr(kind, "_fields"):
        return kind(*(_replaced(part, leaves) for part in structure))
    return structure


def _stand_ins(results: list[Tensor], arguments: list[Tensor], around: set[int]) -> list[Any]:
    from .capture import refuse

    places = {id(tensor): i for i, tensor in reversed(list(enumerate(arguments)))}
    first: dict[int, int] = {}
    made: list[Any] = []
    leaf, others = False, False
    for i, tensor in enumerate(results):
        if id(tensor) in places:
            made.append(Given(places[id(tensor)]))
            continue
        if id(tensor) in around:
            made.append(tensor)
            continue
        stand_in: Any = Leaf(first.setdefault(id(tensor), i))
        if tensor.requires_grad and not tensor.is_leaf:
            others = True
            if tensor.retains_grad:
                refuse("result_retains_grad")
        elif tensor.requires_grad and not _phlox._is_around(tensor):
            leaf = True
            stand_in = Rebuilt(_made_leaf, (type(tensor),), stand_in)
        made.append(stand_in)
    if leaf and others:
        refuse("result_leaf")
    return made


def _made_leaf(kind: type, tensor: Tensor) -> Tensor:
    made = tensor.detach()
    made.__class__ = kind
    return made.requires_grad_()


class Results:
    """Replaces what each call must make itself; refuses what cannot be made again. `known` was there before the call."""

    def __init__(self, session: Any, known: Iterable[Any]):
        self._session = session
        self._known = {id(value) for value in known}

    def finished(self, value: Any) -> Any:
        kind: Any = type(value)
        if kind is Number:  # Python's again
            return Rebuilt(Tensor.item, (), value.plain())
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
