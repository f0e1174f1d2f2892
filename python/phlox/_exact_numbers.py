"""Numbers of the program whose values are known only when the graph runs. They count as Python's numbers do."""

from __future__ import annotations

import builtins
import functools
import math
import operator
from collections.abc import Callable
from types import BuiltinFunctionType
from typing import Any, NoReturn

from . import _phlox
from ._phlox import GraphError, Tensor
from .capture._backend import current, place
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

    loose: bool  # whether it is of a smaller kind on other ways: an int in place of a float

    def __new__(cls, value: Any, loose: bool = False) -> Number:
        tensor = value if isinstance(value, Tensor) else _phlox.as_tensor(value, dtype=DTYPES[type(value)])
        made: Number = Tensor.__new__(cls, tensor)
        made.loose = loose
        return made

    def plain(self) -> Tensor:
        """The tensor, with nothing special about it."""
        return Tensor.__new__(Tensor, self)

    def like(self, other: Any) -> Tensor:
        """The tensor in the dtype that a Python number would have beside a tensor of dtype `other`; half precision is
        computed in f32."""
        if rank(self.dtype) <= rank(other):
            return self.plain().to(_phlox.dtypes["float32"] if other in _HALVES else other)
        if self.loose:
            refuse("number_kind", dtype=other)
        return self.plain().to(_phlox.get_default_dtype() if self.dtype == _FLOAT else self.dtype)

    def _needs_value(self, *_: Any) -> Any:
        _refuse_value("this")

    __bool__ = __index__ = __int__ = __float__ = __complex__ = __round__ = __str__ = __format__ = _needs_value


def _in_script() -> bool:
    return current.session is None or getattr(current.session.backend, "in_script", True)


def _refuse_value(what: str) -> NoReturn:
    refuse("script_value" if _in_script() else "number_value", what=what)


def _check(condition: Callable[[], Tensor], message: str) -> None:
    """Where Python raises: each run does. In scripts a number is what the machine gives."""
    if not _in_script():
        line = place()
        _phlox._require(condition(), f"line {line.line} of {line.function}(): {message}")


def kind_of(number: Any) -> type:
    """The class of the number that it stands for."""
    if not isinstance(number, Number):
        return type(number)
    return next(kind for kind, dtype in DTYPES.items() if dtype == number.dtype)


def differ_in_kind(a: Any, b: Any) -> bool:
    """Whether what can be either number is of no sure kind."""
    return getattr(a, "loose", False) or getattr(b, "loose", False) or kind_of(a) is not kind_of(b)


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
    loose = any(getattr(v, "loose", False) for v in (left, right)) and not any(
        kind_of(v) is float and not getattr(v, "loose", False) for v in (left, right)
    )
    if name == "truediv" or (name == "pow" and isinstance(right, int) and right < 0):
        widest = _FLOAT
    elif widest == _BOOL and name in (*_ARITHMETIC, "lshift", "rshift"):
        widest = _INT
    known = None if isinstance(right, Number) else right
    first, second = (v.to(widest) for v in tensors)
    result = compute(first, second)
    _check_domain(name, first, second, known, result)
    return Number(result, loose and widest != _BOOL and result.dtype != _BOOL)


def _check_domain(name: str, left: Tensor, right: Tensor, known: Any, result: Tensor) -> None:
    """Checks what Python's operator demands; `known` is the second number where it is one of the program's text."""
    if name in ("truediv", "floordiv", "mod"):
        if not known:
            _check(lambda: right != 0, "division by zero")
    elif name in ("lshift", "rshift"):
        if known is None or known < 0:
            _check(lambda: right >= 0, "negative shift count")
    elif name == "pow" and left.dtype == _FLOAT:
        _check(
            lambda: result.isfinite() | ~(left.isfinite() & right.isfinite()), "a power is no finite number"
        )
    elif name == "pow" and known is None:
        _check(lambda: right >= 0, "an int to the power of a negative one is a float")


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
Number.__hash__ = Number._needs_value  # type: ignore[method-assign, assignment]


