# shard: networks
"""Functions of networks that one NumPy expression does not describe: recurrence, alignments, attention, sampling."""

import itertools

import numpy as np
import phlox.nn.functional as F  # noqa: N812
import pytest
import scipy.special

import phlox as px


def randoms(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def tensors(*arrays):
    return [px.from_numpy(a) for a in arrays]


# --- recurrence


def sigmoid(x):
    return scipy.special.expit(x)


def lstm_step(x, h, c, w_ih, w_hh, b_ih, b_hh):
    i, f, g, o = np.split(x @ w_ih.T + b_ih + h @ w_hh.T + b_hh, 4, -1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def gru_step(x, h, w_ih, w_hh, b_ih, b_hh):
    (rx, zx, nx), (rh, zh, nh) = np.split(x @ w_ih.T + b_ih, 3, -1), np.split(h @ w_hh.T + b_hh, 3, -1)
    z = sigmoid(zx + zh)
    return (1 - z) * np.tanh(nx + sigmoid(rx + rh) * nh) + z * h


def weights(gates, features, hidden, seed):
    shapes = [(gates * hidden, features), (gates * hidden, hidden), (gates * hidden,), (gates * hidden,)]
    return [randoms(*s, seed=seed + i) for i, s in enumerate(shapes)]


def test_lstm():
    x, h, c = randoms(5, 2, 3), randoms(2, 2, 4, seed=1), randoms(2, 2, 4, seed=2)
    forward, backward = weights(4, 3, 4, 3), weights(4, 3, 4, 7)
    outputs, last = np.zeros((5, 2, 8)), []
    for side, (w, steps) in enumerate(((forward, range(5)), (backward, range(4, -1, -1)))):
        state = h[side], c[side]
        for t in steps:
            state = lstm_step(x[t], *state, *w)
            outputs[t, :, 4 * side : 4 * side + 4] = state[0]
        last.append(state)
    got = px.lstm(*tensors(x), tensors(h, c), tensors(*forward, *backward), True, 1, 0.0, False, True)
    np.testing.assert_allclose(got.output.numpy(), outputs, atol=1e-12)
    np.testing.assert_allclose(got.hidden.numpy(), [s[0] for s in last], atol=1e-12)
    np.testing.assert_allclose(got.cell.numpy(), [s[1] for s in last], atol=1e-12)


def test_packed_sequences_are_sequences_of_their_lengths():
    lengths, w = [4, 4, 2, 1], tensors(*weights(3, 3, 2, 1), *weights(3, 2, 2, 5))
    h = px.from_numpy(randoms(2, 4, 2, seed=9))
    sequences = [px.from_numpy(randoms(n, 1, 3, seed=n + i)) for i, n in enumerate(lengths)]
    rows = [s[t] for t in range(4) for s, n in zip(sequences, lengths, strict=True) if t < n]
    sizes = [sum(t < n for n in lengths) for t in range(4)]
    packed = px.gru(px.cat(rows), px.tensor(sizes), h, w, True, 2)
    for i, s in enumerate(sequences):
        alone = px.gru(s, h[:, i : i + 1].contiguous(), w, True, 2)
        np.testing.assert_allclose(packed.hidden[:, i].numpy(), alone.hidden[:, 0].numpy(), atol=1e-12)
    with pytest.raises(ValueError, match="never grow"):
        px.gru(px.cat(rows), px.tensor([1, 4, 3, 3]), h, w, True, 2)


def test_cells_and_their_errors():
    x, h, c = randoms(3, 5), randoms(3, 2, seed=1), randoms(3, 2, seed=2)
    w = weights(4, 5, 2, 3)
    for got, want in zip(
        px.lstm_cell(*tensors(x), tensors(h, c), *tensors(*w)), lstm_step(x, h, c, *w), strict=True
    ):
        np.testing.assert_allclose(got.numpy(), want, atol=1e-12)
    w = weights(3, 5, 2, 3)
    np.testing.assert_allclose(px.gru_cell(*tensors(x, h, *w)).numpy(), gru_step(x, h, *w), atol=1e-12)
    with pytest.raises(px.ShapeError, match="gru_cell: takes input"):
        px.gru_cell(*tensors(x, h, *weights(4, 5, 2, 3)))
    with pytest.raises(px.ShapeError, match="lstm: weights have the shapes"):
        px.lstm(px.zeros(4, 2, 3), [px.zeros(1, 2, 2)] * 2, [px.zeros(8, 4), px.zeros(8, 2)], False)
    with pytest.raises(ValueError, match="3 weights for 1 layers"):
        px.rnn(px.zeros(4, 2, 3), px.zeros(1, 2, 2), [px.zeros(2, 3)] * 3)
    with pytest.raises(ValueError, match="nonlinearity is 'sin'"):
        px.rnn(px.zeros(4, 2, 3), px.zeros(1, 2, 2), [], nonlinearity="sin")


def test_captured_recurrence_and_its_gradients():
    w = [t.float().requires_grad_(True) for t in tensors(*weights(3, 3, 2, 1))]
    x, h = px.randn(4, 2, 3), px.zeros(1, 2, 2)

    def loss(x):
        return px.gru(x, h, w)[0].square().sum()

    eager = px.autograd.grad(loss(x), w)
    captured = px.autograd.grad(px.jit(loss)(x), w)
    for a, b in zip(eager, captured, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5)


# --- alignments


def collapse(path, blank):
    return [k for k, _ in itertools.groupby(path) if k != blank]


def ctc_by_enumeration(log_probs, target, blank):
    steps, classes = log_probs.shape
    paths = itertools.product(range(classes), repeat=steps)
    scores = [
        sum(log_probs[t, c] for t, c in enumerate(p)) for p in paths if collapse(p, blank) == list(target)
    ]
    return -scipy.special.logsumexp(scores) if scores else np.inf


@pytest.mark.parametrize("blank", [0, 2])
def test_ctc_loss(blank):
    log_probs = scipy.special.log_softmax(randoms(5, 4, 3), axis=2)
    labels = [c for c in range(3) if c != blank]
    targets = [[labels[0], labels[1]], [labels[0], labels[0]], [], [labels[1]] * 3]
    lengths = [5, 4, 3, 4]
    want = [
        ctc_by_enumeration(log_probs[:n, i], t, blank)
        for i, (n, t) in enumerate(zip(lengths, targets, strict=True))
    ]
    padded = np.zeros((4, 3), np.int64)
    for row, target in zip(padded, targets, strict=True):
        row[: len(target)] = target
    counts = [len(t) for t in targets]
    x = px.from_numpy(log_probs)
    got = F.ctc_loss(x, px.from_numpy(padded), lengths, counts, blank, "none")
    np.testing.assert_allclose(got.numpy(), want, rtol=1e-9)
    joined = F.ctc_loss(x, px.tensor(sum(targets, [])), px.tensor(lengths), px.tensor(counts), blank, "none")
    assert joined.tolist() == got.tolist()
    assert F.ctc_loss(x, px.from_numpy(padded), lengths, counts, blank, "none", True).tolist()[3] == 0
    mean = np.mean(np.array(want[:3]) / [2, 2, 1])
    got = F.ctc_loss(x[:, :3], px.from_numpy(padded[:3]), lengths[:3], counts[:3], blank)
    assert got.item() == pytest.approx(mean)
    with pytest.raises(ValueError, match="longer than the 5 steps"):
        F.ctc_loss(x, px.from_numpy(padded), [9, 1, 1, 1], counts, blank)


def test_gradients_of_alignments():
    scores = px.from_numpy(randoms(5, 2, 3)).requires_grad_(True)
    targets, lengths, counts = px.tensor([[1, 1], [2, 0]]), px.tensor([5, 4]), px.tensor([2, 1])
    assert px.autograd.gradcheck(
        lambda x: F.ctc_loss(px.log_softmax(x, 2), targets, lengths, counts), (scores,)
    )
    logits = px.from_numpy(randoms(2, 3, 3, 4)).requires_grad_(True)
    lengths = px.tensor([3, 2])
    assert px.autograd.gradcheck(lambda x: F.rnnt_loss(x, targets, lengths, counts), (logits,))
    # Certain classes have no infinite or undefined gradients.
    certain = px.tensor([[[0.0, -np.inf]], [[-np.inf, 0.0]]], requires_grad=True)
    F.ctc_loss(certain, px.tensor([[1]]), [2], [1]).backward()
    assert px.isfinite(certain.grad).all()


def rnnt_by_enumeration(log_probs, target, blank):
    """All orders of `steps` blanks, the last of which ends, and the labels."""
    steps, total = len(log_probs), []
    for places in itertools.combinations(range(steps + len(target) - 1), len(target)):
        t = u = score = 0
        for i in range(steps + len(target)):
            if i in places:
                score, u = score + log_probs[t, u, target[u]], u + 1
            else:
                score, t = score + log_probs[t, u, blank], t + 1
        total.append(score)
    return -scipy.special.logsumexp(total)


def test_rnnt_loss():
    logits = randoms(3, 4, 3, 5)
    targets, steps, counts = np.array([[1, 2], [3, 0], [0, 0]]), [4, 3, 2], [2, 1, 0]
    for blank in (-1, 4, 2):
        log_probs = scipy.special.log_softmax(logits, axis=-1)
        want = [
            rnnt_by_enumeration(log_probs[i, :t, : u + 1], targets[i, :u], blank)
            for i, (t, u) in enumerate(zip(steps, counts, strict=True))
        ]
        got = F.rnnt_loss(*tensors(logits, targets), px.tensor(steps), px.tensor(counts), blank, "none")
        np.testing.assert_allclose(got.numpy(), want, rtol=1e-9)
    given = F.rnnt_loss(
        *tensors(log_probs, targets),
        px.tensor(steps),
        px.tensor(counts),
        blank,
        "none",
        fused_log_softmax=False,
    )
    np.testing.assert_allclose(given.numpy(), want, rtol=1e-9)


def test_decoders():
    scores = randoms(5, 2, 3)
    decoded, lengths, cost = F.ctc_greedy_decoder(px.from_numpy(scores), px.tensor([5, 3]))
    for i, n in enumerate((5, 3)):
        best = collapse(scores[:n, i].argmax(1), 2)
        assert decoded[i].tolist() == best + [-1] * (5 - len(best)) and lengths[i].item() == len(best)
        assert cost[i].item() == pytest.approx(-scores[:n, i].max(1).sum())
    decoded, lengths, log_probability = F.ctc_beam_search_decoder(
        px.from_numpy(scores), px.tensor([5, 3]), 50, 3
    )
    for i, n in enumerate((5, 3)):
        log_probs = scipy.special.log_softmax(scores[:n, i], axis=1)
        texts = {tuple(collapse(p, 2)) for p in itertools.product(range(3), repeat=n)}
        ranked = sorted(texts, key=lambda t: ctc_by_enumeration(log_probs, t, 2))
        for path in range(3):
            count = lengths[path, i].item()
            assert tuple(decoded[path, i, :count].tolist()) == ranked[path]
            want = -ctc_by_enumeration(log_probs, ranked[path], 2)
            assert log_probability[i, path].item() == pytest.approx(want)


def test_edit_distance():
    def distance(a, b):
        row = list(range(len(b) + 1))
        for i, x in enumerate(a):
            row, last = [i + 1], row
            for j, y in enumerate(b):
                row.append(min(last[j + 1] + 1, row[j] + 1, last[j] + (x != y)))
        return row[-1]

    random = np.random.default_rng(0)
    a, b = random.integers(0, 3, (20, 7)), random.integers(0, 3, (20, 5))
    m, n = random.integers(0, 8, 20), random.integers(1, 6, 20)
    got = F.edit_distance(*tensors(a, b, m, n), normalize=False)
    assert got.tolist() == [distance(x[:i], y[:j]) for x, y, i, j in zip(a, b, m, n, strict=True)]
    assert F.edit_distance(px.tensor([[1, 2]]), px.tensor([[1, 3, 4, 5]])).tolist() == [0.75]


# --- attention


def attention(q, k, v, mask=None):
    scores = q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])
    return scipy.special.softmax(scores if mask is None else np.where(mask, scores, -np.inf), -1) @ v


