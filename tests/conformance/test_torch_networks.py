"""Functions of networks that PyTorch's database of operations does not cover, beside PyTorch."""

import numpy as np
import phlox.nn.functional as F  # noqa: N812
import pytest

import phlox as px

torch = pytest.importorskip("torch")
TF = torch.nn.functional


def arrays(*shapes, seed=0, scale=1.0):
    random = np.random.default_rng(seed)
    return [random.standard_normal(shape) * scale for shape in shapes]


def flat(results):
    if results is None:
        return []
    if isinstance(results, (list, tuple)):
        return [r for result in results for r in flat(result)]
    return [results]


def compare(ours, theirs, inputs, tolerance=1e-8):
    """Calls both with float64 tensors that learn; compares results and gradients."""
    mine = [px.from_numpy(a).requires_grad_(True) for a in inputs]
    other = [torch.from_numpy(a).requires_grad_(True) for a in inputs]
    got, want = flat(ours(*mine)), flat(theirs(*other))
    assert len(got) == len(want)
    for g, w in zip(got, want, strict=True):
        assert tuple(g.shape) == tuple(w.shape)
        np.testing.assert_allclose(g.detach().numpy(), w.detach().numpy(), rtol=tolerance, atol=tolerance)
    weights = [np.random.default_rng(1).standard_normal(tuple(w.shape)) for w in want]
    sum((g * px.from_numpy(w)).sum() for g, w in zip(got, weights, strict=True) if g.requires_grad).backward()
    sum(
        (g * torch.from_numpy(w)).sum() for g, w in zip(want, weights, strict=True) if g.requires_grad
    ).backward()
    for m, o in zip(mine, other, strict=True):
        if o.grad is None or not o.grad.numpy().any():
            assert m.grad is None or not m.grad.numpy().any()
        else:
            np.testing.assert_allclose(m.grad.numpy(), o.grad.numpy(), rtol=tolerance, atol=tolerance)


def recurrent_shapes(gates, features, hidden, layers, directions, biases, projected=None):
    shapes = []
    for layer in range(layers):
        for _ in range(directions):
            handed = projected or hidden
            wide = features if layer == 0 else handed * directions
            shapes += [(gates * hidden, wide), (gates * hidden, handed)]
            shapes += [(gates * hidden,)] * 2 if biases else []
            shapes += [(projected, hidden)] if projected else []
    return shapes


@pytest.mark.parametrize("biases", [True, False])
@pytest.mark.parametrize(
    "layers,bidirectional,batch_first", [(1, False, False), (2, True, True), (3, False, True)]
)
@pytest.mark.parametrize("kind,gates", [("gru", 3), ("lstm", 4), ("rnn_tanh", 1), ("rnn_relu", 1)])
def test_recurrent_layers(kind, gates, layers, bidirectional, batch_first, biases):
    directions = 1 + bidirectional
    weights = recurrent_shapes(gates, 3, 4, layers, directions, biases)
    states = [(layers * directions, 2, 4)] * (2 if kind == "lstm" else 1)
    x = (2, 5, 3) if batch_first else (5, 2, 3)
    rest = (biases, layers, 0.0, False, bidirectional, batch_first)

    def call(module):
        def function(x, *others):
            hx = list(others[: len(states)])
            return getattr(module, kind)(
                x, hx if kind == "lstm" else hx[0], list(others[len(states) :]), *rest
            )

        return function

    compare(call(px), call(torch), arrays(x, *states, *weights, scale=0.5))


@pytest.mark.parametrize("kind,gates", [("gru", 3), ("lstm", 4), ("rnn_tanh", 1)])
@pytest.mark.parametrize("bidirectional", [True, False])
def test_packed_sequences(kind, gates, bidirectional):
    directions = 1 + bidirectional
    weights = recurrent_shapes(gates, 3, 4, 2, directions, True)
    states = [(2 * directions, 3, 4)] * (2 if kind == "lstm" else 1)
    sizes = [3, 3, 2, 1]

    def call(module):
        def function(x, *others):
            hx = list(others[: len(states)])
            hx = hx if kind == "lstm" else hx[0]
            parameters = list(others[len(states) :])
            return getattr(module, kind)(
                x, module.tensor(sizes), hx, parameters, True, 2, 0.0, False, bidirectional
            )

        return function

    compare(call(px), call(torch), arrays((9, 3), *states, *weights, scale=0.5))


