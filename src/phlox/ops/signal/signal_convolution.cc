// Convolution and correlation of whole signals of any number of dimensions, with SciPy's modes.
#include "phlox/ops/functions.h"
#include "phlox/ops/registry/operation.h"
#include "phlox/ops/widened.h"

namespace phlox {
namespace {

// Lengths that transform fast.
std::int64_t convenient_length(std::int64_t least) {
  std::int64_t best = 0;
  for (std::int64_t odd : {1, 3, 5, 9, 15}) {
    std::int64_t length = odd;
    while (length < least) length *= 2;
    if (best == 0 || length < best) best = length;
  }
  return best;
}

// Every place where both overlap, by windows of one times the other backwards.
Tensor convolve_directly(const Tensor& input, const Tensor& other) {
  // Above this many products the windows, which are a copy, take too much memory.
  constexpr std::int64_t most_products = 1 << 22;
  const int rank = input.rank();
  Integers around(2 * static_cast<std::size_t>(rank));
  DimList all;
  std::int64_t products = other.numel();
  Shape shape;
  for (int d = 0; d < rank; ++d) {
    const auto place = 2 * static_cast<std::size_t>(rank - 1 - d);
    around[place] = around[place + 1] = other.size(d) - 1;
    all.push_back(d);
    shape.push_back(input.size(d) + other.size(d) - 1);
    products *= shape.back();
  }
  const Tensor padded = pad(input, around), backwards = flip(other, all);
  if (products <= most_products) {
    Tensor windows = padded;
    for (int d = 0; d < rank; ++d) windows = unfold(windows, d, other.size(d), 1);
    return tensordot(windows, backwards, DimList(rank));
  }
  const Tensor factors = reshape(backwards, {other.numel()});
  Tensor result;
  for (std::int64_t i = 0; i < other.numel(); ++i) {
    Tensor part = padded;
    std::int64_t rest = i;
    for (int d = rank - 1; d >= 0; --d) {
      part = narrow(part, d, rest % other.size(d), shape[static_cast<std::size_t>(d)]);
      rest /= other.size(d);
    }
    part = mul(part, select(factors, 0, i));
    result = result.defined() ? add(result, part) : part;
  }
  return result;
}

Tensor convolve_by_fft(const Tensor& input, const Tensor& other) {
  DimList lengths, all;
  for (int d = 0; d < input.rank(); ++d) {
    lengths.push_back(convenient_length(input.size(d) + other.size(d) - 1));
    all.push_back(d);
  }
  Tensor result;
  if (is_complex(input.dtype()))
    result = fft_ifftn(mul(fft_fftn(input, lengths, all), fft_fftn(other, lengths, all)), {}, all);
  else result = fft_irfftn(mul(fft_rfftn(input, lengths, all), fft_rfftn(other, lengths, all)), lengths, all);
  for (int d = 0; d < input.rank(); ++d) result = narrow(result, d, 0, input.size(d) + other.size(d) - 1);
  return result;
}

Tensor convolve(const Tensor& input, const Tensor& other, const std::string& mode, const std::string& method,
                const char* operation) {
  const auto refuse = [&](ErrorCode code, const std::string& reason, const char* hint) {
    fail<ShapeError>(code, "{}: {}", operation, reason)
        .detail("input", describe(input))
        .detail("other", describe(other))
        .hint(hint)
        .raise();
  };
  const auto choose = [&](const char* name, const std::string& value,
                          std::initializer_list<const char*> choices, const char* hint) {
    for (const char* choice : choices)
      if (value == choice) return;
    fail<ValueError>(ErrorCode::invalid_value, "{}: {} is '{}'", operation, name, value).hint(hint).raise();
  };
  choose("mode", mode, {"full", "valid", "same"}, "\"full\", \"valid\" or \"same\"");
  choose("method", method, {"auto", "direct", "fft"}, "\"auto\", \"direct\" or \"fft\"");
  if (input.rank() != other.rank())
    refuse(ErrorCode::wrong_rank, fmt::format("{} and {} dimensions", input.rank(), other.rank()),
           "both need the same number of dimensions");
  if (input.numel() == 0 || other.numel() == 0)
    refuse(ErrorCode::sizes_differ, "there are no elements", "both need at least one element");
  DType dtype = promote(input.dtype(), other.dtype());
  if (dtype == DType::bool_) dtype = DType::int64;
  const DType working = widened(dtype);
  const Tensor a = input.to(working), b = other.to(working);
  if (input.rank() == 0) return mul(a, b).to(dtype);
  bool contained = true, contains = true;
  for (int d = 0; d < a.rank(); ++d) {
    contains = contains && a.size(d) >= b.size(d);
    contained = contained && a.size(d) <= b.size(d);
  }
  if (mode == "valid" && !contains && !contained)
    refuse(ErrorCode::sizes_differ, "neither lies within the other in all dimensions",
           "mode=\"full\" or \"same\"");
  // Windows as large as the smaller of both.
  const bool swap = b.numel() > a.numel();
  const Tensor &larger = swap ? b : a, &smaller = swap ? a : b;
  constexpr std::int64_t few = 64, few_products = 1 << 18;
  const bool exact = !is_floating(working) && !is_complex(working);
  bool by_fft = method == "fft";
  if (method == "auto")
    by_fft = !exact && smaller.numel() > few && smaller.numel() * larger.numel() > few_products;
  if (by_fft && exact)
    fail<DTypeError>(ErrorCode::wrong_dtype, "{}: whole numbers are not transformed", operation)
        .detail("input", describe(input))
        .detail("other", describe(other))
        .hint("method=\"direct\", or x.double()")
        .raise();
  Tensor result = by_fft ? convolve_by_fft(a, b) : convolve_directly(larger, smaller);
  for (int d = 0; d < a.rank() && mode != "full"; ++d) {
    const std::int64_t least = std::min(a.size(d), b.size(d)), most = std::max(a.size(d), b.size(d));
    if (mode == "valid") result = narrow(result, d, least - 1, most - least + 1);
    else result = narrow(result, d, (b.size(d) - 1) / 2, a.size(d));
  }
  return result.to(dtype);
}

}  // namespace

PHLOX_OPERATION(
    Tensor, signal_convolve,
    (const Tensor& input, const Tensor& other, const std::string& mode = "full",
     const std::string& method = "auto"),
    .doc =
        "The convolution of two signals of as many dimensions. `mode`: \"full\" all places where they overlap, \"valid\" "
        "those where one covers the other, \"same\" as many as `input` has, in the middle of all. `method`: \"direct\" "
        "adds up products, \"fft\" multiplies transforms, \"auto\" takes what is faster; integers are always exact.",
    .family = Family::fft, .home = "signal", .method = false,
    .samples =
        "signal_convolve(A(9), A(4)); signal_convolve(A(4), A(9), 'valid'); signal_convolve(A(5, 6), A(2, 3), 'same'); "
        "signal_convolve(A(30), A(25), 'full', 'direct'); signal_convolve(Z(5), Z(4), 'same')",
    .reference = "scipy.signal.convolve(input, other, mode, 'direct')", .complex = true, .tolerance = 2e-5) {
  return convolve(input, other, mode, method, "convolve");
}

PHLOX_OPERATION(
    Tensor, signal_correlate,
    (const Tensor& input, const Tensor& other, const std::string& mode = "full",
     const std::string& method = "auto"),
    .doc =
        "The correlation of two signals of as many dimensions: sums of `input` times the conjugate of `other`, moved to "
        "every place. `mode` and `method` as for convolve().",
    .family = Family::fft, .home = "signal", .method = false,
    .samples =
        "signal_correlate(A(9), A(4)); signal_correlate(A(4), A(9), 'valid'); signal_correlate(A(5, 6), A(2, 3), "
        "'same'); signal_correlate(Z(5), Z(4), 'same')",
    .reference = "scipy.signal.correlate(input, other, mode, 'direct')", .complex = true, .tolerance = 2e-5) {
  DimList all;
  for (int d = 0; d < other.rank(); ++d) all.push_back(d);
  return convolve(input, conj(other.rank() > 0 ? flip(other, all) : other), mode, method, "correlate");
}

}  // namespace phlox
