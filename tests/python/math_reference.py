"""The math functions to many digits, by mpmath (on MPFR and GMP where gmpy2 is installed), and how far results are off.

`MATH` says for each function of one or two arguments: its exact value, where to look at it besides all exponents, the
largest error allowed in units in the last place (ULP), and, for functions with zeros that no method resolves, the size
that errors near them are measured by. Nothing here uses Phlox.
"""

import dataclasses
from collections.abc import Callable

import mpmath as mp
import numpy as np

PI = mp.pi
Number = mp.mpf


def _nan_outside(inside, function):
    return lambda x: function(x) if inside(x) else mp.nan


def _hankel(order, x, second):
    """J (or Y) far out, by the first terms of Hankel's expansion."""
    with mp.workprec(1300):
        chi, m = x - (2 * order + 1) * PI / 4, 4 * order * order
        y = 1 / (8 * x)
        p = 1 - (m - 1) * (m - 9) * y**2 / 2 + (m - 1) * (m - 9) * (m - 25) * (m - 49) * y**4 / 24
        q = (m - 1) * y - (m - 1) * (m - 9) * (m - 25) * y**3 / 6
        c, s = mp.cos(chi), mp.sin(chi)
        return mp.sqrt(2 / (PI * x)) * (p * s + q * c if second else p * c - q * s)


def bessel_j(order):
    def function(x):
        a = abs(x)
        value = mp.besselj(order, a) if a < 1e6 else _hankel(order, a, False)
        return -value if order and x < 0 else value

    return function


def bessel_y(order):
    return lambda x: mp.nan if x < 0 else mp.bessely(order, x) if x < 1e6 else _hankel(order, x, True)


def bessel_i(order, scaled):
    def function(x):
        a = abs(x)
        if a > 1e4:
            scaled_value = (1 - (4 * order**2 - 1) / (8 * a) + (4 * order**2 - 1) * (4 * order**2 - 9) / (128 * a**2)
                            - (4 * order**2 - 1) * (4 * order**2 - 9) * (4 * order**2 - 25) / (3072 * a**3)
                            ) / mp.sqrt(2 * PI * a)  # fmt: skip
            value = scaled_value if scaled else mp.inf
        else:
            value = mp.besseli(order, a) * (mp.exp(-a) if scaled else 1)
        return -value if order and x < 0 else value

    return function


def bessel_k(order, scaled):
    def function(x):
        if x < 0:
            return mp.nan
        if x > 1e4:
            m = 4 * order**2
            y = 1 / (8 * x)
            series = 1 + (m - 1) * y + (m - 1) * (m - 9) * y**2 / 2 + (m - 1) * (m - 9) * (m - 25) * y**3 / 6
            return mp.sqrt(PI / (2 * x)) * series if scaled else mp.mpf(0)
        return mp.besselk(order, x) * (mp.exp(x) if scaled else 1)

    return function


def erfc(x):
    return mp.mpf(0) if x > 40 else mp.mpf(2) if x < -20 else mp.erfc(x)


def erfcx(x):
    if x < -30:
        return mp.inf
    if x > 1e8:
        return (1 - 1 / (2 * x * x)) / (mp.sqrt(PI) * x)
    return mp.exp(x * x) * mp.erfc(x)


def log_ndtr(x):
    if x > 40:
        return mp.mpf(0)
    if x > 0:
        return mp.log1p(-erfc(x / mp.sqrt(2)) / 2)
    if x > -1e4:
        return mp.log(mp.erfc(-x / mp.sqrt(2)) / 2)
    return -x * x / 2 - mp.log(-x) - mp.log(2 * PI) / 2 - 1 / (x * x)


def normal_quantile_of_tail(q):
    """y >= 0 with Q(y) = q <= 1/2, by Newton's iteration on the logarithm."""
    if q == mp.mpf(1) / 2:
        return mp.mpf(0)
    y = mp.sqrt(-2 * mp.log(q)) if q < 0.1 else (mp.mpf(1) / 2 - q) * 2.5066
    for _ in range(200):
        e = mp.erfc(y / mp.sqrt(2)) / 2
        step = (mp.log(e) - mp.log(q)) * e * mp.sqrt(2 * PI) * mp.exp(y * y / 2)
        y += step
        if abs(step) < abs(y) * mp.mpf(2) ** -100:
            break
    return y


