"""Operations with a gradient of one's own."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from .. import _phlox
from .._followed import now, now_of
from .._modes import no_grad
from .._phlox import Tensor


class FunctionContext:
    """What `forward` hands to `backward`. Anything else that backward needs can be kept as an attribute."""

    def __init__(self, needs_input_grad: tuple[bool, ...]) -> None:
        self.needs_input_grad = needs_input_grad
        self._to_save: tuple[Tensor, ...] = ()
        self._saved: tuple[Tensor, ...] | None = None
        self._non_differentiable: tuple[Tensor, ...] = ()
        self._dirty: tuple[Tensor, ...] = ()
        self._materialize = True

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"the context has no attribute {name!r}; forward() must set it")

    def save_for_backward(self, *tensors: Tensor) -> None:
        """Keeps inputs, outputs or intermediate tensors. Call it in forward(), at most once."""
        self._to_save = tensors

    @property
    def saved_tensors(self) -> tuple[Tensor, ...]:
        """The kept tensors, in backward()."""
        return self._to_save if self._saved is None else self._saved

    def mark_dirty(self, *tensors: Tensor) -> None:
        """Inputs that forward() has changed in place and gives back as outputs."""
        self._dirty = tensors

    def mark_non_differentiable(self, *tensors: Tensor) -> None:
        """Outputs that no gradient flows through, such as indices."""
        self._non_differentiable = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Whether backward() gets zeros in place of None for outputs without gradient."""
        self._materialize = value


class Function:
    """Base class of operations with a gradient of their own:

        class Exp(px.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                y = px.exp(x)
                ctx.save_for_backward(y)
                return y

            @staticmethod
            def backward(ctx, gradient):
                return gradient * ctx.saved_tensors[0]

        y = Exp.apply(x)

    forward() is not recorded. backward() gives one gradient for each argument of forward(), None where there is none;
    it is written with operations, so its own gradient exists too. Where forward() takes no `ctx`, the class has
    setup_context(ctx, inputs, output) as well.
    """

    @staticmethod
    def forward(ctx: Any, *arguments: Any, **keywords: Any) -> Any:
        """Computes the results; not recorded. What backward() needs goes into `ctx`."""
        raise NotImplementedError("a Function needs forward()")

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        """Gradients of the arguments, from those of the results: same shapes."""
        raise NotImplementedError("a Function needs backward()")

    setup_context: Callable[..., None] | None = None

    @classmethod
    def apply(cls, *arguments: Any, **keywords: Any) -> Any:
        """Runs forward() and records backward()."""
        positions = [i for i, argument in enumerate(arguments) if isinstance(argument, Tensor)]
        ctx = FunctionContext(tuple(isinstance(a, Tensor) and a.requires_grad for a in arguments))
        if _phlox._is_capturing():
            from ..capture._backend import current

            if current.session is not None:  # forward() may set attributes
                current.session.add_new(ctx)
        single = True

        def forward():
            nonlocal single
            function, setup_context = now_of(cls, "forward"), now_of(cls, "setup_context")
            if setup_context is None:
                result = function(ctx, *arguments, **keywords)
            else:
                result = function(*arguments, **keywords)
                setup_context(ctx, arguments, result)
            single = isinstance(result, Tensor)
            return result

        def backward(context, *gradients):
            result = now_of(cls, "backward")(context, *gradients)
            result = result if isinstance(result, tuple) else (result,)
            if len(result) != len(arguments) and len(result) != len(positions):
                _phlox._fail(
                    "GradientError",
                    "gradient_shape",
                    f"{cls.__name__}.backward: gave {len(result)} gradients for {len(arguments)} arguments",
                    {},
                    "return one gradient for each argument of forward; None where there is none",
                )
            return result if len(result) == len(positions) else tuple(result[i] for i in positions)

        outputs = _phlox._apply_function(
            cls.__name__, [arguments[i] for i in positions], forward, backward, ctx
        )
        # The tape has them now. A result among them would hold itself.
        ctx._to_save = ctx._non_differentiable = ctx._dirty = ()
        return outputs[0] if single else outputs


def custom_gradient(function: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a function a gradient of its own: it returns its result, a tensor or a tuple of them, and a function that makes
    gradients of its arguments from those of the results. What it computes is not recorded.

    Example:
        @px.custom_gradient
        def log1pexp(x):
            e = px.exp(x)
            return px.log(1 + e), lambda gradient: gradient * (1 - 1 / (1 + e))
    """

    class Custom(Function):
        @staticmethod
        def forward(ctx, *arguments, **keywords):
            result, ctx.pull = now(function)(*arguments, **keywords)
            return result

        @staticmethod
        def backward(ctx, *gradients):
            return now(ctx.pull)(*gradients)

    Custom.__name__ = Custom.__qualname__ = getattr(function, "__name__", "custom_gradient")

    @functools.wraps(function)
    def call(*arguments, **keywords):
        return Custom.apply(*arguments, **keywords)

    return call


def once_differentiable(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Marks a backward() that cannot itself be differentiated.

    Example:
        @staticmethod
        @px.autograd.once_differentiable
        def backward(ctx, gradient): ...
    """

    @functools.wraps(backward)
    def inside(ctx, *gradients):
        with no_grad():
            return backward(ctx, *gradients)

    return inside
