"""Datasets and loaders, of C++ and of Python."""

import collections
import copy
import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest
from phlox.utils.data import (
    BatchSampler,
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    Sampler,
    SequentialSampler,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    default_collate,
    random_split,
)

import phlox as px


def test_digits_are_split_by_class():
    digits = px.data.digits()
    images, labels = digits.tensors
    assert images.shape == (1797, 1, 8, 8) and images.amax().item() == 1
    train, test = digits.split(0.8)
    assert len(train) + len(test) == 1797
    assert not set(train.indices) & set(test.indices)
    counts = [sum(labels[i].item() == c for i in test.indices) for c in range(10)]
    assert min(counts) >= 34 and max(counts) <= 38


def test_examples_by_index():
    data = TensorDataset(px.arange(4), px.ones(4, 2))
    assert data[-1][0].item() == 3 and len(data) == 4
    with pytest.raises(px.errors.IndexError):
        data[4]
    with pytest.raises(px.errors.ValueError):
        TensorDataset(px.ones(2), px.ones(3))


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_the_order_is_that_of_the_seed(workers):
    data = TensorDataset(px.arange(20))
    loader = DataLoader(data, batch_size=6, shuffle=True, num_workers=workers, seed=5)
    expected = [x.tolist() for (x,) in DataLoader(data, batch_size=6, shuffle=True, seed=5)]
    assert [x.tolist() for (x,) in loader] == expected
    assert len(loader) == 4 and sorted(sum(expected, [])) == list(range(20))
    assert [x.tolist() for (x,) in loader] != expected  # the next epoch has another order


class Squares(Dataset):
    def __len__(self):
        return 5

    def __getitem__(self, index):
        return {"x": px.tensor(float(index)), "square": index * index}


def test_datasets_written_in_python():
    batches = list(DataLoader(Squares(), batch_size=2))
    assert [b["square"].tolist() for b in batches] == [[0, 1], [4, 9], [16]]
    assert len(list(DataLoader(Squares(), batch_size=2, drop_last=True))) == 2
    assert len(Subset(Squares(), [1, 3])) == 2
    shuffled = [b["x"].item() for b in DataLoader(Squares(), shuffle=True)]
    assert sorted(shuffled) == [0, 1, 2, 3, 4]
    assert list(DataLoader(Squares(), batch_size=5, collate_fn=len)) == [5]


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("settings", [{}, {"shuffle": True, "seed": 3}, {"batch_size": 2, "drop_last": True}])
def test_python_datasets_keep_their_order_with_workers(workers, settings):
    expected = [b["square"].tolist() for b in DataLoader(Squares(), **settings)]
    loader = DataLoader(Squares(), num_workers=workers, **settings)
    assert [b["square"].tolist() for b in loader] == expected
    assert len(loader) == len(expected)


def test_python_and_cpp_datasets_have_the_same_order():
    tensors = TensorDataset(px.arange(20))
    settings = {"batch_size": 3, "shuffle": True, "seed": 11}
    epochs = [DataLoader(dataset, **settings) for dataset in (tensors, [tensors[i] for i in range(20)])]
    for _ in range(2):
        first, second = ([x.tolist() for (x,) in loader] for loader in epochs)
        assert first == second


def test_an_exception_in_a_worker_arrives_as_it_was():
    class Broken(Squares):
        def __getitem__(self, index):
            if index == 3:
                raise LookupError(f"example {index}")
            return super().__getitem__(index)

    for workers in (0, 2):
        seen = []
        with pytest.raises(LookupError, match="example 3"):
            for batch in DataLoader(Broken(), num_workers=workers):
                seen.append(batch["square"].item())
        assert seen == [0, 1, 4]
    with pytest.raises(px.errors.ValueError, match="fields"):
        list(DataLoader([(1, 2), (1,)], batch_size=2, num_workers=1))


def test_a_loop_that_is_left_early_stops_its_threads():
    before = threading.active_count()
    for _ in DataLoader(list(range(1000)), num_workers=2):
        break
    assert threading.active_count() == before


def run_python(program):
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_loader_goes_on_with_the_threads_that_the_system_gives():
    # 300 stacks do not fit into the memory that is left; without a limit they would.
    program = """
import resource, phlox as px
data = px.data.TensorDataset(px.arange(2000.0))
with open("/proc/self/statm") as file:
    used = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (400 << 20),) * 2)
loader = px.data.DataLoader(data, num_workers=300)
print(sum(x.item() for (x,) in loader))
"""
    assert run_python(program) == "1999000.0\n"


