"""Functions of PyTorch that are another operation with its arguments in another order."""

from __future__ import annotations

from . import _phlox
from ._failure import fail
from ._phlox import Tensor, device, dtype

Number = bool | int | float | complex


def rsub(input: Tensor | Number, other: Tensor | Number, *, alpha: Number = 1) -> Tensor:
    """`other - alpha * input`.

    Example:
        px.rsub(px.tensor([1.0, 2.0]), 3)  # tensor([2., 1.])
    """
    return _phlox.sub(other, input if alpha == 1 else input * alpha)


def fill(input: Tensor, value: Tensor | Number) -> Tensor:
    """A tensor of the shape and dtype of `input` with one value everywhere; `fill_` writes it into `input`.

    Example:
        px.fill(px.zeros(2), 7)  # tensor([7., 7.])
    """
    if not isinstance(value, Tensor):
        return input.clone().fill_(value)
    if value.numel() != 1:
        fail(
            "ShapeError",
            "wrong_element_count",
            f"fill: the value has {value.numel()} elements",
            "copy_() writes a whole tensor",
            value=value,
        )
    return input.clone().fill_(value.reshape(()).to(input.dtype))


def scalar_tensor(
    s: Number, *, dtype: dtype | None = None, device: device | None = None, requires_grad: bool = False
) -> Tensor:
    """A tensor of no dimensions; without `dtype` of the default one.

    Example:
        px.scalar_tensor(3)  # tensor(3.)
    """
    dtype = dtype or _phlox.get_default_dtype()
    return _phlox.full((), s, dtype=dtype, device=device, requires_grad=requires_grad)


def constant_pad_nd(input: Tensor, pad: list[int], value: Number = 0) -> Tensor:
    """`input` with `value` around it: `pad` has the widths before and after, the last dimension first.

    Example:
        px.constant_pad_nd(px.ones(2), [1, 0])  # tensor([0., 1., 1.])
    """
    return _phlox.pad(input, pad, value=value)


def can_cast(from_: dtype, to: dtype) -> bool:
    """Whether results of the one dtype may be written into a tensor of the other: no kind is lost on the way.

    Example:
        px.can_cast(px.float64, px.float16)  # True
        px.can_cast(px.float32, px.int64)  # False
    """

    def kind(one: dtype) -> int:
        if one.is_complex:
            return 3
        return 2 if one.is_floating_point else 0 if one.name == "bool" else 1

    return kind(from_) <= kind(to)
