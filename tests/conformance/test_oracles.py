"""NumPy and SciPy as judges over what Hypothesis thinks of: shapes, memory layouts, dtypes, axes, special values."""

import sys
from pathlib import Path

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import scipy
from hypothesis import given, settings
from hypothesis import strategies as st

import phlox as px

sys.path.insert(0, str(Path(__file__).parents[1] / "python"))

from sampling import laid_out, reference  # noqa: E402

settings.register_profile("oracles", max_examples=60, deadline=None, derandomize=True, database=None)
settings.load_profile("oracles")

LAYOUTS = ["contiguous", "transposed", "strided", "flipped"]
FLOATS = ["float32", "float64"]
INTEGERS = ["int8", "uint8", "int32", "int64", "uint64"]
SPECIAL = [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 0.5, 1e-30, -1e30, 3.5, 1e-40]
RELATIVE = {"float32": 1e-5, "float64": 1e-11, "complex64": 1e-5, "complex128": 1e-11}

SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)


def values(dtype):
    """Numbers of a dtype, special ones often."""
    if dtype == "bool":
        return st.booleans()
    if dtype in FLOATS:
        width = 32 if dtype == "float32" else 64
        ordinary = st.floats(-8, 8, width=width)
        return ordinary | st.sampled_from([float(np.dtype(dtype).type(v)) for v in SPECIAL]) | ordinary
    if dtype.startswith("complex"):
        part = values("float32" if dtype == "complex64" else "float64")
        return st.builds(complex, part, part)
    limits = np.iinfo(dtype)
    return st.integers(limits.min, limits.max) | st.integers(max(limits.min, -9), 9)


@st.composite
def arrays(draw, shape=SHAPES, dtype=None, elements=None):
    dtype = draw(st.sampled_from(FLOATS)) if dtype is None else dtype
    array = draw(hnp.arrays(dtype, shape, elements=values(dtype) if elements is None else elements))
    return laid_out(array, draw(st.sampled_from(LAYOUTS)))


def assert_same(tensor, array, what="", cancelled=0):
    """Equal integers; floats up to some units in the last place, or what is lost in underflow."""
    array = np.asarray(array)
    found = tensor.detach().numpy()
    assert found.shape == array.shape, what
    if found.dtype.kind not in "fc":
        np.testing.assert_array_equal(found, array, err_msg=what)
        return
    with np.errstate(all="ignore"):
        array = array.astype(found.dtype)
    absolute = max(np.finfo(found.dtype).tiny * 4, cancelled)
    np.testing.assert_allclose(found, array, rtol=RELATIVE[found.dtype.name], atol=absolute, err_msg=what)


# How far results may be off where the last step of a formula cancels, relative to 1.
OSCILLATING = {"float32": 1e-6, "float64": 1e-14}  # near their zeros
CANCELLATION = {
    **dict.fromkeys(("airy_ai", "bessel_j0", "bessel_j1", "bessel_y0", "bessel_y1"), OSCILLATING),
    "gelu_tanh": {"float32": 1e-6, "float64": 1e-14},
    "tanhshrink": {"float32": 1e-7, "float64": 1e-16},
    "sinc": {"float32": 1e-16, "float64": 1e-16},  # zero at integers, where NumPy has sin(np.pi)
}

POINTWISE = [
    o
    for o in px.operations()
    if o.is_pointwise
    and o.reference
    and not o.overload_of
    and all(kind in ("tensor", "operand") for _, kind, required, _ in o.parameters if required)
]


@pytest.mark.parametrize("operation", POINTWISE, ids=lambda o: o.__name__)
@given(data=st.data())
def test_pointwise(operation, data):
    tensors = [p for p in operation.parameters if p[1] in ("tensor", "operand")]
    masks = operation.pointwise["masks"]
    dtypes = INTEGERS if operation.pointwise["types"] == "integral" else FLOATS
    if operation.__name__ == "nextafter":  # of a float64 is another number
        dtypes = ["float64"]
    dtype = data.draw(st.sampled_from(dtypes))
    shapes = data.draw(
        hnp.mutually_broadcastable_shapes(num_shapes=len(tensors), max_dims=3, max_side=4)
    ).input_shapes
    operands = [
        data.draw(arrays(shape, "bool" if masks >> i & 1 else dtype, elements_of(operation, i, dtype)))
        for i, shape in enumerate(shapes)
    ]
    inputs = [px.from_numpy(a) for a in operands]
    found = getattr(px, operation.__name__)(*inputs)
    with np.errstate(all="ignore"):
        wanted = reference(operation, tuple(inputs), {})
    assert_same(found, wanted, operation.__name__, CANCELLATION.get(operation.__name__, {}).get(dtype, 0))


