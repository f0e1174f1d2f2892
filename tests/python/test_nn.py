"""Modules and layers: subclassing, registration, state, hooks, copies."""

import copy
import gc
import pickle
import weakref

import pytest

import phlox as px
from phlox import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.head = nn.Linear(4, 2, bias=False)
        self.scale = nn.Parameter(px.ones(2))
        self.register_buffer("seen", px.zeros(1), persistent=False)

    def forward(self, x):
        return self.head(px.relu(self.norm(self.conv(x))).mean((2, 3))) * self.scale


KEYS = [
    "scale",
    "conv.weight",
    "conv.bias",
    "norm.weight",
    "norm.bias",
    "norm.running_mean",
    "norm.running_var",
    "norm.num_batches_tracked",
    "head.weight",
]


def test_windows_of_images_are_called_what_the_user_wrote():
    for call, name in (
        (lambda: nn.functional.unfold(px.ones(3), 2), "unfold"),
        (lambda: nn.functional.unfold(px.ones(1, 1, 2, 2)), "unfold"),
        (lambda: nn.Unfold(2)(px.ones(3)), "unfold"),
        (lambda: nn.functional.fold(px.ones(3), 2), "fold"),
        (lambda: nn.functional.im2col(px.ones(3), 2), "im2col"),
    ):
        with pytest.raises(px.PhloxError, match=rf"\] {name}: "):
            call()


def test_layers_that_resize_images():
    x = px.arange(16.0).reshape(1, 4, 2, 2)
    y = nn.PixelShuffle(2)(x)
    assert y[0, 0].tolist() == [[0, 4, 1, 5], [8, 12, 9, 13], [2, 6, 3, 7], [10, 14, 11, 15]]
    assert px.equal(nn.PixelUnshuffle(2)(y), x)
    assert px.equal(nn.functional.pixel_shuffle(x[0], 2), y[0])
    assert nn.functional.pixel_shuffle(px.zeros(0, 4, 2, 2), 2).shape == (0, 1, 4, 4)
    for wrong in (lambda: nn.PixelShuffle(3)(x), lambda: nn.PixelShuffle(2)(px.ones(4, 4))):
        with pytest.raises(px.ShapeError, match="pixel_shuffle: "):
            wrong()
    with pytest.raises(px.ShapeError, match="pixel_unshuffle: "):
        nn.PixelUnshuffle(3)(x)
    up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
    expected = nn.functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    assert px.equal(up(x), expected) and up(x).shape == (1, 4, 4, 4)
    assert nn.Upsample(size=(3, 5))(x).shape == (1, 4, 3, 5)
    assert repr(up) == "Upsample(scale_factor=2, mode='bilinear')"
    assert "PixelShuffle(upscale_factor=2)" in repr(nn.Sequential(nn.PixelShuffle(2)))


def test_state_has_the_keys_of_pytorch():
    assert list(Net().state_dict()) == KEYS


def test_what_is_listed():
    net = Net()
    assert [name for name, _ in net.named_children()] == ["conv", "norm", "head"]
    assert [name for name, _ in net.named_modules()] == ["", "conv", "norm", "head"]
    assert next(net.parameters()) is net.scale
    assert dict(net.named_parameters())["conv.weight"] is net.conv.weight
    assert isinstance(net.conv.weight, nn.Parameter)
    assert net.head.bias is None
    assert {name for name, _ in net.named_buffers()} >= {"seen", "norm.running_mean"}


def test_members_are_replaced_and_removed():
    net = Net()
    net.scale = nn.Parameter(px.zeros(2))
    assert net(px.ones(1, 1, 4, 4)).abs().sum().item() == 0
    net.head = nn.Linear(4, 3)
    assert "head.bias" in net.state_dict()
    del net.head
    assert "head.weight" not in net.state_dict() and not hasattr(net, "head")
    net.seen = px.ones(1)
    assert dict(net.named_buffers())["seen"].item() == 1
    with pytest.raises(px.errors.TypeError, match="parameter"):
        net.scale = px.ones(2)


def test_forgotten_super_init_is_explained():
    class Wrong(nn.Module):
        def __init__(self):
            self.layer = nn.Linear(1, 1)

    with pytest.raises(px.StateError, match="super"):
        Wrong()


def test_forward_takes_any_arguments():
    class Sum(nn.Module):
        def forward(self, a, b, *, scale=1):
            return {"sum": (a + b) * scale}

    assert Sum()(px.ones(1), px.ones(1), scale=3)["sum"].item() == 6