def test_loaders_work_while_the_interpreter_ends():
    """Then there are no new threads: the loop makes the batches itself."""
    program = """
import atexit, threading, time
from phlox.utils.data import DataLoader, Dataset
class Inner(Dataset):
    def __len__(self): return 6
    def __getitem__(self, index):
        time.sleep(0.01)
        return index
class Outer(Inner):
    def __getitem__(self, index): return sum(x.item() for x in DataLoader(Inner(), num_workers=2)) + index
def learn(): print(sum(x.item() for x in DataLoader(Outer(), num_workers=2)))
threading.Thread(target=learn).start()
atexit.register(learn)
left = iter(DataLoader(Inner(), num_workers=2))
next(left)
"""
    assert run_python(program) == "105\n105\n"


def test_threads_that_share_a_loop_take_turns():
    program = """
import threading, phlox as px
data = px.data.TensorDataset(px.arange(3000))
for _ in range(5):
    loop = iter(px.data.DataLoader(data, num_workers=2))
    seen = []
    def read():
        for (x,) in loop:
            seen.append(x.item())
    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    assert sorted(seen) == list(range(3000))
"""
    run_python(program)


def test_workers_are_started_with_their_number():
    seen = []
    list(DataLoader(list(range(20)), num_workers=1, worker_init_fn=seen.append))
    assert seen == [0]
    with pytest.raises(ZeroDivisionError):
        list(DataLoader([1], num_workers=1, worker_init_fn=lambda number: 1 / number))


def test_samplers():
    five = range(5)
    assert list(SequentialSampler(five)) == [0, 1, 2, 3, 4]
    generator = px.Generator().manual_seed(1)
    order = list(RandomSampler(five, generator=generator))
    assert sorted(order) == [0, 1, 2, 3, 4]
    assert list(RandomSampler(five, generator=generator.manual_seed(1))) == order
    assert len(list(RandomSampler(five, num_samples=12))) == 12
    drawn = list(RandomSampler(five, replacement=True, num_samples=200))
    assert set(drawn) == set(five) and len(drawn) == 200
    assert sorted(SubsetRandomSampler([7, 9])) == [7, 9]
    batches = BatchSampler(SequentialSampler(five), 2, drop_last=False)
    assert list(batches) == [[0, 1], [2, 3], [4]] and len(batches) == 3
    assert len(BatchSampler(SequentialSampler(five), 2, drop_last=True)) == 2
    with pytest.raises(px.errors.ValueError, match="batch_size"):
        BatchSampler(five, 0, drop_last=False)


def test_weights_say_how_often_examples_are_drawn():
    sampler = WeightedRandomSampler([0, 1, 3], 4000, generator=px.Generator().manual_seed(2))
    counts = collections.Counter(sampler)
    assert counts[0] == 0 and counts[2] / counts[1] == pytest.approx(3, rel=0.15)
    assert sorted(WeightedRandomSampler(px.tensor([1.0, 2.0]), 2, replacement=False)) == [0, 1]
    for weights, count, replacement in [([-1, 2], 1, True), ([0, 0], 1, True), ([0, 1], 2, False)]:
        with pytest.raises(px.errors.ValueError, match="WeightedRandomSampler"):
            WeightedRandomSampler(weights, count, replacement)


@pytest.mark.parametrize("workers", [0, 2])
def test_loaders_take_samplers(workers):
    class Backwards(Sampler):
        def __iter__(self):
            return iter(range(4, -1, -1))

        def __len__(self):
            return 5

    loader = DataLoader(Squares(), batch_size=2, sampler=Backwards(), num_workers=workers)
    assert [b["square"].tolist() for b in loader] == [[16, 9], [4, 1], [0]] and len(loader) == 3
    loader = DataLoader(Squares(), batch_sampler=[[0, 1, 2], [4]], num_workers=workers)
    assert [b["square"].tolist() for b in loader] == [[0, 1, 4], [16]] and len(loader) == 2
    tensors = TensorDataset(px.arange(5) * 10)
    assert [x.tolist() for (x,) in DataLoader(tensors, batch_sampler=[[3, 1]], num_workers=workers)] == [
        [30, 10]
    ]
    single = DataLoader(Squares(), batch_size=None, num_workers=workers)
    assert [example["square"] for example in single] == [0, 1, 4, 9, 16]


def test_a_generator_decides_the_order_of_each_epoch():
    generator = px.Generator()
    loader = DataLoader(Squares(), batch_size=5, shuffle=True, generator=generator)
    orders = []
    for seed in (1, 1, 2):
        generator.manual_seed(seed)
        orders.append(next(iter(loader))["square"].tolist())
    # The number of the epoch is part of the order, the generator's seed the rest.
    assert orders[0] != orders[2] and sorted(orders[0]) == [0, 1, 4, 9, 16]


