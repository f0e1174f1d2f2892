"""Few of many: the order among equal elements, NaN, and lengths around those where another way is taken."""

import numpy as np
import pytest

import phlox as px


@pytest.mark.parametrize("dtype", [px.float32, px.float64, px.int64, px.bfloat16])
@pytest.mark.parametrize("length", [135, 136, 137, 300, 5000])
@pytest.mark.parametrize("k", [1, 9, 60])
def test_equal_elements_come_in_their_order(dtype, length, k):
    px.manual_seed(length)
    x = (px.rand(5, length) * 30).to(px.int64).to(dtype)
    numbers = x.to(px.float64).numpy()
    for largest in (True, False):
        values, places = px.topk(x, k, 1, largest)
        order = np.argsort(-numbers if largest else numbers, axis=1, kind="stable")[:, :k]
        np.testing.assert_array_equal(places.numpy(), order)
        np.testing.assert_array_equal(values.to(px.float64).numpy(), np.take_along_axis(numbers, order, 1))


def test_nan_is_larger_than_all():
    x = px.rand(400)
    x[7] = float("nan")
    assert px.topk(x, 3)[1][0].item() == 7
    assert not px.topk(x, 3, largest=False)[0].isnan().any()
    assert px.topk(px.full((400,), float("nan")), 3)[1].tolist() == [0, 1, 2]
