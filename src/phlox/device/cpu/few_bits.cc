#include "phlox/device/cpu/few_bits.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <utility>

namespace phlox::cpu {
namespace {

constexpr int first_number = static_cast<int>(DType::float8_e4m3fn);
constexpr int kinds = static_cast<int>(DType::uint2) - first_number + 1;
constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

// How a float of few bits is made up.
struct Format {
  int mantissa, bias;
  std::uint8_t magnitude;  // the bits beside the sign
  double largest;
  bool unsigned_zero;  // the pattern of -0 is NaN, and there is no other
  bool has_infinity;
  bool has_nan;
};
constexpr Format format_of(DType dtype) {
  switch (dtype) {
    case DType::float8_e4m3fn: return {3, 7, 0x7f, 448, false, false, true};
    case DType::float8_e5m2: return {2, 15, 0x7f, 57344, false, true, true};
    case DType::float8_e4m3fnuz: return {3, 8, 0x7f, 240, true, false, true};
    case DType::float8_e5m2fnuz: return {2, 16, 0x7f, 57344, true, false, true};
    default: return {1, 1, 0x7, 6, false, false, false};  // float4_e2m1fn
  }
}

constexpr double power_of_two(int exponent) {  // a normal number
  return std::bit_cast<double>(static_cast<std::uint64_t>(exponent + 1023) << 52);
}

constexpr double decode_float(DType dtype, std::uint8_t code) {
  if (dtype == DType::float8_e8m0fnu) return code == 0xff ? not_a_number : power_of_two(code - 127);
  const Format f = format_of(dtype);
  const int bits = code & f.magnitude;
  const bool negative = (code & (f.magnitude + 1)) != 0;
  if (f.unsigned_zero) {
    if (negative && bits == 0) return not_a_number;
  } else if (f.has_infinity) {
    const int infinite = f.magnitude & ~((1 << f.mantissa) - 1);
    if (bits >= infinite) return bits > infinite ? not_a_number : negative ? -infinity : infinity;
  } else if (f.has_nan && bits == f.magnitude) {
    return not_a_number;
  }
  const int exponent = bits >> f.mantissa, fraction = bits & ((1 << f.mantissa) - 1);
  const int significand = exponent ? fraction + (1 << f.mantissa) : fraction;
  const double value = significand * power_of_two(std::max(exponent, 1) - f.bias - f.mantissa);
  return negative ? -value : value;
}

std::uint8_t encode_power(double value) {
  if (!(value >= 0)) return 0xff;
  const auto bits = std::bit_cast<std::uint64_t>(std::fabs(value));
  const std::uint64_t fraction = bits & ((std::uint64_t{1} << 52) - 1);
  const auto exponent = static_cast<int>(bits >> 52) - 1023 + (fraction ? 1 : 0);
  return static_cast<std::uint8_t>(std::clamp(exponent, -127, 127) + 127);
}

template <DType dtype>
std::uint8_t encode_float(double value) {
  if constexpr (dtype == DType::float8_e8m0fnu) {
    return encode_power(value);
  } else {
    constexpr Format f = format_of(dtype);
    const auto all = std::bit_cast<std::uint64_t>(value);
    const auto sign = static_cast<std::uint8_t>(all >> 63 ? f.magnitude + 1 : 0);
    if (value != value) {
      if (!f.has_nan) return f.magnitude;
      return f.unsigned_zero ? 0x80 : static_cast<std::uint8_t>(sign | f.magnitude);
    }
    // Adding a number of this size and taking it away again rounds at the last bit that the format keeps.
    double size = std::min(std::fabs(value), f.largest);
    const int exponent =
        std::max(static_cast<int>(std::bit_cast<std::uint64_t>(size) >> 52) - 1023, 1 - f.bias);
    const double rounder = power_of_two(exponent - f.mantissa + 52);
    size = (size + rounder) - rounder;
    if (size == 0) return f.unsigned_zero ? std::uint8_t{0} : sign;
    const int rounded =
        std::max(static_cast<int>(std::bit_cast<std::uint64_t>(size) >> 52) - 1023, 1 - f.bias);
    const auto significand = static_cast<int>(size * power_of_two(f.mantissa - rounded));
    // A significand without its leading bit belongs to the exponent field 0, which has the value of 1.
    const int code = ((rounded + f.bias - 1) << f.mantissa) + significand;
    return static_cast<std::uint8_t>(sign | code);
  }
}

struct Range {
  int low, high;
};
constexpr Range range_of(DType dtype) {
  switch (dtype) {
    case DType::int4: return {-8, 7};
    case DType::uint4: return {0, 15};
    case DType::int2: return {-2, 1};
    default: return {0, 3};  // uint2
  }
}
constexpr bool is_few_bit_integer(DType dtype) { return dtype >= DType::int4; }

// The lowest bits as a number of the range.
template <DType dtype>
std::uint8_t encode_integer(std::int64_t value) {
  constexpr Range range = range_of(dtype);
  const auto low = static_cast<int>(value & (range.high - range.low));
  return static_cast<std::uint8_t>(low > range.high ? low - (range.high - range.low + 1) : low);
}
template <DType dtype>
std::uint8_t truncate(double value) {
  constexpr Range range = range_of(dtype);
  if (value != value) return 0;
  return static_cast<std::uint8_t>(
      static_cast<int>(std::clamp(value, static_cast<double>(range.low), static_cast<double>(range.high))));
}

constexpr std::int64_t block = 256;

template <DType dtype>
constexpr std::array<double, 256> decoded = [] {
  std::array<double, 256> values{};
  for (int code = 0; code < 256; ++code)
    values[static_cast<std::size_t>(code)] = decode_float(dtype, static_cast<std::uint8_t>(code));
  return values;
}();

const ConvertKernels* wide = nullptr;

// Casts by way of a block of doubles or long integers, which hold everything that the target can tell apart.
template <DType from, DType to>
void to_few(const void* source, std::int64_t source_stride, void* target, std::int64_t target_stride,
            std::int64_t count) {
  constexpr bool from_integer = from <= DType::int64;
  constexpr bool is_integer = from_integer && is_few_bit_integer(to);
  using Stage = std::conditional_t<is_integer, std::int64_t, double>;
  constexpr DType stage_dtype = is_integer ? DType::int64 : DType::float64;
  const ConvertRun run = wide->runs[static_cast<int>(from)][static_cast<int>(stage_dtype)];
  Stage stage[block];
  const auto* in = static_cast<const char*>(source);
  auto* out = static_cast<std::uint8_t*>(target);
  while (count > 0) {
    const std::int64_t n = std::min(block, count);
    run(in, source_stride, stage, sizeof(Stage), n);
    for (std::int64_t i = 0; i < n; ++i) {
      if constexpr (is_integer) out[i * target_stride] = encode_integer<to>(stage[i]);
      else if constexpr (is_few_bit_integer(to)) out[i * target_stride] = truncate<to>(stage[i]);
      else out[i * target_stride] = encode_float<to>(stage[i]);
    }
    in += n * source_stride;
    out += n * target_stride;
    count -= n;
  }
}

template <DType from, DType to>
void from_few(const void* source, std::int64_t source_stride, void* target, std::int64_t target_stride,
              std::int64_t count) {
  constexpr bool is_integer = is_few_bit_integer(from);
  using Stage = std::conditional_t<is_integer, std::int64_t, double>;
  constexpr DType stage_dtype = is_integer ? DType::int64 : DType::float64;
  const ConvertRun run = wide->runs[static_cast<int>(stage_dtype)][static_cast<int>(to)];
  Stage stage[block];
  const auto* in = static_cast<const std::uint8_t*>(source);
  auto* out = static_cast<char*>(target);
  while (count > 0) {
    const std::int64_t n = std::min(block, count);
    for (std::int64_t i = 0; i < n; ++i) {
      if constexpr (is_integer)
        stage[i] = static_cast<std::int8_t>(encode_integer<from>(in[i * source_stride]));
      else stage[i] = decoded<from>[in[i * source_stride]];
    }
    run(stage, sizeof(Stage), out, target_stride, n);
    in += n * source_stride;
    out += n * target_stride;
    count -= n;
  }
}

template <DType from, DType to>
void between_few(const void* source, std::int64_t source_stride, void* target, std::int64_t target_stride,
                 std::int64_t count) {
  const auto* in = static_cast<const std::uint8_t*>(source);
  auto* out = static_cast<std::uint8_t*>(target);
  for (std::int64_t i = 0; i < count; ++i) {
    std::uint8_t result = 0;
    if constexpr (is_few_bit_integer(from)) {
      const auto value = static_cast<std::int8_t>(encode_integer<from>(in[i * source_stride]));
      if constexpr (is_few_bit_integer(to)) result = encode_integer<to>(value);
      else result = encode_float<to>(value);
    } else if constexpr (is_few_bit_integer(to)) {
      result = truncate<to>(decoded<from>[in[i * source_stride]]);
    } else {
      result = encode_float<to>(decoded<from>[in[i * source_stride]]);
    }
    out[i * target_stride] = result;
  }
}

template <template <DType, DType> class Pick, std::size_t columns, std::size_t... i>
constexpr std::array<ConvertRun, sizeof...(i)> table(std::index_sequence<i...>) {
  return {Pick<static_cast<DType>(i / columns), static_cast<DType>(i % columns)>::run...};
}
constexpr DType few(DType number) { return static_cast<DType>(static_cast<int>(number) + first_number); }
template <DType from, DType to>
struct ToFew {
  static constexpr ConvertRun run = to_few<from, few(to)>;
};
template <DType from, DType to>
struct FromFew {
  static constexpr ConvertRun run = from_few<few(from), to>;
};
template <DType from, DType to>
struct BetweenFew {
  static constexpr ConvertRun run = between_few<few(from), few(to)>;
};

}  // namespace

ConvertRun few_bits_run(const ConvertKernels& kernels, DType from, DType to) {
  static constexpr auto to_runs =
      table<ToFew, kinds>(std::make_index_sequence<computable_dtype_count * kinds>());
  static constexpr auto from_runs =
      table<FromFew, computable_dtype_count>(std::make_index_sequence<kinds * computable_dtype_count>());
  static constexpr auto between = table<BetweenFew, kinds>(std::make_index_sequence<kinds * kinds>());
  [[maybe_unused]] static const bool known = [&] {
    wide = &kernels;
    return true;
  }();
  const int f = static_cast<int>(from), t = static_cast<int>(to);
  if (!has_few_bits(from)) return to_runs[static_cast<std::size_t>(f * kinds + t - first_number)];
  if (!has_few_bits(to))
    return from_runs[static_cast<std::size_t>((f - first_number) * computable_dtype_count + t)];
  return between[static_cast<std::size_t>((f - first_number) * kinds + t - first_number)];
}

}  // namespace phlox::cpu
