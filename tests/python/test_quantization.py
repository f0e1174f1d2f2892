"""Quantisation and its way back, gradients of fake quantisation, two integers in a byte."""

# shard: tensors

import re
from pathlib import Path

import numpy as np
import pytest

import phlox as px

LARGEST = {"float8_e4m3fn": 448, "float8_e5m2": 57344, "float8_e4m3fnuz": 240, "float8_e5m2fnuz": 57344}


def test_quantisation_there_and_back():
    x = px.linspace(-3, 3, 49)
    for dtype, zero_point in ((px.int8, 2), (px.uint8, 128), (px.int16, 0), (px.int4, 0)):
        scale = 6 / 250 if dtype != px.int4 else 0.5
        quantized = px.quantize_per_tensor(x, scale, zero_point, dtype)
        assert quantized.dtype == dtype
        back = px.dequantize(quantized, scale, zero_point)
        assert ((back - x).abs() <= scale / 2 + 1e-6).all()
    assert px.quantize_per_tensor(px.tensor([0.5, 1.5, 2.5, -0.5]), 1.0, 0, px.int8).tolist() == [0, 2, 2, 0]
    ends = px.tensor([1e9, -1e9, float("inf"), float("nan")])
    assert px.quantize_per_tensor(ends, 0.1, 0, px.int8).tolist() == [127, -128, 127, 0]
    assert px.quantize_per_tensor(ends, 0.1, 0, px.int32).tolist() == [2**31 - 1, -(2**31), 2**31 - 1, 0]
    scale = px.tensor(0.5)
    assert px.quantize_per_tensor(px.tensor([0.6, 99.0]), scale, px.tensor(1), px.uint2).to(
        px.int8
    ).tolist() == [2, 3]
    small = px.quantize_per_tensor(px.tensor([1.0, 1e6]), 0.5, 0, px.float8_e4m3fn)
    assert px.dequantize(small, 0.5).tolist() == [1.0, 224.0]


def test_groups_and_channels():
    x = px.tensor([[1.0, 2.0, 3.0, 4.0, 5.0], [10.0, 20.0, 30.0, 40.0, 50.0]])
    scales, zeros = px.tensor([[1.0, 2.0], [10.0, 20.0]]), px.zeros(2, 2, dtype=px.int32)
    groups = px.quantize_per_group(x, scales, zeros, 3, px.int8)
    assert groups.tolist() == [[1, 2, 3, 2, 2], [1, 2, 3, 2, 2]]
    assert px.dequantize(groups, scales, zeros, axis=1, group_size=3)[0].tolist() == [1, 2, 3, 4, 4]
    channels = px.quantize_per_channel(x, px.tensor([1.0, 10.0]), px.tensor([0, -1]), 0, px.int8)
    assert channels.tolist() == [[1, 2, 3, 4, 5], [0, 1, 2, 3, 4]]
    assert px.equal(px.dequantize(channels, px.tensor([1.0, 10.0]), px.tensor([0, -1]), axis=0), x)
    scale = px.tensor([1.0, 10.0], requires_grad=True)
    px.dequantize(channels, scale, axis=0).sum().backward()
    assert scale.grad.tolist() == [15.0, 10.0]


def test_errors_name_what_does_not_fit():
    x = px.ones(2, 3)
    with pytest.raises(px.DTypeError, match="quantises floats, not int64"):
        px.quantize_per_tensor(px.tensor([1]), 1.0, 0, px.int8)
    with pytest.raises(px.DTypeError, match="no quantisation to float32"):
        px.quantize_per_tensor(x, 1.0, 0, px.float32)
    with pytest.raises(px.ShapeError, match="scales has one number for each of the 3 indices of dimension 1"):
        px.quantize_per_channel(x, px.ones(2), px.zeros(2), 1, px.int8)
    with pytest.raises(px.ShapeError, match=r"scales has one number for each group, \[2,2\]"):
        px.quantize_per_group(x, px.ones(2), px.zeros(2), 2, px.int8)
    with pytest.raises(ValueError, match="group_size is 0"):
        px.quantize_per_group(x, px.ones(2), px.zeros(2), 0, px.int8)
    with pytest.raises(px.ShapeError, match="without axis, scale is a single number"):
        px.dequantize(px.ones(2, 3), px.ones(2))
    with pytest.raises(ValueError, match="quant_min is 5, above quant_max, 4"):
        px.fake_quantize_per_tensor_affine(x, 1.0, 0, 5, 4)
    with pytest.raises(px.DTypeError, match="float32 is no float8"):
        px.quantize_fp8(x, px.float32)
    with pytest.raises(px.DTypeError, match="packs integers, not float32"):
        px.pack_int4(x)
    with pytest.raises(ValueError, match="7 numbers are asked for, and there are 6"):
        px.unpack_int4(px.zeros(3, dtype=px.uint8), 7)


