# shard: tensors
"""Special functions: names, special values, gradients where they are delicate, orthogonal polynomials."""

import numpy as np
import pytest
import scipy.special
import scipy.stats

import phlox as px

INF, NAN = np.inf, np.nan

# torch.special of PyTorch 2.13.
NAMES = """airy_ai bessel_j0 bessel_j1 bessel_y0 bessel_y1 chebyshev_polynomial_t chebyshev_polynomial_u
chebyshev_polynomial_v chebyshev_polynomial_w digamma entr erf erfc erfcx erfinv exp2 expit expm1 gammainc gammaincc
gammaln hermite_polynomial_h hermite_polynomial_he i0 i0e i1 i1e laguerre_polynomial_l legendre_polynomial_p log1p
log_ndtr log_softmax logit logsumexp modified_bessel_i0 modified_bessel_i1 modified_bessel_k0 modified_bessel_k1
multigammaln ndtr ndtri polygamma psi round scaled_modified_bessel_k0 scaled_modified_bessel_k1
shifted_chebyshev_polynomial_t shifted_chebyshev_polynomial_u shifted_chebyshev_polynomial_v
shifted_chebyshev_polynomial_w sinc softmax spherical_bessel_j0 xlog1py xlogy zeta""".split()


def values(function, *arguments):
    return function(*(px.tensor(a, dtype=px.float64) for a in arguments)).tolist()


def test_namespace():
    assert [name for name in NAMES if not hasattr(px.special, name)] == []


@pytest.mark.parametrize(
    ("name", "expected"),
    {  # at 0, -0, inf, -inf, nan, -1
        "bessel_j0": [1, 1, 0, 0, NAN, 0.7651976865579666],
        "bessel_j1": [0, -0.0, 0, -0.0, NAN, -0.44005058574493355],
        "bessel_y0": [-INF, -INF, 0, NAN, NAN, NAN],
        "bessel_y1": [-INF, -INF, 0, NAN, NAN, NAN],
        "i0": [1, 1, INF, INF, NAN, 1.2660658777520084],
        "i0e": [1, 1, 0, 0, NAN, 0.46575960759364043],
        "i1": [0, -0.0, INF, -INF, NAN, -0.5651591039924851],
        "i1e": [0, -0.0, 0, -0.0, NAN, -0.2079104153497085],
        "k0": [INF, INF, 0, NAN, NAN, NAN],
        "k0e": [INF, INF, 0, NAN, NAN, NAN],
        "k1": [INF, INF, 0, NAN, NAN, NAN],
        "k1e": [INF, INF, 0, NAN, NAN, NAN],
        "airy_ai": [0.3550280538878172, 0.3550280538878172, 0, 0, NAN, 0.5355608832923521],
        "spherical_bessel_j0": [1, 1, 0, 0, NAN, 0.8414709848078965],
        "erfcx": [1, 1, 0, INF, NAN, 5.008980080762283],
        "ndtri": [-INF, -INF, NAN, NAN, NAN, NAN],
        "log_ndtr": [-0.6931471805599453, -0.6931471805599453, -0.0, -INF, NAN, -1.8410216450092636],
        "sinc": [1, 1, 0, 0, NAN, 0],
        "logit": [-INF, -INF, NAN, NAN, NAN, NAN],
    }.items(),
    ids=lambda p: p if isinstance(p, str) else "",
)
def test_special_values(name, expected):
    got = values(getattr(px, name), [0.0, -0.0, INF, -INF, NAN, -1.0])
    np.testing.assert_allclose(got, expected, rtol=1e-15)
    zeros = [i for i, e in enumerate(expected) if e == 0]
    assert [np.signbit(got[i]) for i in zeros] == [np.signbit(expected[i]) for i in zeros]


def test_ends_of_inverses():
    assert values(px.special.ndtri, [1.0, 0.5]) == [INF, 0]
    assert values(px.special.logit, [1.0, 0.5]) == [INF, 0]
    clamped = px.special.logit(px.tensor([0.0, 0.3, 1.0], dtype=px.float64), eps=0.1)
    np.testing.assert_allclose(clamped.numpy(), scipy.special.logit([0.1, 0.3, 0.9]), rtol=1e-14)
    assert px.special.logit(px.tensor([0.25]), None).item() == pytest.approx(np.log(1 / 3))


def test_zeta_at_its_edges():
    s = [1.0, 0.5, 2.0, 2.5, 2.0, 3.0, INF, NAN, 2.0]
    q = [3.0, 2.0, -1.0, -0.5, -0.5, -1.25, 2.0, 1.0, INF]
    got = values(px.special.zeta, s, q)
    np.testing.assert_allclose(got[:4] + got[6:], [INF, NAN, INF, NAN, 0, NAN, 0])
    assert got[4] == pytest.approx(np.pi**2 / 2 + 4)  # all (k + 1/2)^-2 with k >= -1
    assert got[5] == pytest.approx(float(scipy.special.zeta(3, 0.75)) - 64 - 1 / 1.25**3)