def test_attention_by_blocks_is_attention():
    q, k, v = randoms(2, 1600, 3), randoms(2, 1500, 3, seed=1), randoms(2, 1500, 2, seed=2)
    mask = np.random.default_rng(3).random((1600, 1500)) < 0.5
    x, y, z = (t.requires_grad_(True) for t in tensors(q, k, v))
    got = F.scaled_dot_product_attention(x, y, z, px.from_numpy(mask))
    np.testing.assert_allclose(got.detach().numpy(), attention(q, k, v, mask), atol=1e-10)
    ours = px.autograd.grad(got.square().sum(), (x, y, z))
    scores = px.where(px.from_numpy(mask), x @ y.mT / 3**0.5, -np.inf)
    whole = px.autograd.grad((px.softmax(scores, -1) @ z).square().sum(), (x, y, z))
    for a, b in zip(ours, whole, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), atol=1e-9)
    causal = F.scaled_dot_product_attention(x, y, z, is_causal=True).detach().numpy()
    np.testing.assert_allclose(causal, attention(q, k, v, np.tri(1600, 1500, dtype=bool)), atol=1e-10)


def test_rows_that_may_attend_to_nothing():
    q, k, v = (px.randn(2, 3, 4, requires_grad=True) for _ in range(3))
    mask = px.tensor([[True, True, False], [False, False, False], [True, False, False]])
    for m in (mask, px.where(mask, 0.0, -np.inf)):
        result = F.scaled_dot_product_attention(q, k, v, m)
        assert (result[:, 1] == 0).all() and (result[:, 2] == v[:, 0]).all()
        assert all(px.isfinite(g).all() for g in px.autograd.grad(result.sum(), (q, k, v)))


