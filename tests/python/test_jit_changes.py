"""px.jit follows changes of tensors, modules and optimisers around a captured function: eager = captured after each."""

# shard: graph

import functools

import pytest
from jit_helpers import same

import phlox as px
from phlox import nn

F = nn.functional


class Scene:
    """A function, its arguments, changes of what is around it, and what to look at besides its result."""

    def __init__(self, function, args, changes, look=lambda: ()):
        self.function, self.args, self.changes, self.look = function, args, changes, look


SCENES = []


def scene(make):
    SCENES.append(make)
    return make


def run(make, wrap):
    """What all calls give: two as it is at first, two after each change."""
    px.manual_seed(1)
    s = make()
    function, seen = wrap(s.function), []
    for change in (None, *s.changes):
        if change is not None:
            change()
        for _ in range(2):
            result = function(*s.args)
            seen.append([v.detach().clone() for v in (*_tensors(result), *s.look())])
    return seen


def _tensors(result):
    return result if isinstance(result, tuple) else (result,)


def net():
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))


def training(model, optimizer, *changes):
    def step(x):
        optimizer.zero_grad()
        loss = (model(x) ** 2).sum()
        loss.backward()
        optimizer.step()
        return loss.detach()

    return Scene(step, (px.randn(5, 3),), changes, lambda: [p.detach() for p in model.parameters()])


# --- whether tensors require gradients


@scene
def probability_of_dropout():
    drop = nn.Dropout(0.5)
    return Scene(drop, (px.ones(64),), [lambda: setattr(drop, "p", 0.0), lambda: setattr(drop, "p", 1.0)])


@scene
def freezing_and_unfreezing_a_layer():
    model = net()
    optimizer = px.optim.SGD(model.parameters(), lr=0.1)
    return training(
        model, optimizer, lambda: model[0].requires_grad_(False), lambda: model[0].requires_grad_(True)
    )


@scene
def unfreezing_what_was_frozen_at_first():
    model = net()
    model[0].requires_grad_(False)
    optimizer = px.optim.SGD(model.parameters(), lr=0.1)
    return training(model, optimizer, lambda: model[0].requires_grad_(True))


@scene
def asking_whether_a_tensor_requires_gradients():
    w = px.ones(2)
    return Scene(
        lambda x: x * 2 if w.requires_grad else x * 3,
        (px.ones(2),),
        [w.requires_grad_, lambda: w.requires_grad_(False)],
    )


# --- optimisers


def optimizers(name):
    return {
        "SGD": lambda p: px.optim.SGD(p, lr=0.1, momentum=0.9),
        "Adam": lambda p: px.optim.Adam(p, lr=0.1),
        "RMSprop": lambda p: px.optim.RMSprop(p, lr=0.1),
    }[name]


def loading_a_state(name):
    def make():
        model = net()
        optimizer = optimizers(name)(model.parameters())
        other_model = net()
        other = optimizers(name)(other_model.parameters())
        x = px.randn(5, 3)
        for _ in range(3):
            other.zero_grad()
            (other_model(x) ** 3).sum().backward()
            other.step()
        return training(model, optimizer, lambda: optimizer.load_state_dict(other.state_dict()))

    make.__name__ = f"loading_a_state_into_{name}"
    return make


for name in ("SGD", "Adam", "RMSprop"):
    SCENES.append(loading_a_state(name))


@scene
def settings_of_an_optimizer():
    model = net()
    optimizer = px.optim.SGD(model.parameters(), lr=0.1, momentum=0.5)

    def setting(name, value):
        return lambda: optimizer.param_groups[0].update({name: value})

    return training(
        model,
        optimizer,
        setting("weight_decay", 0.5),
        setting("momentum", 0.9),
        setting("lr", 0.01),
        setting("nesterov", True),
    )


@scene
def another_group_of_parameters():
    model = net()
    optimizer = px.optim.SGD(model[0].parameters(), lr=0.1)
    return training(
        model, optimizer, lambda: optimizer.add_param_group({"params": list(model[2].parameters())})
    )


# --- modules


def module_scene(model, *changes):
    return Scene(lambda x: model(x), (px.randn(5, 3),), changes)


@scene
def another_weight_in_a_part():
    model = net()
    weight = px.randn(4, 3)

    def change():
        model[0].weight = nn.Parameter(weight)

    return module_scene(model, change)


