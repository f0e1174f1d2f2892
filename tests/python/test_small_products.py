"""Products of small matrices, in every layout that a kernel might take for another."""

# shard: tensors

import itertools

import numpy as np
import pytest

import phlox as px


def laid_out(array, layout):
    """A tensor of these values, which lies in memory in this way."""
    dims = range(array.ndim)
    if layout == "transposed" and array.ndim == 2:
        return px.tensor(np.ascontiguousarray(array.T)).T
    if layout == "strided":
        view = px.zeros(*(2 * size for size in array.shape), dtype=px.tensor(array).dtype)[
            tuple(slice(None, None, 2) for _ in dims)
        ]
        return view.copy_(px.tensor(array))
    if layout == "flipped":
        return px.tensor(np.flip(array).copy()).flip(*dims)
    if layout == "expanded":
        return px.tensor(array[..., :1].copy()).expand(*array.shape)
    return px.tensor(array)


LAYOUTS = ["contiguous", "transposed", "strided", "flipped", "expanded"]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_products(dtype):
    random = np.random.default_rng(0)
    for m, k, n in itertools.product((1, 2, 4, 5, 17), (1, 2, 5, 16), (1, 3, 5, 8, 33)):
        a = random.standard_normal((m, k)).astype(dtype)
        b = random.standard_normal((k, n)).astype(dtype)
        for of_a, of_b in itertools.product(LAYOUTS, LAYOUTS):
            x, y = laid_out(a, of_a), laid_out(b, of_b)
            for left, right in ((x, y), (x, y[:, 0]), (x[0], y)):
                expected = left.double().numpy() @ right.double().numpy()
                np.testing.assert_allclose(
                    (left @ right).numpy(),
                    expected,
                    rtol=1e-4,
                    atol=1e-4,
                    err_msg=f"{m} {k} {n} {of_a} {of_b}",
                )
