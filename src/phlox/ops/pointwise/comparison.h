// Comparisons and questions, element by element; the result is bool.

PHLOX_BEGIN_POINTWISE

struct Eq : Binary<> {
  static constexpr PointwiseTraits traits{.doc = "Whether equal.",
                                          .types = PointwiseTypes::any,
                                          .complex = true,
                                          .differentiable = false,
                                          .reference = "np.equal(input, other)",
                                          .alias = "equal_to",
                                          .python_operator = "eq"};
  PHLOX_INLINE static constexpr auto body(auto x, auto y) { return x == y; }
};
PHLOX_POINTWISE(eq, Eq, (const Operand& input, const Operand& other))

struct Ne : Binary<> {
  static constexpr PointwiseTraits traits{.doc = "Whether different.",
                                          .types = PointwiseTypes::any,
                                          .complex = true,
                                          .differentiable = false,
                                          .reference = "np.not_equal(input, other)",
                                          .alias = "not_equal",
                                          .python_operator = "ne"};
  PHLOX_INLINE static constexpr auto body(auto x, auto y) { return x != y; }
};
PHLOX_POINTWISE(ne, Ne, (const Operand& input, const Operand& other))

struct Lt : Binary<> {
  static constexpr PointwiseTraits traits{.doc = "Whether smaller.",
                                          .types = PointwiseTypes::any,
                                          .differentiable = false,
                                          .reference = "np.less(input, other)",
                                          .alias = "less",
                                          .python_operator = "lt"};
  PHLOX_INLINE static constexpr auto body(auto x, auto y) { return x < y; }
};
PHLOX_POINTWISE(lt, Lt, (const Operand& input, const Operand& other))

struct Le : Binary<> {
  static constexpr PointwiseTraits traits{.doc = "Whether smaller or equal.",
                                          .types = PointwiseTypes::any,
                                          .differentiable = false,
                                          .reference = "np.less_equal(input, other)",
                                          .alias = "less_equal",
                                          .python_operator = "le"};
  PHLOX_INLINE static constexpr auto body(auto x, auto y) { return x <= y; }
};
PHLOX_POINTWISE(le, Le, (const Operand& input, const Operand& other))

struct Gt : Binary<> {
  static constexpr PointwiseTraits traits{.doc = "Whether larger.",
                                          .types = PointwiseTypes::any,
                                          .differentiable = false,
                                          .reference = "np.greater(input, other)",
                                          .alias = "greater",
                                          .python_operator = "gt"};
  PHLOX_INLINE static constexpr auto body(auto x, auto y) { return x > y; }
};
PHLOX_POINTWISE(gt, Gt, (const Operand& input, const Operand& other))

struct Ge : Binary<> {
  static constexpr PointwiseTraits traits{.doc = "Whether larger or equal.",
                                          .types = PointwiseTypes::any,
                                          .differentiable = false,
                                          .reference = "np.greater_equal(input, other)",
                                          .alias = "greater_equal",
                                          .python_operator = "ge"};
  PHLOX_INLINE static constexpr auto body(auto x, auto y) { return x >= y; }
};
PHLOX_POINTWISE(ge, Ge, (const Operand& input, const Operand& other))

struct Isnan : Unary<> {
  static constexpr PointwiseTraits traits{.doc = "Whether not a number.",
                                          .types = PointwiseTypes::any,
                                          .complex = true,
                                          .differentiable = false,
                                          .reference = "np.isnan(input)"};
  PHLOX_INLINE static constexpr auto body(auto x) { return x != x; }
};
PHLOX_POINTWISE(isnan, Isnan, (const Tensor& input))

struct Isinf : Unary<> {
  static constexpr PointwiseTraits traits{.doc = "Whether plus or minus infinity.",
                                          .types = PointwiseTypes::floating,
                                          .complex_form = complex_isinf,
                                          .differentiable = false,
                                          .reference = "np.isinf(input)"};
  PHLOX_INLINE static constexpr auto body(auto x) { return isinf(x); }
};
PHLOX_POINTWISE(isinf, Isinf, (const Tensor& input))