def ndtri(p):
    if not 0 <= p <= 1:
        return mp.nan
    if p in (0, 1):
        return mp.inf if p else -mp.inf
    return -normal_quantile_of_tail(p) if p < 0.5 else normal_quantile_of_tail(1 - p)


def erfinv(x):
    a = abs(x)
    if not a <= 1:
        return mp.nan
    if a == 1:
        return mp.sign(x) * mp.inf
    if a < mp.mpf(2) ** -40:
        return x * mp.sqrt(PI) / 2 * (1 + PI * x * x / 12)
    return mp.sign(x) * normal_quantile_of_tail((1 - a) / 2) / mp.sqrt(2)


def lgamma(x):
    if x < 0:
        if x == mp.floor(x):
            return mp.inf
        return mp.log(PI) - mp.log(abs(x * mp.sinpi(x))) - mp.loggamma(-x)
    return mp.loggamma(x)


def digamma(x):
    if x < 0:
        return mp.nan if x == mp.floor(x) else mp.psi(0, 1 - x) - PI * mp.cospi(x) / mp.sinpi(x)
    return mp.psi(0, x)


def hurwitz_zeta(s, q):
    """Euler and Maclaurin's sum, as that of mpmath loses digits far out."""
    count = max(0, int(100 + 4 * s - q))
    end = q + count
    total = mp.fsum((q + k) ** -s for k in range(count)) + end ** (1 - s) / (s - 1) + end**-s / 2
    factor = s * end ** (-s - 1)
    for k in range(1, 30):
        total += mp.bernoulli(2 * k) / mp.factorial(2 * k) * factor
        factor *= (s + 2 * k - 1) * (s + 2 * k) / end**2
    return total


def airy(x):
    return mp.mpf(0) if x > 200 else mp.airyai(x)


def amplitude(x):
    """A quarter of the amplitude of J and Y."""
    return mp.sqrt(2 / (PI * abs(x))) / 4 if abs(x) > 0.5 else 0


@dataclasses.dataclass
class MathFunction:
    exact: Callable
    ranges: list = dataclasses.field(default_factory=list)
    limit: float = 2
    near_zeros: Callable | None = None
    last_exponent: int = 1024  # the values beyond are tests of special values
    first_exponent: int = -1074
    arguments: int = 1


def _odd(function):
    return lambda x: function(x) if x >= 0 else -function(-x)


