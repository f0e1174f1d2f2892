"""vmap gives what a loop over the samples gives, for every operation of the registry; with gradients, in-place writes,
random numbers, and around and inside of itself and of traces.
"""

# shard: graph
import pytest
from sampling import as_list, convert, to_tensor
from test_operations import DIFFERENTIABLE, SAMPLED, named, prepared, samples_of, takes, weighted_sum

import phlox as px

SAMPLES = 3
RESULTS_ARE_TENSORS = [o for o in SAMPLED if o.result in ("tensor", "tensors", "tuple")]
# Sums of products run in an order that depends on the shapes, and libraries choose it.
EXACT_FAMILIES = {"pointwise", "view", "conversion", "sort", "index", "join"}


def close(actual, expected, exact, what):
    for a, b in zip(as_list(actual), as_list(expected), strict=True):
        a, b = a.detach(), b.detach()
        if exact:
            px.testing.assert_close(a, b, rtol=0, atol=0, equal_nan=True, msg=what)
        else:
            px.testing.assert_close(a, b, rtol=2e-5, atol=2e-5, equal_nan=True, msg=what)


def tensors_of(args, kwargs):
    """The numbers of the tensor arguments, and a function that puts others in their places."""
    found = []

    def search(value):
        if isinstance(value, px.Tensor):
            found.append(value)
        elif isinstance(value, (list, tuple)):
            for v in value:
                search(v)
        elif isinstance(value, dict):
            search(list(value.values()))

    def put(value, values):
        if isinstance(value, px.Tensor):
            return next(values)
        if isinstance(value, (list, tuple)):
            return type(value)(put(v, values) for v in value)
        if isinstance(value, dict):
            return {k: put(v, values) for k, v in value.items()}
        return value

    def rebuilt(tensors):
        values = iter(tensors)
        return put(args, values), put(kwargs, values)

    search((args, kwargs))
    return found, rebuilt


def batch_of(tensor, dim):
    """Samples that are like the tensor but differ: its elements moved round."""
    flat = tensor.detach().reshape(-1)
    parts = [
        px.roll(flat, i).reshape(tensor.shape) if flat.numel() else tensor.detach() for i in range(SAMPLES)
    ]
    return px.stack(parts, dim)


def loop(function, tensors, dims):
    results = []
    count = next(t.shape[d] for t, d in zip(tensors, dims) if d is not None)
    for i in range(count):
        results.append(
            as_list(function(*(t if d is None else t.select(d, i) for t, d in zip(tensors, dims))))
        )
    return [px.stack(parts) for parts in zip(*results)]


@named(RESULTS_ARE_TENSORS)
def test_vmap_is_a_loop(operation):
    """Over dimension 0 of the first tensor, of all tensors, and over the last dimension."""
    if not takes(operation, "float32"):
        return
    for sample in samples_of(operation):
        args, kwargs = (convert(a, lambda p: to_tensor(p, "float32", "contiguous")) for a in sample[1:])
        tensors, rebuilt = tensors_of(args, kwargs)
        if not tensors:
            continue

        def function(*values, rebuilt=rebuilt):
            args, kwargs = rebuilt(values)
            return tuple(as_list(operation(*args, **kwargs)))

        for mapped, dim in ((1, 0), (len(tensors), 0), (len(tensors), -1)):
            values = [batch_of(t, dim) if i < mapped else t for i, t in enumerate(tensors)]
            dims = [dim if i < mapped else None for i in range(len(tensors))]
            what = f"{sample[0]}, in_dims={dims}"
            try:
                expected = loop(function, values, dims)
            except px.PhloxError:
                continue  # no tensor of the operation: not in the order that it demands, for instance
            try:
                actual = px.vmap(function, tuple(dims), randomness="different")(*values)
            except px.GraphError:
                assert operation.reads_values, what
                continue
            close(actual, expected, operation.is_pointwise or operation.family in EXACT_FAMILIES, what)