struct Isfinite : Unary<> {
  static constexpr PointwiseTraits traits{.doc = "Whether neither infinite nor NaN.",
                                          .types = PointwiseTypes::floating,
                                          .complex_form = complex_isfinite,
                                          .differentiable = false,
                                          .reference = "np.isfinite(input)"};
  PHLOX_INLINE static constexpr auto body(auto x) { return isfinite(x); }
};
PHLOX_POINTWISE(isfinite, Isfinite, (const Tensor& input))

struct Isposinf : Unary<> {
  static constexpr PointwiseTraits traits{
      .doc = "Whether plus infinity.", .differentiable = false, .reference = "np.isposinf(input)"};
  PHLOX_INLINE static constexpr auto body(auto x) { return x == __builtin_inf(); }
};
PHLOX_POINTWISE(isposinf, Isposinf, (const Tensor& input))

struct Isneginf : Unary<> {
  static constexpr PointwiseTraits traits{
      .doc = "Whether minus infinity.", .differentiable = false, .reference = "np.isneginf(input)"};
  PHLOX_INLINE static constexpr auto body(auto x) { return x == -__builtin_inf(); }
};
PHLOX_POINTWISE(isneginf, Isneginf, (const Tensor& input))

struct Signbit : Unary<> {
  static constexpr PointwiseTraits traits{.doc = "Whether the sign bit is set, also that of -0.",
                                          .differentiable = false,
                                          .reference = "np.signbit(input)"};
  PHLOX_INLINE static constexpr auto body(auto x) { return copysign(decltype(x)(1.0), x) < 0.0; }
};
PHLOX_POINTWISE(signbit, Signbit, (const Tensor& input))

struct Isclose : Binary<2> {
  static constexpr PointwiseTraits traits{.doc = "Whether within `atol + rtol * |other|`.",
                                          .complex = true,
                                          .check = check_tolerances,
                                          .differentiable = false,
                                          .reference = "np.isclose(input, other, rtol=rtol, atol=atol)"};
  PHLOX_INLINE static constexpr auto body(auto x, auto y, auto rtol, auto atol) {
    return (x == y) | (isfinite(y) & (abs(x - y) <= atol + rtol * abs(y)));
  }
};
PHLOX_POINTWISE(isclose, Isclose,
                (const Operand& input, const Operand& other, double rtol = 1e-05, double atol = 1e-08))

struct LogicalAnd : Binary<> {
  static constexpr PointwiseTraits traits{.doc = "Whether both are not zero.",
                                          .types = PointwiseTypes::any,
                                          .complex = true,
                                          .differentiable = false,
                                          .reference = "np.logical_and(input, other)"};
  PHLOX_INLINE static constexpr auto body(auto x, auto y) { return (x != 0.0) & (y != 0.0); }
};
PHLOX_POINTWISE(logical_and, LogicalAnd, (const Operand& input, const Operand& other))

struct LogicalOr : Binary<> {
  static constexpr PointwiseTraits traits{.doc = "Whether either is not zero.",
                                          .types = PointwiseTypes::any,
                                          .complex = true,
                                          .differentiable = false,
                                          .reference = "np.logical_or(input, other)"};
  PHLOX_INLINE static constexpr auto body(auto x, auto y) { return (x != 0.0) | (y != 0.0); }
};
PHLOX_POINTWISE(logical_or, LogicalOr, (const Operand& input, const Operand& other))

struct LogicalXor : Binary<> {
  static constexpr PointwiseTraits traits{.doc = "Whether exactly one is not zero.",
                                          .types = PointwiseTypes::any,
                                          .complex = true,
                                          .differentiable = false,
                                          .reference = "np.logical_xor(input, other)"};
  PHLOX_INLINE static constexpr auto body(auto x, auto y) { return (x != 0.0) ^ (y != 0.0); }
};
PHLOX_POINTWISE(logical_xor, LogicalXor, (const Operand& input, const Operand& other))

struct LogicalNot : Unary<> {
  static constexpr PointwiseTraits traits{.doc = "Whether zero.",
                                          .types = PointwiseTypes::any,
                                          .complex = true,
                                          .differentiable = false,
                                          .reference = "np.logical_not(input)"};
  PHLOX_INLINE static constexpr auto body(auto x) { return x == 0.0; }
};
PHLOX_POINTWISE(logical_not, LogicalNot, (const Tensor& input))

PHLOX_END_POINTWISE
