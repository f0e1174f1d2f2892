"""DataLoader: batches of a dataset, made ahead of time by threads."""

from __future__ import annotations

import functools
import itertools
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .. import _phlox
from .._failure import fail
from .._phlox import Generator, Tensor, _data, as_tensor, stack, tensor
from .dataset import IterableDataset, Subset, described
from .sampler import BatchSampler, Sampler, SequentialSampler

_INT64 = _phlox.dtypes["int64"]


def default_collate(examples: Sequence[Any]) -> Any:
    """A batch of examples: tensors, NumPy arrays and numbers are stacked, texts stay a list.

    Tuples, lists and dicts are gone through field by field; their examples must have the same fields. Raises ValueError
    for an empty list and for examples that differ.

    Example:
        default_collate([(px.zeros(2), 0), (px.ones(2), 1)])  # (float32[2, 2], int64[2])
    """
    if len(examples) == 0:
        fail("ValueError", "data_misuse", "default_collate: there are no examples")
    first = examples[0]
    if isinstance(first, Tensor):
        return stack(examples)
    if isinstance(first, (str, bytes)):
        return list(examples)
    if isinstance(first, Mapping):
        return {key: default_collate([example[key] for example in examples]) for key in first}
    if isinstance(first, (tuple, list)):
        if any(len(example) != len(first) for example in examples):
            fail(
                "ValueError",
                "data_misuse",
                "default_collate: the examples have different numbers of fields",
                "collate_fn= makes a batch of a list of any examples",
            )
        fields = [default_collate(field) for field in zip(*examples)]
        return type(first)(*fields) if hasattr(first, "_fields") else tuple(fields)
    if hasattr(first, "__array__"):
        return stack([as_tensor(example) for example in examples])
    return tensor(list(examples))


class _EpochSampler(Sampler[int]):
    """Each example once, in an order that depends on the seed and the number of the epoch alone."""

    def __init__(self, dataset: Any, loader: DataLoader) -> None:
        self.dataset, self.loader = dataset, loader

    def __iter__(self) -> Iterator[int]:
        loader = self.loader
        seed = loader._seed if loader.generator is None else _data.draw_seed(loader.generator)
        return iter(_data.random_permutation(len(self.dataset), seed, loader._epoch))

    def __len__(self) -> int:
        return len(self.dataset)


