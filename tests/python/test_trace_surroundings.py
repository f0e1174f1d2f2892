"""What a captured function shares with the program around it: memory, gradients, literals; and when a call is refused."""

# shard: graph

import pytest

import phlox as px


def same(a, b):
    if a is None or b is None:
        return a is b
    return a.dtype == b.dtype and a.shape == b.shape and px.equal(a, b)


def refused(traced, *args):
    with pytest.raises(px.GraphError) as error:
        traced(*args)
    return error.value.code == "E1002"


def test_views_of_arguments_that_lie_elsewhere():
    """A result that looks at an argument finds its elements where they lie in this call, or the call is refused."""
    traced = px.trace(lambda x: x[1:], px.ones(3, 3))
    base = px.arange(18.0).reshape(6, 3)
    assert same(traced(base[2:5]), base[3:5])
    assert refused(traced, px.arange(9.0).reshape(3, 3).T)
    plain = px.trace(lambda x: x + 1, px.ones(3, 3))
    assert same(plain(px.arange(9.0).reshape(3, 3).T), px.arange(9.0).reshape(3, 3).T + 1)


def test_as_strided_counts_from_the_beginning_of_memory():
    traced = px.trace(lambda x: x.as_strided((2,), (1,), 0) * 1, px.ones(3))
    base = px.arange(6.0)
    assert same(traced(base[:3]), base[:2]) and refused(traced, base[3:])


def test_writes_through_what_is_a_view_in_one_layout_only():
    traced = px.trace(lambda x: x.reshape(-1)[:2].zero_(), px.ones(2, 3))
    x = px.ones(2, 3)
    traced(x)
    assert x.sum().item() == 4.0 and refused(traced, px.ones(3, 2).T)


def test_views_of_arguments_with_gaps():
    base = px.arange(8.0)
    traced = px.trace(lambda x: x * 2, base[::2])
    assert same(traced(px.arange(8.0)[::2]), px.arange(8.0)[::2] * 2)
    assert refused(traced, px.arange(8.0)[1::2])


def test_arguments_that_were_one_and_are_two():
    x = px.ones(3)
    traced = px.trace(lambda a, b: a * 2 + b, x, x)
    assert same(traced(x, x), px.full((3,), 3.0))
    assert refused(traced, px.ones(3), px.zeros(3))


def test_arguments_that_were_two_and_are_one():
    def function(a, b):
        a.add_(1)
        return b * 1

    traced = px.trace(function, px.ones(3), px.ones(3))
    x = px.ones(3)
    assert refused(traced, x, x)
    read = px.trace(lambda a, b: a * b, px.ones(3), px.ones(3))
    assert same(read(x + 1, x + 1), px.full((3,), 4.0))


def test_tensors_around_that_become_arguments():
    around = px.ones(3)

    def function(a):
        a.mul_(2)
        return around + 0

    traced = px.trace(function, px.ones(3))
    assert refused(traced, around)


def test_gradients_of_arguments():
    def function(x, y):
        (x * x * y).sum().backward()

    traced = px.trace(function, px.ones(3, requires_grad=True), px.ones(3))
    x, y = px.arange(3.0).requires_grad_(), px.arange(3.0)
    traced(x, y)
    assert same(x.grad, 2 * x.detach() * y)
    assert refused(traced, x, y)  # it would have to be added now
    assert refused(traced, px.ones(3), y)
    x.grad = px.ones(3)
    added = px.trace(function, x, y)
    added(x, y)
    added(x, y)
    assert same(x.grad, 1 + 4 * x.detach() * y)


def test_the_same_leaf_twice():
    x = px.ones(3, requires_grad=True)
    traced = px.trace(lambda a, b: (a * b).sum().backward(), x, x)
    traced(x, x)
    assert same(x.grad, px.full((3,), 2.0))