@scene
def another_weight_of_the_module_itself():
    model = nn.Linear(3, 2)
    weight = px.randn(2, 3)

    def change():
        model.weight = nn.Parameter(weight)

    return module_scene(model, change)


@scene
def other_parts():
    model = net()

    def replace():
        model[1] = nn.ReLU()

    first = nn.Linear(3, 4, bias=False)
    return module_scene(
        model,
        replace,
        lambda: model.append(nn.Sigmoid()),
        lambda: model.__setitem__(0, first),
        lambda: model.pop(),
    )


@scene
def a_longer_list_of_modules():
    layers = nn.ModuleList([nn.Linear(3, 3), nn.Linear(3, 3)])

    def function(x):
        for layer in layers:
            x = layer(x)
        return x

    return Scene(function, (px.randn(5, 3),), [lambda: layers.append(nn.ReLU())])


@scene
def hooks_of_a_module():
    model = net()
    handles = []
    return module_scene(
        model,
        lambda: handles.append(model[0].register_forward_hook(lambda m, given, result: result * 2)),
        lambda: handles.append(model[1].register_forward_pre_hook(lambda m, given: given[0] + 1)),
        lambda: handles[0].remove(),
        lambda: handles[1].remove(),
    )


class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(3, 3)

    def forward(self, x):
        return self.inner(x) + 1


@scene
def hooks_of_a_module_of_ones_own():
    model = nn.Sequential(Own())
    handles = []
    return module_scene(
        model,
        lambda: handles.append(model[0].register_forward_hook(lambda m, given, result: result * 2)),
        lambda: handles[0].remove(),
    )


@scene
def hooks_of_a_parameter():
    model = net()
    optimizer = px.optim.SGD(model.parameters(), lr=0.1)
    handles = []
    return training(
        model,
        optimizer,
        lambda: handles.append(model[0].weight.register_hook(lambda gradient: gradient * 0)),
        lambda: handles[0].remove(),
    )


@scene
def hooks_of_an_argument():
    x = px.randn(3, requires_grad=True)
    handles = [x.register_hook(lambda gradient: gradient * 3)]

    def function(x):
        x.grad = None
        (x * x).sum().backward()
        return x.grad.clone()

    return Scene(
        function,
        (x,),
        [
            lambda: handles[0].remove(),
            lambda: handles.append(x.register_post_accumulate_grad_hook(lambda leaf: leaf.grad.mul_(5))),
            lambda: handles[1].remove(),
        ],
    )


# --- train() and eval() of modules that come in other ways than by a read


def dropping():
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


def modes(model, function, *args):
    return Scene(function, (*args, px.randn(5, 3)), [model.eval, model.train, model.eval])


@scene
def the_mode_of_an_argument():
    model = dropping()
    return modes(model, lambda m, x: m(x), model)


@scene
def the_mode_of_what_partial_holds():
    model = dropping()
    return modes(model, functools.partial(lambda m, x: m(x), model))


@scene
def the_mode_of_what_getattr_gives():
    class Holder:
        pass

    holder = Holder()
    holder.model = dropping()
    return modes(holder.model, lambda x: getattr(holder, "model")(x))  # noqa: B009


@scene
def the_mode_of_a_part_of_an_argument():
    model = dropping()
    return modes(model[1], lambda m, x: m(x), model)


@pytest.mark.parametrize("make", SCENES, ids=lambda make: make.__name__)
def test_eager_is_captured_after_a_change(make):
    expected, actual = run(make, lambda function: function), run(make, px.jit)
    assert same(actual, expected)


# --- how tensors lie


