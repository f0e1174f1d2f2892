#!/usr/bin/env python3
"""Fits the polynomials of src/phlox/math and prints their coefficients, highest power first.

Each fit names a function, an interval and the degrees of numerator and denominator. The error is made
equal at its extremes (Remez exchange on the linearised problem) in 80-digit arithmetic. Needs mpmath.

  tools/fit_polynomial.py            prints every fit
  tools/fit_polynomial.py erf lgamma prints the fits whose names contain one of the words
"""

import sys

import mpmath as mp

mp.mp.dps = 80
LN2 = mp.log(2)
FITS = []


def fit(name, function, low, high, numerator, denominator=0, weight=None, variable="x"):
    """Registers a fit of `function` on [low, high]; `weight` scales the error (default: relative error)."""
    FITS.append((name, function, mp.mpf(low), mp.mpf(high), numerator, denominator, weight, variable))


def evaluate(coefficients, x):
    return mp.polyval(coefficients[::-1], x)


def solve(function, low, high, numerator, denominator, weight, rounds=12):
    count = numerator + denominator + 2
    nodes = [(low + high) / 2 - (high - low) / 2 * mp.cos(mp.pi * i / (count - 1)) for i in range(count)]
    cache = {}

    def target(x):
        if x not in cache:
            value = function(x)
            cache[x] = (value, 1 / abs(value) if weight is None else weight(x))
        return cache[x]

    grid_size = 40 * count
    grid = [(low + high) / 2 - (high - low) / 2 * mp.cos(mp.pi * i / grid_size) for i in range(grid_size + 1)]
    q_old = [mp.mpf(1)]
    best = None
    for _ in range(rounds):
        # Unknowns: p_0..p_n, q_1..q_m and the error e in p - f q = sign e q / w. With a denominator e q is
        # not linear: q is taken from the step before.
        for _ in range(1 if denominator == 0 else 6):
            rows, right = [], []
            for i, x in enumerate(nodes):
                value, w = target(x)
                row = [x**k for k in range(numerator + 1)]
                row += [-value * x**k for k in range(1, denominator + 1)]
                row += [-((-1) ** i) * evaluate(q_old, x) / w]
                rows.append(row)
                right.append(value)
            solution = mp.lu_solve(mp.matrix(rows), mp.matrix(right))
            p = [solution[k] for k in range(numerator + 1)]
            q = [mp.mpf(1)] + [solution[numerator + k] for k in range(1, denominator + 1)]
            error = solution[numerator + denominator + 1]
            q_old = q

        def difference(x):
            value, w = target(x)
            return (evaluate(p, x) / evaluate(q, x) - value) * w

        values = [difference(x) for x in grid]
        worst = max(abs(v) for v in values)
        if best is None or worst < best[0]:
            best = (worst, p, q)
        # Exchange: one extreme in each run of equal sign.
        extremes, start = [], 0
        for i in range(1, len(grid) + 1):
            if i == len(grid) or (values[i] > 0) != (values[start] > 0):
                j = max(range(start, i), key=lambda k: abs(values[k]))
                extremes.append(j)
                start = i
        while len(extremes) > count:
            if abs(values[extremes[0]]) < abs(values[extremes[-1]]):
                extremes.pop(0)
            else:
                extremes.pop()
        if len(extremes) < count:
            break
        nodes = [grid[j] for j in extremes]
        if worst < abs(error) * mp.mpf("1.01"):
            break
    return best


def show(coefficients):
    return ", ".join(mp.nstr(c, 19, strip_zeros=False) for c in reversed(coefficients))


def main(words):
    for name, function, low, high, numerator, denominator, weight, variable in FITS:
        if words and not any(word in name for word in words):
            continue
        worst, p, q = solve(function, low, high, numerator, denominator, weight)
        print(
            f"{name}  in {variable} on [{mp.nstr(low, 6)}, {mp.nstr(high, 6)}]  error 2^{mp.nstr(mp.log(worst, 2), 4)}"
        )
        print("  numerator   ", show(p))
        if denominator:
            print("  denominator ", show(q))


def off_zero(function, limit):
    """`function`, with its limit where it cannot be evaluated."""
    return lambda x: limit if abs(x) < mp.mpf(10) ** -30 else function(x)


half_ln2 = LN2 / 2 * mp.mpf("1.001")

