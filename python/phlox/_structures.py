"""Structures of lists, tuples and dictionaries that hold tensors; what they and other containers held, to compare with."""

from __future__ import annotations

import array
import dataclasses
import functools
import struct
import sys
from collections import ChainMap, Counter, OrderedDict, UserDict, UserList, UserString, defaultdict, deque
from collections.abc import Callable, ItemsView, KeysView, ValuesView
from types import BuiltinMethodType, FunctionType, MappingProxyType, MethodType
from typing import Any

from ._followed import made
from ._phlox import Tensor, _set_structures, device

MAPPINGS = (OrderedDict, defaultdict)  # structures beside list, tuple, dict and tuples with named fields
# Classes of values that consist of tensors: what takes one apart into a tuple, and what makes one of such a tuple.
REGISTERED: dict[type, tuple[Callable[[Any], tuple[Any, ...]], Callable[[tuple[Any, ...]], Any]]] = {}


class Leaf:
    """Stands for the tensor of this number in a structure of lists, tuples and dictionaries."""

    def __init__(self, number: int):
        self.number = number

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.number == other.number

    def __hash__(self) -> int:
        return hash(("leaf", self.number))


class Given(Leaf):
    """Stands, in a result, for the tensor of this number among the arguments: the very one that the call was given."""


class Rebuilt:
    """Stands for `function(*first, part)`, which is made anew for each call; the part is a structure."""

    def __init__(self, function: Callable[..., Any], first: tuple[Any, ...], part: Any):
        self.function, self.first, self.part = function, first, part


def register(
    kind: type, take_apart: Callable[[Any], tuple[Any, ...]], put_together: Callable[[tuple[Any, ...]], Any]
) -> None:
    """Makes objects of a class structures: they go through captured functions and px.func as the tuple of their parts."""
    REGISTERED[kind] = take_apart, put_together


def flatten(structure: Any, tensors: list[Tensor], integers: bool = True) -> Any:
    """The structure with numbered leaves in the places of its tensors, which are appended to `tensors`. Without
    `integers` those of registered objects that hold integers, such as positions, stay where they are."""
    if isinstance(structure, Tensor):
        tensors.append(structure)
        return Leaf(len(tensors) - 1)
    kind = type(structure)
    if kind is list or kind is tuple:
        return kind([flatten(value, tensors, integers) for value in structure])
    if kind is dict:
        return {key: flatten(value, tensors, integers) for key, value in structure.items()}
    if kind in MAPPINGS:
        first = (structure.default_factory,) if kind is defaultdict else ()
        return Rebuilt(
            kind, first, {key: flatten(value, tensors, integers) for key, value in structure.items()}
        )
    if kind is Rebuilt:
        return Rebuilt(structure.function, structure.first, flatten(structure.part, tensors, integers))
    if kind in REGISTERED:
        take_apart, put_together = REGISTERED[kind]
        parts = (
            part if not integers and _holds_integers(part) else flatten(part, tensors, integers)
            for part in take_apart(structure)
        )
        return Rebuilt(put_together, (), tuple(parts))
    if isinstance(structure, tuple) and hasattr(kind, "_fields"):
        return kind(*(flatten(value, tensors, integers) for value in structure))
    # Named results, such as those of sort().
    if isinstance(structure, tuple) and hasattr(kind, "n_sequence_fields"):
        return Rebuilt(kind, (), tuple([flatten(value, tensors, integers) for value in structure]))
    return structure


def flatten_values(structure: Any, tensors: list[Tensor]) -> Any:
    """flatten() without the integers of registered objects: what gradients can flow to."""
    return flatten(structure, tensors, integers=False)


def _holds_integers(part: Any) -> bool:
    return isinstance(part, Tensor) and not (part.dtype.is_floating_point or part.dtype.is_complex)


