"""Where Phlox is not as PyTorch on purpose, and what PyTorch's database cannot ask. One by one, each with its reason."""

from __future__ import annotations

import re

# (entries, checks, failures, reason), three patterns. These count as passed; docs/differences.md has them for users.
DIFFERENCES = [
    (
        r".*",
        r"errors",
        r"accepted, where PyTorch says: $",
        "numbers are operands wherever tensors are, px.maximum(x, 2), as the Array API standard demands",
    ),
    (
        r"add(mm|mv|bmm|r)|baddbmm",
        r"forward",
        r"(int64|bool) \d+: dtype",
        "factors promote: half of an integer is a float, where PyTorch cuts the factor off",
    ),
    (r"mean", r"errors", r"could not infer output dtype", "the mean of integers is a float"),
    (
        r"nonzero|argwhere|masked_select|masked_scatter|unique|unique_consecutive|index_put",
        r"vmap",
        r"the shape of a result depends on the values",
        "refused in vmap by both: results of samples would differ in shape",
    ),
    (
        r"signal\.windows\..*",
        r"errors",
        r"expects float32 or float64 dtypes",
        "windows are computed in f64 and rounded to any floating dtype",
    ),
    (
        r"istft",
        r"gradient",
        r"complex128 [89]: values differ",
        "PyTorch loses the gradient of a window shorter than n_fft when the result is complex",
    ),
]

# What is lost on the way into another library, through NumPy.
NOT_ASKED = [
    (r"sparse\..*|to_sparse", r".*", r".*", "sparse tensors"),
    (r"as_strided\.partial_views", r".*", r".*", "offsets into a storage that is larger than the tensor"),
    (
        r"nn\.functional\.scaled_dot_product_attention",
        r"vmap",
        r"random numbers are drawn",
        "dropout in vmap says how samples share its numbers",
    ),
    (
        r"nn\.functional\.scaled_dot_product_attention",
        r"double_backward",
        r"derivative for aten",
        "PyTorch has none",
    ),
    (r"tensor_split", r"forward_mode", r"Cannot access data pointer", "PyTorch cannot"),
]

# Entries without a counterpart.
NO_COUNTERPART = {
    "slice": "a function of PyTorch's interpreter, not of its users",
    "native_dropout_backward": "a gradient kernel; gradients come from the engine",
    "nn.functional.max_pool2d_with_indices_backward": "a gradient kernel; gradients come from the engine",
    "max_pool2d_with_indices_backward": "a gradient kernel; gradients come from the engine",
    "__rdiv__": "an operator of Python 2",
    "chalf": "complex numbers of halves are no dtype here: PyTorch itself computes with them on GPUs only",
}


def is_excused(name: str, check: str, failure: str) -> bool:
    return any(
        re.fullmatch(entries, name) and re.fullmatch(checks, check) and re.search(pattern, failure)
        for entries, checks, pattern, _ in DIFFERENCES + NOT_ASKED
    )