# e^r = 1 + r + r^2 P(r)
fit(
    "exp_f32",
    off_zero(lambda r: (mp.expm1(r) - r) / r**2, mp.mpf(1) / 2),
    -half_ln2,
    half_ln2,
    5,
    weight=lambda r: abs(r) + mp.mpf("0.01"),
    variable="r",
)
fit(
    "exp_f64",
    off_zero(lambda r: (mp.expm1(r) - r) / r**2, mp.mpf(1) / 2),
    -half_ln2,
    half_ln2,
    10,
    weight=lambda r: abs(r) + mp.mpf("0.01"),
    variable="r",
)

# erf(x) = x P(x^2); (1 + 2x) exp(x^2) erfc(x) = C + t P(t) with t = (x - 4) / (x + 4)
fit(
    "erf_f64",
    off_zero(lambda z: mp.erf(mp.sqrt(z)) / mp.sqrt(z), 2 / mp.sqrt(mp.pi)),
    0,
    1,
    13,
    variable="x^2",
)


def scaled_erfc(t):
    if t == 1:
        return 2 / mp.sqrt(mp.pi)
    x = 4 * (1 + t) / (1 - t)
    return (1 + 2 * x) * mp.exp(x * x) * mp.erfc(x)


fit("erfc_f64", scaled_erfc, -1, mp.mpf("0.75"), 24, variable="(x-4)/(x+4)")


# f32: (a + 1/2) exp(a^2) erfc(a) in t = (a - 2.5) / (a + 2.5) for a >= 0.4; the same for the normal distribution,
# Q(a) = erfc(a / sqrt(2)) / 2, as (a + 0.7071...) exp(a^2 / 2) Q(a) in t = (a - 3.5) / (a + 3.5) for a >= 0.6.
OFFSET = mp.mpf(0.707106769084930419921875)  # the nearest float to sqrt(1/2)


def scaled_erfc_f32(t):
    a = mp.mpf("2.5") * (1 + t) / (1 - t)
    return (a + mp.mpf("0.5")) * mp.exp(a * a) * mp.erfc(a)


def scaled_normal_f32(t):
    a = mp.mpf("3.5") * (1 + t) / (1 - t)
    return (a + OFFSET) * mp.exp(a * a / 2) * mp.erfc(a / mp.sqrt(2)) / 2


fit("erfc_f32", scaled_erfc_f32, "-0.731", "0.607", 9, variable="t")
fit("normal_f32", scaled_normal_f32, "-0.712", "0.61", 9, variable="t")
fit(
    "erf_f32_near",
    off_zero(lambda z: mp.erf(mp.sqrt(z)) / mp.sqrt(z), 2 / mp.sqrt(mp.pi)),
    0,
    "0.26",
    4,
    variable="x^2",
)
fit(
    "normal_f32_near",
    off_zero(lambda z: mp.erf(mp.sqrt(z / 2)) / mp.sqrt(z) / 2, 1 / mp.sqrt(2 * mp.pi)),
    0,
    "0.51",
    4,
    variable="x^2",
)

# f32 powers, in f64: log2(m) = s P(s^2), s = (m - 1) / (m + 1); 2^r = P(r)
fit(
    "log2_for_pow",
    off_zero(lambda z: 2 * mp.atanh(mp.sqrt(z)) / mp.sqrt(z) / LN2, 2 / LN2),
    0,
    "0.02945",
    5,
    variable="s^2",
)
fit("exp2_for_pow", lambda r: mp.mpf(2) ** r, "-0.5", "0.5", 7, variable="r")
# f32 tangent, in f64: tan(x) = x P(x^2) / Q(x^2)
fit(
    "tan_for_f32",
    off_zero(lambda z: mp.tan(mp.sqrt(z)) / mp.sqrt(z), mp.mpf(1)),
    0,
    "0.617",
    2,
    2,
    variable="x^2",
)


# erfinv(x) = x P(w), w = -log(1 - x^2)
def inverse_erf_ratio(w):
    if w == 0:
        return mp.sqrt(mp.pi) / 2
    c = mp.exp(-w)  # 1 - x^2
    x = mp.sqrt(1 - c)
    # erfc(y) = 1 - x, by Newton on log(erfc), from the usual asymptotic start
    tail = c / (1 + x)
    y = mp.sqrt(mp.pi) / 2 * x if w < 1 else mp.sqrt(w)
    for _ in range(200):
        e = mp.erfc(y)
        step = (mp.log(e) - mp.log(tail)) * e * mp.sqrt(mp.pi) / 2 * mp.exp(y * y)
        y += step
        if abs(step) < abs(y) * mp.mpf(10) ** -50:
            break
    return y / x