def test_grouped_heads_and_errors():
    q, k, v = randoms(2, 4, 3, 5), randoms(2, 2, 6, 5, seed=1), randoms(2, 2, 6, 5, seed=2)
    got = F.scaled_dot_product_attention(*tensors(q, k, v), enable_gqa=True)
    np.testing.assert_allclose(got.numpy(), attention(q, k.repeat(2, 1), v.repeat(2, 1)), atol=1e-12)
    with pytest.raises(px.ShapeError, match="do not divide among"):
        F.scaled_dot_product_attention(*tensors(q[:, :3], k, v), enable_gqa=True)
    with pytest.raises(px.ShapeError, match="one width"):
        F.scaled_dot_product_attention(*tensors(q, k[..., :4], v))


def test_multi_head_attention():
    x, y = randoms(2, 3, 4), randoms(2, 5, 4, seed=1)
    w, b, ow, ob = randoms(12, 4, seed=2), randoms(12, seed=3), randoms(4, 4, seed=4), randoms(4, seed=5)
    parts = [s @ w[4 * i : 4 * i + 4].T + b[4 * i : 4 * i + 4] for i, s in enumerate((x, y, y))]
    heads = [p.reshape(2, -1, 2, 2).swapaxes(1, 2) for p in parts]
    want = attention(*heads).swapaxes(1, 2).reshape(2, 3, 4) @ ow.T + ob
    got = F.multi_head_attention(*tensors(x, y, y), 2, *tensors(w, b, ow, ob))
    np.testing.assert_allclose(got.numpy(), want, atol=1e-12)
    swapped = [a.swapaxes(0, 1).copy() for a in (x, y, y)]
    forward, shares = F.multi_head_attention_forward(
        *tensors(*swapped), 4, 2, *tensors(w, b), None, None, False, 0.0, *tensors(ow, ob)
    )
    np.testing.assert_allclose(forward.numpy(), want.swapaxes(0, 1), atol=1e-12)
    np.testing.assert_allclose(shares.sum(-1).numpy(), np.ones((2, 3)))
    assert F.multi_head_attention_forward(
        *tensors(*swapped), 4, 2, *tensors(w, b), None, None, False, 0.0, *tensors(ow, ob), need_weights=False
    )[1] is None  # fmt: skip