def fake(x, scale, zero_point, low, high):
    level = np.round(x * (1 / scale)) + zero_point
    return (np.clip(level, low, high) - zero_point) * scale, (level >= low) & (level <= high)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
def test_fake_quantisation_lets_gradients_through(dtype):
    x = px.linspace(-2, 2, 33).to(getattr(px, dtype)).requires_grad_()
    result = px.fake_quantize_per_tensor_affine(x, 0.125, 2, -8, 7)
    value, inside = fake(x.detach().to(px.float64).numpy(), 0.125, 2, -8, 7)
    assert result.dtype == x.dtype and result.to(px.float64).tolist() == value.tolist()
    weight = px.arange(33).to(x.dtype)
    (gradient,) = px.autograd.grad((result * weight).sum(), x)
    assert gradient.tolist() == (weight.to(px.float64).numpy() * inside).tolist()


def test_fake_quantisation_of_channels_and_of_what_is_no_number():
    x = px.tensor([[0.3, 0.6, float("nan")], [3.0, 6.0, float("inf")]], requires_grad=True)
    result = px.fake_quantize_per_channel_affine(x, px.tensor([0.5, 4.0]), px.tensor([0, 1]), 0, -4, 1)
    assert result[0, :2].tolist() == [0.5, 0.5] and result[1].tolist() == [0.0, 0.0, 0.0]
    assert result[0, 2].isnan()
    (gradient,) = px.autograd.grad(result[:, :2].sum() + result[1, 2], x)
    assert gradient.tolist() == [[1, 1, 0], [0, 0, 0]]


def test_fake_quantisation_in_transforms():
    x = px.randn(3, 6)
    run = lambda v: px.fake_quantize_per_tensor_affine(v, 0.25, 0, -4, 3)  # noqa: E731
    slope = px.func.grad(lambda v: (run(v) * v).sum())
    assert px.equal(px.vmap(slope)(x), slope(x))
    assert px.equal(px.jit(slope)(x), slope(x))


@pytest.mark.parametrize("dtype", LARGEST)
def test_dynamic_float8(dtype):
    x = px.tensor([[1.0, -2.0, 0.3], [10.0, 20.0, 30.0], [0.0, 0.0, 0.0]])
    for dim in (None, 1, -2):
        values, scale = px.quantize_fp8(x, getattr(px, dtype), dim)
        assert values.dtype == getattr(px, dtype) and scale.dtype == px.float32
        back = values.to(px.float32) * scale
        assert ((back - x).abs() <= 0.13 * x.abs() + 1e-3).all()
        top = values.to(px.float32).abs().max().item()
        assert top == LARGEST[dtype]
    assert px.quantize_fp8(x[2])[1].item() == 1 and px.quantize_fp8(px.zeros(0))[0].shape == (0,)


@pytest.mark.parametrize("shape", [(4,), (3, 5), (2, 0), (2, 3, 6)])
def test_four_bits_in_half_a_byte(shape):
    values = np.random.default_rng(1).integers(-8, 8, shape)
    x = px.from_numpy(values)
    packed = px.pack_int4(x.to(px.int8))
    assert packed.dtype == px.uint8 and packed.shape == (*shape[:-1], (shape[-1] + 1) // 2)
    assert px.equal(packed, px.pack_int4(x.to(px.int4)))
    assert px.unpack_int4(packed, shape[-1]).tolist() == values.tolist()
    assert px.unpack_int4(packed, shape[-1], px.int32).dtype == px.int32
    assert px.unpack_int4(packed, shape[-1], px.uint8).tolist() == (values & 15).tolist()


def test_the_first_of_a_pair_is_in_the_low_half():
    assert px.pack_int4(px.tensor([1, 2, -1], dtype=px.int8)).tolist() == [0x21, 0x0F]


def test_the_page_is_right():
    page = (Path(__file__).parents[2] / "docs" / "quantisation.md").read_text()
    programs = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(programs) == 4
    exec(compile("".join(programs), "quantisation.md", "exec"), {})
