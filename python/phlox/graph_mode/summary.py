"""Summaries for TensorBoard: tf.summary.scalar, histogram, text, merge_all, FileWriter."""

from __future__ import annotations

from ._summaries import FileWriter, Summary, histogram, merge, merge_all, scalar, text

__all__ = ["FileWriter", "Summary", "histogram", "merge", "merge_all", "scalar", "text"]
