"""Operations whose values the generated tests cannot compare with one NumPy expression."""

import numpy as np
import phlox.nn.functional as F  # noqa: N812
import pytest
import scipy.stats

import phlox as px
from phlox import nn


def test_mode():
    x = px.tensor([[3, 1, 3, 1, 2], [5, 5, 4, 4, 4], [1, 2, 3, 4, 5]])
    values, indices = px.mode(x)
    assert values.tolist() == [1, 4, 1] and indices.tolist() == [3, 4, 0]
    assert px.mode(x, 0, True).values.shape == (1, 5)
    random = np.random.default_rng(0).integers(0, 4, (6, 50))
    assert px.from_numpy(random).mode(1)[0].tolist() == scipy.stats.mode(random, axis=1).mode.tolist()
    with pytest.raises(px.ShapeError, match="no element"):
        px.empty(2, 0).mode()


def test_scatters_of_views():
    x = px.zeros(3, 4)
    assert x.select_scatter(px.ones(3), 1, -1).tolist() == [[0, 0, 0, 1]] * 3
    assert x.slice_scatter(px.ones(3, 2), 1, 0, None, 2).tolist() == [[1, 0, 1, 0]] * 3
    assert x.slice_scatter(px.ones(0, 4), 0, 3).tolist() == x.tolist()
    assert x.slice_scatter(px.ones(2, 4), 0, -2).sum(1).tolist() == [0, 4, 4]
    assert px.diagonal_scatter(x, px.ones(3), 1)[0].tolist() == [0, 1, 0, 0]
    with pytest.raises(px.ShapeError, match="select_scatter: src has the shape"):
        x.select_scatter(px.ones(4), 1, 0)
    with pytest.raises(px.DTypeError):
        x.select_scatter(px.ones(3, dtype=px.float64), 1, 0)


def test_index_reduce():
    x, index = px.ones(3), px.tensor([0, 0, 2])
    source = px.tensor([2.0, 3.0, 4.0])
    assert px.index_reduce(x, 0, index, source, "prod").tolist() == [6, 1, 4]
    assert px.index_reduce(x, 0, index, source, "mean", False).tolist() == [2.5, 1, 4]
    assert px.index_reduce(x, 0, index, source, "amin").tolist() == [1, 1, 1]
    assert x.index_reduce_(0, index, source, "amax") is x and x.tolist() == [3, 1, 4]


def test_nonzero_as_tuple():
    x = px.tensor([[0, 1], [2, 0]])
    assert [v.tolist() for v in x.nonzero(as_tuple=True)] == [[0, 1], [1, 0]]
    assert [v.tolist() for v in px.nonzero(x, as_tuple=True)] == [[0, 1], [1, 0]]
    assert x.nonzero(as_tuple=False).tolist() == x.nonzero().tolist() == [[0, 1], [1, 0]]
    assert [v.tolist() for v in px.where(x)] == [[0, 1], [1, 0]]
    assert px.where(x > 0, x, -1).tolist() == [[-1, 1], [2, -1]]


def test_combinations():
    assert px.combinations(px.tensor([1, 2, 3])).tolist() == [[1, 2], [1, 3], [2, 3]]
    assert px.combinations(px.tensor([1, 2]), 3).shape == (0, 3)
    assert px.combinations(px.tensor([1, 2]), 1).tolist() == [[1], [2]]
    assert px.combinations(px.empty(0), 2, True).shape == (0, 2)
    assert px.combinations(px.tensor([1, 2]), 0).shape == (0,)


def test_unravel_index():
    rows, columns = px.unravel_index(px.tensor([5, 0]), (2, 3))
    assert rows.tolist() == [1, 0] and columns.tolist() == [2, 0]
    with pytest.raises(IndexError, match="outside"):
        px.unravel_index(px.tensor([6]), (2, 3))


def test_random_fills():
    px.manual_seed(0)
    x = px.empty(40000)
    assert x.geometric_(0.25) is x and x.min() == 1 and abs(x.mean().item() - 4) < 0.1
    assert px.empty(1000, dtype=px.int64).geometric_(1.0).tolist() == [1] * 1000
    assert abs(x.cauchy_(2, 3).median().item() - 2) < 0.15
    assert abs(x.log_normal_(0.5, 0.25).log().mean().item() - 0.5) < 0.01
    for bad in (lambda: x.geometric_(0), lambda: x.cauchy_(0, 0), lambda: x.log_normal_(0, -1)):
        with pytest.raises(ValueError):
            bad()
    with pytest.raises(px.DTypeError):
        px.empty(3, dtype=px.int64).cauchy_()


