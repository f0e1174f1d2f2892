"""px.func: derivatives of whole functions, alone and in each other, and modules as functions."""

# shard: graph
import re
from pathlib import Path

import pytest

import phlox as px
from phlox import func, nn

PAGE = (Path(__file__).parents[2] / "docs" / "functional-transforms.md").read_text()


def close(a, b):
    px.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)


def double(*shape):
    return px.randn(*shape, dtype=px.float64)


def test_the_programs_of_the_page_run():
    space = {}
    for program in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(compile(program, "functional-transforms.md", "exec"), space)


def test_grad():
    x = double(3)
    close(func.grad(lambda x: (x**3).sum())(x), 3 * x**2)
    close(func.grad(func.grad(func.grad(lambda x: x**4)))(px.tensor(2.0)), px.tensor(48.0))
    gradient = func.grad(lambda x: px.sin(x).sum())(x)
    assert not gradient.requires_grad and not x.requires_grad
    (value, aux), gradients = func.value_and_grad(lambda a, b: ((a * b).sum(), a + b), (0, 1), has_aux=True)(
        x, x + 1
    )
    close(value, (x * (x + 1)).sum())
    assert not value.requires_grad and not aux.requires_grad
    close(gradients, (x + 1, x))
    tree = func.grad(lambda p, y: (p["w"] * y + p["b"][0]).sum())({"w": x, "b": [x, x]}, x)
    close(tree["w"], x)
    close(tree["b"][1], px.zeros_like(x))
    close(func.grad_and_value(lambda x: x * x)(px.tensor(3.0)), (px.tensor(6.0), px.tensor(9.0)))
    with px.no_grad():
        close(func.grad(lambda x: (x * x).sum())(x), 2 * x)
    close(func.grad(lambda x: px.ones(()).sum())(x), px.zeros_like(x))


def test_gradients_go_on_around():
    """What func gives takes part in gradients around it where something around it wants them."""
    w = double(3).requires_grad_()
    x = double(3).requires_grad_()
    gradient = func.grad(lambda x: (w * x**3).sum())(x)
    close(gradient.detach(), 3 * w.detach() * x.detach() ** 2)
    for_w, for_x = px.autograd.grad(gradient.sum(), (w, x))
    close(for_w, 3 * x.detach() ** 2)
    close(for_x, 6 * (w * x).detach())
    with px.no_grad():
        assert not func.grad(lambda x: (w * x).sum())(x).requires_grad


def test_products_with_the_jacobian():
    matrix, x, v = double(4, 3), double(3), double(3)
    y, pull = func.vjp(lambda x: px.tanh(matrix @ x), x)
    jacobian = (1 - y**2).unsqueeze(1) * matrix
    cotangent = double(4)
    close(pull(cotangent), cotangent @ jacobian)
    close(pull(2 * cotangent), 2 * cotangent @ jacobian)
    result, product = func.jvp(lambda x: px.tanh(matrix @ x), (x,), (v,))
    close(result, y)
    close(product, jacobian @ v)
    close(func.jvp(lambda a, b: a * b, (x, v), (v, x))[1], v * v + x * x)
    close(func.jvp(lambda x: (x, px.ones(2)), (x,), (v,))[1], (v, px.zeros(2)))
    (a, b), pull, aux = func.vjp(lambda a, b: ((a * b, a + b), a), x, v, has_aux=True)
    close(pull((x, v)), (x * v + v, x * x + v))
    close(aux, x)


def test_jacobians():
    matrix, x = double(4, 3), double(3)

    def function(x):
        return px.tanh(matrix @ x)

    y = function(x)
    expected = (1 - y**2).unsqueeze(1) * matrix
    close(func.jacrev(function)(x), expected)
    close(func.jacfwd(function)(x), expected)
    close(func.jacrev(function, chunk_size=3)(x), expected)
    close(func.jacfwd(function, chunk_size=2)(x), expected)

    def several(a, b):
        return {"product": a.unsqueeze(1) * b, "sum": a.sum() + b.sum()}, a

    for jacobian in (func.jacrev, func.jacfwd):
        result, aux = jacobian(several, argnums=(0, 1), has_aux=True)(x, double(2, 3)[0])
        assert result["product"][0].shape == (3, 3, 3)
        close(result["sum"], (px.ones(3, dtype=px.float64), px.ones(3, dtype=px.float64)))
        close(aux, x)
    batch = double(5, 3)
    close(px.vmap(func.jacrev(function))(batch), px.stack([func.jacrev(function)(row) for row in batch]))
    close(px.vmap(func.jacfwd(function))(batch), px.stack([func.jacfwd(function)(row) for row in batch]))


def test_hessian_of_a_network():
    px.manual_seed(0)
    first, second = double(3, 4), double(4)

    def network(x):
        return px.tanh(x @ first) @ second

    x = double(3)
    hessian = func.hessian(network)(x)
    gradient = func.grad(network)
    step = 1e-6
    differences = px.stack(
        [(gradient(x + step * e) - gradient(x - step * e)) / (2 * step) for e in px.eye(3, dtype=px.float64)]
    )
    px.testing.assert_close(hessian, differences, rtol=1e-6, atol=1e-8)
    for other in (
        func.jacrev(func.jacrev(network)),
        func.jacrev(func.jacfwd(network)),
        func.jacfwd(func.jacfwd(network)),
        func.jacrev(func.grad(network)),
    ):
        close(other(x), hessian)
    rows = double(4, 3)
    close(px.vmap(func.hessian(network))(rows), px.stack([func.hessian(network)(row) for row in rows]))


