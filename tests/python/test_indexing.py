"""x[...] and x[...] = value against NumPy."""

import numpy as np
import pytest

import phlox as px

ARRAY = np.arange(2 * 3 * 4 * 5, dtype=np.float64).reshape(2, 3, 4, 5)
MASK = np.arange(6).reshape(2, 3) % 2 == 0

KEYS = [
    0,
    -1,
    slice(None),
    slice(1, None),
    slice(None, None, -1),
    slice(5, 1, -2),
    slice(10, 20),
    ...,
    None,
    (0, 1),
    (0, 1, 2, 3),
    (slice(None), 1),
    (slice(None), slice(None, None, 2), slice(1, 3)),
    (..., 0),
    (..., None),
    (0, ..., 1),
    (None, 0, None, ..., None),
    (slice(None), slice(None), slice(None, None, -2)),
    [0, 1, 1],
    ([0, 1], [1, 2]),
    (slice(None), [0, 2]),
    (slice(None), [0, 2], slice(1, 3)),
    ([0, 1], slice(None), [1, 2]),
    (0, slice(None), [1, 2]),
    (slice(None), [[0, 1], [2, 0]]),
    (slice(None), np.array([2, -1])),
    ([[0], [1]], [0, 2]),
    (..., [0, 4, -1]),
    (None, [1, 0]),
    MASK,
    (MASK, 1),
    (MASK, slice(None), 2),
    (slice(None), np.array([True, False, True])),
    (slice(None), slice(None), slice(None), np.array([True, False, True, False, True])),
    (0, np.array([False, False, False])),
    True,
    False,
    np.int64(1),
    (np.int32(1), slice(None), np.int8(-1)),
    [],
    ARRAY > 50,
]


def to_phlox(key):
    """Arrays as tensors."""
    if isinstance(key, np.ndarray):
        return px.tensor(key)
    return tuple(to_phlox(k) for k in key) if isinstance(key, tuple) else key


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_reading(key):
    expected = ARRAY[np.array(key, dtype=int) if isinstance(key, list) and not key else key]
    for tensor in (
        px.tensor(ARRAY),
        px.from_numpy(np.asfortranarray(ARRAY)),
        px.from_numpy(ARRAY[::-1].copy()).flip(0),
    ):
        for k in (key, to_phlox(key)):
            result = tensor[k]
            assert result.shape == expected.shape
            np.testing.assert_array_equal(result.numpy(), expected)


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_writing(key):
    numpy_key = np.array(key, dtype=int) if isinstance(key, list) and not key else key
    for kind in ("number", "full", "row", "array"):
        array = ARRAY.copy()
        tensor = px.tensor(array)
        shape = array[numpy_key].shape
        value = {
            "number": -1.0,
            "full": np.random.default_rng(0).normal(size=shape),
            "row": np.full(shape[-1:], -2.0),
        }
        value["array"] = value["full"]
        array[numpy_key] = value[kind]
        tensor[to_phlox(key)] = value[kind] if kind in ("number", "array") else px.tensor(value[kind])
        np.testing.assert_array_equal(tensor.numpy(), array)


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_gradients(key):
    x = px.tensor(ARRAY, requires_grad=True)
    weights = np.random.default_rng(0).normal(size=ARRAY.shape)
    picked = x[to_phlox(key)]
    numpy_key = np.array(key, dtype=int) if isinstance(key, list) and not key else key
    w = weights[numpy_key]
    (picked * px.tensor(w)).sum().backward()
    expected = np.zeros_like(ARRAY)
    np.add.at(expected, numpy_key, w)
    np.testing.assert_allclose(x.grad.numpy(), expected)


def test_views_share_memory():
    x = px.zeros(3, 4)
    x[1][2] = 5
    x[:, 0].add_(1)
    x[0, ::2] = px.tensor([7.0, 8.0])
    assert x.tolist() == [[7, 0, 8, 0], [1, 0, 5, 0], [1, 0, 0, 0]]
    x[x > 4] = 0
    assert x.sum().item() == 2
    x[0] += 1
    assert x[0].tolist() == [1, 1, 1, 1]


def test_writing_into_a_graph():
    x = px.tensor([1.0, 2.0, 3.0], requires_grad=True)
    v = px.tensor([10.0], requires_grad=True)
    y = x * 2
    y[1:2] = v * 3
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 0.0, 2.0] and v.grad.tolist() == [3.0]


def test_casts_on_writing():
    x = px.zeros(3, dtype=px.int64)
    x[0] = 2
    x[1:] = [3, 4]
    assert x.tolist() == [2, 3, 4]
    y = px.zeros(2)
    y[:] = px.tensor([1, 2])
    assert y.tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (2, "out of range"),
        (-3, "out of range"),
        ((0, 0, 0, 0, 0), "5"),
        ((..., ...), "..."),
        (1.5, "float"),
        ("a", "str"),
        ([0, 5], "out of range"),
        (np.array([True, False, True]), "size"),
        (slice(None, None, 0), "zero"),
    ],
    ids=str,
)
def test_errors(key, message):
    x = px.tensor(ARRAY)
    with pytest.raises((IndexError, ValueError), match=message.replace("...", r"\.\.\.")):
        x[key]
    with pytest.raises((IndexError, ValueError)):
        x[key] = 1.0


def test_wrong_values():
    x = px.zeros(2, 3)
    with pytest.raises(ValueError):
        x[0] = px.zeros(4)
    with pytest.raises(TypeError):
        x[0] = "a"
    with pytest.raises(TypeError):
        del x[0]
