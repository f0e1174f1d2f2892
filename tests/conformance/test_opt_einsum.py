"""opt_einsum over Phlox: the equations and views of its own tests."""

import numpy as np
import opt_einsum
import opt_einsum.tests.test_backends as backend_tests
import opt_einsum.tests.test_contract as contract_tests
import pytest
from opt_einsum.testing import build_views

import phlox as px

# opt_einsum calls transpose(x, axes), as NumPy has it; it brings such a function for PyTorch itself.
opt_einsum.backends.dispatch._cached_funcs["transpose", "phlox"] = px.permute


def tensors(views):
    return [px.from_numpy(np.asarray(view)) for view in views]


def assert_close(tensor, array):
    assert isinstance(tensor, px.Tensor)
    np.testing.assert_allclose(tensor.numpy(), array, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("optimize", ["greedy", "optimal"])
@pytest.mark.parametrize("equation", dict.fromkeys(contract_tests.tests))
def test_contraction(equation, optimize):
    views = build_views(equation)
    found = opt_einsum.contract(equation, *tensors(views), optimize=optimize)
    assert_close(found, np.einsum(equation, *views, optimize=True))


@pytest.mark.parametrize("equation", backend_tests.tests)
def test_expression(equation):
    views = build_views(equation)
    expression = opt_einsum.contract_expression(equation, *(view.shape for view in views), optimize=True)
    found = expression(*tensors(views), backend="phlox")
    assert_close(found, opt_einsum.contract(equation, *views))


@pytest.mark.parametrize("constants", [{0, 1}, {0, 2}, {1, 2}])
def test_constants(constants):
    shapes = (2, 3), (3, 4), (4, 5)
    (variable,) = {0, 1, 2} - constants
    arrays = [np.random.default_rng(0).normal(size=shape) for shape in shapes]
    operands = [px.from_numpy(a) if i in constants else a.shape for i, a in enumerate(arrays)]
    expression = opt_einsum.contract_expression("ij,jk,kl->li", *operands, constants=constants)
    found = expression(px.from_numpy(arrays[variable]), backend="phlox")
    assert_close(found, np.einsum("ij,jk,kl->li", *arrays))


@pytest.mark.parametrize("equation", backend_tests.tests)
def test_shared_intermediates(equation):
    views = tensors(build_views(equation))
    expression = opt_einsum.contract_expression(equation, *(view.shape for view in views), optimize=True)
    with opt_einsum.shared_intermediates() as cache:
        first = expression(*views)
        size = len(cache)
        again = expression(*views)
        assert len(cache) == size
    assert_close(again, first.numpy())
