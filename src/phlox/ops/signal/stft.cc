// Short-time Fourier transforms, as PyTorch has them.
#include <cmath>

#include "phlox/ops/signal/frames.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/primitives/check.h"
#include "phlox/ops/registry/operation.h"
#include "phlox/ops/widened.h"

namespace phlox {
namespace {

struct Geometry {
  std::int64_t n_fft, hop, window_length;
};

Geometry geometry_of(std::int64_t n_fft, OptionalInt hop_length, OptionalInt win_length,
                     const OptionalTensor& window, const char* operation) {
  const Geometry g{n_fft, hop_length.value_or(n_fft / 4), win_length.value_or(n_fft)};
  const auto require = [&](bool holds, const char* name, std::int64_t value, const char* rule) {
    if (!holds)
      fail<ValueError>(ErrorCode::invalid_value, "{}: {} is {}", operation, name, value).hint(rule).raise();
  };
  require(n_fft > 0, "n_fft", n_fft, "n_fft must be at least 1");
  require(g.hop > 0, "hop_length", g.hop, "hop_length must be at least 1");
  require(g.window_length > 0 && g.window_length <= n_fft, "win_length", g.window_length,
          "1 <= win_length <= n_fft");
  if (window && (window->rank() != 1 || window->size(0) != g.window_length))
    fail<ShapeError>(ErrorCode::sizes_differ, "{}: the window must have one dimension of {} elements",
                     operation, g.window_length)
        .detail("window", describe(*window))
        .hint(fmt::format("px.hann_window({}), or another win_length", g.window_length))
        .raise();
  return g;
}

// The window with zeros around it, n_fft elements; undefined where it is one everywhere.
Tensor full_window(const OptionalTensor& window, const Geometry& g, const Tensor& like) {
  if (!window && g.window_length == g.n_fft) return {};
  const Tensor values = window ? *window : ones({g.window_length}, info(like.dtype()).real, like.device());
  if (g.window_length == g.n_fft) return values;
  const std::int64_t before = (g.n_fft - g.window_length) / 2;
  return pad(values, {before, g.n_fft - g.window_length - before});
}

OptionalString norm_of(bool normalized) { return normalized ? OptionalString("ortho") : OptionalString(); }

void check_signal(const Tensor& input, int most, const char* operation, const char* shape) {
  if (input.rank() != most && input.rank() != most - 1)
    fail<ShapeError>(ErrorCode::wrong_rank, "{}: takes {}", operation, shape)
        .detail("input", describe(input))
        .raise();
}

}  // namespace

PHLOX_OPERATION(
    Tensor, stft,
    (const Tensor& input, std::int64_t n_fft, OptionalInt hop_length = {}, OptionalInt win_length = {},
     const OptionalTensor& window = {}, bool center = true, const std::string& pad_mode = "reflect",
     bool normalized = false, OptionalBool onesided = {}, OptionalBool return_complex = {},
     OptionalBool align_to_window = {}),
    .doc =
        "The short-time Fourier transform of a signal [batch, length] or [length]: fft() of frames of `n_fft` elements, "
        "`hop_length` (n_fft / 4) apart, each times `window` (ones, of `win_length` elements, in the middle of the "
        "frame). Gives [batch, frequencies, frames]. `center` pads the signal by `pad_mode` so that frame t is around "
        "element t * hop_length; without it `align_to_window` pads with zeros so that the window begins there. "
        "`normalized` divides by sqrt(n_fft); `onesided`, the default for real signals, leaves out what follows by "
        "symmetry. `return_complex=False` gives real numbers with a last dimension of 2.",
    .family = Family::fft,
    .samples =
        "stft(A(24), 8, return_complex=True); stft(A(2, 30), 8, 3, 6, window=P(6), normalized=True, "
        "return_complex=False); stft(A(20), 6, 2, center=False, onesided=False, return_complex=True); stft(Z(2, 18), "
        "5, 2, pad_mode='constant'); stft(A(20), 8, 2, 4, window=P(4), center=False, align_to_window=True)",
    .complex = true) {
  check_signal(input, 2, "stft", "a signal [length] or [batch, length]");
  const Geometry g = geometry_of(n_fft, hop_length, win_length, window, "stft");
  if (center && align_to_window)
    fail<ValueError>(ErrorCode::invalid_value, "stft: align_to_window goes with center=False only").raise();
  const bool is_real = !is_complex(input.dtype()) && !(window && is_complex(window->dtype()));
  const bool half = onesided.value_or(is_real);
  if (half && !is_real)
    fail<ValueError>(ErrorCode::invalid_value, "stft: complex signals and windows have no onesided transform")
        .detail("input", describe(input))
        .hint("onesided=False")
        .raise();
  Tensor x = input.rank() == 1 ? unsqueeze(input, 0) : input;
  if (!is_floating(x.dtype()) && !is_complex(x.dtype())) x = x.to(default_dtype());
  x = widened(x);
  const std::int64_t around = center                            ? n_fft / 2
                              : align_to_window.value_or(false) ? (n_fft - g.window_length) / 2
                                                                : 0;
  if (around > 0) x = pad(x, {around, around}, center ? pad_mode : "constant");
  if (x.size(1) < n_fft)
    fail<ShapeError>(ErrorCode::sizes_differ, "stft: a signal of {} elements has no frame of {}", x.size(1),
                     n_fft)
        .detail("input", describe(input))
        .hint("a smaller n_fft, or center=True")
        .raise();
  Tensor frames = frames_of(x, n_fft, g.hop, 1);
  if (const Tensor weights = full_window(window, g, x); weights.defined()) frames = mul(frames, weights);
  Tensor result =
      half ? fft_rfft(frames, {}, -1, norm_of(normalized)) : fft_fft(frames, {}, -1, norm_of(normalized));
  result = transpose(result, 1, 2);
  if (input.rank() == 1) result = squeeze(result, 0);
  return return_complex.value_or(true) ? result : view_as_real(result);
}

PHLOX_OPERATION(
    Tensor, istft,
    (const Tensor& input, std::int64_t n_fft, OptionalInt hop_length = {}, OptionalInt win_length = {},
     const OptionalTensor& window = {}, bool center = true, bool normalized = false,
     OptionalBool onesided = {}, OptionalInt length = {}, bool return_complex = false),
    .doc =
        "The signal whose stft() comes closest to the input [batch, frequencies, frames]: frames of the inverse "
        "transforms, times the window, are added up and divided by the sum of squared windows, which must not be zero "
        "anywhere. Takes the arguments that stft() got; `length` cuts the result or fills it up with zeros.",
    .source = "Griffin and Lim 1984", .family = Family::fft,
    .samples =
        "istft(Z(5, 7), 8); istft(Z(2, 5, 6), 8, 2, 6, window=hamming_window(6), normalized=True, length=9); "
        "istft(Z(6, 7), 6, 2, window=P(6), onesided=False, return_complex=True); istft(Z(5, 7), 8, 2, "
        "window=hamming_window(8), center=False, length=25)",
    .complex = true) {
  check_signal(input, 3, "istft", "a transform [frequencies, frames] or [batch, frequencies, frames]");
  if (!is_complex(input.dtype()))
    fail<DTypeError>(ErrorCode::wrong_dtype, "istft: takes complex numbers, not {}", info(input.dtype()).name)
        .detail("input", describe(input))
        .hint("px.view_as_complex(x) joins pairs along the last dimension")
        .raise();
  const Geometry g = geometry_of(n_fft, hop_length, win_length, window, "istft");
  const Tensor x = input.rank() == 2 ? unsqueeze(input, 0) : input;
  const bool half = onesided.value_or(x.size(1) != n_fft);
  if (return_complex && half)
    fail<ValueError>(ErrorCode::invalid_value, "istft: a onesided transform belongs to a real signal")
        .hint("return_complex=False, or onesided=False")
        .raise();
  if (!return_complex && window && is_complex(window->dtype()))
    fail<ValueError>(ErrorCode::invalid_value, "istft: a complex window gives a complex signal")
        .hint("return_complex=True")
        .raise();
  const std::int64_t frequencies = half ? n_fft / 2 + 1 : n_fft;
  if (x.size(1) != frequencies || x.size(2) == 0 || x.size(0) == 0)
    fail<ShapeError>(ErrorCode::sizes_differ, "istft: needs {} frequencies and at least one frame",
                     frequencies)
        .detail("input", describe(input))
        .raise();
  const std::int64_t count = x.size(2);
  Tensor spectra = transpose(x, 1, 2), frames;
  const OptionalString norm = norm_of(normalized);
  if (return_complex) frames = fft_ifft(spectra, {}, -1, norm);
  else frames = fft_irfft(half ? spectra : narrow(spectra, 2, 0, n_fft / 2 + 1), n_fft, -1, norm);
  Tensor weights = full_window(window, g, x);
  if (!weights.defined()) weights = ones({n_fft}, info(x.dtype()).real, x.device());
  const Tensor signal = overlapped(mul(frames, weights), g.hop);
  const Tensor squares = overlapped(expand(mul(weights, weights), {1, count, n_fft}), g.hop);
  // What is asked for of what is there.
  const std::int64_t start = center ? n_fft / 2 : 0, total = signal.size(1);
  const std::int64_t wanted = length.value_or(total - start - (center ? n_fft / 2 : 0));
  if (wanted < 0 || start > total || (!length && wanted == 0))
    fail<ValueError>(ErrorCode::invalid_value, "istft: {} frames give no signal of {} elements", count,
                     wanted)
        .detail("input", describe(input))
        .hint("more frames, or center=False")
        .raise();
  const std::int64_t present = std::min(wanted, total - start);
  Tensor divisor = narrow(squares, 1, start, present);
  divisor =
      apply_check(divisor, gt(amin(abs(divisor)), 1e-11), CheckError::value,
                  "istft: the squared windows add up to zero somewhere, where the signal is lost; a smaller "
                  "hop_length or another window keeps it");
  Tensor result = div(narrow(signal, 1, start, present), divisor);
  if (present < wanted) result = pad(result, {0, wanted - present});
  return input.rank() == 2 ? squeeze(result, 0) : result;
}

}  // namespace phlox
