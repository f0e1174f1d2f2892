"""Datasets and loaders, of C++ and of Python."""

import pytest
from phlox.utils.data import DataLoader, Dataset, Subset, TensorDataset

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


def test_progress_counts(capfd):
    for _ in (bar := px.data.progress(2, unit="images")):
        bar.count(3)
        bar.set("loss", 0.5)
    text = capfd.readouterr().err
    assert "epoch 2/2" in text and "loss 0.5" in text
