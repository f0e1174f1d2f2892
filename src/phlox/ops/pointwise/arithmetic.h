// Arithmetic, element by element.

PHLOX_BEGIN_POINTWISE

struct Add : Binary<> {
  static constexpr PointwiseTraits traits{.doc = "The sum `input + other`.",
                                          .types = PointwiseTypes::any,
                                          .complex = true,
                                          .reference = "np.add(input, other)",
                                          .python_operator = "add"};
  PHLOX_INLINE static constexpr auto body(auto x, auto y) { return x + y; }
};
PHLOX_POINTWISE(add, Add, (const Operand& input, const Operand& other))

struct Sub : Binary<> {
  static constexpr PointwiseTraits traits{.doc = "The difference `input - other`.",
                                          .types = PointwiseTypes::numeric,
                                          .complex = true,
                                          .reference = "np.subtract(input, other)",
                                          .alias = "subtract",
                                          .python_operator = "sub"};
  PHLOX_INLINE static constexpr auto body(auto x, auto y) { return x - y; }
};
PHLOX_POINTWISE(sub, Sub, (const Operand& input, const Operand& other))

struct Mul : Binary<> {
  static constexpr PointwiseTraits traits{.doc = "The product `input * other`.",
                                          .types = PointwiseTypes::any,
                                          .complex = true,
                                          .reference = "np.multiply(input, other)",
                                          .alias = "multiply",
                                          .python_operator = "mul"};
  PHLOX_INLINE static constexpr auto body(auto x, auto y) { return x * y; }
};
PHLOX_POINTWISE(mul, Mul, (const Operand& input, const Operand& other))

struct Div : Binary<> {
  static constexpr PointwiseTraits traits{.doc = "The quotient `input / other`; integers give floats.",
                                          .complex = true,
                                          .reference = "np.divide(input, other)",
                                          .alias = "divide true_divide",
                                          .python_operator = "truediv"};
  PHLOX_INLINE static constexpr auto body(auto x, auto y) { return x / y; }
};
PHLOX_POINTWISE(div, Div, (const Operand& input, const Operand& other))

struct FloorDivide : Binary<> {
  static constexpr PointwiseTraits traits{
      .doc =
          "The quotient rounded down, as Python's `//`; where one is infinite, the floor of the quotient. "
          "Integer division by zero gives 0.",
      .types = PointwiseTypes::numeric,
      .gradient_tolerance = 1e-4,
      .reference =
          "np.where(np.isinf(input) | np.isinf(other), np.floor(np.true_divide(input, other)), "
          "np.floor_divide(input, other))",
      .python_operator = "floordiv"};
  PHLOX_INLINE static constexpr auto body(auto x, auto y) { return floor_divide(x, y); }
};
PHLOX_POINTWISE(floor_divide, FloorDivide, (const Operand& input, const Operand& other))

struct Remainder : Binary<> {
  static constexpr PointwiseTraits traits{
      .doc = "The remainder with the sign of the divisor, as Python's `%`.",
      .types = PointwiseTypes::numeric,
      .reference = "np.remainder(input, other)",
      .python_operator = "mod"};
  PHLOX_INLINE static constexpr auto body(auto x, auto y) { return remainder(x, y); }
};
PHLOX_POINTWISE(remainder, Remainder, (const Operand& input, const Operand& other))

struct Fmod : Binary<> {
  static constexpr PointwiseTraits traits{.doc = "The remainder with the sign of the dividend, as C's fmod.",
                                          .types = PointwiseTypes::numeric,
                                          .reference = "np.fmod(input, other)"};
  PHLOX_INLINE static constexpr auto body(auto x, auto y) { return fmod(x, y); }
};
PHLOX_POINTWISE(fmod, Fmod, (const Operand& input, const Operand& other))

struct Neg : Unary<> {
  static constexpr PointwiseTraits traits{.doc = "The negative.",
                                          .types = PointwiseTypes::numeric,
                                          .complex = true,
                                          .reference = "np.negative(input)",
                                          .alias = "negative",
                                          .python_operator = "neg"};
  PHLOX_INLINE static constexpr auto body(auto x) { return -x; }
};
PHLOX_POINTWISE(neg, Neg, (const Tensor& input))

struct Abs : Unary<> {
  static constexpr PointwiseTraits traits{.doc = "The absolute value.",
                                          .types = PointwiseTypes::numeric,
                                          .complex_form = complex_abs,
                                          .reference = "np.abs(input)",
                                          .alias = "absolute",
                                          .python_operator = "abs"};
  PHLOX_INLINE static constexpr auto body(auto x) { return abs(x); }
};
PHLOX_POINTWISE(abs, Abs, (const Tensor& input))