def test_rotary_embedding():
    x, angle = randoms(2, 3, 4, 6), np.arange(4)[:, None] * 10.0 ** -np.arange(3)
    turn = np.exp(1j * angle)
    caches = [np.broadcast_to(c, (2, 4, 3)).copy() for c in (np.cos(angle), np.sin(angle))]
    want = (x[..., :3] + 1j * x[..., 3:]) * turn
    got = F.rotary_embedding(*tensors(x, *caches)).numpy()
    np.testing.assert_allclose(got, np.concatenate([want.real, want.imag], -1), atol=1e-12)
    want = (x[..., ::2] + 1j * x[..., 1::2]) * turn
    got = F.rotary_embedding(*tensors(x, *caches), interleaved=True).numpy()
    np.testing.assert_allclose(got[..., ::2] + 1j * got[..., 1::2], want, atol=1e-12)


# --- tables


def test_embedding_bags():
    index, weight = np.array([1, 3, 0, 3, 2, 4]), randoms(5, 3)
    bags = [[1, 3], [], [0, 3, 2, 4]]
    for mode, function in (("sum", np.sum), ("mean", np.mean), ("max", np.max)):
        want = [function(weight[b], axis=0) if b else np.zeros(3) for b in bags]
        got = F.embedding_bag(*tensors(index, weight), px.tensor([0, 2, 2]), mode=mode)
        np.testing.assert_allclose(got.numpy(), want, atol=1e-12)
        want = [function(weight[[i for i in b if i != 3]], axis=0) if b else np.zeros(3) for b in bags]
        got = F.embedding_bag(*tensors(index, weight), px.tensor([0, 2, 2, 6]), mode=mode, include_last_offset=True,
                              padding_idx=3)  # fmt: skip
        np.testing.assert_allclose(got.numpy(), want, atol=1e-12)
    rows = F.embedding_bag(*tensors(index.reshape(2, 3), weight), mode="sum")
    np.testing.assert_allclose(rows.numpy(), weight[index.reshape(2, 3)].sum(1))
    with pytest.raises(ValueError, match="per_sample_weights go with mode"):
        F.embedding_bag(*tensors(index.reshape(2, 3), weight), per_sample_weights=px.ones(2, 3))
    with pytest.raises(px.ShapeError, match="with offsets"):
        F.embedding_bag(*tensors(index, weight))