fit(
    "erfinv_f64_center",
    lambda w: inverse_erf_ratio(w + mp.mpf("3.125")),
    "-3.125",
    "3.125",
    25,
    variable="w-3.125",
)
fit(
    "erfinv_f64_middle",
    lambda s: inverse_erf_ratio((s + mp.mpf("3.25")) ** 2),
    "-0.75",
    "0.75",
    20,
    variable="sqrt(w)-3.25",
)
fit("erfinv_f64_tail", lambda s: inverse_erf_ratio((s + 5) ** 2), "-1", "1.1", 19, variable="sqrt(w)-5")

# lgamma(1 + y) = y (y - 1) (7/16 + P(y) / Q(y))
euler = mp.euler


def lgamma_ratio(y):
    if abs(y) < mp.mpf(10) ** -40:
        return euler
    if abs(y - 1) < mp.mpf(10) ** -40:
        return mp.psi(0, 2)
    return mp.loggamma(1 + y) / (y * (y - 1))


fit(
    "lgamma_f64_near",
    lambda y: lgamma_ratio(y) - mp.mpf("0.4375"),
    0,
    "1.5",
    7,
    7,
    weight=lambda y: 1,
    variable="y",
)


# For a >= 2.5: lgamma(a) = (a - 1/2) (log a - 1) + (log(2 pi) - 1) / 2 + P(z) / (a Q(z)), z = 1 / a^2
def lgamma_rest(z):
    a = 1 / mp.sqrt(z)
    return a * (mp.loggamma(a) - (a - mp.mpf(1) / 2) * (mp.log(a) - 1) - (mp.log(2 * mp.pi) - 1) / 2)


fit("lgamma_f64_far", off_zero(lgamma_rest, mp.mpf(1) / 12), 0, "0.16", 5, 5, variable="1/a^2")

# digamma(1 + y) = (y - root) P(y) / Q(y)
DIGAMMA_ROOT = mp.findroot(lambda x: mp.psi(0, x), mp.mpf("1.4616321449683623"))


def digamma_ratio(y):
    d = 1 + y - DIGAMMA_ROOT
    if abs(d) < mp.mpf(10) ** -40:
        return mp.psi(1, DIGAMMA_ROOT)
    return mp.psi(0, 1 + y) / d


fit("digamma_f64_near", digamma_ratio, 0, 1, 6, 6, variable="y")

# For a >= 2: digamma(a) = log a - 1 / 2a - z P(z) / Q(z), z = 1 / a^2; for a >= 1:
# trigamma(a) = 1 / a + z / 2 + z / a P(z) / Q(z)


def digamma_rest(z):
    a = 1 / mp.sqrt(z)
    return (mp.log(a) - 1 / (2 * a) - mp.psi(0, a)) / z


def trigamma_rest(z):
    a = 1 / mp.sqrt(z)
    return (mp.psi(1, a) - 1 / a - z / 2) * a / z


fit("digamma_f64_far", off_zero(digamma_rest, mp.mpf(1) / 12), 0, "0.25", 6, 6, variable="1/a^2")
fit("trigamma_f64", off_zero(trigamma_rest, mp.mpf(1) / 6), 0, 1, 9, 9, variable="1/a^2")
fit(
    "tanh_f64",
    off_zero(lambda z: (mp.tanh(mp.sqrt(z)) / mp.sqrt(z) - 1) / z, -mp.mpf(1) / 3),
    0,
    mp.mpf("0.391"),
    3,
    3,
    variable="x^2",
)
fit("cbrt_start", lambda m: mp.cbrt(m), "0.353", "2.829", 4, variable="m")
fit(
    "atanh_tail",
    off_zero(lambda z: ((mp.atanh(mp.sqrt(z)) / mp.sqrt(z) - 1) / z - mp.mpf(1) / 3) / z, mp.mpf(1) / 5),
    0,
    "0.02945",
    7,
    variable="s^2",
)

if __name__ == "__main__":
    main(sys.argv[1:])
