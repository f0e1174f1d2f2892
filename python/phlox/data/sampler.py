"""Samplers: in which order examples are visited. Each loop over a sampler is an epoch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import Any, Generic, TypeVar

from .. import _phlox
from .._failure import fail
from .._phlox import Generator, Tensor, multinomial, randint, randperm

_Index = TypeVar("_Index", covariant=True)


class Sampler(Generic[_Index]):
    """Numbers of examples, or lists of them for a `batch_sampler`. A subclass defines `__iter__` and `__len__`.

    Example:
        class Backwards(Sampler):
            def __init__(self, dataset):
                self.count = len(dataset)

            def __iter__(self):
                return iter(range(self.count - 1, -1, -1))

            def __len__(self):
                return self.count
    """

    def __iter__(self) -> Iterator[_Index]:
        raise NotImplementedError(f"{type(self).__name__} does not define __iter__")


def _positive(value: int, sampler: str, what: str) -> int:
    if value < 1 or int(value) != value:
        fail("ValueError", "data_misuse", f"{sampler}: {what} must be a positive integer, not {value}")
    return int(value)


class SequentialSampler(Sampler[int]):
    """All examples in order."""

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler[int]):
    """Each example once in random order; or `num_samples` draws, with `replacement` each from all examples.

    Example:
        DataLoader(dataset, sampler=RandomSampler(dataset, replacement=True, num_samples=1000))
    """

    def __init__(
        self,
        data_source: Sized,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Generator | None = None,
    ) -> None:
        self.data_source, self.replacement, self.generator = data_source, replacement, generator
        self._num_samples = (
            None if num_samples is None else _positive(num_samples, "RandomSampler", "num_samples")
        )

    @property
    def num_samples(self) -> int:
        """The number of draws of an epoch."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self) -> Iterator[int]:
        count, left = len(self.data_source), self.num_samples
        if self.replacement:
            yield from randint(0, count, (left,), generator=self.generator).tolist()
            return
        while left > 0:  # more samples than examples: several permutations
            yield from randperm(count, generator=self.generator).tolist()[:left]
            left -= count

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler[int]):
    """The given numbers in random order."""

    def __init__(self, indices: Sequence[int], generator: Generator | None = None) -> None:
        self.indices, self.generator = indices, generator

    def __iter__(self) -> Iterator[int]:
        return (self.indices[i] for i in randperm(len(self.indices), generator=self.generator).tolist())

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler[int]):
    """`num_samples` draws, example i with a probability in proportion to `weights[i]`.

    Raises ValueError for weights that are negative or all zero, and for too many draws without `replacement`.

    Example:
        weights = 1 / px.bincount(labels)[labels]
        DataLoader(dataset, sampler=WeightedRandomSampler(weights, len(dataset)))
    """

    def __init__(
        self,
        weights: Sequence[float] | Tensor,
        num_samples: int,
        replacement: bool = True,
        generator: Generator | None = None,
    ) -> None:
        self.weights = _phlox.as_tensor(weights, dtype=_phlox.dtypes["float64"])
        self.num_samples = _positive(num_samples, "WeightedRandomSampler", "num_samples")
        self.replacement, self.generator = replacement, generator
        if self.weights.ndim != 1 or not bool((self.weights >= 0).all()) or not float(self.weights.sum()) > 0:
            fail(
                "ValueError",
                "data_misuse",
                "WeightedRandomSampler: weights must be one dimension of numbers, not negative and not all zero",
            )
        if not replacement and self.num_samples > int((self.weights > 0).sum()):
            fail(
                "ValueError",
                "data_misuse",
                f"WeightedRandomSampler: {self.num_samples} draws without replacement need as many weights that are "
                "not zero",
            )

    def __iter__(self) -> Iterator[int]:
        drawn = multinomial(self.weights, self.num_samples, self.replacement, generator=self.generator)
        return iter(drawn.tolist())

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list[int]]):
    """Lists of `batch_size` numbers of another sampler; the last may be shorter, or is left out with `drop_last`.

    Example:
        list(BatchSampler(SequentialSampler(range(5)), batch_size=2, drop_last=False))  # [[0, 1], [2, 3], [4]]
    """

    def __init__(self, sampler: Iterable[int], batch_size: int, drop_last: bool) -> None:
        self.sampler, self.drop_last = sampler, drop_last
        self.batch_size = _positive(batch_size, "BatchSampler", "batch_size")

    def __iter__(self) -> Iterator[list[int]]:
        batch: list[int] = []
        for index in self.sampler:
            batch.append(index)
            if len(batch) == self.batch_size:
                yield batch
                batch = []
        if batch and not self.drop_last:
            yield batch

    def __len__(self) -> int:
        sampler: Any = self.sampler
        return len(sampler) // self.batch_size if self.drop_last else -(-len(sampler) // self.batch_size)
