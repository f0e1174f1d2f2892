"""Sparse tensors against SciPy and NumPy, their gradients, and how they go through captured functions."""

# shard: tensors
import copy
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st

import phlox as px

LAYOUTS = ["coo", "csr", "csc", "bsr", "bsc"]


def dense_matrix(seed, rows=4, columns=6, share=0.4):
    random = np.random.default_rng(seed)
    return random.normal(size=(rows, columns)) * (random.random((rows, columns)) < share)


def sparse(array, layout="coo"):
    blocks = (2, 2) if layout.startswith("bs") else None
    return px.from_numpy(array).to_sparse(layout=f"sparse_{layout}", blocksize=blocks)


def assert_equal(tensor, array):
    tensor = tensor.to_dense() if isinstance(tensor, px.sparse.SparseTensor) else tensor
    np.testing.assert_allclose(tensor.detach().numpy(), array, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("other", LAYOUTS)
def test_layouts_hold_the_same_elements(layout, other):
    for array in (dense_matrix(1), np.zeros((4, 6)), np.ones((4, 2)), np.zeros((0, 4)), np.zeros((4, 0))):
        x = sparse(array, layout)
        assert x.layout == f"sparse_{layout}" and x.shape == array.shape and x.is_coalesced()
        blocks = (2, 2) if other.startswith("bs") else None
        turned = x.to_sparse(other, blocks)
        assert turned.layout == f"sparse_{other}"
        assert_equal(turned, array)
        assert_equal(turned.T, array.T)


@pytest.mark.parametrize("layout", ["csr", "csc", "coo", "bsr"])
def test_parts_are_those_of_scipy(layout):
    array = dense_matrix(2)
    ours, theirs = sparse(array, layout), scipy.sparse.csr_array(array)
    theirs = theirs.tobsr((2, 2)) if layout == "bsr" else theirs.asformat(layout)
    if layout == "coo":
        assert ours.indices().tolist() == [c.tolist() for c in theirs.coords]
    else:
        first = ours.ccol_indices() if layout == "csc" else ours.crow_indices()
        second = ours.row_indices() if layout == "csc" else ours.col_indices()
        assert first.tolist() == theirs.indptr.tolist() and second.tolist() == theirs.indices.tolist()
    np.testing.assert_array_equal(ours.values().numpy(), theirs.data)
    back = ours.to_scipy()
    assert back.format == layout and type(back) is type(theirs)
    np.testing.assert_array_equal(back.toarray(), array)
    assert_equal(px.sparse.from_scipy(theirs), array)


def test_scipy_with_disorder_and_repetition():
    matrix = scipy.sparse.csr_matrix(([1.0, 2.0, 3.0], [2, 0, 2], [0, 3, 3]), shape=(2, 3))
    assert_equal(px.sparse.from_scipy(matrix), matrix.toarray())
    assert matrix.data.tolist() == [1.0, 2.0, 3.0]
    repeated = scipy.sparse.coo_array(([1.0, 2.0], ([1, 1], [0, 0])), shape=(2, 2))
    x = px.sparse.from_scipy(repeated)
    assert x.nnz == 2 and x.coalesce().nnz == 1
    assert_equal(x, repeated.toarray())
    with pytest.raises(px.NotSupportedError, match="dense dimensions"):
        px.sparse.to_scipy(px.ones(2, 3).to_sparse(1))
    assert sparse(dense_matrix(3), "bsc").to_scipy().format == "csc"


@pytest.mark.parametrize("layout", LAYOUTS)
def test_arithmetic(layout):
    a, b = dense_matrix(4), dense_matrix(5)
    x, y = sparse(a, layout), sparse(b, layout)
    other = px.from_numpy(b + 3)
    for result, expected in [
        (x + y, a + b),
        (x - y, a - b),
        (x * y, a * b),
        (-x, -a),
        (x * 2.5, 2.5 * a),
        (2.5 * x, 2.5 * a),
        (x / 4, a / 4),
        (x * other, a * (b + 3)),
        (other * x, a * (b + 3)),
        (x * other[0], a * (b[0] + 3)),
        (x / other, a / (b + 3)),
        (px.sparse.add(x, y, alpha=3), a + 3 * b),
        (px.sparse.map_values(px.sin, x), np.sin(a)),
    ]:
        assert result.layout == x.layout
        assert_equal(result, expected)
    assert_equal(x + other, a + b + 3)
    assert_equal(other - x, b + 3 - a)
    assert_equal(x - other, a - b - 3)
    assert_equal(px.sparse.add(other, x, alpha=2), b + 3 + 2 * a)
    assert_equal(x + px.ones(2, 1, 1, dtype=px.float64), a + np.ones((2, 1, 1)))
    with pytest.raises(TypeError):
        x + 1


@pytest.mark.parametrize("layout", LAYOUTS)
def test_products(layout):
    a, b = dense_matrix(6), dense_matrix(7, 6, 2)
    x, y = sparse(a, layout), px.from_numpy(b)
    assert_equal(x @ y, a @ b)
    assert_equal(x @ y[:, 0], a @ b[:, 0])
    assert_equal(y.T @ x.T, b.T @ a.T)
    assert_equal(y[:, 0] @ x.T, b[:, 0] @ a.T)
    assert_equal(x @ y[:, :0], a @ b[:, :0])
    assert_equal(px.sparse.mm(x, y), a @ b)
    assert_equal(px.sparse.addmm(px.ones(4, 2), x, y, beta=2, alpha=3), 2 + 3 * (a @ b))
    product = x @ sparse(b, layout)
    assert isinstance(product, px.sparse.SparseTensor)
    assert_equal(product, a @ b)
    assert_equal(x @ sparse(np.zeros((6, 2)), layout), np.zeros((4, 2)))
    with pytest.raises(px.ShapeError, match="inner sizes differ, 6 and 4"):
        x @ px.ones(4, 2, dtype=px.float64)
    with pytest.raises(px.ShapeError, match="a sparse matrix and"):
        x @ px.ones(2, 6, 2, dtype=px.float64)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64", "complex64", "int64"])
def test_dtypes(dtype):
    kind = px.float64 if dtype != "complex64" else px.complex64
    a = px.tensor([[0, 2, 0], [3, 0, -1]], dtype=kind).to(getattr(px, dtype))
    b = px.tensor([[1, 2], [3, 4], [5, 6]]).to(getattr(px, dtype))
    x = a.to_sparse()
    assert x.dtype is a.dtype
    assert (x @ b).dtype is a.dtype and (x @ b).tolist() == [[6, 8], [-2, 0]]
    assert (x @ b.to(px.complex128)).dtype is px.complex128
    assert x.sum().item() == 4
    assert x.to(px.float64).dtype is px.float64


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("reduce", ["sum", "mean", "amax", "amin"])
def test_products_that_take_something_else_than_the_sum(layout, reduce):
    array = dense_matrix(4)
    array[1] = 0
    other = np.random.default_rng(1).normal(size=(6, 3))
    a = sparse(array, layout)
    stored = a.with_values(px.ones_like(a.values())).to_dense().numpy() > 0  # zeros of blocks count
    want = np.zeros((4, 3))
    for row in range(4):
        products = [array[row, k] * other[k] for k in range(6) if stored[row, k]]
        if products:
            want[row] = {"sum": np.sum, "mean": np.mean, "amax": np.max, "amin": np.min}[reduce](products, 0)
    assert_equal(px.sparse.mm(a, px.from_numpy(other), reduce), want)


def test_reduced_products_have_gradients_and_refuse_what_does_not_fit():
    a = px.sparse_csr_tensor([0, 2, 2], [0, 2], [2.0, 3.0], (2, 3), requires_grad=True)
    b = px.tensor([[1.0], [5.0], [4.0]], requires_grad=True)
    px.sparse.mm(a, b, "amax").sum().backward()
    assert a.values().grad.tolist() == [0.0, 4.0] and b.grad.tolist() == [[0.0], [0.0], [3.0]]
    with pytest.raises(px.errors.ValueError, match="reduce is 'prod'"):
        px.sparse.mm(a, b, "prod")
    with pytest.raises(px.ShapeError, match=r"\[2, 3\] and \[2, 1\]"):
        px.sparse.mm(a, px.ones(2, 1), "mean")
    with pytest.raises(px.errors.TypeError, match="a sparse mat1"):
        px.sparse.mm(px.ones(1, 3), b, "mean")


def test_products_in_half_precision_add_in_single():
    row = px.ones(1, 4096, dtype=px.float16).to_sparse_csr()
    assert (row @ px.ones(4096, 1, dtype=px.float16)).item() == 4096


@pytest.mark.parametrize("layout", ["coo", "csr", "csc"])
def test_sampled_product(layout):
    a, b, c = dense_matrix(8), dense_matrix(9, 4, 3, 1), dense_matrix(10, 3, 6, 1)
    x = sparse(a, layout)
    result = px.sparse.sampled_addmm(x, px.from_numpy(b), px.from_numpy(c), beta=0.5, alpha=2.0)
    assert result.layout == x.layout
    assert_equal(result, np.where(a != 0, 0.5 * a + 2 * (b @ c), 0))
    with pytest.raises(px.ShapeError, match="sampled_addmm"):
        px.sparse.sampled_addmm(x, px.ones(3, 3), px.ones(3, 6))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dim", [0, 1, -1])
def test_softmax(layout, dim):
    a = dense_matrix(11, share=0.7)
    a[1] = 0
    x = sparse(a, layout)
    stored = np.ones_like(a) if layout.startswith("bs") else a != 0
    if layout.startswith("bs"):  # all elements of a stored block are stored
        stored = x.with_values(px.ones_like(x.values())).to_dense().numpy() != 0
    with np.errstate(all="ignore"):
        expected = scipy.special.softmax(np.where(stored, a, -np.inf), dim)
    assert_equal(x.softmax(dim), np.where(stored, expected, 0))
    logarithm = px.sparse.log_softmax(x, dim)
    assert_equal(px.sparse.map_values(px.exp, logarithm), np.where(stored, expected, 0))
    assert px.sparse.softmax(x, dim, dtype=px.float32).dtype is px.float32


def test_softmax_of_more_dimensions():
    a = np.random.default_rng(12).normal(size=(3, 4, 5)) * (np.random.default_rng(1).random((3, 4, 5)) < 0.5)
    with np.errstate(all="ignore"):
        expected = np.nan_to_num(scipy.special.softmax(np.where(a != 0, a, -np.inf), 1))
    assert_equal(px.from_numpy(a).to_sparse().softmax(1), expected)
    hybrid = px.from_numpy(a).to_sparse(1)
    assert_equal(hybrid.softmax(2), scipy.special.softmax(a, 2))
    assert_equal(hybrid.softmax(0), scipy.special.softmax(a, 0))
    assert_equal(px.tensor([0.0, 1.0, 1.0]).to_sparse().softmax(0), [0, 0.5, 0.5])


def test_sums():
    a = np.random.default_rng(13).normal(size=(3, 4, 5)) * (np.random.default_rng(2).random((3, 4, 5)) < 0.5)
    x = px.from_numpy(a).to_sparse()
    assert_equal(x.sum(), a.sum())
    for dim in (0, 1, -1, (0, 2), (1, 2)):
        assert isinstance(x.sum(dim), px.sparse.SparseTensor)
        assert_equal(x.sum(dim), a.sum(dim))
    assert_equal(x.sum((0, 1, 2)), a.sum())
    hybrid = px.from_numpy(a).to_sparse(2)
    assert hybrid.dense_dim() == 1
    assert_equal(hybrid.sum(2), a.sum(2))
    assert_equal(hybrid.sum((0, 2)), a.sum((0, 2)))
    assert_equal(hybrid.sum((0, 1)), a.sum((0, 1)))
    for layout in LAYOUTS:
        assert_equal(px.sparse.sum(sparse(a[0][:, :4], layout), 1), a[0][:, :4].sum(1))


def test_transposes():
    a = np.random.default_rng(14).normal(size=(3, 4, 5))
    x = px.from_numpy(a).to_sparse(2)
    assert_equal(x.transpose(0, 1), a.swapaxes(0, 1))
    assert_equal(px.from_numpy(a).to_sparse(1).transpose(1, 2), a.swapaxes(1, 2))
    with pytest.raises(px.NotSupportedError, match="dimension 0 is sparse and 2 is dense"):
        x.transpose(0, 2)
    csr = sparse(dense_matrix(15), "csr")
    assert csr.T.layout == "sparse_csc" and csr.T.values() is csr.values()


def test_coalescing():
    x = px.sparse_coo_tensor([[1, 0, 1], [2, 1, 2]], [1.0, 2.0, 3.0], (2, 3))
    assert not x.is_coalesced() and x.nnz == 3
    whole = x.coalesce()
    assert whole.is_coalesced() and whole.indices().tolist() == [[0, 1], [1, 2]]
    assert whole.values().tolist() == [2.0, 4.0]
    assert whole.coalesce().values() is whole.values()
    assert_equal(x, [[0, 2, 0], [0, 0, 4]])
    hybrid = px.sparse_coo_tensor([[1, 1]], px.tensor([[1.0, 2.0], [3.0, 4.0]]), (3, 2))
    assert hybrid.coalesce().values().tolist() == [[4.0, 6.0]]
    empty = px.sparse_coo_tensor([[], []], [], (2, 3))
    assert empty.coalesce().nnz == 0 and empty.to_dense().tolist() == [[0] * 3] * 2
    assert px.sparse_coo_tensor([[1, 3]], [1.0, 2.0]).shape == (4,)


def test_masks():
    a = dense_matrix(16)
    mask = sparse(a, "csr")
    assert_equal(px.ones(4, 6, dtype=px.float64).sparse_mask(mask), (a != 0).astype(float))
    with pytest.raises(px.ShapeError, match="sparse_mask"):
        px.ones(3, 6).sparse_mask(mask)


def test_what_a_tensor_says_of_itself():
    x = px.sparse_csr_tensor([0, 1, 3], [2, 0, 2], [3.0, 4.0, 5.0], (2, 3))
    assert (x.ndim, x.dim(), x.numel(), len(x), x.size(1), x.size()) == (2, 2, 6, 2, 3, (2, 3))
    assert x.is_sparse_csr and not x.is_sparse and x.sparse_dim() == 2 and x.dense_dim() == 0
    assert x.device == px.ones(1).device and x.blocksize == (1, 1)
    assert repr(x) == (
        "sparse_csr_tensor(crow_indices=tensor([0, 1, 3]),\n  col_indices=tensor([2, 0, 2]),\n"
        "  values=tensor([3., 4., 5.]),\n  size=(2, 3), nnz=3)"
    )
    assert px.ones(2).to_dense().tolist() == [1, 1] and not px.ones(2).is_sparse
    with pytest.raises(px.StateError, match="indices: only the layout coo has them, not csr"):
        x.indices()
    with pytest.raises(ValueError, match="no sparse layout 'ell'"):
        px.eye(2).to_sparse(layout="ell")
    with pytest.raises(px.ShapeError, match="there are 3 stored elements"):
        x.with_values(px.ones(2))


def test_copies():
    x = px.sparse_coo_tensor([[0, 1], [1, 0]], [1.0, 2.0], (2, 2), requires_grad=True)
    for made in (copy.deepcopy(x), pickle.loads(pickle.dumps(x)), copy.copy(x), x.clone(), x.detach()):
        assert_equal(made, [[0, 1], [2, 0]])
    assert pickle.loads(pickle.dumps(x)).requires_grad
    csr = x.coalesce().detach().to_sparse_csr()
    assert copy.deepcopy(csr).crow_indices().tolist() == [0, 1, 2]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_coordinates(data):
    rows, columns = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 5))
    count = data.draw(st.integers(0, 12))
    places = [
        data.draw(st.lists(st.integers(0, n - 1), min_size=count, max_size=count)) for n in (rows, columns)
    ]
    values = np.array(
        data.draw(st.lists(st.integers(-9, 9), min_size=count, max_size=count)), dtype=np.float64
    )
    theirs = scipy.sparse.coo_array((values, places), shape=(rows, columns))
    ours = px.sparse_coo_tensor(places, px.from_numpy(values), (rows, columns))
    assert_equal(ours, theirs.toarray())
    csr = theirs.tocsr()
    csr.sum_duplicates()
    for layout in ("csr", "csc"):
        assert_equal(ours.to_sparse(layout), theirs.toarray())
    assert ours.to_sparse_csr().col_indices().tolist() == csr.indices.tolist()
    assert_equal(ours @ ours.T, (csr @ csr.T).toarray())
    assert_equal(ours + ours * 2, (csr * 3).toarray())
    assert_equal(ours * ours, (csr * csr).toarray())
    right = np.arange(columns * 2, dtype=np.float64).reshape(columns, 2)
    assert_equal(ours @ px.from_numpy(right), csr @ right)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.integers(-3, 6), max_size=6),
    st.lists(st.integers(-3, 6), max_size=6),
    st.integers(0, 6),
    st.tuples(st.integers(-1, 5), st.integers(-1, 5)),
)
def test_any_parts_are_right_or_refused(pointers, columns, count, size):
    """Nothing crashes, and what is accepted is what SciPy makes of it."""
    try:
        x = px.sparse_csr_tensor(pointers, columns, px.arange(1.0, count + 1), size)
    except px.PhloxError:
        return
    theirs = scipy.sparse.csr_array((np.arange(1.0, count + 1), columns, pointers), shape=size)
    assert_equal(x, theirs.toarray())


