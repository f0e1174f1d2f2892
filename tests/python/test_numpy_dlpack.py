"""Exchange with NumPy and with others, without copies."""

import gc
import weakref

import numpy as np
import pytest

import phlox as px

DTYPES = ["bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"]
DTYPES += ["float16", "float32", "float64", "complex64", "complex128"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_both_ways_share_memory(dtype):
    array = np.arange(6).reshape(2, 3).astype(dtype)
    tensor = px.from_numpy(array)
    assert tensor.dtype is getattr(px, dtype) and tensor.shape == (2, 3)
    array[0, 0] = 1
    assert tensor[0, 0].item() == array[0, 0]
    back = tensor.numpy()
    assert back.dtype == array.dtype and np.shares_memory(back, array)
    back[1, 1] = 0
    assert array[1, 1] == 0


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12.0)[::-1],
        np.arange(12.0)[::-3],
        np.arange(24.0).reshape(4, 6)[::-1, ::2],
        np.arange(24.0).reshape(4, 6).T,
        np.broadcast_to(np.arange(3.0), (4, 3)),
        np.zeros((3, 0, 2)),
        np.array(5.0),
        np.zeros((2, 3, 4), order="F"),
    ],
    ids=lambda a: f"{a.shape}{a.strides}",
)
def test_layouts(array):
    tensor = px.from_numpy(array)
    np.testing.assert_array_equal(tensor.numpy(), array)
    np.testing.assert_array_equal((tensor + 1).numpy(), array + 1)
    if array.size:
        assert np.shares_memory(tensor.numpy(), array) and tensor.numpy().strides == array.strides


def test_read_only():
    array = np.arange(3.0)
    array.flags.writeable = False
    tensor = px.from_numpy(array)
    assert not tensor.numpy().flags.writeable
    for write in (lambda: tensor.add_(1), lambda: tensor.__setitem__(0, 1.0)):
        with pytest.raises(px.StateError):
            write()
    assert px.tensor(array).add_(1).tolist() == [1.0, 2.0, 3.0]


def test_lifetimes():
    array = np.arange(3.0)
    tensor = px.from_numpy(array)
    reference = weakref.ref(array)
    del array
    assert tensor.sum().item() == 3 and reference() is not None
    view = tensor[1:]
    del tensor
    assert view.tolist() == [1.0, 2.0]
    del view
    gc.collect()
    assert reference() is None
    out = px.arange(3.0).numpy()
    gc.collect()
    assert out.tolist() == [0.0, 1.0, 2.0]


def test_strictness():
    with pytest.raises(px.errors.TypeError, match="px.tensor"):
        px.from_numpy([1, 2])
    with pytest.raises(px.DTypeError):
        px.from_numpy(np.array(["a"]))
    with pytest.raises(px.DTypeError):
        px.from_numpy(np.array([object()]))
    with pytest.raises(ValueError, match="byte-swapped"):
        px.from_numpy(np.arange(3, dtype=">f8"))
    unaligned = np.frombuffer(b"\0" * 17, dtype="u1")[1:].view("f8")
    with pytest.raises(ValueError):
        px.from_numpy(unaligned)
    assert px.tensor(np.arange(3, dtype=">f8")).tolist() == [0.0, 1.0, 2.0]
    assert px.tensor(unaligned).tolist() == [0.0, 0.0]
    x = px.zeros(2, requires_grad=True)
    with pytest.raises(px.GradientError, match="detach"):
        x.numpy()
    assert x.detach().numpy().tolist() == x.numpy(force=True).tolist() == [0.0, 0.0]
    with pytest.raises(px.DTypeError, match="float"):
        px.zeros(2, dtype=px.bfloat16).numpy()


def test_numpy_functions_take_tensors():
    x = px.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert isinstance(np.asarray(x), np.ndarray) and np.shares_memory(np.asarray(x), x.numpy())
    assert np.array(x, dtype=np.int32).dtype == np.int32
    assert np.mean(np.asarray(x)) == 2.5
    np.testing.assert_array_equal(np.array(x), x.numpy())


def test_copies_on_request():
    array = np.arange(3.0)
    assert not np.shares_memory(px.tensor(array).numpy(), array)
    assert np.shares_memory(px.as_tensor(array).numpy(), array)
    assert px.as_tensor(array, dtype=px.float32).dtype is px.float32


# --- DLPack


@pytest.mark.parametrize("dtype", DTYPES)
def test_dlpack_with_numpy(dtype):
    tensor = px.arange(6).reshape(2, 3).to(getattr(px, dtype))
    array = np.from_dlpack(tensor)
    assert array.dtype == np.dtype(dtype) and np.shares_memory(array, tensor.numpy())
    again = px.from_dlpack(array)
    assert again.dtype is tensor.dtype and np.shares_memory(again.numpy(), tensor.numpy())
    assert again.tolist() == tensor.tolist()


def test_dlpack_strides_and_offset():
    tensor = px.arange(24.0).reshape(4, 6)[1:, ::2].T
    np.testing.assert_array_equal(np.from_dlpack(tensor), tensor.numpy())
    flipped = np.arange(4.0)[::-1]
    assert px.from_dlpack(flipped).tolist() == [3.0, 2.0, 1.0, 0.0]


def test_dlpack_protocol():
    x = px.tensor([1.0])
    assert x.__dlpack_device__() == (1, 0)
    for version, name in ((None, "dltensor"), ((0, 8), "dltensor"), ((1, 0), "dltensor_versioned")):
        capsule = x.__dlpack__(max_version=version)
        assert f'"{name}"' in repr(capsule)
        assert px.from_dlpack(capsule).tolist() == [1.0]
        with pytest.raises(ValueError, match="used"):
            px.from_dlpack(capsule)
    unused = x.__dlpack__()
    del unused
    copied = px.from_dlpack(x.__dlpack__(copy=True))
    copied[0] = 5
    assert x.tolist() == [1.0]
    with pytest.raises(px.GradientError):
        px.zeros(1, requires_grad=True).__dlpack__()
    with pytest.raises(px.errors.TypeError):
        px.from_dlpack(5)
    bf16 = px.tensor([1.5]).bfloat16()
    assert px.from_dlpack(bf16).dtype is px.bfloat16


def test_dlpack_read_only():
    array = np.arange(3.0)
    array.flags.writeable = False
    tensor = px.from_dlpack(array)
    with pytest.raises(px.StateError):
        tensor.add_(1)
    with pytest.raises(px.StateError):
        tensor.__dlpack__()
    assert not np.from_dlpack(tensor).flags.writeable


def test_dlpack_lifetime():
    array = np.arange(3.0)
    tensor = px.from_dlpack(array)
    reference = weakref.ref(array)
    del array
    gc.collect()
    assert tensor.tolist() == [0.0, 1.0, 2.0]
    del tensor
    gc.collect()
    assert reference() is None
