"""The names of TensorFlow 1 that programs with graphs use most: each is here, and a test uses it."""

# shard: graph
import re
from pathlib import Path

import phlox.graph_mode as tf
import pytest

FOLDER = Path(__file__).parent
NAMES = [line.removeprefix("tf.compat.v1.") for line in (FOLDER / "tf1_names.txt").read_text().split()]
TESTS = "\n".join(path.read_text() for path in FOLDER.glob("test_*.py") if path != Path(__file__))
# Names that tests use through an object of the class, or a shorter name of the module.
SEEN_AS = {
    "Graph.as_default": "as_default()",
    "Graph.gradient_override_map": "gradient_override_map(",
    "Session.run": "session.run(",
    "Session.partial_run": "session.partial_run(",
    "Session.make_callable": "session.make_callable(",
    "train.Optimizer.compute_gradients": "optimizer.compute_gradients(",
    "train.Optimizer.apply_gradients": "optimizer.apply_gradients(",
    "train.exponential_decay": "train.exponential_decay(",
}


def test_there_are_95():
    assert len(NAMES) == len(set(NAMES)) == 95


@pytest.mark.parametrize("name", NAMES)
def test_name(name):
    found = tf
    for part in name.split("."):
        found = getattr(found, part)
    assert callable(found) or name == "GraphKeys"
    assert found.__doc__
    used = SEEN_AS.get(name) or name.replace("Graph.", ".").replace("nn.rnn_cell.", "cells.")
    pattern = re.escape(used) if used.endswith(("(", ")")) else rf"{re.escape(used)}\b"
    assert re.search(pattern, TESTS), "no test uses it"
