// Arithmetic on two operands, element by element.

PHLOX_BEGIN_POINTWISE

struct Add : Binary<> {
  static constexpr PointwiseTraits traits{.doc = "The sum `input + other`, element by element.",
                                          .types = PointwiseTypes::any,
                                          .reference = "np.add(x, y)",
                                          .python_operator = "add"};
  PHLOX_INLINE static constexpr auto body(auto x, auto y) { return x + y; }
};
PHLOX_POINTWISE(add, Add, (const Operand& input, const Operand& other))

struct Sub : Binary<> {
  static constexpr PointwiseTraits traits{.doc = "The difference `input - other`, element by element.",
                                          .types = PointwiseTypes::numeric,
                                          .reference = "np.subtract(x, y)",
                                          .alias = "subtract",
                                          .python_operator = "sub"};
  PHLOX_INLINE static constexpr auto body(auto x, auto y) { return x - y; }
};
PHLOX_POINTWISE(sub, Sub, (const Operand& input, const Operand& other))

struct Mul : Binary<> {
  static constexpr PointwiseTraits traits{.doc = "The product `input * other`, element by element.",
                                          .types = PointwiseTypes::any,
                                          .reference = "np.multiply(x, y)",
                                          .alias = "multiply",
                                          .python_operator = "mul"};
  PHLOX_INLINE static constexpr auto body(auto x, auto y) { return x * y; }
};
PHLOX_POINTWISE(mul, Mul, (const Operand& input, const Operand& other))

struct Div : Binary<> {
  static constexpr PointwiseTraits traits{.doc = "The quotient `input / other`, element by element; integers give floats.",
                                          .reference = "np.divide(x, y)",
                                          .alias = "divide true_divide",
                                          .python_operator = "truediv"};
  PHLOX_INLINE static constexpr auto body(auto x, auto y) { return x / y; }
};
PHLOX_POINTWISE(div, Div, (const Operand& input, const Operand& other))

struct Where : Selection<> {
  static constexpr PointwiseTraits traits{
      .doc = "Elements of `input` where `condition` is true, of `other` elsewhere.",
      .types = PointwiseTypes::any,
      .reference = "np.where(condition, x, y)"};
  PHLOX_INLINE static constexpr auto body(auto condition, auto x, auto y) { return select(condition, x, y); }
};
PHLOX_POINTWISE(where, Where, (const Tensor& condition, const Operand& input, const Operand& other))

PHLOX_END_POINTWISE
