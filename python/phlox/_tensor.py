"""The methods of Tensor that need no speed and read best in Python."""

from __future__ import annotations

import copy as _copy

from . import _phlox
from ._followed import followed
from ._phlox import Tensor, dtypes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self


class RemovableHandle:
    """What `register_hook` returns: `remove()` takes the hook away."""

    def __init__(self, remove: Callable[[], object]) -> None:
        self._remove: Callable[[], object] | None = remove

    def remove(self) -> None:
        """Takes the hook away; a second time does nothing."""
        if self._remove:
            self._remove()
            self._remove = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


def _rebuild_tensor(cls, data, dtype, shape, requires_grad, attributes):
    """Makes a pickled tensor again, from its bytes."""
    tensor = _phlox._from_bytes(data, dtypes[dtype], shape)
    if cls is not Tensor:
        tensor = cls._from_tensor(tensor)
    if requires_grad:
        tensor.requires_grad_()
    if attributes:
        tensor.__dict__.update(attributes)
    return tensor


class _Methods(Tensor):
    # Its methods become those of Tensor, below.

    def register_hook(self, hook):
        """Calls `hook(gradient)` when the gradient of this tensor is known; what it returns replaces the gradient."""
        number = _phlox._register_hook(self, followed(hook))
        return RemovableHandle(lambda: _phlox._remove_hook(self, number))

    def register_post_accumulate_grad_hook(self, hook):
        """Calls `hook(leaf)` whenever a backward pass has added to the gradient of this leaf."""
        number = _phlox._register_post_accumulate_grad_hook(self, followed(hook))
        return RemovableHandle(lambda: _phlox._remove_hook(self, number))

    def __reduce_ex__(self, protocol):
        if not self.is_leaf:
            _phlox._fail(
                "GradientError",
                "not_a_leaf",
                "pickle: only leaves, which no operation has made, can be pickled",
                {"tensor": self},
                "<tensor>.detach()",
            )
        attributes = dict(self.__dict__)
        state = (_phlox._to_bytes(self), self.dtype.name, tuple(self.shape), self.requires_grad, attributes)
        return _rebuild_tensor, (type(self), *state)

    def __copy__(self):
        made = type(self)._from_tensor(self.detach()) if type(self) is not Tensor else self.detach()
        made.requires_grad_(self.requires_grad and self.is_leaf)
        made.__dict__.update(self.__dict__)
        return made

    def __deepcopy__(self, memo):
        if id(self) in memo:
            return memo[id(self)]
        if not self.is_leaf:
            _phlox._fail(
                "GradientError",
                "not_a_leaf",
                "deepcopy: only leaves, which no operation has made, can be copied",
                {"tensor": self},
                "<tensor>.detach()",
            )
        made = self.detach().clone()
        if type(self) is not Tensor:
            made = type(self)._from_tensor(made)
        made.requires_grad_(self.requires_grad)
        memo[id(self)] = made
        if self.grad is not None:
            made.grad = _copy.deepcopy(self.grad, memo)
        made.__dict__.update(_copy.deepcopy(self.__dict__, memo))
        return made

    @classmethod
    def _from_tensor(cls, tensor):
        """An object of this class for the data of a tensor. Subclasses with another constructor override it."""
        return Tensor.__new__(cls, tensor)

    def __array__(self, dtype=None, copy=None):
        array = self.numpy()
        if dtype is not None and array.dtype != dtype:
            return array.astype(dtype)
        return array.copy() if copy else array

    def __format__(self, spec):
        return format(self.item(), spec) if self.ndim == 0 and spec else str(self)

    def __complex__(self):
        return complex(self.item())

    def __reversed__(self):
        return self.flip(0) if self.ndim else self

    def __dir__(self):
        return sorted({*dir(type(self)), *self.__dict__})

    def _repr_html_(self):
        import html

        kind = f"{self.dtype.short_name}[{','.join(map(str, self.shape))}]"
        title = html.escape(f"{kind} on {self.device}, {self.nbytes:,} bytes")
        if (
            self.ndim not in (1, 2)
            or self.numel() > 400
            or self.numel() == 0
            or "float" not in self.dtype.name
        ):
            return f"<div><code>{title}</code><pre>{html.escape(repr(self))}</pre></div>"
        rows = self.tolist() if self.ndim == 2 else [self.tolist()]
        largest = max((abs(v) for row in rows for v in row if abs(v) < float("inf")), default=0.0) or 1.0

        def cell(value):
            weight = min(abs(value) / largest, 1.0) if value == value else 0.0
            colour = "214, 69, 65" if value > 0 else "65, 105, 214"
            return f'<td style="background: rgba({colour}, {0.4 * weight:.2f})">{value:.4g}</td>'

        body = "".join("<tr>" + "".join(map(cell, row)) + "</tr>" for row in rows)
        return f"<div><code>{title}</code><table>{body}</table></div>"

    def type(self, dtype=None):
        """The name of the dtype, or the tensor in another dtype."""
        return f"phlox.{self.dtype.name}" if dtype is None else self.to(dtype)

    def type_as(self, other):
        """The tensor in the dtype and on the device of another."""
        return self.to(other)

    def polygamma(self, n):
        """Derivative number `n` of digamma."""
        return _phlox.polygamma(n, self)

    def polygamma_(self, n):
        """polygamma() in place."""
        return self.digamma_() if n == 0 else self.polygamma_of_order_(n)

    def is_nonzero(self):
        """Whether the only element is not zero."""
        return bool(self)

    def is_signed(self):
        """True for dtypes that hold negative numbers."""
        return self.dtype.name != "bool" and not self.dtype.name.startswith("uint")

    def get_device(self):
        """The number of the GPU, -1 for the CPU."""
        return -1 if self.is_cpu else self.device.index

    def is_conj(self):
        """False: conj() is carried out at once."""
        return False

    def sum_to_size(self, *size):
        """The sum over the dimensions that broadcasting would stretch to get this shape from `size`."""
        size = tuple(size[0]) if len(size) == 1 and not isinstance(size[0], int) else size
        added = self.ndim - len(size)
        kept = [added + i for i, n in enumerate(size) if n == 1 and self.shape[added + i] != 1]
        result = self.sum(kept, keepdim=True) if kept else self
        result = result.sum(list(range(added))) if added > 0 else result
        return result.reshape(size)

    def _become(self, other, operation):
        # Takes shape, strides, memory and dtype of another tensor, which no record of gradients may notice.
        if self.requires_grad:
            _phlox._fail(
                "GradientError",
                "leaf_modified_in_place",
                f"{operation}: a tensor that requires gradients keeps its shape and memory",
                {"tensor": self},
                "<tensor>.detach(), or the form without the underscore",
            )
        self.data = other.detach()
        return self

    def set_(self, source=None):
        """Takes the memory, shape and dtype of another tensor, or none at all; both then share their elements."""
        return self._become(_phlox.zeros((0,), dtype=self.dtype) if source is None else source, "set_")

    def resize_(self, *size):
        """Gives the tensor another shape, row-major from where it begins; elements that memory lacks are zeros."""
        size = tuple(size[0]) if len(size) == 1 and not isinstance(size[0], int) else size
        count = 1
        for n in size:
            if n < 0:
                _phlox._fail(
                    "ShapeError",
                    "invalid_value",
                    f"resize_: {list(size)} has a negative size",
                    {"tensor": self},
                    "",
                )
            count *= n
        if count <= self.numel():
            whole = self.detach()
            flat = whole.view(-1) if whole.is_contiguous() else whole.as_strided((count,), (1,))
            return self._become(flat[:count].view(size), "resize_")
        if self.requires_grad:
            return self._become(self, "resize_")  # raises
        grown = _phlox.zeros((count,), dtype=self.dtype, device=self.device)
        grown[: self.numel()] = self.detach().reshape(-1)
        return self._become(grown.view(size), "resize_")

    def resize_as_(self, other):
        """Gives the tensor the shape of another, as resize_() does."""
        return self.resize_(other.shape)

    def as_strided_(self, size, stride, storage_offset=None):
        """as_strided() in place."""
        return self._become(self.detach().as_strided(size, stride, storage_offset), "as_strided_")

    def squeeze_(self, dim=None):
        """squeeze() in place."""
        return self._become(self.detach().squeeze(dim), "squeeze_")

    def unsqueeze_(self, dim):
        """unsqueeze() in place."""
        return self._become(self.detach().unsqueeze(dim), "unsqueeze_")

    def t_(self):
        """t() in place."""
        return self._become(self.detach().t(), "t_")

    def transpose_(self, dim0, dim1):
        """transpose() in place."""
        return self._become(self.detach().transpose(dim0, dim1), "transpose_")

    def swapaxes_(self, dim0, dim1):
        """transpose() in place."""
        return self._become(self.detach().transpose(dim0, dim1), "swapaxes_")

    def swapdims_(self, dim0, dim1):
        """transpose() in place."""
        return self._become(self.detach().transpose(dim0, dim1), "swapdims_")

    def fill_diagonal_(self, fill_value, wrap=False):
        """Writes a value on the main diagonal; with `wrap` it begins anew below a square of a tall matrix."""
        if self.ndim < 2 or (self.ndim > 2 and len(set(self.shape)) > 1):
            _phlox._fail(
                "ShapeError",
                "wrong_rank",
                "fill_diagonal_: needs a matrix, or more dimensions of one size",
                {"tensor": self},
                "",
            )
        line: Tensor = self
        for _ in range(self.ndim - 1):
            line = line.diagonal(0, 0, 1)
        line.fill_(fill_value)
        rows = self.shape[1] + 1
        if wrap and self.ndim == 2 and self.shape[0] > rows and self.shape[1]:
            self[rows:].fill_diagonal_(fill_value, True)
        return self

    def new_empty_strided(self, size, stride, *, dtype=None, device=None, requires_grad=False):
        """An uninitialised tensor of this dtype and device, with sizes and strides."""
        return _phlox.empty_strided(
            size, stride, dtype=dtype or self.dtype, device=device or self.device, requires_grad=requires_grad
        )

    def is_same_size(self, other):
        """Whether the shapes are equal."""
        return self.shape == other.shape

    def is_set_to(self, tensor):
        """Whether both look at the same memory in the same way."""
        same = (self.data_ptr(), self.shape, self.stride(), self.dtype)
        return same == (tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype)

    def dim_order(self):
        """The dimensions from the one of the largest stride to that of the smallest."""
        return tuple(sorted(range(self.ndim), key=lambda d: -self.stride(d)))

    def apply_(self, callable):
        """Replaces each element by what a Python function gives for it: slow, and without gradients."""
        values = [callable(v) for v in self.detach().reshape(-1).tolist()]
        return self.copy_(_phlox.tensor(values, dtype=self.dtype).reshape(self.shape))

    def map_(self, tensor, callable):
        """Replaces each element by what a Python function gives for it and that of another tensor."""
        other = tensor.detach().broadcast_to(self.shape)
        pairs = zip(self.detach().reshape(-1).tolist(), other.reshape(-1).tolist())
        return self.copy_(
            _phlox.tensor([callable(a, b) for a, b in pairs], dtype=self.dtype).reshape(self.shape)
        )

    def is_neg(self):
        """False: neg() is carried out at once."""
        return False

    def is_pinned(self):
        """Whether the memory is pinned for copies to a GPU."""
        return False

    def is_shared(self):
        """Whether the memory belongs to several processes."""
        return False

    @property
    def layout(self):
        """How elements are stored: px.strided."""
        return "strided"

    @property
    def is_sparse(self):
        """False: the elements lie in memory one by one."""
        return False

    @property
    def is_sparse_csr(self):
        """False: px.sparse.SparseTensor has rows one after the other."""
        return False

    def to_sparse(self, sparse_dim=None, *, layout="sparse_coo", blocksize=None):
        """The elements that are not 0, as px.sparse.to_sparse() gives them."""
        from .sparse import to_sparse

        return to_sparse(self, sparse_dim, layout=layout, blocksize=blocksize)

    def to_sparse_coo(self):
        """The elements that are not 0, with the coordinates of each."""
        return self.to_sparse()

    def to_sparse_csr(self):
        """The elements of a matrix that are not 0, row by row."""
        return self.to_sparse(layout="sparse_csr")

    def to_sparse_csc(self):
        """The elements of a matrix that are not 0, column by column."""
        return self.to_sparse(layout="sparse_csc")

    def to_sparse_bsr(self, blocksize):
        """The blocks of a matrix in which not all is 0, row by row."""
        return self.to_sparse(layout="sparse_bsr", blocksize=blocksize)

    def to_sparse_bsc(self, blocksize):
        """The blocks of a matrix in which not all is 0, column by column."""
        return self.to_sparse(layout="sparse_bsc", blocksize=blocksize)

    def to_dense(self):
        """The tensor itself, which stores all elements; as px.sparse.SparseTensor.to_dense() gives."""
        return self

    def sparse_mask(self, mask):
        """The elements at the positions that a sparse tensor of the same shape stores."""
        return _phlox._sparse.sparse_mask(self, mask)

    @property
    def is_quantized(self):
        """False: the elements are what they stand for."""
        return False

    @property
    def is_meta(self):
        """False: the tensor has memory."""
        return False

    def __rdiv__(self, other):
        return other / self

    def detach_(self):
        """Cuts this tensor off from gradients."""
        _phlox._drop_history(self)
        return self

    def __array_namespace__(self, *, api_version=None):
        """The namespace of the Array API standard."""
        from . import array_api

        if api_version not in (None, array_api.__array_api_version__):
            raise ValueError(
                f"__array_namespace__: there is version {array_api.__array_api_version__}, not {api_version}"
            )
        return array_api

    def to_device(self, device, /, *, stream=None):
        """The tensor on another device."""
        return self.to(device)

    def new_tensor(self, data, *, dtype=None, device=None, requires_grad=False):
        """A new tensor of the data, by default of this dtype and device."""
        return _phlox.tensor(
            data, dtype=dtype or self.dtype, device=device or self.device, requires_grad=requires_grad
        )


for _name, _method in vars(_Methods).items():
    if callable(_method) or isinstance(_method, classmethod):
        getattr(_method, "__func__", _method).__qualname__ = f"Tensor.{_name}"
        setattr(Tensor, _name, _method)
    elif isinstance(_method, property):
        setattr(Tensor, _name, _method)

# NumPy leaves operators with a tensor on the right to Phlox.
Tensor.__array_ufunc__ = None
Tensor.__array_priority__ = 1000
