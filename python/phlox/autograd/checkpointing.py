"""Less memory for more time: parts of a program whose gradients compute them a second time."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from .. import _phlox
from .._followed import now
from .._phlox import Tensor
from .._structures import flatten, unflatten


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    use_reentrant: bool | None = None,
    preserve_rng_state: bool = True,
    context_fn: Callable[[], tuple[AbstractContextManager[Any], AbstractContextManager[Any]]] | None = None,
    determinism_check: str = "default",
    debug: bool = False,
    early_stop: bool = True,
    **kwargs: Any,
) -> Any:
    """`function(*args, **kwargs)` without keeping what its gradients need; they run it a second time.

    Gradients are those of a plain call, of any order, also those of tensors that the function finds around it. Arguments
    and results are structures of tensors and anything else. The function must do the same both times: what its gradients
    need is compared in number, shape and dtype (StateError), and an argument that was written in place since is a
    GradientError (E0601).

    `preserve_rng_state`: the second run draws the random numbers of the first from the default generator, which has its
    state back afterwards. Without it dropout has another mask in the gradient than it had in the result. `context_fn`
    gives two context managers, one for each run. There is one way to do it, which needs no argument with
    `requires_grad`: `use_reentrant`, `determinism_check`, `debug` and `early_stop` of PyTorch change nothing.

    Source: Chen et al. 2016, arXiv:1604.06174.

        >>> x = px.tensor([0.5, 1.0], requires_grad=True)
        >>> px.checkpoint(lambda x: px.exp(x).sin(), x).sum().backward()
        >>> px.equal(x.grad, px.autograd.grad(px.exp(x).sin().sum(), x)[0])
        True
    """
    tensors: list[Tensor] = []
    arguments = flatten((args, kwargs), tensors)
    contexts = list(context_fn()) if context_fn is not None else []
    structure: Any = None
    finished = False

    def run(*given: Tensor) -> list[Tensor]:
        nonlocal structure
        positional, named = unflatten(arguments, list(given))
        if not contexts:
            result = now(function)(*positional, **named)
        else:
            with contexts[finished]:
                result = now(function)(*positional, **named)
        outputs: list[Tensor] = []
        structure = flatten(result, outputs)
        return outputs

    outputs = _phlox._checkpoint(run, tensors, preserve_rng_state)
    finished = True
    return unflatten(structure, list(outputs))


def checkpoint_sequential(
    functions: Any, segments: int, input: Any, use_reentrant: bool | None = None, **options: Any
) -> Any:
    """Runs modules or functions one after the other in `segments` checkpointed parts; the last part is a plain one.

    `functions` is a sequence or `px.nn.Sequential`, the options are those of `checkpoint`. Raises ValueError (E0101) unless
    there are at least as many functions as parts.

        >>> layers = [px.sin, px.exp, px.tanh]
        >>> px.utils.checkpoint.checkpoint_sequential(layers, 2, px.zeros(2))
        tensor([0.7616, 0.7616])
    """
    functions = list(functions.children()) if hasattr(functions, "children") else list(functions)
    if not 1 <= segments <= max(len(functions), 1):
        from .._failure import fail

        fail(
            "ValueError",
            "invalid_value",
            f"checkpoint_sequential: {len(functions)} functions cannot be run in {segments} parts",
            f"segments from 1 to {max(len(functions), 1)}",
        )

    def chain(start: int, end: int) -> Callable[[Any], Any]:
        def run(value: Any) -> Any:
            for function in functions[start:end]:
                value = function(value)
            return value

        return run

    size = max(len(functions) // segments, 1)
    for part in range(segments - 1):
        input = checkpoint(
            chain(part * size, (part + 1) * size), input, use_reentrant=use_reentrant, **options
        )
    return chain((segments - 1) * size, len(functions))(input)