def elements_of(operation, position, dtype):
    """Where NumPy and SciPy judge, if not everywhere."""
    name = operation.__name__
    if "shift" in name and position == 1:  # NumPy leaves counts beyond the width to the processor
        return st.integers(0, np.iinfo(dtype).bits - 1)
    # Elsewhere SciPy loses the phase of oscillations, or what is left near a pole; the MPFR sweep of docs/accuracy.md
    # goes all the way.
    limits = {"airy_ai": (-40, 8), "digamma": (0.125, 64)}
    if name.startswith("bessel_") or name in limits:
        return st.floats(*limits.get(name, (-64, 64)), width=32) | st.sampled_from([np.inf, np.nan])
    return None


def axes_of(array):
    return st.none() | st.sampled_from(range(-array.ndim, array.ndim)) if array.ndim else st.none()


REDUCTIONS = {
    "sum": np.sum,
    "prod": np.prod,
    "mean": np.mean,
    "amax": np.max,
    "amin": np.min,
    "all": np.all,
    "any": np.any,
    "nansum": np.nansum,
    "count_nonzero": np.count_nonzero,
    "argmax": np.argmax,
    "argmin": np.argmin,
    "logsumexp": scipy.special.logsumexp,
}


@pytest.mark.parametrize("name", REDUCTIONS)
@given(data=st.data())
def test_reductions(name, data):
    filled = name in ("amax", "amin", "argmax", "argmin", "logsumexp", "mean")
    shapes = hnp.array_shapes(min_dims=1, max_dims=4, min_side=1 if filled else 0, max_side=5)
    # Where products underflow, and are infinite elsewhere, their order matters.
    ordinary = st.floats(0.125, 8) | st.floats(-8, -0.125) if name == "prod" else st.floats(-8, 8)
    array = data.draw(
        arrays(shapes, "float64", ordinary | st.sampled_from([0.0, -0.0, np.inf, -np.inf, np.nan]))
    )
    axis = data.draw(axes_of(array))
    with np.errstate(all="ignore"):
        wanted = REDUCTIONS[name](array, axis=axis)
    found = (
        getattr(px, name)(px.from_numpy(array))
        if axis is None
        else getattr(px, name)(px.from_numpy(array), axis)
    )
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize(
    "name", ["sum", "prod", "amax", "amin", "argmax", "argmin", "cumsum", "cumprod", "sort"]
)
@pytest.mark.parametrize("dtype", ["bool", *INTEGERS])
@given(data=st.data())
def test_integers_along_an_axis(name, dtype, data):
    array = data.draw(arrays(hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=5), dtype))
    axis = data.draw(st.sampled_from(range(-array.ndim, array.ndim)))
    found = getattr(px, name)(px.from_numpy(array), axis)
    found = found.values if name == "sort" else found
    wanted = getattr(np, name)(array, axis=axis)
    np.testing.assert_array_equal(found.numpy(), wanted.astype(found.numpy().dtype))  # sums wrap alike


@pytest.mark.parametrize("descending", [False, True])
@given(array=arrays(hnp.array_shapes(min_dims=1, max_dims=3, max_side=9)))
def test_sorting_puts_nan_last_and_is_stable(descending, array):
    tensor = px.from_numpy(array)
    if not descending:
        np.testing.assert_array_equal(px.sort(tensor).values.numpy(), np.sort(array))
    order = px.argsort(tensor, descending=descending, stable=True)
    key = -array if descending else array
    if not np.isnan(array).any():
        np.testing.assert_array_equal(order.numpy(), np.argsort(key, kind="stable"))