def test_python_modules_inside_cpp_calls_and_hooks():
    seen = []
    net = nn.Sequential(Net(), nn.Linear(2, 2))
    handles = [net[0].register_forward_hook(lambda m, a, y: seen.append(type(m).__name__))]
    handles.append(net[1].register_forward_hook(lambda m, a, y: y * 0))
    handles.append(net[1].register_forward_pre_hook(lambda m, a: seen.append(len(a))))
    assert net(px.ones(2, 1, 4, 4)).abs().sum().item() == 0
    assert seen == ["Net", 1]
    for handle in handles:
        handle.remove()
    assert net(px.ones(2, 1, 4, 4)).abs().sum().item() != 0
    assert len(seen) == 2


def test_summary_counts_parameters():
    net = nn.Linear(3, 2)
    assert "8 parameters, 8 of them trainable" in net.summary(px.ones(1, 3))


def test_load_is_strict_and_whole():
    net, other = Net(), Net()
    assert net.load_state_dict(other.state_dict()) == ([], [])
    assert px.equal(net.conv.weight, other.conv.weight)
    state = other.state_dict()
    state["more"] = state.pop("scale")
    before = net.conv.weight.clone()
    with pytest.raises(px.StateError, match="scale"):
        net.load_state_dict(state)
    assert net.load_state_dict(state, strict=False) == (["scale"], ["more"])
    state = other.state_dict()
    state["scale"] = px.ones(3)
    with pytest.raises(px.StateError, match="shapes differ"):
        net.load_state_dict(state)
    assert px.equal(net.conv.weight, before)


def test_train_eval_and_conversion():
    net = Net()
    assert net.training and net.eval() is net and not net.norm.training
    net.train()
    assert net.norm.training
    weight = net.conv.weight
    assert net.to(px.float64).conv.weight is weight and weight.dtype is px.float64
    assert net.norm.num_batches_tracked.dtype is px.int64
    net.requires_grad_(False)
    assert not any(p.requires_grad for p in net.parameters())


def test_overridden_train_is_called_for_parts():
    class Frozen(nn.Module):
        def train(self, mode=True):
            return super().train(False)

    net = nn.Sequential(Frozen())
    net.train()
    assert net.training and not net[0].training


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))], ids=["copy", "pickle"]
)
def test_copies_are_equal_and_separate(copied):
    net = Net().eval()
    made = copied(net)
    x = px.randn(2, 1, 4, 4)
    assert px.equal(net(x), made(x)) and not made.training
    with px.no_grad():
        net.scale.zero_()
    assert made.scale.sum().item() == 2
    assert list(made.state_dict()) == list(net.state_dict())


def test_text_form():
    assert (
        repr(nn.Sequential(nn.Linear(2, 3))) == "Sequential(\n  (0): Linear(in_features=2, out_features=3)\n)"
    )


def test_containers():
    parts = nn.ModuleList([nn.Identity() for _ in range(3)])
    parts.insert(0, nn.Flatten())
    assert len(parts) == 4 and isinstance(parts[0], nn.Flatten) and isinstance(parts[-1], nn.Identity)
    assert len(parts[1:]) == 3
    named = nn.ModuleDict({"a": nn.Linear(1, 1)})
    named["b"] = nn.Identity()
    assert list(named) == ["a", "b"] and "a.weight" in named.state_dict()
    with pytest.raises(IndexError):
        parts[9]


def test_modules_are_freed():
    net = Net()
    seen = weakref.ref(net)
    net.itself = [net]
    del net
    gc.collect()
    assert seen() is None


def test_settings_of_layers_are_read_only():
    layer = nn.Linear(3, 2)
    assert (layer.in_features, layer.out_features) == (3, 2)
    with pytest.raises(AttributeError):
        layer.in_features = 4


LAYERS = [
    (lambda: nn.Conv1d(2, 4, 3), (1, 2, 8), (1, 4, 6)),
    (lambda: nn.Conv3d(2, 4, 3, stride=2), (1, 2, 7, 7, 7), (1, 4, 3, 3, 3)),
    (lambda: nn.ConvTranspose2d(2, 3, 2, stride=2), (1, 2, 4, 4), (1, 3, 8, 8)),
    (lambda: nn.LayerNorm([4]), (2, 4), (2, 4)),
    (lambda: nn.GroupNorm(2, 4), (2, 4, 3), (2, 4, 3)),
    (lambda: nn.Dropout(0.5), (3,), (3,)),
    (lambda: nn.MaxPool2d(2), (1, 1, 4, 4), (1, 1, 2, 2)),
    (lambda: nn.AvgPool1d(2), (1, 1, 4), (1, 1, 2)),
    (lambda: nn.AdaptiveAvgPool2d(1), (1, 3, 4, 5), (1, 3, 1, 1)),
    (lambda: nn.ZeroPad2d((1, 2, 3, 4)), (1, 1, 2, 2), (1, 1, 9, 5)),
    (lambda: nn.Flatten(), (2, 3, 4), (2, 12)),
    (lambda: nn.Unflatten(1, (3, 4)), (2, 12), (2, 3, 4)),
]


