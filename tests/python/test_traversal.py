"""Kernels that choose their way through memory give the same bits on any layout of their operands."""

# shard: tensors

import numpy as np
import pytest

import phlox as px

# 600 x 600 floats are more than a megabyte, and no multiple of what kernels take at a time.
SHAPES = [(5, 7), (64, 130), (600, 600)]


def numbers(shape, seed=0, dtype=np.float32):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def layouts(array):
    """The same elements row by row, column by column, and upside down with gaps."""
    x = px.from_numpy(array)
    spread = px.zeros(2 * array.shape[0], array.shape[1], dtype=x.dtype)[::-2]
    spread.copy_(x)
    return [x, x.t().contiguous().t(), spread]


def places_for(shape, dim, bound):
    return np.random.default_rng(3).integers(0, bound, shape)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dim", [0, 1])
def test_gather(shape, dim):
    array = numbers(shape)
    places = places_for(shape, dim, shape[dim])
    expected = np.take_along_axis(array, places, dim)
    for x in layouts(array):
        for index in layouts(places):
            assert np.array_equal(x.gather(dim, index).numpy(), expected)
    assert np.array_equal(
        x.index_select(dim, index[0] % shape[dim]).numpy(), array.take(places[0] % shape[dim], dim)
    )


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dim", [0, 1])
def test_scatter_in_the_order_of_the_elements(shape, dim):
    array, values = numbers(shape), numbers(shape, 1)
    places = places_for(shape, dim, max(1, shape[dim] // 3))  # several for one place
    assigned, added = array.copy(), array.copy()
    for i in range(shape[dim]):  # one after the other along `dim`
        at = np.take(places, [i], dim)
        one = np.take(values, [i], dim)
        np.put_along_axis(assigned, at, one, dim)
        np.put_along_axis(added, at, np.take_along_axis(added, at, dim) + one, dim)
    for x in layouts(array):
        for y in layouts(values):
            for index in layouts(places):
                assert np.array_equal(x.scatter(dim, index, y).numpy(), assigned)
                assert np.array_equal(x.scatter_add(dim, index, y).numpy(), added)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dim", [0, 1])
def test_index_add_in_the_order_of_the_elements(shape, dim):
    array, values = numbers(shape), numbers(shape, 1)
    rows = np.random.default_rng(2).integers(0, max(1, shape[dim] // 2), shape[dim])
    expected = np.moveaxis(array.copy(), dim, 0)
    for i, row in enumerate(rows):
        expected[row] += np.moveaxis(values, dim, 0)[i]
    expected = np.moveaxis(expected, 0, dim)
    for x in layouts(array):
        for y in layouts(values):
            assert np.array_equal(x.index_add(dim, px.from_numpy(rows), y).numpy(), expected)


def test_several_indices_in_one_place():
    array, values = numbers((40, 50)), numbers((30, 20), 1)
    rows, columns = places_for((30, 20), 0, 40), places_for((30, 1), 0, 50)
    expected = array.copy()
    np.add.at(expected, (rows, np.broadcast_to(columns, rows.shape)), values)
    for x in layouts(array):
        for y in layouts(values):
            result = x.index_put((px.from_numpy(rows), px.from_numpy(columns)), y, accumulate=True)
            assert np.array_equal(result.numpy(), expected)


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_change_no_bit(threads):
    array, values = numbers((600, 600)), numbers((600, 600), 1)
    places = places_for(array.shape, 0, 50)
    before = px.get_num_threads()
    try:
        px.set_num_threads(threads)
        results = [
            x.scatter_add(0, px.from_numpy(places), y) for x in layouts(array) for y in layouts(values)
        ]
    finally:
        px.set_num_threads(before)
    for result in results:
        assert px.equal(
            result, px.from_numpy(array).scatter_add(0, px.from_numpy(places), px.from_numpy(values))
        )


def test_a_position_out_of_range_is_found_anywhere():
    x = px.zeros(9)
    for count in (1, 15, 16, 33, 1000):
        for at in {0, count // 2, count - 1}:
            for wrong in (9, -1, -(2**63), 2**63 - 1):
                index = np.zeros(count, np.int64)
                index[at] = wrong
                with pytest.raises(IndexError, match=f"position {wrong} is out of range"):
                    x.gather(0, px.from_numpy(index))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.uint8, np.float16])
@pytest.mark.parametrize("shape", [(1, 5), (4, 3), (7, 100), (3, 0), (0, 3)])
def test_running_sums_and_products_of_rows(dtype, shape):
    array = (3 * numbers(shape)).astype(dtype)
    for x in layouts(array):
        for dim in (0, 1):
            for name in ("cumsum", "cumprod"):
                lines = (shape[1 - dim], shape[dim])
                rows = np.moveaxis(x.numpy(), dim, -1).reshape(lines)
                one_by_one = [getattr(px.from_numpy(row.copy()), name)(0).numpy() for row in rows]
                together = np.moveaxis(getattr(x, name)(dim).numpy(), dim, -1).reshape(lines)
                for a, b in zip(one_by_one, together):
                    assert np.array_equal(a, b, equal_nan=True)
    first = px.from_numpy(array).cumsum(1).numpy()
    expected = np.cumsum(array.astype(np.float64), 1)
    if dtype in (np.float32, np.float64, np.int64):
        np.testing.assert_allclose(first, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("wanted", [1, 4, 16, 17, 30])
@pytest.mark.parametrize("largest", [True, False])
def test_few_of_many_with_equals_and_nan(wanted, largest):
    array = np.random.default_rng(5).integers(-40, 40, (6, 700)).astype(np.float32)
    array[1, 600:604] = np.nan
    array[2] = 1
    array[3, :] = np.arange(700)
    array[4, :] = -np.arange(700)
    order = px.from_numpy(array).sort(1, descending=largest, stable=True)
    for x in layouts(array):
        values, places = x.topk(wanted, 1, largest=largest)
        assert np.array_equal(values.numpy(), order[0][:, :wanted].numpy(), equal_nan=True)
        assert px.equal(places, order[1][:, :wanted])


@pytest.mark.parametrize("diagonal", [-(2**62), -3, 0, 2, 2**62])
@pytest.mark.parametrize("dtype", [np.float32, np.int8, np.bool_, np.complex64])
def test_triangles(diagonal, dtype):
    array = (numbers((5, 7)) > 0).astype(dtype)
    near = max(-10, min(10, diagonal))
    for x in layouts(array):
        assert x.tril(diagonal).dtype == x.dtype
        assert np.array_equal(x.tril(diagonal).numpy(), np.tril(array, near))
        assert np.array_equal(x.triu(diagonal).numpy(), np.triu(array, near))
    batch = px.from_numpy(numbers((2, 3, 4)))
    assert np.array_equal(batch.mT.tril().numpy(), np.tril(batch.mT.numpy()))
    assert px.zeros(0, 3).tril().shape == (0, 3) and px.zeros(3, 0).mT.triu().shape == (0, 3)


def test_one_number_for_each_line():
    """An operand that does not move along the lines of memory."""
    for shape in SHAPES:
        array, row, column = numbers(shape), numbers(shape[1], 1), numbers((shape[0], 1), 2)
        for x in layouts(array):
            assert np.array_equal((x + px.from_numpy(row)).numpy(), array + row)
            assert np.array_equal((px.from_numpy(column) * x).numpy(), column * array)
            assert np.array_equal(
                px.clamp(x, px.from_numpy(column), 0.5).numpy(), np.clip(array, column, 0.5)
            )
            mixed = px.from_numpy(row.astype(np.float64))
            assert np.array_equal((x + mixed).numpy(), array + row.astype(np.float64))
