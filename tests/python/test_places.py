"""Segments, tuples of positions, blocks at computed places, sequences in batches: against NumPy, and with wrong positions."""

# shard: tensors

import itertools

import numpy as np
import pytest

import phlox as px

REDUCTIONS = {"sum": np.sum, "mean": np.mean, "max": np.max, "min": np.min, "prod": np.prod}


def reduced(values, numbers, count, reduction, empty):
    return np.stack(
        [
            REDUCTIONS[reduction](values[numbers == k], 0)
            if (numbers == k).any()
            else np.full(values.shape[1:], empty)
            for k in range(count)
        ]
    )


EMPTY = {"sum": 0, "mean": 0, "max": -np.inf, "min": np.inf, "prod": 1}


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("dtype", [px.float32, px.float64])
def test_segments(reduction, dtype):
    px.manual_seed(3)
    values = px.randn((9, 2), dtype=dtype)
    numbers = px.tensor([3, 0, 0, 5, 3, 3, 0, 5, 1])
    wanted = reduced(values.numpy(), numbers.numpy(), 7, reduction, EMPTY[reduction])
    found = getattr(px, f"segment_{reduction}")(values, numbers, 7)
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-5)
    assert getattr(px, f"segment_{reduction}")(values, numbers).shape == (6, 2)
    some = px.tensor([3, -1, 0, 5, -7, 3, 0, 5, 1])
    wanted = reduced(values.numpy(), some.numpy(), 7, reduction, EMPTY[reduction])
    np.testing.assert_allclose(
        getattr(px, f"unsorted_segment_{reduction}")(values, some, 7).numpy(), wanted, rtol=1e-5
    )


def test_segments_of_integers_and_of_nothing():
    numbers = px.tensor([0, 2, 2])
    assert px.segment_max(px.tensor([4, 5, 6]), numbers).tolist() == [4, -(2**63), 6]
    assert px.segment_mean(px.tensor([4, 5, 8]), numbers).tolist() == [4, 0, 6]
    assert px.segment_sum(px.zeros((0, 3)), px.zeros((0,), dtype=px.int64), 2).tolist() == [[0.0] * 3] * 2
    assert px.segment_sum(px.zeros((0, 3)), px.zeros((0,), dtype=px.int64)).shape == (0, 3)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("initial", [None, 0.5])
def test_segment_reduce(reduction, initial):
    px.manual_seed(4)
    data = px.randn((3, 8, 2), dtype=px.float64)
    lengths = px.tensor([[3, 0, 5], [8, 0, 0], [1, 6, 1]])
    found = px.segment_reduce(data, reduction, lengths=lengths, axis=1, initial=initial)
    ends = np.cumsum(lengths.numpy(), 1)
    for i, k in itertools.product(range(3), range(3)):
        part = data.numpy()[i, ends[i, k] - lengths[i, k].item() : ends[i, k]]
        joined = part if initial is None else np.concatenate([np.full((1, 2), initial), part])
        if reduction == "mean":
            wanted = (
                joined.sum(0) / len(part) if len(part) else np.full(2, np.nan if initial is None else initial)
            )
        elif not len(joined):
            wanted = np.full(2, EMPTY[reduction])
        else:
            wanted = REDUCTIONS[reduction](joined, 0)
        np.testing.assert_allclose(found[i, k].numpy(), wanted)
    offsets = px.cat([px.zeros((3, 1), dtype=px.int64), lengths.cumsum(1)], 1)
    again = px.segment_reduce(data, reduction, offsets=offsets, axis=1, initial=initial)
    np.testing.assert_array_equal(again.numpy(), found.numpy())


def test_gather_nd_and_scatter_nd_are_transposes():
    px.manual_seed(5)
    x = px.randn((3, 4, 2), dtype=px.float64, requires_grad=True)
    places = px.tensor([[0, 1], [2, 3], [0, 1], [-1, -4]])
    picked = px.gather_nd(x, places)
    np.testing.assert_array_equal(picked.detach().numpy(), x.detach().numpy()[[0, 2, 0, -1], [1, 3, 1, -4]])
    weight = px.randn(picked.shape, dtype=px.float64)
    picked.backward(weight)
    np.testing.assert_allclose(x.grad.numpy(), px.scatter_nd(places, weight, (3, 4, 2)).numpy())