@pytest.mark.parametrize("make, given, expected", LAYERS)
def test_layers(make, given, expected):
    layer = make()
    assert tuple(layer(px.randn(*given)).shape) == expected
    assert tuple(copy.deepcopy(layer)(px.randn(*given)).shape) == expected


def test_embedding():
    layer = nn.Embedding(5, 3, padding_idx=0)
    assert layer(px.tensor([[0, 1]])).shape == (1, 2, 3)
    assert layer(px.tensor([0])).abs().sum().item() == 0


def test_a_layer_can_be_subclassed():
    class Twice(nn.Linear):
        def forward(self, x):
            return super().forward(x) * 2

    layer = Twice(2, 2)
    x = px.randn(1, 2)
    assert px.allclose(layer(x), nn.functional.linear(x, layer.weight, layer.bias) * 2)


def test_initialisers():
    weight = px.empty(64, 64)
    assert nn.init.kaiming_normal_(weight, nonlinearity="relu") is weight
    assert abs(weight.std().item() - (2 / 64) ** 0.5) < 0.02
    assert nn.init.constant_(px.empty(2), 3.0).sum().item() == 6
    with pytest.raises(px.errors.ValueError):
        nn.init.kaiming_normal_(weight, mode="fan")


def test_files_of_states(tmp_path):
    net, other = Net(), Net()
    for name in ("a.safetensors", "a.npz"):
        px.save(net.state_dict(), tmp_path / name)
        other.load_state_dict(px.load(tmp_path / name))
        assert px.equal(net.head.weight, other.head.weight)
    px.save({"model": net.state_dict(), "epoch": 3}, tmp_path / "b.safetensors")
    assert px.load(tmp_path / "b.safetensors")["epoch"] == 3
    with pytest.raises(px.FileError):
        px.load(tmp_path / "none.safetensors")
    with pytest.raises(px.errors.TypeError):
        px.save({"a": object()}, tmp_path / "c.safetensors")


def test_activations_and_losses():
    x = px.tensor([-1.0, 2.0])
    assert nn.ReLU()(x).tolist() == [0, 2]
    assert nn.LeakyReLU(0.5)(x).tolist() == [-0.5, 2]
    assert nn.PReLU()(x).tolist() == [-0.25, 2]
    assert nn.Softmax(dim=0)(x).sum().item() == pytest.approx(1)
    scores, classes = px.randn(3, 4), px.tensor([0, 1, 3])
    loss = nn.CrossEntropyLoss(label_smoothing=0.1)(scores, classes)
    assert loss.item() == pytest.approx(px.cross_entropy(scores, classes, label_smoothing=0.1).item())
    assert nn.MSELoss(reduction="sum")(x, px.zeros(2)).item() == 5
    with pytest.raises(px.errors.TypeError):
        nn.MSELoss()(x)


@pytest.mark.parametrize(
    "layer",
    [
        nn.ReLU,
        nn.ReLU6,
        nn.SELU,
        nn.SiLU,
        nn.Mish,
        nn.Hardswish,
        nn.Hardsigmoid,
        nn.LeakyReLU,
        nn.ELU,
        nn.CELU,
        nn.Hardtanh,
    ],
)
def test_activations_in_place(layer):
    x = px.linspace(-3, 3, 7)
    expected = layer()(x)
    assert layer(inplace=True)(x) is x
    assert x.tolist() == expected.tolist()
    leaf = px.linspace(-3, 3, 7, requires_grad=True)
    layer(inplace=True)(leaf * 1).sum().backward()
    other = px.linspace(-3, 3, 7, requires_grad=True)
    layer()(other).sum().backward()
    assert leaf.grad.tolist() == other.grad.tolist()


def test_in_place_by_keyword_and_position():
    x = px.tensor([-1.0, 2.0])
    assert nn.functional.relu(x, inplace=True) is x and x.tolist() == [0.0, 2.0]
    assert nn.ReLU(True)(x) is x
    ones = px.ones(1000)
    assert nn.Dropout(0.5, True)(ones) is ones and set(ones.tolist()) == {0.0, 2.0}
    with pytest.raises(px.errors.TypeError, match="must be a tensor"):
        nn.functional.relu(2.0, inplace=True)
