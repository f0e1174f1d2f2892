#!/usr/bin/env python3
"""Fits the Bessel, Airy and scaled error functions of src/phlox/math, with the method of fit_polynomial.py, and expands
what the incomplete gamma functions need.

tools/fit_special_functions.py [words]     prints the coefficients, highest power first
"""

import sys
from fractions import Fraction

import mpmath as mp
from fit_polynomial import FITS, fit, inverse_erf_ratio, main, scaled_erfc

FITS.clear()
mp.mp.dps = 60
PI = mp.pi


def near_zero(function):
    """`function` of x = sqrt(z), at z = 0 taken close by."""
    return lambda z: function(mp.sqrt(z) if z > mp.mpf(10) ** -24 else mp.mpf(10) ** -12)


# ---- J and Y. Below 5, J with its zeros taken out; above, the phase and modulus form of Hankel's expansion:
# J = sqrt(2 / pi x) (P cos chi - Q sin chi), Y = sqrt(2 / pi x) (P sin chi + Q cos chi), chi = x - (2 n + 1) pi / 4
J0_ZEROS = [mp.besseljzero(0, k) ** 2 for k in (1, 2)]
J1_ZERO = mp.besseljzero(1, 1) ** 2
Y0_ZERO = mp.besselyzero(0, 2)


# x^2 is counted from the middle of the interval, which keeps the coefficients small.
MIDDLE = mp.mpf("12.5")


def j0_rest(x):
    z = x * x
    return mp.besselj(0, x) / ((z - J0_ZEROS[0]) * (z - J0_ZEROS[1]))


def j1_rest(x):
    return mp.besselj(1, x) / (x * (x * x - J1_ZERO))


def y0_rest(x):
    return mp.bessely(0, x) - 2 / PI * mp.log(x) * mp.besselj(0, x)


def y1_rest(x):
    return (mp.bessely(1, x) - 2 / PI * (mp.log(x) * mp.besselj(1, x) - 1 / x)) / x


fit("j0_near", lambda t: near_zero(j0_rest)(t + MIDDLE), -MIDDLE, MIDDLE, 11, variable="x^2-12.5")
fit("j1_near", lambda t: near_zero(j1_rest)(t + MIDDLE), -MIDDLE, MIDDLE, 12, variable="x^2-12.5")
fit("y0_near", near_zero(y0_rest), 0, "6.25", 10, weight=lambda z: 1, variable="x^2")
fit("y1_near", near_zero(y1_rest), 0, "6.25", 10, weight=lambda z: 1, variable="x^2")
fit(
    "y0_middle",
    lambda t: mp.bessely(0, t + mp.mpf("3.75")) / (t + mp.mpf("3.75") - Y0_ZERO),
    "-1.25",
    "1.25",
    21,
)
fit("y1_middle", lambda t: mp.bessely(1, t + mp.mpf("3.75")), "-1.25", "1.25", 22)


def hankel(order, imaginary, limit):
    def function(w):
        if w < mp.mpf(10) ** -20:
            return limit
        x = 5 / mp.sqrt(w)
        turned = mp.hankel1(order, x) * mp.expj(-(x - (2 * order + 1) * PI / 4)) * mp.sqrt(PI * x / 2)
        return turned.imag / mp.sqrt(w) if imaginary else turned.real

    return function


fit("j0_p", hankel(0, False, mp.mpf(1)), 0, 1, 6, 6, variable="(5/x)^2")
fit("j0_q", hankel(0, True, -mp.mpf(1) / 40), 0, 1, 6, 6, variable="(5/x)^2")
fit("j1_p", hankel(1, False, mp.mpf(1)), 0, 1, 6, 6, variable="(5/x)^2")
fit("j1_q", hankel(1, True, mp.mpf(3) / 40), 0, 1, 6, 6, variable="(5/x)^2")

# ---- I and K
fit("i0_near", near_zero(lambda s: (mp.besseli(0, 2 * s) - 1) / (s * s)), 0, 16, 15, variable="x^2/4")
fit("i1_near", near_zero(lambda s: (mp.besseli(1, 2 * s) / s - 1) / (s * s)), 0, 16, 15, variable="x^2/4")


def far(function, limit):
    """`function` of x = 1 / y, with its limit at y = 0."""
    return lambda y: limit if y < mp.mpf(10) ** -12 else function(1 / y)


ROOT = 1 / mp.sqrt(2 * PI)
CENTER = mp.mpf("0.0625")
for n in (0, 1):
    scaled_i = far(lambda x, n=n: mp.sqrt(x) * mp.exp(-x) * mp.besseli(n, x), ROOT)
    scaled_k = far(lambda x, n=n: mp.sqrt(x) * mp.exp(x) * mp.besselk(n, x), PI * ROOT)
    fit(f"i{n}_far", lambda y, f=scaled_i: f(y + CENTER), -CENTER, CENTER, 23, variable="1/x-1/16")
    fit(f"k{n}_far", scaled_k, 0, 1, 8, 8, variable="1/x")
fit("k0_near", near_zero(lambda x: mp.besselk(0, x) + mp.log(x) * mp.besseli(0, x)), 0, 1, 7, variable="x^2")
fit("k1_near", near_zero(lambda x: (mp.besselk(1, x) - 1 / x - mp.log(x) * mp.besseli(1, x)) / x), 0, 1, 7,
    variable="x^2")  # fmt: skip