POSITIONS = px.tensor([[0, 2, 1, 2, 0], [1, 0, 3, 0, 2]])  # one of them twice


@pytest.mark.parametrize(
    "function",
    [
        lambda s, y: s @ y,
        lambda s, y: y.T @ s.T,
        lambda s, y: (s.coalesce().to_sparse_csr() @ y).sin(),
        lambda s, y: s.coalesce().to_sparse_csc() @ y,
        lambda s, y: (s @ s.T @ px.ones(3, 2, dtype=px.float64)) * y.sum(),
        lambda s, y: (s * y[:, :1].T).values() * y.sum(),
        lambda s, y: (s * s.coalesce()).values() * y.sum(),
        lambda s, y: (s + s / 2).to_dense() + y[:3, :1],
        lambda s, y: s.softmax(1).values() * y.mean(),
        lambda s, y: s.log_softmax(0).values() * y.mean(),
        lambda s, y: s.sum(0).to_dense()[:, None] * y,
        lambda s, y: px.sparse.sampled_addmm(s, y[:3], y.T).values(),
        lambda s, y: (s + y[:3] @ y.T).sin(),
        lambda s, y: s.to_dense() @ y,
        lambda s, y: (y @ y.T)[:3].sparse_mask(s).values() + s.coalesce().values(),
        lambda s, y: (y @ y.T)[:3].to_sparse(1).sum(1).values() + s.sum(),
    ],
)
def test_gradients(function):
    values = px.tensor([0.5, -1.0, 2.0, 0.7, 1.3], dtype=px.float64, requires_grad=True)
    y = px.from_numpy(np.random.default_rng(17).normal(size=(4, 2))).requires_grad_()

    def result(values, y):
        return function(px.sparse_coo_tensor(POSITIONS, values, (3, 4)), y)

    @px.enable_grad()
    def gradients(values, y):
        values, y = values.clone(), y.clone()  # gradcheck() writes into what it gives
        return px.autograd.grad(
            result(values, y).sin().sum(), (values, y), create_graph=True, allow_unused=True
        )

    assert px.autograd.gradcheck(result, (values, y))
    assert px.autograd.gradcheck(gradients, (values, y))


