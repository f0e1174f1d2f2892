"""Gradients and values where formulas have corners: zeros in products, equal elements, tensors without dimensions."""

import math

import numpy as np
import pytest

import phlox as px


def f64(values, **options):
    return px.tensor(values, dtype=px.float64, **options)


@pytest.mark.parametrize("wrap", [lambda f: f, px.jit])
def test_index_operations_take_single_numbers(wrap):
    x, at = px.tensor(2.5), px.tensor([0])
    assert wrap(lambda: px.index_copy(x, 0, at, px.tensor(1.5)))().item() == 1.5
    assert wrap(lambda: px.index_add(x, 0, px.tensor([0, 0]), px.tensor([1.0, 2.0])))().item() == 5.5
    assert wrap(lambda: px.index_fill(x, 0, px.tensor(0), 7.0))().item() == 7
    y = px.tensor(1.0)
    y.index_add_(0, px.tensor(0), px.tensor(2.0), alpha=3.0)
    y.index_copy_(0, at, y * 2)
    assert y.item() == 14
    assert y.index_fill_(0, at, 3.0).item() == 3
    with pytest.raises(IndexError):
        px.index_copy(x, 0, px.tensor([1]), px.tensor(1.5))


def test_sources_of_index_operations_fit():
    with pytest.raises(px.ShapeError, match=r"the source has the shape \[3\], not \[2,4\]"):
        px.index_add(px.zeros(3, 4), 0, px.tensor([0, 1]), px.ones(3))
    with pytest.raises(px.ShapeError, match="the value is one number, not 2"):
        px.index_fill(px.zeros(3), 0, px.tensor([0, 1]), px.ones(2))


def test_a_filled_position_counts_once():
    fill = lambda x, value: px.index_fill(x, -1, px.tensor([4, 3, 3, 4, 0]), value)  # noqa: E731
    value = f64(1.0, requires_grad=True)
    fill(px.zeros(5, 5, dtype=px.float64), value).sum().backward()
    assert value.grad.item() == 15
    zeros = px.zeros(5, 5, dtype=px.float64)
    tangent = px.func.jvp(fill, (zeros, f64(1.0)), (zeros, f64(1.0)))[1]
    assert tangent.sum().item() == 15


def test_logcumsumexp_is_linear_in_its_gradient():
    x, t = f64([1.0, -2.0, 3.0, 0.5]), f64([0.3, -0.2, 0.9, 0.0])
    f = lambda x: px.logcumsumexp(x, 0)  # noqa: E731
    step = 1e-6
    expected = (f(x + t * step) - f(x - t * step)) / (2 * step)
    np.testing.assert_allclose(px.func.jvp(f, (x,), (t,))[1].numpy(), expected.numpy(), rtol=1e-7)
    # Far apart, and nothing at all in the beginning.
    x = f64([-math.inf, -1000.0, 700.0, 0.0, 1000.0], requires_grad=True)
    f(x).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), [0, 1, 2, math.exp(-700), 1], rtol=1e-12)


def test_complex_logcumsumexp_of_equal_elements():
    x = px.tensor([2 + 1j, 2 + 1j, 2 + 1j], dtype=px.complex128, requires_grad=True)
    px.logcumsumexp(x, 0).real.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), [1 + 1 / 2 + 1 / 3, 1 / 2 + 1 / 3, 1 / 3], rtol=1e-12)


@pytest.mark.parametrize("zeros", [0, 1, 2, 3])
def test_second_derivatives_of_scattered_products_with_zeros(zeros):
    factors = np.array([0.0] * zeros + [2.0, 3.0, 4.0, 5.0][zeros:])
    at = px.tensor([0, 0, 0, 0])

    def product(source):
        return px.scatter_reduce(f64([7.0]), 0, at, source, "prod").sum()

    expected = np.zeros((4, 4))
    for i in range(4):
        for j in range(4):
            if i != j:
                expected[i, j] = 7 * np.prod(np.delete(factors, [i, j]))
    found = px.func.hessian(product)(f64(factors))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize("p", [0.5, 0.9, 1.0, 2.0, 3.5])
