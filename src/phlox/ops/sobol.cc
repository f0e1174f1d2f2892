// Points that fill a cube evenly: Sobol's sequence in base 2.
#include <array>
#include <cstdint>
#include <vector>

#include "phlox/core/recording.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/registry/operation.h"

namespace phlox {
namespace {

constexpr int sobol_bits = 32;
constexpr std::int64_t most_dimensions = 4096;
using Directions = std::array<std::uint32_t, sobol_bits>;

// x^exponent modulo a polynomial over GF(2) of this degree; bit i is the coefficient of x^i.
std::uint64_t power_of_x(std::uint64_t exponent, std::uint64_t polynomial, int degree) {
  const auto product = [&](std::uint64_t a, std::uint64_t b) {
    std::uint64_t result = 0;
    for (; b; b >>= 1) {
      if (b & 1) result ^= a;
      a <<= 1;
      if (a >> degree & 1) a ^= polynomial;
    }
    return result;
  };
  std::uint64_t result = 1, base = degree == 1 ? 2 ^ polynomial : 2;
  for (; exponent; exponent >>= 1) {
    if (exponent & 1) result = product(result, base);
    base = product(base, base);
  }
  return result;
}

// Whether the powers of x modulo the polynomial are all 2^degree - 1 remainders but 0.
bool is_primitive(std::uint64_t polynomial, int degree) {
  const std::uint64_t order = (std::uint64_t{1} << degree) - 1;
  if (power_of_x(order, polynomial, degree) != 1) return false;
  std::uint64_t rest = order;
  for (std::uint64_t p = 2; p * p <= rest; ++p) {
    if (rest % p != 0) continue;
    if (power_of_x(order / p, polynomial, degree) == 1) return false;
    while (rest % p == 0) rest /= p;
  }
  return rest == 1 || rest == order || power_of_x(order / rest, polynomial, degree) != 1;
}

// Direction numbers of the first dimensions: van der Corput's, then one primitive polynomial each, in order of degree.
// The first numbers of each are odd ones drawn from Philox with a seed of its own; any choice gives a digital net in
// each single dimension.
std::vector<Directions> direction_numbers(std::int64_t dimensions) {
  std::vector<Directions> all;
  Directions first;
  for (int k = 0; k < sobol_bits; ++k)
    first[static_cast<std::size_t>(k)] = std::uint32_t{1} << (sobol_bits - 1 - k);
  all.push_back(first);
  for (int degree = 1; static_cast<std::int64_t>(all.size()) < dimensions; ++degree)
    for (std::uint64_t inner = 0; inner < std::uint64_t{1} << (degree - 1); ++inner) {
      const std::uint64_t polynomial = std::uint64_t{1} << degree | inner << 1 | 1;
      if (!is_primitive(polynomial, degree)) continue;
      Directions v;
      for (int k = 0; k < sobol_bits; ++k) {
        const auto at = static_cast<std::size_t>(k);
        if (k < degree) {
          const std::uint32_t word = philox(0x50B01, all.size(), static_cast<std::uint64_t>(k))[0];
          const std::uint32_t odd = (word & ((std::uint32_t{1} << k) - 1)) << 1 | 1;  // below 2^(k+1)
          v[at] = odd << (sobol_bits - 1 - k);
        } else {
          v[at] =
              v[at - static_cast<std::size_t>(degree)] ^ v[at - static_cast<std::size_t>(degree)] >> degree;
          for (int i = 1; i < degree; ++i)
            if (polynomial >> (degree - i) & 1) v[at] ^= v[at - static_cast<std::size_t>(i)];
        }
      }
      all.push_back(v);
      if (static_cast<std::int64_t>(all.size()) == dimensions) return all;
    }
  return all;
}

}  // namespace

PHLOX_OPERATION(
    Tensor, random_sobol,
    (std::int64_t n, std::int64_t dimension, std::int64_t skip = 0, bool scramble = false,
     OptionalDType dtype = {}, Generator* generator = nullptr),
    .doc =
        "`n` points of Sobol's sequence in a cube of `dimension` dimensions from point number `skip` on, [n,dimension], 0 "
        "<= x < 1: they fill it more evenly than random points. `scramble` permutes digits at random, which keeps that and "
        "makes them a random sample.",
    .source = "Sobol 1967; Antonov, Saleev 1979; scrambling: Matoušek 1998", .family = Family::random,
    .example = "random_sobol(4, 2)", .differentiable = false, .reads_values = true) {
  const DType kind = dtype.value_or(default_dtype());
  if (n < 0 || skip < 0 || skip > (std::int64_t{1} << sobol_bits) - n)
    fail<ValueError>(ErrorCode::invalid_value, "random_sobol: there are no {} points from number {} on", n,
                     skip)
        .hint("the sequence has 2^32 points")
        .raise();
  if (dimension < 1 || dimension > most_dimensions)
    fail<ValueError>(ErrorCode::invalid_value, "random_sobol: 1 to {} dimensions, not {}", most_dimensions,
                     dimension)
        .raise();
  if (!is_floating(kind))
    fail<DTypeError>(ErrorCode::wrong_dtype, "random_sobol: makes floating numbers, not {}", info(kind).name)
        .raise();
  element_count({n, dimension});  // throws where there are too many
  std::vector<Directions> directions = direction_numbers(dimension);
  std::vector<std::uint32_t> shift(static_cast<std::size_t>(dimension), 0);
  if (scramble) {
    // Each digit is replaced by itself and a random choice of those before it, then some digits are turned over.
    const Tensor drawn =
        randint(0, std::int64_t{1} << 32, {dimension, sobol_bits + 1}, DType::int64, Device{}, generator);
    const Integers words = drawn.to_vector<std::int64_t>();
    for (std::size_t j = 0; j < directions.size(); ++j) {
      const std::int64_t* row = words.data() + j * (sobol_bits + 1);
      for (std::uint32_t& v : directions[j]) {
        std::uint32_t mixed = 0;
        for (int digit = 0; digit < sobol_bits; ++digit) {  // from the most significant on
          const int place = sobol_bits - 1 - digit;
          const std::uint32_t higher = digit ? ~std::uint32_t{0} << (place + 1) : 0;
          const std::uint32_t chosen =
              (v & higher & static_cast<std::uint32_t>(row[digit])) ^ (v & (std::uint32_t{1} << place));
          mixed |= static_cast<std::uint32_t>(__builtin_popcount(chosen) & 1) << place;
        }
        v = mixed;
      }
      shift[j] = static_cast<std::uint32_t>(row[sobol_bits]);
    }
  }
  const Tensor result = make_tensor({n, dimension}, DType::float64, Device{});
  auto* out = result.data<double>();
  // Point i + 1 differs from point i by one direction, as Gray codes do.
  std::vector<std::uint32_t> point = shift;
  const auto gray = static_cast<std::uint64_t>(skip ^ skip >> 1);
  for (std::size_t j = 0; j < directions.size(); ++j)
    for (std::size_t k = 0; k < sobol_bits; ++k)
      if (gray >> k & 1) point[j] ^= directions[j][k];
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < point.size(); ++j) *out++ = static_cast<double>(point[j]) * 0x1p-32;
    const int changed = __builtin_ctzll(~static_cast<std::uint64_t>(skip + i));
    if (changed >= sobol_bits) break;  // behind the last point
    for (std::size_t j = 0; j < point.size(); ++j)
      point[j] ^= directions[j][static_cast<std::size_t>(changed)];
  }
  // Rounding to fewer bits must not reach 1.
  const double below_one = kind == DType::float64   ? 1 - 0x1p-53
                           : kind == DType::float32 ? 1 - 0x1p-24
                           : kind == DType::float16 ? 1 - 0x1p-11
                                                    : 1 - 0x1p-8;
  return clamp_max(result, below_one).to(kind);
}

}  // namespace phlox