def test_gradients_of_blocks():
    values = px.randn(3, 2, 2, dtype=px.float64, requires_grad=True)
    y = px.randn(4, 2, dtype=px.float64, requires_grad=True)

    def result(values, y):
        return px.sparse_bsr_tensor([0, 2, 3], [0, 1, 1], values, (4, 4)) @ y

    assert px.autograd.gradcheck(result, (values, y))


def test_gradients_arrive_at_the_values():
    a = px.sparse_coo_tensor([[0, 1, 1], [2, 0, 2]], [3.0, 4.0, 5.0], (2, 3), requires_grad=True)
    assert a.requires_grad and a.grad is None
    (a @ px.ones(3, 4)).sum().backward()
    assert a.values().grad.tolist() == [4, 4, 4]
    assert a.grad.indices().tolist() == a.indices().tolist() and a.grad.values().tolist() == [4, 4, 4]
    assert not a.detach().requires_grad


@pytest.mark.parametrize("layout", ["coo", "csr", "bsr"])
def test_captured_functions(layout):
    a = dense_matrix(18)

    @px.jit
    def function(x, y):
        return x @ y, x.T, (x * 2).softmax(1), x.shape

    for scale in (1, 2, 3):
        x, y = sparse(scale * a, layout), px.from_numpy(dense_matrix(19, 6, 2, 1))
        product, turned, weights, shape = function(x, y)
        assert_equal(product, scale * a @ y.numpy())
        assert_equal(turned, scale * a.T)
        assert_equal(weights, (x * 2).softmax(1).to_dense().numpy())
        assert shape == (4, 6)