def test_norms_have_a_gradient_at_zeros(p):
    x = f64([0.0, 2.0, 0.0], requires_grad=True)
    px.norm(x, p).backward()
    assert x.grad.tolist() == pytest.approx([0, 1, 0])


def test_complex_random_numbers():
    px.manual_seed(3)
    for x in (px.randn(100_000, dtype=px.complex64), px.zeros(100_000, dtype=px.complex64).normal_(0, 1)):
        assert abs(x.mean().item()) < 0.02
        assert x.abs().square().mean().item() == pytest.approx(1, abs=0.02)
    x = px.rand(1000, dtype=px.complex128)
    for part in (x.real, x.imag):
        assert 0 <= part.min().item() < 0.1 and 0.9 < part.max().item() < 1


def test_pads_of_complex_numbers():
    x = px.tensor([1 + 2j, 3j])
    assert px.nn.functional.pad(x, (1, 2), value=1 - 1j).tolist() == [1 - 1j, 1 + 2j, 3j, 1 - 1j, 1 - 1j]


def test_strided_views_beside_a_view():
    """Elements of the base that as_strided() of one of its rows shows."""
    weight = px.arange(1.0, 5.0).reshape(2, 2)
    for row, start in ((slice(1, 2), 0), (slice(0, 1), 0), (slice(1, 3), 2)):
        x = px.arange(12.0).reshape(3, 4).clone().requires_grad_()
        x[row].as_strided((2, 2), (4, 1), start).mul(weight).sum().backward()
        expected = px.zeros(12)
        expected[px.tensor([start, start + 1, start + 4, start + 5])] = weight.flatten()
        assert px.equal(x.grad, expected.reshape(3, 4))

        x.grad = None
        y = x * 1
        y[row].as_strided((2, 2), (4, 1), start).mul_(weight)
        y.sum().backward()
        assert px.equal(x.grad, px.where(expected == 0, 1.0, expected).reshape(3, 4))


def test_assigned_values_with_leading_ones():
    x, value = px.zeros(2, 3), px.ones(1, 1, 3).requires_grad_()
    x[0] = value
    (x * px.arange(6.0).reshape(2, 3)).sum().backward()
    assert px.equal(value.grad, px.tensor([[[0.0, 1.0, 2.0]]]))


def test_what_is_overwritten_as_a_whole_has_no_gradient():
    for index in (..., slice(None), (None, slice(0, 2))):
        x = px.ones(2).requires_grad_()
        y = x * 2
        y[index] = 3.0
        assert y.requires_grad
        y.sum().backward()
        assert x.grad is None


def test_views_that_are_behind_their_base_in_each_place():
    """A view is brought up to date wherever it stands among the operands."""
    for function in (
        lambda x, view: x + view,
        lambda x, view: view + x,
        lambda x, view: px.where(x > 0, x, view),
        lambda x, view: px.addcmul(x, x, view),
        lambda x, view: px.maximum(x * 0, view),
        lambda x, view: x @ view.expand(3),
    ):
        gradients = []
        for fresh in (True, False):
            start = px.tensor([1.0, 2.0, 3.0], requires_grad=True)
            x = start * 1
            view = x[:1]
            x.mul_(2)
            function(x, x[:1] if fresh else view).sum().backward()
            gradients.append(start.grad)
        assert px.equal(*gradients)


def test_strided_views_inside_of_transformations():
    def cubes(x):
        return (px.as_strided(x[1:], (2,), (1,), 0) ** 3).sum()

    x = px.arange(3.0)
    for argument in (x, x.clone().requires_grad_(), x.clone().requires_grad_() * 1):
        assert px.func.grad(cubes)(argument).tolist() == [0, 3, 0]
    assert px.func.hessian(cubes)(x)[1].tolist() == [0, 6, 0]


def test_writes_beside_the_base_are_refused():
    weight, memory = px.ones(2).requires_grad_(), px.zeros(8)
    part = memory[4:6].detach()
    part.mul_(weight)
    beside = px.as_strided(part, (1,), (1,), 0)
    with pytest.raises(px.errors.GradientError, match="what a write through this view changes"):
        beside.mul_(2.0)