def test_gradients_are_added_to_those_that_are_there():
    weight = px.ones(3, requires_grad=True)

    def function(x):
        (weight * x).sum().backward()

    traced = px.trace(function, px.ones(3))
    traced(px.ones(3))
    assert refused(traced, px.ones(3))  # there was no gradient to add to
    traced = px.trace(function, px.ones(3))
    traced(px.ones(3))
    assert same(weight.grad, px.full((3,), 2.0))
    weight.grad = None
    assert refused(traced, px.ones(3))


def test_gradients_that_are_replaced_unread():
    """A step that begins with zero_grad() may be captured before there are gradients."""
    model = px.nn.Linear(3, 2)
    optimizer = px.optim.SGD(model.parameters(), lr=0.1)

    def step(x):
        optimizer.zero_grad()
        model(x).sum().backward()
        optimizer.step()

    traced = px.trace(step, px.ones(1, 3))
    for _ in range(2):
        traced(px.ones(1, 3))
        assert same(model.bias.grad, px.ones(2))


def test_leaves_of_the_function():
    def function(x):
        leaf = x.detach().clone().requires_grad_()
        (leaf * leaf).sum().backward()
        return leaf.grad

    traced = px.trace(function, px.ones(3))
    assert same(traced(px.arange(3.0)), 2 * px.arange(3.0))


def test_results_have_memory_of_their_own():
    """Equal nodes are one, and literals are constants: what is written into a result shows nowhere else."""

    def function(x):
        return x + 1, x + 1, px.tensor([1.0, 2.0]), x.clone()

    traced = px.trace(function, px.ones(2))
    for _ in range(2):
        results = traced(px.ones(2))
        assert [r.tolist() for r in results] == [[2, 2], [2, 2], [1, 2], [1, 1]]
        for i, result in enumerate(results):
            result.fill_(10.0 + i)
        assert [r[0].item() for r in results] == [10, 11, 12, 13]


def test_results_that_share_memory():
    def function(x):
        y = x * 2
        return y, y[0], y.T

    traced = px.trace(function, px.ones(2, 3))
    whole, row, turned = traced(px.ones(2, 3))
    row.fill_(7)
    assert whole[0].tolist() == turned[:, 0].tolist() == [7, 7, 7]


def test_results_can_be_written():
    def function(x):
        y = x * 2
        y[...] = 3.0
        return y

    result = px.trace(function, px.ones(2, 3))(px.ones(2, 3))
    result[0, 0] = 1.0
    assert result.sum().item() == 16.0


def test_literals_that_are_written():
    def function(x):
        total = px.tensor([1.0, 2.0])
        total += x
        return total

    traced = px.trace(function, px.ones(2))
    for _ in range(2):
        assert traced(px.ones(2)).tolist() == [2, 3]


def test_a_capture_leaves_no_history():
    around, leaf = px.zeros(3), px.ones(3, requires_grad=True)

    def function():
        around[1:] += leaf[1:]

    px.trace(function)
    assert not around.requires_grad and around.tolist() == [0, 0, 0]


def test_one_value_where_a_mask_is_true():
    """x[mask] = value does not ask how many elements there are; gradients do not either."""

    def function(x, value):
        y = x * 2
        y[x[:, 0] > 0] = value
        y[y > 5] = 0
        (y * y).sum().backward()
        return y.detach()

    pairs = [px.randn(4, 3).requires_grad_(), px.tensor(1.5, requires_grad=True)]
    traced = px.trace(function, *[p.detach().clone().requires_grad_() for p in pairs])
    eager = [p.detach().clone().requires_grad_() for p in pairs]
    assert same(traced(*pairs), function(*eager))
    assert all(same(a.grad, b.grad) for a, b in zip(pairs, eager))


def test_arguments_with_gradients_that_share_memory_are_refused():
    x = px.ones(3, requires_grad=True)
    for pair in ((x, x[1:]), (x[1:], x), (x, x.detach()), (x.detach(), x)):
        with pytest.raises(px.GraphError, match="share memory"):
            px.trace(lambda a, b: a.sum() * b.sum(), *pair)
    assert px.trace(lambda a, b: a * b, x, x)(x, x).shape == (3,)