def test_captured_training_with_a_sparse_constant():
    graph = sparse(dense_matrix(20, 5, 5), "csr").to(px.float32)
    weight = px.ones(5, 2, requires_grad=True)
    eager, optimizer = weight.detach().clone().requires_grad_(), px.optim.SGD([weight], lr=0.1)

    @px.jit
    def step():
        loss = (graph @ weight - 1).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    for _ in range(4):
        loss = (graph @ eager - 1).square().mean()
        (gradient,) = px.autograd.grad(loss, eager)
        assert step().item() == pytest.approx(loss.item())
        eager = (eager - 0.1 * gradient).detach().requires_grad_()


def test_checks_are_part_of_the_graph():
    @px.jit
    def function(positions, values):
        return px.sparse_coo_tensor(positions, values, (3,), is_coalesced=True).to_dense()

    for _ in range(2):
        assert function(px.tensor([[0, 2]]), px.ones(2)).tolist() == [1, 0, 1]
    with pytest.raises(IndexError):
        function(px.tensor([[0, 3]]), px.ones(2))
    with pytest.raises(ValueError, match="ascend and differ"):
        function(px.tensor([[2, 0]]), px.ones(2))

    @px.jit
    def product(pointers, columns):
        return px.sparse_csr_tensor(pointers, columns, px.ones(2), (2, 2)) @ px.ones(2)

    assert product(px.tensor([0, 1, 2]), px.tensor([1, 0])).tolist() == [1, 1]
    for pointers, columns, kind in [
        ([0, 2, 1], [1, 0], ValueError),
        ([0, 1, 1], [1, 0], ValueError),
        ([1, 1, 2], [1, 0], ValueError),
        ([0, 2, 2], [1, 0], ValueError),
        ([0, 1, 2], [1, 2], IndexError),
    ]:
        with pytest.raises(kind):
            product(px.tensor(pointers), px.tensor(columns))


