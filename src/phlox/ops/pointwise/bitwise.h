// Operations on the bits of integers and bools, element by element.

PHLOX_BEGIN_POINTWISE

struct BitwiseAnd : Binary<> {
  static constexpr PointwiseTraits traits{.doc = "Bits set in both.",
                                          .types = PointwiseTypes::integral,
                                          .differentiable = false,
                                          .reference = "np.bitwise_and(input, other)",
                                          .python_operator = "and"};
  PHLOX_INLINE static constexpr auto body(auto x, auto y) { return x & y; }
};
PHLOX_POINTWISE(bitwise_and, BitwiseAnd, (const Operand& input, const Operand& other))

struct BitwiseOr : Binary<> {
  static constexpr PointwiseTraits traits{.doc = "Bits set in either.",
                                          .types = PointwiseTypes::integral,
                                          .differentiable = false,
                                          .reference = "np.bitwise_or(input, other)",
                                          .python_operator = "or"};
  PHLOX_INLINE static constexpr auto body(auto x, auto y) { return x | y; }
};
PHLOX_POINTWISE(bitwise_or, BitwiseOr, (const Operand& input, const Operand& other))

struct BitwiseXor : Binary<> {
  static constexpr PointwiseTraits traits{.doc = "Bits set in exactly one.",
                                          .types = PointwiseTypes::integral,
                                          .differentiable = false,
                                          .reference = "np.bitwise_xor(input, other)",
                                          .python_operator = "xor"};
  PHLOX_INLINE static constexpr auto body(auto x, auto y) { return x ^ y; }
};
PHLOX_POINTWISE(bitwise_xor, BitwiseXor, (const Operand& input, const Operand& other))

struct BitwiseLeftShift : Binary<> {
  static constexpr PointwiseTraits traits{.doc = "Bits moved up; 0 when the count is not below the width.",
                                          .types = PointwiseTypes::integral,
                                          .other_low = 0,
                                          .other_high = 6,
                                          .differentiable = false,
                                          .reference = "np.left_shift(input, other)",
                                          .alias = "left_shift",
                                          .python_operator = "lshift"};
  PHLOX_INLINE static constexpr auto body(auto x, auto y) { return shift_left(x, y); }
};
PHLOX_POINTWISE(bitwise_left_shift, BitwiseLeftShift, (const Operand& input, const Operand& other))

struct BitwiseRightShift : Binary<> {
  static constexpr PointwiseTraits traits{.doc = "Bits moved down; the sign is kept.",
                                          .types = PointwiseTypes::integral,
                                          .other_low = 0,
                                          .other_high = 6,
                                          .differentiable = false,
                                          .reference = "np.right_shift(input, other)",
                                          .alias = "right_shift",
                                          .python_operator = "rshift"};
  PHLOX_INLINE static constexpr auto body(auto x, auto y) { return shift_right(x, y); }
};
PHLOX_POINTWISE(bitwise_right_shift, BitwiseRightShift, (const Operand& input, const Operand& other))

struct BitwiseInvert : Unary<> {
  static constexpr PointwiseTraits traits{
      .doc = "All bits of an integer flipped; use bitwise_not, which also takes bool.",
      .types = PointwiseTypes::integral,
      .differentiable = false,
      .reference = "np.invert(input) if input.dtype != bool else input | True"};
  PHLOX_INLINE static constexpr auto body(auto x) { return ~x; }
};
PHLOX_POINTWISE(bitwise_invert, BitwiseInvert, (const Tensor& input))

struct Gcd : Binary<> {
  static constexpr PointwiseTraits traits{
      .doc = "The greatest common divisor, never negative; `gcd(x, 0)` is `abs(x)`.",
      .types = PointwiseTypes::integral,
      .differentiable = false,
      .reference = "np.gcd(input * 1, other * 1)"};
  PHLOX_INLINE static constexpr auto body(auto x, auto y) { return gcd(x, y); }
};
PHLOX_POINTWISE(gcd, Gcd, (const Operand& input, const Operand& other))

struct Lcm : Binary<> {
  static constexpr PointwiseTraits traits{
      .doc = "The least common multiple, never negative; 0 where an element is 0.",
      .types = PointwiseTypes::integral,
      .differentiable = false,
      .reference = "np.lcm(input * 1, other * 1)"};
  PHLOX_INLINE static constexpr auto body(auto x, auto y) { return abs(x / gcd(x, y)) * abs(y); }
};
PHLOX_POINTWISE(lcm, Lcm, (const Operand& input, const Operand& other))

PHLOX_END_POINTWISE
