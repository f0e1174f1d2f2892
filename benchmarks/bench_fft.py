"""Fourier transforms, beside PyTorch's, which are MKL's."""

from side_by_side import Case, compare

AIM = 0.7  # of MKL's speed


def complex_signal(*shape):
    return f"a = m.complex(m.rand(*{shape}), m.rand(*{shape}))"


CASES = [
    *(Case(f"fft, {n}", complex_signal(n), "m.fft.fft(a)", aim=AIM) for n in (64, 1000, 1024, 1009, 65536, 1048576)),
    *(Case(f"fft, {batch} times {n}", complex_signal(batch, n), "m.fft.fft(a)", aim=AIM)
      for batch, n in ((1000, 64), (1000, 100), (128, 1024), (64, 1009), (16, 16384))),
    Case("fft along columns, 512 times 512", complex_signal(512, 512), "m.fft.fft(a, dim=0)", aim=AIM),
    Case("fft2, 512 times 512", complex_signal(512, 512), "m.fft.fft2(a)", aim=AIM),
    Case("rfft2, 512 times 512", "a = m.rand(512, 512)", "m.fft.rfft2(a)", aim=AIM),
    Case("rfft, 1048576", "a = m.rand(1048576)", "m.fft.rfft(a)", aim=AIM),
    Case("rfft, 128 times 1024", "a = m.rand(128, 1024)", "m.fft.rfft(a)", aim=AIM),
    Case("irfft, 128 times 1024", complex_signal(128, 513), "m.fft.irfft(a)", aim=AIM),
    Case("fft in f64, 128 times 1024", complex_signal(128, 1024) + ".to(m.complex128)", "m.fft.fft(a)", aim=AIM),
    Case("stft, 10 s of sound", "a = m.rand(8, 160000); w = m.hann_window(400)",
         "m.stft(a, 400, 160, window=w, return_complex=True)", aim=AIM),
]  # fmt: skip

if __name__ == "__main__":
    compare("Fourier transforms", __file__, CASES)
