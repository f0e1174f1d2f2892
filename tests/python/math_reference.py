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


def erfc(x):
    return mp.mpf(0) if x > 40 else mp.mpf(2) if x < -20 else mp.erfc(x)


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
    "erf": MathFunction(lambda x: mp.erf(x) if abs(x) < 20 else mp.sign(x), [(-1, 1), (-6, 6)]),
    "erfc": MathFunction(erfc, [(-1, 1), (0, 27)]),
    "erfinv": MathFunction(erfinv, [(-1, 1), (0.999, 1)]),
    "ndtr": MathFunction(lambda x: erfc(-x / mp.sqrt(2)) / 2, [(-3, 3), (-38, 0)]),
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
    "pow": MathFunction(mp.power, [(0, 4), (0.9, 1.1)], 4, arguments=2),
    "atan2": MathFunction(mp.atan2, [(-4, 4)], arguments=2),
    "hypot": MathFunction(mp.hypot, [(-4, 4)], arguments=2),
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
