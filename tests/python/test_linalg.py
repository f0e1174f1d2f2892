"""Linear algebra: what one NumPy expression in the registry cannot say. Factors, edge cases, errors, gradients.

The generated tests in test_operations.py compare what is unique with NumPy and SciPy, and all gradients with finite
differences.
"""
# shard: tensors

import numpy as np
import pytest
import scipy.linalg

import phlox as px

DTYPES = ["float32", "float64", "complex64", "complex128"]
RNG = np.random.default_rng(7)


def random(*shape, dtype="float64"):
    array = RNG.normal(size=shape)
    if dtype.startswith("complex"):
        array = array + 1j * RNG.normal(size=shape)
    return array.astype(dtype)


def definite(*shape, dtype="float64"):
    x = random(*shape, shape[-1], dtype=dtype)
    return (x @ np.conj(np.swapaxes(x, -1, -2)) + np.eye(shape[-1])).astype(dtype)


def close(actual, expected, dtype="float64", factor=1.0):
    tolerance = factor * (1e-4 if dtype in ("float32", "complex64") else 1e-10)
    actual = actual.detach().numpy() if isinstance(actual, px.Tensor) else actual
    assert actual.shape == expected.shape
    np.testing.assert_allclose(
        actual, expected, rtol=tolerance, atol=tolerance * max(1, np.abs(expected).max(initial=0))
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "shape", [(3, 3), (5, 3), (3, 5), (2, 4, 3), (2, 2, 3, 4), (0, 3, 3), (0, 3), (3, 0)]
)
def test_factors_give_the_matrix(dtype, shape):
    a = random(*shape, dtype=dtype)
    x = px.from_numpy(a)
    k = min(shape[-2:])
    for mode in ("reduced", "complete"):
        q, r = px.linalg.qr(x, mode)
        close(q @ r, a, dtype)
        close(
            q.adjoint() @ q,
            np.broadcast_to(np.eye(q.shape[-1]), (*shape[:-2], q.shape[-1], q.shape[-1])),
            dtype,
        )
    assert px.linalg.qr(x, "r").Q.numel() == 0
    for full in (True, False):
        u, s, vh = px.linalg.svd(x, full_matrices=full)
        close((u[..., :k] * s.unsqueeze(-2)) @ vh[..., :k, :], a, dtype)
        close(
            u.adjoint() @ u,
            np.broadcast_to(np.eye(u.shape[-1]), (*shape[:-2], u.shape[-1], u.shape[-1])),
            dtype,
        )
        close(s, np.linalg.svd(a, compute_uv=False), dtype)
    u, s, v = px.svd(x)
    close((u * s.unsqueeze(-2)) @ v.adjoint(), a, dtype)
    p, lower, upper = px.linalg.lu(x)
    close(p @ lower @ upper, a, dtype)
    packed, pivots = px.linalg.lu_factor(x) if k else px.linalg.lu_factor_ex(x)[:2]
    p, lower, upper = px.lu_unpack(packed, pivots)
    close(p @ lower @ upper, a, dtype)
    if shape[-2] >= shape[-1]:
        reflectors, tau = px.geqrf(x)
        q = px.linalg.householder_product(reflectors, tau)
        close(q @ reflectors.triu()[..., :k, :], a, dtype)
        other = px.from_numpy(random(*shape[:-2], shape[-2], 2, dtype=dtype))
        whole = px.linalg.qr(x, "complete").Q
        close(px.ormqr(reflectors, tau, other), (whole @ other).numpy(), dtype)
        close(px.ormqr(reflectors, tau, other, transpose=True), (whole.adjoint() @ other).numpy(), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_eigenvalues(dtype):
    a, h = random(2, 4, 4, dtype=dtype), definite(2, 4, dtype=dtype)
    values, vectors = px.linalg.eig(px.from_numpy(a))
    close(px.from_numpy(a).to(vectors.dtype) @ vectors, (vectors * values.unsqueeze(-2)).numpy(), dtype)
    close(px.linalg.vector_norm(vectors, dim=-2), np.ones((2, 4)), dtype)
    for triangle, part in (("L", np.tril), ("U", np.triu)):
        values, vectors = px.linalg.eigh(px.from_numpy(part(h)), triangle)
        assert not values.dtype.is_complex
        close((vectors * values.unsqueeze(-2)) @ vectors.adjoint(), h, dtype)
    close(px.linalg.eigvals(px.from_numpy(h)).real.sort()[0], np.linalg.eigvalsh(h), dtype, 10)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("hermitian", [True, False])
def test_ldl(dtype, hermitian):
    x = random(3, 4, 4, dtype=dtype)
    a = x + (np.conj(np.swapaxes(x, -1, -2)) if hermitian else np.swapaxes(x, -1, -2))
    b = random(3, 4, 2, dtype=dtype)
    ld, pivots = px.linalg.ldl_factor(px.from_numpy(np.tril(a)), hermitian=hermitian)
    right = px.from_numpy(b).requires_grad_()
    solution = px.linalg.ldl_solve(ld, pivots, right, hermitian=hermitian)
    close(solution, np.linalg.solve(a, b), dtype, 10)
    weights = px.from_numpy(random(3, 4, 2, dtype=dtype))
    solution.backward(weights)
    close(right.grad, np.linalg.solve(np.conj(np.swapaxes(a, -1, -2)), weights.numpy()), dtype, 10)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("adjoint", [True, False])
@pytest.mark.parametrize("left", [True, False])
def test_lu_solve(dtype, adjoint, left):
    a, b = random(2, 3, 3, dtype=dtype), random(4, 1, 3, 3, dtype=dtype)
    lu, pivots = px.linalg.lu_factor(px.from_numpy(a))
    x = px.linalg.lu_solve(lu, pivots, px.from_numpy(b), left=left, adjoint=adjoint).numpy()
    system = np.conj(np.swapaxes(a, -1, -2)) if adjoint else a
    close(system @ x if left else x @ system, np.broadcast_to(b, (4, 2, 3, 3)), dtype, 10)


@pytest.mark.parametrize("driver", [None, "gels", "gelsy", "gelsd", "gelss"])
def test_lstsq(driver):
    for shape in ((5, 3), (3, 5), (2, 4, 2)):
        a, b = random(*shape), random(*shape[:-1], 2)
        found = px.linalg.lstsq(px.from_numpy(a), px.from_numpy(b), driver=driver)
        expected = np.linalg.pinv(a) @ b
        close(found.solution, expected)
        assert (found.rank.numel() == 0) == (driver == "gels")
        if driver in ("gels", "gelsd") and shape[-2] > shape[-1]:
            close(found.residuals, (np.abs(a @ expected - b) ** 2).sum(-2))
    close(px.linalg.lstsq(px.from_numpy(a), px.from_numpy(b[..., 0])).solution, expected[..., 0])
    singular = np.ones((3, 3))
    found = px.linalg.lstsq(px.from_numpy(singular), px.ones(3, dtype=px.float64), driver="gelsd")
    close(found.solution, np.full(3, 1 / 3))
    assert found.rank.item() == 1
    with pytest.raises(px.errors.ValueError, match="driver"):
        px.linalg.lstsq(px.eye(2), px.ones(2), driver="qr")


def test_singular_matrices_are_named():
    a = px.eye(3).repeat(2, 2, 1, 1)
    a[1, 0, 2, 2] = 0
    for function in (
        px.linalg.inv,
        px.linalg.lu_factor,
        px.linalg.cholesky,
        lambda x: px.linalg.solve(x, px.ones(3)),
    ):
        with pytest.raises(px.errors.LinAlgError, match=r"matrix \[1, 0\] of the batch is") as error:
            function(a)
        assert error.value.code == "E0107"
    with pytest.raises(px.linalg.LinAlgError, match="inv: the matrix is singular: its pivot 3 is 0"):
        px.linalg.inv(a[1, 0])
    with pytest.raises(RuntimeError):
        px.jit(px.linalg.inv)(a)
    for result in (
        px.linalg.inv_ex(a),
        px.linalg.solve_ex(a, px.ones(2, 2, 3, 1)),
        px.linalg.lu_factor_ex(a),
    ):
        assert result.info.tolist() == [[0, 0], [3, 0]]
    assert px.linalg.cholesky_ex(-a).info.tolist() == [[1, 1], [1, 1]]
    with pytest.raises(px.errors.LinAlgError):
        px.linalg.inv_ex(a, check_errors=True)
    assert px.linalg.det(a).tolist() == [[1, 1], [0, 1]]
    sign, logarithm = px.linalg.slogdet(a)
    assert sign[1, 0].item() == 0 and logarithm[1, 0].item() == -np.inf
    assert px.logdet(a)[1, 0].item() == -np.inf and px.isnan(px.logdet(-px.eye(3)))
    assert px.linalg.cond(a)[1, 0].item() == np.inf and px.linalg.cond(a, 1)[1, 0].item() == np.inf


def test_nan_and_infinity():
    nan = px.tensor([[1.0, float("nan")], [0.0, 1.0]])
    for function in (px.linalg.svd, px.linalg.svdvals, px.linalg.eig, px.linalg.eigvals, px.linalg.pinv):
        with pytest.raises(px.errors.LinAlgError, match="NaN or infinities"):
            function(nan)
    with pytest.raises(px.errors.LinAlgError, match="NaN or infinities"):
        px.linalg.eigh(nan.T)
    with pytest.raises(px.errors.LinAlgError):
        px.linalg.cholesky(nan * nan.T)
    assert px.isnan(px.linalg.det(nan * px.nan)) and px.isnan(px.linalg.matrix_exp(nan)).all()
    assert px.isnan(px.linalg.qr(nan).R).any()


def test_errors():
    square = px.eye(3)
    with pytest.raises(px.ShapeError, match="solve: the right side does not fit"):
        px.linalg.solve(square, px.ones(2, 1))
    with pytest.raises(px.ShapeError, match="det: needs square matrices, not 2 by 3"):
        px.linalg.det(px.ones(2, 3))
    with pytest.raises(px.ShapeError, match="inv: A needs at least 2 dimensions"):
        px.linalg.inv(px.ones(3))
    with pytest.raises(px.DTypeError, match="cholesky: takes floats"):
        px.linalg.cholesky(px.eye(2, dtype=px.int64))
    with pytest.raises(px.errors.ValueError, match="UPLO"):
        px.linalg.eigh(square, "X")
    with pytest.raises(px.errors.ValueError, match="mode"):
        px.linalg.qr(square, "full")
    with pytest.raises(px.errors.ValueError, match="order"):
        px.linalg.matrix_norm(square, 3)
    with pytest.raises(px.errors.IndexError, match="pivot"):
        px.linalg.lu_solve(square, px.tensor([1, 2, 9], dtype=px.int32), px.ones(3, 1))
    with pytest.raises(px.DTypeError, match="int32"):
        px.lu_unpack(square, px.tensor([1, 2, 3]))
    with pytest.raises(px.errors.LinAlgError, match="sqrtm: the matrix has no real square root"):
        px.linalg.sqrtm(-square)
    with pytest.raises(px.errors.LinAlgError, match="logm: the matrix has no logarithm"):
        px.linalg.logm(px.zeros(2, 2))
    with pytest.raises(px.NotSupportedError, match="complete Q"):
        x = px.ones(3, 2).requires_grad_()
        px.linalg.qr(x, "complete").Q.sum().backward()


@pytest.mark.parametrize("dtype", DTYPES)
def test_matrix_functions(dtype):
    a, h = random(3, 4, 4, dtype=dtype), definite(4, dtype=dtype)
    close(px.linalg.matrix_exp(px.from_numpy(a * 3)), scipy.linalg.expm(a * 3), dtype)
    close(px.linalg.logm(px.from_numpy(h)), scipy.linalg.logm(h).astype(dtype), dtype)
    root = px.linalg.sqrtm(px.from_numpy(h))
    close(root @ root, h, dtype)
    close(px.linalg.matrix_power(px.from_numpy(h), -2), np.linalg.matrix_power(h, -2), dtype)
    complex_root = px.linalg.sqrtm(px.from_numpy(a[0].astype("complex128")))
    close(complex_root @ complex_root, a[0].astype("complex128"), dtype)
    jordan = np.array([[2.0, 1], [0, 2]]).astype(dtype)
    close(
        px.linalg.logm(px.from_numpy(jordan)),
        np.array([[np.log(2), 0.5], [0, np.log(2)]]).astype(dtype),
        dtype,
    )


def gradients_agree(function, *arrays, tolerance=1e-6):
    """First and second derivatives along random directions against central differences, real and imaginary parts."""
    inputs = [px.from_numpy(a).requires_grad_() for a in arrays]
    directions = [px.from_numpy(random(*a.shape, dtype=a.dtype.name)) for a in arrays]

    def scalar(*values):
        result = function(*values)
        parts = px.view_as_real(result) if result.dtype.is_complex else result
        return (parts * px.cos(px.arange(parts.numel(), dtype=px.float64).reshape(parts.shape) + 1)).sum()

    def slope(values):
        values = [v.detach().requires_grad_() for v in values]
        grads = px.autograd.grad(scalar(*values), values, create_graph=True)
        return sum((g * d.conj()).real.sum() for g, d in zip(grads, directions)), values

    step = 1e-6
    first, values = slope(inputs)
    moved = [
        scalar(*[(x + sign * step * d).detach() for x, d in zip(inputs, directions)]).item()
        for sign in (1, -1)
    ]
    numeric = (moved[0] - moved[1]) / (2 * step)
    assert abs(first.item() - numeric) <= tolerance * max(1, abs(numeric)), "first derivative"
    second = px.autograd.grad(first, values, allow_unused=True)
    slopes = [slope([x + sign * step * d for x, d in zip(inputs, directions)])[0].item() for sign in (1, -1)]
    numeric = (slopes[0] - slopes[1]) / (2 * step)
    found = sum((g * d.conj()).real.sum().item() for g, d in zip(second, directions) if g is not None)
    assert abs(found - numeric) <= 100 * tolerance * max(1, abs(numeric)), "second derivative"


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_gradients(dtype):
    a, b = random(2, 3, 3, dtype=dtype), random(2, 3, 2, dtype=dtype)
    tall, wide = random(4, 2, dtype=dtype), random(2, 4, dtype=dtype)

    def hermitian(x):
        return x @ x.adjoint() + px.eye(3)

    gradients_agree(px.linalg.solve, a, b)
    gradients_agree(lambda x, y: px.linalg.solve(x, y, left=False), a, np.swapaxes(b, -1, -2).copy())
    gradients_agree(lambda x, y: px.linalg.solve_triangular(x, y, upper=True), a, b)
    gradients_agree(lambda x, y: px.linalg.solve_triangular(x, y, upper=False, unitriangular=True), a, b)
    gradients_agree(px.linalg.inv, a)
    gradients_agree(px.linalg.det, a)
    gradients_agree(lambda x: px.linalg.slogdet(x)[1], a)
    gradients_agree(lambda x: px.linalg.slogdet(x)[0] * 1, a) if dtype == "complex128" else None
    gradients_agree(lambda x: px.linalg.cholesky(hermitian(x)), a)
    gradients_agree(lambda x: px.linalg.cholesky(hermitian(x), upper=True), a)
    for matrix in (a, tall, wide):
        gradients_agree(lambda x: px.linalg.lu_factor(x)[0], matrix)
        gradients_agree(lambda x: px.linalg.lu(x)[1], matrix)
        gradients_agree(lambda x: px.linalg.qr(x)[0], matrix)
        gradients_agree(lambda x: px.linalg.qr(x)[1], matrix)
        gradients_agree(lambda x: px.linalg.pinv(x), matrix)
        gradients_agree(px.linalg.svdvals, matrix)
        # What phases of vectors do not change.
        gradients_agree(lambda x: px.linalg.svd(x, False)[0].abs(), matrix)
        gradients_agree(lambda x: px.linalg.svd(x, False)[2].abs(), matrix)
        gradients_agree(
            lambda x: (lambda u, s, v: (u * s.exp().unsqueeze(-2)) @ v)(*px.linalg.svd(x, False)), matrix
        )
    gradients_agree(lambda x: px.linalg.eigh(hermitian(x))[0], a)
    gradients_agree(lambda x: px.linalg.eigh(hermitian(x))[1].abs(), a)
    gradients_agree(lambda x: px.linalg.eig(x)[0].abs(), a)
    gradients_agree(lambda x: px.linalg.eig(x)[1].abs(), a)
    gradients_agree(px.linalg.eigvals, a)
    gradients_agree(px.linalg.matrix_exp, a)
    gradients_agree(lambda x: px.linalg.sqrtm(hermitian(x)), a)
    gradients_agree(lambda x: px.linalg.logm(hermitian(x)), a)
    gradients_agree(
        px.linalg.tridiagonal_solve, random(2, 3, 4, dtype=dtype) + 3, random(2, 4, 2, dtype=dtype)
    )
    gradients_agree(px.linalg.householder_product, tall, random(2, dtype=dtype) / 4)
    gradients_agree(px.ormqr, tall, random(2, dtype=dtype) / 4, random(4, 3, dtype=dtype))
    gradients_agree(lambda x, y: px.linalg.lstsq(x, y)[0], tall, random(4, 2, dtype=dtype))
    gradients_agree(lambda x, y: px.linalg.lstsq(x, y, driver="gels")[0], wide, random(2, 3, dtype=dtype))


def test_gradient_of_det_of_singular_matrices():
    for array in (
        [[1.0, 2], [2, 4]],
        [[0.0, 0], [0, 0]],
        [[0.0, 0], [0, 3]],
        [[1.0, 2, 3], [4, 5, 6], [7, 8, 9]],
    ):
        x = px.tensor(array, dtype=px.float64).requires_grad_()
        px.linalg.det(x).backward()
        n = len(array)
        minors = [
            [
                (-1) ** (i + j) * np.linalg.det(np.delete(np.delete(np.array(array), i, 0), j, 1))
                for j in range(n)
            ]
            for i in range(n)
        ]
        np.testing.assert_allclose(x.grad.numpy(), minors, atol=1e-9)


def test_same_for_any_batch():
    a, b = px.from_numpy(definite(64, 5, dtype="float32")), px.randn(64, 5, 3)
    for function in (
        px.linalg.inv,
        px.linalg.det,
        px.linalg.svdvals,
        px.linalg.eigvalsh,
        px.linalg.cholesky,
        px.linalg.matrix_exp,
        lambda x: px.linalg.qr(x)[0],
        lambda x: px.linalg.solve(x, b[: len(x)]),
    ):
        whole = function(a)
        assert px.equal(whole[:1], function(a[:1])) and px.equal(whole[:33], function(a[:33]))


def test_vmap_and_jit():
    a, b = px.from_numpy(definite(3, 2, 4)), px.from_numpy(random(3, 2, 4, 1))

    def program(x, y):
        return (
            px.linalg.solve(x, y).sum()
            + px.linalg.slogdet(x).logabsdet.sum()
            + px.linalg.eigvalsh(x).exp().sum()
        )

    expected = px.stack([program(x, y) for x, y in zip(a, b)])
    px.testing.assert_close(px.vmap(program)(a, b), expected)
    px.testing.assert_close(px.jit(program)(a, b), program(a, b))

    @px.jit
    def gradient(x, y):
        return px.func.grad(program)(x, y)

    x = a.clone().requires_grad_()
    program(x, b).backward()
    px.testing.assert_close(gradient(a, b), x.grad)


def test_low_rank():
    a = px.from_numpy(random(30, 4) @ random(4, 20))
    u, s, v = px.svd_lowrank(a, q=4)
    close((u * s) @ v.mT, a.numpy())
    u, s, v = px.pca_lowrank(a, q=4)
    centred = a - a.mean(0)
    close((u * s) @ v.mT, centred.numpy())
    assert px.pca_lowrank(a)[1].shape == (6,)
    with pytest.raises(px.errors.ValueError, match="q is 21"):
        px.svd_lowrank(a, q=21)


@pytest.mark.parametrize("largest", [True, False])
def test_lobpcg(largest):
    a, b = definite(20), definite(20)
    values, vectors = px.lobpcg(px.from_numpy(a), 3, largest=largest, tol=1e-9)
    expected = np.linalg.eigvalsh(a)
    close(values, expected[::-1][:3].copy() if largest else expected[:3], factor=1e4)
    close(px.from_numpy(a) @ vectors, (vectors * values).numpy(), factor=1e5)
    values, vectors = px.lobpcg(px.from_numpy(a), 2, B=px.from_numpy(b), largest=largest, tol=1e-9, niter=500)
    expected = scipy.linalg.eigvalsh(a, b)
    close(values, expected[::-1][:2].copy() if largest else expected[:2], factor=1e4)
    with pytest.raises(px.errors.ValueError, match="3 n"):
        px.lobpcg(px.eye(5), 2)


def test_norms_by_name():
    x, array = px.arange(12.0).reshape(3, 4), np.arange(12.0).reshape(3, 4)
    assert px.norm(x, "fro").item() == pytest.approx(np.linalg.norm(array))
    assert px.norm(x, "nuc").item() == pytest.approx(np.linalg.norm(array, "nuc"), rel=1e-5)
    assert px.linalg.norm(x, "nuc", dim=(0, 1)).item() == pytest.approx(
        np.linalg.norm(array, "nuc"), rel=1e-5
    )
    assert px.linalg.matrix_norm(x).item() == pytest.approx(np.linalg.norm(array))
    assert px.linalg.cond(px.eye(3), "fro").item() == pytest.approx(3)
    assert x.norm(p="fro", dim=1).shape == (3,)
    with pytest.raises(px.ShapeError, match="an order needs"):
        px.linalg.norm(px.ones(2, 2, 2), 1)


def test_distances():
    x, y = random(40, 3), random(5, 3)
    expected = np.linalg.norm(x[:, None] - y, axis=-1)
    for mode in (None, "use_mm_for_euclid_dist", "donot_use_mm_for_euclid_dist"):
        close(px.cdist(px.from_numpy(x), px.from_numpy(y), compute_mode=mode), expected, factor=100)
    assert px.cdist(px.ones(2, 0), px.ones(3, 0)).tolist() == [[0] * 3] * 2
    same = px.ones(3, 2).requires_grad_()
    (px.cdist(same, same).sum() + px.nn.functional.pdist(same).sum()).backward()
    assert same.grad.tolist() == [[0, 0]] * 3


def test_products_of_groups():
    a, b = px.randn(7, 3), px.randn(2, 3, 4)
    ends = px.tensor([2, 6], dtype=px.int32)
    px.testing.assert_close(
        px.nn.functional.grouped_mm(a, b, offs=ends), px.cat([a[:2] @ b[0], a[2:6] @ b[1], px.zeros(1, 4)])
    )
    px.testing.assert_close(
        px.nn.functional.grouped_mm(a.T, px.randn(7, 2).zero_(), offs=ends), px.zeros(2, 3, 2)
    )
    px.testing.assert_close(
        px.nn.functional.grouped_mm(b.mT, a.T, offs=ends),
        px.cat([b[0].T @ a[:2].T, b[1].T @ a[2:6].T, px.zeros(4, 1)], 1),
    )
    px.testing.assert_close(px.nn.functional.grouped_mm(b, b.mT), b @ b.mT)
    with pytest.raises(px.ShapeError, match="must ascend"):
        px.nn.functional.grouped_mm(a, b, offs=px.tensor([4, 3]))
    with pytest.raises(px.DTypeError, match="int8"):
        px.int8_mm(px.ones(2, 2), px.ones(2, 2))