def test_options_of_embedding():
    weight = px.tensor([[3.0, 4], [0.3, 0.4], [6, 8]], requires_grad=True)
    rows = F.embedding(px.tensor([0, 0, 1]), weight, max_norm=1.0, scale_grad_by_freq=True)
    np.testing.assert_allclose(rows.detach().numpy(), [[0.6, 0.8], [0.6, 0.8], [0.3, 0.4]], rtol=1e-5)
    np.testing.assert_allclose(weight.detach().numpy(), [[0.6, 0.8], [0.3, 0.4], [6, 8]], rtol=1e-5)
    rows.sum().backward()
    assert weight.grad.tolist() == [[1, 1], [1, 1], [0, 0]]
    with pytest.raises(IndexError, match="padding_idx 3"):
        F.embedding(px.tensor([0]), weight, 3)
    with pytest.raises(px.DTypeError, match="positions are integers"):
        F.embedding(px.tensor([0.0]), weight)


# --- losses


def test_losses_over_samples_of_classes():
    w, b, x = randoms(50, 4), randoms(50, seed=1), randoms(3, 4, seed=2)
    labels, sampled = np.array([[1], [7], [30]]), np.array([2, 7, 40])
    often = [np.array([[0.5], [0.2], [0.1]]), np.array([0.3, 0.2, 0.05])]
    given = tensors(sampled, *often)
    truth = (x * w[labels[:, 0]]).sum(1, keepdims=True) + b[labels] - np.log(often[0])
    noise = x @ w[sampled].T + b[sampled] - np.log(often[1])
    want = np.log1p(np.exp(-truth[:, 0])) + np.log1p(np.exp(noise)).sum(1)
    got = F.nce_loss(*tensors(w, b, labels, x), 3, 50, 1, given)
    np.testing.assert_allclose(got.numpy(), want)
    noise[1, 1] = -np.inf  # drawn, but the target
    want = scipy.special.logsumexp(np.concatenate([truth, noise], 1), axis=1) - truth[:, 0]
    got = F.sampled_softmax_loss(*tensors(w, b, labels, x), 3, 50, 1, given)
    np.testing.assert_allclose(got.numpy(), want)
    # With all classes drawn, and none of them by chance, it is the softmax loss.
    px.manual_seed(0)
    full = F.sampled_softmax_loss(*tensors(w, b, labels, x), 50, 50)
    logits = x @ w.T + b
    exact = scipy.special.logsumexp(logits, axis=1) - logits[np.arange(3), labels[:, 0]]
    assert full.shape == exact.shape
    with pytest.raises(ValueError, match="draws 1 to 50 classes, not 51"):
        F.nce_loss(*tensors(w, b, labels, x), 51, 50)


def test_focal_loss():
    x, t = randoms(6), (randoms(6, seed=1) > 0) * 1.0
    p = sigmoid(x)
    right = np.where(t == 1, p, 1 - p)
    want = -np.where(t == 1, 0.25, 0.75) * (1 - right) ** 2 * np.log(right)
    np.testing.assert_allclose(F.focal_loss(*tensors(x, t)).numpy(), want)
    np.testing.assert_allclose(F.focal_loss(*tensors(x, t), -1, 0).numpy(), -np.log(right))


