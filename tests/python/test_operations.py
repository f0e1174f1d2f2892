"""Every operation of the registry against NumPy and SciPy, and its gradients against finite differences.

Nothing here names an operation: what is tested, and how, is read from the registry. `-m slow` adds the full product of
samples, dtypes and layouts.
"""

import inspect
import itertools
import keyword

import numpy as np
import pytest
import sampling
from sampling import (
    COMPLEX,
    FLOATING,
    INTEGERS,
    LAYOUTS,
    as_list,
    convert,
    has_tensors,
    reference,
    to_reference,
    to_tensor,
)

import phlox as px

OPERATIONS = px.operations()
WITH_REFERENCE = [o for o in OPERATIONS if o.reference and (o.is_pointwise or o.samples)]
SAMPLED = [o for o in OPERATIONS if o.is_pointwise or o.samples]
DIFFERENTIABLE = [o for o in SAMPLED if o.differentiable and o.result in ("tensor", "tensors", "tuple")]
POINTWISE = [o for o in OPERATIONS if o.is_pointwise]


def named(operations):
    return pytest.mark.parametrize("operation", operations, ids=lambda o: o.__name__)


def samples_of(operation):
    return (
        sampling.pointwise_samples(operation) if operation.is_pointwise else sampling.read_samples(operation)
    )


def takes(operation, dtype):
    """Whether the operation is defined on the dtype."""
    if dtype in FLOATING:
        return not operation.is_pointwise or operation.pointwise["types"] != "integral"
    if dtype in COMPLEX:
        return operation.complex
    if dtype == "bool":
        return operation.is_pointwise and operation.pointwise["types"] in ("any", "integral")
    return operation.integers


def tolerance_of(operation, dtype):
    if dtype in COMPLEX:
        return tolerance_of(operation, "float32" if dtype == "complex64" else "float64")
    if dtype not in FLOATING:
        return 1e-5
    if dtype == "float64":
        return operation.tolerance * 1e-6
    # 1e-5 in float32 is a rounding or two; chains of operations say more, and round as often in half precision.
    return (
        max(operation.tolerance, 1e-6)
        if dtype == "float32"
        else FLOATING[dtype] * max(1, operation.tolerance / 1e-5)
    )


def assert_close(actual, expected, tolerance, what):
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape, f"{what}: shape {actual.shape}, expected {expected.shape}"
    if actual.dtype == bool or expected.dtype == bool:
        np.testing.assert_array_equal(actual.astype(bool), expected.astype(bool), err_msg=what)
        return
    scale = np.max(np.abs(expected), initial=0.0, where=np.isfinite(expected)) if expected.size else 0.0
    np.testing.assert_allclose(
        actual,
        expected,
        rtol=tolerance,
        atol=tolerance * max(1.0, float(scale)),
        err_msg=what,
        equal_nan=True,
    )


def check_values(operation, dtype, layout, sample):
    text, args, kwargs = sample
    what = f"{text} on {dtype}, {layout}"
    args, kwargs = (convert(a, lambda p: to_tensor(p, dtype, layout)) for a in (args, kwargs))
    expected = as_list(reference(operation, args, kwargs))
    results = as_list(operation(*args, **kwargs))
    assert len(results) == len(expected), f"{what}: {len(results)} results, expected {len(expected)}"
    for result, wanted in zip(results, expected):
        if isinstance(result, (px.Tensor, float, int, bool)):
            assert_close(to_reference(result), wanted, tolerance_of(operation, dtype), what)


@named(WITH_REFERENCE)
def test_values(operation):
    """In float32 (int64 where there is no float), with all layouts."""
    dtype = "float32" if takes(operation, "float32") else "int64"
    for sample, layout in itertools.product(samples_of(operation), LAYOUTS):
        check_values(operation, dtype, layout, sample)


@named(WITH_REFERENCE)
def test_dtypes(operation):
    """In all dtypes, row-major."""
    for dtype in ["float64", "float16", "bfloat16", "bool", *INTEGERS, *COMPLEX]:
        if not takes(operation, dtype):
            continue
        for sample in filter(has_tensors, samples_of(operation)):
            check_values(operation, dtype, "contiguous", sample)


@pytest.mark.slow
@named(WITH_REFERENCE)
def test_dtypes_and_layouts(operation):
    """The full product."""
    for dtype, layout in itertools.product(
        ["float64", "float16", "bfloat16", "bool", *INTEGERS, *COMPLEX], LAYOUTS
    ):
        if takes(operation, dtype):
            for sample in filter(has_tensors, samples_of(operation)):
                check_values(operation, dtype, layout, sample)


