"""Short-time transforms, windows, cosine transforms and convolutions of signals, judged by SciPy and by definitions."""

# shard: tensors
import re
from pathlib import Path

import numpy as np
import pytest
import scipy.fft
import scipy.signal

import phlox as px

random = np.random.default_rng(3)


def stft_by_definition(x, n_fft, hop, window, center, mode="reflect"):
    if center:
        x = np.pad(x, n_fft // 2, mode=mode)
    frames = [x[i : i + n_fft] * window for i in range(0, len(x) - n_fft + 1, hop)]
    return np.fft.rfft(frames).T


@pytest.mark.parametrize("center", [True, False])
def test_stft(center):
    x, window = random.standard_normal(50), random.uniform(0.5, 1, 9)
    for pad_mode, numpy_mode in (("reflect", "reflect"), ("constant", "constant"), ("replicate", "edge")):
        actual = px.stft(
            px.from_numpy(x), 9, 4, window=px.from_numpy(window), center=center, pad_mode=pad_mode
        )
        np.testing.assert_allclose(
            actual.numpy(), stft_by_definition(x, 9, 4, window, center, numpy_mode), atol=1e-12
        )
    narrow = px.stft(px.from_numpy(x), 12, 4, 9, px.from_numpy(window), center, normalized=True)
    full = np.pad(window, (1, 2))
    np.testing.assert_allclose(
        narrow.numpy() * np.sqrt(12), stft_by_definition(x, 12, 4, full, center), atol=1e-12
    )
    both = px.stft(px.from_numpy(x), 8, onesided=False, center=center).numpy()
    assert both.shape[0] == 8
    np.testing.assert_allclose(both[5:], both[3:0:-1].conj(), atol=1e-12)


def test_stft_aligned_to_the_window():
    x, window = px.rand(30), px.hamming_window(6)
    aligned = px.stft(x, 10, 3, 6, window, center=False, align_to_window=True)
    padded = px.stft(px.nn.functional.pad(x, (2, 2)), 10, 3, 6, window, center=False)
    assert (aligned == padded).all() and aligned.shape == (6, 9)


@pytest.mark.parametrize("normalized", [True, False])
def test_istft_undoes_stft(normalized):
    x = px.rand(3, 100, dtype=px.float64)
    for options in (
        {},
        {"hop_length": 5, "window": px.hann_window(16)},
        {"win_length": 12, "window": px.rand(12) + 0.5},
    ):
        spectra = px.stft(x, 16, **options, normalized=normalized)
        back = px.istft(spectra, 16, **options, normalized=normalized, length=100)
        known = 96  # what comes after the last whole frame is lost
        np.testing.assert_allclose(back[:, :known].numpy(), x[:, :known].numpy(), atol=1e-12)
    z = px.complex(x, x.flip(1))
    back = px.istft(px.stft(z, 16, 4), 16, 4, return_complex=True)
    np.testing.assert_allclose(back.numpy(), z.numpy(), atol=1e-12)
    assert px.istft(px.stft(x, 16), 16, length=130)[:, 110:].abs().max() == 0


def test_istft_refuses_what_is_lost():
    spectra = px.stft(px.rand(64), 16, window=px.hann_window(16))
    with pytest.raises(ValueError, match="istft: the squared windows add up to zero"):
        px.istft(spectra, 16, window=px.hann_window(16), center=False)
    with pytest.raises(px.DTypeError, match="istft: takes complex numbers"):
        px.istft(px.ones(9, 4), 16)
    with pytest.raises(px.ShapeError, match="istft: needs 9 frequencies"):
        px.istft(px.complex(px.ones(8, 4), px.ones(8, 4)), 16)


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"n_fft": 0}, ValueError, "stft: n_fft is 0"),
        ({"n_fft": 4, "hop_length": 0}, ValueError, "stft: hop_length is 0"),
        ({"n_fft": 4, "win_length": 5}, ValueError, "stft: win_length is 5"),
        (
            {"n_fft": 4, "window": px.ones(3)},
            px.ShapeError,
            "stft: the window must have one dimension of 4 elements",
        ),
        ({"n_fft": 40, "center": False}, px.ShapeError, "stft: a signal of 20 elements has no frame of 40"),
        ({"n_fft": 4, "align_to_window": True}, ValueError, "align_to_window goes with center=False"),
    ],
)
def test_errors_of_stft(arguments, kind, message):
    with pytest.raises(kind, match=message):
        px.stft(px.ones(20), **arguments)
    with pytest.raises(px.ShapeError, match="stft: takes a signal"):
        px.stft(px.ones(2, 3, 20), 4)
    with pytest.raises(ValueError, match="have no onesided transform"):
        px.stft(px.ones(20) * 1j, 4, onesided=True)