@named(DIFFERENTIABLE)
def test_gradients_of_samples(operation):
    """Gradients inside of vmap are those of each sample, and those through vmap are those through the loop."""
    for sample in samples_of(operation)[:2]:
        args, kwargs, inputs, _ = prepared(sample, "contiguous")
        if not inputs:
            continue
        total = weighted_sum(operation(*args, **kwargs), 1)
        if total is None or not total.requires_grad:
            continue
        first = inputs[0]
        tensors, rebuilt = tensors_of(args, kwargs)
        place = next(i for i, t in enumerate(tensors) if t is first)

        def value(x, rebuilt=rebuilt, tensors=tensors, place=place):
            args, kwargs = rebuilt([x if i == place else t.detach() for i, t in enumerate(tensors)])
            return weighted_sum(operation(*args, **kwargs), 1)

        def gradient(x, value=value):
            x = x.detach().requires_grad_()
            (found,) = px.autograd.grad(value(x), x, allow_unused=True)
            return px.zeros_like(x) if found is None else found

        batch = batch_of(first, 0)
        try:
            expected = px.stack([gradient(x) for x in batch])
        except px.PhloxError:
            continue
        try:
            inside = px.vmap(gradient, randomness="different")(batch)
            batch.requires_grad_()
            (through,) = px.autograd.grad(
                px.vmap(value, randomness="different")(batch).sum(), batch, allow_unused=True
            )
        except px.GraphError:
            assert operation.reads_values, sample[0]
            continue
        through = px.zeros_like(batch) if through is None else through
        px.testing.assert_close(inside, expected, rtol=1e-9, atol=1e-9, equal_nan=True, msg=sample[0])
        px.testing.assert_close(through, expected, rtol=1e-9, atol=1e-9, equal_nan=True, msg=sample[0])


def test_structures_and_dimensions():
    weights = {"w": px.randn(3, 2), "b": px.randn(2, 5)}

    def layer(weights, x):
        y = x @ weights["w"] + weights["b"]
        return {"y": y, "sum": (y.sum(), y.mean())}

    x = px.randn(4, 3, 5)
    dims = ({"w": None, "b": 1}, 2)
    result = px.vmap(layer, dims, {"y": -1, "sum": (0, 0)})(weights, x)
    assert result["y"].shape == (4, 2, 5)
    for i in range(5):
        expected = layer({"w": weights["w"], "b": weights["b"][:, i]}, x[:, :, i])
        px.testing.assert_close(result["y"][..., i], expected["y"])
        px.testing.assert_close(result["sum"][1][i], expected["sum"][1])
    shared = px.vmap(lambda x: (x * 2, px.ones(2)), out_dims=(0, None))(px.randn(3))[1]
    assert shared.shape == (2,)
    assert px.vmap(lambda x: px.ones(2))(px.randn(3)).shape == (3, 2)
    assert px.vmap(lambda x: x + 1)(px.randn(0, 2)).shape == (0, 2)


def test_nested():
    a, b = px.randn(3, 2), px.randn(4, 2)
    table = px.vmap(px.vmap(px.dot, (None, 0)), (0, None))(a, b)
    px.testing.assert_close(table, a @ b.T)
    deep = px.vmap(px.vmap(px.vmap(lambda x: x.cumsum(0) * 2, 1), 0), -1)(px.arange(120).reshape(2, 3, 4, 5))
    expected = px.vmap(lambda x: px.stack([px.stack([c.cumsum(0) * 2 for c in r.T]) for r in x]), -1)
    px.testing.assert_close(deep, expected(px.arange(120).reshape(2, 3, 4, 5)))


def test_chunks():
    x = px.randn(7, 3)
    sizes = []

    def function(row):
        sizes.append(row.shape)
        return row.sort()[0], row.sum()

    values, sums = px.vmap(function, out_dims=(1, 0), chunk_size=3)(x)
    assert len(sizes) == 3
    px.testing.assert_close(values, px.sort(x, 1)[0].T)
    px.testing.assert_close(sums, x.sum(1))


def test_writes_in_place():
    def moving_sums(x):
        out = px.zeros(4)
        out[0] = x[0]
        for i in range(1, 4):
            out[i] += out[i - 1] + x[i]
        view = out.view(2, 2).T
        view[1] *= 2
        y = x.clone()
        y.mul_(out)
        return out, y, view

    x = px.randn(5, 4)
    close(px.vmap(moving_sums)(x), loop(moving_sums, [x], [0]), False, "")
    before = x.clone()
    px.vmap(lambda row: row.neg_())(x)
    px.testing.assert_close(x, -before)

    weight = px.randn(4, requires_grad=True)

    def through_writes(x):
        y = x * weight
        y[1:] *= y[:-1].clone()
        return y.sum()

    x.requires_grad_()
    actual = px.autograd.grad(px.vmap(through_writes)(x).sum(), (x, weight))
    expected = px.autograd.grad(sum(through_writes(row) for row in x), (x, weight))
    close(actual, expected, False, "")


