"""Writes in place through views: gradients against finite differences, and what is refused."""

import gc
import weakref

import numpy as np
import pytest

import phlox as px


def numeric_gradient(function, values, step=1e-6):
    """Central differences of a function of several arrays, by each of them."""
    gradients = []
    for which, array in enumerate(values):
        gradient = np.zeros_like(array)
        for place in np.ndindex(array.shape):
            sides = []
            for sign in (1, -1):
                moved = [v.copy() for v in values]
                moved[which][place] += sign * step
                sides.append(function(*[px.tensor(v) for v in moved]).item())
            gradient[place] = (sides[0] - sides[1]) / (2 * step)
        gradients.append(gradient)
    return gradients


def weights(tensor):
    """A sum in which each element counts differently, so that a gradient in the wrong place shows."""
    return (tensor * px.arange(1.0, tensor.numel() + 1, dtype=px.float64).reshape(tensor.shape)).sum()


def select_mul(x, y):
    h = x * 1
    h[0].mul_(2)
    return weights(h * h)


def slice_add(x, y):
    h = x * x
    h[1:3] += 1
    return weights(h.sin())


def slice_add_tensor(x, y):
    h = x * x
    h[1:3] += y[:2]
    return weights(h.sin())


def assign_row(x, y):
    h = x * 3
    h[0] = y[1]
    return weights(h * h)


def assign_column(x, y):
    h = x * 3
    h[:, 1] = y[:, 0] * 2
    return weights(h)


def mask(x, y):
    h = x * 2
    h[h > 0] = 0
    return weights(h * x)


def mask_mul(x, y):
    h = x * 2
    h[x > 0] *= 3
    return weights(h)


def buffer_of_zeros(x, y):
    h = px.zeros(3, 4, dtype=px.float64)
    h[1] += x[0]
    h[2].copy_(y[0] * y[1])
    h[:, 3].add_(x[:, 2])
    return weights(h * h)


def loop(x, y):
    h = px.zeros(4, 4, dtype=px.float64)
    h[0] = x[0]
    for i in range(3):
        h[i + 1].add_(h[i].clone() * y[0])
    return weights(h)


def view_of_a_view(x, y):
    h = x * 1
    h[1:][0][2:].mul_(y[0, :2])
    return weights(h * h)


def transposed(x, y):
    h = x.T * 1
    h.T[0].mul_(5)
    return weights(h * h)


def write_through_transposition(x, y):
    h = x * 1
    h.T[1:3].mul_(y.T[:2])
    return weights(h.exp())


def diagonal(x, y):
    h = x * 1
    h.diagonal().add_(y[0, :3])
    return weights(h * h)


def reversed_steps(x, y):
    h = x * 1
    h.flatten()[1::3].mul_(2)
    return weights(h)


def reshaped(x, y):
    h = x * 1
    h.view(2, 6)[1].mul_(3)
    return weights(h * h)


def zero_and_fill(x, y):
    h = x * y
    h[0].zero_()
    h[1, 1:].fill_(2.0)
    return weights(h * h)


def view_made_before_a_write_to_the_base(x, y):
    h = x * 1
    row = h[0]
    h.mul_(2)
    return weights(row * row) + weights(h)


def view_made_before_a_write_to_another_view(x, y):
    h = x * 1
    row, column = h[0], h[:, 0]
    row.mul_(y[0])
    return weights(column * column)


def write_through_a_stale_view(x, y):
    h = x * 1
    row, column = h[0], h[:, 1]
    row.mul_(2)
    column.mul_(3)
    row.add_(y[2])
    return weights(h * h)


def overlapping_views(x, y):
    h = x.flatten() * 1
    first, second = h[:6], h[3:9]
    first.mul_(2)
    second.mul_(3)
    first.add_(second * 0 + 1)
    return weights(h * h)


def pieces_of_a_split(x, y):
    h = x * 1
    left, right = h.split(2, dim=1)
    left.mul_(y[:, :2])
    right.add_(left.detach() * 0)
    return weights(h * h)


def window_seen_twice(x, y):
    h = x.flatten() * 1
    windows = h.unfold(0, 3, 2)
    h[2:5].mul_(2)
    return weights(windows * windows)


def channels_last(x, y):
    h = px.contiguous((x.reshape(1, 3, 2, 2) * 1), "channels_last")
    h[0, 1].mul_(4)
    h[:, :, 1].add_(y[:, :2].reshape(1, 3, 2))
    return weights(h * h)


def whole_view(x, y):
    h = x * 1
    h[:].mul_(2)
    h.view(-1).add_(1)
    return weights(h * h)


def twice_the_same_place(x, y):
    h = x * 1
    h[0].mul_(2)
    h[0].mul_(y[0])
    h[0, 1:3].exp_()
    return weights(h * h)


def row_by_row(x, y):
    h = x * y
    for i in range(2):
        h[i + 1].mul_(h[i])
    return weights(h)


def times_itself(x, y):
    h = x * 1
    h.mul_(h)
    h[0].mul_(h[0])
    return weights(h)


def inner_value(x, y):
    h = x * 1
    h[0].mul_((h[1] * 1).sum())
    return weights(h)


PROGRAMS = [
    value
    for value in list(globals().values())
    if getattr(value, "__code__", None) and value.__code__.co_varnames[:2] == ("x", "y")
]