def test_triplets_with_a_distance():
    a, p, n = (px.from_numpy(randoms(5, 3, seed=i)) for i in range(3))
    with pytest.raises(ValueError, match="margin is -1"):
        F.triplet_margin_loss(a, p, n, margin=-1.0)
    same = F.triplet_margin_with_distance_loss(a, p, n)
    assert same.item() == pytest.approx(F.triplet_margin_loss(a, p, n).item())
    loss = F.triplet_margin_with_distance_loss(
        a, p, n, distance_function=lambda x, y: (x - y).abs().amax(1), margin=0.5, swap=True, reduction="none"
    ).numpy()
    d = lambda x, y: np.abs(x.numpy() - y.numpy()).max(1)  # noqa: E731
    np.testing.assert_allclose(loss, np.maximum(d(a, p) - np.minimum(d(a, n), d(p, n)) + 0.5, 0))


# --- pooling and random activations


def test_pools_with_indices():
    x = px.randn(2, 3, 8, 8)
    values, indices = F.max_pool2d(x, 2, return_indices=True)
    assert (values == F.max_pool2d(x, 2)).all() and F.max_pool2d(x, 2, return_indices=False).shape == (
        2,
        3,
        4,
        4,
    )
    assert (x.flatten(2).gather(2, indices.flatten(2)) == values.flatten(2)).all()
    assert F.adaptive_max_pool2d(x, (None, 2), True)[0].shape == (2, 3, 8, 2)
    with pytest.raises(ValueError, match="output_size needs 1 or 2 numbers"):
        F.adaptive_avg_pool2d(x, ())
    back = F.max_unpool2d(values, indices, 2)
    assert (F.max_pool2d(back.relu(), 2) == values.relu()).all() and (back != 0).sum() == values.numel()
    assert F.max_unpool2d(values, indices, 2, output_size=(9, 9)).shape == (2, 3, 9, 9)
    with pytest.raises(ValueError, match="is not between"):
        F.max_unpool2d(values, indices, 2, output_size=(12, 8))
    with pytest.raises(IndexError):
        F.max_unpool1d(px.ones(1, 2), px.tensor([[0, 9]]), 2)


def test_fractional_windows_cover_the_image():
    px.manual_seed(0)
    x = px.arange(7 * 9).reshape(1, 1, 7, 9).float()
    values, indices = F.fractional_max_pool2d(x, 2, output_size=(4, 5), return_indices=True)
    assert values.shape == (1, 1, 4, 5) and values[..., -1, -1] == 62 and (values == indices).all()
    assert (values.diff(1, -1) > 0).all() and (values.diff(1, -2) > 0).all()
    with pytest.raises(px.ShapeError, match="do not fit"):
        F.fractional_max_pool2d(x, 4, output_size=5)


def test_random_activations():
    px.manual_seed(0)
    x = -px.ones(20000)
    slopes = -F.rrelu(x, 0.1, 0.5, True)
    assert (
        0.1 <= slopes.min() < 0.11 and 0.49 < slopes.max() <= 0.5 and abs(slopes.mean().item() - 0.3) < 0.01
    )
    assert F.rrelu(x, 0.1, 0.5).mean().item() == pytest.approx(-0.3)
    logits = px.log(px.tensor([0.2, 0.3, 0.5])).expand(20000, 3)
    drawn = F.gumbel_softmax(logits, hard=True)
    assert sorted(drawn.unique().tolist()) == [0, 1]
    np.testing.assert_allclose(drawn.mean(0).numpy(), [0.2, 0.3, 0.5], atol=0.02)
    soft = F.gumbel_softmax(logits.clone().requires_grad_(True), 0.5, hard=True)
    assert soft.requires_grad
    normal = px.randn(40000)
    dropped = F.alpha_dropout(normal, 0.3, True)
    assert abs(dropped.mean().item()) < 0.03 and abs(dropped.std().item() - 1) < 0.03
    channels = F.feature_alpha_dropout(px.randn(40, 50, 4), 0.5, True)
    saturated = px.isclose(channels, px.tensor(-0.7791942))
    assert (saturated.any(2) == saturated.all(2)).all() and 0.4 < saturated.float().mean() < 0.6
    assert F.alpha_dropout(normal, 0.3) is not None and (F.alpha_dropout(normal, 1.0, True) == 0).all()


