"""The memory of tensors on the CPU: large blocks are kept and used again, as fresh pages are slow."""

from ._phlox import _empty_cache as empty_cache
from ._phlox import _memory_statistics as statistics
from ._phlox import _reset_peak_memory as reset_peak
from ._phlox import _set_cache_limit as set_cache_limit
from ._phlox import _set_memory_limit as set_limit

__all__ = ["empty_cache", "reset_peak", "set_cache_limit", "set_limit", "statistics"]
