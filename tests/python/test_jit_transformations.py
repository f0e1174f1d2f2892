"""px.func in captured functions: with modules, with structures of parameters, and with all that can be called."""

# shard: graph

import functools

import pytest
from jit_helpers import follows, same

import phlox as px
from phlox import nn

X = px.tensor([[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]])


# --- functional_call


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(px.linspace(-1, 1, 9).reshape(3, 3))
        self.inner = nn.Linear(3, 3)
        self.norm = nn.BatchNorm1d(3)
        self.register_buffer("count", px.zeros(()))
        self.scale = 2.0

    def forward(self, x):
        if self.training:
            self.count += 1
        y = self.inner(x @ self.weight) * self.scale
        if y.sum() > 0:
            y = y + self.weight.sum()
        return self.norm(y) + self.count


def others(module):
    return {name: (p.detach() * 0.5).requires_grad_() for name, p in module.named_parameters()}


def test_modules_with_other_parameters():
    net = Net().eval()
    weights = others(net)

    def both(weights, x):
        return px.func.functional_call(net, weights, x), net(x), net.weight.sum()

    def change():
        net.scale = 3.0

    def exchange():
        net.weight = nn.Parameter(px.ones(3, 3))

    jitted = follows(both, (weights, X), (weights, X), change, (weights, X), exchange, (weights, X))
    assert jitted.capture_count == 3


def test_buffers_that_a_module_with_other_parameters_writes():
    net = Net()
    weights = others(net)

    def run(weights, x):
        buffers = {name: buffer.clone() for name, buffer in net.named_buffers()}
        return px.func.functional_call(net, (weights, buffers), x), buffers

    follows(run, (weights, X), (weights, X))
    assert net.count == 0


def test_meta_learning():
    net = Net().eval()

    def loss(weights, x):
        return (px.func.functional_call(net, weights, x) ** 2).mean()

    def outer(weights, x):
        gradients = px.func.grad(loss)(weights, x)
        return loss({name: w - 0.1 * gradients[name] for name, w in weights.items()}, x)

    weights = {name: w.detach() for name, w in others(net).items()}
    follows(px.func.grad(outer), (weights, X), (weights, X))


def test_gradients_of_each_sample():
    net = nn.Linear(3, 2)
    weights = {name: w.detach() for name, w in others(net).items()}

    def loss(weights, x):
        return px.func.functional_call(net, weights, x).square().sum()

    follows(px.vmap(px.func.grad(loss), (None, 0)), (weights, X), (weights, X))


def test_ensembles():
    nets = [nn.Linear(3, 2) for _ in range(3)]
    weights, _ = px.func.stack_module_state(nets)
    run = px.vmap(lambda w, x: px.func.functional_call(nets[0], w, x), (0, None))
    follows(run, (weights, X), (weights, X))


def test_modules_with_other_parameters_in_loops_and_branches():
    net = nn.Linear(3, 3)
    weights = others(net)

    def run(weights, x, n):
        for _ in range(n):
            x = px.func.functional_call(net, weights, x)
        if x.sum() > 1e6:
            x = net(x)
        return x

    follows(run, (weights, X, px.tensor(2)), (weights, X, px.tensor(3)))


def test_parameters_are_put_back_when_the_module_fails():
    class Fails(nn.Linear):
        def forward(self, x):
            raise ValueError("no")

    net = Fails(3, 3)
    weight = net.weight
    with pytest.raises(ValueError, match="no"):
        px.jit(lambda x: px.func.functional_call(net, {"weight": px.ones(3, 3)}, x))(X)
    assert net.weight is weight


# --- structures that transformations make


def test_structures_of_arguments_and_gradients_are_read():
    def loss(weights, x):
        return ((x * weights["w"]["scale"]).sum() - weights["b"][0]) ** 2

    def run(weights, x):
        gradients = px.func.grad(loss)(weights, x)
        gradients["b"].append(gradients["w"]["scale"].sum())
        again = px.func.grad(loss)({"w": gradients["w"], "b": [px.zeros(())]}, x)
        return gradients["w"]["scale"] * 2, gradients["b"], again

    weights = {"w": {"scale": px.ones(3)}, "b": [px.ones(())]}
    follows(run, (weights, X), (weights, X))


# --- what can be called


RATES = {"rate": 2.0}


def scaled(x, by=1.0):
    return x * RATES["rate"] * by


class Partial(functools.partial):
    pass


class Scale:
    by = 3.0

    def method(self, x):
        return x * self.by * RATES["rate"]

    __call__ = method


class Module(nn.Module):
    def forward(self, x):
        return scaled(x)


CALLABLES = {
    "function": lambda: scaled,
    "partial": lambda: functools.partial(scaled, by=3.0),
    "subclass of partial": lambda: Partial(scaled, by=3.0),
    "method": lambda: Scale().method,
    "object": Scale,
    "module": Module,
    "forward of a module": lambda: Module().forward,
    "captured function": lambda: px.jit(scaled),
    "captured method": lambda: px.jit(Scale().method),
    "captured module": lambda: px.jit(Module()),
}
TRANSFORMATIONS = {
    "call": lambda f: f,
    "vmap": px.vmap,
    "vmap inside": lambda f: lambda x: px.vmap(f)(x),
    "grad": lambda f: px.func.grad(lambda x: f(x).sum()),
    "vjp": lambda f: lambda x: px.func.vjp(f, x)[1](x)[0],
    "jvp": lambda f: lambda x: px.func.jvp(f, (x,), (x,)),
    "jacrev": px.func.jacrev,
    "checkpoint": lambda f: lambda x: px.checkpoint(f, x),
    "custom_gradient": lambda f: px.custom_gradient(lambda x: (f(x), lambda gradient: gradient)),
    "map": lambda f: lambda x: px.map(f, x),
    "cond": lambda f: lambda x: px.cond(x.sum() > 0, f, f, (x,)),
}


@pytest.mark.parametrize("name", CALLABLES)
@pytest.mark.parametrize("transformation", TRANSFORMATIONS)
def test_what_functions_of_functions_call(name, transformation, monkeypatch):
    function = TRANSFORMATIONS[transformation](CALLABLES[name]())
    follows(function, (X,), lambda: monkeypatch.setitem(RATES, "rate", 5.0), (X,))


class Double(px.autograd.Function):
    @staticmethod
    def forward(x):
        return x * 2

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.factor = 2

    @staticmethod
    def backward(ctx, gradient):
        return gradient * ctx.factor


OTHERS = {
    "forward": lambda x: x * 3,
    "setup_context": lambda ctx, inputs, output: setattr(ctx, "factor", 3),
    "backward": lambda ctx, gradient: gradient * 7,
}


@pytest.mark.parametrize("name", OTHERS)
def test_methods_of_functions_with_gradients_are_exchanged(name, monkeypatch):
    def run(x):
        y = x.detach().requires_grad_()
        z = Double.apply(y)
        return z.detach(), px.autograd.grad(z.sum(), y)[0]

    jitted = px.jit(run)
    before = jitted(X)
    monkeypatch.setattr(Double, name, staticmethod(OTHERS[name]))
    after = jitted(X)
    assert same(after, run(X)) and not same(after, before)