MATH = {
    "sqrt": MathFunction(_nan_outside(lambda x: x >= 0, mp.sqrt), limit=0.5001),
    "rsqrt": MathFunction(_nan_outside(lambda x: x >= 0, lambda x: 1 / mp.sqrt(x))),
    "cbrt": MathFunction(_odd(mp.cbrt)),
    "exp": MathFunction(mp.exp, [(-1, 1), (-746, 710)]),
    "exp2": MathFunction(lambda x: mp.power(2, x), [(-1, 1), (-1075, 1024)]),
    "expm1": MathFunction(mp.expm1, [(-1, 1), (-40, 710)]),
    "log": MathFunction(_nan_outside(lambda x: x >= 0, mp.log), [(0.5, 2)]),
    "log2": MathFunction(_nan_outside(lambda x: x >= 0, lambda x: mp.log(x) / mp.log(2)), [(0.5, 2)]),
    "log10": MathFunction(_nan_outside(lambda x: x >= 0, lambda x: mp.log(x) / mp.log(10)), [(0.5, 2)]),
    "log1p": MathFunction(_nan_outside(lambda x: x >= -1, mp.log1p), [(-1, 3)]),
    "sin": MathFunction(mp.sin, [(-4, 4), (-1e4, 1e4)]),
    "cos": MathFunction(mp.cos, [(-4, 4), (-1e4, 1e4)]),
    "tan": MathFunction(mp.tan, [(-4, 4), (-1e4, 1e4)]),
    "asin": MathFunction(_nan_outside(lambda x: abs(x) <= 1, mp.asin), [(-1, 1), (0.99, 1)]),
    "acos": MathFunction(_nan_outside(lambda x: abs(x) <= 1, mp.acos), [(-1, 1), (0.99, 1)]),
    "atan": MathFunction(mp.atan, [(-4, 4)]),
    "sinh": MathFunction(mp.sinh, [(-2, 2), (-711, 711)]),
    "cosh": MathFunction(mp.cosh, [(-2, 2), (-711, 711)]),
    "tanh": MathFunction(mp.tanh, [(-1, 1), (-20, 20)], last_exponent=30),
    "asinh": MathFunction(_odd(lambda x: mp.log1p(x + x * x / (1 + mp.sqrt(1 + x * x)))), [(-4, 4)]),
    "acosh": MathFunction(_nan_outside(lambda x: x >= 1, mp.acosh), [(1, 1.1), (1, 10)]),
    "atanh": MathFunction(
        _nan_outside(lambda x: abs(x) <= 1, lambda x: mp.log1p(2 * x / (1 - x)) / 2), [(-1, 1)]
    ),
    "sigmoid": MathFunction(lambda x: 1 / (1 + mp.exp(-x)), [(-3, 3), (-746, 40)], last_exponent=12),
    "logit": MathFunction(
        _nan_outside(
            lambda x: 0 <= x <= 1,
            lambda x: mp.log(x) - mp.log1p(-x) if abs(x - 0.5) > 0.25 else mp.log1p((2 * x - 1) / (1 - x)),
        ),
        [(0, 1), (0.49, 0.51)],
    ),  # fmt: skip
    "sinc": MathFunction(lambda x: mp.sinpi(x) / (PI * x), [(-3, 3), (-100, 100)], 4),
    "erf": MathFunction(lambda x: mp.erf(x) if abs(x) < 20 else mp.sign(x), [(-1, 1), (-6, 6)]),
    "erfc": MathFunction(erfc, [(-1, 1), (0, 27)]),
    "erfcx": MathFunction(erfcx, [(-26, 0), (0, 10)]),
    "erfinv": MathFunction(erfinv, [(-1, 1), (0.999, 1)]),
    "ndtr": MathFunction(lambda x: erfc(-x / mp.sqrt(2)) / 2, [(-3, 3), (-38, 0)]),
    "ndtri": MathFunction(ndtri, [(0, 1), (0.49, 0.51), (0.999, 1)], 4),
    "log_ndtr": MathFunction(log_ndtr, [(-3, 3), (-50, 0), (0, 38)]),
    "lgamma": MathFunction(
        lgamma,
        [(0, 3), (0.9, 2.1), (3, 200), (-10, 0)],
        8,
        lambda x: 1 + abs(mp.loggamma(-x)) if x < 0 else 0,
        last_exponent=1013,
    ),  # fmt: skip
    "digamma": MathFunction(
        digamma, [(0, 3), (3, 200), (-10, 0)], 8, lambda x: 1 + abs(mp.psi(0, 1 - x)) if x < 0 else 0.01
    ),  # fmt: skip
    "bessel_j0": MathFunction(bessel_j(0), [(-6, 6), (5, 60), (60, 1e4)], 8, amplitude),
    "bessel_j1": MathFunction(bessel_j(1), [(-6, 6), (5, 60), (60, 1e4)], 8, amplitude),
    "bessel_y0": MathFunction(bessel_y(0), [(0, 6), (5, 60), (60, 1e4)], 8, amplitude),
    "bessel_y1": MathFunction(bessel_y(1), [(0, 6), (5, 60), (60, 1e4)], 8, amplitude),
    "i0": MathFunction(bessel_i(0, False), [(-9, 9), (8, 714)], 8),
    "i0e": MathFunction(bessel_i(0, True), [(-9, 9), (8, 714)], 8),
    "i1": MathFunction(bessel_i(1, False), [(-9, 9), (8, 714)], 8),
    "i1e": MathFunction(bessel_i(1, True), [(-9, 9), (8, 714)], 8),
    "k0": MathFunction(bessel_k(0, False), [(0, 2), (1, 750)], 8),
    "k0e": MathFunction(bessel_k(0, True), [(0, 2), (1, 750)], 8),
    "k1": MathFunction(bessel_k(1, False), [(0, 2), (1, 750)], 8),
    "k1e": MathFunction(bessel_k(1, True), [(0, 2), (1, 750)], 8),
    "spherical_bessel_j0": MathFunction(lambda x: mp.sin(x) / x, [(-1, 1), (-50, 50)]),
    "airy_ai": MathFunction(
        airy,
        [(-4, 4), (2, 108), (-40, -3)],
        8,
        lambda x: mp.power(-x, -0.25) / 8 if x < -2 else 0,
        last_exponent=33,
    ),  # fmt: skip
    "pow": MathFunction(mp.power, [(0, 4), (0.9, 1.1)], 4, arguments=2),
    "atan2": MathFunction(mp.atan2, [(-4, 4)], arguments=2),
    "hypot": MathFunction(mp.hypot, [(-4, 4)], arguments=2),
    "zeta": MathFunction(hurwitz_zeta, [(1.01, 30)], 8, first_exponent=0, last_exponent=5, arguments=2),
}