LAYOUTS = {
    "is_contiguous": lambda x: x * 2 if x.is_contiguous() else x * 5,
    "stride": lambda x: x * x.stride(0),
    "strides": lambda x: x * x.stride()[1],
    "of a result": lambda x: x * 2 if (x + 1).is_contiguous() else x * 5,
    "offset": lambda x: x + x.storage_offset(),
    "in a branch": lambda x: px.cond(
        x.sum() > 0, lambda: x * 2 if x.is_contiguous() else x * 5, lambda: x * 1
    ),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_program_that_asks_how_a_tensor_lies(name):
    function = LAYOUTS[name]
    jitted = px.jit(function)
    base = px.arange(18.0).reshape(6, 3)
    for x in (base[:3], base[:3].t(), base[:3].clone(), base[:3].clone().t(), base[3:], base[3:].t()):
        assert same(jitted(x), function(x)), name


# --- gradients of what is overwritten


def test_gradients_of_what_the_function_overwrites_itself():
    """They are those of the values that the result came from; eagerly the same program raises E0601."""

    def function(x, w):
        y = (x * w * w).sum()
        with px.no_grad():
            w.mul_(10)
        return y

    x, w = px.tensor([1.0], requires_grad=True), px.tensor([2.0])
    jitted = px.jit(function)
    for factor in (1.0, 100.0):
        x.grad = None
        jitted(x, w).backward()
        assert x.grad.item() == 4.0 * factor
    assert w.item() == 200.0
    with pytest.raises(px.GradientError):
        function(x, w).backward()


def test_gradients_of_what_lies_around_and_is_overwritten():
    w, buffer = px.tensor([2.0], requires_grad=True), px.tensor([3.0])

    @px.jit
    def function(x):
        y = (x * buffer * w).sum()
        buffer.add_(10)
        with px.no_grad():
            w.mul_(2)
        return y

    x = px.tensor([1.0], requires_grad=True)
    function(x).backward()
    assert x.grad.item() == 6.0 and w.grad.item() == 3.0 and w.item() == 4.0
    x.grad = w.grad = None
    (gradient,) = px.autograd.grad(function(x), x, create_graph=True)
    assert gradient.item() == 13.0 * 4.0
    (second,) = px.autograd.grad(gradient, w)
    assert second.item() == 13.0


# --- messages


def test_why_a_function_was_captured_again():
    model = net()
    model(px.ones(1, 3))
    jitted = px.jit(lambda x: model(x))
    jitted(px.ones(1, 3))
    model.eval()
    jitted(px.ones(1, 3))
    assert "a module changed between train() and eval()" in jitted.explain()
    model.append(nn.ReLU())
    jitted(px.ones(1, 3))
    assert "the settings, parts or hooks of a module changed" in jitted.explain()


def test_settings_that_change_at_each_call_are_an_error():
    model = net()
    optimizer = px.optim.SGD(model.parameters(), lr=0.1)
    step = px.jit(training(model, optimizer).function)
    with pytest.raises(px.GraphError, match="of an optimizer changed, 8 times by now"):
        for i in range(50):
            step(px.ones(1, 3))
            optimizer.param_groups[0]["weight_decay"] = i / 100


def test_functional_call_leaves_captures_of_the_module_alone():
    model = net()
    jitted = px.jit(lambda x: model(x))
    other = {name: p.detach() * 2 for name, p in model.named_parameters()}
    x = px.randn(2, 3)
    for _ in range(3):
        assert same(jitted(x), model(x))
        expected = px.func.functional_call(model, other, x)
        assert same(px.func.functional_call(model, other, x), expected)
    assert jitted.capture_count == 1


def test_gradients_that_gradients_flow_to_are_not_written():
    weight = px.ones(2).requires_grad_()
    weight.grad = px.zeros(2)

    def write():
        weight.grad.copy_(weight)
        return weight.grad

    with pytest.raises(px.GraphError, match=r"written into the gradient of a tensor(.|\n)*value\.detach\(\)"):
        px.jit(write)()
    assert same(weight.grad, px.zeros(2))

    def exchange():
        weight.grad = (weight * 2).detach()
        return weight.grad

    assert same(px.jit(exchange)(), px.full((2,), 2.0))


def test_gradients_from_outside_reach_values_that_were_written():
    weight = px.tensor([1.0, 2.0, 3.0], requires_grad=True)

    def view_of_what_was_written(x):
        x[:] = weight
        return x[:]

    def overwritten(x):
        y = weight * x
        y[...] = 1e-3
        return y

    def overwritten_through_a_view(x):
        y = (weight * x).reshape(1, 3)
        y.T[None, :] = 1e-3
        return y

    def of_another_dtype(x):
        y = px.zeros(5, 3, dtype=px.float16)
        y[...] = weight
        return y * 1e-3

    for function in (view_of_what_was_written, overwritten, overwritten_through_a_view, of_another_dtype):
        found = []
        for run in (function, px.jit(function)):
            weight.grad = None
            result = run(px.ones(3))
            assert result.requires_grad
            (result * px.arange(1.0, 4.0)).sum().backward()
            found.append(weight.grad)
        assert same(*found)
    assert weight.grad is not None


def test_leaves_that_are_written_through_detached_tensors():
    weight = px.ones(2, 2).requires_grad_()

    def view_before_the_write():
        view = weight.T
        weight.detach().add_(1.0)
        return (view * 1).detach()

    assert same(px.jit(view_before_the_write)(), px.full((2, 2), 2.0))
    assert weight.is_leaf

    def recorded(use):
        view = weight.T
        weight.detach().add_(view[0])
        return use(view)

    px.jit(recorded)(lambda view: None)
    assert weight.is_leaf and same(weight, px.full((2, 2), 4.0))
    for use in (lambda view: view, lambda view: weight * 1, lambda view: view.sum()):
        with pytest.raises(px.GraphError, match=r"through another that is detached(.|\n)*value\.detach\(\)"):
            px.jit(recorded)(use)


def test_partial_writes_into_detached_memory():
    x, w = px.tensor([1.0, 2.0, 3.0], requires_grad=True), px.tensor([4.0, 5.0, 6.0], requires_grad=True)

    def element(x, w):
        y = x.detach()
        y[1] = w[1]
        return y * 2

    def part(x, w):
        y = (x * 1).detach()
        z = y.view(3)
        z[1:].add_(w[1:])
        return y * 2 + z

    def gradients(result):
        x.grad = w.grad = None
        (result * px.tensor([1.0, 10.0, 100.0])).sum().backward()
        return x.grad, w.grad

    for function in (element, part):
        expected, actual = gradients(function(x.clone(), w)), gradients(px.jit(function)(x.clone(), w))
        assert expected[0] is None and actual[0] is None and same(actual[1], expected[1])

    def several(x, w):
        y = px.zeros(3)
        y.detach()[0] = w[0]
        y[1] = x[1]
        return y

    with pytest.raises(px.GraphError, match="through another that is detached"):
        px.jit(several)(x, w)


def test_modes_that_products_look_at():
    function = px.jit(lambda x: x * 2 if px.are_deterministic_algorithms_enabled() else x * 3)
    assert function(px.ones(1)).item() == 3
    px.use_deterministic_algorithms(True)
    try:
        assert function(px.ones(1)).item() == 2
        with pytest.raises(px.GraphError, match=r"use_deterministic_algorithms\(\) changes the program"):
            px.jit(lambda x: px.use_deterministic_algorithms(False) or x)(px.ones(1))
    finally:
        px.use_deterministic_algorithms(False)


def test_learning_rates_that_are_set_have_64_bits():
    optimizer = px.optim.SGD([px.ones(2).requires_grad_()], lr=0.1)

    @px.jit
    def step(x):
        optimizer.param_groups[0]["lr"] = 0.3
        return x

    step(px.ones(1))
    assert optimizer.param_groups[0]["lr"] == 0.3


def test_views_that_are_behind_their_base_in_branches_and_loops():
    w = px.tensor([1.0, 2.0, 3.0], requires_grad=True)

    def behind():
        base = px.zeros(3)
        view = base.view(3)
        base[0] = w[1] * 2
        return view

    def given(x):
        return px.cond(x.sum() > 1e9, lambda a: a * 2.0, lambda a: a * 3.0, (behind(),))

    def around(x):
        view = behind()
        return w if x.sum() > 1e9 else view * 3

    def repeated(x):
        view = behind()
        for _ in range(x.sum().long()):
            x = x + view
        return x

    def written(x):
        view = x[...]
        x.copy_(w)
        px.cond(x.sum() > 0, lambda a: a, lambda a: -a, (view,))
        return view

    for function in (given, around, repeated, written):
        gradients = []
        for run in (function, px.jit(function)):
            w.grad = None
            run(px.ones(3)).sum().backward()
            gradients.append(w.grad)
        assert gradients[0] is not None and same(*gradients), function


def test_most_compilations():
    jitted = px.jit(lambda x: x * 2)
    jitted(px.ones(2)), jitted(px.ones(2, 2))
    with pytest.raises(px.GraphError, match="compiled 2 times, more than 1"):
        jitted.assert_compiled(max_compiles=1)
    jitted.assert_compiled(max_compiles=2)
    with pytest.raises(px.GraphError, match="compiled more than 2 times"):
        jitted(px.ones(2, 2, 2))


def test_a_trace_keeps_to_its_arguments():
    traced = px.trace(lambda x, k: x * k, px.ones(2), 3)
    with pytest.raises(px.GraphError, match="called with other arguments than those it was traced with"):
        traced(px.ones(2), 4)
