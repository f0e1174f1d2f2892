"""Functions of networks: tf.nn.relu, tf.nn.softmax, tf.nn.conv2d, losses from logits, recurrent networks."""

from __future__ import annotations

from typing import Any as _Any

from .. import _nn_functions as _nn_functions
from .._calls import offer as _offer
from .._rnn import bidirectional_dynamic_rnn, dynamic_rnn, raw_rnn, static_rnn
from . import rnn_cell as rnn_cell

_get = _offer(globals(), "nn")


def __getattr__(name: str) -> _Any:
    """All operations of Phlox, and those that TensorFlow has only here."""
    return _get(name)