def unit_in_last_place(value, digits=53, smallest=-1074):
    exponent = mp.frexp(value)[1] if value else -(10**6)
    return mp.ldexp(mp.mpf(1), max(exponent - digits, smallest))


def error_in_ulp(got, exact, near_zeros=0):
    """Infinite where only one is NaN or infinite; infinity stands for the first power of two out of range."""
    got = float(got)
    if isinstance(exact, mp.mpc) or mp.isnan(exact) or np.isnan(got):
        return 0.0 if np.isnan(got) and (isinstance(exact, mp.mpc) or mp.isnan(exact)) else np.inf
    limit = mp.ldexp(mp.mpf(1), 1024)
    if abs(exact) >= limit:
        exact = mp.sign(exact) * limit
    value = mp.mpf(got) if np.isfinite(got) else mp.sign(got) * limit
    if value == exact:
        return 0.0
    return float(
        abs(value - exact) / unit_in_last_place(min(max(abs(exact), near_zeros), limit * (1 - mp.eps)))
    )


def arguments_of(function, count, seed=7):
    """Values of all exponents and both signs, and some of each range: `count` of either kind."""
    random = np.random.default_rng(seed)

    def draw():
        exponents = np.linspace(function.first_exponent, function.last_exponent - 1, count).astype(int)
        parts = [np.ldexp(random.uniform(1, 2, count), exponents)]
        if function.first_exponent < 0:
            parts.append(-np.ldexp(random.uniform(1, 2, count), exponents))
        for low, high in function.ranges:
            parts.append(random.uniform(low, high, count))
        return np.concatenate(parts)

    values = [draw() for _ in range(function.arguments)]
    if function.arguments == 2:  # every exponent meets others
        random.shuffle(values[1])
        values[0], values[1] = np.concatenate([values[0], draw()]), np.concatenate([values[1], draw()])
        kept = (abs(values[1]) < 1e3) | (random.uniform(0, 1, values[1].size) < 0.3)
        return [v[kept] for v in values]
    return values


def worst_error(name, compute, count):
    """(error, arguments, result, exact value) where `compute` is furthest off."""
    function = MATH[name]
    arguments = arguments_of(function, count)
    results = compute(*arguments)
    worst = (-1.0, None, None, None)
    with mp.workprec(200):
        for *values, got in zip(*arguments, results):
            values = [mp.mpf(float(v)) for v in values]
            exact = function.exact(*values)
            near = function.near_zeros(*values) if function.near_zeros else 0
            error = error_in_ulp(got, exact, near)
            if error > worst[0]:
                worst = (error, [float(v) for v in values], float(got), exact)
    return worst
