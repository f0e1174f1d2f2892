"""Tensors of PyTorch's samples as tensors of the library under test, and how close two results are."""

from __future__ import annotations

import importlib

import numpy as np
import torch
from torch.testing._internal.common_device_type import toleranceOverride
from torch.testing._internal.opinfo.core import DecorateInfo
from torch.utils._pytree import tree_flatten, tree_unflatten

TOLERANCES = {  # relative, absolute: those of torch.testing.assert_close
    torch.float64: (1e-7, 1e-7),
    torch.complex128: (1e-7, 1e-7),
    torch.float32: (1.3e-6, 1e-5),
    torch.complex64: (1.3e-6, 1e-5),
    torch.bfloat16: (1.6e-2, 1e-5),
}


def in_their_dtype(name: str, convert):
    """Results of which the dtype differs on purpose (docs/differences.md), in PyTorch's dtype: their values are compared."""

    def call(module):
        function = module
        for part in name.split("."):
            function = getattr(function, part)
        return lambda x, *a, **k: convert(module, x, function(x, *a, **k), k)

    return call


def in_dtype_of_input(module, x, result, options):
    return result if options.get("dtype") else result.to(x.dtype)


def whole_for_integers(module, x, result, options):
    integers = not (x.is_floating_point() or x.is_complex()) and not options.get("dtype")
    return result.to(x.dtype if x.dtype != module.bool else module.int64) if integers else result


def complex_for_complex(module, x, result, options):
    return result.to(x.dtype) if x.is_complex() and not options.get("dtype") else result


# Entries that are not the function of their name but a call of it, such as one with the arguments in another order.
CALLS = {
    "einsum": lambda m: lambda operands, equation: m.einsum(equation, *operands),
    "polygamma": lambda m: lambda x, n, **k: m.polygamma(n, x, **k),
    "special.polygamma": lambda m: lambda x, n, **k: m.special.polygamma(n, x, **k),
    "where": lambda m: lambda x, condition, other, **k: m.where(condition, x, other, **k),
    "nn.functional.embedding": lambda m: lambda w, i, **k: m.nn.functional.embedding(i, w, **k),
    "nn.functional.embedding_bag": lambda m: lambda w, i, **k: m.nn.functional.embedding_bag(i, w, **k),
    "zero_": lambda m: lambda x: x.clone().zero_(),
    "__getitem__": lambda m: lambda x, index: x[index],
    "linalg.lstsq.grad_oriented": lambda m: lambda a, b, driver: m.linalg.lstsq(a, b, driver=driver)[:2],
    "linalg.pinv.singular": lambda m: lambda a, b: m.linalg.pinv(a @ b.mT),
    "normal.in_place": lambda m: lambda x, *a, **k: x.clone().normal_(*a, **k),
    "svd_lowrank": lambda m: lambda a, b, **k: m.svd_lowrank(a @ b.mT, **k),
    "pca_lowrank": lambda m: lambda a, b, **k: m.pca_lowrank(a @ b.mT, **k),
    # Positions; logarithms of sums, and bounds of integers, which PyTorch cuts off; variances of complex numbers.
    **{name: in_their_dtype(name, in_dtype_of_input) for name in ("masked.argmax", "masked.argmin")},
    **{
        name: in_their_dtype(name, whole_for_integers)
        for name in ("masked.logsumexp", "nn.functional.hardtanh", "nn.functional.threshold")
    },
    **{name: in_their_dtype(name, complex_for_complex) for name in ("masked.var", "masked.std")},
    # Methods in PyTorch; Phlox's functions of these names make new tensors.
    **{
        name: lambda m, name=name: lambda x, *a, **k: getattr(x.clone(), name + "_")(*a, **k)
        for name in ("cauchy", "exponential", "geometric", "log_normal", "uniform")
    },
}


class NotConvertible(Exception):
    """A sample of which the library under test has no counterpart, such as a compressed sparse row tensor."""


class Library:
    """The library under test: `phlox`, or `torch` itself to see what can be asked at all."""

    def __init__(self, name: str) -> None:
        self.module = importlib.import_module(name)
        self.Tensor = self.module.Tensor
        self.dtype_class = type(self.module.float32)

    def function(self, entry):
        """What a user would call for an entry: a function, else a method or an attribute of tensors; None without."""
        found = self.at(entry.name)
        call = CALLS.get(entry.full_name, CALLS.get(entry.name))
        return call(self.module) if found and call else found

    def at(self, name: str):
        found = self.module
        for part in name.split("."):
            try:
                found = getattr(found, part)
            except AttributeError:
                break
        else:
            if callable(found) and not isinstance(found, self.dtype_class):
                return found
        for candidate in (name, name + "_"):
            member = getattr(self.Tensor, candidate, None)
            if callable(member):
                return member
            if member is not None:
                return lambda x: getattr(x, candidate)
        return None

    def leaf(self, value):
        """One argument. Tensors share their memory, so strides and overlaps stay as they are."""
        if isinstance(value, torch.Tensor):
            if value.dtype == torch.complex32 or value.is_quantized:
                raise NotConvertible(f"{value.dtype}")
            if value.layout != torch.strided:
                return self.sparse(value)
            made = self.module.from_numpy(to_numpy(value))
            if value.dtype == torch.bfloat16:
                made = made.to(self.module.bfloat16)
            return made.requires_grad_() if value.requires_grad else made
        if isinstance(value, (torch.dtype, torch.memory_format, torch.layout)):
            return getattr(self.module, str(value).rpartition(".")[2])
        if callable(value) and getattr(value, "__module__", "").startswith("torch."):
            return self.counterpart(value)
        return str(value) if isinstance(value, torch.device) else value

    def sparse(self, value: torch.Tensor):
        """A matrix in the same layout with the same elements stored. Gradients of sparse leaves have no common form."""
        if value.requires_grad or value.dtype == torch.bfloat16:
            raise NotConvertible(f"{value.layout} {value.dtype}, requires_grad={value.requires_grad}")
        layout = str(value.layout).removeprefix("torch.")
        if layout == "sparse_coo":
            parts = (value._indices(), value._values())
        elif layout in ("sparse_csr", "sparse_bsr"):
            parts = (value.crow_indices(), value.col_indices(), value.values())
        else:
            parts = (value.ccol_indices(), value.row_indices(), value.values())
        if value.dense_dim() or len(value.shape) != 2 and layout != "sparse_coo":
            raise NotConvertible(f"{layout} with more dimensions than two")
        make = getattr(self.module, f"{layout}_tensor")
        return make(*(self.module.from_numpy(to_numpy(part)) for part in parts), tuple(value.shape))

    def counterpart(self, function):
        """A function or layer of PyTorch that is an argument, such as a distance."""
        if isinstance(function, torch.nn.PairwiseDistance):
            return self.module.nn.functional.pairwise_distance
        return getattr(self.module.nn.functional, function.__name__, None) or getattr(
            self.module, function.__name__
        )

    def tree(self, arguments):
        leaves, structure = tree_flatten(arguments)
        return tree_unflatten([self.leaf(x) for x in leaves], structure)

    def is_tensor(self, value) -> bool:
        return isinstance(value, self.Tensor)

    def carries_gradient(self, value) -> bool:
        return self.is_tensor(value) and value.requires_grad


