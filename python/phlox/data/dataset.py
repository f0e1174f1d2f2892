"""Datasets: numbered examples, or a stream of them."""

from __future__ import annotations

import abc
import bisect
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, Protocol, TypeVar

from .._failure import fail
from .._phlox import Generator, _data, randperm

TensorDataset = _data.TensorDataset
digits, digits_from_idx = _data.digits, _data.digits_from_idx

_Example = TypeVar("_Example", covariant=True)


class _Numbered(Protocol[_Example]):
    # What can be loaded by number: datasets, lists, arrays.
    def __getitem__(self, index: int, /) -> _Example: ...
    def __len__(self) -> int: ...


class Dataset(Generic[_Example], metaclass=abc.ABCMeta):
    """Numbered examples. A subclass defines `__len__` and `__getitem__(index)`.

    Example:
        class Squares(Dataset):
            def __len__(self):
                return 100

            def __getitem__(self, index):
                return px.tensor(float(index)), index * index
    """

    def __getitem__(self, index: Any) -> _Example:
        fail(
            "NotSupportedError",
            "data_misuse",
            f"{type(self).__name__}: the dataset does not define __getitem__",
            "def __getitem__(self, index): gives the example of this number",
        )

    def __add__(self, other: Any) -> ConcatDataset:
        return ConcatDataset([self, other])

    def __repr__(self) -> str:
        return _counted(self)


def _counted(dataset: Any) -> str:
    # Some datasets, streams among them, have no length.
    count = f"{len(dataset)} examples" if hasattr(dataset, "__len__") else ""
    return f"{type(dataset).__name__}({count})"


def described(dataset: Any) -> str:
    """The dataset in a line: datasets say it themselves, lists and the like would show all of their elements."""
    return repr(dataset) if isinstance(dataset, Dataset) else _counted(dataset)


# Datasets written in C++ are datasets as well.
Dataset.register(_data.NativeDataset)


class IterableDataset(Dataset[_Example]):
    """A stream of examples, without numbers. A subclass defines `__iter__`.

    Example:
        class Lines(IterableDataset):
            def __iter__(self):
                return iter(open("lines.txt"))
    """

    def __iter__(self) -> Iterator[_Example]:
        raise NotImplementedError(f"{type(self).__name__} does not define __iter__")


class Subset(Dataset[_Example]):
    """Some examples of another dataset, in the order of `indices`.

    Example:
        first_hundred = Subset(dataset, range(100))
    """

    def __init__(self, dataset: _Numbered[_Example], indices: Iterable[int]) -> None:
        self.dataset, self.indices = dataset, list(indices)

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> _Example:
        return self.dataset[self.indices[index]]

    def __repr__(self) -> str:
        return f"Subset({described(self.dataset)}, {len(self)} examples)"


class ConcatDataset(Dataset[Any]):
    """Several datasets one after the other. Raises ValueError when there is none.

    Example:
        both = ConcatDataset([train, test])  # or train + test
    """

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            fail("ValueError", "data_misuse", "ConcatDataset: there are no datasets")
        self.cumulative_sizes = list(itertools.accumulate(len(dataset) for dataset in self.datasets))

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, index: int) -> Any:
        if not -len(self) <= index < len(self):
            fail(
                "IndexError",
                "index_out_of_range",
                f"ConcatDataset: there is no example {index} among {len(self)}",
            )
        index %= len(self)
        part = bisect.bisect_right(self.cumulative_sizes, index)
        return self.datasets[part][index - (self.cumulative_sizes[part - 1] if part else 0)]

    def __repr__(self) -> str:
        return f"ConcatDataset([{', '.join(map(described, self.datasets))}])"


def random_split(
    dataset: _Numbered[_Example], lengths: Sequence[float], generator: Generator | None = None
) -> list[Subset[_Example]]:
    """Parts of the given lengths, drawn at random: numbers of examples that add up to all, or fractions that add up to 1.

    What fractions leave over by rounding goes to the first parts, one each. Raises ValueError for other lengths.

    Example:
        train, test = px.data.random_split(dataset, [0.8, 0.2], generator=px.Generator().manual_seed(0))
    """
    total = len(dataset)
    counts = [math.floor(total * length) for length in lengths]
    if not (math.isclose(sum(lengths), 1) and all(0 <= length <= 1 for length in lengths)):
        counts = [int(length) for length in lengths]
    else:
        for part in range(total - sum(counts)):
            counts[part % len(counts)] += 1
    if sum(counts) != total or min(counts, default=0) < 0:
        fail(
            "ValueError",
            "data_misuse",
            f"random_split: the lengths {list(lengths)} do not add up to the {total} examples",
            "fractions that add up to 1 fit any number of examples",
        )
    order = iter(randperm(total, generator=generator).tolist())
    return [Subset(dataset, itertools.islice(order, count)) for count in counts]
