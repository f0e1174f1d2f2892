"""Settings of the process."""

from __future__ import annotations

from ._failure import fail
from ._phlox import _get_print_options, _is_deterministic, _set_deterministic, _set_print_options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_PROFILES: dict[str, dict[str, Any]] = {
    "default": {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80, "sci_mode": None},
    "short": {"precision": 2, "threshold": 1000, "edgeitems": 2, "linewidth": 80, "sci_mode": None},
    "full": {"precision": 4, "threshold": 2**62, "edgeitems": 3, "linewidth": 80, "sci_mode": None},
}


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """How tensors are printed: digits after the point, number of elements from which on they are summarised, elements
    shown at each end, width of a line, and whether to use the scientific form (None: where it is needed).

    `profile` is "default", "short" or "full".

    Example:
        px.set_printoptions(precision=2, sci_mode=False)
    """
    options = dict(_PROFILES[profile]) if profile else _get_print_options()
    given = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems, "linewidth": linewidth}
    options.update({key: value for key, value in given.items() if value is not None})
    if sci_mode is not None:
        options["sci_mode"] = sci_mode
    if options["threshold"] == float("inf"):
        options["threshold"] = 2**62
    _set_print_options(**options)


_matmul_precision = "highest"


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Makes products of matrices and convolutions depend on nothing but their operands.

    An operation gives the same bits each time in any case, and pointwise operations and reductions whatever the number of
    threads, the batch or the instruction set. With `mode` the products do so as well: any number of threads, and row `i` of
    a batch the same in batches of every size. They may take up to three times as long. No operation refuses to work,
    so `warn_only` changes nothing.

    Example:
        px.use_deterministic_algorithms(True)
        x, weight = px.randn(8, 100), px.randn(3, 100)
        px.equal((x @ weight.T)[0], x[0] @ weight.T)  # True
        px.use_deterministic_algorithms(False)
    """
    _set_deterministic(mode)


def are_deterministic_algorithms_enabled() -> bool:
    """What use_deterministic_algorithms() was told last; False at the start."""
    return _is_deterministic()


def set_float32_matmul_precision(precision: str) -> None:
    """Takes "highest", "high" or "medium", and changes nothing: products of float32 are always computed in float32.

    PyTorch lets some processors take fewer bits for the latter two. Raises ValueError for other words.
    """
    global _matmul_precision
    if precision not in ("highest", "high", "medium"):
        fail(
            "ValueError",
            "invalid_value",
            f'set_float32_matmul_precision: the precision is "highest", "high" or "medium", not {precision!r}',
        )
    _matmul_precision = precision


def get_float32_matmul_precision() -> str:
    """What set_float32_matmul_precision() was given last; "highest" at first."""
    return _matmul_precision
