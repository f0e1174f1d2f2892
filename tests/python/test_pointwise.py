# shard: tensors
"""Pointwise operations where dtypes, parameters or special values are delicate."""

import numpy as np
import pytest

import phlox as px

INF, NAN = float("inf"), float("nan")


@pytest.mark.parametrize(
    ("dtype", "largest"),
    [("float16", 65504.0), ("bfloat16", 3.3895313892515355e38), ("float32", np.finfo("f").max), ("float64", np.finfo("d").max)],
)  # fmt: skip
def test_nan_to_num_knows_the_largest_number_of_each_dtype(dtype, largest):
    x = px.tensor([NAN, INF, -INF, 1.5], dtype=getattr(px, dtype))
    assert px.nan_to_num(x).to(px.float64).tolist() == [0.0, largest, -largest, 1.5]
    assert px.nan_to_num(x, nan=1.0, posinf=2.0, neginf=-2.0).tolist() == [1.0, 2.0, -2.0, 1.5]
    assert x.nan_to_num_(neginf=0.0).to(px.float64).tolist() == [0.0, largest, 0.0, 1.5]


def test_nan_to_num_of_other_kinds_of_numbers():
    assert px.nan_to_num(px.tensor([3, -1])).dtype == px.int64
    assert px.nan_to_num(px.tensor([True])).tolist() == [True]
    parts = px.nan_to_num(px.tensor([complex(NAN, INF)], dtype=px.complex128), posinf=7.0)
    assert parts.tolist() == [7j]
    x = px.tensor([NAN, INF, 2.0], requires_grad=True)
    px.nan_to_num(x).sum().backward()
    assert x.grad.tolist() == [0, 0, 1]


def test_parameters_promote_integers_unless_they_are_whole():
    i = px.tensor([1, 2])
    whole, half = px.addcmul(i, i, i, value=2), px.addcmul(i, i, i, value=0.5)
    assert (whole.dtype, whole.tolist()) == (px.int64, [3, 10])
    assert (half.dtype, half.tolist()) == (px.float32, [1.5, 4.0])
    captured = px.jit(lambda t: px.addcmul(t, t, t, value=0.5))
    assert captured(i).tolist() == [1.5, 4.0]
    with pytest.raises(px.DTypeError, match="addcmul_"):
        i.addcmul_(i, i, value=0.5)


def test_bool():
    b = px.tensor([True, False])
    assert (px.square(b).dtype, px.square(b).tolist()) == (px.int64, [1, 0])
    for operation in (px.sign, px.sgn, lambda x: px.heaviside(x, px.tensor([False, True]))):
        assert operation(b).dtype == px.bool
    assert px.sign(b).tolist() == [True, False]
    assert px.heaviside(b, px.tensor([False, True])).tolist() == [True, True]


def test_logaddexp_of_complex_numbers():
    x = px.tensor([1 + 2j, 700 + 1j, -INF], dtype=px.complex128)
    y = px.tensor([3 - 4j, 710 - 2j, -INF], dtype=px.complex128)
    got = px.logaddexp(x, y).numpy()
    expected = np.array([np.log(np.exp(1 + 2j) + np.exp(3 - 4j)), 710 - 2j + np.log1p(np.exp(-10 + 3j))])
    turns = np.round(
        (got[:2].imag - expected.imag) / (2 * np.pi)
    )  # the imaginary part is free up to whole turns
    np.testing.assert_allclose(got[:2] - 2j * np.pi * turns, expected, rtol=1e-14)
    assert got[2].real == -INF
    assert px.logaddexp(x[:1], 2.0).dtype == px.complex128
    np.testing.assert_allclose(
        px.ldexp(x[:2], px.tensor([1, -1])).numpy(), x.numpy()[:2] * [2, 0.5], rtol=1e-15
    )


def test_nextafter_passes_the_gradient_of_what_it_is_next_to():
    x, y = px.tensor([1.0, 2.0, 3.0], requires_grad=True), px.tensor([1.0, 5.0, -1.0], requires_grad=True)
    px.nextafter(x, y).sum().backward()
    assert x.grad.tolist() == [0, 1, 1]
    assert y.grad is None or y.grad.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda x: px.isclose(x, x, rtol=-1.0),
            "isclose: rtol is -1 and atol 1e-08; neither may be negative",
        ),
        (lambda x: px.isclose(x, x, atol=-1.0), "isclose: rtol is 1e-05 and atol -1"),
        (lambda x: px.nn.functional.hardtanh(x, 2, 1), "hardtanh: min_val 2 is above max_val 1"),
        (lambda x: px.nn.functional.softshrink(x, -0.5), "softshrink: lambd is -0.5"),
        (lambda x: x.masked_fill(x > 0, px.ones(1)), "masked_fill: the value has 1 dimensions"),
        (lambda x: x.masked_fill(x > 0, 1j), "the number 0[+]1j does not fit float32"),
        (lambda x: px.full_like(x, 2 - 1j), "the number 2-1j does not fit float32"),
        (lambda x: x.fill_(1j), "the number 0[+]1j does not fit float32"),
    ],
)
def test_parameters_that_make_no_sense(call, message):
    with pytest.raises(px.PhloxError, match=message):
        call(px.tensor([1.0, -1.0]))


def test_fill_carries_gradients():
    x, v = px.tensor([1.0, 2.0], requires_grad=True), px.tensor(3.0, requires_grad=True)
    px.fill(x, v).sum().backward()
    assert x.grad is None and v.grad.item() == 2  # nothing of x is left
    assert px.fill(x, 5).tolist() == [5, 5] and x.tolist() == [1, 2]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_clamp_between_numbers_is_clamp_between_tensors(dtype):
    x = px.tensor(
        [float("nan"), -float("inf"), -1, -0.0, 0.0, 0.3, 0.5, 2, float("inf")], dtype=getattr(px, dtype)
    )
    x.requires_grad_()
    low, high = (px.tensor(v, dtype=x.dtype) for v in (0.3, 0.5))
    results = [px.clamp(x, 0.3, 0.5), px.clamp(x, low, high)]
    gradients = [px.autograd.grad(r.sum(), x)[0].tolist() for r in results]
    assert repr(results[0].tolist()) == repr(results[1].tolist()) and gradients[0] == gradients[1]
    assert repr(px.clamp(x, -0.0, 0.5).tolist()[3:5]) == "[-0.0, 0.0]"
    assert px.clamp(x, 0.5, 0.3).tolist()[1:] == [pytest.approx(0.3, rel=1e-2)] * 8  # the upper bound wins
    assert all(v != v for v in px.clamp(x, float("nan"), 0.5).tolist())
