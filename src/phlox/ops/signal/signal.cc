// Cosine transforms, and what speech recognition makes of spectra.
#include <cmath>

#include "phlox/ops/signal/frames.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/registry/operation.h"

namespace phlox {
namespace {

constexpr double pi = 3.14159265358979323846;

// exp(-i pi (first + step k) / n) for k = 0 ... count - 1, complex as fits the dtype of real numbers.
Tensor turns(double first, double step, std::int64_t count, double n, const Tensor& like) {
  const Tensor places = arange(0, count, 1, DType::float64, like.device());
  const Tensor angles = mul(add(mul(places, step), first), -pi / n);
  return polar(ones({count}, DType::float64, like.device()), angles)
      .to(like.dtype() == DType::float64 ? DType::complex128 : DType::complex64);
}

// All are along the last dimension, with the factor 2 of the usual definitions and without norm.

// sum of x[j] cos(pi j k / (n - 1)), the ends once, the others twice.
Tensor cosine_one(const Tensor& x) {
  const std::int64_t n = x.size(-1);
  const Tensor around = cat({x, flip(narrow(x, -1, 1, n - 2), DimList(-1))}, -1);
  return real(fft_rfft(around));
}

// 2 * sum of x[j] cos(pi (2 j + 1) k / (2 n)), by a transform of the even elements and then the odd ones backwards.
Tensor cosine_two(const Tensor& x) {
  const std::int64_t n = x.size(-1);
  const Tensor order = cat({slice(x, -1, 0, {}, 2), flip(slice(x, -1, 1, {}, 2), DimList(-1))}, -1);
  const Tensor t = mul(fft_rfft(order), turns(0, 1, n / 2 + 1, 2 * static_cast<double>(n), x));
  const std::int64_t mirrored = (n - 1) / 2;
  return mul(cat({real(t), flip(neg(narrow(imag(t), -1, 1, mirrored)), DimList(-1))}, -1), 2);
}

// x[0] + 2 * sum of x[j] cos(pi j (2 k + 1) / (2 n)): the steps of the second kind in reverse.
Tensor cosine_three(const Tensor& x) {
  const std::int64_t n = x.size(-1), half = n / 2 + 1;
  // x[n - k], with 0 for k = 0.
  const Tensor mirrored =
      cat({zeros_like(narrow(x, -1, 0, 1)), flip(narrow(x, -1, n - half + 1, half - 1), DimList(-1))}, -1);
  const Tensor t = complex(narrow(x, -1, 0, half), neg(mirrored));
  const Tensor order =
      fft_irfft(mul(t, conj(turns(0, 1, half, 2 * static_cast<double>(n), x))), n, -1, "forward");
  const std::int64_t even = (n + 1) / 2;
  // Even places get the first half, odd ones the second, backwards.
  const Tensor first = narrow(order, -1, 0, even);
  Tensor second = flip(narrow(order, -1, even, n - even), DimList(-1));
  if (even > n - even) second = pad(second, {0, 1});
  Shape shape = x.shape();
  shape[shape.size() - 1] = 2 * even;
  return narrow(reshape(stack({first, second}, -1), shape), -1, 0, n);
}

// 2 * sum of x[j] cos(pi (2 j + 1) (2 k + 1) / (4 n)). For even n by a complex transform of n / 2 elements.
Tensor cosine_four(const Tensor& x) {
  const std::int64_t n = x.size(-1);
  const auto length = static_cast<double>(n);
  if (n % 2 != 0) {
    const Tensor t = mul(x, turns(0, 1, n, 2 * length, x));
    const Tensor spectrum = narrow(fft_fft(t, 2 * n), -1, 0, n);
    return mul(real(mul(spectrum, turns(0.5, 1, n, 2 * length, x))), 2);
  }
  const Tensor pairs = complex(slice(x, -1, 0, {}, 2), flip(slice(x, -1, 1, {}, 2), DimList(-1)));
  const Tensor twist = turns(0.25, 1, n / 2, length, x);
  const Tensor spectrum = mul(fft_fft(mul(pairs, twist)), turns(0, 1, n / 2, length, x));
  const Tensor odd = flip(neg(imag(spectrum)), DimList(-1));
  return mul(reshape(stack({real(spectrum), odd}, -1), x.shape()), 2);
}

// Multiplies the element at one end.
Tensor scale_end(const Tensor& x, bool last, double factor) {
  const std::int64_t n = x.size(-1);
  if (n == 1) return mul(x, factor);
  if (last) return cat({narrow(x, -1, 0, n - 1), mul(narrow(x, -1, n - 1, 1), factor)}, -1);
  return cat({mul(narrow(x, -1, 0, 1), factor), narrow(x, -1, 1, n - 1)}, -1);
}

Tensor cosine_transform(const Tensor& input, std::int64_t type, OptionalInt n, std::int64_t dim,
                        const OptionalString& norm, bool inverse) {
  const char* operation = inverse ? "idct" : "dct";
  const int d = normalize_dim(dim, input.rank(), operation);
  if (type < 1 || type > 4)
    fail<ValueError>(ErrorCode::invalid_value, "{}: type is {}", operation, type)
        .hint("1, 2, 3 or 4")
        .raise();
  const std::string name = norm.value_or("backward");
  if (name != "backward" && name != "forward" && name != "ortho")
    fail<ValueError>(ErrorCode::invalid_value, "{}: norm is '{}'", operation, name)
        .hint("\"backward\", \"forward\" or \"ortho\"")
        .raise();
  if (is_complex(input.dtype()) || !is_computable(input.dtype()))
    fail<DTypeError>(ErrorCode::wrong_dtype, "{}: takes real numbers, not {}", operation,
                     info(input.dtype()).name)
        .detail("input", describe(input))
        .hint("the parts of complex numbers one by one")
        .raise();
  const std::int64_t length = n.value_or(input.rank() == 0 ? 0 : input.size(d)), least = type == 1 ? 2 : 1;
  if (input.rank() == 0 || length < least)
    fail<ValueError>(ErrorCode::invalid_value, "{}: type {} of {} elements", operation, type, length)
        .detail("input", describe(input))
        .hint(fmt::format("at least {}", least))
        .raise();
  const DType dtype = is_floating(input.dtype()) ? input.dtype() : default_dtype();
  Tensor x = transpose(input, d, -1).to(dtype == DType::float64 ? dtype : DType::float32);
  if (x.size(-1) > length) x = narrow(x, -1, 0, length);
  else if (x.size(-1) < length) x = pad(x, {0, length - x.size(-1)});
  if (inverse && (type == 2 || type == 3)) type = 5 - type;
  const bool ortho = name == "ortho";
  const double root = std::sqrt(2.0);
  if (ortho && (type == 1 || type == 3)) x = scale_end(x, false, root);
  if (ortho && type == 1) x = scale_end(x, true, root);
  Tensor result = type == 1   ? cosine_one(x)
                  : type == 2 ? cosine_two(x)
                  : type == 3 ? cosine_three(x)
                              : cosine_four(x);
  if (ortho && (type == 1 || type == 2)) result = scale_end(result, false, 1 / root);
  if (ortho && type == 1) result = scale_end(result, true, 1 / root);
  const double whole = 2 * static_cast<double>(type == 1 ? length - 1 : length);
  if (ortho) result = mul(result, 1 / std::sqrt(whole));
  else if ((name == "forward") != inverse) result = mul(result, 1 / whole);
  return transpose(result, d, -1).to(dtype);
}

// The window for frames of this length: Vorbis's where none is given.
Tensor frame_window(const OptionalTensor& window, std::int64_t length, const Tensor& like,
                    const char* operation) {
  if (!window) return windows_vorbis(length, like.dtype(), like.device());
  if (window->rank() != 1 || window->size(0) != length)
    fail<ShapeError>(ErrorCode::sizes_differ, "{}: the window must have one dimension of {} elements",
                     operation, length)
        .detail("window", describe(*window))
        .raise();
  return *window;
}

Tensor floating(const Tensor& x) { return is_floating(x.dtype()) ? x : x.to(default_dtype()); }

void check_mel(std::int64_t bins, double sample_rate, double lower, double upper, const char* operation) {
  if (bins < 1 || !(sample_rate > 0) || !(lower >= 0) || !(lower < upper) || upper > sample_rate / 2)
    fail<ValueError>(ErrorCode::invalid_value, "{}: {} bands from {} to {} Hz at {} samples a second",
                     operation, bins, lower, upper, sample_rate)
        .hint("at least one band, 0 <= lower_edge_hertz < upper_edge_hertz <= sample_rate / 2")
        .raise();
}

// bins + 2 edges that are evenly spaced on O'Shaughnessy's scale, in Hertz; `last` of them `count` steps above the first.
Tensor mel_edges(std::int64_t bins, double lower, double upper, Device device) {
  const auto mel = [](double hertz) { return 2595 * std::log10(1 + hertz / 700); };
  const double step = (mel(upper) - mel(lower)) / static_cast<double>(bins + 2);
  const Tensor mels = add(mul(arange(0, bins + 2, 1, DType::float64, device), step), mel(lower));
  return mul(sub(pow(10, mul(mels, 1.0 / 2595)), 1), 700);
}

}  // namespace

PHLOX_OPERATION(
    Tensor, signal_dct,
    (const Tensor& input, std::int64_t type = 2, OptionalInt n = {}, std::int64_t dim = -1,
     const OptionalString& norm = {}),
    .doc =
        "The discrete cosine transform of type 1, 2, 3 or 4 along `dim`, cut or filled up to `n` elements. Type 2: 2 "
        "times the sum over j of input[j] cos(pi (2 j + 1) k / (2 n)). `norm`: \"backward\" as this, \"forward\" over 2 n "
        "(2 n - 2 for type 1), \"ortho\" makes the transform orthogonal.",
    .source = "Makhoul 1980", .family = Family::fft, .home = "signal", .method = false,
    .samples =
        "signal_dct(A(3, 8)); signal_dct(A(5, 3), 1, dim=0); signal_dct(A(2, 7), 3); signal_dct(A(2, 6), 4); "
        "signal_dct(A(2, 5), 4, norm='ortho'); signal_dct(A(7), 2, norm='ortho'); signal_dct(A(6), 3, 9, norm='ortho'); "
        "signal_dct(A(6), 1, 4, norm='ortho'); signal_dct(A(1), norm='forward'); signal_dct(A(8), 3, norm='forward')",
    .reference = "scipy.fft.dct(input * 1.0, type, n, dim, norm)") {
  return cosine_transform(input, type, n, dim, norm, false);
}

PHLOX_OPERATION(
    Tensor, signal_idct,
    (const Tensor& input, std::int64_t type = 2, OptionalInt n = {}, std::int64_t dim = -1,
     const OptionalString& norm = {}),
    .doc = "The inverse of dct() of the same type and norm along `dim`.", .family = Family::fft,
    .home = "signal", .method = false,
    .samples =
        "signal_idct(A(3, 8)); signal_idct(A(5, 3), 1, dim=0); signal_idct(A(2, 7), 3); signal_idct(A(2, 6), 4); "
        "signal_idct(A(7), 2, norm='ortho'); signal_idct(A(6), 3, 9, norm='ortho'); signal_idct(A(8), norm='forward')",
    .reference = "scipy.fft.idct(input * 1.0, type, n, dim, norm)") {
  return cosine_transform(input, type, n, dim, norm, true);
}

PHLOX_OPERATION(
    Tensor, signal_mdct,
    (const Tensor& signals, std::int64_t frame_length, const OptionalTensor& window = {},
     bool pad_end = false, const OptionalString& norm = {}),
    .doc =
        "The modified discrete cosine transform of signals [..., length]: frames of `frame_length`, a multiple of 4, that "
        "overlap by half, times `window` (signal.windows.vorbis), as [..., frames, frame_length / 2]. inverse_mdct() "
        "gives the signal back where two frames overlap.",
    .source = "Princen, Johnson, Bradley 1987", .family = Family::fft, .home = "signal", .method = false,
    .samples =
        "signal_mdct(A(2, 20), 8); signal_mdct(A(22), 8, window=P(8), pad_end=True, norm='ortho'); "
        "signal_mdct(A(16), 4)") {
  if (frame_length < 4 || frame_length % 4 != 0)
    fail<ValueError>(ErrorCode::invalid_value, "mdct: frame_length is {}", frame_length)
        .hint("a multiple of 4")
        .raise();
  const Tensor frames = signal_frame(floating(signals), frame_length, frame_length / 2, pad_end);
  const Tensor weighted = mul(frames, frame_window(window, frame_length, frames, "mdct"));
  const Integers quarters(4, frame_length / 4);
  const TensorList part = split(weighted, quarters, -1);
  const Tensor folded =
      cat({sub(neg(flip(part[2], DimList(-1))), part[3]), sub(part[0], flip(part[1], DimList(-1)))}, -1);
  return signal_dct(folded, 4, {}, -1, norm);
}

PHLOX_OPERATION(
    Tensor, signal_inverse_mdct,
    (const Tensor& mdcts, const OptionalTensor& window = {}, const OptionalString& norm = {}),
    .doc =
        "The signal [..., (frames + 1) * half] of transforms [..., frames, half] by mdct() with the same window, of 2 * "
        "half elements, and norm.",
    .family = Family::fft, .home = "signal", .method = false,
    .samples =
        "signal_inverse_mdct(A(2, 4, 4)); signal_inverse_mdct(A(5, 4), window=P(8), norm='ortho'); "
        "signal_inverse_mdct(A(3, 2))") {
  if (mdcts.rank() < 2 || mdcts.size(-1) < 2 || mdcts.size(-1) % 2 != 0)
    fail<ShapeError>(ErrorCode::sizes_differ, "inverse_mdct: takes [..., frames, half] with an even half")
        .detail("mdcts", describe(mdcts))
        .raise();
  const std::int64_t half = mdcts.size(-1);
  const Tensor frames = signal_idct(floating(mdcts), 4, {}, -1, norm);
  const TensorList part = split(frames, Integers(2, half / 2), -1);
  const Tensor unfolded =
      cat({part[1], neg(flip(part[1], DimList(-1))), neg(flip(part[0], DimList(-1))), neg(part[0])}, -1);
  return overlapped(mul(unfolded, frame_window(window, 2 * half, frames, "inverse_mdct")), half);
}

PHLOX_OPERATION(
    Tensor, signal_mel_weight_matrix,
    (std::int64_t num_mel_bins, std::int64_t dft_length, double sample_rate, double lower_edge_hertz,
     double upper_edge_hertz, OptionalDType dtype = {}, OptionalDevice device = {}),
    .doc =
        "Weights [dft_length / 2 + 1, num_mel_bins] that turn the spectra of rfft() into bands as the ear hears them: "
        "triangles whose edges are evenly spaced in mel, rounded to elements of the spectrum. spectra @ weights.",
    .source = "ONNX, MelWeightMatrix", .family = Family::fft, .home = "signal", .method = false,
    .samples =
        "signal_mel_weight_matrix(8, 16, 8192, 0, 4096); signal_mel_weight_matrix(20, 64, 8000.0, 125.0, 3800.0)",
    .differentiable = false) {
  check_mel(num_mel_bins, sample_rate, lower_edge_hertz, upper_edge_hertz, "mel_weight_matrix");
  if (dft_length < 1)
    fail<ValueError>(ErrorCode::invalid_value, "mel_weight_matrix: dft_length is {}", dft_length).raise();
  const Device where_to = device.value_or(default_device());
  const Tensor edges = floor(mul(mel_edges(num_mel_bins, lower_edge_hertz, upper_edge_hertz, where_to),
                                 static_cast<double>(dft_length + 1) / sample_rate));
  const Tensor lower = narrow(edges, 0, 0, num_mel_bins), center = narrow(edges, 0, 1, num_mel_bins),
               upper = narrow(edges, 0, 2, num_mel_bins);
  const Tensor place = unsqueeze(arange(0, dft_length / 2 + 1, 1, DType::float64, where_to), 1);
  // Where two edges coincide there is no slope between them, and the center has weight 1.
  const Tensor rising = where(eq(center, lower), 1, div(sub(place, lower), sub(center, lower)));
  const Tensor falling = div(sub(upper, place), sub(upper, center));
  const Tensor before = logical_and(ge(place, lower), le(place, center)),
               after = logical_and(ge(place, center), lt(place, upper));
  return where(after, falling, where(before, rising, 0)).to(dtype.value_or(default_dtype()));
}

PHLOX_OPERATION(
    Tensor, signal_linear_to_mel_weight_matrix,
    (std::int64_t num_mel_bins = 20, std::int64_t num_spectrogram_bins = 129, double sample_rate = 8000,
     double lower_edge_hertz = 125.0, double upper_edge_hertz = 3800.0, OptionalDType dtype = {},
     OptionalDevice device = {}),
    .doc =
        "Weights [num_spectrogram_bins, num_mel_bins] that turn spectra from 0 to sample_rate / 2 into bands as the ear "
        "hears them: triangles in mel, each band from the center of the one before to that of the next. spectra @ "
        "weights; the element at 0 Hz counts nowhere.",
    .source = "O'Shaughnessy 1987; as in HTK and TensorFlow", .family = Family::fft, .home = "signal",
    .method = false,
    .samples =
        "signal_linear_to_mel_weight_matrix(); signal_linear_to_mel_weight_matrix(6, 33, 16000, 0.0, 8000.0)",
    .differentiable = false) {
  check_mel(num_mel_bins, sample_rate, lower_edge_hertz, upper_edge_hertz, "linear_to_mel_weight_matrix");
  if (num_spectrogram_bins < 2)
    fail<ValueError>(ErrorCode::invalid_value, "linear_to_mel_weight_matrix: num_spectrogram_bins is {}",
                     num_spectrogram_bins)
        .hint("at least 2")
        .raise();
  const Device where_to = device.value_or(default_device());
  const auto mel = [](double hertz) { return 1127 * std::log1p(hertz / 700); };
  const double step = (mel(upper_edge_hertz) - mel(lower_edge_hertz)) / static_cast<double>(num_mel_bins + 1);
  const Tensor hertz = mul(arange(1, num_spectrogram_bins, 1, DType::float64, where_to),
                           sample_rate / 2 / static_cast<double>(num_spectrogram_bins - 1));
  // In steps from the lower edge of the first band.
  const Tensor place =
      unsqueeze(mul(sub(mul(log1p(mul(hertz, 1.0 / 700)), 1127), mel(lower_edge_hertz)), 1 / step), 1);
  const Tensor center = arange(1, num_mel_bins + 1, 1, DType::float64, where_to);
  const Tensor weights = clamp(sub(1, abs(sub(place, center))), 0);
  return pad(weights, {0, 0, 1, 0}).to(dtype.value_or(default_dtype()));
}

PHLOX_OPERATION(
    Tensor, signal_mfcc, (const Tensor& log_mel_spectrograms),
    .doc =
        "Mel-frequency cepstral coefficients of the logarithms of spectra in mel bands [..., bands]: dct() over sqrt(2 "
        "bands), as HTK scales it.",
    .source = "Davis and Mermelstein 1980", .family = Family::fft, .alias = "mfccs_from_log_mel_spectrograms",
    .home = "signal", .method = false, .samples = "signal_mfcc(A(3, 8)); signal_mfcc(A(2, 3, 5))",
    .reference = "scipy.fft.dct(log_mel_spectrograms * 1.0) / np.sqrt(2 * log_mel_spectrograms.shape[-1])") {
  const Tensor transformed = signal_dct(log_mel_spectrograms);
  return mul(transformed, 1 / std::sqrt(2 * static_cast<double>(transformed.size(-1))));
}

}  // namespace phlox
