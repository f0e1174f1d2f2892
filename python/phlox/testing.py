"""For tests of programs: `assert_close`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._phlox import Tensor, abs, as_tensor, isclose, promote_types

# What PyTorch allows for each dtype: relative and absolute.
_TOLERANCES = {
    "float16": (1e-3, 1e-5),
    "bfloat16": (1.6e-2, 1e-5),
    "float32": (1.3e-6, 1e-5),
    "float64": (1e-7, 1e-7),
    "complex64": (1.3e-6, 1e-5),
    "complex128": (1e-7, 1e-7),
}


def assert_close(
    actual: Any,
    expected: Any,
    *,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    check_dtype: bool = True,
    msg: str | None = None,
) -> None:
    """Raises AssertionError unless |actual - expected| <= atol + rtol * |expected| for all elements.

    Takes tensors, arrays and numbers, and lists, tuples and dicts of them. Shapes must be equal, and dtypes with
    `check_dtype`. Tolerances not given are PyTorch's for the dtypes; integers must be equal.

    Example:
        px.testing.assert_close(net(x), px.zeros(3), rtol=0, atol=1e-4)
    """
    settings = {"rtol": rtol, "atol": atol, "equal_nan": equal_nan, "check_dtype": check_dtype, "msg": msg}
    if isinstance(expected, Mapping):
        _require(isinstance(actual, Mapping) and actual.keys() == expected.keys(), "the keys differ", msg)
        for key in expected:
            assert_close(actual[key], expected[key], **settings)  # type: ignore[arg-type]
        return
    if isinstance(expected, (list, tuple)):
        _require(
            isinstance(actual, (list, tuple)) and len(actual) == len(expected), "the lengths differ", msg
        )
        for one, other in zip(actual, expected):
            assert_close(one, other, **settings)  # type: ignore[arg-type]
        return
    left, right = as_tensor(actual).detach(), as_tensor(expected).detach()
    _require(left.shape == right.shape, f"the shapes differ, {list(left.shape)} and {list(right.shape)}", msg)
    if check_dtype and isinstance(actual, Tensor) and isinstance(expected, Tensor):
        _require(left.dtype is right.dtype, f"the dtypes differ, {left.dtype} and {right.dtype}", msg)
    usual = [_TOLERANCES.get(tensor.dtype.name, (0.0, 0.0)) for tensor in (left, right)]
    relative = max(r for r, _ in usual) if rtol is None else rtol
    absolute = max(a for _, a in usual) if atol is None else atol
    common = promote_types(left.dtype, right.dtype)
    left, right = left.to(common), right.to(common)
    close = isclose(left, right, rtol=relative, atol=absolute)
    if equal_nan:
        close = close | (left.isnan() & right.isnan())
    wrong = close.logical_not()
    if not wrong.any().item():
        return
    place = wrong.nonzero()[0].tolist()
    here = tuple(place)
    largest = (
        "" if common.name == "bool" else f", the largest difference is {abs(left - right).max().item():.6g}"
    )
    _require(
        False,
        f"{int(wrong.sum().item())} of {wrong.numel()} elements are not close{largest}; the first, at {place}: "
        f"{left[here].item()} and {right[here].item()}, allowed are rtol={relative}, atol={absolute}",
        msg,
    )


def _require(condition: bool, summary: str, msg: str | None) -> None:
    if not condition:
        raise AssertionError(msg or f"assert_close: {summary}")