def small_network():
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.GroupNorm(2, 4),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 3, 3),
        nn.Flatten(),
        nn.LayerNorm(12),
        nn.Linear(12, 5),
    )


def test_gradients_of_the_samples_of_a_network():
    px.manual_seed(1)
    model = small_network()
    x, y = px.randn(6, 1, 8, 8), px.randint(0, 5, (6,))
    weights = {name: p.detach() for name, p in model.named_parameters()}

    def loss(weights, x, y):
        logits = func.functional_call(model, weights, x.unsqueeze(0))
        return px.cross_entropy(logits, y.unsqueeze(0))

    gradients = px.vmap(func.grad(loss), (None, 0, 0))(weights, x, y)
    values, again = px.vmap(func.value_and_grad(loss), (None, 0, 0))(weights, x, y)
    assert not values.requires_grad
    for i in range(6):
        model.zero_grad()
        value = px.cross_entropy(model(x[i : i + 1]), y[i : i + 1])
        value.backward()
        px.testing.assert_close(values[i], value.detach())
        for name, parameter in model.named_parameters():
            px.testing.assert_close(gradients[name][i], parameter.grad, rtol=1e-4, atol=1e-5)
            px.testing.assert_close(again[name][i], parameter.grad, rtol=1e-4, atol=1e-5)


def test_ensembles():
    models = [small_network() for _ in range(3)]
    weights, buffers = func.stack_module_state(models)
    x = px.randn(2, 1, 8, 8)

    def run(weights, buffers, x):
        return func.functional_call(models[0], (weights, buffers), x)

    together = px.vmap(run, (0, 0, None))(weights, buffers, x)
    for i, model in enumerate(models):
        px.testing.assert_close(together[i], model(x), rtol=1e-4, atol=1e-5)
    together.pow(2).sum().backward()
    for i, model in enumerate(models):
        model(x).pow(2).sum().backward()
        for name, parameter in model.named_parameters():
            px.testing.assert_close(weights[name].grad[i], parameter.grad, rtol=1e-3, atol=1e-4)


def test_functional_call():
    model = nn.Linear(2, 1)
    before = dict(model.named_parameters())
    weights = {"weight": px.ones(1, 2), "bias": px.zeros(1)}
    assert func.functional_call(model, weights, px.ones(2)).item() == 2
    assert func.functional_call(model, weights, (), {"input": px.ones(2)}).item() == 2
    assert (
        func.functional_call(model, [{"weight": px.ones(1, 2)}, {"bias": px.ones(1)}], (px.ones(2),)).item()
        == 3
    )
    assert all(dict(model.named_parameters())[name] is p for name, p in before.items())
    assert model.weight is before["weight"]
    with pytest.raises(px.ShapeError):
        func.functional_call(model, {"weight": px.ones(5, 5)}, px.ones(2))
    assert model.weight is before["weight"]
    with pytest.raises(px.StateError) as error:
        func.functional_call(model, {"scale": px.ones(1)}, px.ones(2))
    assert "E0701" in str(error.value) and "scale" in str(error.value)
    with pytest.raises(px.StateError, match="bias"):
        func.functional_call(model, {"weight": px.ones(1, 2)}, px.ones(2), strict=True)

    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.one = nn.Linear(2, 2, bias=False)
            self.two = nn.Linear(2, 2, bias=False)
            self.two.weight = self.one.weight

        def forward(self, x):
            return self.two(self.one(x))

    tied = Tied()
    assert func.functional_call(tied, {"one.weight": 2 * px.eye(2)}, px.ones(2)).tolist() == [4, 4]
    loose = func.functional_call(tied, {"one.weight": px.zeros(2, 2)}, px.ones(2), tie_weights=False)
    assert loose.tolist() == [0, 0]


ERRORS = [
    (lambda: func.grad(lambda x: x)(px.ones(2)), px.GradientError, "E0605", "a single real number"),
    (lambda: func.grad(px.sum)(px.ones(2, dtype=px.int64)), px.DTypeError, "E0606", "holds int64"),
    (lambda: func.grad(px.sum, 1)(px.ones(2)), ValueError, "E0101", "argnums has 1"),
    (lambda: func.grad(px.sum)(3), ValueError, "E0101", "no tensor"),
    (lambda: func.grad(px.sum, has_aux=True)(px.ones(2)), TypeError, "E0104", "a pair"),
    (lambda: func.vjp(px.sin, px.ones(2))[1](px.ones(3)), px.ShapeError, "E0608", "cotangents"),
    (lambda: func.jvp(px.sin, (px.ones(2),), (px.ones(3),)), px.ShapeError, "E0608", "tangents"),
    (lambda: func.jvp(px.sin, px.ones(2), px.ones(2)), TypeError, "E0104", "tuples"),
    (lambda: func.stack_module_state([]), ValueError, "E0101", "no module"),
    (lambda: func.stack_module_state([nn.ReLU(), nn.Tanh()]), ValueError, "E0101", "different classes"),
]


@pytest.mark.parametrize("number", range(len(ERRORS)))
def test_errors(number):
    call, kind, code, text = ERRORS[number]
    with pytest.raises(kind) as error:
        call()
    assert code in str(error.value) and text in str(error.value)
