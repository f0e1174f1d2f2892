"""With use_deterministic_algorithms(): contractions depend on their operands alone."""

# shard: tensors

import phlox.nn.functional as F  # noqa: N812
import pytest

import phlox as px

DTYPES = ["float32", "float64", "bfloat16", "float16", "complex64", "int32"]


@pytest.fixture(autouse=True)
def deterministic():
    threads = px.get_num_threads()
    px.use_deterministic_algorithms(True)
    yield
    px.use_deterministic_algorithms(False)
    px.set_num_threads(threads)


def random(*shape, dtype="float32"):
    if dtype == "int32":
        return px.randint(-9, 9, shape, dtype=px.int32)
    return px.randn(*shape, dtype=getattr(px, dtype))


def test_what_was_asked_for():
    assert px.are_deterministic_algorithms_enabled()
    px.use_deterministic_algorithms(False)
    assert not px.are_deterministic_algorithms_enabled()


def same_rows(function, x, sizes=(1, 2, 3, 7, 16, 65, 128, 256)):
    """Whether rows of function(x) are the same in batches of other sizes, and with other numbers of threads."""
    whole = function(x)
    for size in sizes:
        for begin in range(0, x.shape[0] - size + 1, max(size, 97)):
            part = function(x[begin : begin + size])
            assert px.equal(part, whole[begin : begin + size]), (size, begin)
    for threads in (1, 2, 3):
        px.set_num_threads(threads)
        assert px.equal(function(x), whole), threads


@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_of_products(dtype):
    x = random(256, 130, dtype=dtype)
    for columns in (1, 3, 70, 300):
        right, left = random(130, columns, dtype=dtype), random(columns, 130, dtype=dtype)
        same_rows(lambda a: a @ right, x)  # noqa: B023
        same_rows(lambda a: a @ left.T, x)  # noqa: B023
        if dtype != "int32":
            bias = random(columns, dtype=dtype)
            same_rows(lambda a: F.linear(a, left, bias), x)  # noqa: B023
    vector = random(130, dtype=dtype)
    same_rows(lambda a: a @ vector, x)
    columns = random(130, 256, dtype=dtype).T  # rows that lie in columns
    same_rows(lambda a: a @ right, columns)


def test_rows_of_large_products_of_few_columns_at_a_time():
    x, weight = px.randn(150, 1500), px.randn(200, 1500)
    same_rows(lambda a: F.linear(a, weight), x, (1, 4, 149))
    batch = px.randn(5, 40, 300)
    right = px.randn(5, 300, 65)
    whole = batch @ right
    for i in range(5):
        assert px.equal(batch[i] @ right[i], whole[i]) and px.equal(batch[i, :1] @ right[i], whole[i, :1])


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_images_of_convolutions(dtype):
    x, weight, bias = (
        random(33, 4, 9, 9, dtype=dtype),
        random(8, 4, 3, 3, dtype=dtype),
        random(8, dtype=dtype),
    )
    for more in ({}, {"padding": 1, "stride": 2}):
        same_rows(lambda a: F.conv2d(a, weight, bias, **more), x, (1, 2, 5, 32))  # noqa: B023
    same_rows(lambda a: F.conv2d(a, weight[:, :1], bias, groups=4), x, (1, 2, 32))
    same_rows(lambda a: F.conv_transpose2d(a, weight.transpose(0, 1)), x, (1, 2, 32))

    def gradients(a):
        a = a.detach().requires_grad_()
        F.conv2d(a, weight, bias, padding=1).square().sum().backward()
        return a.grad

    same_rows(gradients, x, (1, 2, 32))


def test_gradients_do_not_depend_on_threads():
    net = px.nn.Sequential(
        px.nn.Conv2d(3, 8, 3), px.nn.ReLU(), px.nn.Flatten(), px.nn.Linear(8 * 36, 40), px.nn.Linear(40, 10)
    )
    x, found = px.randn(64, 3, 8, 8), []
    for threads in (1, 2, 3):
        px.set_num_threads(threads)
        net.zero_grad()
        net(x).square().mean().backward()
        found.append([p.grad.clone() for p in net.parameters()])
    assert all(px.equal(a, b) for other in found[1:] for a, b in zip(found[0], other))


def test_attention():
    q, k, v = (px.randn(16, 2, 40, 32) for _ in range(3))
    whole = F.scaled_dot_product_attention(q, k, v)
    for i in (0, 7, 15):
        one = F.scaled_dot_product_attention(q[i : i + 1], k[i : i + 1], v[i : i + 1])
        assert px.equal(one[0], whole[i])


def test_values_are_those_of_the_libraries():
    x, weight, bias = px.randn(70, 90), px.randn(33, 90), px.randn(33)
    image, filters = px.randn(3, 4, 9, 9), px.randn(8, 4, 3, 3)
    exactly = F.linear(x, weight, bias), F.conv2d(image, filters), x.T @ x
    px.use_deterministic_algorithms(False)
    usually = F.linear(x, weight, bias), F.conv2d(image, filters), x.T @ x
    for a, b in zip(exactly, usually):
        px.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


def test_captured_products():
    weight = px.randn(40, 64)
    step = px.jit(lambda a: F.linear(a, weight).relu())
    same_rows(step, px.randn(64, 64), (1, 5, 33))
