"""Where Phlox is not as PyTorch on purpose, and what PyTorch's database cannot ask. One by one, each with its reason."""

from __future__ import annotations

# (entry, check): [(pattern of the failure, reason)]. These count as passed; docs/differences.md has them for users.
DIFFERENCES: dict[tuple[str, str], list[tuple[str, str]]] = {
    (f"signal.windows.{name}", "errors"): [
        ("expects float32 or float64 dtypes", "windows are computed in f64 and rounded to any floating dtype")
    ]
    for name in (
        "bartlett", "blackman", "cosine", "exponential", "gaussian", "general_cosine", "general_hamming", "hamming",
        "hann", "kaiser", "nuttall",
    )
}  # fmt: skip

# Entries without a counterpart, and why.
EXCEPTIONS: dict[str, str] = {
    "slice": "a function of PyTorch's interpreter, not of its users",
    "native_dropout_backward": "a gradient kernel; gradients come from the engine",
    "nn.functional.max_pool2d_with_indices_backward": "a gradient kernel; gradients come from the engine",
    "max_pool2d_with_indices_backward": "a gradient kernel; gradients come from the engine",
}
