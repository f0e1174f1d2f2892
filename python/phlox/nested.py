"""PyTorch's names for ragged tensors: see `px.ragged`.

x = px.nested.nested_tensor([px.ones(3, 8), px.ones(5, 8)])
px.nested.to_padded_tensor(x, 0.0)              # [2, 5, 8]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import _phlox
from . import ragged as _ragged_module  # noqa: F401  (registers RaggedTensor)
from ._failure import fail
from ._phlox import RaggedTensor, Tensor, _ragged


def nested_tensor(
    tensor_list: Sequence[Any], *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> RaggedTensor:
    """A copy of rows, tensors or lists, that agree in all dimensions but the first. With `requires_grad` its values are a
    leaf. Raises ShapeError for rows that do not agree, ValueError for none.

    >>> px.nested.nested_tensor([[1.0, 2.0], [3.0]])
    ragged([tensor([1., 2.]),
            tensor([3.])])
    """
    made = as_nested_tensor(tensor_list, dtype=dtype, device=device).detach()
    return made.with_values(made.values().clone().requires_grad_()) if requires_grad else made


def as_nested_tensor(ts: Any, dtype: Any = None, device: Any = None) -> RaggedTensor:
    """nested_tensor() through which gradients flow to the rows; a ragged tensor as it is."""
    if isinstance(ts, RaggedTensor):
        return ts if dtype is None else ts.with_values(ts.values().to(dtype))
    rows = [_phlox.as_tensor(row, dtype=dtype, device=device) for row in ts]
    return _ragged.nested_tensor(rows)


def nested_from_jagged(values: Tensor, offsets: Any = None, lengths: Any = None) -> RaggedTensor:
    """Rows that lie one behind the other in `values`, by where they begin, with the end behind, or by their lengths.
    Gradients flow to `values`. Raises ValueError for offsets that do not begin with 0, fall, or do not end with the
    number of elements, and unless one of the two is given.

    >>> px.nested.nested_from_jagged(px.arange(3.0), px.tensor([0, 2, 3])).tolist()
    [[0.0, 1.0], [2.0]]
    """
    if (offsets is None) == (lengths is None):
        fail("ValueError", "invalid_value", "nested_from_jagged: needs either offsets or lengths")
    if offsets is not None:
        return _ragged.from_jagged(values, _phlox.as_tensor(offsets))
    return _ragged.from_lengths(values, _phlox.as_tensor(lengths))


nested_tensor_from_jagged = nested_from_jagged


def to_padded_tensor(input: RaggedTensor, padding: float, output_size: Any = None) -> Tensor:
    """[rows, longest, ...] with `padding` behind each row; `output_size` is the length that rows get.

    >>> px.nested.to_padded_tensor(px.nested.nested_tensor([[1.0, 2.0], [3.0]]), 0.0)
    tensor([[1., 2.],
            [3., 0.]])
    """
    if isinstance(output_size, (list, tuple)):
        output_size = output_size[1]
    return input.to_padded_tensor(padding, output_size)