class Stream(IterableDataset):
    def __iter__(self):
        return iter(range(5))


@pytest.mark.parametrize("workers", [0, 2])
def test_streams(workers):
    batches = list(DataLoader(Stream(), batch_size=2, num_workers=workers))
    assert [batch.tolist() for batch in batches] == [[0, 1], [2, 3], [4]]
    batches = list(DataLoader(Stream(), batch_size=2, drop_last=True, num_workers=workers))
    assert [batch.tolist() for batch in batches] == [[0, 1], [2, 3]]
    assert list(DataLoader(Stream(), batch_size=None, num_workers=workers)) == [0, 1, 2, 3, 4]
    with pytest.raises(TypeError, match="no length"):
        len(DataLoader(Stream()))


@pytest.mark.parametrize(
    "wrong",
    [
        {"shuffle": True, "sampler": [0]},
        {"batch_sampler": [[0]], "batch_size": 2},
        {"batch_size": None, "drop_last": True},
        {"num_workers": -1},
        {"prefetch_factor": 0},
        {"num_workers": 2**40},
        {"num_workers": 1.5},
        {"seed": -1, "shuffle": True},
        {"seed": 2**64, "shuffle": True},
        {"batch_size": 0},
    ],
)
def test_settings_that_exclude_each_other(wrong):
    with pytest.raises(px.errors.ValueError, match="E0901"):
        DataLoader(Squares(), **wrong)


def test_settings_of_scripts_for_other_frameworks_are_taken():
    loader = DataLoader(
        Squares(),
        prefetch_factor=None,
        num_workers=1,
        multiprocessing_context="fork",
        pin_memory=True,
        pin_memory_device="cpu",
        persistent_workers=True,
        in_order=True,
    )
    assert loader.prefetch_factor == 2 and len(list(loader)) == 5


def test_a_sampler_that_asks_for_what_is_not_there():
    data = TensorDataset(px.arange(5))
    assert [x.tolist() for (x,) in DataLoader(data, batch_sampler=[[-1, 0]])] == [[4, 0]]
    with pytest.raises(px.errors.IndexError, match="DataLoader: the sampler asks for example 5"):
        list(DataLoader(data, sampler=[5]))


@pytest.mark.parametrize("workers", [0, 2])
def test_streams_go_on_where_they_were_saved(workers):
    settings = {"batch_size": 2, "num_workers": workers}
    loader = DataLoader(Stream(), **settings)
    for _ in loader:
        state = loader.state_dict()
        break
    fresh = DataLoader(Stream(), **settings)
    fresh.load_state_dict(state)
    assert [batch.tolist() for batch in fresh] == [[2, 3], [4]]
    assert [batch.tolist() for batch in fresh] == [[0, 1], [2, 3], [4]]


@pytest.mark.parametrize("dataset", [TensorDataset(px.arange(10)), [(i,) for i in range(10)]])
@pytest.mark.parametrize("wrong", [{"position": -3}, {"position": 2**62}, {"epoch": -1}, {"seed": None}])
def test_states_that_cannot_be_are_refused(dataset, wrong):
    loader = DataLoader(dataset, batch_size=2)
    state = loader.state_dict() | {name: v if v is None else px.tensor(v) for name, v in wrong.items()}
    state = {name: tensor for name, tensor in state.items() if tensor is not None}
    with pytest.raises(px.errors.StateError, match="DataLoader"):
        loader.load_state_dict(state)
    assert len(list(loader)) == 5


def test_datasets_of_tensors_are_copied_and_pickled():
    data = TensorDataset(px.arange(3), px.ones(3, 2))
    for made in (copy.copy(data), copy.deepcopy(data), pickle.loads(pickle.dumps(data))):
        assert [x.tolist() for x in made.tensors] == [x.tolist() for x in data.tensors]
    assert copy.deepcopy(data).tensors[0].data_ptr() != data.tensors[0].data_ptr()
    part = pickle.loads(pickle.dumps(Subset(data, [2])))
    assert part[0][0].item() == 2