def test_block_moves_inside():
    x = px.arange(20).reshape(4, 5)
    assert px.dynamic_slice(x, px.tensor([3, -2]), (2, 3)).tolist() == [[10, 11, 12], [15, 16, 17]]
    assert px.slice_update(x, px.tensor([9, 4]), px.zeros((1, 2), dtype=px.int64))[3].tolist() == [
        15,
        16,
        17,
        0,
        0,
    ]
    with pytest.raises(px.ShapeError):
        px.dynamic_slice(x, px.tensor([0, 0]), (5, 1))
    with pytest.raises(px.ShapeError):
        px.dynamic_slice(x, px.tensor([0]), (1,))


def test_ravel_multi_index_is_the_inverse():
    places = px.arange(24).reshape(2, 12)
    assert (px.ravel_multi_index(list(px.unravel_index(places, (2, 3, 4))), (2, 3, 4)) == places).all()


def test_sequences():
    x = px.arange(10).reshape(2, 5)
    assert px.reverse_sequence(x, px.tensor([3, 5])).tolist() == [[2, 1, 0, 3, 4], [9, 8, 7, 6, 5]]
    assert px.sequence_mask(px.tensor([1, 3, 0])).sum(-1).tolist() == [1, 3, 0]
    assert px.multi_hot(px.tensor([[1, 3, -1], [0, 0, 0]]), 4).tolist() == [[0, 1, 0, 1], [1, 0, 0, 0]]
    parts = px.dynamic_partition(px.tensor([5, 6, 7, 8]), px.tensor([1, 0, 1, 1]), 3)
    assert [p.tolist() for p in parts] == [[6], [5, 7, 8], []]
    whole = px.dynamic_stitch(
        [px.tensor([1, 2]), px.tensor([[4, 1]])], [px.tensor([9, 8]), px.tensor([[7, 6]])]
    )
    assert whole.tolist() == [0, 6, 8, 0, 7]


HUGE = 2**63 - 1


def places(*numbers):
    return px.tensor(numbers, dtype=px.int64)


X = px.ones((3, 4))
OUTSIDE = {
    "index": lambda i: X[places(i)],
    "index_select": lambda i: X.index_select(0, places(i)),
    "index_add": lambda i: X.index_add(0, places(i), px.ones((1, 4))),
    "index_copy": lambda i: X.index_copy(0, places(i), px.ones((1, 4))),
    "index_fill": lambda i: X.index_fill(0, places(i), 1.0),
    "index_put": lambda i: X.index_put([places(i)], px.ones((4,))),
    "index_reduce": lambda i: X.index_reduce(0, places(i), px.ones((1, 4)), "amax"),
    "gather": lambda i: X.gather(0, places(i).reshape(1, 1)),
    "scatter": lambda i: X.scatter(0, places(i).reshape(1, 1), 1.0),
    "scatter_add": lambda i: X.scatter_add(0, places(i).reshape(1, 1), px.ones((1, 1))),
    "scatter_reduce": lambda i: X.scatter_reduce(0, places(i).reshape(1, 1), px.ones((1, 1)), "amax"),
    "scatter_": lambda i: X.clone().scatter_(0, places(i).reshape(1, 1), 1.0),
    "take": lambda i: X.take(places(i * 4 if abs(i) < 2**60 else i)),
    "put": lambda i: X.put(places(i * 4 if abs(i) < 2**60 else i), px.ones((1,))),
    "take_along_dim": lambda i: X.take_along_dim(places(i).reshape(1, 1), 0),
    "gather_nd": lambda i: px.gather_nd(X, places(i).reshape(1, 1)),
    "scatter_nd": lambda i: px.scatter_nd(places(i).reshape(1, 1), px.ones((1, 4)), (3, 4)),
    "tensor_scatter_nd_update": lambda i: px.tensor_scatter_nd_update(
        X, places(i).reshape(1, 1), px.ones((1, 4))
    ),
    "tensor_scatter_nd_add": lambda i: px.tensor_scatter_nd_add(X, places(i).reshape(1, 1), px.ones((1, 4))),
    "segment_sum": lambda i: px.segment_sum(X, places(0, i, 1), 3),
    "segment_max": lambda i: px.segment_max(X, places(0, i, 1), 3),
    "unsorted_segment_sum": lambda i: px.unsorted_segment_sum(
        X, places(0, abs(i) if i > -HUGE else HUGE, 1), 3
    ),
    "segment_reduce": lambda i: px.segment_reduce(X, "sum", offsets=places(0, i if i != 3 else 4)),
    "embedding": lambda i: px.nn.functional.embedding(places(i), X),
    "one_hot": lambda i: px.nn.functional.one_hot(places(i), 3),
    "multi_hot": lambda i: px.multi_hot(places(i if i != -1 else -2), 3),
    "in_top_k": lambda i: px.in_top_k(places(0, i, 0), X[:, :3], 1),
    "unravel_index": lambda i: px.unravel_index(places(i), (3,)),
    "ravel_multi_index": lambda i: px.ravel_multi_index([places(i)], (3,)),
    "reverse_sequence": lambda i: px.reverse_sequence(X, places(0, i if i != 3 else 5, 0)),
    "dynamic_partition": lambda i: px.dynamic_partition(X, places(0, i, 0), 3),
    "select": lambda i: X.select(0, i),
    "kthvalue": lambda i: X.kthvalue(i + 2 if i < HUGE else i, 0),
    "argpartition": lambda i: px.argpartition(X, i, 0),
}


