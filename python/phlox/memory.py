"""The memory of tensors on the CPU: large blocks are kept and used again, as fresh pages are slow."""

from __future__ import annotations

from ._phlox import MemoryPlan
from ._phlox import _empty_cache as empty_cache
from ._phlox import _memory_statistics as statistics
from ._phlox import _reset_peak_memory as reset_peak
from ._phlox import _set_cache_limit as set_cache_limit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "MemoryPlan",
    "empty_cache",
    "largest_batch",
    "plan",
    "reset_peak",
    "set_cache_limit",
    "set_limit",
    "statistics",
]


def set_limit(limit: float | str | None) -> None:
    """The most bytes that tensors may have, a number or "2GB"; more raises OutOfMemoryError. None: as many as there are.

    >>> import phlox as px
    >>> px.memory.set_limit("2GB")
    >>> px.memory.set_limit(None)
    """
    from ._phlox import _set_memory_limit

    _set_memory_limit(0 if limit is None else _bytes_of(limit))


def _bytes_of(limit: float | str) -> int:
    from ._graph_tools import bytes_of

    return bytes_of(limit) if isinstance(limit, str) else max(0, int(limit))


def plan(function: Any, *args: Any, **kwargs: Any) -> MemoryPlan:
    """The memory that a call of `px.jit(function)` with these arguments takes, without running it.

    The function may be a whole training step; nothing of the program is changed.

        >>> print(px.memory.plan(step, images, labels))  # the peak, what it consists of, and the largest tensors
    """
    from . import _phlox
    from ._graph_tools import captured_call

    captured, tensors = captured_call(function, args, kwargs)
    return _phlox._memory_plan(captured.optimize(None), tensors)


def largest_batch(function: Any, *args: Any, limit: float | str | None = None, **kwargs: Any) -> int | None:
    """The largest batch for which a call fits into `limit` bytes, or "2GB", without running it.

    A batch is the size of the first dimension of the first tensor, which others that begin with this size share; it may be
    larger than that of these arguments. Without a limit it is what that of `set_limit()`, or the memory of the machine, leaves
    beside the tensors that live now. None where a batch of 1 does not fit.

        >>> px.memory.largest_batch(step, images, labels, limit=2 << 30)
        192
    """
    from . import _phlox
    from ._graph_tools import captured_for

    if limit is not None:
        limit = _bytes_of(limit)
    capture, tensors = captured_for(function, args, kwargs)
    return _phlox._largest_batch(lambda given: capture(given).optimize(None), tensors, limit)
