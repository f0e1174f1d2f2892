// Rounding and the parts of numbers, element by element.

PHLOX_BEGIN_POINTWISE

struct Floor : Unary<> {
  static constexpr PointwiseTraits traits{.doc = "The largest whole number not above.",
                                          .types = PointwiseTypes::numeric,
                                          .reference = "np.floor(input)"};
  PHLOX_INLINE static constexpr auto body(auto x) { return floor(x); }
};
PHLOX_POINTWISE(floor, Floor, (const Tensor& input))

struct Ceil : Unary<> {
  static constexpr PointwiseTraits traits{.doc = "The smallest whole number not below.",
                                          .types = PointwiseTypes::numeric,
                                          .reference = "np.ceil(input)"};
  PHLOX_INLINE static constexpr auto body(auto x) { return ceil(x); }
};
PHLOX_POINTWISE(ceil, Ceil, (const Tensor& input))

struct Trunc : Unary<> {
  static constexpr PointwiseTraits traits{.doc = "The whole number towards zero.",
                                          .types = PointwiseTypes::numeric,
                                          .reference = "np.trunc(input)",
                                          .alias = "fix"};
  PHLOX_INLINE static constexpr auto body(auto x) { return trunc(x); }
};
PHLOX_POINTWISE(trunc, Trunc, (const Tensor& input))

struct Round : Unary<> {
  static constexpr PointwiseTraits traits{.doc = "The nearest whole number, halves to even.",
                                          .types = PointwiseTypes::numeric,
                                          .reference = "np.round(input)"};
  PHLOX_INLINE static constexpr auto body(auto x) { return round(x); }
};
PHLOX_POINTWISE(round, Round, (const Tensor& input))

struct Frac : Unary<> {
  static constexpr PointwiseTraits traits{.doc = "The part behind the point, with the sign of the element.",
                                          .reference = "input - np.trunc(input)"};
  PHLOX_INLINE static constexpr auto body(auto x) { return x - trunc(x); }
};
PHLOX_POINTWISE(frac, Frac, (const Tensor& input))

struct FrexpMantissa : Unary<> {
  static constexpr PointwiseTraits traits{.doc = "The first result of frexp().",
                                          .reference = "np.frexp(input)[0]"};
  PHLOX_INLINE static constexpr auto body(auto x) { return frexp_mantissa(x); }
};
PHLOX_POINTWISE(frexp_mantissa, FrexpMantissa, (const Tensor& input))

struct FrexpExponent : Unary<> {
  static constexpr PointwiseTraits traits{.doc = "The second result of frexp(), as a floating-point number.",
                                          .differentiable = false,
                                          .reference = "np.frexp(input)[1]"};
  PHLOX_INLINE static constexpr auto body(auto x) { return frexp_exponent(x); }
};
PHLOX_POINTWISE(frexp_exponent, FrexpExponent, (const Tensor& input))

struct Copysign : Binary<> {
  static constexpr PointwiseTraits traits{.doc = "The size of `input` with the sign of `other`.",
                                          .reference = "np.copysign(input, other)"};
  PHLOX_INLINE static constexpr auto body(auto x, auto y) { return copysign(x, y); }
};
PHLOX_POINTWISE(copysign, Copysign, (const Operand& input, const Operand& other))

struct Nextafter : Binary<> {
  static constexpr PointwiseTraits traits{.doc = "The next number from `input` towards `other`.",
                                          .reference = "np.nextafter(input, other)"};
  PHLOX_INLINE static constexpr auto body(auto x, auto y) { return nextafter(x, y); }
};
PHLOX_POINTWISE(nextafter, Nextafter, (const Operand& input, const Operand& other))

struct Ldexp : Binary<> {
  static constexpr PointwiseTraits traits{.doc = "`input` times 2 to the power of `other`.",
                                          .complex = true,
                                          .reference = "input * np.exp2(other)"};
  PHLOX_INLINE static constexpr auto body(auto x, auto y) { return x * exp2(y); }
};
PHLOX_POINTWISE(ldexp, Ldexp, (const Operand& input, const Operand& other))

struct Heaviside : Binary<> {
  static constexpr PointwiseTraits traits{.doc = "0 where negative, 1 where positive, `values` where zero.",
                                          .types = PointwiseTypes::any,
                                          .differentiable = false,
                                          .reference = "np.heaviside(input, values)"};
  PHLOX_INLINE static constexpr auto body(auto x, auto y) {
    return select(x < 0.0, decltype(x)(0.0), select(x > 0.0, decltype(x)(1.0), select(x == 0.0, y, x)));
  }
};
PHLOX_POINTWISE(heaviside, Heaviside, (const Operand& input, const Operand& values))

PHLOX_END_POINTWISE