def to_numpy(tensor: torch.Tensor) -> np.ndarray:
    tensor = tensor.detach()
    if tensor._is_zerotensor():
        tensor = tensor.clone()
    tensor = tensor.resolve_conj().resolve_neg()
    array = tensor.float().numpy() if tensor.dtype == torch.bfloat16 else tensor.numpy()
    return array if array.flags.writeable else array.copy()


def dtype_name(value) -> str:
    return str(value.dtype).rpartition(".")[2]


def as_array(value) -> tuple[str, np.ndarray]:
    """The dtype's name and the values of a result, of either library."""
    if isinstance(value, torch.Tensor):
        return dtype_name(value), to_numpy(value if value.layout == torch.strided else value.to_dense())
    if hasattr(value, "to_dense") and not hasattr(value, "numpy"):
        value = value.to_dense()
    if hasattr(value, "numpy"):
        name = dtype_name(value)
        value = value.detach()
        return name, (value.float() if name == "bfloat16" else value).numpy()
    return type(value).__name__, np.asarray(value)


def flattened(tree) -> list:
    """The leaves of nested results, without None. Named tuples of either library are tuples."""

    def plain(node):
        if isinstance(node, (tuple, list)) and not isinstance(node, torch.Size):
            return [plain(part) for part in node]
        return node

    return [x for x in tree_flatten(plain(tree))[0] if x is not None]


def tolerance_of(entry, dtype: torch.dtype) -> tuple[float, float]:
    """The usual tolerance of the dtype, or a wider one that the entry demands for itself in any of PyTorch's tests."""
    relative, absolute = TOLERANCES.get(dtype, (0.0, 0.0))
    for wrapper in entry.decorators:
        parts = wrapper.decorators if isinstance(wrapper, DecorateInfo) else [wrapper]
        for part in parts:
            if isinstance(part, toleranceOverride) and dtype in part.d:
                relative, absolute = max(relative, part.d[dtype].rtol), max(absolute, part.d[dtype].atol)
    return relative, absolute


def difference(got, want, tolerance, exact=None, widen=False) -> str | None:
    """How two structures of results differ; None when they agree.

    With `widen`, results of another dtype than the arguments are compared as closely as that dtype is.
    `exact` is what a wider dtype gives: who is at least as near to it as PyTorch is, is not wrong.
    """
    got, want = flattened(got), flattened(want)
    if len(got) != len(want):
        return f"{len(got)} results, not {len(want)}"
    exact_values = flattened(exact) if exact is not None else want
    for ours, theirs, best in zip(got, want, exact_values):
        (our_dtype, our_values), (their_dtype, their_values) = as_array(ours), as_array(theirs)
        if our_values.shape != their_values.shape:
            return f"shape {our_values.shape}, not {their_values.shape}"
        if our_dtype != their_dtype:
            return f"dtype {our_dtype}, not {their_dtype}"
        # Integers may have floating results.
        usual = TOLERANCES.get(getattr(torch, their_dtype, None), (0.0, 0.0))
        relative, absolute = (max(pair) for pair in zip(tolerance, usual)) if widen else tolerance
        if not np.issubdtype(our_values.dtype, np.number):
            if not np.array_equal(our_values, their_values):
                return "values"
            continue
        if np.allclose(our_values, their_values, rtol=relative, atol=absolute, equal_nan=True):
            continue
        if exact is not None:
            best_values = as_array(best)[1]
            our_error, their_error = (
                np.abs(v.astype(best_values.dtype) - best_values) for v in (our_values, their_values)
            )
            allowed = np.maximum(their_error, absolute + relative * np.abs(best_values))
            same = (our_values == best_values) | (np.isnan(our_values) & np.isnan(best_values))
            if np.all(same | (our_error <= allowed)):
                continue
        with np.errstate(all="ignore"):
            gap = np.abs(our_values.astype(complex) - their_values.astype(complex))
        return f"values differ by up to {np.nanmax(gap) if np.any(~np.isnan(gap)) else np.nan:.2g}"
    return None
