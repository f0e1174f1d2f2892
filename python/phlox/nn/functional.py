"""The operations of networks as functions: `F.conv2d(x, weight)`, `F.cross_entropy(logits, labels)`."""

from .._nn_functional import *  # noqa: F403