@named([o for o in POINTWISE if o.reference and o.pointwise["types"] != "integral"])
def test_special_values(operation):
    """NaN, infinities, signed zeros, the largest and smallest numbers."""
    special = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 1e-300, 1e300])
    operands = operation.pointwise["operands"]
    grids = np.meshgrid(*[special] * min(operands, 2), indexing="ij")
    arrays = [grid.ravel().copy() for grid in grids] + [np.full(grids[0].size, 0.5)] * (operands - 2)
    args = [
        px.from_numpy(array > 0 if operation.pointwise["masks"] >> i & 1 else array)
        for i, array in enumerate(arrays)
    ]
    args += [2 if p[1] == "integer" else 0.75 for p in operation.parameters[operands:] if p[2]]
    assert_close(to_reference(operation(*args)), reference(operation, args, {}), 1e-9, operation.__name__)


# --- gradients


def differentiable_inputs(args, kwargs):
    """Tensors that require gradients, in nested arguments."""
    found = []

    def visit(value):
        if isinstance(value, px.Tensor) and value.requires_grad:
            found.append(value)
        elif isinstance(value, (list, tuple)):
            for v in value:
                visit(v)
        elif isinstance(value, dict):
            for v in value.values():
                visit(v)

    visit(args)
    visit(kwargs)
    return found


def weighted_sum(results, seed):
    """The results that depend on the inputs, as one number."""
    random = np.random.default_rng(seed)
    total = None
    for result in as_list(results):
        if isinstance(result, px.Tensor) and result.requires_grad:
            if result.dtype.is_complex:
                result = px.view_as_real(result)
            weights = px.from_numpy(random.uniform(0.5, 1.5, tuple(result.shape)))
            part = (result * weights).sum()
            total = part if total is None else total + part
    return total


def directional(function, inputs, directions, step=1e-6):
    """The derivative of function() when all inputs move in the directions at once, by central differences."""
    originals = [x.detach().clone() for x in inputs]
    values = []
    for sign in (1, -1):
        with px.no_grad():
            for x, original, direction in zip(inputs, originals, directions):
                x.copy_(original + direction * (sign * step))
        values.append(function())
    with px.no_grad():
        for x, original in zip(inputs, originals):
            x.copy_(original)
    return (values[0] - values[1]) / (2 * step)


def along(gradients, directions):
    """The derivative along directions that gradients promise: the real part of g conj(d), summed."""
    return sum((g * d.conj()).real.sum().item() for g, d in zip(gradients, directions) if g is not None)


def prepared(sample, layout, dtype="float64"):
    text, args, kwargs = sample
    args, kwargs = (
        convert(a, lambda p: to_tensor(p, dtype, layout, requires_grad=True)) for a in (args, kwargs)
    )
    inputs = differentiable_inputs(args, kwargs)
    random = np.random.default_rng(sampling.hash_text(text))

    def direction(x):
        values = np.asarray(random.uniform(-1, 1, tuple(x.shape)))
        return px.from_numpy(values + 1j * values[::-1] if x.dtype.is_complex and x.ndim else values)

    directions = [direction(x).to(x.dtype) for x in inputs]
    return args, kwargs, inputs, directions


def check_gradient(operation, sample, layout, second, dtype="float64"):
    args, kwargs, inputs, directions = prepared(sample, layout, dtype)
    if not inputs:
        return
    tolerance = max(1e-5, operation.pointwise["gradient_tolerance"] if operation.is_pointwise else 0)

    def value():
        return weighted_sum(operation(*args, **kwargs), 1)

    total = value()
    if total is None or not total.requires_grad:
        return
    if not second:
        gradients = px.autograd.grad(total, inputs, allow_unused=True)
        expected = directional(lambda: value().item(), inputs, directions)
        actual = along(gradients, directions)
    else:

        def first_order():
            gradients = px.autograd.grad(value(), inputs, create_graph=True, allow_unused=True)
            return weighted_sum([g for g in gradients if g is not None], 2)

        total = first_order()
        if total is None:
            return  # linear
        if operation.is_pointwise and operation.pointwise["derivative_orders"] < 2:
            with pytest.raises(px.NotSupportedError):
                px.autograd.grad(total, inputs, allow_unused=True)
            return
        gradients = px.autograd.grad(total, inputs, allow_unused=True)
        expected = directional(lambda: first_order().item(), inputs, directions)
        actual = along(gradients, directions)
    assert actual == pytest.approx(expected, rel=tolerance, abs=tolerance * 10), f"{sample[0]}, {layout}"


@named(DIFFERENTIABLE)
def test_gradients(operation):
    """Against finite differences in float64."""
    for sample in samples_of(operation):
        check_gradient(operation, sample, "contiguous", second=False)