def test_fold_undoes_unfold():
    x = px.rand(2, 3, 6, 5)
    columns = F.unfold(x, (3, 2), padding=1, stride=2)
    assert columns.shape == (2, 18, 9)
    counts = F.fold(
        F.unfold(px.ones(2, 3, 6, 5), (3, 2), padding=1, stride=2), (6, 5), (3, 2), padding=1, stride=2
    )
    np.testing.assert_allclose(
        F.fold(columns, (6, 5), (3, 2), padding=1, stride=2).numpy(), (x * counts).numpy()
    )
    unfold, fold = nn.Unfold(2), nn.Fold((6, 5), 2)
    assert fold(unfold(x)).shape == x.shape and "2" in repr(unfold)
    # A convolution is a product with the columns.
    weight = px.rand(4, 3, 3, 3)
    product = (weight.reshape(4, -1) @ F.unfold(x, 3)).reshape(2, 4, 4, 3)
    np.testing.assert_allclose(product.numpy(), F.conv2d(x, weight).numpy(), rtol=1e-5)
    with pytest.raises(px.ShapeError, match="unfold: the window reaches"):
        F.unfold(x, 7)


def test_padding_by_name():
    x, weight = px.rand(2, 3, 8, 7), px.rand(4, 3, 3, 4)
    same = F.conv2d(x, weight, padding="same", dilation=2)
    assert same.shape == (2, 4, 8, 7)
    np.testing.assert_allclose(same.numpy(), F.conv2d(x, weight, padding=(2, 2, 3, 3), dilation=2).numpy())
    assert F.conv2d(x, weight, padding="valid").shape == (2, 4, 6, 4)
    assert F.conv1d(px.rand(1, 2, 9), px.rand(3, 2, 4), padding="same").shape == (1, 3, 9)
    with pytest.raises(ValueError, match="stride of 1"):
        F.conv2d(x, weight, stride=2, padding="same")
    with pytest.raises(ValueError, match="not known"):
        F.conv2d(x, weight, padding="full")
    for mode in ("zeros", "reflect"):
        layer = nn.Conv2d(3, 4, (3, 4), padding="same", dilation=2, padding_mode=mode)
        assert layer(x).shape == (2, 4, 8, 7) and layer.padding == "same"
    assert nn.Conv1d(3, 4, 3, padding="valid")(px.rand(3, 9)).shape == (4, 7)
    with pytest.raises(ValueError, match="stride of 1"):
        nn.Conv2d(3, 4, 3, stride=2, padding="same")


def test_memory_formats():
    x = px.rand(2, 3, 4, 5)
    y = x.to(memory_format=px.channels_last)
    assert y.is_contiguous(memory_format=px.channels_last) and not y.is_contiguous()
    assert y.stride() == (60, 1, 15, 3) and y.tolist() == x.tolist()
    assert y.contiguous(memory_format=px.channels_last).data_ptr() == y.data_ptr()
    assert y.contiguous().is_contiguous(memory_format=px.contiguous_format)
    assert x.to(px.float64, memory_format=px.channels_last).dtype == px.float64
    with pytest.raises(ValueError, match="memory_format"):
        x.is_contiguous(memory_format="diagonal")


def test_in_place_forms_of_composites():
    x = px.tensor([-2.0, 0.5, 3.0], requires_grad=True)
    y = x * 1
    assert y.clamp_(-1, 1) is y and y.clip_(max=0.9).tolist() == [-1, 0.5, pytest.approx(0.9)]
    y.sum().backward()
    assert x.grad.tolist() == [0, 1, 0]
    assert px.ones(3).cumsum_(0).tolist() == [1, 2, 3] and px.ones(2, 2).tril_().tolist() == [[1, 0], [1, 1]]
    with pytest.raises(px.ShapeError):
        px.ones(2).addmm_(px.ones(3, 2), px.ones(2, 2))
