"""Parameter: a tensor that is to be trained."""

from __future__ import annotations

from .. import _phlox
from .._phlox import Tensor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from typing_extensions import Self


class Parameter(Tensor):
    """A tensor that requires a gradient and becomes part of the module that it is assigned to.

    `Parameter(data)` shares the memory of a tensor of a floating dtype; without one it is empty.

    Example:
        self.scale = nn.Parameter(px.ones(3))
    """

    def __new__(cls, data: Any = None, requires_grad: bool = True) -> Self:
        made = Tensor.__new__(cls) if data is None else Tensor.__new__(cls, data)
        made.requires_grad_(requires_grad)
        return made

    @classmethod
    def _from_tensor(cls, tensor):
        return cls(tensor, requires_grad=False)

    def __repr__(self) -> str:
        return "Parameter containing:\n" + super().__repr__()


_phlox._set_parameter_type(Parameter)
