"""Data sets and iterators: tf.data.Dataset, make_one_shot_iterator, make_initializable_iterator."""

from __future__ import annotations

from ._data import Dataset, Iterator, make_initializable_iterator, make_one_shot_iterator

__all__ = ["Dataset", "Iterator", "make_initializable_iterator", "make_one_shot_iterator"]