@named([o for o in DIFFERENTIABLE if o.complex])
def test_complex_gradients(operation):
    """Of complex tensors, first and second, against finite differences in complex128."""
    for sample in samples_of(operation):
        check_gradient(operation, sample, "contiguous", second=False, dtype="complex128")
    check_gradient(operation, samples_of(operation)[0], "contiguous", second=True, dtype="complex128")


@named(DIFFERENTIABLE)
def test_second_gradients(operation):
    """The gradient of the gradient against finite differences of the gradient."""
    for sample in samples_of(operation)[:2]:
        check_gradient(operation, sample, "contiguous", second=True)


@pytest.mark.slow
@named(DIFFERENTIABLE)
def test_gradients_with_layouts(operation):
    for sample, layout in itertools.product(samples_of(operation), LAYOUTS[1:4]):
        check_gradient(operation, sample, layout, second=False)


# --- other forms


@named([o for o in SAMPLED if o.takes_out and o.family != "random"])
def test_in_place_and_out(operation):
    """x.name_() and out= give what name() gives."""
    dtype = "float32" if takes(operation, "float32") else "int64"
    for sample in samples_of(operation)[:1]:
        args, kwargs = (convert(a, lambda p: to_tensor(p, dtype, "contiguous")) for a in sample[1:])
        expected = operation(*args, **kwargs)
        out = [px.empty(e.shape, dtype=e.dtype) for e in as_list(expected)]
        out = out[0] if operation.result == "tensor" else tuple(out)
        assert operation(*args, **kwargs, out=out) is out
        for written, wanted in zip(as_list(out), as_list(expected)):
            np.testing.assert_array_equal(to_reference(written), to_reference(wanted))
        method = getattr(px.Tensor, operation.__name__ + "_", None)
        if isinstance(method, px._phlox.OperationMethod) and method.family == operation.family:
            target = args[0].clone()
            assert method(target, *args[1:], **kwargs) is target
            np.testing.assert_array_equal(to_reference(target), to_reference(expected.to(target.dtype)))


@named([o for o in SAMPLED if o.is_method])
def test_method_is_function(operation):
    """x.name(...) is px.name(x, ...)."""
    dtype = "float32" if takes(operation, "float32") else "int64"
    for sample in samples_of(operation)[:1]:
        args, kwargs = (convert(a, lambda p: to_tensor(p, dtype, "contiguous")) for a in sample[1:])
        if not args or not isinstance(args[0], px.Tensor):
            continue
        if operation.family in ("random", "in-place"):
            continue
        function, method = (
            operation(*args, **kwargs),
            getattr(args[0], operation.__name__)(*args[1:], **kwargs),
        )
        for a, b in zip(as_list(function), as_list(method)):
            np.testing.assert_array_equal(to_reference(a), to_reference(b))


@named(OPERATIONS)
def test_documentation(operation):
    """Each operation says what it computes and has a signature; what can be compared has samples."""
    assert operation.doc, "no documentation"
    assert operation.__doc__.startswith(operation.doc)
    signature = inspect.signature(operation)
    names = {name + "_" * keyword.iskeyword(name) for name, *_ in operation.parameters}
    assert names <= set(signature.parameters)
    if operation.reference and not operation.is_pointwise:
        assert operation.samples, "a reference needs samples"


def test_bounds_and_sizes_of_random_integers():
    assert px.randint(0, 5, (3,)).shape == px.randint(5, (3,)).shape == (3,)
    drawn = px.randint(2, 4, (50,), generator=None)
    assert set(drawn.tolist()) == {2, 3}


def test_out_is_checked():
    """The target has the shape and the kind of the result, and takes no part in gradients."""
    x = px.ones(2, 3)
    with pytest.raises(px.ShapeError, match=r"softmax: the result \[2,3\] does not fit the target \[3\]"):
        px.softmax(x, 1, out=px.empty(3))
    with pytest.raises(px.DTypeError, match="does not fit into a int64 tensor"):
        px.softmax(x, 1, out=px.empty(2, 3, dtype=px.int64))
    with pytest.raises(px.GradientError, match="out= cannot take part in gradients"):
        px.softmax(x.requires_grad_(), 1, out=px.empty(2, 3))
    with pytest.raises(TypeError, match="a tuple of 2 tensors"):
        px.sort(px.ones(3), out=px.empty(3))
    with pytest.raises(TypeError, match="there is no argument 'out'"):
        px.reshape(px.ones(3), (3, 1), out=px.empty(3, 1))
    wide = px.empty(2, 3, dtype=px.float64)
    assert px.sum(px.ones(4, 2, 3), 0, out=wide) is wide and wide.tolist() == [[4.0] * 3] * 2