def object_name(structure: Any) -> str | None:
    """The name of the registered class that a flat structure stands for an object of."""
    if type(structure) is Rebuilt:
        for kind, (_, put_together) in REGISTERED.items():
            if structure.function is put_together:
                return kind.__name__
    return None


def unflatten(structure: Any, tensors: list[Tensor]) -> Any:
    """The reverse of `flatten`."""
    if isinstance(structure, Leaf):
        return tensors[structure.number]
    kind = type(structure)
    if kind is list:
        return made([unflatten(value, tensors) for value in structure])
    if kind is tuple:
        return tuple([unflatten(value, tensors) for value in structure])
    if kind is dict:
        return made({key: unflatten(value, tensors) for key, value in structure.items()})
    if kind is Rebuilt:
        return made(structure.function(*structure.first, unflatten(structure.part, tensors)))
    if isinstance(structure, tuple) and hasattr(kind, "_fields"):
        return kind(*(unflatten(value, tensors) for value in structure))
    return structure


def same(a: Any, b: Any) -> bool:
    """Whether two flat structures are alike, whichever tensors they hold."""
    return bool(frozen(a, leaves=False) == frozen(b, leaves=False))


# --- what was there, to compare with what is


class Frozen(tuple):
    """What a container held: its class, and the parts."""

    __slots__ = ()


class Identity(tuple):
    """(None, object): equal to nothing but the same object, which lives as long as this."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return type(other) is Identity and other[1] is self[1]

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return id(self[1])


PLAIN = (bool, int, float, complex, str, bytes, type(None))
_SEQUENCES = (list, tuple, deque)
_SETS = (set, frozenset)
_BYTES = (bytearray, array.array)
_METHODS = (MethodType, BuiltinMethodType)
# What shows other containers.
LENSES = (
    MappingProxyType,
    memoryview,
    UserList,
    UserDict,
    UserString,
    ChainMap,
    KeysView,
    ValuesView,
    ItemsView,
)
_EXACT = frozenset((*PLAIN, dict, *MAPPINGS, Counter, *_SEQUENCES, *_SETS, *_BYTES, *LENSES))


def is_array(value: Any) -> bool:
    """Whether it is an array or a number of NumPy."""
    return hasattr(type(value), "__array_interface__") and not isinstance(value, Tensor)


def is_container(value: Any) -> bool:
    """Whether the value is compared by what it holds."""
    return (
        isinstance(
            value, (dict, *LENSES, *_SEQUENCES, *_SETS, *_BYTES, *_METHODS, slice, range, functools.partial)
        )
        or isinstance(value, device)
        or is_array(value)
        or _is_frozen_dataclass(type(value))
        or _is_value_of_library(type(value))
    )


def _is_frozen_dataclass(kind: type) -> bool:
    return dataclasses.is_dataclass(kind) and kind.__dataclass_params__.frozen  # type: ignore[attr-defined]


def _is_value_of_library(kind: type) -> bool:
    """Whether objects of the class are values, such as a Fraction or a Path, whose class is not the program's."""
    return (
        kind.__eq__ is not object.__eq__
        and kind.__module__.partition(".")[0] in _LIBRARY
        and kind.__hash__ not in (None, object.__hash__)
    )


_LIBRARY = frozenset(("datetime", "decimal", "fractions", "pathlib", "uuid", "numpy"))


def bits(value: Any) -> Any:
    """What equal plain values share: floating-point numbers their bits, so that 0.0 is not -0.0 and NaN is itself."""
    if isinstance(value, float):
        return struct.pack("d", value)
    return struct.pack("dd", value.real, value.imag) if isinstance(value, complex) else value