def test_random_numbers():
    x = px.zeros(4, 3)
    noise = lambda row: row + px.rand(3)  # noqa: E731
    px.manual_seed(3)
    different = px.vmap(noise, randomness="different")(x)
    after = px.get_rng_state()
    px.manual_seed(3)
    px.testing.assert_close(different, px.stack([noise(row) for row in x]), rtol=0, atol=0)
    assert px.get_rng_state() == after
    px.manual_seed(3)
    same = px.vmap(noise, randomness="same")(x)
    px.manual_seed(3)
    px.testing.assert_close(same, noise(x[0]).expand(4, 3), rtol=0, atol=0)

    ones = px.ones(4, 50, requires_grad=True)
    drop = px.vmap(lambda row: px.dropout(row, 0.5), randomness="different")(ones)
    assert not px.equal(drop[0], drop[1])
    (gradient,) = px.autograd.grad(drop.sum(), ones)
    px.testing.assert_close(gradient, drop.detach(), rtol=0, atol=0)
    drop = px.vmap(lambda row: px.dropout(row, 0.5), randomness="same")(ones)
    assert px.equal(drop[0], drop[1])
    assert 0 < (drop == 0).sum() < 200
    images = px.ones(3, 2, 4, 5, 5)
    images = px.vmap(lambda x: px.dropout(x.contiguous("channels_last"), 0.5), randomness="different")(images)
    assert images.unique().numel() == 2


def test_gradients_around_and_inside():
    """Second derivatives that cross the border of vmap in both directions."""
    weight = px.randn(3, 3, dtype=px.float64, requires_grad=True)
    x = px.randn(4, 3, dtype=px.float64, requires_grad=True)

    def energy(row):
        return px.tanh(row @ weight).pow(2).sum()

    def force(row):
        row = row.view_as(row) if row.requires_grad else row.requires_grad_()
        return px.autograd.grad(energy(row), row, create_graph=True)[0]

    def both(batched):
        forces = px.vmap(force)(x) if batched else px.stack([force(row) for row in x])
        return px.autograd.grad(forces.pow(3).sum(), (x, weight))

    for a, b in zip(both(True), both(False)):
        px.testing.assert_close(a, b)

    def outside(batched):
        energies = px.vmap(energy)(x) if batched else px.stack([energy(row) for row in x])
        (gradient,) = px.autograd.grad(energies.pow(2).sum(), x, create_graph=True)
        return px.autograd.grad(gradient.pow(2).sum(), (x, weight))

    for a, b in zip(outside(True), outside(False)):
        px.testing.assert_close(a, b)


def test_what_cuts_gradients_cuts_them_inside():
    x = px.randn(4, 3, requires_grad=True)

    def function(row):
        with px.no_grad():
            scale = row.sum()
        return (row * row.detach() * scale).sum()

    (gradient,) = px.autograd.grad(px.vmap(function)(x).sum(), x)
    (expected,) = px.autograd.grad(sum(function(row) for row in x), x)
    px.testing.assert_close(gradient, expected)


