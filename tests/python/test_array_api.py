"""The namespace of the Array API standard where it is not what `px` is; the suite of data-apis judges the rest."""

import inspect

import numpy as np
import phlox.array_api as xp
import pytest

import phlox as px


def test_every_tensor_knows_the_namespace():
    x = xp.asarray([1.0, 2.0])
    assert x.__array_namespace__() is xp and x.__array_namespace__(api_version="2024.12") is xp
    with pytest.raises(ValueError, match="2020.01"):
        x.__array_namespace__(api_version="2020.01")
    assert x.to_device(x.device).tolist() == [1.0, 2.0]


def test_statistics_have_the_standards_defaults():
    x = xp.asarray([[1.0, 2.0], [3.0, 6.0]])
    assert xp.std(x, axis=0).tolist() == [1.0, 2.0]
    assert xp.var(x, correction=1).item() == pytest.approx(np.var(x.numpy(), ddof=1))
    assert xp.var(x, axis=()).tolist() == [[0.0, 0.0], [0.0, 0.0]]
    assert xp.sum(xp.asarray([200, 100], dtype=xp.uint8)).dtype is xp.uint64
    assert xp.sum(xp.asarray([200, 100], dtype=xp.uint8)).item() == 300
    assert xp.prod(xp.asarray([True, True])).dtype is xp.int64
    assert xp.sum(x, axis=1, keepdims=True).tolist() == [[3.0], [9.0]]


def test_cumulative_sums_may_start_with_their_neutral_element():
    x = xp.asarray([[1, 2], [3, 4]])
    assert xp.cumulative_sum(x, axis=1, include_initial=True).tolist() == [[0, 1, 3], [0, 3, 7]]
    assert xp.cumulative_prod(x, axis=0, include_initial=True).tolist() == [[1, 1], [1, 2], [3, 8]]
    with pytest.raises(px.ShapeError, match="axis"):
        xp.cumulative_sum(x)


@pytest.mark.parametrize("dtype", [xp.int64, xp.float32, xp.complex64])
def test_unique_all(dtype):
    x = xp.asarray([[3, 1, 3], [1, 2, 3]], dtype=dtype)
    values, indices, inverse, counts = xp.unique_all(x)
    assert values.tolist() == [1, 2, 3] and counts.tolist() == [2, 1, 3]
    assert indices.tolist() == [1, 4, 0] and values[inverse].tolist() == x.tolist()
    assert xp.unique_values(x).tolist() == values.tolist()
    assert xp.unique_counts(x).counts.tolist() == [2, 1, 3]
    assert xp.unique_inverse(x).inverse_indices.tolist() == inverse.tolist()


def test_unique_all_of_nothing_and_of_nan():
    assert [part.tolist() for part in xp.unique_all(xp.zeros((0,)))] == [[], [], [], []]
    nan = float("nan")
    values, _, _, counts = xp.unique_all(xp.asarray([nan, 1.0, nan]))
    assert values.shape == (3,) and counts.tolist() == [1, 1, 1]


def test_shapes():
    x = xp.zeros((2, 1, 3))
    assert xp.squeeze(x, 1).shape == (2, 3)
    with pytest.raises(px.ShapeError, match="2 elements"):
        xp.squeeze(x, 0)
    grid = xp.meshgrid(xp.arange(2), xp.arange(3))
    assert [g.shape for g in grid] == [(3, 2), (3, 2)]
    assert xp.concat([x, x], axis=None).shape == (12,)
    assert xp.flip(xp.asarray([[1, 2], [3, 4]])).tolist() == [[4, 3], [2, 1]]
    assert xp.take(xp.asarray([[1, 2], [3, 4]]), xp.asarray([1, 1]), axis=1).tolist() == [[2, 2], [4, 4]]
    with pytest.raises(px.ShapeError):
        xp.nonzero(xp.asarray(1.0))


def test_creation():
    assert xp.eye(2, 3, k=1).tolist() == [[0, 1, 0], [0, 0, 1]]
    assert xp.linspace(0, 1, 4, endpoint=False).tolist() == [0, 0.25, 0.5, 0.75]
    assert xp.linspace(0, 1j, 3).tolist() == [0, 0.5j, 1j]
    assert xp.arange(3, 0).shape == (0,)
    array = np.arange(3)
    assert np.shares_memory(xp.asarray(array, copy=False).numpy(), array)
    assert not np.shares_memory(xp.asarray(array, copy=True).numpy(), array)
    with pytest.raises(ValueError, match="shared"):
        xp.asarray([1, 2], copy=False)
    x = xp.asarray([1.0])
    assert xp.asarray(x) is x and xp.asarray(x, copy=True) is not x


def test_dtypes():
    info = xp.__array_namespace_info__()
    assert info.default_dtypes()["real floating"] is xp.float32
    assert set(info.dtypes(kind=("bool", "complex floating"))) == {"bool", "complex64", "complex128"}
    assert info.default_device() in info.devices() and info.capabilities()["boolean indexing"]
    assert xp.isdtype(xp.uint8, ("bool", "integral")) and not xp.isdtype(xp.float32, "integral")
    with pytest.raises(ValueError, match="kind"):
        xp.isdtype(xp.int8, "integer")
    assert xp.can_cast(xp.int8, xp.int16) and not xp.can_cast(xp.int16, xp.int8)
    assert xp.finfo(xp.asarray(1.0, dtype=xp.complex128)).dtype is xp.float64
    assert xp.iinfo(xp.uint8).max == 255
    assert xp.result_type(xp.int32, xp.asarray([1], dtype=xp.uint8), 3) is xp.int32


