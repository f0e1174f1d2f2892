"""Numbers of few bits: casts as ONNX defines them."""

# shard: tensors

import re
from pathlib import Path

import numpy as np
import pytest

import phlox as px

# Exponent bits, mantissa bits, bias; what the patterns beyond the numbers mean.
FLOATS = {
    "float8_e4m3fn": (4, 3, 7, "nan"),
    "float8_e5m2": (5, 2, 15, "inf"),
    "float8_e4m3fnuz": (4, 3, 8, "zero"),
    "float8_e5m2fnuz": (5, 2, 16, "zero"),
    "float4_e2m1fn_x2": (2, 1, 1, "none"),
}
INTEGERS = {"int4": (-8, 7), "uint4": (0, 15), "int2": (-2, 1), "uint2": (0, 3)}


def numbers_of(dtype):
    """The numbers of a dtype that are not negative, in the order of their patterns."""
    exponent_bits, mantissa_bits, bias, special = FLOATS[dtype]
    values = []
    for exponent in range(1 << exponent_bits):
        for mantissa in range(1 << mantissa_bits):
            fraction = mantissa / (1 << mantissa_bits)
            power = max(exponent, 1) - bias
            values.append((fraction + (exponent > 0)) * 2.0**power)
    if special == "inf":
        values = values[: -(1 << mantissa_bits)]
    return values[:-1] if special == "nan" else values


def nearest(value, numbers):
    """The number next to a value that is not negative; of two the one with the even pattern."""
    if value >= numbers[-1]:
        return numbers[-1]
    above = next(i for i, number in enumerate(numbers) if number > value)
    low, high = numbers[above - 1], numbers[above]
    if value - low == high - value:
        return low if (above - 1) % 2 == 0 else high
    return low if value - low < high - value else high


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("source", ["float64", "float32"])
def test_casts_to_floats_round_once_and_keep_to_the_range(dtype, source):
    numbers = numbers_of(dtype)
    between = [(a + b) / 2 for a, b in zip(numbers, numbers[1:])]
    around = [v for m in between for v in (np.nextafter(m, 0), m, np.nextafter(m, np.inf))]
    drawn = np.random.default_rng(0).uniform(0, 1.2 * numbers[-1], 200)
    values = np.array([*numbers, *around, *drawn, numbers[-1] * 4, np.inf, 1e-40]).astype(source)
    expected = np.array([nearest(float(v), numbers) for v in values])
    for sign in (1, -1):
        cast = px.from_numpy(sign * values).to(getattr(px, dtype))
        assert cast.dtype == getattr(px, dtype)
        assert cast.to(px.float64).tolist() == list(sign * expected)


@pytest.mark.parametrize("dtype", [d for d in FLOATS if d.startswith("float8")])
def test_patterns_of_float8(dtype):
    every = px.arange(256).to(px.uint8).view(getattr(px, dtype))
    values = every.to(px.float64).numpy()
    numbers = numbers_of(dtype)
    special = FLOATS[dtype][3]
    assert values[: len(numbers)].tolist() == numbers
    if special == "zero":
        assert np.isnan(values[128]) and np.isfinite(np.delete(values, 128)).all()
        assert px.tensor([-0.0]).to(every.dtype).view(px.uint8).tolist() == [0]
    else:
        assert np.signbit(values[128]) and values[128] == 0
        assert px.tensor([-0.0]).to(every.dtype).view(px.uint8).tolist() == [128]
    assert np.isinf(values).sum() == (2 if special == "inf" else 0)
    back = every.to(px.float32).to(every.dtype).view(px.uint8).numpy()
    kept = np.isfinite(values)
    assert (back[kept] == np.arange(256)[kept]).all()
    assert px.tensor([np.nan]).to(every.dtype).to(px.float32).isnan().all()


def test_powers_of_two_round_up():
    values = px.tensor([0.0, 1.0, 1.1, 2.0, 3.0, 1e39, float("inf"), float("nan"), -1.0], dtype=px.float64)
    found = values.to(px.float8_e8m0fnu).to(px.float64).numpy()
    assert found[:7].tolist() == [2.0**-127, 1, 2, 2, 4, 2.0**127, 2.0**127]
    assert np.isnan(found[7:]).all()


@pytest.mark.parametrize("dtype", INTEGERS)
def test_casts_to_integers(dtype):
    low, high = INTEGERS[dtype]
    kind = getattr(px, dtype)
    values = np.arange(-300, 300)
    wrapped = (values - low) % (high - low + 1) + low
    for source in ("int64", "int16"):
        assert px.from_numpy(values.astype(source)).to(kind).to(px.int64).tolist() == wrapped.tolist()
    floats = np.array([-1e9, -8.9, -1.9, -0.5, 0.9, 1.5, 7.9, 1e9, np.inf, -np.inf])
    cut = np.clip(np.trunc(floats), low, high)
    assert px.from_numpy(floats).to(kind).to(px.float32).tolist() == cut.tolist()
    assert px.tensor([np.nan]).to(kind).to(px.int8).tolist() == [0]
    assert px.tensor([True, False]).to(kind).to(px.bool).tolist() == [True, False]


def test_casts_between_numbers_of_few_bits_and_of_views():
    values = px.tensor([[0.5, 3.0, -6.0], [1.5, -2.0, 100.0]])
    small = values.to(px.float8_e4m3fn)
    assert small.to(px.float4_e2m1fn_x2).to(px.float32).tolist() == [[0.5, 3, -6], [1.5, -2, 6]]
    assert small.to(px.int4).to(px.int8).tolist() == [[0, 3, -6], [1, -2, 7]]
    assert small.t().to(px.float16).tolist() == [[0.5, 1.5], [3, -2], [-6, 96]]
    assert small[:, ::2].to(px.float32)[0].tolist() == [0.5, -6.0]
    assert px.zeros(3, dtype=px.int4).to(px.int64).tolist() == [0, 0, 0]
    assert px.full((2,), -3, dtype=px.int4).to(px.int64).tolist() == [-3, -3]
    assert px.full((2,), 0.3, dtype=px.float8_e5m2).to(px.float32).tolist() == [0.3125, 0.3125]
    assert px.zeros(0, dtype=px.float8_e5m2).to(px.float32).shape == (0,)
    assert repr(px.tensor([1.0, -2.5]).to(px.float8_e5m2)) == "tensor([ 1.0000, -2.5000], dtype=float8_e5m2)"
    with pytest.raises(px.DTypeError):
        px.ones(2).to(px.float8_e5m2) + 1


def test_casts_in_captured_programs_and_batches():
    x = px.randn(4, 5)
    there_and_back = lambda v: v.to(px.float8_e4m3fn).to(px.float32) * 2  # noqa: E731
    assert px.equal(px.jit(there_and_back)(x), there_and_back(x))
    assert px.equal(px.vmap(there_and_back)(x), there_and_back(x))


def test_the_page_is_right():
    page = (Path(__file__).parents[2] / "docs" / "few-bits.md").read_text()
    programs = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(programs) == 1
    exec(compile("".join(programs), "few-bits.md", "exec"), {})
