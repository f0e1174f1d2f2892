"""Gradients: `grad`, `backward`, functions with a gradient of their own, checkpointing, anomaly mode."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import _phlox
from .._modes import (
    detect_anomaly,
    enable_grad,
    inference_mode,
    is_grad_enabled,
    no_grad,
    set_detect_anomaly,
    set_grad_enabled,
)
from .._phlox import GradientFunction, Tensor
from .checkpointing import checkpoint
from .function import Function, FunctionContext, custom_gradient, once_differentiable
from .gradcheck import gradcheck

__all__ = [
    "Function",
    "FunctionContext",
    "GradientFunction",
    "backward",
    "checkpoint",
    "custom_gradient",
    "detect_anomaly",
    "enable_grad",
    "grad",
    "gradcheck",
    "inference_mode",
    "is_grad_enabled",
    "no_grad",
    "once_differentiable",
    "set_detect_anomaly",
    "set_grad_enabled",
]


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return [value] if isinstance(value, Tensor) else list(value)


def backward(
    tensors: Tensor | Sequence[Tensor],
    grad_tensors: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
) -> None:
    """Adds the gradients of the sum of `tensors`, weighted with `grad_tensors`, into the `grad` of all leaves.

    Each of `grad_tensors` has the shape of its tensor; None stands for 1, which a single element allows.

    Errors: GradientError for a tensor without history, a missing gradient, or a graph that has been freed.
    """
    _phlox._backward(_list(tensors), _list(grad_tensors), retain_graph, create_graph)


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool = False,
) -> tuple[Tensor, ...]:
    """The gradients of the sum of `outputs` with respect to `inputs`, as a tuple; no `grad` is changed.

    `create_graph` records the computation, so that the gradients can be differentiated again. With `allow_unused`, an
    input that the outputs do not depend on gets None instead of an error. Each gradient has the shape of its input.

    Errors: GradientError as for `backward`.

    Example:
        x = px.tensor([3.0], requires_grad=True)
        (dx,) = px.autograd.grad((x * x).sum(), x)  # tensor([6.])
    """
    return _phlox._grad(
        _list(outputs), _list(inputs), _list(grad_outputs), retain_graph, create_graph, allow_unused
    )
