"""Values of variables while branches and loops are captured: reading and writing cells, comparing kinds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import CellType
from typing import Any

from .._phlox import device, dtype
from ._backend import ANYTHING, Backend, Undefined

_PLAIN = (str, bytes, bool, int, float, complex, type(None), dtype, device, range, slice)


class Outcome:
    """How a block ended: each flag is a bool or symbolic. No outcome at all is written None."""

    __slots__ = ("broke", "continued", "returned", "value")

    def __init__(
        self, returned: Any = False, broke: Any = False, continued: Any = False, value: Any = ANYTHING
    ) -> None:
        self.returned, self.broke, self.continued, self.value = returned, broke, continued, value

    def ways(self) -> frozenset[str]:
        """How the block may have ended."""
        return frozenset(leave for leave, flag in _FLAGS if getattr(self, flag) is not False)

    def sure(self) -> Outcome:
        """The outcome where the block is known to have ended: in the only way there is, if it is one."""
        ways = self.ways()
        if len(ways) != 1:
            return self
        return Outcome("return" in ways, "break" in ways, "continue" in ways, self.value)

    def within_loop(self) -> Outcome | None:
        """What is left of it when the turn of a loop has ended."""
        return _or_none(Outcome(self.returned, self.broke, False, self.value))

    def after_loop(self) -> Outcome | None:
        return _or_none(Outcome(self.returned, False, False, self.value))


def _or_none(outcome: Outcome) -> Outcome | None:
    flags = (outcome.returned, outcome.broke, outcome.continued)
    return None if all(flag is False for flag in flags) else outcome


BROKE, CONTINUED = Outcome(broke=True), Outcome(continued=True)
_FLAGS = (("return", "returned"), ("break", "broke"), ("continue", "continued"))


def slots_of(leaves: frozenset[str]) -> list[str]:
    """The entries of a state that hold how a block ended."""
    slots = [f".{flag}" for leave, flag in _FLAGS if leave in leaves]
    return [*slots, ".value"] if "return" in leaves else slots


def packed(outcome: Outcome | None, slots: Sequence[str]) -> list[Any]:
    outcome = outcome or Outcome()
    return [getattr(outcome, slot[1:]) for slot in slots]


def unpacked(slots: Sequence[str], values: Sequence[Any]) -> Outcome | None:
    return _or_none(Outcome(**{slot[1:]: value for slot, value in zip(slots, values)}))


def read(cells: Mapping[str, CellType], names: Sequence[str]) -> list[Any]:
    values = []
    for name in names:
        try:
            values.append(cells[name].cell_contents)
        except ValueError:
            values.append(Undefined(name))
    return values


def write(cells: Mapping[str, CellType], names: Sequence[str], values: Sequence[Any]) -> None:
    for name, value in zip(names, values):
        if isinstance(value, Undefined) and not value.where:
            del cells[name].cell_contents
        else:
            cells[name].cell_contents = value


def same(a: Any, b: Any) -> bool:
    """Whether two branches left one and the same value."""
    if a is b:
        return True
    return type(a) is type(b) and isinstance(a, _PLAIN) and bool(a == b) and str(a) == str(b)


def difference(backend: Backend, a: Any, b: Any) -> tuple[str, str] | None:
    """The kinds of two values, if they cannot be one variable's."""
    if same(a, b) or a is ANYTHING or b is ANYTHING or (backend.is_number(a) and backend.is_number(b)):
        return None
    if type(a) is type(b) and isinstance(a, (list, tuple, dict)):
        if len(a) != len(b):
            name = type(a).__name__
            return f"a {name} of {len(a)}", f"a {name} of {len(b)}"
        if isinstance(a, dict):
            if list(a) != list(b):
                return f"a dict with {_keys(a)}", f"a dict with {_keys(b)}"
            pairs = [(a[key], b[key]) for key in a]
        else:
            pairs = list(zip(a, b))
        for first, second in pairs:
            if found := difference(backend, first, second):
                name = type(a).__name__
                return f"a {name} with {found[0]}", f"a {name} with {found[1]}"
        return None
    first, second = backend.kind(a), backend.kind(b)
    if first == second:
        if isinstance(a, _PLAIN):
            return repr(a), repr(b)
        second = f"another {type(b).__name__}"
    return first, second


def _keys(value: dict) -> str:
    return ", ".join(repr(key) for key in value) or "no keys"