def test_functional_transforms():
    a = px.sparse_csr_tensor([0, 1, 3], [2, 0, 2], [3.0, 4.0, 5.0], (2, 3))
    x = px.randn(5, 3)
    np.testing.assert_allclose(
        px.vmap(lambda s, v: s @ v, (None, 0))(a, x).numpy(),
        (x @ a.to_dense().T).numpy(),
        rtol=1e-5,
        atol=1e-6,
    )
    batch = px.vmap(lambda v: a.with_values(v) @ px.ones(3))(px.ones(4, 3))
    assert batch.tolist() == [[1, 2]] * 4
    gradient = px.func.grad(lambda s: (s @ px.ones(3)).square().sum())(a)
    assert gradient.layout == a.layout and gradient.values().tolist() == [6, 18, 18]
    result, product = px.func.jvp(lambda s: s * s.values()[0], (a,), (a,))
    assert result.values().tolist() == [9, 12, 15] and product.values().tolist() == [18, 24, 30]
    assert px.func.vjp(lambda s: s * 2, a)[1](a).values().tolist() == [6, 8, 10]
    with pytest.raises(TypeError, match="must give tensors, not SparseTensor"):
        px.vmap(lambda v: a * 2)(x)


def test_vmap_takes_and_gives_mappings():
    from collections import OrderedDict

    x = px.ones(2, 3)
    assert px.vmap(lambda d: d["a"] * 2)(OrderedDict(a=x)).tolist() == [[2] * 3] * 2
    result = px.vmap(lambda row: OrderedDict(a=row * 2))(x)
    assert type(result) is OrderedDict and result["a"].tolist() == [[2] * 3] * 2


def test_captured_functions_give_shapes():
    function = px.jit(lambda x: (x * 2, x.shape))
    for _ in range(2):
        assert function(px.ones(2, 3))[1] == (2, 3)


def test_the_programs_of_the_page():
    page = (Path(__file__).parents[2] / "docs" / "sparse-and-ragged.md").read_text()
    printed = []
    space = {"print": lambda *values: printed.append(" ".join(map(str, values)))}
    expected = []
    for program in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(compile(program, "sparse-and-ragged.md", "exec"), space)
        expected += re.findall(r"^print\(.*\) +# (.*)$", program, re.MULTILINE)
    assert printed == expected and len(printed) > 3


@pytest.mark.parametrize(
    "name", [n for n, f in vars(px.sparse).items() if ">>>" in (getattr(f, "__doc__", None) or "")]
)
def test_examples(name):
    import doctest

    finder, runner = doctest.DocTestFinder(), doctest.DocTestRunner()
    for example in finder.find(getattr(px.sparse, name), name, globs={"px": px}):
        runner.run(example)
    assert runner.summarize(verbose=False).failed == 0
