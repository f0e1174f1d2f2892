"""Branches and loops on the values of tensors, written as functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from . import _phlox
from ._failure import fail
from ._phlox import Tensor
from ._trace import flatten, unflatten


def truth(value: Any) -> Tensor:
    """One truth value, bool[], as `bool(value)` would give it."""
    tensor = value if isinstance(value, Tensor) else _phlox.as_tensor(value)
    if tensor.numel() != 1:
        fail(
            "ValueError",
            "invalid_value",
            f"a condition is one truth value, not {tensor.numel()}",
            hint="compare, or reduce with any() or all()",
            condition=tensor,
        )
    if tensor.dtype != _phlox.dtypes["bool"]:
        tensor = tensor != 0
    return tensor if tensor.ndim == 0 else tensor.reshape(())


def _operands(function: str, name: str, given: Any) -> tuple[Any, ...]:
    """What branches and loops get: a tuple, which a single tensor is not."""
    if isinstance(given, (list, tuple)):
        return tuple(given)
    return fail(
        "TypeError",
        "wrong_argument_type",
        f"{function}: '{name}' is a tuple of what the functions are called with, not {type(given).__name__}",
        hint=f"{name}=(x,)",
    )


def cond(
    pred: Any, true_fn: Callable[..., Any], false_fn: Callable[..., Any], operands: Sequence[Any] = ()
) -> Any:
    """`true_fn(*operands) if pred else false_fn(*operands)`, also where `pred` is a tensor in a captured function.

    Both functions give the same structure of tensors, of the same shapes and dtypes. Gradients flow through. Raises
    GraphError (E1002) where the two sides differ.
    """
    operands = _operands("cond", "operands", operands)
    structures: list[Any] = []

    def side(function: Callable[..., Any]) -> Callable[[], list[Tensor]]:
        def run() -> list[Tensor]:
            tensors: list[Tensor] = []
            structures.append(flatten(function(*operands), tensors))
            return tensors

        return run

    if not isinstance(pred, Tensor):
        return true_fn(*operands) if pred else false_fn(*operands)
    results = _phlox._cond(truth(pred), side(true_fn), side(false_fn))
    return unflatten(structures[0], results)


def while_loop(
    cond_fn: Callable[..., Any], body_fn: Callable[..., Any], carried_inputs: Sequence[Any]
) -> Any:
    """While `cond_fn(*state)` holds, `state = body_fn(*state)`; the last state, a tuple. The first is `carried_inputs`.

    In a captured function the tensors of the state keep their shapes and dtypes. Gradients flow through: the states of
    all turns are kept for them.
    """
    tensors: list[Tensor] = []
    structure = flatten(_operands("while_loop", "carried_inputs", carried_inputs), tensors)

    def test(state: list[Tensor]) -> Tensor:
        return truth(cond_fn(*unflatten(structure, state)))

    def body(state: list[Tensor]) -> list[Tensor]:
        new: list[Tensor] = []
        result = body_fn(*unflatten(structure, state))
        flatten(tuple(result) if isinstance(result, (list, tuple)) else (result,), new)
        return new

    return unflatten(structure, _phlox._while_loop(test, body, tensors))


def scan(body: Callable[..., Any], init: Any, xs: Any, reverse: bool = False) -> tuple[Any, Any]:
    """`carry, y = body(carry, x)` for the rows x of `xs`; the last carry, and all y stacked where their rows were.

    `xs` is a tensor or a structure of tensors of the same size in their first dimension; `init` is the first carry, of
    any structure, which `body` keeps. With `reverse` the rows are taken from the last to the first. Captured, the loop
    is one node of the graph, however many rows there are. Gradients flow through.

    >>> import phlox as px
    >>> _, sums = px.scan(lambda total, x: (total + x, total + x), px.tensor(0.0), px.tensor([1.0, 2.0, 3.0]))
    >>> sums
    tensor([1., 3., 6.])

    Raises ShapeError where the numbers of rows differ.
    """
    carry: list[Tensor] = []
    rows: list[Tensor] = []
    of_carry, of_rows = flatten(init, carry), flatten(xs, rows)
    of_output: list[Any] = []

    def turn(state: list[Tensor], row: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        new: list[Tensor] = []
        output: list[Tensor] = []
        after, y = body(unflatten(of_carry, state), unflatten(of_rows, row))
        flatten(after, new)
        of_output.append(flatten(y, output))
        return new, output

    last, outputs = _phlox._scan(turn, carry, rows, reverse)
    return unflatten(of_carry, last), unflatten(of_output[-1], outputs)


def map(function: Callable[..., Any], xs: Any) -> Any:
    """`function(x)` for each row x of `xs`, stacked: `px.map`, one row after the other, where `px.vmap` takes all at once.

    >>> import phlox as px
    >>> px.map(lambda x: x * x.sum(), px.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor([[ 3.,  6.],
            [21., 28.]])

    Raises ShapeError where the tensors of `xs` differ in their numbers of rows.
    """
    return scan(lambda carry, x: (carry, function(x)), (), xs)[1]


def switch(index: Any, branches: Sequence[Callable[..., Any]], *operands: Any) -> Any:
    """`branches[index](*operands)`, also where the index is a tensor in a captured function.

    An index outside is moved to the nearest branch. All branches give the same structure of tensors, of the same shapes
    and dtypes. Gradients flow through.

    >>> import phlox as px
    >>> px.switch(px.tensor(1), [lambda x: x, lambda x: x * 10], px.tensor(2.0))
    tensor(20.)

    Raises ValueError where there is no branch, GraphError (E1002) where they differ in a captured function.
    """
    if not branches:
        fail("ValueError", "invalid_value", "switch: there is no branch")
    if not isinstance(index, Tensor):
        return branches[min(max(int(index), 0), len(branches) - 1)](*operands)

    def among(low: int, high: int) -> Any:
        if high - low == 1:
            return branches[low](*operands)
        middle = (low + high) // 2
        return cond(index < middle, lambda: among(low, middle), lambda: among(middle, high))

    return among(0, len(branches))


def foldl(function: Callable[..., Any], xs: Any, init: Any = None) -> Any:
    """`total = function(total, x)` for the rows x of `xs` from the first to the last; the last total.

    It begins with `init`, or with the first row. As `scan()`, one node of the graph where it is captured.

    >>> import phlox as px
    >>> px.foldl(lambda total, x: total - x, px.tensor([1.0, 2.0, 3.0]))
    tensor(-4.)
    """
    return _fold(function, xs, init, False)


def foldr(function: Callable[..., Any], xs: Any, init: Any = None) -> Any:
    """As `foldl()`, from the last row to the first.

    >>> import phlox as px
    >>> px.foldr(lambda total, x: total - x, px.tensor([1.0, 2.0, 3.0]))
    tensor(0.)
    """
    return _fold(function, xs, init, True)


def _fold(function: Callable[..., Any], xs: Any, init: Any, reverse: bool) -> Any:
    if init is None:
        tensors: list[Tensor] = []
        structure = flatten(xs, tensors)
        if not tensors or any(t.ndim == 0 or t.shape[0] == 0 for t in tensors):
            fail("ShapeError", "empty_reduction", "fold: no row to begin with", hint="init=...")
        first = -1 if reverse else 0
        init = unflatten(structure, [t[first] for t in tensors])
        xs = unflatten(structure, [t[:-1] if reverse else t[1:] for t in tensors])
    return scan(lambda total, x: (function(total, x), ()), init, xs, reverse)[0]


def associative_scan(combine_fn: Callable[..., Any], xs: Any, dim: int = 0, reverse: bool = False) -> Any:
    """Running results of an associative function along a dimension, in log2(n) steps: `result[i]` is
    `combine_fn(combine_fn(xs[0], xs[1]), ... xs[i])`.

    `combine_fn` takes two structures like `xs` in which it finds many slices at once, so it works on all elements of a
    dimension alike; `reverse` goes from the last slice to the first. Gradients flow through. Source: Hillis, Steele 1986.

    >>> import phlox as px
    >>> px.associative_scan(px.maximum, px.tensor([3, 1, 4, 1, 5]))
    tensor([3, 3, 4, 4, 5])

    Raises ShapeError where the tensors of `xs` differ in the size of the dimension.
    """
    tensors: list[Tensor] = []
    structure = flatten(xs, tensors)
    sizes = {t.shape[dim] if t.ndim else -1 for t in tensors}
    if len(sizes) != 1 or -1 in sizes:
        fail("ShapeError", "sizes_differ", "associative_scan: tensors have the same size along dim")
    if reverse:
        tensors = [t.flip(dim) for t in tensors]
    count = sizes.pop()
    step = 1
    while step < count:
        early = unflatten(structure, [t.narrow(dim, 0, count - step) for t in tensors])
        late = unflatten(structure, [t.narrow(dim, step, count - step) for t in tensors])
        joined: list[Tensor] = []
        flatten(combine_fn(early, late), joined)
        tensors = [_phlox.cat([t.narrow(dim, 0, step), j], dim) for t, j in zip(tensors, joined)]
        step *= 2
    return unflatten(structure, [t.flip(dim) for t in tensors] if reverse else tensors)
