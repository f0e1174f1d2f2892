# shard: tensors
"""gradient(), the derivative of samples, beside NumPy's."""

import numpy as np
import pytest

import phlox as px


@pytest.mark.parametrize("edge_order", [1, 2])
def test_gradient(edge_order):
    x = np.random.default_rng(2).standard_normal((4, 5, 3))
    t = px.from_numpy(x)
    cases = [
        (px.gradient(t, edge_order=edge_order), np.gradient(x, edge_order=edge_order)),
        (px.gradient(t, spacing=0.5, edge_order=edge_order), np.gradient(x, 0.5, edge_order=edge_order)),
        (
            px.gradient(t, spacing=[2.0, 0.25], dim=(0, -1), edge_order=edge_order),
            np.gradient(x, 2.0, 0.25, axis=(0, -1), edge_order=edge_order),
        ),
    ]
    places = [np.array([0.0, 0.5, 2.0, 3.0]), np.array([1.0, 2.0, 2.25, 5.0, 4.0])]
    cases.append(
        (
            px.gradient(t, spacing=[px.from_numpy(p) for p in places], dim=(0, 1), edge_order=edge_order),
            np.gradient(x, *places, axis=(0, 1), edge_order=edge_order),
        )
    )
    for got, expected in cases:
        assert len(got) == len(expected)
        for g, e in zip(got, expected):
            np.testing.assert_allclose(g.numpy(), e, rtol=1e-12, atol=1e-12)
    (one,) = px.gradient(t, dim=1, edge_order=edge_order)
    np.testing.assert_allclose(
        one.numpy(), np.gradient(x, axis=1, edge_order=edge_order), rtol=1e-12, atol=1e-12
    )


def test_gradient_of_integers_and_its_errors():
    assert px.gradient(px.tensor([1, 4, 9, 16]))[0].tolist() == [3, 4, 6, 7]
    x = px.ones(2, 3)
    for call in (
        lambda: px.gradient(x, edge_order=2),
        lambda: px.gradient(x, edge_order=3),
        lambda: px.gradient(x, dim=(0, 0)),
        lambda: px.gradient(x, spacing=[1.0, 2.0, 3.0]),
        lambda: px.gradient(x, spacing=[px.ones(3)], dim=0),
        lambda: px.gradient(x, dim=2),
    ):
        with pytest.raises(px.PhloxError, match="gradient"):
            call()
