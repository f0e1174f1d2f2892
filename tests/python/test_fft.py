"""Fourier transforms of all kinds of lengths, layouts and values, judged by SciPy and by exact roots of unity."""

# shard: tensors
import mpmath
import numpy as np
import pytest
import scipy.fft

import phlox as px

# Powers, products, primes with and without a pass of their own, and lengths that are transformed as one long one.
LENGTHS = [
    *range(1, 34),
    47,
    53,
    64,
    97,
    100,
    128,
    243,
    256,
    360,
    512,
    521,
    1000,
    1009,
    1024,
    2187,
    4096,
    4099,
]
LONG = [8192, 10007, 30030, 32768, 65536, 65537, 100000]


def error(actual, expected):
    return np.linalg.norm(actual - expected) / max(np.linalg.norm(expected), 1e-300)


def noise(shape, dtype):
    random = np.random.default_rng(shape)
    real = random.standard_normal(shape)
    return (real + 1j * random.standard_normal(shape) if dtype.startswith("c") else real).astype(dtype)


@pytest.mark.parametrize(("real", "complex_", "epsilon"), [("f4", "c8", 6e-8), ("f8", "c16", 1.2e-16)])
@pytest.mark.parametrize("batch", [(), (3,), (16,), (21,)])
def test_lengths(real, complex_, epsilon, batch):
    for n in LENGTHS if batch else LENGTHS + LONG:
        z, x = noise((*batch, n), complex_), noise((*batch, n), real)
        half = z[..., : n // 2 + 1]
        tolerance = epsilon * (3 + 2 * np.log2(n))
        cases = [
            (px.fft.fft(px.from_numpy(z)), scipy.fft.fft(z.astype("c16"))),
            (px.fft.ifft(px.from_numpy(z)), scipy.fft.ifft(z.astype("c16"))),
            (px.fft.rfft(px.from_numpy(x)), scipy.fft.rfft(x.astype("f8"))),
            (px.fft.ihfft(px.from_numpy(x)), scipy.fft.ihfft(x.astype("f8"))),
            (px.fft.irfft(px.from_numpy(half), n), scipy.fft.irfft(half.astype("c16"), n)),
            (px.fft.hfft(px.from_numpy(half), n), scipy.fft.hfft(half.astype("c16"), n)),
        ]
        for number, (actual, expected) in enumerate(cases):
            assert error(actual.numpy(), expected) < tolerance, (n, batch, number)


def test_dimensions_and_layouts():
    z = noise((5, 6, 7, 20), "c16")
    for view in (z, z.transpose(3, 0, 2, 1), z[::-1, :, ::2], np.broadcast_to(z[:1], z.shape)):
        t = px.from_numpy(view)
        for dim in range(4):
            assert error(px.fft.fft(t, dim=dim).numpy(), scipy.fft.fft(view, axis=dim)) < 1e-15
            assert error(px.fft.rfft(t.real, dim=dim).numpy(), scipy.fft.rfft(view.real, axis=dim)) < 1e-15
            n = 2 * view.shape[dim] - 1
            actual = px.fft.irfft(t, n, dim=dim)
            assert error(actual.numpy(), scipy.fft.irfft(view, n, axis=dim)) < 1e-15
        assert error(px.fft.fftn(t).numpy(), scipy.fft.fftn(view)) < 1e-15
        assert error(px.fft.irfftn(t, dim=(0, 3, 1)).numpy(), scipy.fft.irfftn(view, axes=(0, 3, 1))) < 1e-15
    long = noise((3, 4096), "c8")
    across = px.from_numpy(np.asfortranarray(long))
    assert error(px.fft.fft(across).numpy(), scipy.fft.fft(long.astype("c16"))) < 1e-6
    assert error(px.fft.rfft(across.real).numpy(), scipy.fft.rfft(long.real.astype("f8"))) < 1e-6


@pytest.mark.parametrize(("dtype", "unit"), [(px.complex64, 2**-24), (px.complex128, 2**-53)])
def test_roots_of_unity(dtype, unit):
    """The transform of an impulse at 1 is the roots of unity themselves."""
    mpmath.mp.prec = 100
    for n in (5, 12, 16, 60, 210, 1024):
        impulse = px.zeros(n, dtype=dtype)
        impulse[1] = 1
        for k, value in enumerate(px.fft.fft(impulse).tolist()):
            exact = mpmath.expjpi(-mpmath.mpf(2 * k) / n)
            assert abs(value - complex(exact)) < 4 * unit, (n, k)


def test_values_stay_in_their_row():
    for n in (12, 53, 1024):
        x = noise((20, n), "f4")
        x[3, 1], x[7, 2] = np.nan, np.inf
        spectra = px.fft.fft(px.from_numpy(x)).numpy()
        assert np.isnan(spectra[3]).all() and not np.isfinite(spectra[7]).any()
        rest = [i for i in range(20) if i not in (3, 7)]
        assert error(spectra[rest], scipy.fft.fft(x[rest])) < 1e-6


def test_threads_do_not_change_bits():
    x = px.from_numpy(noise((4, 65536), "c8"))
    threads = px.get_num_threads()
    try:
        results = []
        for count in (1, 2, 3):
            px.set_num_threads(count)
            results.append(
                [px.fft.fft(x), px.fft.fft(x[0]), px.fft.rfft(x.real), px.fft.fft(x.reshape(1024, 256))]
            )
    finally:
        px.set_num_threads(threads)
    for result in results[1:]:
        for a, b in zip(result, results[0]):
            np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_dtypes():
    assert px.fft.fft(px.ones(4, dtype=px.float16)).dtype == px.complex64
    assert px.fft.rfft(px.ones(4, dtype=px.bfloat16)).dtype == px.complex64
    assert px.fft.fft(px.ones(4, dtype=px.int32)).tolist() == [4, 0, 0, 0]
    assert px.fft.irfft(px.ones(3, dtype=px.float64)).dtype == px.float64
    assert px.fft.rfft(px.ones(4, dtype=px.bool)).dtype == px.complex64
    assert px.fft.fftfreq(4, dtype=px.float64).dtype == px.float64


def test_lengths_that_differ_from_the_input():
    x = px.tensor([1.0, 2.0, 3.0])
    assert px.fft.fft(x, 1).tolist() == [1]
    assert px.fft.rfft(x, 5).shape == (3,)
    assert px.fft.irfft(px.fft.rfft(x, 4), 4).tolist() == pytest.approx([1, 2, 3, 0])
    assert px.fft.fftn(px.ones(2, 3), (4, -1)).shape == (4, 3)
    assert px.fft.fft(px.ones(0, 4)).shape == (0, 4)
    assert px.fft.rfft(px.ones(2, 0, 6)).shape == (2, 0, 4)
    assert px.fft.fftn(px.tensor(2.0)).item() == 2
    assert px.fft.fftn(px.ones(3), dim=()).tolist() == [1, 1, 1]
    assert px.fft.fft(px.ones(2, 0), 3).tolist() == [[0, 0, 0]] * 2


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda x: px.fft.fft(x, 0), ValueError, "fft: a transform of 0 elements"),
        (lambda x: px.fft.rfft(x, -3), ValueError, "rfft: a transform of -3 elements"),
        (lambda x: px.fft.fft(px.ones(3, 0)), ValueError, "fft: a transform of 0 elements"),
        (lambda x: px.fft.irfft(px.ones(1)), ValueError, "irfft: a transform of 0 elements"),
        (lambda x: px.fft.fft(x, norm="half"), ValueError, "fft: norm is 'half'"),
        (lambda x: px.fft.rfft(x * 1j), px.DTypeError, "rfft: takes real numbers, not complex64"),
        (lambda x: px.fft.ihfft2(x * 1j), px.DTypeError, "ihfft2: takes real numbers"),
        (lambda x: px.fft.fft(x, dim=2), px.ShapeError, "fft: "),
        (lambda x: px.fft.fft(px.tensor(1.0)), px.ShapeError, "fft: dimension -1 does not exist"),
        (lambda x: px.fft.fftn(x, dim=(0, -2)), px.ShapeError, "fftn: dimension -2 is named twice"),
        (lambda x: px.fft.fft2(x, (2,)), px.ShapeError, "fft2: 1 sizes for 2 dimensions"),
        (lambda x: px.fft.fftn(x, (1, 2, 3)), px.ShapeError, "fftn: 3 sizes for 2 dimensions"),
        (lambda x: px.fft.ifftn(x, (0, 2)), ValueError, "ifftn: a transform of 0 elements"),
        (lambda x: px.fft.rfftn(x, dim=()), px.ShapeError, "rfftn: needs at least one dimension"),
        (lambda x: px.fft.fftfreq(-1), ValueError, "fftfreq: -1 frequencies"),
        (lambda x: px.fft.fftshift(x, dim=5), px.ShapeError, "fftshift"),
    ],
)
def test_errors(call, kind, message):
    with pytest.raises(kind, match=message):
        call(px.ones(2, 4))
