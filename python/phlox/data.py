"""Data: datasets and loaders.

train, test = px.data.digits().split(0.8)
for x, y in px.data.DataLoader(train, batch_size=64, shuffle=True): ...
"""

from ._phlox import Tensor, _data, stack, tensor
from .train import progress as progress

TensorDataset = _data.TensorDataset
digits, digits_from_idx = _data.digits, _data.digits_from_idx


class Dataset:
    """Numbered examples. A subclass defines `__len__` and `__getitem__(index)`."""

    def __getitem__(self, index):
        raise NotImplementedError(f"{type(self).__name__} does not define __getitem__")


class Subset(Dataset):
    """Some examples of another dataset."""

    def __init__(self, dataset, indices):
        self.dataset, self.indices = dataset, list(indices)

    def __len__(self):
        return len(self.indices)

    def __getitem__(self, index):
        return self.dataset[self.indices[index]]


def default_collate(examples):
    """Stacks the tensors and numbers of examples, within tuples and dicts."""
    first = examples[0]
    if isinstance(first, Tensor):
        return stack(examples)
    if isinstance(first, (tuple, list)):
        return tuple(default_collate(list(field)) for field in zip(*examples, strict=True))
    if isinstance(first, dict):
        return {key: default_collate([example[key] for example in examples]) for key in first}
    if isinstance(first, str):
        return examples
    return tensor(examples)


class DataLoader:
    """Batches of a dataset. C++ datasets are read by `num_workers` threads, Python ones by the caller.

    The order depends on the seed alone, which is drawn from the default generator unless given.
    """

    def __init__(
        self,
        dataset,
        batch_size=1,
        shuffle=False,
        *,
        num_workers=0,
        collate_fn=None,
        drop_last=False,
        prefetch_factor=2,
        seed=None,
    ):
        self.dataset, self.batch_size = dataset, batch_size
        self._shuffle, self._drop_last = shuffle, drop_last
        self._collate = collate_fn or default_collate
        self._native = None
        if isinstance(dataset, _data.NativeDataset) and collate_fn is None:
            self._native = _data.Loader(
                dataset, batch_size, shuffle, num_workers, drop_last, prefetch_factor, seed
            )

    def __len__(self):
        count = len(self.dataset)
        return count // self.batch_size if self._drop_last else -(-count // self.batch_size)

    def __iter__(self):
        if self._native is not None:
            return iter(self._native)
        return self._batches()

    def _batches(self):
        from ._phlox import randperm

        count = len(self.dataset)
        order = randperm(count).tolist() if self._shuffle else range(count)
        for number in range(len(self)):
            chosen = order[number * self.batch_size : (number + 1) * self.batch_size]
            yield self._collate([self.dataset[index] for index in chosen])
