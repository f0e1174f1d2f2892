"""The operations of networks as functions: `F.conv2d(x, weight)`, `F.cross_entropy(logits, labels)`.

All other operations, such as `relu`, are here as well.
"""

from .. import _phlox
from .._homes import fill as _fill
from ._losses import triplet_margin_with_distance_loss as triplet_margin_with_distance_loss

_fill(globals(), "nn.functional", and_all_others=True)
# The windows of images, as in PyTorch; those along one dimension are x.unfold(...).
unfold = _phlox._named(globals()["im2col"], "unfold")
fold = _phlox._named(globals()["col2im"], "fold")