@pytest.mark.parametrize("position", [3, -4, 2**31, 2**32 + 1, -(2**31), HUGE, -HUGE - 1])
@pytest.mark.parametrize("name", OUTSIDE)
def test_positions_outside_raise(name, position):
    with pytest.raises((IndexError, ValueError)):
        OUTSIDE[name](position)


@pytest.mark.parametrize(
    "call",
    [
        lambda: px.zeros((HUGE,)),
        lambda: px.zeros((2**32, 2**32)),
        lambda: px.zeros((-1,)),
        lambda: px.arange(-HUGE, HUGE, dtype=px.int64),
        lambda: px.range(0, 1e300),
        lambda: px.linspace(0, 1, HUGE),
        lambda: px.geomspace(1, 2, -1),
        lambda: px.eye(HUGE),
        lambda: px.segment_sum(X, places(0, 1, 2), HUGE),
        lambda: px.segment_sum(X, places(0, 1, 2), -1),
        lambda: px.segment_sum(X, places(0, 1, HUGE)),
        lambda: px.scatter_nd(places(0).reshape(1, 1), px.ones((1,)), (HUGE,)),
        lambda: px.ravel_multi_index([places(0), places(0)], (2**40, 2**40)),
        lambda: px.sequence_mask(places(1), HUGE),
        lambda: px.sequence_mask(places(HUGE)),
        lambda: px.sequence_mask(places(1), -1),
        lambda: px.multi_hot(places(0), HUGE),
        lambda: px.nonzero_static(X, size=HUGE),
        lambda: px.nonzero_static(X, size=-1),
        lambda: px.gamma(2.0, size=(HUGE,)),
        lambda: px.random_sobol(HUGE, 2),
        lambda: px.random_sobol(2, HUGE),
        lambda: px.random_sobol(-1, 2),
        lambda: X.repeat(HUGE, 1),
        lambda: X.narrow(0, HUGE, HUGE),
        lambda: X.narrow(0, 0, -1),
        lambda: X.unfold(0, HUGE, 1),
        lambda: X.unfold(0, 1, 0),
        lambda: X.as_strided((HUGE,), (1,)),
        lambda: X.as_strided((2, 2), (HUGE, 1)),
        lambda: px.as_strided_scatter(X, px.ones((2,)), (2,), (HUGE,)),
        lambda: X.split(0),
        lambda: X.tensor_split(0),
        lambda: X.chunk(-1),
        lambda: px.dynamic_partition(X, places(0, 0, 0), HUGE + 1 - 1 - HUGE),
        lambda: px.broadcast_shapes((2, -1)),
        lambda: px.histogram(px.ones((3,)), 0),
        lambda: px.empty((3,)).resize_(-1),
    ],
)
def test_sizes_that_cannot_be(call):
    with pytest.raises((px.PhloxError, ValueError, IndexError, MemoryError)):
        call()


