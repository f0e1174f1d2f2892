// Fourier transforms with the conventions of NumPy: which length, which dimensions, which norm.
#include "phlox/ops/primitives/fft.h"

#include <cmath>

#include "phlox/ops/functions.h"
#include "phlox/ops/registry/operation.h"

namespace phlox {
namespace {

// What each transform along some dimensions is multiplied with. `unscaled` is the norm that means 1: "backward" for
// forward transforms, "forward" for backward ones.
double scale_of(const OptionalString& norm, bool forward, double count, const char* operation) {
  const std::string name = norm.value_or("backward");
  if (name == "ortho") return 1 / std::sqrt(count);
  if (name != "backward" && name != "forward")
    fail<ValueError>(ErrorCode::invalid_value, "{}: norm is '{}'", operation, name)
        .hint("\"backward\", \"forward\" or \"ortho\"")
        .raise();
  return (name == "forward") == forward ? 1 / count : 1;
}

// The input in the dtype that is transformed.
Tensor as_transformed(const Tensor& input, bool real, const char* operation) {
  const DType dtype = input.dtype();
  if (!is_computable(dtype) || (real && is_complex(dtype)))
    fail<DTypeError>(ErrorCode::wrong_dtype, "{}: takes {} numbers, not {}", operation,
                     real ? "real" : "real or complex", info(dtype).name)
        .detail("input", describe(input))
        .hint(real && is_complex(dtype) ? "fft() takes complex numbers" : "x.float()")
        .raise();
  if (is_complex(dtype)) return input;
  DType floating = is_floating(dtype) ? dtype : default_dtype();
  if (floating != DType::float64) floating = DType::float32;
  if (real) return input.to(floating);
  return input.to(floating == DType::float64 ? DType::complex128 : DType::complex64);
}

void check_length(std::int64_t length, const char* operation) {
  if (length < 1)
    fail<ValueError>(ErrorCode::invalid_value, "{}: a transform of {} elements", operation, length)
        .hint("n must be at least 1")
        .raise();
}

// The first `size` elements along a dimension, or zeros after the last.
Tensor resized(const Tensor& input, std::int64_t dim, std::int64_t size) {
  const std::int64_t present = input.size(dim);
  if (size == present) return input;
  if (size < present) return narrow(input, dim, 0, size);
  Integers counts(2 * static_cast<std::size_t>(input.rank() - dim), 0);
  counts.back() = size - present;
  return pad(input, counts);
}

// Where and how far: dimensions and, for each, the length; -1 for that of the input.
struct Extent {
  Dims dims;
  IntList lengths;
};
Extent extent_of(const Tensor& input, const OptionalDims& s, const OptionalDims& dim, const char* operation) {
  Extent extent;
  const int rank = input.rank();
  if (dim) {
    for (std::int64_t d : *dim) {
      const int position = normalize_dim(d, rank, operation);
      if (rank == 0 || extent.dims.contains(position))
        fail<ShapeError>(rank == 0 ? ErrorCode::dimension_out_of_range : ErrorCode::duplicate_dimension,
                         "{}: dimension {} {}", operation, d, rank == 0 ? "does not exist" : "is named twice")
            .detail("input", describe(input))
            .raise();
      extent.dims.push_back(position);
    }
    if (s && s->size() != dim->size())
      fail<ShapeError>(ErrorCode::sizes_differ, "{}: {} sizes for {} dimensions", operation, s->size(),
                       dim->size())
          .detail("input", describe(input))
          .raise();
  } else {
    const int count = s ? s->rank() : rank;
    if (count > rank)
      fail<ShapeError>(ErrorCode::sizes_differ, "{}: {} sizes for {} dimensions", operation, count, rank)
          .detail("input", describe(input))
          .raise();
    for (int d = rank - count; d < rank; ++d) extent.dims.push_back(d);
  }
  extent.lengths = s ? IntList(*s) : IntList(extent.dims.size(), -1);
  return extent;
}

double count_of(const IntList& lengths) {
  double count = 1;
  for (std::int64_t length : lengths) count *= static_cast<double>(length);
  return count;
}

struct Form {
  FftKind kind;
  bool forward;
  const char* name;
};
using enum FftKind;

Tensor transform(const Tensor& input, Extent extent, const OptionalString& norm, const Form& form) {
  Tensor x = as_transformed(input, form.kind == real_to_complex, form.name);
  if (extent.dims.empty()) {
    if (form.kind != complex_to_complex)
      fail<ShapeError>(ErrorCode::wrong_rank, "{}: needs at least one dimension", form.name)
          .detail("input", describe(input))
          .raise();
    scale_of(norm, form.forward, 1, form.name);
    return x;
  }
  std::int64_t last_length = 0;
  for (std::size_t i = 0; i < extent.dims.size(); ++i) {
    const std::int64_t dim = extent.dims[i];
    std::int64_t& length = extent.lengths[i];
    const bool half = form.kind == complex_to_real && i + 1 == extent.dims.size();
    if (length == -1) length = half ? 2 * (x.size(dim) - 1) : x.size(dim);
    check_length(length, form.name);
    x = resized(x, dim, half ? length / 2 + 1 : length);
    last_length = length;
  }
  const double scale = scale_of(norm, form.forward, count_of(extent.lengths), form.name);
  return apply_fft(x, extent.dims, form.kind, form.forward, scale, last_length);
}

Tensor transform(const Tensor& input, OptionalInt n, std::int64_t dim, const OptionalString& norm,
                 const Form& form) {
  if (n && *n < 1) check_length(*n, form.name);
  Extent extent = extent_of(input, {}, OptionalDims(DimList(dim)), form.name);
  if (n) extent.lengths[0] = *n;
  return transform(input, extent, norm, form);
}

Tensor transform(const Tensor& input, const OptionalDims& s, const OptionalDims& dim,
                 const OptionalString& norm, const Form& form) {
  return transform(input, extent_of(input, s, dim, form.name), norm, form);
}

// The frequencies first, first + 1, ... of n samples that are d apart.
Tensor frequencies(std::int64_t first, std::int64_t count, std::int64_t n, double d, OptionalDType dtype,
                   OptionalDevice device) {
  const Tensor steps =
      arange(first, first + count, 1, dtype.value_or(default_dtype()), device.value_or(default_device()));
  return mul(steps, 1 / (static_cast<double>(n) * d));
}
void check_frequencies(std::int64_t n, OptionalDType dtype, const char* operation) {
  if (n < 0 || (dtype && !is_floating(*dtype) && !is_complex(*dtype)))
    fail<ValueError>(ErrorCode::invalid_value, "{}: {} frequencies{}", operation, n,
                     n < 0 ? "" : " in a dtype of whole numbers")
        .hint("n counts samples; the dtype must be a floating one")
        .raise();
}

Tensor shifted(const Tensor& input, const OptionalDims& dim, bool back) {
  if (input.rank() == 0 && !dim) return input;
  const Dims dims = dim ? normalize_dims(*dim, input.rank(), back ? "ifftshift" : "fftshift", false)
                        : extent_of(input, {}, {}, "fftshift").dims;
  if (dims.empty()) return input;
  DimList shifts;
  for (std::int64_t d : dims) shifts.push_back((input.size(d) + (back ? 1 : 0)) / 2);
  return roll(input, shifts, DimList(dims));
}

}  // namespace

PHLOX_OPERATION(
    Tensor, fft_fft,
    (const Tensor& input, OptionalInt n = {}, std::int64_t dim = -1, const OptionalString& norm = {}),
    .doc =
        "The discrete Fourier transform along `dim`: sum over j of input[j] exp(-2 pi i j k / n). The input is cut or "
        "filled up with zeros to length `n`, any length from 1. `norm` says what divides: \"backward\" nothing, "
        "\"ortho\" sqrt(n), \"forward\" n. Complex results; f16, bf16 and integers are computed in f32.",
    .source = "Stockham 1966; Bluestein 1970 for lengths with large prime factors", .family = Family::fft,
    .home = "fft", .method = false,
    .samples =
        "fft_fft(A(3, 8)); fft_fft(Z(4, 3), dim=0); fft_fft(A(7), 5, norm='ortho'); fft_fft(Z(2, 6), n=9, "
        "norm='forward'); fft_fft(Z(2, 53))",
    .reference = "np.fft.fft(input, n, dim, norm)", .complex = true) {
  return transform(input, n, dim, norm, {complex_to_complex, true, "fft"});
}

PHLOX_OPERATION(
    Tensor, fft_ifft,
    (const Tensor& input, OptionalInt n = {}, std::int64_t dim = -1, const OptionalString& norm = {}),
    .doc =
        "The inverse of fft() along `dim`: sum over j of input[j] exp(2 pi i j k / n), divided by n unless `norm` says "
        "otherwise.",
    .family = Family::fft, .home = "fft", .method = false,
    .samples =
        "fft_ifft(Z(3, 8)); fft_ifft(Z(4, 3), dim=0); fft_ifft(A(7), 5, norm='ortho'); fft_ifft(Z(2, 6), n=9, "
        "norm='forward')",
    .reference = "np.fft.ifft(input, n, dim, norm)", .complex = true) {
  return transform(input, n, dim, norm, {complex_to_complex, false, "ifft"});
}

PHLOX_OPERATION(
    Tensor, fft_rfft,
    (const Tensor& input, OptionalInt n = {}, std::int64_t dim = -1, const OptionalString& norm = {}),
    .doc =
        "The elements 0 ... n / 2 of fft() of real numbers; the others are the conjugates of these. Takes half the time "
        "of fft().",
    .family = Family::fft, .home = "fft", .method = false,
    .samples =
        "fft_rfft(A(3, 8)); fft_rfft(A(5, 3), dim=0); fft_rfft(A(7), 6, norm='ortho'); fft_rfft(A(2, 6), n=9, "
        "norm='forward'); fft_rfft(A(4, 3), dim=0)",
    .reference = "np.fft.rfft(input, n, dim, norm)") {
  return transform(input, n, dim, norm, {real_to_complex, true, "rfft"});
}

PHLOX_OPERATION(
    Tensor, fft_irfft,
    (const Tensor& input, OptionalInt n = {}, std::int64_t dim = -1, const OptionalString& norm = {}),
    .doc =
        "The inverse of rfft(): `n` real numbers, by default an even count, 2 * (size - 1). The imaginary parts of "
        "element 0, and of element n / 2 for even n, do not count.",
    .family = Family::fft, .home = "fft", .method = false,
    .samples =
        "fft_irfft(Z(3, 5)); fft_irfft(Z(3, 3), 5, 0); fft_irfft(Z(7), 6, norm='ortho'); fft_irfft(Z(2, 3), n=9, "
        "norm='forward'); fft_irfft(Z(4, 3), dim=0)",
    .reference = "np.fft.irfft(input, n, dim, norm)", .complex = true) {
  return transform(input, n, dim, norm, {complex_to_real, false, "irfft"});
}

PHLOX_OPERATION(
    Tensor, fft_hfft,
    (const Tensor& input, OptionalInt n = {}, std::int64_t dim = -1, const OptionalString& norm = {}),
    .doc =
        "The transform of a sequence whose second half would be the conjugate of the first, from that first half: `n` "
        "real numbers, by default 2 * (size - 1).",
    .family = Family::fft, .home = "fft", .method = false,
    .samples =
        "fft_hfft(Z(3, 5)); fft_hfft(Z(3, 3), 5, 0); fft_hfft(Z(7), 6, norm='ortho'); fft_hfft(Z(2, 3), n=9, "
        "norm='forward')",
    .reference = "np.fft.hfft(input, n, dim, norm)", .complex = true) {
  return transform(input, n, dim, norm, {complex_to_real, true, "hfft"});
}

PHLOX_OPERATION(
    Tensor, fft_ihfft,
    (const Tensor& input, OptionalInt n = {}, std::int64_t dim = -1, const OptionalString& norm = {}),
    .doc = "The inverse of hfft(): of real numbers the first half of a sequence with conjugate halves.",
    .family = Family::fft, .home = "fft", .method = false,
    .samples =
        "fft_ihfft(A(3, 8)); fft_ihfft(A(5, 3), dim=0); fft_ihfft(A(7), 6, norm='ortho'); fft_ihfft(A(2, 6), n=9, "
        "norm='forward')",
    .reference = "np.fft.ihfft(input, n, dim, norm)") {
  return transform(input, n, dim, norm, {real_to_complex, false, "ihfft"});
}

PHLOX_OPERATION(
    Tensor, fft_fft2,
    (const Tensor& input, const OptionalDims& s = {}, const DimList& dim = {-2, -1},
     const OptionalString& norm = {}),
    .doc = "fft() over two dimensions, cut or filled up to the sizes `s`.", .family = Family::fft,
    .home = "fft", .method = false,
    .samples =
        "fft_fft2(Z(2, 3, 4)); fft_fft2(A(3, 4), (2, 5)); fft_fft2(Z(2, 3, 4), dim=(0, 1), norm='ortho')",
    .reference = "np.fft.fft2(input, s, dim, norm)", .complex = true) {
  return transform(input, s, dim, norm, {complex_to_complex, true, "fft2"});
}

PHLOX_OPERATION(
    Tensor, fft_ifft2,
    (const Tensor& input, const OptionalDims& s = {}, const DimList& dim = {-2, -1},
     const OptionalString& norm = {}),
    .doc = "ifft() over two dimensions, cut or filled up to the sizes `s`.", .family = Family::fft,
    .home = "fft", .method = false,
    .samples =
        "fft_ifft2(Z(2, 3, 4)); fft_ifft2(A(3, 4), (2, 5)); fft_ifft2(Z(2, 3, 4), dim=(0, 1), norm='ortho')",
    .reference = "np.fft.ifft2(input, s, dim, norm)", .complex = true) {
  return transform(input, s, dim, norm, {complex_to_complex, false, "ifft2"});
}

PHLOX_OPERATION(
    Tensor, fft_rfft2,
    (const Tensor& input, const OptionalDims& s = {}, const DimList& dim = {-2, -1},
     const OptionalString& norm = {}),
    .doc = "rfft() along the last of two dimensions, then fft() along the other.", .family = Family::fft,
    .home = "fft", .method = false,
    .samples =
        "fft_rfft2(A(2, 3, 4)); fft_rfft2(A(3, 4), (2, 5)); fft_rfft2(A(2, 3, 4), dim=(0, 1), norm='ortho')",
    .reference = "np.fft.rfft2(input, s, dim, norm)") {
  return transform(input, s, dim, norm, {real_to_complex, true, "rfft2"});
}

PHLOX_OPERATION(
    Tensor, fft_irfft2,
    (const Tensor& input, const OptionalDims& s = {}, const DimList& dim = {-2, -1},
     const OptionalString& norm = {}),
    .doc = "The inverse of rfft2(). `s` are the sizes of the result.", .family = Family::fft, .home = "fft",
    .method = false,
    .samples =
        "fft_irfft2(Z(2, 3, 4)); fft_irfft2(Z(3, 4), (2, 5)); fft_irfft2(Z(2, 3, 4), dim=(0, 1), norm='ortho')",
    .reference = "np.fft.irfft2(input, s, dim, norm)", .complex = true) {
  return transform(input, s, dim, norm, {complex_to_real, false, "irfft2"});
}

PHLOX_OPERATION(
    Tensor, fft_hfft2,
    (const Tensor& input, const OptionalDims& s = {}, const DimList& dim = {-2, -1},
     const OptionalString& norm = {}),
    .doc = "fft() along the first of two dimensions, then hfft() along the last.", .family = Family::fft,
    .home = "fft", .method = false,
    .samples =
        "fft_hfft2(Z(2, 3, 4)); fft_hfft2(Z(3, 4), (2, 5)); fft_hfft2(Z(2, 3, 4), dim=(0, 1), norm='ortho')",
    .reference = "scipy.fft.hfft2(input, s, dim, norm)", .complex = true) {
  return transform(input, s, dim, norm, {complex_to_real, true, "hfft2"});
}

PHLOX_OPERATION(
    Tensor, fft_ihfft2,
    (const Tensor& input, const OptionalDims& s = {}, const DimList& dim = {-2, -1},
     const OptionalString& norm = {}),
    .doc = "The inverse of hfft2().", .family = Family::fft, .home = "fft", .method = false,
    .samples =
        "fft_ihfft2(A(2, 3, 4)); fft_ihfft2(A(3, 4), (2, 5)); fft_ihfft2(A(2, 3, 4), dim=(0, 1), norm='ortho')",
    .reference = "scipy.fft.ihfft2(input, s, dim, norm)") {
  return transform(input, s, dim, norm, {real_to_complex, false, "ihfft2"});
}

PHLOX_OPERATION(
    Tensor, fft_fftn,
    (const Tensor& input, const OptionalDims& s = {}, const OptionalDims& dim = {},
     const OptionalString& norm = {}),
    .doc =
        "fft() over several dimensions, all by default, cut or filled up to the sizes `s`; with `s` alone over the "
        "last ones.",
    .family = Family::fft, .home = "fft", .method = false,
    .samples =
        "fft_fftn(Z(2, 3, 4)); fft_fftn(A(3, 4), (2, 5)); fft_fftn(Z(2, 3, 4), dim=(0, 2), norm='ortho'); "
        "fft_fftn(A(3, 2, 4), (3,))",
    .reference = "scipy.fft.fftn(input, s, dim, norm)", .complex = true) {
  return transform(input, s, dim, norm, {complex_to_complex, true, "fftn"});
}

PHLOX_OPERATION(
    Tensor, fft_ifftn,
    (const Tensor& input, const OptionalDims& s = {}, const OptionalDims& dim = {},
     const OptionalString& norm = {}),
    .doc = "The inverse of fftn().", .family = Family::fft, .home = "fft", .method = false,
    .samples =
        "fft_ifftn(Z(2, 3, 4)); fft_ifftn(A(3, 4), (2, 5)); fft_ifftn(Z(2, 3, 4), dim=(0, 2), norm='ortho')",
    .reference = "scipy.fft.ifftn(input, s, dim, norm)", .complex = true) {
  return transform(input, s, dim, norm, {complex_to_complex, false, "ifftn"});
}

PHLOX_OPERATION(
    Tensor, fft_rfftn,
    (const Tensor& input, const OptionalDims& s = {}, const OptionalDims& dim = {},
     const OptionalString& norm = {}),
    .doc = "rfft() along the last of several dimensions, all by default, then fft() along the others.",
    .family = Family::fft, .home = "fft", .method = false,
    .samples =
        "fft_rfftn(A(2, 3, 4)); fft_rfftn(A(3, 4), (2, 5)); fft_rfftn(A(2, 3, 4), dim=(2, 0), norm='ortho')",
    .reference = "scipy.fft.rfftn(input, s, dim, norm)") {
  return transform(input, s, dim, norm, {real_to_complex, true, "rfftn"});
}

PHLOX_OPERATION(
    Tensor, fft_irfftn,
    (const Tensor& input, const OptionalDims& s = {}, const OptionalDims& dim = {},
     const OptionalString& norm = {}),
    .doc = "The inverse of rfftn(). `s` are the sizes of the result.", .family = Family::fft, .home = "fft",
    .method = false,
    .samples =
        "fft_irfftn(Z(2, 3, 4)); fft_irfftn(Z(3, 4), (2, 5)); fft_irfftn(Z(2, 3, 4), dim=(2, 0), norm='ortho')",
    .reference = "scipy.fft.irfftn(input, s, dim, norm)", .complex = true) {
  return transform(input, s, dim, norm, {complex_to_real, false, "irfftn"});
}

PHLOX_OPERATION(
    Tensor, fft_hfftn,
    (const Tensor& input, const OptionalDims& s = {}, const OptionalDims& dim = {},
     const OptionalString& norm = {}),
    .doc = "fft() along all of several dimensions but the last, then hfft() along that.",
    .family = Family::fft, .home = "fft", .method = false,
    .samples =
        "fft_hfftn(Z(2, 3, 4)); fft_hfftn(Z(3, 4), (2, 5)); fft_hfftn(Z(2, 3, 4), dim=(2, 0), norm='ortho')",
    .reference = "scipy.fft.hfftn(input, s, dim, norm)", .complex = true) {
  return transform(input, s, dim, norm, {complex_to_real, true, "hfftn"});
}

PHLOX_OPERATION(
    Tensor, fft_ihfftn,
    (const Tensor& input, const OptionalDims& s = {}, const OptionalDims& dim = {},
     const OptionalString& norm = {}),
    .doc = "The inverse of hfftn().", .family = Family::fft, .home = "fft", .method = false,
    .samples =
        "fft_ihfftn(A(2, 3, 4)); fft_ihfftn(A(3, 4), (2, 5)); fft_ihfftn(A(2, 3, 4), dim=(2, 0), norm='ortho')",
    .reference = "scipy.fft.ihfftn(input, s, dim, norm)") {
  return transform(input, s, dim, norm, {real_to_complex, false, "ihfftn"});
}

PHLOX_OPERATION(
    Tensor, fft_fftfreq,
    (std::int64_t n, double d = 1.0, OptionalDType dtype = {}, OptionalDevice device = {},
     bool requires_grad = false),
    .doc =
        "The frequencies of the elements of fft() of n samples that are `d` apart, in periods for each unit of `d`: 0, "
        "1, ... and then the negative ones, over n d.",
    .family = Family::fft, .home = "fft", .method = false,
    .samples = "fft_fftfreq(6); fft_fftfreq(7, 0.5); fft_fftfreq(1)", .reference = "np.fft.fftfreq(n, d)",
    .differentiable = false) {
  check_frequencies(n, dtype, "fftfreq");
  const std::int64_t positive = (n + 1) / 2;
  const Tensor result = cat(
      {frequencies(0, positive, n, d, dtype, device), frequencies(-(n / 2), n / 2, n, d, dtype, device)}, 0);
  if (requires_grad) result.set_requires_grad();
  return result;
}

PHLOX_OPERATION(
    Tensor, fft_rfftfreq,
    (std::int64_t n, double d = 1.0, OptionalDType dtype = {}, OptionalDevice device = {},
     bool requires_grad = false),
    .doc =
        "The frequencies of the elements of rfft() of n samples that are `d` apart: 0, 1, ... n / 2, over n d.",
    .family = Family::fft, .home = "fft", .method = false,
    .samples = "fft_rfftfreq(6); fft_rfftfreq(7, 0.5); fft_rfftfreq(1)", .reference = "np.fft.rfftfreq(n, d)",
    .differentiable = false) {
  check_frequencies(n, dtype, "rfftfreq");
  const Tensor result = frequencies(0, n / 2 + 1, n, d, dtype, device);
  if (requires_grad) result.set_requires_grad();
  return result;
}

PHLOX_OPERATION(
    Tensor, fft_fftshift, (const Tensor& input, const OptionalDims& dim = {}),
    .doc =
        "Moves element 0 along `dim`, all dimensions by default, to the middle: frequencies in ascending "
        "order.",
    .family = Family::fft, .home = "fft", .method = false,
    .samples = "fft_fftshift(A(5)); fft_fftshift(A(3, 4)); fft_fftshift(Z(3, 4), dim=1)",
    .reference = "np.fft.fftshift(input, dim)", .complex = true) {
  return shifted(input, dim, false);
}

PHLOX_OPERATION(
    Tensor, fft_ifftshift, (const Tensor& input, const OptionalDims& dim = {}),
    .doc = "Undoes fftshift(): moves the middle along `dim`, all dimensions by default, to element 0.",
    .family = Family::fft, .home = "fft", .method = false,
    .samples = "fft_ifftshift(A(5)); fft_ifftshift(A(3, 4)); fft_ifftshift(Z(3, 4), dim=1)",
    .reference = "np.fft.ifftshift(input, dim)", .complex = true) {
  return shifted(input, dim, true);
}

}  // namespace phlox
