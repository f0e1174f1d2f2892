"""What is known of a tensor's shape before anything runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from .._failure import fail


class Dimension(int):
    """A size that is known: an int that also has TensorFlow's `value`."""

    @property
    def value(self) -> int:
        """The size."""
        return int(self)


class UnknownDimension:
    """A size that is known only when the graph runs. It equals None."""

    value = None

    def __eq__(self, other: object) -> bool:
        return other is None or isinstance(other, UnknownDimension)

    def __hash__(self) -> int:
        return hash(None)

    def __repr__(self) -> str:
        return "?"

    def __index__(self) -> int:
        fail(
            "ValueError",
            "invalid_value",
            "a size that is known only when the graph runs is used as a number",
            hint="tf.shape(x)[i], which is a tensor",
        )


UNKNOWN = UnknownDimension()


class TensorShape:
    """Sizes, some of them perhaps unknown (None); or nothing known at all, not even how many there are.

    Example:
        x = tf.placeholder(tf.float32, [None, 784])
        x.shape.as_list()   # [None, 784]
        x.shape[1].value    # 784
        x.shape.ndims       # 2
    """

    def __init__(self, sizes: Any = None):
        if sizes is None or isinstance(sizes, TensorShape):
            self._sizes: tuple[int | None, ...] | None = None if sizes is None else sizes._sizes
            return
        sizes = [sizes] if isinstance(sizes, int) else list(sizes)
        known = (None if s is None or s == -1 or isinstance(s, UnknownDimension) else int(s) for s in sizes)
        self._sizes = tuple(known)

    @property
    def ndims(self) -> int | None:
        """How many sizes there are; None where that is unknown."""
        return None if self._sizes is None else len(self._sizes)

    rank = ndims

    @property
    def dims(self) -> list[Any] | None:
        """The sizes as Dimension objects; None where nothing is known."""
        return None if self._sizes is None else list(self)

    def as_list(self) -> list[int | None]:
        """The sizes, None for unknown ones. Raises ValueError where even their number is unknown."""
        return list(self._known_rank())

    def is_fully_defined(self) -> bool:
        """Whether each size is known."""
        return self._sizes is not None and None not in self._sizes

    def num_elements(self) -> int | None:
        """The product of the sizes; None where one is unknown."""
        if self._sizes is None:
            return None
        product = 1
        for size in self._sizes:
            if size is None:
                return None
            product *= size
        return product

    def is_compatible_with(self, other: Any) -> bool:
        """Whether a tensor could have both shapes."""
        a, b = self._sizes, TensorShape(other)._sizes
        if a is None or b is None:
            return True
        return len(a) == len(b) and all(x is None or y is None or x == y for x, y in zip(a, b))

    def merge_with(self, other: Any) -> TensorShape:
        """What both know together. Raises ShapeError where they contradict each other."""
        other = TensorShape(other)
        if not self.is_compatible_with(other):
            fail("ShapeError", "sizes_differ", f"the shapes {self} and {other} cannot be those of one tensor")
        if self._sizes is None or other._sizes is None:
            return other if self._sizes is None else self
        return TensorShape([x if x is not None else y for x, y in zip(self._sizes, other._sizes)])

    def concatenate(self, other: Any) -> TensorShape:
        """The sizes of this shape, then those of the other."""
        other = TensorShape(other)
        return TensorShape(
            None if self._sizes is None or other._sizes is None else self._sizes + other._sizes
        )

    def _known_rank(self) -> tuple[int | None, ...]:
        if self._sizes is None:
            fail(
                "ValueError",
                "invalid_value",
                "the shape is not known before the graph runs, not even how many sizes it has",
                hint="x.set_shape([None, 10]) says what you know",
            )
        return self._sizes

    def __len__(self) -> int:
        return len(self._known_rank())

    def __iter__(self) -> Iterator[Any]:
        return (UNKNOWN if size is None else Dimension(size) for size in self._known_rank())

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return TensorShape(self._known_rank()[index])
        size = self._known_rank()[index]
        return UNKNOWN if size is None else Dimension(size)

    def __bool__(self) -> bool:
        return self._sizes is not None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (TensorShape, Sequence)) and other is not None:
            return NotImplemented
        return self._sizes == TensorShape(other)._sizes

    def __hash__(self) -> int:
        return hash(self._sizes)

    def __str__(self) -> str:
        if self._sizes is None:
            return "<unknown>"
        sizes = ", ".join("?" if s is None else str(s) for s in self._sizes)
        return f"({sizes},)" if len(self._sizes) == 1 else f"({sizes})"

    def __repr__(self) -> str:
        return f"TensorShape({None if self._sizes is None else list(self._sizes)})"
