"""What the programs call beside Phlox."""

import math

import numpy as np

import phlox as px

LAYOUTS = ["contiguous", "transposed", "strided", "flipped", "part", "expanded", "foreign"]


def data(seed, shape, dtype="float32", layout="contiguous", special=False):
    """A tensor of random values; with NaN, infinities and zeros of both signs if `special`."""
    random = np.random.default_rng(seed)
    shape = list(shape)
    if layout == "transposed":
        shape.reverse()
    elif layout == "strided" and shape:
        shape[-1] *= 2
    elif layout == "part" and shape:
        shape[0] += 2
    elif layout == "expanded" and shape:
        shape[0] = min(shape[0], 1)
    array = random.uniform(-2, 2, shape)
    if special and array.size:
        values = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, 1e30, 1e-42]
        array = np.where(random.random(shape) < 0.4, random.choice(values, shape), array)
    if dtype == "bool":
        array = array > 0
    elif dtype.startswith("int"):
        array = np.nan_to_num(array * 3, posinf=9, neginf=-9).clip(-9, 9).astype(dtype)
    elif dtype.startswith("uint"):
        array = np.nan_to_num(abs(array) * 3, posinf=9).clip(0, 9).astype(dtype)
    elif dtype.startswith("complex"):
        array = (array + 1j * random.uniform(-2, 2, shape)).astype(dtype)
    else:
        with np.errstate(over="ignore"):
            array = array.astype("float32" if dtype == "bfloat16" else dtype)
    if layout == "foreign" and array.ndim:
        return px.from_numpy(np.ascontiguousarray(array[::-1])[::-1]).to(getattr(px, dtype))
    tensor = px.tensor(array).to(getattr(px, dtype))
    if layout == "transposed":
        return tensor.permute(*reversed(range(tensor.dim())))
    if layout == "strided" and tensor.dim():
        return tensor[..., ::2]
    if layout == "flipped" and tensor.dim():
        return tensor[..., ::-1]
    if layout == "part" and tensor.dim():
        return tensor[1:-1]
    if layout == "expanded" and tensor.dim() and tensor.shape[0]:
        return tensor.expand(-1 if not shape else max(1, shape[0]), *tensor.shape[1:])
    return tensor


def fit(x, shape):
    """The elements of a tensor, over and over, in another shape: a view where that is possible."""
    if tuple(x.shape) == tuple(shape):
        return x
    count, present = math.prod(shape), x.numel()
    if present == 0:
        return px.zeros(shape, dtype=x.dtype)
    flat = x.reshape(-1)
    if count > present:
        flat = px.cat([flat] * math.ceil(count / present))
    return flat[:count].reshape(shape)


def index(x, n, shape):
    """Places from 0 to n - 1 that depend on the values of a tensor."""
    if x.dtype.is_complex:
        x = x.real
    x = px.nan_to_num(fit(x, shape).to(px.float32), 0.0, 7.0, 3.0)
    return (x.abs().clamp(max=99.0) * 3).to(px.int64) % n