def test_incomplete_gamma_at_its_edges():
    a = [0.0, 0.0, 2.0, 2.0, INF, INF, -1.0, 1.0, NAN]
    x = [0.0, 1.0, 0.0, INF, 1.0, INF, 1.0, -1.0, 1.0]
    lower, upper = values(px.special.gammainc, a, x), values(px.special.gammaincc, a, x)
    np.testing.assert_array_equal(lower, [NAN, 1, 0, 1, 0, NAN, NAN, NAN, NAN])
    np.testing.assert_array_equal(upper, [NAN, 0, 1, 0, 1, NAN, NAN, NAN, NAN])


def test_incomplete_gamma_has_a_gradient_in_its_second_argument_only():
    a = px.tensor([0.5, 2.0, 40.0], dtype=px.float64, requires_grad=True)
    x = px.tensor([0.7, 3.0, 30.0], dtype=px.float64, requires_grad=True)
    (slope,) = px.autograd.grad(px.igamma(a.detach(), x).sum(), [x], create_graph=True)
    (bend,) = px.autograd.grad(slope.sum(), [x])
    density = scipy.stats.gamma.pdf(x.detach().numpy(), a.detach().numpy())
    np.testing.assert_allclose(slope.detach().numpy(), density, rtol=1e-13)
    expected = density * ((a.detach().numpy() - 1) / x.detach().numpy() - 1)
    np.testing.assert_allclose(bend.numpy(), expected, rtol=1e-12)
    with pytest.raises(
        px.NotSupportedError, match="igamma: no derivative of this order with respect to argument 0"
    ):
        px.igamma(a, x.detach()).sum().backward()


@pytest.mark.parametrize("name", ["i1", "bessel_j1"])
def test_gradient_at_zero(name):
    x = px.tensor([0.0, 1e-9], dtype=px.float64, requires_grad=True)
    (slope,) = px.autograd.grad(getattr(px, name)(x).sum(), [x])
    np.testing.assert_allclose(slope.numpy(), [0.5, 0.5], rtol=1e-15)


def test_digamma_can_be_differentiated_again_and_again():
    x = px.tensor([0.3, 2.5], dtype=px.float64, requires_grad=True)
    y = px.lgamma(x)
    for n in range(5):
        (y,) = px.autograd.grad(y.sum(), [x], create_graph=True)
        np.testing.assert_allclose(y.detach().numpy(), scipy.special.polygamma(n, [0.3, 2.5]), rtol=1e-13)


def test_derivatives_of_high_order_end_in_an_error():
    x = px.tensor([0.3], dtype=px.float64, requires_grad=True)
    y = px.lgamma(x)
    with pytest.raises(px.NotSupportedError, match="lgamma: no derivative of this order"):
        for _ in range(20):
            (y,) = px.autograd.grad(y.sum(), [x], create_graph=True)


def test_polygamma():
    x = px.tensor([0.5, 3.0], dtype=px.float64)
    assert x.polygamma(2).tolist() == px.special.polygamma(2, x).tolist()
    assert x.clone().polygamma_(0).tolist() == x.digamma().tolist()
    assert px.polygamma(1, px.tensor([2, 3])).dtype == px.float32
    assert values(lambda t: px.polygamma(2, t), [0.0, -1.0, INF, -INF, NAN])[2] == 0
    with pytest.raises(ValueError, match="polygamma: n is -1"):
        px.polygamma(-1, x)


