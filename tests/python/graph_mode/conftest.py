"""Each test begins with an empty default graph."""

import phlox.graph_mode as tf
import pytest


@pytest.fixture(autouse=True)
def empty_graph():
    with tf.Graph().as_default():
        yield


@pytest.fixture
def session():
    with tf.Session() as session:
        yield session