struct Sign : Unary<> {
  static constexpr PointwiseTraits traits{.doc = "-1, 0 or 1 by the sign; NaN stays.",
                                          .types = PointwiseTypes::any,
                                          .reference = "input if input.dtype == bool else np.sign(input)",
                                          .alias = "sgn"};
  PHLOX_INLINE static constexpr auto body(auto x) {
    return select(x > 0.0, decltype(x)(1.0), select(x < 0.0, decltype(x)(-1.0), x));
  }
};
PHLOX_POINTWISE(sign, Sign, (const Tensor& input))

struct Square : Unary<> {
  static constexpr PointwiseTraits traits{.doc = "The square.",
                                          .types = PointwiseTypes::counting,
                                          .complex = true,
                                          .reference = "np.square(input)"};
  PHLOX_INLINE static constexpr auto body(auto x) { return x * x; }
};
PHLOX_POINTWISE(square, Square, (const Tensor& input))

struct Reciprocal : Unary<> {
  static constexpr PointwiseTraits traits{
      .doc = "One divided by the element.", .complex = true, .reference = "np.reciprocal(input)"};
  PHLOX_INLINE static constexpr auto body(auto x) { return 1.0 / x; }
};
PHLOX_POINTWISE(reciprocal, Reciprocal, (const Tensor& input))

struct Positive : Unary<> {
  static constexpr PointwiseTraits traits{.doc = "The element itself.",
                                          .types = PointwiseTypes::numeric,
                                          .complex = true,
                                          .reference = "np.positive(input)"};
  PHLOX_INLINE static constexpr auto body(auto x) { return x; }
};
PHLOX_POINTWISE(positive, Positive, (const Tensor& input))

struct Maximum : Binary<> {
  static constexpr PointwiseTraits traits{.doc = "The larger of two; NaN if either is.",
                                          .types = PointwiseTypes::any,
                                          .reference = "np.maximum(input, other)",
                                          .overload_of = "max"};
  PHLOX_INLINE static constexpr auto body(auto x, auto y) { return max(x, y); }
};
PHLOX_POINTWISE(maximum, Maximum, (const Operand& input, const Operand& other))

struct Minimum : Binary<> {
  static constexpr PointwiseTraits traits{.doc = "The smaller of two; NaN if either is.",
                                          .types = PointwiseTypes::any,
                                          .reference = "np.minimum(input, other)",
                                          .overload_of = "min"};
  PHLOX_INLINE static constexpr auto body(auto x, auto y) { return min(x, y); }
};
PHLOX_POINTWISE(minimum, Minimum, (const Operand& input, const Operand& other))

struct Fmax : Binary<> {
  static constexpr PointwiseTraits traits{.doc = "The larger of two; a NaN loses.",
                                          .types = PointwiseTypes::any,
                                          .reference = "np.fmax(input, other)"};
  PHLOX_INLINE static constexpr auto body(auto x, auto y) { return select((x >= y) | (y != y), x, y); }
};
PHLOX_POINTWISE(fmax, Fmax, (const Operand& input, const Operand& other))

struct Fmin : Binary<> {
  static constexpr PointwiseTraits traits{.doc = "The smaller of two; a NaN loses.",
                                          .types = PointwiseTypes::any,
                                          .reference = "np.fmin(input, other)"};
  PHLOX_INLINE static constexpr auto body(auto x, auto y) { return select((x <= y) | (y != y), x, y); }
};
PHLOX_POINTWISE(fmin, Fmin, (const Operand& input, const Operand& other))

struct ClampMin : Binary<> {
  static constexpr PointwiseTraits traits{.doc = "Elements below `min` become `min`.",
                                          .types = PointwiseTypes::any,
                                          .reference = "np.maximum(input, min)"};
  PHLOX_INLINE static constexpr auto body(auto x, auto low) {
    return select((x < low) | (low != low), low, x);
  }
};
PHLOX_POINTWISE(clamp_min, ClampMin, (const Tensor& input, const Operand& min))

struct ClampMax : Binary<> {
  static constexpr PointwiseTraits traits{.doc = "Elements above `max` become `max`.",
                                          .types = PointwiseTypes::any,
                                          .reference = "np.minimum(input, max)"};
  PHLOX_INLINE static constexpr auto body(auto x, auto high) {
    return select((x > high) | (high != high), high, x);
  }
};
PHLOX_POINTWISE(clamp_max, ClampMax, (const Tensor& input, const Operand& max))

struct ClampRange : Ternary<> {
  static constexpr PointwiseTraits traits{
      .doc = "Elements outside of `min` to `max` become the nearer bound; `max` wins where the bounds cross.",
      .types = PointwiseTypes::any,
      .reference = "np.minimum(np.maximum(input, min), max)"};
  PHLOX_INLINE static constexpr auto body(auto x, auto low, auto high) {
    const auto raised = select((x < low) | (low != low), low, x);
    return select((raised > high) | (high != high), high, raised);
  }
};
PHLOX_POINTWISE(clamp_range, ClampRange, (const Tensor& input, const Operand& min, const Operand& max))

