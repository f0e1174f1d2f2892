"""Complex tensors: exchange, views of their parts, branch cuts, and gradients by the conjugate Wirtinger convention.

The generated tests in test_operations.py compare every operation that takes complex numbers with NumPy.
"""

import copy
import pickle

import numpy as np
import pytest

import phlox as px

Z = np.array([[1 + 2j, -3 + 0.5j, 2j], [0, 4 - 1j, -2]], "complex64")


def both(dtype):
    return Z.astype(dtype), px.from_numpy(Z.astype(dtype))


def test_creation_and_printing():
    x = px.tensor([1 + 2j, 3.0])
    assert x.dtype == px.complex64 and x.tolist() == [1 + 2j, 3 + 0j]
    assert px.tensor([1j], dtype=px.complex128).dtype == px.complex128
    assert px.zeros(2, dtype=px.complex64).tolist() == [0j, 0j]
    assert px.full((2,), 1 - 1j).tolist() == [1 - 1j, 1 - 1j]
    assert x[0].item() == 1 + 2j and complex(x[0]) == 1 + 2j
    assert "1.+2.j" in repr(x).replace(" ", "") or "1+2j" in repr(x).replace(" ", "")
    assert px.is_complex(x) and x.is_complex() and not px.tensor([1.0]).is_complex()


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_exchange(dtype, tmp_path):
    array, x = both(dtype)
    np.testing.assert_array_equal(x.numpy(), array)
    assert x.numpy().dtype == array.dtype
    np.testing.assert_array_equal(np.from_dlpack(x), array)
    np.testing.assert_array_equal(px.from_dlpack(array).numpy(), array)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(x)).numpy(), array)
    np.testing.assert_array_equal(copy.deepcopy(x).numpy(), array)
    px.save({"x": x}, str(tmp_path / "x.npz"))
    np.testing.assert_array_equal(np.load(tmp_path / "x.npz")["x"], array)
    np.testing.assert_array_equal(px.load(str(tmp_path / "x.npz"))["x"].numpy(), array)


def test_safetensors(tmp_path):
    px.save({"x": both("complex64")[1]}, str(tmp_path / "x.safetensors"))
    np.testing.assert_array_equal(px.load(str(tmp_path / "x.safetensors"))["x"].numpy(), Z)


def test_indexing():
    array, x = both("complex64")
    x, array = x.clone(), array.copy()
    np.testing.assert_array_equal(x[:, ::-1].numpy(), array[:, ::-1])
    np.testing.assert_array_equal(x[[1, 0], [2, 0]].numpy(), array[[1, 0], [2, 0]])
    np.testing.assert_array_equal(x[x == 0].numpy(), array[array == 0])
    x[0, 1:] = 5 - 1j
    array[0, 1:] = 5 - 1j
    x[px.tensor([True, False])] += 1j
    array[[True, False]] += 1j
    np.testing.assert_array_equal(x.numpy(), array)


def test_parts_are_views():
    x = px.tensor([[1 + 2j, 3 + 4j], [5j, 6]])
    assert x.real.tolist() == [[1, 3], [0, 6]] and x.imag.tolist() == [[2, 4], [5, 0]]
    x.real.zero_()
    x.T.imag[0] += 1
    assert x.tolist() == [[3j, 4j], [6j, 0j]]
    pairs = px.view_as_real(x)
    assert pairs.shape == (2, 2, 2) and pairs.data_ptr() == x.data_ptr()
    assert px.view_as_complex(pairs).data_ptr() == x.data_ptr()
    # Pairs that do not lie next to each other are copied.
    y = px.arange(6.0).reshape(2, 3).T
    assert px.view_as_complex(y).tolist() == [3j, 1 + 4j, 2 + 5j]
    assert px.view_as_complex(px.arange(5.0)[1:].reshape(2, 2)).tolist() == [1 + 2j, 3 + 4j]
    assert px.tensor([1.0, -2.0]).real.tolist() == [1, -2] and px.tensor([1.0]).imag.tolist() == [0]


def test_promotion():
    x = px.tensor([1 + 1j])
    assert (x + px.ones(1, dtype=px.float64)).dtype == px.complex128
    assert (x + px.ones(1, dtype=px.int64)).dtype == px.complex64
    assert (px.ones(1) * 2j).dtype == px.complex64
    assert (px.ones(1, dtype=px.float64) + 1j).dtype == px.complex128
    assert abs(x).dtype == px.float32 and px.angle(x.to(px.complex128)).dtype == px.float64
    assert (x == x).dtype == px.bool