def test_views_as_other_dtypes():
    x = px.arange(6, dtype=px.int32).reshape(2, 3)
    bits = x.view(px.float32)
    assert bits.dtype == px.float32
    assert bits.data_ptr() == x.data_ptr()
    bits[0, 1] = 1.0
    assert x[0, 1].item() == 0x3F800000
    assert x.view(px.uint8).shape == (2, 12)
    assert x.view(px.int16).view(px.int32).tolist() == x.tolist()
    np.testing.assert_array_equal(x.view(px.int16).numpy(), x.numpy().view(np.int16))
    assert px.bitcast(x, px.uint8).data_ptr() != x.data_ptr()
    with pytest.raises(px.ShapeError):
        x.view(px.int64)
    with pytest.raises(px.ShapeError):
        x.t().view(px.int16)
    assert px.tensor(1.5).view(px.int32).item() == 0x3FC00000


def test_captured_views_as_other_dtypes():
    @px.jit
    def halves(x):
        y = x.clone()
        y.view(px.int32)[..., 0] = 0
        return y

    x = px.tensor([1.0, 2.5, -3.0])
    assert halves(x).tolist() == [0.0, 2.5, -3.0]


def test_nonzero_static_is_captured():
    x = px.tensor([[0, 3, 0], [4, 0, 5]])
    found = px.jit(lambda t: px.nonzero_static(t, size=4))(x)
    assert found.tolist() == [[0, 1], [1, 0], [1, 2], [-1, -1]]
    assert px.nonzero_static(x, size=2, fill_value=9).tolist() == [[0, 1], [1, 0]]
    assert px.nonzero_static(px.tensor(1), size=3).shape == (3, 0)


def test_unique_slices():
    x = px.tensor([[2, 1], [0, 5], [2, 1], [0, 4]])
    values, inverse, counts = px.unique(x, dim=0, return_inverse=True, return_counts=True)
    assert values.tolist() == [[0, 4], [0, 5], [2, 1]]
    assert inverse.tolist() == [2, 1, 2, 0]
    assert counts.tolist() == [1, 1, 2]
    assert px.unique(x, dim=1).tolist() == [[1, 2], [5, 0], [1, 2], [4, 0]]
    repeated = px.tensor([[1, 1, 2], [3, 3, 3]])
    values, counts = repeated.unique_consecutive(dim=1, return_counts=True)
    assert values.tolist() == [[1, 2], [3, 3]]
    assert counts.tolist() == [2, 1]
    values, inverse, counts = px.unique_with_counts(px.tensor([4, 1, 4, 2, 1]))
    assert (values.tolist(), inverse.tolist(), counts.tolist()) == ([4, 1, 2], [0, 1, 0, 2, 1], [2, 2, 1])
    with pytest.raises(px.ShapeError):
        px.unique(px.tensor(1), dim=0)


def test_sobol_points_fill_the_cube():
    points = px.random_sobol(256, 20, dtype=px.float64).numpy()
    for column in points.T:  # one point in each 256th
        assert sorted((column * 256).astype(int)) == list(range(256))
    later = px.random_sobol(100, 20, 156, dtype=px.float64).numpy()
    np.testing.assert_array_equal(later, points[156:])
    px.manual_seed(2)
    mixed = px.random_sobol(1024, 6, scramble=True, dtype=px.float64).numpy()
    for column in mixed.T:
        assert sorted((column * 1024).astype(int)) == list(range(1024))
    assert abs(np.prod(mixed * 2, 1).mean() - 1) < 0.02  # random points: 0.07
    px.manual_seed(2)
    assert (px.random_sobol(1024, 6, scramble=True, dtype=px.float64).numpy() == mixed).all()
    assert (px.random_sobol(4000, 3) < 1).all()
