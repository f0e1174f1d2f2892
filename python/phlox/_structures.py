"""Structures of lists, tuples and dictionaries that hold tensors."""

from __future__ import annotations

from typing import Any

from ._phlox import Tensor, _set_leaf_type


class Leaf:
    """Stands for the tensor of this number in a structure of lists, tuples and dictionaries."""

    def __init__(self, number: int):
        self.number = number

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Leaf) and self.number == other.number

    def __hash__(self) -> int:
        return hash(("leaf", self.number))


_set_leaf_type(Leaf)


def flatten(structure: Any, tensors: list[Tensor]) -> Any:
    """The structure with numbered leaves in the places of its tensors, which are appended to `tensors`."""
    if isinstance(structure, Tensor):
        tensors.append(structure)
        return Leaf(len(tensors) - 1)
    if isinstance(structure, dict):
        return {key: flatten(value, tensors) for key, value in structure.items()}
    if isinstance(structure, (list, tuple)):
        items = [flatten(value, tensors) for value in structure]
        if hasattr(structure, "_fields"):
            return type(structure)(*items)
        return items if isinstance(structure, list) else tuple(items)
    return structure


def unflatten(structure: Any, tensors: list[Tensor]) -> Any:
    """The reverse of `flatten`."""
    if isinstance(structure, Leaf):
        return tensors[structure.number]
    if isinstance(structure, dict):
        return {key: unflatten(value, tensors) for key, value in structure.items()}
    if isinstance(structure, (list, tuple)):
        items = [unflatten(value, tensors) for value in structure]
        if hasattr(structure, "_fields"):
            return type(structure)(*items)
        return items if isinstance(structure, list) else tuple(items)
    return structure


def same(a: Any, b: Any) -> bool:
    if isinstance(a, Leaf) or isinstance(b, Leaf):
        return isinstance(a, Leaf) and isinstance(b, Leaf)
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    return a is b or a == b