// What clamp() does when both bounds are numbers: nothing has to be asked of them for each element.
struct ClampInterval : Unary<2> {
  static constexpr PointwiseTraits traits{
      .doc = "clamp() between two numbers of which the first is not the larger one.",
      .check = check_interval,
      .reference = "np.clip(input, min, max)"};
  PHLOX_INLINE static constexpr auto body(auto x, auto low, auto high) {
    return select(x < low, low, select(x > high, high, x));
  }
};
PHLOX_POINTWISE(clamp_interval, ClampInterval, (const Tensor& input, double min = 0, double max = 1))

struct Addcmul : Ternary<1> {
  static constexpr PointwiseTraits traits{.doc = "`input + value * tensor1 * tensor2`.",
                                          .types = PointwiseTypes::numeric,
                                          .complex = true,
                                          .reference = "input + value * tensor1 * tensor2"};
  PHLOX_INLINE static constexpr auto body(auto x, auto y, auto z, auto value) { return x + y * z * value; }
};
PHLOX_POINTWISE(addcmul, Addcmul,
                (const Tensor& input, const Operand& tensor1, const Operand& tensor2, double value = 1))

struct Addcdiv : Ternary<1> {
  static constexpr PointwiseTraits traits{.doc = "`input + value * tensor1 / tensor2`.",
                                          .complex = true,
                                          .reference = "input + value * tensor1 / tensor2"};
  PHLOX_INLINE static constexpr auto body(auto x, auto y, auto z, auto value) { return x + y / z * value; }
};
PHLOX_POINTWISE(addcdiv, Addcdiv,
                (const Tensor& input, const Operand& tensor1, const Operand& tensor2, double value = 1))

struct Lerp : Ternary<> {
  static constexpr PointwiseTraits traits{
      .doc = "Linear interpolation `input + weight * (end - input)`, exact at both ends.",
      .complex = true,
      .reference =
          "np.where(np.abs(weight) < 0.5, input + weight * (end - input), end - (end - input) * (1 - weight))"};
  PHLOX_INLINE static constexpr auto body(auto x, auto y, auto w) {
    return select(abs(w) < 0.5, x + w * (y - x), y - (y - x) * (1.0 - w));
  }
};
PHLOX_POINTWISE(lerp, Lerp, (const Tensor& input, const Operand& end, const Operand& weight))

struct SquaredDifference : Binary<> {
  static constexpr PointwiseTraits traits{.doc = "The square of the difference.",
                                          .types = PointwiseTypes::numeric,
                                          .complex = true,
                                          .reference = "np.square(input - other)"};
  PHLOX_INLINE static constexpr auto body(auto x, auto y) { return (x - y) * (x - y); }
};
PHLOX_POINTWISE(squared_difference, SquaredDifference, (const Operand& input, const Operand& other))

struct DivideNoNan : Binary<> {
  static constexpr PointwiseTraits traits{
      .doc = "The quotient, or 0 where the divisor is 0.",
      .complex = true,
      .reference = "np.where(other == 0, 0, input / np.where(other == 0, 1, other))"};
  PHLOX_INLINE static constexpr auto body(auto x, auto y) {
    return select(y == 0.0, decltype(x)(0.0), x / y);
  }
};
PHLOX_POINTWISE(divide_no_nan, DivideNoNan, (const Operand& input, const Operand& other))

struct Where : Selection<> {
  static constexpr PointwiseTraits traits{
      .doc = "Elements of `input` where `condition` holds, of `other` elsewhere.",
      .types = PointwiseTypes::any,
      .complex = true,
      .reference = "np.where(condition, input, other)"};
  PHLOX_INLINE static constexpr auto body(auto condition, auto x, auto y) { return select(condition, x, y); }
};
PHLOX_POINTWISE(where, Where, (const Tensor& condition, const Operand& input, const Operand& other))

struct ReplaceNonfinite : Unary<3> {
  static constexpr PointwiseTraits traits{
      .doc = "nan_to_num() of real numbers with all three numbers given.",
      .reference = "np.nan_to_num(input, nan=nan, posinf=posinf, neginf=neginf)"};
  PHLOX_INLINE static constexpr auto body(auto x, auto nan, auto posinf, auto neginf) {
    return select(x != x, nan,
                  select(x == __builtin_inf(), posinf, select(x == -__builtin_inf(), neginf, x)));
  }
};
PHLOX_POINTWISE(replace_nonfinite, ReplaceNonfinite,
                (const Tensor& input, double nan, double posinf, double neginf))

PHLOX_END_POINTWISE
