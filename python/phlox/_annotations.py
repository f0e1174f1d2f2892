"""Types of parameters and results of scripts: `int`, `float`, `bool`, and texts as in graphs, `"f32[b, 64]"`."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from . import _phlox
from ._exact_numbers import DTYPES, Number
from ._failure import fail
from ._phlox import Tensor

_BY_SHORT_NAME = {dtype.short_name: dtype for dtype in _phlox.dtypes.values()}
_NOTATION = re.compile(r"\s*([a-z]+\d+|bool)\s*\[(.*)\]\s*", re.DOTALL)
_OPERATORS: dict[type, Callable[[int, int], int]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.FloorDiv: lambda a, b: a // b if b else 0,
}


class Unreadable(Exception):
    """An annotation that is meant as a type of a tensor, but is none."""


class TensorType:
    """A dtype and sizes, each of these a number, a name, or an expression of names."""

    def __init__(self, text: str, dtype: Any, sizes: list[ast.expr]):
        self.text, self.dtype, self._sizes = text, dtype, sizes

    @property
    def names(self) -> list[str]:
        """The names that stand as sizes by themselves."""
        return [size.id for size in self._sizes if isinstance(size, ast.Name)]

    @property
    def used_names(self) -> set[str]:
        return {part.id for size in self._sizes for part in ast.walk(size) if isinstance(part, ast.Name)}

    def sizes(self, known: Mapping[str, int]) -> list[int]:
        """The sizes, where those with names are known."""
        return [_value(size, known) for size in self._sizes]

    def named_sizes(self, value: Tensor) -> dict[str, int]:
        """The sizes that have names, of a tensor of this type."""
        return {s.id: given for s, given in zip(self._sizes, value.shape) if isinstance(s, ast.Name)}

    def example(self, known: Mapping[str, int]) -> Tensor:
        return _phlox.zeros(self.sizes(known), dtype=self.dtype)

    def check(
        self, function: str, name: str, value: Any, known: dict[str, int], owners: dict[str, str]
    ) -> None:
        """Raises where the argument is of another type; sizes that get a value here are added to `known`."""
        if not isinstance(value, Tensor):
            said = f"{function}: `{name}` is a tensor, {self.text}, not {_article(type(value).__name__)}"
            fail("TypeError", "wrong_argument_type", said)
        if value.dtype == self.dtype and value.ndim == len(self._sizes):
            for size, given in zip(self._sizes, value.shape):
                if isinstance(size, ast.Name) and size.id not in known:
                    known[size.id], owners[size.id] = given, name
                elif _value(size, known) != given:
                    break
            else:
                return
        self._refuse(function, name, value, known, owners)

    def _refuse(
        self, function: str, name: str, value: Tensor, known: Mapping[str, int], owners: Mapping[str, str]
    ) -> NoReturn:
        details: dict[str, Any] = {"expected": self.text, "given": value}
        if value.dtype != self.dtype:
            hint = f"{name}.to(px.{self.dtype.name})"
            said = f"{function}: `{name}` is of dtype {value.dtype.short_name}, not {self.dtype.short_name}"
            fail("DTypeError", "wrong_dtype", said, hint, **details)
        shape = list(value.shape)
        if len(shape) != len(self._sizes):
            said = f"{function}: `{name}` has {len(shape)} dimensions, not {len(self._sizes)}"
            fail("ShapeError", "wrong_rank", said, **details)
        wanted = self.sizes({**self.named_sizes(value), **known})
        dimension = next(i for i, (a, b) in enumerate(zip(wanted, shape)) if a != b)
        reason = _reason(ast.unparse(self._sizes[dimension]), wanted[dimension], owners)
        said = f"{function}: dimension {dimension} of `{name}` is {shape[dimension]}, but {reason}"
        fail("ShapeError", "sizes_differ", said, **details)

    def fits(self, value: Any, known: Mapping[str, int]) -> bool:
        """Whether a result is of this type; sizes with unknown names fit."""
        if not isinstance(value, Tensor) or value.dtype != self.dtype or value.ndim != len(self._sizes):
            return False
        return all(
            not {p.id for p in ast.walk(size) if isinstance(p, ast.Name)} <= known.keys()
            or _value(size, known) == given
            for size, given in zip(self._sizes, value.shape)
        )

    def described(self, known: Mapping[str, int]) -> str:
        """The text, with values beside the names."""
        names = sorted(self.used_names & known.keys())
        return self.text + (f" with {', '.join(f'{n} = {known[n]}' for n in names)}" if names else "")


def _reason(text: str, wanted: int, owners: Mapping[str, str]) -> str:
    if text in owners:
        return f"`{owners[text]}` has {text} = {wanted}"
    return f"{wanted} is expected" if text == str(wanted) else f"{text} = {wanted} is expected"


def _value(size: ast.expr, known: Mapping[str, int]) -> int:
    if isinstance(size, ast.Constant):
        assert isinstance(size.value, int)
        return size.value
    if isinstance(size, ast.Name):
        return known[size.id]
    assert isinstance(size, ast.BinOp)
    return _OPERATORS[type(size.op)](_value(size.left, known), _value(size.right, known))


def _check_size(size: ast.expr) -> None:
    if isinstance(size, ast.BinOp) and type(size.op) in _OPERATORS:
        _check_size(size.left)
        _check_size(size.right)
    elif not isinstance(size, ast.Name) and not (isinstance(size, ast.Constant) and type(size.value) is int):
        raise Unreadable


def _tensor_type(text: str) -> TensorType | None:
    """The type that a text names; None for a text that means something else, such as a class."""
    found = _NOTATION.fullmatch(text)
    if not found:
        return None
    dtype = _BY_SHORT_NAME.get(found[1])
    if dtype is None:
        raise Unreadable
    try:
        tree = ast.parse(f"[{found[2]}]", mode="eval").body
    except SyntaxError:
        raise Unreadable from None
    assert isinstance(tree, ast.List)
    for size in tree.elts:
        _check_size(size)
    return TensorType(f"{dtype.short_name}[{', '.join(map(ast.unparse, tree.elts))}]", dtype, tree.elts)


def read(annotation: Any) -> Any:
    """What an annotation means: a TensorType, one of int, float and bool, a tuple of such, or None for all others.

    Annotations may be texts of themselves, as `from __future__ import annotations` makes them.
    """
    if annotation in (int, float, bool) and isinstance(annotation, type):
        return annotation
    if isinstance(annotation, tuple):
        return tuple(read(part) for part in annotation)
    if not isinstance(annotation, str):
        return None
    if (found := _tensor_type(annotation)) is not None:
        return found
    try:
        tree = ast.parse(annotation, mode="eval").body
    except SyntaxError:
        return None
    if isinstance(tree, ast.Tuple):
        return tuple(read(ast.unparse(part)) for part in tree.elts)
    if isinstance(tree, ast.Constant) and isinstance(tree.value, str):
        return _tensor_type(tree.value)
    return {"int": int, "float": float, "bool": bool}.get(tree.id) if isinstance(tree, ast.Name) else None


def as_number(function: str, name: str, kind: type, value: Any) -> Tensor:
    """An argument of a parameter that is a number, as the 0-d tensor that it is in the graph."""
    fits = (bool,) if kind is bool else (bool, int) if kind is int else (bool, int, float)
    if isinstance(value, Tensor):
        exact = not value.dtype.is_complex and (kind is float or not value.dtype.is_floating_point)
        if value.requires_grad:
            said = f"{function}: `{name}` is a number, through which no gradient flows"
            fail(
                "TypeError",
                "wrong_argument_type",
                said,
                "leave out the annotation of the parameter, or detach()",
            )
        if value.numel() == 1 and exact and (kind is not bool or value.dtype == DTYPES[bool]):
            tensor = value.plain() if isinstance(value, Number) else value
            return tensor.reshape(()).to(DTYPES[kind])
    elif isinstance(value, fits):
        return _phlox.as_tensor(kind(value), dtype=DTYPES[kind])
    given = value.dtype.short_name + str(list(value.shape)) if isinstance(value, Tensor) else repr(value)
    fail(
        "TypeError", "wrong_argument_type", f"{function}: `{name}` is {_article(kind.__name__)}, not {given}"
    )


def _article(noun: str) -> str:
    return ("an " if noun[0] in "aeiou" else "a ") + noun
