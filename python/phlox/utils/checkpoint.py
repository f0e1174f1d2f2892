"""The name of torch.utils.checkpoint; the same as px.autograd.checkpoint."""

from ..autograd import checkpoint as _checkpoint


def checkpoint(function, *args, use_reentrant=None, preserve_rng_state=True, **kwargs):
    """Runs `function` without keeping what its gradients need; see px.autograd.checkpoint. There is one way to do it."""
    return _checkpoint(function, *args, **kwargs)
