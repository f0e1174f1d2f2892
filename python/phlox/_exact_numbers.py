"""Numbers of the program whose values are known only when the graph runs. They count as Python's numbers do."""

from __future__ import annotations

import builtins
import functools
import math
import operator
from collections.abc import Callable
from typing import Any

from . import _phlox
from ._phlox import Tensor
from .capture._refusals import refuse

_BOOL, _INT, _FLOAT = (_phlox.dtypes[name] for name in ("bool", "int64", "float64"))
_HALVES = (_phlox.dtypes["float16"], _phlox.dtypes["bfloat16"])
#: What a Python number is inside of a graph: 64 bits, as in Python.
DTYPES = {bool: _BOOL, int: _INT, float: _FLOAT}


class Number(Tensor):
    """A 0-d tensor that stands for a Python number: bool[], i64[] or f64[].

    With numbers it gives numbers, computed in 64 bits. With a tensor it is converted to the dtype that a Python number
    would take part as, so it never makes a result wider. `+=` gives a new number.
    """

    def __new__(cls, value: Any) -> Number:
        tensor = value if isinstance(value, Tensor) else _phlox.as_tensor(value, dtype=DTYPES[type(value)])
        return Tensor.__new__(cls, tensor)

    def plain(self) -> Tensor:
        """The tensor, with nothing special about it."""
        return Tensor.__new__(Tensor, self)

    def like(self, other: Any) -> Tensor:
        """The tensor in the dtype that a Python number would have beside a tensor of dtype `other`; half precision is
        computed in f32."""
        if rank(self.dtype) <= rank(other):
            return self.plain().to(_phlox.dtypes["float32"] if other in _HALVES else other)
        return self.plain().to(_phlox.get_default_dtype() if self.dtype == _FLOAT else self.dtype)

    def _needs_value(self, *_: Any) -> Any:
        refuse("script_value", what="this")

    __bool__ = __index__ = __int__ = __float__ = __complex__ = __round__ = _needs_value


def rank(dtype: Any) -> int:
    """0 for bool, 1 for integers, 2 for floating and 3 for complex dtypes."""
    if dtype.is_complex or dtype.is_floating_point:
        return 3 if dtype.is_complex else 2
    return 0 if dtype == _BOOL else 1


def _is_number(value: Any) -> bool:
    return isinstance(value, (bool, int, float, Number))


_COMPARISONS = ("lt", "le", "gt", "ge", "eq", "ne")
_ARITHMETIC = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow")
_BITWISE = ("and", "or", "xor", "lshift", "rshift")


def _of_numbers(name: str, compute: Callable[[Any, Any], Any], left: Any, right: Any) -> Number:
    """Python's operator on two numbers."""
    tensors = [
        _phlox.as_tensor(v, dtype=DTYPES[type(v)]) if not isinstance(v, Tensor) else v for v in (left, right)
    ]
    tensors = [v.plain() if isinstance(v, Number) else v for v in tensors]
    widest = max((v.dtype for v in tensors), key=rank)
    if name == "truediv" or (name == "pow" and isinstance(right, int) and right < 0):
        widest = _FLOAT
    elif widest == _BOOL and name in (*_ARITHMETIC, "lshift", "rshift"):
        widest = _INT
    return Number(compute(*(v.to(widest) for v in tensors)))


def _with_tensor(number: Number, other: Tensor, compute: Callable[[Tensor, Tensor], Any]) -> Tensor:
    return _narrowed(compute(number.like(other.dtype), other), other.dtype)


def _narrowed(result: Any, dtype: Any) -> Any:
    """What was computed in f32 for the sake of a number, in half precision."""
    half = dtype in _HALVES and isinstance(result, Tensor) and result.dtype == _phlox.dtypes["float32"]
    return result.to(dtype) if half else result


def _binary(name: str, compute: Callable[[Any, Any], Any]) -> Callable[[Number, Any], Any]:
    def forward(self: Number, other: Any) -> Any:
        if _is_number(other):
            return _of_numbers(name, compute, self, other)
        if isinstance(other, Tensor):
            return _with_tensor(self, other, compute)
        return compute(self.plain(), other) if isinstance(other, complex) else NotImplemented

    return forward


