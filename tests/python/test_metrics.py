"""Metrics of classification, against their definitions."""

import math

import pytest

import phlox as px
from phlox import metrics

SCORES = px.tensor([[0.1, 0.9, 0.0], [0.8, 0.1, 0.1], [0.2, 0.3, 0.5], [0.4, 0.4, 0.2]])
TARGET = px.tensor([1, 0, 1, 2])


def test_accuracy_of_scores_and_of_classes():
    assert metrics.accuracy(SCORES, TARGET) == 0.5
    assert metrics.predicted_classes(SCORES) == [1, 0, 2, 0]
    assert metrics.accuracy(px.tensor([1, 0, 1, 0]), TARGET) == 0.75
    assert math.isnan(metrics.accuracy(px.zeros(0, 3), px.zeros(0, dtype=px.int64)))
    with pytest.raises(px.ShapeError, match="accuracy"):
        metrics.accuracy(SCORES, TARGET[:2])


def test_top_k():
    assert [metrics.top_k_accuracy(SCORES, TARGET, k) for k in (1, 2, 3)] == [0.5, 0.75, 1.0]
    assert metrics.top_k_accuracy(SCORES, TARGET) == 1.0
    with pytest.raises(px.errors.ValueError, match="positive"):
        metrics.top_k_accuracy(SCORES, TARGET, 0)
    with pytest.raises(px.errors.IndexError):
        metrics.top_k_accuracy(SCORES, px.tensor([0, 0, 0, 3]))


def test_confusion_matrix():
    confusion = metrics.ConfusionMatrix(3)
    confusion.update(SCORES[:2], TARGET[:2])
    confusion.update(SCORES[2:], TARGET[2:])
    assert confusion.to_tensor().tolist() == [[1, 0, 0], [0, 1, 1], [1, 0, 0]]
    assert confusion.count(1, 2) == 1 and confusion.total() == 4 and confusion.accuracy() == 0.5
    assert confusion.precision().tolist() == [0.5, 1, 0]
    assert confusion.recall().tolist() == [1, 0.5, 0]
    assert confusion.f1().tolist() == pytest.approx([2 / 3, 2 / 3, 0])
    assert repr(confusion) == "ConfusionMatrix(3 classes, 4 pairs, accuracy 0.5000)"
    with pytest.raises(px.errors.IndexError, match="no class 3"):
        confusion.update(px.tensor([3]), px.tensor([0]))
    confusion.reset()
    assert confusion.total() == 0 and math.isnan(confusion.accuracy())
