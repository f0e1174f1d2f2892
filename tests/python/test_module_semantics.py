"""What scripts written for PyTorch rely on in modules: hooks, names, registration, containers, copies."""

import copy
import gc
import pickle
import threading
import weakref

import pytest

import phlox as px
from phlox import nn

# --- hooks


class Affine(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(px.tensor([2.0, 3.0]))

    def forward(self, x, *, shift=0.0):
        return x * self.weight + shift


def test_forward_hooks_see_and_replace():
    net, calls = Affine(), []
    first = net.register_forward_pre_hook(
        lambda m, args: calls.append(("before", len(args))) or (args[0] + 1,)
    )
    second = net.register_forward_hook(
        lambda m, args, out: calls.append(("after", args[0].tolist())) or out * 10
    )
    assert net(px.zeros(2)).tolist() == [20, 30]
    assert calls == [("before", 1), ("after", [1, 1])]
    first.remove()
    second.remove()
    assert net(px.ones(2)).tolist() == [2, 3] and len(calls) == 2


@pytest.mark.parametrize("make", [Affine, lambda: nn.Linear(2, 2), lambda: nn.Sequential(nn.ReLU())])
def test_the_order_of_hooks(make):
    net, order = make(), []
    net.register_forward_hook(lambda *_: order.append(2))
    with net.register_forward_hook(lambda *_: order.append(3)):
        net.register_forward_hook(lambda *_: order.append(1), prepend=True)
        net(px.ones(2))
        assert order == [1, 2, 3]
    net(px.ones(2))
    assert order == [1, 2, 3, 1, 2]


def test_hooks_with_keyword_arguments():
    net, seen = Affine(), []
    net.register_forward_pre_hook(lambda m, args, kw: (args, {**kw, "shift": 5.0}), with_kwargs=True)
    net.register_forward_hook(lambda m, args, kw, out: seen.append(kw), with_kwargs=True)
    assert net(px.zeros(2)).tolist() == [5, 5] and seen == [{"shift": 5.0}]
    net.register_forward_pre_hook(lambda m, args, kw: args, with_kwargs=True)
    with pytest.raises(px.errors.TypeError, match="with_kwargs"):
        net(px.zeros(2))


def test_hooks_of_modules_that_take_two_tensors():
    loss, seen = nn.MSELoss(), []
    loss.register_forward_hook(lambda m, args, out: seen.append(len(args)))
    loss(px.ones(2), px.zeros(2))
    assert seen == [2]


def gradients_of(net, x):
    x = x.clone().requires_grad_()
    net(x).sum().backward()
    return x.grad


@pytest.mark.parametrize("make", [Affine, lambda: nn.Linear(2, 2, bias=False)])
def test_backward_hooks(make):
    net, seen = make(), []
    plain = gradients_of(net, px.ones(2))
    net.zero_grad()
    handle = net.register_full_backward_hook(lambda m, given, got: seen.append((m, given, got)))
    assert px.equal(gradients_of(net, px.ones(2)), plain)
    [(module, (inner,), (outer,))] = seen
    assert module is net and px.equal(inner, plain) and outer.tolist() == [1, 1]
    handle.remove()
    gradients_of(net, px.ones(2))
    assert len(seen) == 1
    with net.register_full_backward_hook(lambda m, given, got: (given[0] * 2,)):
        assert px.allclose(gradients_of(net, px.ones(2)), plain * 2)
    with net.register_full_backward_pre_hook(lambda m, got: (got[0] * 3,)):
        assert px.allclose(gradients_of(net, px.ones(2)), plain * 3)


def test_backward_hooks_without_a_gradient_of_the_input():
    net, seen = Affine(), []
    net.register_full_backward_hook(lambda m, given, got: seen.append((given, got[0].tolist())))
    net(px.ones(2)).sum().backward()
    assert seen == [((None,), [1, 1])] and net.weight.grad.tolist() == [1, 1]


@pytest.mark.parametrize("make", [Affine, lambda: nn.Linear(2, 2)])
def test_backward_hooks_run_in_their_order(make):
    net, order = make(), []
    net.register_full_backward_hook(lambda *_: order.append(2))
    net.register_full_backward_hook(lambda *_: order.append(1), prepend=True)
    net.register_full_backward_pre_hook(lambda *_: order.append(0))
    gradients_of(net, px.ones(2))
    assert order == [0, 1, 2]


class Several(nn.Module):
    """Gives its results in a container, and fails on demand."""

    def __init__(self, pack):
        super().__init__()
        self.pack = pack

    def forward(self, x):
        if x.numel() == 0:
            raise RuntimeError("nothing to do")
        return self.pack(x * 2, x * 3)


def test_backward_hooks_leave_nothing_behind_when_forward_fails():
    net, seen = Several(lambda a, b: (a, b)), []
    net.register_full_backward_hook(lambda m, given, got: seen.append((given, got)))

    def fail():
        with pytest.raises(RuntimeError):
            net(px.ones(0, requires_grad=True))

    fail()
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(50):
        fail()
    gc.collect()
    assert len(gc.get_objects()) < before + 50
    a, _ = net(px.ones(2, requires_grad=True))
    a.sum().backward()
    [((inner,), (outer, none))] = seen
    assert inner.tolist() == [2, 2] and outer.tolist() == [1, 1] and (none is None or none.tolist() == [0, 0])


@pytest.mark.parametrize("pack", [lambda a, b: {"a": a, "b": b}, lambda a, b: [a, b]])
def test_backward_hooks_follow_outputs_in_containers(pack):
    net, seen = Several(pack), []
    net.register_full_backward_hook(lambda m, given, got: seen.append((given[0].tolist(), len(got))))
    output = net(px.ones(2, requires_grad=True))
    assert type(output) is type(pack(0, 0))
    sum(t.sum() for t in (output.values() if isinstance(output, dict) else output)).backward()
    assert seen == [([5, 5], 2)]


def test_backward_hooks_that_cannot_be_called_say_so():
    net = Several(lambda a, b: {a, b})
    net.register_full_backward_hook(lambda *_: None)
    with pytest.warns(UserWarning, match="Several: backward hooks are not called, forward gives a set"):
        net(px.ones(2, requires_grad=True))


def test_hooks_change_while_other_threads_run_the_module():
    net = nn.Sequential(nn.Linear(300, 300))
    x, failures = px.ones(300, 300), []

    def work():
        try:
            for _ in range(40):
                with net[0].register_forward_hook(lambda *_: None):
                    net[0].register_forward_pre_hook(lambda *_: None).remove()
                    net(x)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


class Observed(nn.Module):
    """Hooks that refer to the module which holds the part they watch."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(2, 2)
        self.body = Affine()
        self.seen = []
        self.inner.register_forward_hook(self.save)
        self.inner.register_forward_pre_hook(self.before, with_kwargs=True)
        self.body.register_forward_hook(self.save)
        self.body.register_full_backward_hook(self.save)

    def before(self, module, arguments, keywords):
        self.seen.append("before")

    def save(self, module, arguments, output):
        self.seen.append(type(module).__name__)

    def forward(self, x):
        return self.body(self.inner(x))


def test_hooks_do_not_keep_modules_alive():
    net = Observed()
    net(px.ones(1, 2))
    gone = weakref.ref(net.inner)
    del net
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_keep_their_hooks(copied):
    net = Observed()
    made = copied(net)
    made(px.ones(1, 2)).sum().backward()
    assert made.seen == ["before", "Linear", "Affine", "Affine"] and net.seen == []
    handle = made.inner.register_forward_hook(lambda *_: made.seen.append("last"))
    made.inner(px.ones(1, 2))
    assert made.seen[4:] == ["before", "Linear", "last"]
    handle.remove()
    made.inner(px.ones(1, 2))
    assert made.seen[7:] == ["before", "Linear"]


# --- names and registration


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(5, 3)
        self.head = nn.Linear(3, 5, bias=False)
        self.head.weight = self.embedding.weight


def test_shared_parameters_are_listed_once_and_saved_twice():
    net = Tied()
    assert [name for name, _ in net.named_parameters()] == ["embedding.weight"]
    twice = [name for name, _ in net.named_parameters(remove_duplicate=False)]
    assert twice == list(net.state_dict()) == ["embedding.weight", "head.weight"]
    made = copy.deepcopy(net)
    assert made.head.weight is made.embedding.weight and made.head.weight is not net.head.weight


def test_a_module_under_two_names():
    net = nn.Module()
    net.first = net.second = nn.Linear(1, 1)
    assert [name for name, _ in net.named_modules()] == ["", "first"]
    assert list(net.state_dict()) == ["first.weight", "first.bias", "second.weight", "second.bias"]
    del net.first
    assert list(net.state_dict()) == ["second.weight", "second.bias"]


def test_a_module_twice_in_a_sequence_runs_twice_and_is_listed_once():
    twice = Affine()
    for net in (nn.Sequential(twice, twice), nn.ModuleList([twice, twice])):
        assert list(net.children()) == [twice] and [name for name, _ in net.named_children()] == ["0"]
        assert len(net) == 2 and list(net) == [twice, twice] and repr(net).count("Affine") == 2
        assert net.get_submodule("1") is twice
        made = copy.deepcopy(net)
        assert made[0] is made[1] and len(made) == 2
    assert nn.Sequential(twice, twice)(px.ones(2)).tolist() == [4, 9]
    visited = []
    nn.Sequential(twice, twice).apply(visited.append)
    assert len(visited) == 2


def test_a_module_is_no_part_of_itself():
    net = nn.Sequential(nn.Linear(2, 2))
    inner = nn.Sequential()
    net.append(inner)
    for owner, part in [(net, net), (inner, net)]:
        with pytest.raises(px.errors.ValueError, match="the module itself or contains it"):
            owner.add_module("me", part)
        with pytest.raises(px.errors.ValueError, match="the module itself or contains it"):
            owner.me = part
        assert "me" not in owner.__dict__
    with pytest.raises(px.errors.ValueError, match="the module itself or contains it"):
        net[0] = net
    assert len(list(net.modules())) == 3 and len(list(net.parameters())) == 2


def test_absent_parameters_and_buffers_keep_their_place():
    net = nn.Module()
    net.register_parameter("bias", None)
    net.register_buffer("mean", None)
    assert net.bias is None and net.mean is None and not net.state_dict()
    net.bias = nn.Parameter(px.ones(1))
    net.mean = px.ones(2)
    assert list(net.state_dict()) == ["bias", "mean"] and not net.mean.requires_grad
    net.bias = None
    assert list(net.state_dict()) == ["mean"]


def test_buffers():
    net = nn.Module()
    net.register_buffer("kept", px.zeros(1))
    net.register_buffer("passing", px.zeros(1), persistent=False)
    assert list(net.state_dict()) == ["kept"] and len(list(net.buffers())) == 2
    net.register_buffer("kept", px.ones(3))
    assert net.kept.shape == (3,)
    made = copy.deepcopy(net)
    assert list(made.state_dict()) == ["kept"] and made.passing.item() == 0
    net.kept = None
    assert not net.state_dict()


@pytest.mark.parametrize("name", ["", "a.b", "forward", "weight"])
def test_names_that_cannot_be_registered(name):
    net = Affine()
    with pytest.raises(px.errors.ValueError, match="registered"):
        net.register_buffer(name, px.zeros(1))


def test_lookups_by_path():
    net = nn.Sequential(nn.Sequential(nn.BatchNorm1d(2)))
    assert net.get_submodule("") is net and net.get_submodule("0.0") is net[0][0]
    assert net.get_parameter("0.0.weight") is net[0][0].weight
    assert net.get_buffer("0.0.running_mean").shape == (2,)
    for look, path in [("submodule", "0.1"), ("parameter", "0.0.gain"), ("buffer", "0.0.weight")]:
        with pytest.raises(AttributeError, match=path):
            getattr(net, f"get_{look}")(path)


def test_replacing_a_part_keeps_its_place():
    net = nn.Sequential(nn.Linear(1, 2), nn.Linear(2, 3))
    net[0] = nn.Linear(1, 2)
    assert [name for name, _ in net.named_children()] == ["0", "1"]
    assert list(net.state_dict())[0] == "0.weight"


# --- gradients, dtypes, modes


def test_zero_grad_drops_or_zeroes():
    net = Affine()
    net(px.ones(2)).sum().backward()
    gradient = net.weight.grad
    net.zero_grad(set_to_none=False)
    assert net.weight.grad is not None and gradient.tolist() == [0, 0]
    net.zero_grad()
    assert net.weight.grad is None


def test_conversion():
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    for convert, dtype in [
        (lambda: net.to(px.float64), px.float64),
        (lambda: net.half(), px.float16),
        (lambda: net.to(dtype=px.bfloat16, non_blocking=True), px.bfloat16),
        (lambda: net.to(px.zeros(1)), px.float32),
        (lambda: net.type(px.float64), px.float64),
        (lambda: net.to("cpu", px.float32), px.float32),
    ]:
        assert convert() is net and {p.dtype for p in net.parameters()} == {dtype}
    assert net[1].num_batches_tracked.dtype is px.int64
    with pytest.raises(px.errors.TypeError, match="floating"):
        net.to(px.int32)


def test_apply_visits_parts_first():
    seen = []
    net = nn.Sequential(nn.Linear(1, 1), nn.Sequential(nn.ReLU()))
    assert net.apply(lambda m: seen.append(type(m).__name__)) is net
    assert seen == ["Linear", "ReLU", "Sequential", "Sequential"]


# --- containers


def test_slices_of_sequential_keep_modules_and_names():
    net = nn.Sequential(nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 3))
    part = net[1:]
    assert isinstance(part, nn.Sequential) and part[0] is net[1] and part[-1] is net[2]
    assert list(part.state_dict()) == ["2.weight", "2.bias"]
    del net[1]
    assert len(net) == 2 and list(net.state_dict())[-1] == "1.bias"
    net.append(nn.ReLU()).extend([nn.ReLU()])
    net.insert(0, nn.Identity())
    assert [type(m).__name__ for m in net] == ["Identity", "Linear", "Linear", "ReLU", "ReLU"]
    assert isinstance(net.pop(), nn.ReLU) and len(net) == 4
    assert len(net + nn.Sequential(nn.ReLU())) == 5
    with pytest.raises(IndexError, match="item 9"):
        net[9]


def test_lists_and_dicts_of_parameters():
    net = nn.Module()
    net.list = nn.ParameterList([px.ones(2), nn.Parameter(px.zeros(1))])
    net.dict = nn.ParameterDict({"b": px.ones(1), "a": px.ones(3)})
    names = ["list.0", "list.1", "dict.b", "dict.a"]
    assert list(net.state_dict()) == [name for name, _ in net.named_parameters()] == names
    net.list.append(px.ones(4))
    net.list[0] = px.zeros(2)
    assert isinstance(net.list[0], nn.Parameter) and [len(p) for p in net.list] == [2, 1, 4]
    assert net.list[-1].requires_grad and len(net.list[1:]) == 2
    net.dict["b"] = px.zeros(5)
    assert list(net.dict) == ["b", "a"] and net.dict["b"].shape == (5,) and "c" not in net.dict
    assert net.dict.pop("a").shape == (3,) and len(net.dict) == 1
    assert "(b): f32[5]" in repr(net.dict)


def test_module_dict():
    parts = nn.ModuleDict([("a", nn.ReLU())])
    parts.update({"b": nn.Linear(1, 1)})
    parts["a"] = nn.Tanh()
    assert list(parts.keys()) == ["a", "b"] and isinstance(parts["a"], nn.Tanh)
    assert [name for name, _ in parts.items()] == ["a", "b"] and len(list(parts.values())) == 2
    assert parts.get("c") is None and isinstance(parts.pop("a"), nn.Tanh) and "a" not in parts
    with pytest.raises(KeyError):
        del parts["a"]
    with pytest.raises(px.errors.ValueError, match="keys"):
        parts["keys"] = nn.ReLU()
    parts.clear()
    assert len(parts) == 0


# --- copies


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_may_refer_to_themselves(copied):
    net = Affine()
    net.owners = [net]
    net.note = {"epoch": 3}
    made = copied(net)
    assert made.owners[0] is made and made.note == {"epoch": 3} and made.note is not net.note
    assert px.equal(made.weight, net.weight) and made.weight is not net.weight


def test_copies_keep_what_was_changed_after_construction():
    net = nn.Sequential(nn.Linear(2, 3), nn.Dropout(0.3))
    net[0].weight.requires_grad_(False)
    net[0].bias = None
    net.eval()
    made = copy.deepcopy(net)
    assert list(made.state_dict()) == ["0.weight"] and not made[0].weight.requires_grad
    assert not made[1].training and made[1].p == 0.3
    assert [type(m) for m in made] == [type(m) for m in net]


class Scaled(nn.Linear):
    """A subclass of a layer of C++, with a constructor and members of its own."""

    def __init__(self, size, scale):
        super().__init__(size, size, bias=False)
        self.scale = nn.Parameter(px.full((size,), scale))
        self.inner = nn.LayerNorm(size)

    def forward(self, x):
        return self.inner(super().forward(x)) * self.scale


def test_subclasses_of_layers():
    layer = Scaled(3, 2.0)
    assert list(layer.state_dict()) == ["weight", "scale", "inner.weight", "inner.bias"]
    x = px.randn(2, 3)
    net = nn.Sequential(layer)
    assert px.equal(copy.deepcopy(net)(x), net(x))
    assert px.equal(pickle.loads(pickle.dumps(layer))(x), layer(x))
    assert repr(layer).startswith(
        "Scaled(\n  in_features=3, out_features=3, bias=False\n  (inner): LayerNorm("
    )


# --- text


def test_text_form_tells_what_is_not_usual():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(1, 4, 3, padding=1)
            self.body = nn.Sequential(nn.ReLU(), nn.Dropout(0.2))

        def extra_repr(self):
            return "depth=2"

    lines = [
        "Net(",
        "  depth=2",
        "  (conv): Conv2d(in_channels=1, out_channels=4, kernel_size=3, padding=1)",
        "  (body): Sequential(",
        "    (0): ReLU()",
        "    (1): Dropout(p=0.2)",
        "  )",
        ")",
    ]
    assert repr(Net()) == "\n".join(lines)