def _reflected(name: str, compute: Callable[[Any, Any], Any]) -> Callable[[Number, Any], Any]:
    def backward(self: Number, other: Any) -> Any:
        if _is_number(other):
            return _of_numbers(name, compute, other, self)
        if isinstance(other, Tensor):
            return _with_tensor(self, other, lambda number, tensor: compute(tensor, number))
        return compute(other, self.plain()) if isinstance(other, complex) else NotImplemented

    return backward


for _name in (*_ARITHMETIC, *_BITWISE, *_COMPARISONS):
    _compute = getattr(operator, _name + "_" if _name in ("and", "or") else _name)
    setattr(Number, f"__{_name}__", _binary(_name, _compute))
    if _name not in _COMPARISONS:
        setattr(Number, f"__r{_name}__", _reflected(_name, _compute))
        setattr(Number, f"__i{_name}__", _binary(_name, _compute))


def _unary(compute: Callable[[Tensor], Tensor]) -> Callable[[Number], Number]:
    def apply(self: Number) -> Number:
        tensor = self.plain()
        return Number(compute(tensor.to(_INT) if tensor.dtype == _BOOL else tensor))

    return apply


for _name in ("neg", "pos", "abs", "invert"):
    setattr(Number, f"__{_name}__", _unary(getattr(operator, _name)))
Number.__hash__ = Tensor.__hash__  # type: ignore[method-assign]


# --- functions of numbers


def _number(value: Any) -> Number:
    return value if isinstance(value, Number) else Number(value)


def _converted(kind: type) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        tensor = value.plain()
        return Number(tensor != 0 if kind is bool else tensor.to(DTYPES[kind]))

    return convert


def _extreme(better: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    def choose(*values: Any) -> Any:
        found = _number(values[0])
        for value in map(_number, values[1:]):
            wide = max((found.dtype, value.dtype), key=rank)
            first, second = found.plain().to(wide), value.plain().to(wide)
            found = Number(_phlox.where(better(second, first), second, first))
        return found

    return choose


def _rounded(name: str) -> Callable[[Any], Any]:
    return lambda value: Number(getattr(_phlox, name)(value.plain().to(_FLOAT)).to(_INT))


FUNCTIONS: dict[Any, Callable[..., Any]] = {
    bool: _converted(bool),
    int: _converted(int),
    float: _converted(float),
    builtins.min: _extreme(operator.lt),
    builtins.max: _extreme(operator.gt),
    math.floor: _rounded("floor"),
    math.ceil: _rounded("ceil"),
}
for _name in ("sqrt", "exp", "log", "sin", "cos", "tanh"):
    FUNCTIONS[getattr(math, _name)] = functools.partial(
        lambda operation, value: Number(operation(_number(value).plain().to(_FLOAT))), getattr(_phlox, _name)
    )


def call(target: Any, *arguments: Any, **keywords: Any) -> Any:
    """Calls a function of numbers, or an operation, for which numbers take the dtype that Python's would have."""
    values = [*arguments, *keywords.values()]
    numbers = [value for value in values if isinstance(value, Number)]
    if not numbers:
        return target(*arguments, **keywords)
    if target in FUNCTIONS:
        known = all(map(_is_number, values)) and not keywords
        return FUNCTIONS[target](*arguments) if known else target(*arguments, **keywords)
    owner = getattr(target, "__self__", None)
    beside = [v.dtype for v in (owner, *values) if isinstance(v, Tensor) and not isinstance(v, Number)]
    widest = functools.reduce(_phlox.promote_types, beside) if beside else None

    def fitting(value: Any) -> Any:
        if not isinstance(value, Number):
            return value
        return value.plain() if widest is None else value.like(widest)

    try:
        result = target(
            *map(fitting, arguments), **{name: fitting(value) for name, value in keywords.items()}
        )
    except TypeError as error:
        if getattr(error, "code", "") != "E0104":  # a size or a dimension
            raise
    else:
        return result if widest is None or "dtype" in keywords else _narrowed(result, widest)
    refuse("script_value", what=f"{target.__name__}()")
