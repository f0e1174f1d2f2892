"""Parameter: a tensor that is to be trained."""

from .. import _phlox
from .._phlox import Tensor


class Parameter(Tensor):
    """A tensor that requires a gradient and becomes part of the module that it is assigned to.

    `Parameter(data)` shares the memory of a tensor.
    """

    def __new__(cls, data=None, requires_grad=True):
        made = Tensor.__new__(cls) if data is None else Tensor.__new__(cls, data)
        made.requires_grad_(requires_grad)
        return made

    @classmethod
    def _from_tensor(cls, tensor):
        return cls(tensor, requires_grad=False)

    def __repr__(self):
        return "Parameter containing:\n" + super().__repr__()


_phlox._set_parameter_type(Parameter)
