"""vmap: a function of one sample as a function of a batch."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from . import _phlox
from ._failure import fail
from ._followed import now
from ._phlox import Tensor
from ._structures import Leaf, Rebuilt, flatten, object_name, unflatten


def _spread(dims: Any, structure: Any, name: str, found: list[int | None]) -> None:
    """For each tensor of the structure the number that stands in its place, or around its place, in `dims`."""
    if isinstance(structure, Rebuilt):
        if object_name(structure) and dims is not None:
            fail(
                "ValueError",
                "invalid_value",
                f"vmap: samples share a {object_name(structure)}, so {name} has None for it",
                "map its values, and make one of them inside of the function",
            )
        structure = structure.part
    if dims is None or (isinstance(dims, int) and not isinstance(dims, bool)):
        if isinstance(structure, Leaf):
            found.append(dims)
        elif isinstance(structure, dict):
            for value in structure.values():
                _spread(dims, value, name, found)
        elif isinstance(structure, (list, tuple)):
            for value in structure:
                _spread(dims, value, name, found)
        return
    if isinstance(dims, dict) and isinstance(structure, dict) and dims.keys() == structure.keys():
        for key, value in structure.items():
            _spread(dims[key], value, name, found)
        return
    sequences = isinstance(dims, (list, tuple)) and isinstance(structure, (list, tuple))
    if sequences and len(dims) == len(structure):
        for dim, value in zip(dims, structure):
            _spread(dim, value, name, found)
        return
    fail(
        "ValueError",
        "invalid_value",
        f"vmap: {name} does not have the structure that it is for",
        f"{name} is an integer, None, or one of these for each part",
        **{name: repr(dims), "structure": _shown(structure)},
    )


def _shown(structure: Any) -> str:
    if isinstance(structure, Leaf):
        return "tensor"
    if isinstance(structure, Rebuilt):
        return object_name(structure) or _shown(structure.part)
    if isinstance(structure, dict):
        return "{" + ", ".join(f"{key!r}: {_shown(value)}" for key, value in structure.items()) + "}"
    if isinstance(structure, (list, tuple)):
        inner = ", ".join(map(_shown, structure))
        if isinstance(structure, list):
            return f"[{inner}]"
        return f"({inner},)" if len(structure) == 1 else f"({inner})"
    return repr(structure)


def _check_results(structure: Any) -> None:
    if isinstance(structure, Rebuilt) and not object_name(structure):
        structure = structure.part
    if isinstance(structure, dict):
        structure = list(structure.values())
    if isinstance(structure, (list, tuple)):
        for value in structure:
            _check_results(value)
    elif not isinstance(structure, Leaf):
        fail(
            "TypeError",
            "wrong_argument_type",
            f"vmap: the function must give tensors, not {object_name(structure) or type(structure).__name__}",
            "px.tensor(value), or leave it away",
        )


def vmap(
    func: Callable[..., Any],
    in_dims: Any = 0,
    out_dims: Any = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """The function of a batch for a function of one sample: what a loop over the samples gives, stacked, without a loop.

    The function runs once and sees each tensor with the shape of one sample. `in_dims` says which dimension of a
    positional argument is that of the batch; None is for what all samples share, as keyword arguments are. It may be a
    structure that follows the arguments: `in_dims=(None, 0)`, `in_dims=({"weight": None, "bias": 0}, 0)`. `out_dims`
    says the same of the results, which must be tensors or structures of tensors.

    `randomness` says whether samples draw "different" random numbers or the "same"; "error" forbids drawing them.
    `chunk_size` is the largest number of samples that are worked on at a time, to save memory.

    Calls nest, and gradients pass: `px.vmap(px.func.grad(loss), (None, 0, 0))(weight, x, y)` gives the gradient of
    each sample. Inside, values cannot be asked for: `if` and `item()` on a tensor are a GraphError (E1001). Other errors:
    ValueError and ShapeError where `in_dims` or `out_dims` do not fit; TypeError for a result that is no tensor;
    NotSupportedError where the function writes into a tensor around it.

        >>> x = px.tensor([[3.0, 4.0], [6.0, 8.0]])
        >>> px.vmap(lambda row: (row * row).sum().sqrt())(x)
        tensor([ 5., 10.])
    """

    @functools.wraps(func)
    def batched(*args: Any, **kwargs: Any) -> Any:
        tensors: list[Tensor] = []
        structure = flatten(args, tensors)
        places: list[int | None] = []
        _spread(tuple(in_dims) if isinstance(in_dims, list) else in_dims, structure, "in_dims", places)
        result: Any = None
        stacked: list[int | None] = []

        def flat(samples: list[Tensor]) -> tuple[list[Tensor], list[int | None]]:
            nonlocal result
            values: list[Tensor] = []
            result = flatten(now(func)(*unflatten(structure, samples), **kwargs), values)
            _check_results(result)
            stacked.clear()
            _spread(out_dims, result, "out_dims", stacked)
            return values, stacked

        size = _size_of(tensors, places)
        if chunk_size is None or size is None or size <= chunk_size:
            values = _phlox._vmap(flat, tensors, places, randomness)
            return unflatten(result, values)
        parts = []
        for start in range(0, size, chunk_size):
            count = min(chunk_size, size - start)
            chunk = [t if d is None else t.narrow(d, start, count) for t, d in zip(tensors, places)]
            parts.append(_phlox._vmap(flat, chunk, places, randomness))
        joined = [
            pieces[0] if dim is None else _phlox.cat(list(pieces), dim)
            for pieces, dim in zip(zip(*parts), stacked)
        ]
        return unflatten(result, joined)

    return batched


def _size_of(tensors: list[Tensor], places: list[int | None]) -> int | None:
    """The number of samples, as far as the first mapped tensor tells."""
    for tensor, dim in zip(tensors, places):
        if dim is not None and -tensor.ndim <= dim < tensor.ndim:
            return tensor.shape[dim]
    return None
