"""Rows of different lengths, one behind the other in an ordinary tensor.

    x = px.nested.nested_tensor([px.ones(3, 8), px.ones(5, 8)])
    x.sum(1)                                        # [2, 8]
    px.ragged.map_flat_values(px.nn.Linear(8, 4), x)

Operations on elements are those of `values()`; sums and softmax over the elements of each row are methods.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import _phlox
from ._failure import fail
from ._phlox import RaggedTensor as RaggedTensor
from ._phlox import Tensor, _ragged
from ._structures import register as _register

_register(RaggedTensor, RaggedTensor._parts, RaggedTensor._from_parts)


def _rebuild(parts: tuple[Any, ...]) -> RaggedTensor:
    """What copies and pickles are made with."""
    return RaggedTensor._from_parts(parts)


def row_splits(input: RaggedTensor) -> Tensor:
    """Where each row begins in the values, and the end: int64[rows + 1].

    >>> px.ragged.row_splits(px.nested.nested_tensor([[1.0, 2.0], [3.0]]))
    tensor([0, 2, 3])
    """
    return input.offsets()


def map_flat_values(op: Any, *args: Any, **kwargs: Any) -> RaggedTensor:
    """`op` of the elements of all rows at once; ragged arguments, which have rows of the same lengths, become their
    values. The result has as many elements.

    >>> x = px.nested.nested_tensor([[1.0, 4.0], [9.0]])
    >>> px.ragged.map_flat_values(px.sqrt, x).tolist()
    [[1.0, 2.0], [3.0]]
    """
    given = [*args, *kwargs.values()]
    first: RaggedTensor | None = next((a for a in given if isinstance(a, RaggedTensor)), None)
    if first is None:
        fail("TypeError", "wrong_argument_type", "map_flat_values: no argument is a RaggedTensor")

    def flat(argument: Any) -> Any:
        return _ragged.elements_of(first, argument) if isinstance(argument, RaggedTensor) else argument

    return first.with_values(op(*map(flat, args), **{name: flat(value) for name, value in kwargs.items()}))


def from_padded(padded: Tensor, lengths: Any) -> RaggedTensor:
    """The first `lengths[i]` elements of each row of a dense tensor [rows, longest, ...].

    >>> px.ragged.from_padded(px.tensor([[1.0, 2.0], [3.0, 0.0]]), [2, 1]).tolist()
    [[1.0, 2.0], [3.0]]
    """
    return _ragged.from_padded(padded, _phlox.as_tensor(lengths))


def boolean_mask(data: Tensor, mask: Tensor) -> RaggedTensor:
    """The elements of [rows, columns, ...] where a mask bool[rows, columns] is true.

    >>> x = px.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> px.ragged.boolean_mask(x, x != 3).tolist()
    [[1.0, 2.0], [4.0]]
    """
    return _ragged.boolean_mask(data, mask)


def concat(values: Sequence[RaggedTensor], axis: int = 0) -> RaggedTensor:
    """Rows behind rows (axis 0), or each row behind the row of the same position (axis 1).

    >>> x = px.nested.nested_tensor([[1.0, 2.0], [3.0]])
    >>> px.ragged.concat([x, -x], axis=1).tolist()
    [[1.0, 2.0, -1.0, -2.0], [3.0, -3.0]]
    """
    return _ragged.concat(list(values), axis)


def attention(
    query: RaggedTensor, key: RaggedTensor, value: RaggedTensor, is_causal: bool = False
) -> RaggedTensor:
    """scaled_dot_product_attention() within each row of [rows, *, heads, size]. The rows of key and value have the same
    lengths, those of query may have others. Computed on padded rows.

    >>> x = px.nested.nested_tensor([px.ones(2, 1, 3), px.ones(4, 1, 3)])
    >>> px.ragged.attention(x, x, x).lengths()
    tensor([2, 4])
    """
    return _ragged.attention(query, key, value, is_causal)
