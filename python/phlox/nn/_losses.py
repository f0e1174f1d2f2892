"""Losses that take a function of Python."""

from .. import _phlox


def triplet_margin_with_distance_loss(
    anchor, positive, negative, *, distance_function=None, margin=1.0, swap=False, reduction="mean"
):
    """max(0, distance(anchor, positive) - distance(anchor, negative) + margin); `swap` also considers the distance of
    positive and negative. The distance is a function of two tensors, `pairwise_distance` when not given.
    """
    distance = distance_function or _phlox.pairwise_distance
    if not margin > 0:
        raise ValueError(f"triplet_margin_with_distance_loss: margin is {margin}, not positive")
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = _phlox.minimum(far, distance(positive, negative))
    losses = (near - far + margin).clamp_min(0)
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"triplet_margin_with_distance_loss: reduction is {reduction!r}")
    return losses if reduction == "none" else getattr(losses, reduction)()