# ---- Airy
def airy_far(derivative):
    def function(y):
        if y < mp.mpf(10) ** -12:
            return 1 / (2 * mp.sqrt(PI))
        zeta = 1 / y
        x = (zeta * 3 / 2) ** (mp.mpf(2) / 3)
        if derivative:
            return -mp.airyai(x, derivative=1) * mp.exp(zeta) * x ** mp.mpf("-0.25")
        return mp.airyai(x) * mp.exp(zeta) * x ** mp.mpf("0.25")

    return function


def airy_wave(derivative, second, limit):
    def function(w):
        if w < mp.mpf(10) ** -20:
            return limit
        zeta = 1 / mp.sqrt(w)
        x = (zeta * 3 / 2) ** (mp.mpf(2) / 3)
        c, s = mp.cos(zeta - PI / 4), mp.sin(zeta - PI / 4)
        a, b = mp.airyai(-x, derivative=derivative), mp.airybi(-x, derivative=derivative)
        if derivative:
            scale = mp.sqrt(PI) * x ** mp.mpf("-0.25")
            return scale * ((-c * a + s * b) * zeta if second else s * a + c * b)
        scale = mp.sqrt(PI) * x ** mp.mpf("0.25")
        return scale * ((s * a + c * b) * zeta if second else c * a - s * b)

    return function


fit("airy_far", airy_far(False), 0, "0.5304", 7, 7, variable="1/zeta")
fit("airy_prime_far", airy_far(True), 0, "0.5304", 7, 7, variable="1/zeta")
fit("airy_p", airy_wave(0, False, mp.mpf(1)), 0, "0.08334", 7, 7, variable="1/zeta^2")
fit("airy_q", airy_wave(0, True, mp.mpf(5) / 72), 0, "0.08334", 7, 7, variable="1/zeta^2")
fit("airy_prime_p", airy_wave(1, False, mp.mpf(1)), 0, "0.08334", 7, 7, variable="1/zeta^2")
fit("airy_prime_q", airy_wave(1, True, -mp.mpf(7) / 72), 0, "0.08334", 7, 7, variable="1/zeta^2")
AIRY_ZERO, AIRY_PRIME_ZERO = mp.airyaizero(1), mp.airyaizero(1, derivative=1)
for name, middle, radius in (
    ("left", "-2.25", "0.75"),
    ("middle", "-0.625", "0.875"),
    ("right", "1.125", "0.875"),
):
    for derivative in (0, 1):
        center = mp.mpf(middle)
        zero = (AIRY_ZERO, AIRY_PRIME_ZERO)[derivative] if name == ("left", "middle")[derivative] else None

        def airy(t, center=center, derivative=derivative, zero=zero):
            value = mp.airyai(t + center, derivative=derivative)
            return value / (t + center - zero) if zero is not None else value

        fit(f"airy_{name}_{derivative}", airy, "-" + radius, radius, 18, variable=f"x-({middle})")

# ---- The scaled error function on all x >= 0, and the far tail of its inverse
fit("erfcx_f64", scaled_erfc, -1, 1, 26, variable="(x-4)/(x+4)")
fit("erfinv_far_tail", lambda s: s + 6 - inverse_erf_ratio((s + 6) ** 2), 0, "21.4", 8, 8,
    weight=lambda s: 1 / (s + 6), variable="sqrt(w)-6")  # fmt: skip


def temme_coefficients(rows=13, columns=18):
    """c_k(eta) of DLMF 8.12.11 as power series, exactly: from mu d(mu)/d(eta) = eta (1 + mu), mu = x / a - 1, and
    c_k = c_(k-1)' / eta + (-1)^k g_k / mu with Stirling's coefficients g_k."""
    n = columns + 2 * rows + 2
    mu = [Fraction(0), Fraction(1)]
    for k in range(2, n + 2):
        mu.append((mu[k - 1] - sum(mu[i] * (k + 1 - i) * mu[k + 1 - i] for i in range(2, k))) / (k + 1))
    inverse = [Fraction(1)]  # eta / mu
    for k in range(1, n + 1):
        inverse.append(-sum(mu[j + 1] * inverse[k - j] for j in range(1, k + 1)))
    logarithm = [Fraction(0)] * (rows + 1)
    for k in range(1, rows + 1, 2):
        logarithm[k] = Fraction(*map(int, mp.bernfrac(k + 1))) / (k * (k + 1))
    stirling = [Fraction(1)]
    for k in range(1, rows + 1):
        stirling.append(sum(j * logarithm[j] * stirling[k - j] for j in range(1, k + 1)) / k)
    series = [inverse[1:]]
    for k in range(1, rows):
        slope = [i * c for i, c in enumerate(series[-1])][1:]
        factor = (-1) ** k * stirling[k]
        series.append([slope[i] + factor * inverse[i] for i in range(1, min(len(slope), len(inverse)))])
    return [[float(c) for c in row[: columns - k]] for k, row in enumerate(series)]


if __name__ == "__main__":
    main(sys.argv[1:])
    for name, value in (
        ("J0 zeros squared", J0_ZEROS),
        ("J1 zero squared", [J1_ZERO]),
        ("Y0 zero", [Y0_ZERO]),
        ("Ai zero", [AIRY_ZERO]),
        ("Ai' zero", [AIRY_PRIME_ZERO]),
    ):
        for number in value:
            print(name, mp.nstr(number, 40), [float(number), float(number - mp.mpf(float(number)))])
    if not sys.argv[1:]:
        print(*temme_coefficients(), sep="\n")
