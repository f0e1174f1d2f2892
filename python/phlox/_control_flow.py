"""Branches and loops on the values of tensors, written as functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from . import _phlox
from ._failure import fail
from ._phlox import Tensor
from ._structures import flatten, same, unflatten


def _with_tensors(value: Any) -> Any:
    """Numbers in lists, tuples and dicts become tensors, as what goes round in a loop may change."""
    if isinstance(value, (bool, int, float, complex)):
        return _phlox.as_tensor(value)
    if type(value) in (list, tuple):
        return type(value)(_with_tensors(part) for part in value)
    if type(value) is dict:
        return {key: _with_tensors(part) for key, part in value.items()}
    return value


def _in_order_of(reference: Any, value: Any) -> Any:
    """The value with its dicts in the order of those of a flat structure."""
    if type(value) is not type(reference):
        return value
    if type(value) is dict and value.keys() == reference.keys():
        return {key: _in_order_of(part, value[key]) for key, part in reference.items()}
    if type(value) in (list, tuple) and len(value) == len(reference):
        return type(value)(_in_order_of(a, b) for a, b in zip(reference, value))
    return value


class _Structure:
    """The structure of the first of several values; the tensors of the others must lie in the same one."""

    def __init__(self, what: str) -> None:
        self._what = what
        self.flat: Any = None
        self._is_known = False

    def tensors_of(self, value: Any) -> list[Tensor]:
        tensors: list[Tensor] = []
        if not self._is_known:
            self._is_known, self.flat = True, flatten(value, tensors)
            return tensors
        flat = flatten(_in_order_of(self.flat, value), tensors)
        if not same(flat, self.flat):
            fail(
                "GraphError",
                "not_capturable",
                f"{self._what} differ in structure, or in what is no tensor",
                hint="give tensors in the same lists, tuples and dicts",
            )
        return tensors

    def filled(self, tensors: Sequence[Tensor]) -> Any:
        return unflatten(self.flat, list(tensors))


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
    structure = _Structure("cond: the results of the two sides")
    if not isinstance(pred, Tensor):
        return true_fn(*operands) if pred else false_fn(*operands)
    results = _phlox._cond(
        truth(pred),
        lambda: structure.tensors_of(true_fn(*operands)),
        lambda: structure.tensors_of(false_fn(*operands)),
    )
    return structure.filled(results)


def while_loop(
    cond_fn: Callable[..., Any], body_fn: Callable[..., Any], carried_inputs: Sequence[Any]
) -> Any:
    """While `cond_fn(*state)` holds, `state = body_fn(*state)`; the last state, a tuple. The first is `carried_inputs`.

    Numbers in the state become tensors. The state keeps its structure, and in a captured function its tensors keep
    their shapes and dtypes. Gradients flow through: the states of all turns are kept for them. Raises GraphError
    (E1002) where the structure changes.
    """
    structure = _Structure("while_loop: the state before and after a turn")
    first = structure.tensors_of(_with_tensors(_operands("while_loop", "carried_inputs", carried_inputs)))

    def test(state: list[Tensor]) -> Tensor:
        return truth(cond_fn(*structure.filled(state)))

    def body(state: list[Tensor]) -> list[Tensor]:
        result = body_fn(*structure.filled(state))
        state_after = tuple(result) if isinstance(result, (list, tuple)) else (result,)
        return structure.tensors_of(_with_tensors(state_after))

    return structure.filled(_phlox._while_loop(test, body, first))


def scan(body: Callable[..., Any], init: Any, xs: Any, reverse: bool = False) -> tuple[Any, Any]:
    """`carry, y = body(carry, x)` for the rows x of `xs`; the last carry, and all y stacked where their rows were.

    `xs` is a tensor or a structure of tensors of the same size in their first dimension; `init` is the first carry, of
    any structure, which `body` keeps. With `reverse` the rows are taken from the last to the first. Captured, the loop
    is one node of the graph, however many rows there are. Gradients flow through.

    >>> import phlox as px
    >>> _, sums = px.scan(lambda total, x: (total + x, total + x), px.tensor(0.0), px.tensor([1.0, 2.0, 3.0]))
    >>> sums
    tensor([1., 3., 6.])

    Numbers in the carry and in y become tensors. Raises ShapeError where the numbers of rows differ, GraphError (E1002)
    where the structure of the carry or of y changes.
    """
    _refuse_nothing("scan", xs)
    of_carry, of_rows = _Structure("scan: the carry before and after a turn"), _Structure("")
    of_output = _Structure("scan: the outputs of two turns")
    carry, rows = of_carry.tensors_of(_with_tensors(init)), of_rows.tensors_of(xs)

    def turn(state: list[Tensor], row: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        after, y = body(of_carry.filled(state), of_rows.filled(row))
        return of_carry.tensors_of(_with_tensors(after)), of_output.tensors_of(_with_tensors(y))

    last, outputs = _phlox._scan(turn, carry, rows, reverse)
    return of_carry.filled(last), of_output.filled(outputs)


def _refuse_nothing(function: str, xs: Any) -> None:
    tensors: list[Tensor] = []
    flatten(xs, tensors)
    if not tensors:
        given = "an empty list" if xs == [] else "an empty tuple" if xs == () else f"a {type(xs).__name__}"
        fail(
            "ShapeError",
            "sizes_differ",
            f"{function}: `xs` is {given}, and there is no tensor whose rows it could take",
            hint="px.stack(tensors) has a row for each of several tensors",
        )


def map(function: Callable[..., Any], xs: Any) -> Any:
    """`function(x)` for each row x of `xs`, stacked: `px.map`, one row after the other, where `px.vmap` takes all at once.

    >>> import phlox as px
    >>> px.map(lambda x: x * x.sum(), px.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor([[ 3.,  6.],
            [21., 28.]])

    Raises ShapeError where the tensors of `xs` differ in their numbers of rows, or there are none.
    """
    _refuse_nothing("map", xs)
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

    return _branch_among(index, branches, operands, 0, len(branches))


def _branch_among(
    index: Tensor, branches: Sequence[Callable[..., Any]], operands: Any, low: int, high: int
) -> Any:
    """By halves, from number `low` to the one before `high`."""
    if high - low == 1:
        return branches[low](*operands)
    middle = (low + high) // 2
    return cond(
        index < middle,
        lambda: _branch_among(index, branches, operands, low, middle),
        lambda: _branch_among(index, branches, operands, middle, high),
    )


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