def test_lstm_with_projection():
    weights = recurrent_shapes(4, 3, 5, 2, 2, True, projected=2)

    def call(module):
        return lambda x, h, c, *w: module.lstm(x, [h, c], list(w), True, 2, 0.0, False, True, False)

    compare(call(px), call(torch), arrays((4, 3, 3), (4, 3, 2), (4, 3, 5), *weights, scale=0.5))


@pytest.mark.parametrize("kind,gates", [("gru_cell", 3), ("rnn_tanh_cell", 1), ("rnn_relu_cell", 1)])
def test_cells(kind, gates):
    shapes = [(3, 4), (3, 2), (2 * gates, 4), (2 * gates, 2), (2 * gates,), (2 * gates,)]
    compare(getattr(px, kind), getattr(torch, kind), arrays(*shapes))


def test_lstm_cell():
    shapes = [(3, 4), (3, 2), (3, 2), (8, 4), (8, 2), (8,), (8,)]
    compare(
        lambda x, h, c, *w: px.lstm_cell(x, [h, c], *w),
        lambda x, h, c, *w: torch.lstm_cell(x, [h, c], *w),
        arrays(*shapes),
    )


@pytest.mark.parametrize("options", [
    {},
    {"need_weights": False},
    {"average_attn_weights": False},
    {"add_zero_attn": True},
    {"extra": True},
    {"masked": "bool"},
    {"masked": "float", "padding": True},
    {"padding": True, "need_weights": False},
    {"masked": "3d"},
])  # fmt: skip
def test_multi_head_attention(options):
    options = dict(options)
    masked, padding = options.pop("masked", None), options.pop("padding", False)
    extra, zero = options.pop("extra", False), options.pop("add_zero_attn", False)
    random = np.random.default_rng(2)
    shapes = [(3, 2, 8), (5, 2, 8), (5, 2, 8), (24, 8), (24,), (8, 8), (8,)]
    shapes += [(1, 1, 8)] * 2 if extra else []
    mask = {
        None: None,
        "bool": np.triu(np.ones((3, 5), bool), 2),
        "float": random.standard_normal((3, 5)),
        "3d": random.standard_normal((8, 3, 5)),
    }[masked]
    ignored = np.array([[False] * 5, [False, False, True, False, True]]) if padding else None

    def call(module, functional, convert):
        def function(q, k, v, w, b, ow, ob, bias_k=None, bias_v=None):
            return functional.multi_head_attention_forward(
                q, k, v, 8, 4, w, b, bias_k, bias_v, zero, 0.0, ow, ob,
                key_padding_mask=None if ignored is None else convert(ignored),
                attn_mask=None if mask is None else convert(mask), **options
            )  # fmt: skip

        return function

    compare(call(px, F, px.from_numpy), call(torch, TF, torch.from_numpy), arrays(*shapes))