def test_in_place():
    x = px.tensor([1 + 1j, 2.0])
    x *= 1j
    assert x.tolist() == [-1 + 1j, 2j]
    with pytest.raises(px.DTypeError, match="in place"):
        px.ones(2).mul_(1j)


def test_order_is_refused():
    x = px.tensor([1j])
    for operation in (px.lt, px.maximum, px.floor_divide, px.atan2):
        with pytest.raises(px.DTypeError, match="complex64"):
            operation(x, x)
    for operation in (px.sort, px.amax, px.relu, px.floor, px.erf):
        with pytest.raises(px.DTypeError, match="complex64"):
            operation(x)


@pytest.mark.parametrize(
    "name", ["sqrt", "log", "asin", "acos", "atan", "asinh", "acosh", "atanh", "log1p", "exp", "tanh"]
)
def test_branch_cuts_and_special_values(name):
    parts = [0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 0.5, 1e300, np.inf, -np.inf]
    z = np.array([complex(x, y) for x in parts for y in parts])
    if name == "log1p":  # NumPy squares the parts
        z = z[(abs(z.real) < 1e100) & (abs(z.imag) < 1e100)]
    with np.errstate(all="ignore"):
        expected = getattr(
            np,
            {
                "asin": "arcsin",
                "acos": "arccos",
                "atan": "arctan",
                "asinh": "arcsinh",
                "acosh": "arccosh",
                "atanh": "arctanh",
            }.get(name, name),
        )(z)
    np.testing.assert_allclose(getattr(px, name)(px.from_numpy(z)).numpy(), expected, rtol=1e-13)


def test_powers_and_quotients():
    z = np.array([1 + 2j, -3j, 0, 2, -1.5 + 0.5j])
    x = px.from_numpy(z)
    for exponent in (0, 1, 2, -3, 0.5, 1 - 2j):
        with np.errstate(all="ignore"):
            expected = z**exponent
        np.testing.assert_allclose((x**exponent).numpy(), expected, rtol=1e-13)
    np.testing.assert_allclose(
        (1 / px.tensor([1e200 + 1e200j], dtype=px.complex128)).numpy(), [5e-201 - 5e-201j]
    )


def gradient(function, *values):
    inputs = [px.tensor(v, requires_grad=True) for v in values]
    function(*inputs).backward()
    return [x.grad.tolist() for x in inputs]


def test_gradient_convention():
    """As torch.autograd: for a real result, dL/dx + i dL/dy."""
    assert gradient(lambda z: (z * z.conj()).real.sum(), [1 + 2j, -1j]) == [[2 + 4j, -2j]]
    assert gradient(lambda z: abs(z).sum(), [3 + 4j, 0j]) == [[pytest.approx(0.6 + 0.8j), 0j]]
    assert gradient(lambda z: z.real.sum(), [3 + 4j]) == [[1 + 0j]]
    assert gradient(lambda z: z.imag.sum(), [3 + 4j]) == [[1j]]
    # Analytic: the conjugate of the slope.
    assert gradient(lambda z: (z * z).real.sum(), [1 + 2j]) == [[2 - 4j]]
    # A real input of a complex product has a real gradient.
    real, _ = gradient(lambda x, z: (x * z).real.sum(), [2.0], [3 + 4j])
    assert real == [3.0]
    z = px.tensor([[1 + 1j, 2]], requires_grad=True)
    with pytest.raises(px.GradientError):
        z.sum().backward()
    z.sum().backward(px.tensor(1j))
    assert z.grad.tolist() == [[1j, 1j]]


def test_gradient_of_a_product_of_matrices():
    random = np.random.default_rng(0)
    a, b, g = (random.normal(size=s) + 1j * random.normal(size=s) for s in ((3, 4), (4, 2), (3, 2)))
    x, y = (px.from_numpy(v).requires_grad_() for v in (a, b))
    (x @ y).backward(px.from_numpy(g))
    np.testing.assert_allclose(x.grad.numpy(), g @ b.conj().T)
    np.testing.assert_allclose(y.grad.numpy(), a.conj().T @ g)


def test_descent_finds_a_root():
    """A user's view of the convention: a step against the gradient makes |z² + 1|² smaller."""
    z = px.tensor(0.5 + 0.5j, requires_grad=True)
    for _ in range(200):
        (abs(z * z + 1) ** 2).backward()
        with px.no_grad():
            z -= 0.05 * z.grad
        z.grad = None
    assert abs(z.item() - 1j) < 1e-3
