# shard: tensors
"""Math functions in float64 against many digits, over all exponents (`tools/measure_accuracy.py` prints the table)."""

import mpmath as mp
import numpy as np
import pytest
from math_reference import MATH, error_in_ulp, hurwitz_zeta, worst_error

import phlox as px


def check(name, count):
    function = getattr(px, name)
    error, arguments, got, exact = worst_error(
        name, lambda *a: function(*[px.from_numpy(v) for v in a]).numpy(), count
    )
    assert error <= MATH[name].limit, (
        f"{name}{tuple(arguments)}: {got}, exact {mp.nstr(exact, 20)}, {error:.2f} ULP"
    )


@pytest.mark.parametrize("name", MATH)
def test_sample_of_all_exponents(name):
    check(name, 24)


@pytest.mark.slow
@pytest.mark.parametrize("name", MATH)
def test_all_exponents(name):
    check(name, 2098)


def relative(got, exact):
    return float(abs(mp.mpf(float(got)) - exact) / abs(exact))


@pytest.mark.parametrize("scale", [1.0, 12.0, 150.0, 3000.0])
def test_incomplete_gamma(scale):
    """1e-13 relative, on both sides of where the functions turn."""
    random = np.random.default_rng(3)
    a = scale * random.uniform(0.2, 2, 60)
    x = a * np.exp(random.uniform(-1, 1, 60) * min(1.0, 10 / np.sqrt(scale)))
    lower = px.igamma(px.from_numpy(a), px.from_numpy(x)).numpy()
    upper = px.igammac(px.from_numpy(a), px.from_numpy(x)).numpy()
    with mp.workdps(50):
        for s, y, p, q in zip(a, x, lower, upper):
            s, y = mp.mpf(float(s)), mp.mpf(float(y))
            assert relative(p, mp.gammainc(s, 0, y, regularized=True)) < 1e-13
            assert relative(q, mp.gammainc(s, y, mp.inf, regularized=True)) < 1e-13


@pytest.mark.parametrize("n", [1, 2, 3, 7, 20, 60])
def test_polygamma(n):
    random = np.random.default_rng(n)
    x = np.concatenate(
        [np.exp2(random.uniform(-4, 8, 30)), -random.uniform(0.05, 0.35, 10) - [0.0, 1, 2, 3, 4] * 2]
    )
    got = px.polygamma(n, px.from_numpy(x)).numpy()
    with mp.workdps(60):
        for value, result in zip(x, got):
            assert relative(result, mp.psi(n, mp.mpf(float(value)))) < 8 * 2.0**-52


@pytest.mark.parametrize("n", [120, 300])
def test_polygamma_where_its_factors_are_out_of_range(n):
    x = np.array([150.0, 200.5, 1000.0, 3000.0])
    got = px.polygamma(n, px.from_numpy(x)).numpy()
    with mp.workdps(60):
        for value, result in zip(x, got):
            exact = mp.factorial(n) * hurwitz_zeta(mp.mpf(n + 1), mp.mpf(float(value)))
            assert error_in_ulp(result, exact if n % 2 else -exact) < 8


def test_incomplete_beta():
    random = np.random.default_rng(5)
    a, b = np.exp2(random.uniform(-3, 9, 60)), np.exp2(random.uniform(-3, 9, 60))
    x = np.clip(a / (a + b) * np.exp(random.uniform(-1, 1, 60)), 0.01, 0.99)
    got = px.betainc(*(px.from_numpy(v) for v in (a, b, x))).numpy()
    with mp.workdps(50):
        for s, t, y, result in zip(a, b, x, got):
            exact = mp.betainc(mp.mpf(float(s)), mp.mpf(float(t)), 0, mp.mpf(float(y)), regularized=True)
            assert relative(result, exact) < 1e-12


def test_incomplete_gamma_far_from_its_middle():
    """Exponents far below 1 keep their digits."""
    a, x = np.array([1e6, 1e8, 50.0]), np.array([1.02e6, 1.0002e8, 400.0])
    got = px.igammac(px.from_numpy(a), px.from_numpy(x)).numpy()
    with mp.workdps(60):
        for s, y, result in zip(a[2:], x[2:], got[2:]):
            assert (
                relative(result, mp.gammainc(mp.mpf(float(s)), mp.mpf(float(y)), mp.inf, regularized=True))
                < 1e-13
            )
    # Far too many terms for mpmath: Q(a, x) by its continued fraction.
    for s, y, result in zip(a[:2], x[:2], got[:2]):
        with mp.workdps(60):
            s, y = mp.mpf(float(s)), mp.mpf(float(y))
            fraction = y + 1 - s + 2 * 20000
            for n in range(20000, 0, -1):
                fraction = (y + 1 - s + 2 * (n - 1)) - n * (n - s) / fraction
            exact = mp.exp(s * mp.log(y) - y - mp.loggamma(s)) / fraction
            assert relative(result, exact) < 1e-12
