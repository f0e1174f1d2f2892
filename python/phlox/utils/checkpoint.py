"""The name of torch.utils.checkpoint; the same as px.autograd.checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..autograd import checkpoint as _checkpoint


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    use_reentrant: bool | None = None,
    preserve_rng_state: bool = True,
    **kwargs: Any,
) -> Any:
    """Runs `function` without keeping what its gradients need; see px.autograd.checkpoint. There is one way to do it."""
    return _checkpoint(function, *args, **kwargs)
