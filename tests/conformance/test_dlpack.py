"""Exchange of memory with NumPy, PyTorch and JAX by DLPack, both ways."""

import gc
import weakref

import jax
import numpy as np
import pytest
import torch

import phlox as px

jax.config.update("jax_enable_x64", True)

DTYPES = """bool uint8 uint16 uint32 uint64 int8 int16 int32 int64 float16 float32 float64 bfloat16
    complex64 complex128""".split()
LAYOUTS = {
    "contiguous": lambda x: x,
    "strided": lambda x: x[::2, 1:],
    "transposed": lambda x: x.T,
    "zero-dimensional": lambda x: x[1:2, 1:2].reshape(()),
    "empty": lambda x: x[:0],
}
# JAX takes row-major memory without gaps alone.
COMPACT = ("contiguous", "zero-dimensional", "empty")


def sample(dtype):
    values = px.arange(24).reshape(4, 6) - (0 if dtype.startswith("uint") else 9)
    return (values % 2 == 0) if dtype == "bool" else values.to(getattr(px, dtype))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [d for d in DTYPES if d != "bfloat16"])
def test_numpy(dtype, layout):
    tensor = LAYOUTS[layout](sample(dtype))
    array = np.from_dlpack(tensor)
    assert array.dtype == dtype and array.shape == tensor.shape and array.tolist() == tensor.tolist()
    assert array.size == 0 or array.ctypes.data == tensor.data_ptr()
    assert [s // array.itemsize for s in array.strides] == list(tensor.stride()) or array.size == 0
    back = px.from_dlpack(LAYOUTS[layout](np.from_dlpack(sample(dtype))))
    assert back.dtype == tensor.dtype and back.tolist() == tensor.tolist()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_torch(dtype, layout):
    tensor = LAYOUTS[layout](sample(dtype))
    theirs = torch.from_dlpack(tensor)
    assert theirs.dtype == getattr(torch, dtype) and theirs.tolist() == tensor.tolist()
    assert theirs.numel() == 0 or theirs.data_ptr() == tensor.data_ptr()
    back = px.from_dlpack(theirs)
    assert back.dtype == tensor.dtype and back.tolist() == tensor.tolist()
    assert back.numel() == 0 or (back.data_ptr() == tensor.data_ptr() and back.stride() == tensor.stride())


@pytest.mark.parametrize("layout", COMPACT)
@pytest.mark.parametrize("dtype", DTYPES)
def test_jax(dtype, layout):
    tensor = LAYOUTS[layout](sample(dtype)).clone()
    theirs = jax.dlpack.from_dlpack(tensor)
    assert theirs.dtype == dtype and theirs.shape == tensor.shape
    assert np.asarray(theirs.astype(complex)).tolist() == tensor.to(px.complex128).tolist()
    back = px.from_dlpack(theirs)
    assert back.dtype == tensor.dtype and back.tolist() == tensor.tolist()


def test_writes_are_seen_on_both_sides():
    tensor = px.zeros(3)
    array, theirs = np.from_dlpack(tensor), torch.from_dlpack(tensor)
    tensor[0] = 1
    theirs[1] = 2
    assert array.tolist() == theirs.tolist() == tensor.tolist() == [1, 2, 0]
    array = np.zeros(3)
    tensor = px.from_dlpack(array)
    array[2] = 5
    tensor[0] = 4
    assert tensor.tolist() == array.tolist() == [4, 0, 5]


@pytest.mark.parametrize(
    "take", [np.from_dlpack, torch.from_dlpack, jax.dlpack.from_dlpack], ids=["numpy", "torch", "jax"]
)
def test_memory_outlives_the_tensor_that_gave_it(take):
    tensor = px.arange(1000.0)
    theirs = take(tensor)
    del tensor
    gc.collect()
    px.full((1000,), 7.0)  # would reuse the memory, were it free
    assert np.asarray(theirs).tolist() == list(range(1000))


class Owner(np.ndarray):
    """An array that can be watched."""


def test_memory_is_given_back_when_the_last_view_is_gone():
    array = np.arange(1000.0).view(Owner)
    gone = weakref.ref(array)
    tensor = px.from_dlpack(array)
    view = tensor[10:20]
    del array, tensor
    gc.collect()
    assert gone() is not None and view.tolist() == list(range(10, 20))
    del view
    gc.collect()
    assert gone() is None


def test_a_capsule_that_nobody_takes_frees_its_tensor():
    array = np.arange(3.0).view(Owner)
    gone = weakref.ref(array)
    capsule = px.from_dlpack(array).__dlpack__()
    del array
    gc.collect()
    assert gone() is not None
    del capsule
    gc.collect()
    assert gone() is None


def test_read_only_memory_stays_read_only():
    array = np.arange(3.0)
    array.flags.writeable = False
    tensor = px.from_dlpack(array)
    with pytest.raises(px.errors.PhloxError):
        tensor[0] = 1
    assert not np.from_dlpack(tensor).flags.writeable


def test_what_cannot_be_given():
    with pytest.raises(px.errors.GradientError):
        px.ones(2, requires_grad=True).__dlpack__()
    with pytest.raises(TypeError):
        px.from_dlpack(3)
    capsule = px.ones(2).__dlpack__()
    px.from_dlpack(capsule)
    with pytest.raises(ValueError, match="used"):
        px.from_dlpack(capsule)