def test_functions_with_a_gradient_of_their_own():
    class Clipped(px.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * 2

        @staticmethod
        def backward(ctx, gradient):
            (x,) = ctx.saved_tensors
            return px.where(x > 0, gradient, 0)

    x = px.randn(5, 3, requires_grad=True)
    (gradient,) = px.autograd.grad(px.vmap(lambda row: Clipped.apply(row).sum())(x).sum(), x)
    px.testing.assert_close(gradient, (x > 0).to(px.float32))


def test_traces():
    weight = px.randn(3, 2, requires_grad=True)
    x = px.randn(4, 3)

    def function(row):
        return px.softmax(row @ weight, 0)

    traced = px.trace(px.vmap(function), x)
    assert "vmap" not in str(traced.graph)
    px.testing.assert_close(traced(x), px.vmap(function)(x), rtol=0, atol=0)
    inner = px.trace(function, px.randn(3))
    px.testing.assert_close(px.vmap(inner)(x), px.vmap(function)(x).detach())

    def step(x):
        (gradient,) = px.autograd.grad(px.vmap(function)(x)[:, 0].sum(), weight)
        return gradient

    px.testing.assert_close(px.trace(step, x)(x), step(x))


def test_jit():
    x = px.randn(4, 3)

    def function(row):
        return px.tanh(row).sum()

    expected = px.stack([function(row) for row in x])
    px.testing.assert_close(px.vmap(px.jit(function))(x), expected)
    jitted = px.jit(lambda x: px.vmap(function)(x) * 2)
    px.testing.assert_close(jitted(x), expected * 2)
    px.testing.assert_close(jitted(x + 1), px.stack([function(row) for row in x + 1]) * 2)
    px.testing.assert_close(px.jit(lambda x: px.vmap(px.func.grad(function))(x))(x), 1 - px.tanh(x) ** 2)


ERRORS = {
    "sizes": (
        lambda: px.vmap(px.add)(px.ones(3), px.ones(4)),
        px.ShapeError,
        """\
[E0205] vmap: sizes of the batch differ, 3 and 4
  argument 0  f32[3] cpu
  argument 1  f32[4] cpu
  try         mapped dimensions must have one size; in_dims=None shares a tensor""",
    ),
    "in_dims": (
        lambda: px.vmap(px.sin, 1)(px.ones(3)),
        px.ShapeError,
        """\
[E0206] vmap: argument 0 has no dimension 1 to map over
  argument  f32[3] cpu
  try       in_dims from -1 to 0, or None for a tensor that samples share""",
    ),
    "scalar": (
        lambda: px.vmap(px.sin)(px.tensor(1.0)),
        px.ShapeError,
        """\
[E0206] vmap: argument 0 has no dimension 0 to map over
  argument  f32[] cpu
  try       in_dims=None for a tensor that samples share""",
    ),
    "nothing": (
        lambda: px.vmap(px.sin, None)(px.ones(3)),
        ValueError,
        """\
[E0101] vmap: no argument is mapped
  try  a tensor argument with in_dims=0""",
    ),
    "structure": (
        lambda: px.vmap(px.add, (0, 0, 0))(px.ones(3), px.ones(3)),
        ValueError,
        """\
[E0101] vmap: in_dims does not have the structure that it is for
  in_dims    (0, 0, 0)
  structure  (tensor, tensor)
  try        in_dims is an integer, None, or one of these for each part""",
    ),
    "out_dims": (
        lambda: px.vmap(px.sin, out_dims=2)(px.ones(3)),
        px.ShapeError,
        """\
[E0206] vmap: dimension 2 does not exist in a tensor of 1 dimensions
  allowed  -1 to 0""",
    ),
    "out_dims None": (
        lambda: px.vmap(px.sin, out_dims=None)(px.ones(3)),
        ValueError,
        """\
[E0101] vmap: result 0 differs between samples, and its out_dims is None
  result  f32[] cpu
  try     out_dims=0, or a result that does not depend on what is mapped""",
    ),
    "number": (
        lambda: px.vmap(lambda x: 1.0)(px.ones(3)),
        TypeError,
        """\
[E0104] vmap: the function must give tensors, not float
  try  px.tensor(value), or leave it away""",
    ),
    "random": (
        lambda: px.vmap(px.rand_like)(px.ones(3)),
        ValueError,
        """\
[E0101] vmap: random numbers are drawn, and it is not said whether samples share them
  try  randomness="different", or "same\"""",
    ),
    "randomness": (
        lambda: px.vmap(px.sin, randomness="some")(px.ones(3)),
        ValueError,
        """\
[E0103] vmap: randomness is 'some'
  try  "error", "different" or "same\"""",
    ),
    "value": (
        lambda: px.vmap(lambda x: x if x > 0 else -x)(px.ones(3)),
        px.GraphError,
        """\
[E1001] the values of a tensor are asked for inside of vmap, where they differ between samples
  tensor  bool[]
  try     compute with tensors; px.where chooses between two of them""",
    ),
    "write": (
        lambda: px.vmap(SHARED.add_)(px.ones(3)),
        px.NotSupportedError,
        """\
[E0106] vmap: the function writes in place into a tensor that was not made by its operations
  target  f32[] cpu
  try     the form that returns a new tensor, or a clone() made inside of the function""",
    ),
}
SHARED = px.zeros(())


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name):
    call, kind, text = ERRORS[name]
    with pytest.raises(kind) as error:
        call()
    lines = [line for line in str(error.value).splitlines() if not line.startswith("  at ")]
    assert "\n".join(" ".join(line.split()) for line in lines) == "\n".join(
        " ".join(line.split()) for line in text.splitlines()
    )


def test_values_that_samples_share_can_be_asked_for():
    assert px.vmap(lambda x: x * px.arange(3).sum().item())(px.ones(2)).tolist() == [3.0, 3.0]


def test_backward_to_a_tensor_around_is_refused():
    weight = px.ones(3, requires_grad=True)

    def function(x):
        (x * weight).sum().backward()
        return x

    with pytest.raises(px.PhloxError, match="around the function|writes in place"):
        px.vmap(function)(px.ones(2, 3))
    assert weight.grad is None
