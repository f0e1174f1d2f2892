"""The product of stored elements with a dense matrix: sums in the order of the elements, whatever threads and widths."""

# shard: tensors

import numpy as np
import pytest
import scipy.sparse

import phlox as px

WIDTHS = [0, 1, 3, 16, 17, 64, 67, 130]


def stored_elements(rows, columns, count, dtype, ordered):
    random = np.random.default_rng(count + rows)
    places = np.stack([random.integers(0, rows, count), random.integers(0, columns, count)])
    if ordered:
        places = places[:, np.lexsort(places[::-1])]
    return places, random.standard_normal(count).astype(dtype)


def in_order(places, values, matrix, rows):
    """One after the other, each product rounded."""
    result = np.zeros((rows, matrix.shape[1]), matrix.dtype)
    for row, column, value in zip(*places, values):
        result[row] += value * matrix[column]
    return result


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("ordered", [True, False])
def test_sums_follow_the_order_of_the_elements(dtype, ordered):
    for rows, columns, count in ((7, 5, 30), (1, 9, 40), (50, 3, 20), (4, 4, 0)):
        places, values = stored_elements(rows, columns, count, dtype, ordered)
        x = px.sparse_coo_tensor(px.from_numpy(places), px.from_numpy(values), (rows, columns))
        for width in WIDTHS:
            matrix = np.random.default_rng(width).standard_normal((columns, width)).astype(dtype)
            expected = in_order(places, values, matrix, rows)
            assert np.array_equal((x @ px.from_numpy(matrix)).numpy(), expected)
            turned = px.from_numpy(matrix.T.copy()).t()
            assert np.array_equal((x @ turned).numpy(), expected)
        vector = np.arange(columns).astype(dtype)
        expected = in_order(places, values, vector[:, None], rows)[:, 0]
        assert np.array_equal((x @ px.from_numpy(vector)).numpy(), expected)


@pytest.mark.parametrize("ordered", [True, False])
def test_threads_change_no_bit(ordered):
    places, values = stored_elements(900, 300, 20000, np.float32, ordered)
    matrix = np.random.default_rng(0).standard_normal((300, 70)).astype(np.float32)
    expected = in_order(places, values, matrix, 900)
    x = px.sparse_coo_tensor(px.from_numpy(places), px.from_numpy(values), (900, 300))
    before = px.get_num_threads()
    try:
        for threads in (1, 2, 5):
            px.set_num_threads(threads)
            assert np.array_equal((x @ px.from_numpy(matrix)).numpy(), expected)
    finally:
        px.set_num_threads(before)


def test_what_is_no_number_stays_where_it_is():
    places = np.array([[0, 0, 2], [1, 1, 0]])
    x = px.sparse_coo_tensor(px.from_numpy(places), px.tensor([1.0, 2.0, float("inf")]), (3, 2))
    result = (x @ px.tensor([[0.0, 1.0], [float("nan"), 3.0]])).numpy()
    np.testing.assert_array_equal(result, [[np.nan, 9], [0, 0], [np.nan, np.inf]])


@pytest.mark.parametrize("layout", ["csr", "csc", "coo"])
def test_against_scipy(layout):
    theirs = scipy.sparse.random(60, 40, 0.1, "csr", rng=np.random.default_rng(1))
    ours = px.from_numpy(theirs.toarray()).to_sparse(layout=f"sparse_{layout}")
    matrix = np.random.default_rng(2).standard_normal((40, 33))
    np.testing.assert_allclose(
        (ours @ px.from_numpy(matrix)).numpy(), theirs @ matrix, rtol=1e-12, atol=1e-12
    )
    left = np.random.default_rng(3).standard_normal((5, 60))
    np.testing.assert_allclose((px.from_numpy(left) @ ours).numpy(), left @ theirs, rtol=1e-12, atol=1e-12)


def test_gradients_of_first_and_second_order():
    places, values = stored_elements(5, 4, 9, np.float64, False)
    matrix = np.random.default_rng(2).standard_normal((4, 3))

    def product(v, m):
        return px.sparse_coo_tensor(px.from_numpy(places), v, (5, 4)) @ m

    def by_dense(v, m):
        dense = px.zeros(5, 4, dtype=px.float64)
        return dense.index_put((px.from_numpy(places[0]), px.from_numpy(places[1])), v, accumulate=True) @ m

    point = (px.from_numpy(values), px.from_numpy(matrix))
    for f, g in (
        (lambda v, m: product(v, m).sin().sum(), lambda v, m: by_dense(v, m).sin().sum()),
        (lambda v, m: (product(v, m) ** 3).sum(), lambda v, m: (by_dense(v, m) ** 3).sum()),
    ):
        for argument in (0, 1):
            ours, theirs = (px.func.grad(h, argnums=argument)(*point) for h in (f, g))
            px.testing.assert_close(ours, theirs)
            ours, theirs = (px.func.hessian(h, argnums=argument)(*point) for h in (f, g))
            px.testing.assert_close(ours, theirs)


def test_in_captured_functions_and_for_samples():
    places, values = stored_elements(6, 5, 12, np.float32, True)

    def product(v, m):
        return px.sparse_coo_tensor(px.from_numpy(places), v, (6, 5)) @ m

    matrices = px.randn(3, 5, 4)
    v = px.from_numpy(values)
    jitted = px.jit(product)
    for m in matrices:
        assert px.equal(jitted(v, m), product(v, m))
    together = px.vmap(product, in_dims=(None, 0))(v, matrices)
    assert px.equal(together, px.stack([product(v, m) for m in matrices]))
    several = px.stack([v, 2 * v])
    assert px.equal(px.vmap(product, in_dims=(0, None))(several, matrices[0])[1], product(2 * v, matrices[0]))