@pytest.mark.parametrize("function", PROGRAMS, ids=lambda f: f.__name__)
def test_gradients(function):
    random = np.random.default_rng(3)
    values = [random.normal(size=(3, 4)) for _ in range(2)]
    leaves = [px.tensor(v, requires_grad=True) for v in values]
    function(*leaves).backward()
    for leaf, expected in zip(leaves, numeric_gradient(function, values), strict=True):
        found = np.zeros((3, 4)) if leaf.grad is None else leaf.grad.numpy()
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "function", [slice_add, assign_row, buffer_of_zeros, write_through_a_stale_view, channels_last]
)
def test_second_derivatives(function):
    random = np.random.default_rng(4)
    values = [random.normal(size=(3, 4)) for _ in range(2)]

    def first(x, y):
        leaf = x if x.requires_grad else x.clone().requires_grad_()
        (gradient,) = px.autograd.grad(function(leaf, y), [leaf], create_graph=True)
        return weights(gradient * gradient)

    x, y = (px.tensor(v, requires_grad=True) for v in values)
    first(x, y).backward()
    np.testing.assert_allclose(x.grad.numpy(), numeric_gradient(first, values)[0], rtol=1e-4, atol=1e-5)


def test_values_are_those_of_numpy():
    x = np.arange(12.0).reshape(3, 4)
    h = px.tensor(x, requires_grad=True) * 1
    h[1:3] += 1
    h[:, 0] *= 2
    h[0].mul_(3)
    x[1:3] += 1
    x[:, 0] *= 2
    x[0] *= 3
    assert h.tolist() == x.tolist()


def test_a_view_of_a_leaf_is_refused():
    w = px.ones(3, requires_grad=True)
    for write in (lambda: w[0].mul_(2), lambda: w[:2].copy_(px.zeros(2)), lambda: w.view(3, 1)[1].zero_()):
        with pytest.raises(px.GradientError) as error:
            write()
        assert error.value.code == "E0603"
    with px.no_grad():
        w[0].mul_(2)
    assert w.tolist() == [2, 1, 1]


def test_what_gradients_cannot_tell_is_refused():
    w = px.ones(4, requires_grad=True)
    h = w * 1
    with px.no_grad():
        row = h[:2]
    with pytest.raises(px.GradientError) as error:
        row.mul_(w[:2])  # made under no_grad()
    assert error.value.code == "E0610", error.value


def test_writes_into_overlapping_memory_are_refused():
    h = px.ones(4)
    for write in (
        lambda: h[:1].expand(3).mul_(2),  # one element three times
        lambda: h.unfold(0, 2, 1).mul_(2),
    ):
        with pytest.raises(px.StateError, match="share memory"):
            write()


def test_saved_values_are_watched():
    w = px.ones(3, requires_grad=True)
    h = w.exp()
    h[0].mul_(2)
    with pytest.raises(px.GradientError) as error:
        h.sum().backward()
    assert error.value.code == "E0601"


def test_requires_grad_follows_the_base():
    w = px.ones(3, requires_grad=True)
    buffer = px.zeros(2, 3)
    row, other = buffer[0], buffer[1]
    row.copy_(w)
    assert buffer.requires_grad and row.requires_grad and other.requires_grad
    assert not other.is_leaf
    other.sum().backward()
    assert w.grad is None or w.grad.tolist() == [0, 0, 0]


def test_detached_memory_stays_detached():
    w = px.ones(3, requires_grad=True)
    h = w * 1
    h.detach()[0].mul_(5)
    h.sum().backward()
    assert h.tolist() == [5, 1, 1] and w.grad.tolist() == [1, 1, 1]


def test_saved_views_do_not_keep_what_is_written_later():
    def step():
        w = px.ones(1 << 18, requires_grad=True)
        y = px.zeros(3, 1 << 18) + w
        product = y[0] * y[1]  # saves two views of y
        y[2] = product  # and y gets a history that leads there
        z = px.zeros(2, 1 << 18)
        z[1] = z[0] * w  # the same when the base needed no gradient before

    step()
    before = px.memory.statistics()["allocated_bytes"]
    for _ in range(20):
        step()
    assert px.memory.statistics()["allocated_bytes"] < before + (16 << 20)


def test_saved_views_keep_their_history_for_second_gradients():
    x = px.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    h = x * 1
    (first,) = px.autograd.grad((h[0] * h[0] * h[1]).sum(), [x], create_graph=True)
    assert first.tolist() == [[6, 16], [1, 4]]
    (second,) = px.autograd.grad(first[0].sum(), [x])
    assert second.tolist() == [[6, 8], [2, 4]]


@pytest.mark.parametrize("backward", [True, False])
def test_nothing_is_left_behind(backward):
    def step():
        w = px.ones(3, 1 << 14, requires_grad=True)
        h = w * 1
        h[0].mul_(2)
        h[1] += h[2]
        h[2] *= h[0]
        if backward:
            h.sum().backward()
        return weakref.ref(w), weakref.ref(h)

    references = step()
    gc.collect()
    assert all(reference() is None for reference in references)
    before = None
    for number in range(60):
        step()
        if number == 20:
            before = px.memory.statistics()["allocated_bytes"]
    assert px.memory.statistics()["allocated_bytes"] <= before


def test_retain_grad_of_a_view_whose_history_is_old():
    base = px.ones(6, requires_grad=True) * 2
    view = base.reshape(2, 3)
    base.mul_(3)
    view.retain_grad()
    view.sum().backward()
    assert view.grad.tolist() == [[1, 1, 1], [1, 1, 1]]


def test_integers_take_values_with_gradients():
    target = px.zeros(2, 6, dtype=px.int64)[:, ::2]
    value = px.tensor([1.5, 2.5, 3.5], requires_grad=True)
    target.detach()[...] = value
    target[...] = value * 2
    assert target.tolist() == [[3, 5, 7], [3, 5, 7]] and not target.requires_grad
