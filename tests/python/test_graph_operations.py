"""Every operation of the registry, captured: the graph gives the bits of eager execution, also after it was read back from
its text, with gradients and with second gradients.
"""

# shard: graph

import itertools

import pytest
from sampling import COMPLEX, as_list, convert, to_tensor
from test_operations import (
    DIFFERENTIABLE,
    LAYOUTS,
    OPERATIONS,
    SAMPLED,
    named,
    prepared,
    samples_of,
    takes,
    weighted_sum,
)

import phlox as px

RESULTS_ARE_TENSORS = [o for o in SAMPLED if o.result in ("tensor", "tensors", "tuple")]


def bits(value):
    """Something that is equal exactly when values, shapes, dtypes and signs of zeros are."""
    if isinstance(value, px.Tensor):
        value = value.detach()
        if value.dtype == px.bfloat16:
            value = value.view(px.int16) if value.is_contiguous() else value.clone().view(px.int16)
        return str(value.dtype), tuple(value.shape), value.contiguous().numpy().tobytes()
    return value


def capture(function, *args, **kwargs):
    """What the captured function gives, and what its graph gives when it was read back; neither when it may not be captured."""
    traced = px.trace(function, *args, **kwargs)
    graph = px.Graph.parse(str(traced.graph), traced.graph.constants)
    graph.verify()
    assert str(graph) == str(traced.graph)
    return traced


def check(operation, function, sample, args, kwargs, exact=True):
    state = px.get_rng_state()
    expected = as_list(function(*args, **kwargs))
    after = px.get_rng_state()
    try:
        traced = capture(function, *args, **kwargs)
    except px.GraphError:
        if operation.reads_values:
            return
        raise
    px.set_rng_state(state)
    actual = as_list(traced(*args, **kwargs))
    what = f"{sample[0]}\n{traced.graph}"
    px.set_rng_state(state)
    fast = traced.optimize()
    fast.graph.verify()
    assert list(map(bits, as_list(fast(*args, **kwargs)))) == list(map(bits, actual)), f"{what}\n{fast.graph}"
    assert str(fast.optimize().graph) == str(fast.graph), "optimised once is optimised"
    if exact:
        assert list(map(bits, actual)) == list(map(bits, expected)), what
    else:
        for a, b in zip(actual, expected, strict=True):
            px.testing.assert_close(a, b, rtol=1e-12, atol=1e-12, equal_nan=True, msg=what)
    assert px.get_rng_state() == after, "the random state afterwards"


@named(RESULTS_ARE_TENSORS)
def test_eager_is_captured(operation):
    """In the dtypes and layouts that take other ways through the code."""
    dtypes = [d for d in ("float32", "int64", "float16", "complex64") if takes(operation, d)]
    for sample in samples_of(operation):
        for dtype, layout in itertools.product(dtypes, LAYOUTS if len(dtypes) else []):
            if layout != "contiguous" and dtype != dtypes[0]:
                continue
            args, kwargs = (convert(a, lambda p: to_tensor(p, dtype, layout)) for a in sample[1:])
            check(operation, operation, sample, args, kwargs)


@named(DIFFERENTIABLE)
def test_gradients_are_captured(operation):
    """First and second gradients, computed inside of the captured function."""
    for sample in samples_of(operation)[:2]:
        args, kwargs, inputs, _ = prepared(sample, "contiguous")
        if not inputs:
            continue
        total = weighted_sum(operation(*args, **kwargs), 1)
        if total is None or not total.requires_grad:
            continue

        def gradients(second, args=args, kwargs=kwargs, inputs=inputs):
            total = weighted_sum(operation(*args, **kwargs), 1)
            found = px.autograd.grad(total, inputs, create_graph=second, allow_unused=True)
            if second:
                total = weighted_sum([g for g in found if g is not None], 2)
                if total is None or not total.requires_grad:
                    return []
                found = px.autograd.grad(total, inputs, allow_unused=True)
            return [g for g in found if g is not None]

        for second in (False, True):
            if second and operation.is_pointwise and operation.pointwise["derivative_orders"] < 2:
                continue
            # The gradient of a product looks for zeros eagerly, and takes the way that is right for all when captured.
            check(operation, lambda second=second: gradients(second), sample, (), {}, exact=not second)


def test_refused_operations_say_why():
    """Operations that ask for values say so; they are less than one in ten."""
    refused = [o.__name__ for o in OPERATIONS if o.reads_values]
    assert 5 < len(refused) < len(OPERATIONS) / 10
    with pytest.raises(px.GraphError) as error:
        px.trace(px.unique, px.tensor([1, 2, 2]))
    assert error.value.code in ("E1001", "E1002")


def test_complex_numbers_are_covered():
    assert any(takes(o, d) for o in RESULTS_ARE_TENSORS for d in COMPLEX)
