// Window functions: weights with which a piece of a signal fades in and out. All are computed in f64 and rounded once.
#include <cmath>
#include <functional>

#include "phlox/ops/functions.h"
#include "phlox/ops/registry/operation.h"

namespace phlox {
namespace {

constexpr double pi = 3.14159265358979323846;

// What a window is made of besides its formula.
struct WindowOptions {
  OptionalDType dtype;
  OptionalDevice device;
  bool requires_grad;
};

// formula(positions 0, 1, ... count - 1, the period) where more than one element is asked for. A symmetric window ends
// as it begins; the others continue periodically, as transforms want it.
Tensor window_of(const char* name, std::int64_t count, bool symmetric, const WindowOptions& options,
                 const std::function<Tensor(const Tensor& positions, double period)>& formula) {
  const DType dtype = options.dtype.value_or(default_dtype());
  if (count < 0)
    fail<ValueError>(ErrorCode::invalid_value, "{}: a window of {} elements", name, count)
        .hint("a count that is not negative")
        .raise();
  if (!is_floating(dtype) || !is_computable(dtype))
    fail<DTypeError>(ErrorCode::wrong_dtype, "{}: a window is made of floating-point numbers, not {}", name,
                     info(dtype).name)
        .hint("dtype=px.float32")
        .raise();
  const Device device = options.device.value_or(default_device());
  Tensor window;
  if (count <= 1) {
    window = ones({count}, dtype, device);
  } else {
    const Tensor positions = arange(0, count, 1, DType::float64, device);
    window = formula(positions, static_cast<double>(symmetric ? count - 1 : count)).to(dtype);
  }
  if (options.requires_grad) window.set_requires_grad();
  return window;
}

// sum over i of (-1)^i weights[i] cos(2 pi i n / period)
Tensor cosine_sum(const char* name, std::int64_t count, bool symmetric, const WindowOptions& options,
                  const Doubles& weights) {
  if (weights.empty())
    fail<ValueError>(ErrorCode::invalid_value, "{}: needs at least one weight", name).raise();
  return window_of(name, count, symmetric, options, [&](const Tensor& positions, double period) {
    Tensor sum = full({count}, weights[0], DType::float64, positions.device());
    for (std::size_t i = 1; i < weights.size(); ++i)
      sum = add(sum, mul(cos(mul(positions, 2 * pi * static_cast<double>(i) / period)),
                         i % 2 ? -weights[i] : weights[i]));
    return sum;
  });
}

Tensor bartlett(const char* name, std::int64_t count, bool symmetric, const WindowOptions& options) {
  return window_of(name, count, symmetric, options, [](const Tensor& positions, double period) {
    return sub(1, abs(sub(mul(positions, 2 / period), 1)));
  });
}

Tensor kaiser(const char* name, std::int64_t count, bool symmetric, const WindowOptions& options,
              double beta) {
  if (!(beta >= 0 && std::isfinite(beta)))
    fail<ValueError>(ErrorCode::invalid_value, "{}: beta is {}; it must be finite, and at least 0", name,
                     beta)
        .raise();
  return window_of(name, count, symmetric, options, [&](const Tensor& positions, double period) {
    const Tensor place = sub(mul(positions, 2 / period), 1);
    const Tensor width = mul(sqrt(clamp(sub(1, mul(place, place)), 0)), beta);
    const Tensor middle = full({1}, beta, DType::float64, positions.device());
    return mul(div(i0e(width), i0e(middle)), exp(sub(width, beta)));
  });
}

const Doubles blackman_weights = {0.42, 0.5, 0.08};

}  // namespace

// --- windows by the names of torch.signal.windows

PHLOX_OPERATION(
    Tensor, windows_bartlett,
    (std::int64_t M, bool sym = true, OptionalDType dtype = {}, OptionalDevice device = {},
     bool requires_grad = false),
    .doc =
        "Bartlett's triangular window of `M` elements, from 0 to 1 and back. `sym=False`: periodic, as if it had one "
        "element more, which is left out.",
    .family = Family::fft, .home = "signal.windows", .method = false,
    .samples =
        "windows_bartlett(7); windows_bartlett(6, sym=False); windows_bartlett(1); windows_bartlett(0)",
    .reference = "scipy.signal.windows.bartlett(M, sym)", .differentiable = false) {
  return bartlett("bartlett", M, sym, {dtype, device, requires_grad});
}

PHLOX_OPERATION(
    Tensor, windows_blackman,
    (std::int64_t M, bool sym = true, OptionalDType dtype = {}, OptionalDevice device = {},
     bool requires_grad = false),
    .doc =
        "Blackman's window, 0.42 - 0.5 cos(2 pi n / (M - 1)) + 0.08 cos(4 pi n / (M - 1)). `sym=False`: periodic.",
    .family = Family::fft, .home = "signal.windows", .method = false,
    .samples = "windows_blackman(7); windows_blackman(6, sym=False); windows_blackman(1)",
    .reference = "scipy.signal.windows.blackman(M, sym)", .differentiable = false) {
  return cosine_sum("blackman", M, sym, {dtype, device, requires_grad}, blackman_weights);
}

PHLOX_OPERATION(Tensor, windows_cosine,
                (std::int64_t M, bool sym = true, OptionalDType dtype = {}, OptionalDevice device = {},
                 bool requires_grad = false),
                .doc = "Half a period of a sine, sin(pi (n + 0.5) / M). `sym=False`: periodic.",
                .family = Family::fft, .home = "signal.windows", .method = false,
                .samples = "windows_cosine(7); windows_cosine(6, sym=False); windows_cosine(1)",
                .reference = "scipy.signal.windows.cosine(M, sym)", .differentiable = false) {
  return window_of("cosine", M, sym, {dtype, device, requires_grad},
                   [](const Tensor& positions, double period) {
                     return sin(mul(add(positions, 0.5), pi / (period + 1)));
                   });
}

PHLOX_OPERATION(
    Tensor, windows_exponential,
    (std::int64_t M, OptionalDouble center = {}, double tau = 1.0, bool sym = true, OptionalDType dtype = {},
     OptionalDevice device = {}, bool requires_grad = false),
    .doc =
        "exp(-abs(n - center) / tau), by default around the middle. A symmetric window cannot have another `center`; "
        "`sym=False`: periodic.",
    .family = Family::fft, .home = "signal.windows", .method = false,
    .samples =
        "windows_exponential(7); windows_exponential(6, sym=False); windows_exponential(6, 1.5, 2.0, sym=False)",
    .reference = "scipy.signal.windows.exponential(M, center, tau, sym)", .differentiable = false) {
  if (!(tau > 0))
    fail<ValueError>(ErrorCode::invalid_value, "exponential: tau is {}", tau).hint("tau > 0").raise();
  if (sym && center)
    fail<ValueError>(ErrorCode::invalid_value, "exponential: a symmetric window has its center in the middle")
        .hint("sym=False, or no center")
        .raise();
  return window_of("exponential", M, sym, {dtype, device, requires_grad},
                   [&](const Tensor& positions, double period) {
                     return exp(mul(abs(sub(positions, center.value_or(period / 2))), -1 / tau));
                   });
}

PHLOX_OPERATION(
    Tensor, windows_gaussian,
    (std::int64_t M, double std = 1.0, bool sym = true, OptionalDType dtype = {}, OptionalDevice device = {},
     bool requires_grad = false),
    .doc = "A bell around the middle, exp(-(n - (M - 1) / 2)^2 / (2 std^2)). `sym=False`: periodic.",
    .family = Family::fft, .home = "signal.windows", .method = false,
    .samples = "windows_gaussian(7); windows_gaussian(6, 2.5, sym=False); windows_gaussian(1)",
    .reference = "scipy.signal.windows.gaussian(M, std, sym)", .differentiable = false) {
  if (!(std > 0))
    fail<ValueError>(ErrorCode::invalid_value, "gaussian: std is {}", std).hint("std > 0").raise();
  const double deviation = std;
  return window_of("gaussian", M, sym, {dtype, device, requires_grad},
                   [&](const Tensor& positions, double period) {
                     const Tensor distance = mul(sub(positions, period / 2), 1 / deviation);
                     return exp(mul(mul(distance, distance), -0.5));
                   });
}

PHLOX_OPERATION(
    Tensor, windows_general_cosine,
    (std::int64_t M, const std::optional<Doubles>& a, bool sym = true, OptionalDType dtype = {},
     OptionalDevice device = {}, bool requires_grad = false),
    .doc = "A sum of cosines with the weights `a` and alternating signs. `sym=False`: periodic.",
    .family = Family::fft, .home = "signal.windows", .method = false,
    .samples =
        "windows_general_cosine(7, [0.5, 0.4, 0.1]); windows_general_cosine(6, [0.46, 0.23, 0.31], sym=False)",
    .reference = "scipy.signal.windows.general_cosine(M, a, sym)", .differentiable = false) {
  return cosine_sum("general_cosine", M, sym, {dtype, device, requires_grad}, a.value_or(Doubles()));
}

PHLOX_OPERATION(Tensor, windows_general_hamming,
                (std::int64_t M, double alpha = 0.54, bool sym = true, OptionalDType dtype = {},
                 OptionalDevice device = {}, bool requires_grad = false),
                .doc = "alpha - (1 - alpha) cos(2 pi n / (M - 1)). `sym=False`: periodic.",
                .family = Family::fft, .home = "signal.windows", .method = false,
                .samples = "windows_general_hamming(7); windows_general_hamming(6, 0.7, sym=False)",
                .reference = "scipy.signal.windows.general_hamming(M, alpha, sym)", .differentiable = false) {
  return cosine_sum("general_hamming", M, sym, {dtype, device, requires_grad}, {alpha, 1 - alpha});
}

PHLOX_OPERATION(Tensor, windows_hamming,
                (std::int64_t M, bool sym = true, OptionalDType dtype = {}, OptionalDevice device = {},
                 bool requires_grad = false),
                .doc = "Hamming's window, 0.54 - 0.46 cos(2 pi n / (M - 1)). `sym=False`: periodic.",
                .family = Family::fft, .home = "signal.windows", .method = false,
                .samples = "windows_hamming(7); windows_hamming(6, sym=False); windows_hamming(1)",
                .reference = "scipy.signal.windows.hamming(M, sym)", .differentiable = false) {
  return cosine_sum("hamming", M, sym, {dtype, device, requires_grad}, {0.54, 0.46});
}

PHLOX_OPERATION(Tensor, windows_hann,
                (std::int64_t M, bool sym = true, OptionalDType dtype = {}, OptionalDevice device = {},
                 bool requires_grad = false),
                .doc = "Hann's window, (1 - cos(2 pi n / (M - 1))) / 2. `sym=False`: periodic.",
                .family = Family::fft, .home = "signal.windows", .method = false,
                .samples = "windows_hann(7); windows_hann(6, sym=False); windows_hann(1)",
                .reference = "scipy.signal.windows.hann(M, sym)", .differentiable = false) {
  return cosine_sum("hann", M, sym, {dtype, device, requires_grad}, {0.5, 0.5});
}

PHLOX_OPERATION(
    Tensor, windows_kaiser,
    (std::int64_t M, double beta = 12.0, bool sym = true, OptionalDType dtype = {},
     OptionalDevice device = {}, bool requires_grad = false),
    .doc =
        "Kaiser's window, I0(beta sqrt(1 - x^2)) / I0(beta) for x from -1 to 1: the larger `beta`, the narrower. "
        "`sym=False`: periodic.",
    .source = "Kaiser 1974", .family = Family::fft, .home = "signal.windows", .method = false,
    .samples =
        "windows_kaiser(7); windows_kaiser(6, 3.5, sym=False); windows_kaiser(9, 0.0); windows_kaiser(8, 80.0)",
    .reference = "scipy.signal.windows.kaiser(M, beta, sym)", .differentiable = false) {
  return kaiser("kaiser", M, sym, {dtype, device, requires_grad}, beta);
}

PHLOX_OPERATION(
    Tensor, windows_nuttall,
    (std::int64_t M, bool sym = true, OptionalDType dtype = {}, OptionalDevice device = {},
     bool requires_grad = false),
    .doc = "Nuttall's minimum four-term window. `sym=False`: periodic.",
    .source = "Nuttall 1981, minimum four-term Blackman-Harris window with continuous first derivative",
    .family = Family::fft, .home = "signal.windows", .method = false,
    .samples = "windows_nuttall(7); windows_nuttall(6, sym=False); windows_nuttall(1)",
    .reference = "scipy.signal.windows.nuttall(M, sym)", .differentiable = false) {
  return cosine_sum("nuttall", M, sym, {dtype, device, requires_grad},
                    {0.3635819, 0.4891775, 0.1365995, 0.0106411});
}

PHLOX_OPERATION(Tensor, windows_vorbis,
                (std::int64_t M, OptionalDType dtype = {}, OptionalDevice device = {},
                 bool requires_grad = false),
                .doc = "The window of Vorbis, sin(pi / 2 sin(pi (n + 0.5) / M)^2), made for mdct().",
                .source = "Vorbis I specification, 4.3.1", .family = Family::fft, .home = "signal.windows",
                .method = false, .samples = "windows_vorbis(8); windows_vorbis(5)",
                .reference = "np.sin(np.pi / 2 * np.sin(np.pi * (np.arange(M) + 0.5) / M) ** 2)",
                .differentiable = false) {
  return window_of("vorbis", M, false, {dtype, device, requires_grad},
                   [](const Tensor& positions, double period) {
                     const Tensor wave = sin(mul(add(positions, 0.5), pi / period));
                     return sin(mul(mul(wave, wave), pi / 2));
                   });
}

PHLOX_OPERATION(
    Tensor, windows_kaiser_bessel_derived,
    (std::int64_t M, double beta = 12.0, OptionalDType dtype = {}, OptionalDevice device = {},
     bool requires_grad = false),
    .doc =
        "The Kaiser-Bessel-derived window for an even `M`, made for mdct(): roots of the running sums of Kaiser's "
        "window.",
    .source = "Bosi and Goldberg, Introduction to digital audio coding and standards, 5.4",
    .family = Family::fft, .home = "signal.windows", .method = false,
    .samples = "windows_kaiser_bessel_derived(8); windows_kaiser_bessel_derived(6, 4.0)",
    .reference = "scipy.signal.windows.kaiser_bessel_derived(M, beta)", .differentiable = false) {
  if (M % 2 != 0 || M < 0)
    fail<ValueError>(ErrorCode::invalid_value, "kaiser_bessel_derived: {} elements", M)
        .hint("an even count")
        .raise();
  if (M == 0) return window_of("kaiser_bessel_derived", 0, true, {dtype, device, requires_grad}, {});
  const Tensor sums =
      cumsum(kaiser("kaiser_bessel_derived", M / 2 + 1, true, {DType::float64, device, false}, beta), 0);
  const Tensor rise = sqrt(div(narrow(sums, 0, 0, M / 2), narrow(sums, 0, M / 2, 1)));
  return window_of("kaiser_bessel_derived", M, true, {dtype, device, requires_grad},
                   [&](const Tensor&, double) { return cat({rise, flip(rise, 0)}, 0); });
}

// --- windows by the names that torch has at the top; periodic by default

PHLOX_OPERATION(Tensor, bartlett_window,
                (std::int64_t window_length, bool periodic = true, OptionalDType dtype = {},
                 OptionalDevice device = {}, bool requires_grad = false),
                .doc = "signal.windows.bartlett(), periodic unless told otherwise.", .family = Family::fft,
                .method = false, .samples = "bartlett_window(6); bartlett_window(7, False)",
                .reference = "scipy.signal.windows.bartlett(window_length, not periodic)",
                .differentiable = false) {
  return bartlett("bartlett_window", window_length, !periodic, {dtype, device, requires_grad});
}

PHLOX_OPERATION(Tensor, blackman_window,
                (std::int64_t window_length, bool periodic = true, OptionalDType dtype = {},
                 OptionalDevice device = {}, bool requires_grad = false),
                .doc = "signal.windows.blackman(), periodic unless told otherwise.", .family = Family::fft,
                .method = false, .samples = "blackman_window(6); blackman_window(7, False)",
                .reference = "scipy.signal.windows.blackman(window_length, not periodic)",
                .differentiable = false) {
  return cosine_sum("blackman_window", window_length, !periodic, {dtype, device, requires_grad},
                    blackman_weights);
}

PHLOX_OPERATION(
    Tensor, hamming_window,
    (std::int64_t window_length, bool periodic = true, double alpha = 0.54, double beta = 0.46,
     OptionalDType dtype = {}, OptionalDevice device = {}, bool requires_grad = false),
    .doc = "alpha - beta cos(2 pi n / window_length); not `periodic`: over window_length - 1.",
    .family = Family::fft, .method = false,
    .samples = "hamming_window(6); hamming_window(7, False); hamming_window(5, True, 0.6, 0.3)",
    .reference = "scipy.signal.windows.general_cosine(window_length, [alpha, beta], not periodic)",
    .differentiable = false) {
  return cosine_sum("hamming_window", window_length, !periodic, {dtype, device, requires_grad},
                    {alpha, beta});
}

PHLOX_OPERATION(Tensor, hann_window,
                (std::int64_t window_length, bool periodic = true, OptionalDType dtype = {},
                 OptionalDevice device = {}, bool requires_grad = false),
                .doc = "signal.windows.hann(), periodic unless told otherwise: what stft() wants.",
                .family = Family::fft, .method = false, .samples = "hann_window(6); hann_window(7, False)",
                .reference = "scipy.signal.windows.hann(window_length, not periodic)",
                .differentiable = false) {
  return cosine_sum("hann_window", window_length, !periodic, {dtype, device, requires_grad}, {0.5, 0.5});
}

PHLOX_OPERATION(Tensor, kaiser_window,
                (std::int64_t window_length, bool periodic = true, double beta = 12.0,
                 OptionalDType dtype = {}, OptionalDevice device = {}, bool requires_grad = false),
                .doc = "signal.windows.kaiser(), periodic unless told otherwise.", .family = Family::fft,
                .method = false, .samples = "kaiser_window(6); kaiser_window(7, False, 4.5)",
                .reference = "scipy.signal.windows.kaiser(window_length, beta, not periodic)",
                .differentiable = false) {
  return kaiser("kaiser_window", window_length, !periodic, {dtype, device, requires_grad}, beta);
}

}  // namespace phlox
