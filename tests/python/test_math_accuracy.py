# shard: tensors
"""Math functions in float64 against many digits, over all exponents (`tools/measure_accuracy.py` prints the table)."""

import mpmath as mp
import pytest
from math_reference import MATH, worst_error

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