@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
@pytest.mark.parametrize("padding_mode", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("align", [True, False])
def test_grid_sample(mode, padding_mode, align):
    inputs = arrays((2, 3, 5, 6), (2, 4, 3, 2), scale=1.3)
    rest = {"mode": mode, "padding_mode": padding_mode, "align_corners": align}
    compare(lambda x, g: F.grid_sample(x, g, **rest), lambda x, g: TF.grid_sample(x, g, **rest), inputs)
    if mode != "bicubic":
        inputs = arrays((2, 3, 4, 5, 6), (2, 2, 4, 3, 3), scale=1.3)
        compare(lambda x, g: F.grid_sample(x, g, **rest), lambda x, g: TF.grid_sample(x, g, **rest), inputs)


@pytest.mark.parametrize("align", [True, False])
def test_affine_grid(align):
    for theta, size in (((2, 2, 3), (2, 3, 4, 5)), ((2, 3, 4), (2, 3, 4, 5, 1))):
        compare(
            lambda t, size=size: F.affine_grid(t, size, align_corners=align),
            lambda t, size=size: TF.affine_grid(t, list(size), align_corners=align),
            arrays(theta),
        )


@pytest.mark.parametrize("dims", [2, 3])
def test_fractional_max_pooling(dims):
    samples = np.random.default_rng(3).random((2, 3, dims))
    (x,) = arrays((2, 3, 7, 8, 6)[: dims + 2])
    name = f"fractional_max_pool{dims}d"
    for rest in ({"output_size": (3,) * dims}, {"output_ratio": (0.5,) * dims}):
        for indices in (False, True):
            compare(
                lambda x: getattr(F, name)(  # noqa: B023
                    x,
                    2,
                    **rest,
                    return_indices=indices,
                    _random_samples=px.from_numpy(samples),  # noqa: B023
                ),
                lambda x: getattr(TF, name)(  # noqa: B023
                    x,
                    2,
                    **rest,
                    return_indices=indices,
                    _random_samples=torch.from_numpy(samples),  # noqa: B023
                ),
                [x],
            )


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize("align", [True, False])
@pytest.mark.parametrize("size", [(3, 4), (9, 5), (20, 2)])
def test_antialiased_interpolation(mode, align, size):
    rest = {"size": size, "mode": mode, "align_corners": align, "antialias": True}
    compare(lambda x: F.interpolate(x, **rest), lambda x: TF.interpolate(x, **rest), arrays((2, 3, 11, 7)))
    pixels = np.random.default_rng(4).integers(0, 256, (1, 3, 11, 7), dtype=np.uint8)
    got = F.interpolate(px.from_numpy(pixels), **rest).numpy().astype(int)
    assert (
        np.abs(got - TF.interpolate(torch.from_numpy(pixels), **rest).numpy()).max() <= 4
    )  # it rounds twice


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_ctc_loss_behind_log_softmax(reduction):
    rest = {"reduction": reduction}
    lengths, targets = ([12, 9, 7], [5, 0, 3]), np.random.default_rng(5).integers(1, 6, (3, 5))

    def call(functional, module, convert):
        return lambda x: functional.ctc_loss(
            module.log_softmax(x, 2), convert(targets), *(module.tensor(n) for n in lengths), **rest
        )

    compare(call(F, px, px.from_numpy), call(TF, torch, torch.from_numpy), arrays((12, 3, 6)))


def test_ctc_loss_of_impossible_targets():
    x = np.zeros((3, 1, 4))
    for zero in (True, False):
        call = {"zero_infinity": zero, "reduction": "none"}
        got = F.ctc_loss(px.log_softmax(px.from_numpy(x), 2), px.tensor([[1, 1]]), [2], [2], **call)
        want = TF.ctc_loss(torch.from_numpy(x).log_softmax(2), torch.tensor([[1, 1]]), [2], [2], **call)
        assert got.tolist() == want.tolist()


@pytest.mark.parametrize("causal", [True, False])
def test_attention_by_blocks(causal):
    shapes = [(2, 3, 1100, 4), (2, 3, 1100, 4), (2, 3, 1100, 5)]
    compare(
        lambda *x: F.scaled_dot_product_attention(*x, is_causal=causal),
        lambda *x: TF.scaled_dot_product_attention(*x, is_causal=causal),
        arrays(*shapes),
    )
    mask = np.random.default_rng(6).random((2, 1, 1100, 1100)) < 0.5
    mask[0, 0, 7] = False
    compare(
        lambda *x: F.scaled_dot_product_attention(*x, px.from_numpy(mask)),
        lambda *x: TF.scaled_dot_product_attention(*x, torch.from_numpy(mask)),
        arrays(*shapes),
    )


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_embedding_bag(mode):
    index, offsets = np.array([0, 2, 2, 4, 1, 1, 3, 0]), np.array([0, 3, 3, 6])
    for rest in ({}, {"padding_idx": 2}, {"include_last_offset": True}):

        def call(functional, convert, rest=rest):
            last = np.append(offsets, 8) if rest.get("include_last_offset") else offsets
            return lambda w: functional.embedding_bag(convert(index), w, convert(last), mode=mode, **rest)

        compare(call(F, px.from_numpy), call(TF, torch.from_numpy), arrays((5, 3)))


@pytest.mark.parametrize("norm", [1.0, 2.0])
def test_embedding_with_limited_norms(norm):
    (weight,) = arrays((6, 4))
    index = np.array([[0, 2], [2, 5]])
    ours, theirs = px.from_numpy(weight.copy()), torch.from_numpy(weight.copy())
    rest = {"max_norm": 1.1, "norm_type": norm, "scale_grad_by_freq": True}
    ours.requires_grad_(True), theirs.requires_grad_(True)
    got, want = (
        F.embedding(px.from_numpy(index), ours, **rest),
        TF.embedding(torch.from_numpy(index), theirs, **rest),
    )
    np.testing.assert_allclose(got.detach().numpy(), want.detach().numpy(), rtol=1e-9)
    np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-9)
    got.sum().backward(), want.sum().backward()
    np.testing.assert_allclose(ours.grad.numpy(), theirs.grad.numpy(), rtol=1e-9)