@given(data=st.data())
def test_basic_indices(data):
    array = data.draw(arrays(hnp.array_shapes(min_dims=1, max_dims=4, max_side=5), "int64"))
    index = data.draw(hnp.basic_indices(array.shape, allow_newaxis=True))
    found = px.from_numpy(array)[index]
    np.testing.assert_array_equal(found.numpy(), array[index])
    written, tensor = array.copy(), px.from_numpy(array.copy())
    written[index], tensor[index] = 7, 7
    np.testing.assert_array_equal(tensor.numpy(), written)


@given(data=st.data())
def test_indices_by_arrays_and_masks(data):
    array = data.draw(arrays(hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=5), "int64"))
    kind = data.draw(st.sampled_from(["places", "mask", "mixed"]))
    if kind == "mask":
        index = data.draw(hnp.arrays("bool", array.shape[: data.draw(st.integers(1, array.ndim))]))
    else:
        count = data.draw(st.integers(1, array.ndim))
        index = data.draw(
            hnp.integer_array_indices(array.shape[:count], result_shape=hnp.array_shapes(max_dims=2))
        )
        if kind == "mixed" and array.ndim > count:
            index = (*index, slice(None, None, 2))
    ours = tuple(map(as_index, index)) if isinstance(index, tuple) else as_index(index)
    found = px.from_numpy(array)[ours]
    np.testing.assert_array_equal(found.numpy(), array[index])
    written, tensor = array.copy(), px.from_numpy(array.copy())
    written[index], tensor[ours] = -1, -1
    np.testing.assert_array_equal(tensor.numpy(), written)


def as_index(part):
    return px.from_numpy(part) if isinstance(part, np.ndarray) else part


@pytest.mark.parametrize("dtype", ["float64", "complex128", "int64", "uint8"])
@given(data=st.data())
def test_matmul(dtype, data):
    signature = hnp.mutually_broadcastable_shapes(
        signature="(m?,n),(n,p?)->(m?,p?)", max_dims=2, max_side=4, min_side=0
    )
    shapes = data.draw(signature).input_shapes
    numbers = {
        "float64": st.integers(-9, 9).map(float),
        "complex128": st.builds(complex, st.integers(-9, 9), st.integers(-9, 9)),
    }.get(dtype)
    left, right = (data.draw(arrays(shape, dtype, numbers)) for shape in shapes)
    found = px.from_numpy(left) @ px.from_numpy(right)
    np.testing.assert_array_equal(found.numpy(), left @ right)


@st.composite
def equations(draw):
    """An einsum of up to four operands, with sizes of its letters."""
    letters = "abcdef"
    terms = draw(st.lists(st.text(letters, max_size=3), min_size=1, max_size=4))
    used = sorted(set("".join(terms)))
    output = "".join(draw(st.permutations(used)))[: draw(st.integers(0, len(used)))]
    sizes = {letter: draw(st.integers(0, 4)) for letter in used}
    return ",".join(terms) + "->" + output, [tuple(sizes[c] for c in term) for term in terms]


@pytest.mark.parametrize("dtype", ["float64", "complex128", "int64"])
@given(data=st.data())
def test_einsum(dtype, data):
    equation, shapes = data.draw(equations())
    numbers = st.integers(-4, 4).map(np.dtype(dtype).type)
    operands = [data.draw(arrays(shape, dtype, numbers)) for shape in shapes]
    found = px.einsum(equation, *map(px.from_numpy, operands))
    np.testing.assert_array_equal(found.numpy(), np.einsum(equation, *operands))


DTYPES = ["bool", *INTEGERS, "int16", "uint16", "uint32", *FLOATS, "complex64", "complex128"]


@given(data=st.data())
def test_conversions(data):
    start, end = data.draw(st.sampled_from(DTYPES)), data.draw(st.sampled_from(DTYPES))
    numbers = st.integers(0, 1 if start == "bool" else 100).map(np.dtype(start).type)
    array = data.draw(arrays(dtype=start, elements=numbers))
    found = px.from_numpy(array).to(getattr(px, end))
    assert found.numpy().dtype == end
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(
            found.numpy(), array.astype("float64" if start[0] == "c" else start).astype(end)
        )
