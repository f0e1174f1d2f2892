"""Composites of float16 and bfloat16 compute in float32 and round once."""

# shard: networks
import numpy as np
import phlox.nn.functional as F  # noqa: N812
import pytest

import phlox as px


def grid(dtype):
    random = np.random.default_rng(1)
    return px.from_numpy(random.integers(-9, 9, (1, 3, 3, 2)) / 8).to(dtype)


FUNCTIONS = {
    "interpolate": lambda x: F.interpolate(x, size=(9, 7), mode="bilinear"),
    "bicubic": lambda x: F.interpolate(x, scale_factor=1.7, mode="bicubic"),
    "grid_sample": lambda x: F.grid_sample(x, grid(x.dtype)),
    "grid_sample_bicubic": lambda x: F.grid_sample(x, grid(x.dtype), mode="bicubic"),
    "bilinear": lambda x: F.bilinear(x[0, 0], x[0, 1], x[0], x[0, 0, 0, :2]),
    "embedding_bag": lambda x: F.embedding_bag(px.tensor([[0, 1, 2], [3, 3, 0]]), x[0, 0], mode="mean"),
    "poisson_nll_loss": lambda x: F.poisson_nll_loss(x, x.abs() + 2, full=True, reduction="none"),
    "addr": lambda x: px.addr(x[0, 0], x[0, 1, :, 0], x[0, 1, 0], beta=0.5, alpha=0.25),
    "cov": lambda x: px.cov(x[0, 0]),
    "gradient": lambda x: px.gradient(x[0, 0], dim=0, edge_order=2)[0],
}


@pytest.mark.parametrize("dtype", [px.float16, px.bfloat16])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_halves_are_rounded_once(name, dtype):
    function = FUNCTIONS[name]
    x = px.from_numpy(np.random.default_rng(0).integers(-32, 32, (1, 2, 4, 4)) / 8).to(dtype)
    found = function(x)
    assert found.dtype == dtype and px.equal(found, function(x.float()).to(dtype))


def test_weights_of_more_precision_decide_the_dtype():
    x = px.ones(2, 3, dtype=px.bfloat16)
    assert px.cov(x, aweights=px.ones(3)).dtype == px.float32
    assert F.poisson_nll_loss(x, px.ones(2, 3)).dtype == px.float32