def test_mvlgamma():
    x = np.array([[2.5, 4.0], [10.0, 3.0]])
    expected = np.vectorize(lambda v: scipy.special.multigammaln(v, 3))(x)
    np.testing.assert_allclose(px.special.multigammaln(px.from_numpy(x), 3).numpy(), expected, rtol=1e-14)
    with pytest.raises(ValueError, match="mvlgamma: p is 0"):
        px.mvlgamma(px.from_numpy(x), 0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_frexp(dtype):
    tiny = np.finfo(dtype).smallest_subnormal
    x = np.array([0.0, -0.0, 1.0, -3.5, 8.0, 1e30, 3 * tiny, tiny, INF, -INF, NAN], dtype)
    mantissa, exponent = px.frexp(px.from_numpy(x))
    expected = np.frexp(x)
    assert exponent.dtype == px.int32
    np.testing.assert_array_equal(mantissa.numpy(), expected[0])
    np.testing.assert_array_equal(exponent.numpy()[:8], expected[1][:8])
    assert exponent.tolist()[8:] == [0, 0, 0]
    leaf = px.tensor([3.0, 0.0], requires_grad=True)
    px.frexp(leaf).mantissa.sum().backward()
    assert leaf.grad.tolist() == [0.25, 1.0]


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int64"])
def test_gcd_and_lcm(dtype):
    info = np.iinfo(dtype)
    a = np.array([0, 12, 18, 7, 0, info.max, 1], dtype)
    b = np.array([0, 18, -12 if info.min else 12, 3, 5, info.max, 9], dtype)
    x, y = px.from_numpy(a), px.from_numpy(b)
    assert px.gcd(x, y).dtype == x.dtype
    np.testing.assert_array_equal(px.gcd(x, y).numpy(), np.gcd(a, b))
    np.testing.assert_array_equal(px.lcm(x, y).numpy(), np.lcm(a, b))
    if info.min:  # what cannot be represented wraps, and nothing traps
        lowest = px.tensor([info.min], dtype=x.dtype)
        assert px.gcd(lowest, px.zeros_like(lowest)).tolist() == [info.min]
    with pytest.raises(px.DTypeError):
        px.gcd(px.tensor([1.0]), px.tensor([2.0]))


def chebyshev_third(x, n, sign):
    second = scipy.special.eval_chebyu
    return second(n, x) + sign * np.where(n > 0, second(np.maximum(n, 1) - 1, x), 0)


POLYNOMIALS = {
    "chebyshev_polynomial_t": lambda x, n: scipy.special.eval_chebyt(n, x),
    "chebyshev_polynomial_u": lambda x, n: scipy.special.eval_chebyu(n, x),
    "chebyshev_polynomial_v": lambda x, n: chebyshev_third(x, n, -1),
    "chebyshev_polynomial_w": lambda x, n: chebyshev_third(x, n, 1),
    "shifted_chebyshev_polynomial_t": lambda x, n: scipy.special.eval_chebyt(n, 2 * x - 1),
    "shifted_chebyshev_polynomial_u": lambda x, n: scipy.special.eval_chebyu(n, 2 * x - 1),
    "shifted_chebyshev_polynomial_v": lambda x, n: chebyshev_third(2 * x - 1, n, -1),
    "shifted_chebyshev_polynomial_w": lambda x, n: chebyshev_third(2 * x - 1, n, 1),
    "hermite_polynomial_h": lambda x, n: scipy.special.eval_hermite(n, x),
    "hermite_polynomial_he": lambda x, n: scipy.special.eval_hermitenorm(n, x),
    "laguerre_polynomial_l": lambda x, n: scipy.special.eval_laguerre(n, x),
    "legendre_polynomial_p": lambda x, n: scipy.special.eval_legendre(n, x),
}


@pytest.mark.parametrize("name", POLYNOMIALS)
def test_orthogonal_polynomials(name):
    polynomial = getattr(px.special, name)
    n = np.array([0, 1, 2, 3, 5, 8, 13, 60])[:, None]
    x = np.array([-1.5, -1.0, -0.6, 0.0, 0.25, 0.9, 1.0, 1.2])
    expected = POLYNOMIALS[name](x, n)
    got = polynomial(px.from_numpy(x), px.from_numpy(n))
    np.testing.assert_allclose(got.numpy(), expected, rtol=1e-10, atol=1e-10)
    # Numbers for either, other dtypes, negative and broken degrees.
    assert polynomial(0.5, px.tensor([3, 4])).dtype == px.float32
    np.testing.assert_allclose(polynomial(px.from_numpy(x), 5).numpy(), expected[4], rtol=1e-10, atol=1e-10)
    assert polynomial(px.tensor([0.5, 2.0]), -1).tolist() == [0, 0]
    assert polynomial(px.tensor([0.3]), 2.9).tolist() == polynomial(px.tensor([0.3]), 2).tolist()
    assert np.isnan(polynomial(px.tensor([NAN]), 2).item())
    assert not np.isfinite(polynomial(px.tensor([3.0], dtype=px.float64), 1e300).item())


@pytest.mark.parametrize("name", POLYNOMIALS)
def test_gradients_of_orthogonal_polynomials(name):
    polynomial = getattr(px.special, name)
    x = px.tensor([-1.0, -0.6, 0.0, 0.25, 1.0], dtype=px.float64, requires_grad=True)
    for n in (0, 1, 4, 7):
        fitted = np.polynomial.Polynomial.fit(
            nodes := np.cos(np.linspace(0, np.pi, 12)),
            POLYNOMIALS[name](nodes, np.full(12, n)),
            n,
            domain=[-1, 1],
        )
        (slope,) = px.autograd.grad(polynomial(x, n).sum(), [x], create_graph=True)
        expected = fitted.deriv()(x.detach().numpy())
        np.testing.assert_allclose(slope.detach().numpy(), expected, rtol=1e-8, atol=1e-6)
        (bend,) = px.autograd.grad(slope.sum(), [x], allow_unused=True)
        expected = fitted.deriv(2)(x.detach().numpy())
        np.testing.assert_allclose(bend.numpy(), expected, rtol=1e-8, atol=1e-5)