def frozen(value: Any, leaves: bool = True) -> Any:
    """What compares equal as long as a value is the same: plain ones by what they are, containers by what they hold,
    NumPy arrays by their bytes, all others by identity."""
    kind = type(value)
    if isinstance(value, PLAIN):
        return (kind, bits(value))
    if kind is Leaf:
        return value if leaves else Leaf(0)
    if kind is Rebuilt:
        return Frozen((Rebuilt, value.function, *map(_identity, value.first), frozen(value.part, leaves)))
    if not is_container(value):
        return _identity(value)
    held, known = _held(value, leaves)
    # An object of the program's own class has attributes besides, which are watched in this very object.
    return Frozen((kind, *held) if known else (kind, _identity(value), *held))


def _identity(value: Any) -> Identity:
    return Identity((None, value))


def _held(value: Any, leaves: bool) -> tuple[tuple[Any, ...], bool]:
    """The parts of a container, frozen, and whether it is no more than these."""
    kind = type(value)
    known = kind in _EXACT or hasattr(kind, "_fields") or kind.__module__.startswith("phlox")
    if isinstance(value, dict):
        pairs = tuple((frozen(k, leaves), frozen(v, leaves)) for k, v in value.items())
        return (
            (_identity(value.default_factory), *pairs) if isinstance(value, defaultdict) else pairs
        ), known
    if isinstance(value, LENSES):
        return (frozen(_behind(value), leaves),), known
    if isinstance(value, _SEQUENCES):
        return tuple(frozen(part, leaves) for part in value), known
    if isinstance(value, _SETS):
        return (frozenset(frozen(part, leaves) for part in value),), known
    if isinstance(value, _METHODS):
        return (_identity(value.__self__), _identity(getattr(value, "__func__", None)), value.__name__), True
    if isinstance(value, slice):
        return tuple(frozen(part, leaves) for part in (value.start, value.stop, value.step)), True
    if isinstance(value, functools.partial):
        return tuple(
            frozen(part, leaves) for part in (value.func, value.args, value.keywords)
        ), kind is functools.partial
    if isinstance(value, bytearray):
        return (bytes(value),), known
    if isinstance(value, array.array):
        return (value.typecode, value.tobytes()), known
    if is_array(value):
        content = frozen(value.tolist()) if value.dtype.hasobject else value.tobytes()
        return (value.dtype.str, value.shape, content), kind.__module__ == "numpy"
    if _is_frozen_dataclass(kind):
        return tuple(frozen(getattr(value, f.name), leaves) for f in dataclasses.fields(value)), True
    return (value,), True


def _behind(value: Any) -> Any:
    """What a lens shows."""
    if isinstance(value, (UserList, UserDict, UserString)):
        return value.data
    if isinstance(value, ChainMap):
        return value.maps
    if isinstance(value, memoryview):
        return value.tobytes()
    return dict(value) if isinstance(value, MappingProxyType) else list(value)


def kinds_of(structure: Any) -> Any:
    """What flat structures that differ in their values only share."""
    kind = type(structure)
    if kind is Leaf:
        return structure
    if kind is Rebuilt:
        return (Rebuilt, kinds_of(structure.part))
    if isinstance(structure, dict):
        return (kind, *((key, kinds_of(value)) for key, value in structure.items()))
    return (kind, *map(kinds_of, structure)) if isinstance(structure, (list, tuple)) else kind


def parts_of(structure: Any) -> list[Any]:
    """What a structure holds that is no list, tuple or dictionary."""
    parts, found = [structure], []
    while parts:
        value = parts.pop()
        if type(value) in (list, tuple, dict, *MAPPINGS):
            parts += value.values() if isinstance(value, dict) else value
        else:
            found.append(value)
    return found


def first_positions(tensors: list[Tensor]) -> list[int]:
    """For each tensor the position at which this very one comes first."""
    known: dict[int, int] = {}
    return [known.setdefault(id(tensor), i) for i, tensor in enumerate(tensors)]


def text_of(function: FunctionType) -> tuple[Any, Any, Any]:
    """What a function does: its code, and the defaults of its parameters."""
    return function.__code__, function.__defaults__, function.__kwdefaults__


_set_structures(sys.modules[__name__])