def test_slices_and_sums_of_native_datasets():
    data = TensorDataset(px.arange(10), px.arange(10) * 2)
    assert [x.tolist() for x in data[2:5]] == [[2, 3, 4], [4, 6, 8]]
    assert [x.tolist() for x in data[::-4]] == [[9, 5, 1], [18, 10, 2]]
    train, test = data.split(0.8, stratified=False)
    assert train[:3][0].tolist() == train.indices[:3]
    both = data + test
    assert isinstance(both, ConcatDataset) and len(both) == 12 and both[9][1].item() == 18
    assert both[11][0].item() == test.indices[1]
    assert len(data + Squares()) == 15 and len(Squares() + data) == 15
    assert [x.tolist() for x, _ in DataLoader(both, batch_size=9)][0] == list(range(9))


def test_datasets_and_loaders_say_what_they_are():
    class Lines(IterableDataset):
        pass

    data = TensorDataset(px.zeros(20, 1, 8), px.zeros(20, dtype=px.int64))
    assert repr(data) == "TensorDataset(f32[20,1,8], i64[20])"
    assert repr(data.split(0.5)[0]) == "NativeSubset(10 examples)"
    assert repr(Subset(data, [1, 2])) == f"Subset({data!r}, 2 examples)"
    assert repr(Squares() + data) == f"ConcatDataset([Squares(5 examples), {data!r}])"
    assert (
        repr(DataLoader(data, batch_size=64, shuffle=True))
        == f"DataLoader({data!r}, batch_size=64, shuffle=True)"
    )
    assert repr(DataLoader(list(range(99)), num_workers=2)) == "DataLoader(list(99 examples), num_workers=2)"
    assert repr(Lines()) == "Lines()"


def test_parts_of_datasets():
    first, second = random_split(Squares(), [0.6, 0.4], generator=px.Generator().manual_seed(4))
    assert (len(first), len(second)) == (3, 2)
    assert sorted(first.indices + second.indices) == [0, 1, 2, 3, 4]
    assert [len(part) for part in random_split(range(10), [1 / 3, 1 / 3, 1 / 3])] == [4, 3, 3]
    assert [len(part) for part in random_split(range(3), [1, 2, 0])] == [1, 2, 0]
    for lengths in ([1, 1], [0.5, 0.6], [6, -1]):
        with pytest.raises(px.errors.ValueError, match="add up"):
            random_split(Squares(), lengths)
    both = ConcatDataset([Squares(), Subset(Squares(), [4])])
    assert len(both) == 6 and both[5]["square"] == 16 and both[-6]["square"] == 0
    assert len(Squares() + Squares()) == 10
    with pytest.raises(px.errors.IndexError):
        both[6]
    tensors = Subset(Subset(TensorDataset(px.arange(10)), [1, 3, 5]), [2, 0])
    assert [x.tolist() for (x,) in DataLoader(tensors, batch_size=2)] == [[5, 1]]
    assert isinstance(TensorDataset(px.arange(3)), Dataset)


def test_collate():
    Point = collections.namedtuple("Point", "x y")
    batch = default_collate([Point(1, "a"), Point(2, "b")])
    assert batch.x.tolist() == [1, 2] and batch.y == ["a", "b"]
    arrays = default_collate([np.ones(2, np.float32), np.zeros(2, np.float32)])
    assert arrays.shape == (2, 2) and arrays.dtype is px.float32
    assert default_collate([[1, 2.5], [3, 4.5]])[1].dtype is px.float32
    with pytest.raises(px.errors.ValueError, match="no examples"):
        default_collate([])


@pytest.mark.parametrize("dataset", [TensorDataset(px.arange(10)), [(i,) for i in range(10)]])
def test_a_loader_goes_on_where_it_was_saved(dataset):
    loader = DataLoader(dataset, batch_size=2, shuffle=True)
    list(loader)
    expected, state = [], None
    for number, (x,) in enumerate(loader):
        if number == 2:
            state = {name: tensor.clone() for name, tensor in loader.state_dict().items()}
        elif number > 2:
            expected.append(x.tolist())
    fresh = DataLoader(dataset, batch_size=2, shuffle=True)
    fresh.load_state_dict(state)
    assert [x.tolist() for (x,) in fresh] == expected and len(expected) == 2


def test_workers_record_gradients_as_the_loop_does():
    class Modes(Squares):
        def __getitem__(self, index):
            return px.is_grad_enabled()

    with px.no_grad():
        assert not next(iter(DataLoader(Modes(), num_workers=1))).item()
    assert next(iter(DataLoader(Modes(), num_workers=1))).item()


def test_progress_counts(capfd):
    for _ in (bar := px.data.progress(2, unit="images")):
        bar.count(3)
        bar.set("loss", 0.5)
    text = capfd.readouterr().err
    assert "epoch 2/2" in text and "loss 0.5" in text