def test_elementwise_functions_take_arrays_by_position_alone():
    assert str(inspect.signature(xp.exp)).startswith("(x: ") and "/" in str(inspect.signature(xp.exp))
    assert xp.exp.__doc__ == px.exp.__doc__ and xp.exp.__name__ == "exp"
    with pytest.raises(TypeError):
        xp.exp(x=xp.asarray(1.0))
    assert xp.equal(xp.asarray([1, 2]), 2).tolist() == [False, True]
    assert xp.clip(xp.asarray([1, 5], dtype=xp.int8), 2, 3).dtype is xp.int8
    assert xp.sign(xp.asarray(-0.0)).item() == 0 and xp.round(xp.asarray(1.5 + 0.5j)).item() == 2


def test_gradients_flow_through_the_namespace():
    x = xp.asarray([1.0, 2.0, 4.0]).requires_grad_()
    xp.sum(xp.square(x - xp.mean(x))).backward()
    assert x.grad.tolist() == pytest.approx([-8 / 3, -2 / 3, 10 / 3])


def test_einops():
    pytest.importorskip("einops")
    from phlox.einops import einsum, rearrange, reduce

    x = px.arange(24.0).reshape(2, 3, 4).requires_grad_()
    assert rearrange(x, "a b c -> (a c) b").shape == (8, 3)
    assert reduce(x, "a b c -> a", "max").tolist() == [11.0, 23.0]
    einsum(x, x, "a b c, a b c -> a").sum().backward()
    assert x.grad.tolist() == (2 * x).tolist()


# --- forms of calls that PyTorch and NumPy have beside ours


def test_division_with_a_rounding_mode():
    x, y = px.tensor([7, -7, 7, -7, 6]), px.tensor([2, 2, -2, -2, 3])
    assert px.div(x, y, rounding_mode="trunc").tolist() == [3, -3, -3, 3, 2]
    assert px.div(x, y, rounding_mode="floor").tolist() == [3, -4, -4, 3, 2]
    assert px.div(x.float(), y, rounding_mode="trunc").dtype is px.float32
    assert px.div(x, y, rounding_mode=None).tolist() == [3.5, -3.5, -3.5, 3.5, 2.0]
    with pytest.raises(ValueError, match="rounding_mode"):
        px.div(x, y, rounding_mode="ceil")
    assert x.float().div_(2, rounding_mode="floor").tolist() == [3, -4, 3, -4, 3]


def test_rounding_to_decimals():
    x = px.tensor([1234.5678], dtype=px.float64)
    assert px.round(x, decimals=2).tolist() == [1234.57] and px.round(x, decimals=-2).tolist() == [1200]
    assert x.round_(decimals=1).tolist() == [1234.6]


def test_isclose_with_equal_nan():
    x = px.tensor([float("nan"), 1.0])
    assert px.isclose(x, x).tolist() == [False, True]
    assert px.isclose(x, x, equal_nan=True).tolist() == [True, True]


def test_axes_as_numpy_has_them():
    x = px.zeros(2, 3, 4)
    assert px.transpose(x, axes=(2, 0, 1)).shape == (4, 2, 3)
    assert px.tensordot(x, x, axes=((0, 1), (0, 1))).shape == (4, 4) and px.tensordot(
        x, x.T, axes=1
    ).shape == (2, 3, 3, 2)


def test_casts_may_name_the_memory_format():
    x = px.zeros(1, 2, 3, 4, dtype=px.float64)
    assert x.float(memory_format=px.channels_last).is_contiguous(memory_format=px.channels_last)
    assert x.int().dtype is px.int32


def test_floor_division_at_infinity_is_the_floor_of_the_quotient():
    inf = float("inf")
    x, y = px.tensor([inf, -inf, 1.0, -1.0, inf]), px.tensor([2.0, 2.0, -inf, inf, inf])
    found = (x // y).numpy()
    np.testing.assert_array_equal(found, [inf, -inf, -0.0, -0.0, np.nan])
    assert np.signbit(found[2:4]).all()


def test_functions_of_pytorch_that_are_others_of_ours():
    x = px.tensor([1.0, 2.0])
    assert px.rsub(x, 3, alpha=2).tolist() == [1.0, -1.0] and px.fill(x, px.tensor([5])).tolist() == [
        5.0,
        5.0,
    ]
    assert px.scalar_tensor(3).dtype is px.float32 and px.constant_pad_nd(x, [1, 0], 9).tolist() == [
        9.0,
        1.0,
        2.0,
    ]
    assert px.can_cast(px.int64, px.float16) and not px.can_cast(px.float16, px.int64)
    with pytest.raises(px.ShapeError, match="2 elements"):
        px.fill(x, x)