class DataLoader:
    """Batches of a dataset, in the same order for any number of workers.

    `dataset` has `__len__` and `__getitem__(index)`, or is an IterableDataset. The order is that of `sampler` (numbers
    of examples) or `batch_sampler` (lists of them), else random with `shuffle`, else that of the dataset. A random order
    depends on `seed` and the number of the epoch alone; the seed is drawn from the default generator when the loader is
    made, unless given. With a `generator` each epoch draws a seed from it. `collate_fn` makes a batch of a list of
    examples. `batch_size=None` gives single examples.

    `num_workers` threads make batches ahead of time, `prefetch_factor` each: those of C++ datasets without Python's
    lock, those of Python datasets wherever Python code lets others run (reading files, NumPy, Phlox). A Python dataset
    is therefore called from several threads at once. An exception arrives in the loop as it was raised. A dataset that
    draws random numbers gets them in the order in which threads come; a generator for each example,
    `px.Generator().manual_seed(index)`, keeps them the same. `worker_init_fn(number)` is called in each thread that
    runs Python. `prefetch_factor=None` means 2. `pin_memory`, `pin_memory_device`, `persistent_workers`, `timeout`,
    `multiprocessing_context` and `in_order` are accepted and change nothing: workers are threads, and batches always
    come in order.

    Raises ValueError for settings that exclude each other.

    Example:
        for images, labels in DataLoader(train, batch_size=64, shuffle=True, num_workers=2): ...
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool = False,
        sampler: Iterable[Any] | None = None,
        batch_sampler: Iterable[Sequence[Any]] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], object] | None = None,
        multiprocessing_context: Any = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
        seed: int | None = None,
    ) -> None:
        self.dataset, self.batch_size, self.drop_last = dataset, batch_size, drop_last
        self.num_workers, self.prefetch_factor = (
            num_workers,
            2 if prefetch_factor is None else prefetch_factor,
        )
        self.collate_fn = collate_fn or default_collate
        self.generator, self.worker_init_fn = generator, worker_init_fn
        self._shuffle = shuffle
        self._epoch, self._position, self._restored = 0, 0, False
        self._is_stream = isinstance(dataset, IterableDataset)
        self._check(shuffle, sampler, batch_sampler, seed)

        plain = sampler is None and batch_sampler is None and generator is None and collate_fn is None
        self._native = None
        if plain and batch_size is not None and isinstance(dataset, _data.NativeDataset):
            self._native = _data.Loader(
                dataset, batch_size, shuffle, num_workers, drop_last, self.prefetch_factor, seed
            )
        elif shuffle:
            self._seed = _data.draw_seed(None) if seed is None and generator is None else seed or 0
        if self._is_stream:
            self.sampler: Any = itertools.repeat(None)
        elif sampler is not None:
            self.sampler = sampler
        else:
            self.sampler = _EpochSampler(dataset, self) if shuffle else SequentialSampler(dataset)
        self.batch_sampler = batch_sampler
        if batch_sampler is None and batch_size is not None:
            self.batch_sampler = BatchSampler(self.sampler, batch_size, drop_last)

    def _check_dataset(self):
        missing = [name for name in ("__getitem__", "__len__") if not hasattr(self.dataset, name)]
        if missing:
            fail(
                "TypeError",
                "data_misuse",
                f"DataLoader: {type(self.dataset).__name__} is no dataset, it has no {' and no '.join(missing)}",
                "a subclass of px.data.Dataset, or of px.data.IterableDataset for examples without numbers",
            )

    def _check(self, shuffle, sampler, batch_sampler, seed):
        if not self._is_stream:
            self._check_dataset()
        size = self.batch_size
        if size is not None and (not hasattr(size, "__index__") or size < 1):
            fail(
                "ValueError",
                "data_misuse",
                f"DataLoader: batch_size must be a positive integer or None, not {size}",
            )
        for name, value, least, limit in (
            ("num_workers", self.num_workers, 0, 2**31),
            ("prefetch_factor", self.prefetch_factor, 1, 2**31),
            ("seed", 0 if seed is None else seed, 0, 2**64),
        ):
            if not hasattr(value, "__index__") or not least <= value < limit:
                fail(
                    "ValueError",
                    "data_misuse",
                    f"DataLoader: {name} must be an integer from {least} to {limit - 1}, not {value}",
                )
        faults = {
            "shuffle and sampler exclude each other": shuffle and sampler is not None,
            "batch_sampler excludes batch_size, shuffle, sampler and drop_last": batch_sampler is not None
            and (self.batch_size != 1 or shuffle or sampler is not None or self.drop_last),
            "a stream has no sampler, batch_sampler or shuffle": self._is_stream
            and (shuffle or sampler is not None or batch_sampler is not None),
            "drop_last needs a batch_size": self.batch_size is None and self.drop_last,
        }
        for fault, found in faults.items():
            if found:
                fail("ValueError", "data_misuse", f"DataLoader: {fault}")

    def __len__(self) -> int:
        """The number of batches of an epoch. Raises TypeError for a stream, which has no length."""
        if self._is_stream:
            raise TypeError("DataLoader: the stream has no length")
        batches: Any = self.sampler if self.batch_sampler is None else self.batch_sampler
        return len(batches)

    def __repr__(self) -> str:
        settings = {
            "batch_size": (self.batch_size, 1),
            "shuffle": (self._shuffle, False),
            "num_workers": (self.num_workers, 0),
            "drop_last": (self.drop_last, False),
        }
        given = [f"{name}={value}" for name, (value, usual) in settings.items() if value != usual]
        return f"DataLoader({', '.join([described(self.dataset), *given])})"

    def __iter__(self) -> Iterator[Any]:
        if _phlox._is_capturing():
            from ..capture import refuse

            refuse("loader", kind=type(self).__name__)
        return iter(self._native) if self._native is not None else self._run()

    def _run(self) -> Iterator[Any]:
        if not self._restored and self._position > 0:  # the last loop was left early
            self._epoch, self._position = self._epoch + 1, 0
        self._restored = False
        jobs: Iterator[Any] = iter(self.sampler if self.batch_sampler is None else self.batch_sampler)
        stream = iter(self.dataset) if self._is_stream else None
        # What was handed out before the state was saved: numbers of examples, or examples of the stream themselves.
        given, each = (jobs, 1) if stream is None else (stream, self.batch_size or 1)
        for _ in itertools.islice(given, self._position * each):
            pass
        load = self._load if stream is None else _StreamReader(self, stream).load
        made = self._made_ahead(load, jobs) if self.num_workers else (load(job) for job in jobs)
        for batch in made:
            if batch is _END:
                break
            self._position += 1
            yield batch
        self._epoch, self._position = self._epoch + 1, 0

    def _load(self, job: Any) -> Any:
        """The batch of these numbers, or the example of one."""
        if self.batch_sampler is None:
            return self.dataset[job]
        dataset = self.dataset
        if self.collate_fn is default_collate:  # what is C++ below takes all at once
            while type(dataset) is Subset:
                job, dataset = [dataset.indices[index] for index in job], dataset.dataset
            if isinstance(dataset, _data.NativeDataset):
                return dataset.get_batch(_places(job, len(dataset)))
        return self.collate_fn([dataset[index] for index in job])

    def _made_ahead(self, load: Callable[[Any], Any], jobs: Iterator[Any]) -> Iterator[Any]:
        """What `load` makes of the jobs, in their order, by threads that are a few jobs ahead."""
        threads = 1 if self._is_stream else self.num_workers  # a stream is read by one
        numbers, this_thread, mode = itertools.count(), threading.local(), _phlox._get_mode()

        def work(job: Any) -> Any:
            if not hasattr(this_thread, "number"):
                this_thread.number = next(numbers)
                _phlox._set_mode(mode)  # gradients are recorded, or not, as in the loop
                if self.worker_init_fn is not None:
                    self.worker_init_fn(this_thread.number)
            return load(job)

        pool, has_threads = ThreadPoolExecutor(threads, "phlox-loader"), True

        def begin(job: Any) -> Callable[[], Any]:
            nonlocal has_threads
            if has_threads:
                try:
                    return pool.submit(work, job).result
                except RuntimeError:  # the interpreter ends, or the system gives no thread
                    has_threads = False
            return functools.partial(load, job)

        try:
            pending: deque[Callable[[], Any]] = deque()
            for job in itertools.islice(jobs, self.num_workers * self.prefetch_factor):
                pending.append(begin(job))
            while pending:
                batch = pending.popleft()()
                for job in itertools.islice(jobs, 1):
                    pending.append(begin(job))
                yield batch
        finally:  # also when the loop is left early
            pool.shutdown(wait=True, cancel_futures=True)

    def state_dict(self) -> dict[str, Tensor]:
        """Epoch, number of batches handed out, and seed, as tensors: taken in the loop's body, it goes on behind them."""
        if self._native is not None:
            return self._native.state_dict()
        # Seeds have 64 bits, of which tensors of integers hold the same ones with a sign.
        seed = getattr(self, "_seed", 0)
        values = {"epoch": self._epoch, "position": self._position, "seed": (seed + 2**63) % 2**64 - 2**63}
        return {name: tensor(value, dtype=_INT64) for name, value in values.items()}

    def load_state_dict(self, state_dict: Mapping[str, Tensor]) -> None:
        """Takes up what state_dict() gave: the next loop goes on behind the batches handed out then.

        Those of a stream are read again and passed over. Orders that a sampler or generator of one's own draws are not
        part of the state. Raises StateError for what state_dict() does not give, and for a position that an epoch of
        this loader does not have.
        """
        for name in ("epoch", "position", "seed"):
            if not hasattr(state_dict, "keys") or name not in state_dict:
                fail(
                    "StateError",
                    "state_keys_differ",
                    f'DataLoader: the state has no "{name}"',
                    "loader.load_state_dict(state), where state = loader.state_dict() of such a loader",
                )
        epoch, position, seed = (int(state_dict[name]) for name in ("epoch", "position", "seed"))
        size = self._size()
        if epoch < 0 or position < 0 or (size is not None and position > size):
            batches = "" if size is None else f", and an epoch has {size} batches"
            fail(
                "StateError",
                "data_misuse",
                f"DataLoader: the stored state cannot be: epoch {epoch} and position {position}{batches}",
                "a loader with the dataset and the batch_size of the saved one",
            )
        if self._native is not None:
            self._native.load_state_dict(state_dict)
            return
        self._epoch, self._position, self._seed, self._restored = epoch, position, seed % 2**64, True

    def _size(self) -> int | None:
        """The number of batches, where it can be told: a sampler of one's own may have no length."""
        try:
            return len(self)
        except TypeError:
            return None


_END = object()


def _places(job: Iterable[Any], size: int) -> list[int]:
    """The numbers as C++ takes them, which counts from the front only."""
    places = [int(index) for index in job]
    for index in places:
        if not -size <= index < size:
            fail(
                "IndexError",
                "index_out_of_range",
                f"DataLoader: the sampler asks for example {index}, and the dataset has {size}",
            )
    return [index % size for index in places]


class _StreamReader:
    """Makes batches of the next examples of a stream; called by one thread at a time."""

    def __init__(self, loader: DataLoader, stream: Iterator[Any]) -> None:
        self.loader, self.stream = loader, stream

    def load(self, _: Any) -> Any:
        loader = self.loader
        if loader.batch_size is None:
            return next(self.stream, _END)
        examples = list(itertools.islice(self.stream, loader.batch_size))
        if not examples or (loader.drop_last and len(examples) < loader.batch_size):
            return _END
        return loader.collate_fn(examples)