def test_windows():
    assert px.window.hann is px.signal.windows.hann
    assert px.signal.windows.hann(5, dtype=px.float64, requires_grad=True).requires_grad
    assert px.kaiser_window(5, dtype=px.bfloat16).dtype == px.bfloat16
    np.testing.assert_allclose(
        px.signal.windows.kaiser(64, 500.0, dtype=px.float64).numpy(),
        scipy.signal.windows.kaiser(64, 500.0),
        rtol=1e-12,
    )
    for call, message in [
        (lambda: px.hann_window(-1), "hann_window: a window of -1 elements"),
        (lambda: px.signal.windows.kaiser(5, -1.0), "kaiser: beta is -1"),
        (lambda: px.signal.windows.gaussian(5, 0.0), "gaussian: std is 0"),
        (lambda: px.signal.windows.exponential(5, tau=-1.0), "exponential: tau is -1"),
        (lambda: px.signal.windows.exponential(5, 2.0), "exponential: a symmetric window"),
        (lambda: px.signal.windows.kaiser_bessel_derived(5), "kaiser_bessel_derived: 5 elements"),
        (lambda: px.signal.windows.general_cosine(5, []), "general_cosine: needs at least one weight"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()
    with pytest.raises(px.DTypeError, match="hann: a window is made of floating-point numbers"):
        px.signal.windows.hann(5, dtype=px.int64)


@pytest.mark.parametrize("type", [1, 2, 3, 4])
def test_cosine_transforms(type):
    for n in (2, 3, 4, 7, 16, 33):
        x = random.standard_normal((3, n))
        for norm in ("backward", "ortho", "forward"):
            spectrum = px.signal.dct(px.from_numpy(x), type, norm=norm)
            np.testing.assert_allclose(spectrum.numpy(), scipy.fft.dct(x, type, norm=norm), atol=1e-12)
            np.testing.assert_allclose(px.signal.idct(spectrum, type, norm=norm).numpy(), x, atol=1e-12)
    for call in (
        lambda: px.signal.dct(px.ones(3), 5),
        lambda: px.signal.dct(px.ones(1), 1),
        lambda: px.signal.dct(px.ones(3), n=0),
    ):
        with pytest.raises(ValueError, match="dct: type"):
            call()
    with pytest.raises(px.DTypeError):
        px.signal.dct(px.ones(3) * 1j)


def test_frames():
    x = px.arange(7)
    assert px.signal.frame(x, 3, 2).tolist() == [[0, 1, 2], [2, 3, 4], [4, 5, 6]]
    assert px.signal.frame(x, 3, 3, pad_end=True, pad_value=-1).tolist() == [
        [0, 1, 2],
        [3, 4, 5],
        [6, -1, -1],
    ]
    assert px.signal.frame(x, 1, 4, pad_end=True).tolist() == [[0], [4]]
    assert px.signal.frame(x, 9, 2).shape == (0, 9)
    assert px.signal.overlap_and_add(px.ones(3, 4), 2).tolist() == [1, 1, 2, 2, 2, 2, 1, 1]
    assert px.signal.overlap_and_add(px.ones(0, 4), 2).shape == (4,)
    for call in (lambda: px.signal.frame(x, 0, 1), lambda: px.signal.overlap_and_add(px.ones(2, 2), 0)):
        with pytest.raises(ValueError, match="must be at least 1"):
            call()
    with pytest.raises(px.ShapeError):
        px.signal.overlap_and_add(px.ones(3), 1)


def test_mdct():
    x = random.standard_normal((2, 64))
    window = np.sin(np.pi / 2 * np.sin(np.pi * (np.arange(16) + 0.5) / 16) ** 2)
    n, k = np.arange(16)[:, None], np.arange(8)
    basis = np.cos(np.pi / 8 * (n + 0.5 + 4) * (k + 0.5))
    frames = np.stack([x[:, i : i + 16] for i in range(0, 49, 8)], 1)
    expected = 2 * (frames * window) @ basis
    spectra = px.signal.mdct(px.from_numpy(x), 16)
    np.testing.assert_allclose(spectra.numpy(), expected, atol=1e-12)
    for norm in (None, "ortho"):
        for weights in (None, px.signal.windows.kaiser_bessel_derived(16, dtype=px.float64)):
            spectra = px.signal.mdct(px.from_numpy(x), 16, weights, norm=norm)
            back = px.signal.inverse_mdct(spectra, weights, norm=norm)
            np.testing.assert_allclose(back[:, 8:-8].numpy(), x[:, 8:-8], atol=1e-12)
    with pytest.raises(ValueError, match="mdct: frame_length is 6"):
        px.signal.mdct(px.ones(20), 6)
    with pytest.raises(px.ShapeError, match="inverse_mdct"):
        px.signal.inverse_mdct(px.ones(4, 3))


def mel_weights_by_definition(bins, length, rate, lower, upper):
    """As ONNX defines MelWeightMatrix, element by element."""
    mel = lambda hertz: 2595 * np.log10(1 + hertz / 700)  # noqa: E731
    edges = mel(lower) + np.arange(bins + 2) * (mel(upper) - mel(lower)) / (bins + 2)
    edges = ((length + 1) * 700 * (10 ** (edges / 2595) - 1) // rate).astype(int)
    weights = np.zeros((length // 2 + 1, bins))
    for i, (low, middle, high) in enumerate(zip(edges, edges[1:], edges[2:])):
        if middle == low:
            weights[middle, i] = 1
        for j in range(low, middle + 1):
            if middle > low:
                weights[j, i] = (j - low) / (middle - low)
        for j in range(middle, high):
            weights[j, i] = (high - j) / (high - middle)
    return weights


def test_mel_weights():
    for arguments in ((8, 16, 8192, 0, 4096), (20, 256, 8000, 125.0, 3800.0), (40, 64, 16000, 20.0, 7600.0)):
        np.testing.assert_allclose(
            px.signal.mel_weight_matrix(*arguments).numpy(), mel_weights_by_definition(*arguments), atol=1e-6
        )
    weights = px.signal.linear_to_mel_weight_matrix(dtype=px.float64).numpy()
    mel = lambda hertz: 1127 * np.log(1 + hertz / 700)  # noqa: E731
    edges = np.linspace(mel(125), mel(3800), 22)
    place = mel(np.linspace(0, 4000, 129)[1:])[:, None]
    rising, falling = (
        (place - edges[:-2]) / (edges[1:-1] - edges[:-2]),
        (edges[2:] - place) / (edges[2:] - edges[1:-1]),
    )
    np.testing.assert_allclose(weights[1:], np.maximum(0, np.minimum(rising, falling)), atol=1e-12)
    assert weights.shape == (129, 20) and (weights[0] == 0).all()
    for bad in ((0, 16, 8000, 0, 4000), (8, 16, 8000, 3000, 200), (8, 16, 8000, 0, 5000)):
        with pytest.raises(ValueError, match="mel_weight_matrix"):
            px.signal.mel_weight_matrix(*bad)


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
def test_convolutions(mode):
    for a, b in (((200,), (90,)), ((30, 31), (12, 9)), ((7,), (7,)), ((5, 4, 6), (2, 4, 3)), ((9,), (40,))):
        x, y = random.standard_normal(a), random.standard_normal(b)
        for method in ("auto", "direct", "fft"):
            for name in ("convolve", "correlate"):
                actual = getattr(px.signal, name)(px.from_numpy(x), px.from_numpy(y), mode, method)
                expected = getattr(scipy.signal, name)(x, y, mode, "direct")
                np.testing.assert_allclose(actual.numpy(), expected, atol=1e-11)
    x, y = random.integers(-100, 100, (2, 3000)), random.integers(-100, 100, (2, 800))
    actual = px.signal.convolve(px.from_numpy(x), px.from_numpy(y), mode)
    np.testing.assert_array_equal(actual.numpy(), scipy.signal.convolve(x, y, mode, "direct"))


def test_errors_of_convolutions():
    x = px.ones(4)
    for call, kind, message in [
        (lambda: px.signal.convolve(x, px.ones(2, 2)), px.ShapeError, "convolve: 1 and 2 dimensions"),
        (lambda: px.signal.correlate(x, px.ones(0)), px.ShapeError, "correlate: there are no elements"),
        (lambda: px.signal.convolve(x, x, "half"), ValueError, "convolve: mode is 'half'"),
        (lambda: px.signal.convolve(x, x, method="slow"), ValueError, "convolve: method is 'slow'"),
        (
            lambda: px.signal.convolve(px.ones(2, 3), px.ones(3, 2), "valid"),
            px.ShapeError,
            "neither lies within",
        ),
        (lambda: px.signal.convolve(x.long(), x.long(), method="fft"), px.DTypeError, "whole numbers"),
    ]:
        with pytest.raises(kind, match=message):
            call()


def test_the_page_on_signals(capsys):
    """Its program prints what its comments say."""
    page = (Path(__file__).parents[2] / "docs" / "signals.md").read_text()
    program = re.search(r"```python\n(.*?)```", page, re.DOTALL)[1]
    exec(program, {})
    expected = re.findall(r"^print\(.*  # (.*)$", program, re.MULTILINE)
    assert capsys.readouterr().out.splitlines() == expected and len(expected) == 3