def test_sparsemax():
    x = px.tensor([[1.0, 0.8, -2], [0, 0, 0], [9, 0, 0]])
    np.testing.assert_allclose(F.sparsemax(x).numpy(), [[0.6, 0.4, 0], [1 / 3] * 3, [1, 0, 0]], rtol=1e-6)
    assert px.isnan(F.sparsemax(px.tensor([np.nan, 1.0]))).all()
    leaf = px.from_numpy(randoms(4, 5)).requires_grad_(True)
    assert px.autograd.gradcheck(F.sparsemax, (leaf,))


# --- layouts


def test_space_and_depth():
    x = px.arange(2 * 4 * 6).reshape(1, 2, 4, 6)
    for mode in ("DCR", "CRD"):
        there = F.space_to_depth(x, 2, mode)
        assert there.shape == (1, 8, 2, 3) and (F.depth_to_space(there, 2, mode) == x).all()
    assert F.space_to_depth(x, 2)[0, :, 0, 0].tolist() == [0, 24, 1, 25, 6, 30, 7, 31]
    assert (F.space_to_depth(x, 2, "CRD") == F.pixel_unshuffle(x, 2)).all()
    for empty in ((0, 4, 2, 2), (1, 4, 0, 2), (1, 0, 2, 2)):
        assert F.pixel_shuffle(px.ones(empty), 2).numel() == 0
        assert F.pixel_unshuffle(px.ones(empty[0], 1, 2 * empty[2], 4), 2).shape == (empty[0], 4, empty[2], 2)


def test_depthwise_and_separable_convolution():
    x, w = randoms(1, 2, 6), randoms(4, 1, 3, seed=1)
    got = F.depthwise_conv(*tensors(x, w)).numpy()
    want = [np.correlate(x[0, i // 2], w[i, 0]) for i in range(4)]
    np.testing.assert_allclose(got[0], want)
    mix = randoms(5, 4, 1, seed=2)
    both = F.separable_conv(*tensors(x, w, mix)).numpy()
    np.testing.assert_allclose(both[0], mix[:, :, 0] @ want)
    with pytest.raises(px.ShapeError, match="depthwise_conv"):
        F.depthwise_conv(px.ones(1, 2, 6), px.ones(3, 1, 3))


def test_complex_convolution():
    x, w = (
        randoms(1, 2, 6) + 1j * randoms(1, 2, 6, seed=1),
        randoms(3, 2, 3, seed=2) + 1j * randoms(3, 2, 3, seed=3),
    )
    want = sum(np.array([np.correlate(x[0, i], w[o, i].conj()) for o in range(3)]) for i in range(2))
    np.testing.assert_allclose(F.conv1d(*tensors(x, w)).numpy()[0], want)


def test_morphology():
    x, w = randoms(2, 5, 6), randoms(2, 2, 3, seed=1)
    dilated, eroded = F.dilation2d(*tensors(x, w)).numpy(), F.erosion2d(*tensors(x, w)).numpy()
    for r in range(4):
        for c in range(4):
            window = x[:, r : r + 2, c : c + 3]
            np.testing.assert_allclose(dilated[:, r, c], (window + w).max((1, 2)))
            np.testing.assert_allclose(eroded[:, r, c], (window - w[:, ::-1, ::-1]).min((1, 2)))


# --- edges


def test_images_that_are_not_there_have_windows_of_random_sizes():
    x = px.zeros(0, 2, 5, 5, 5, requires_grad=True)
    y, places = F.fractional_max_pool3d(x, 2, output_size=2, return_indices=True)
    assert y.shape == places.shape == (0, 2, 2, 2, 2) and places.dtype == px.int64
    y.sum().backward()
    assert x.grad.shape == x.shape
    assert F.fractional_max_pool2d(px.zeros(0, 6, 6), 2, output_size=3).shape == (0, 3, 3)


def test_dropout_of_features_outside_of_training_gives_its_input():
    for x in (px.ones(3), px.tensor(2), px.zeros(0)):
        assert px.equal(F.feature_alpha_dropout(x), x)
    with pytest.raises(px.ShapeError, match="2 dimensions or more"):
        F.feature_alpha_dropout(px.ones(3), training=True)
