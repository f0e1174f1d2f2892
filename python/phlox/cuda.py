"""NVIDIA GPUs. Without one, `is_available()` is False and nothing else is needed."""

from __future__ import annotations

from . import _phlox

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def is_available() -> bool:
    """True when a GPU can be used."""
    return _phlox.is_available("cuda")


def device_count() -> int:
    """The number of GPUs that can be used."""
    count = 0
    while count < 64 and _phlox.is_available(f"cuda:{count}"):
        count += 1
    return count


def memory_allocated(device: Any = None) -> int:
    """The bytes that tensors occupy on the GPU; 0 without one."""
    return 0


def max_memory_allocated(device: Any = None) -> int:
    """The most bytes that tensors have occupied on the GPU; 0 without one."""
    return 0


def manual_seed(seed: int) -> None:
    """Seeds the default generator, which all devices share."""
    _phlox.manual_seed(seed)


def manual_seed_all(seed: int) -> None:
    """Seeds the default generator, which all devices share."""
    _phlox.manual_seed(seed)


def synchronize(device: Any = None) -> None:
    """Waits until the GPU has done what was asked; on the CPU everything has been done already."""


def empty_cache() -> None:
    """Gives cached memory back to the system."""
    _phlox._empty_cache()