# --- functions of numbers


def _number(value: Any) -> Number:
    return value if isinstance(value, Number) else Number(value)


def _converted(kind: type) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        tensor = value.plain()
        if kind is int and tensor.dtype == _FLOAT:
            _check(tensor.isfinite, "int() of what is no finite number")
        return Number(tensor != 0 if kind is bool else tensor.to(DTYPES[kind]))

    return convert


def _extreme(better: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    def choose(*values: Any) -> Any:
        found = _number(values[0])
        for value in map(_number, values[1:]):
            loose = differ_in_kind(found, value)
            wide = max((found.dtype, value.dtype), key=rank)
            first, second = found.plain().to(wide), value.plain().to(wide)
            found = Number(_phlox.where(better(second, first), second, first), loose)
        return found

    return choose


def _rounded(name: str) -> Callable[[Any], Any]:
    def compute(value: Any) -> Any:
        if value.dtype != _FLOAT:
            return Number(value.plain().to(_INT))
        _check(value.plain().isfinite, f"{name}() of what is no finite number")
        return Number(getattr(_phlox, name)(value.plain()).to(_INT))

    return compute


def _of_function(name: str) -> Callable[[Any], Any]:
    """A function of `math`."""

    def compute(value: Any) -> Any:
        given = _number(value).plain().to(_FLOAT)
        result = getattr(_phlox, name)(given)
        _check(lambda: result.isfinite() | ~given.isfinite(), f"math.{name}() is no finite number")
        return Number(result)

    return compute


def _round(value: Any, digits: Any = None) -> Any:
    if digits is not None:
        _refuse_value("round() to a number of digits")
    return _rounded("round")(value)


def _is_instance(value: Any, classes: Any) -> bool:
    return issubclass(kind_of(value), classes) if isinstance(value, Number) else isinstance(value, classes)


def _tensor_of(value: Any) -> Tensor:
    return value.plain().to(_phlox.get_default_dtype()) if value.dtype == _FLOAT else value.plain()


FUNCTIONS: dict[Any, Callable[..., Any]] = {
    bool: _converted(bool),
    int: _converted(int),
    float: _converted(float),
    builtins.min: _extreme(operator.lt),
    builtins.max: _extreme(operator.gt),
    builtins.round: _round,
    builtins.divmod: lambda a, b: (a // b, a % b),
    builtins.pow: operator.pow,
    type: kind_of,
    isinstance: _is_instance,
    math.floor: _rounded("floor"),
    math.ceil: _rounded("ceil"),
    math.trunc: _rounded("trunc"),
    _phlox.tensor: _tensor_of,
    _phlox.as_tensor: _tensor_of,
}
for _name in ("sqrt", "exp", "log", "sin", "cos", "tanh"):
    FUNCTIONS[getattr(math, _name)] = _of_function(_name)


_OPERATIONS = (_phlox.Operation, _phlox.OperationMethod, type(_phlox.as_tensor))


def takes_numbers(target: Any) -> bool:
    """Whether it is an operation, or one of FUNCTIONS, which call() is for."""
    if isinstance(getattr(target, "__func__", target), _OPERATIONS):
        return True
    return isinstance(target, (type, BuiltinFunctionType)) and target in FUNCTIONS


def call(target: Any, otherwise: Any, *arguments: Any, **keywords: Any) -> Any:
    """Calls a function of numbers, or an operation, for which numbers take the dtype that Python's would have; without
    numbers calls `otherwise`."""
    values = [*arguments, *keywords.values()]
    numbers = [value for value in values if isinstance(value, Number)]
    if not numbers:
        return otherwise(*arguments, **keywords)
    if target in FUNCTIONS:
        known = (all(map(_is_number, values)) or target is isinstance) and not keywords
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
    except (TypeError, GraphError) as error:
        if getattr(error, "code", "") not in ("E0104", "E1001"):  # a size or a dimension
            raise
    else:
        return result if widest is None or "dtype" in keywords else _narrowed(result, widest)
    _refuse_value(f"{target.__name__}()")
