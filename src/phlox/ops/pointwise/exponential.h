// Powers, exponentials and logarithms, element by element.

PHLOX_BEGIN_POINTWISE

struct Exp : Unary<> {
  static constexpr PointwiseTraits traits{.doc = "e to the power of the element.",
                                          .complex = true,
                                          .autocast = AutocastClass::full_precision,
                                          .reference = "np.exp(input)"};
  PHLOX_INLINE static constexpr auto body(auto x) { return exp(x); }
};
PHLOX_POINTWISE(exp, Exp, (const Tensor& input))

struct Exp2 : Unary<> {
  static constexpr PointwiseTraits traits{.doc = "2 to the power of the element.",
                                          .complex = true,
                                          .autocast = AutocastClass::full_precision,
                                          .reference = "np.exp2(input)"};
  PHLOX_INLINE static constexpr auto body(auto x) { return exp2(x); }
};
PHLOX_POINTWISE(exp2, Exp2, (const Tensor& input))

struct Expm1 : Unary<> {
  static constexpr PointwiseTraits traits{.doc = "e to the power of the element, minus 1, exact near 0.",
                                          .complex = true,
                                          .autocast = AutocastClass::full_precision,
                                          .reference = "np.expm1(input)"};
  PHLOX_INLINE static constexpr auto body(auto x) { return expm1(x); }
};
PHLOX_POINTWISE(expm1, Expm1, (const Tensor& input))

struct Log : Unary<> {
  static constexpr PointwiseTraits traits{.doc = "The natural logarithm.",
                                          .sample_low = 0.01,
                                          .sample_high = 8,
                                          .complex = true,
                                          .autocast = AutocastClass::full_precision,
                                          .reference = "np.log(input)"};
  PHLOX_INLINE static constexpr auto body(auto x) { return log(x); }
};
PHLOX_POINTWISE(log, Log, (const Tensor& input))

struct Log2 : Unary<> {
  static constexpr PointwiseTraits traits{.doc = "The logarithm to base 2.",
                                          .sample_low = 0.01,
                                          .sample_high = 8,
                                          .complex = true,
                                          .autocast = AutocastClass::full_precision,
                                          .reference = "np.log2(input)"};
  PHLOX_INLINE static constexpr auto body(auto x) { return log2(x); }
};
PHLOX_POINTWISE(log2, Log2, (const Tensor& input))

struct Log10 : Unary<> {
  static constexpr PointwiseTraits traits{.doc = "The logarithm to base 10.",
                                          .sample_low = 0.01,
                                          .sample_high = 8,
                                          .complex = true,
                                          .autocast = AutocastClass::full_precision,
                                          .reference = "np.log10(input)"};
  PHLOX_INLINE static constexpr auto body(auto x) { return log10(x); }
};
PHLOX_POINTWISE(log10, Log10, (const Tensor& input))

struct Log1p : Unary<> {
  static constexpr PointwiseTraits traits{.doc = "The natural logarithm of 1 plus the element, exact near 0.",
                                          .sample_low = -0.9,
                                          .sample_high = 8,
                                          .complex = true,
                                          .autocast = AutocastClass::full_precision,
                                          .reference = "np.log1p(input)"};
  PHLOX_INLINE static constexpr auto body(auto x) { return log1p(x); }
};
PHLOX_POINTWISE(log1p, Log1p, (const Tensor& input))

struct Sqrt : Unary<> {
  static constexpr PointwiseTraits traits{.doc = "The square root.",
                                          .sample_low = 0.01,
                                          .sample_high = 9,
                                          .complex = true,
                                          .reference = "np.sqrt(input)"};
  PHLOX_INLINE static constexpr auto body(auto x) { return sqrt(x); }
};
PHLOX_POINTWISE(sqrt, Sqrt, (const Tensor& input))

struct Rsqrt : Unary<> {
  static constexpr PointwiseTraits traits{.doc = "One divided by the square root.",
                                          .sample_low = 0.01,
                                          .sample_high = 9,
                                          .complex = true,
                                          .autocast = AutocastClass::full_precision,
                                          .reference = "1 / np.sqrt(input)"};
  PHLOX_INLINE static constexpr auto body(auto x) { return rsqrt(x); }
};
PHLOX_POINTWISE(rsqrt, Rsqrt, (const Tensor& input))

struct Cbrt : Unary<> {
  static constexpr PointwiseTraits traits{
      .doc = "The cube root.", .sample_low = 0.1, .sample_high = 9, .reference = "np.cbrt(input)"};
  PHLOX_INLINE static constexpr auto body(auto x) { return cbrt(x); }
};
PHLOX_POINTWISE(cbrt, Cbrt, (const Tensor& input))

struct Pow : Binary<> {
  static constexpr PointwiseTraits traits{
      .doc =
          "`input` to the power of `other`; integers to a negative power give 0 unless the base is 1 or -1.",
      .types = PointwiseTypes::numeric,
      .sample_low = 0.1,
      .sample_high = 3,
      .tolerance_ulp = 4,
      .gradient_tolerance = 1e-4,
      .complex = true,
      .autocast = AutocastClass::full_precision,
      .reference = "np.power(input, other)",
      .python_operator = "pow"};
  PHLOX_INLINE static constexpr auto body(auto x, auto y) { return pow(x, y); }
};
PHLOX_POINTWISE(pow, Pow, (const Operand& input, const Operand& other))

struct Logaddexp : Binary<> {
  static constexpr PointwiseTraits traits{
      .doc = "The logarithm of the sum of exponentials, without overflow.",
      .tolerance_ulp = 4,
      .complex_form_of_two = complex_logaddexp,
      .reference =
          "np.maximum(input, other) + np.log1p(np.exp(np.minimum(input, other) - np.maximum(input, other))) "
          "if np.iscomplexobj(input) or np.iscomplexobj(other) else np.logaddexp(input, other)"};
  PHLOX_INLINE static constexpr auto body(auto x, auto y) {
    const auto larger = max(x, y);
    const auto smaller = min(x, y);
    return select(larger == smaller, larger + 0.69314718055994530942, larger + log1p(exp(smaller - larger)));
  }
};
PHLOX_POINTWISE(logaddexp, Logaddexp, (const Operand& input, const Operand& other))

struct Logaddexp2 : Binary<> {
  static constexpr PointwiseTraits traits{
      .doc = "The logarithm to base 2 of the sum of powers of 2, without overflow.",
      .tolerance_ulp = 4,
      .reference = "np.logaddexp2(input, other)"};
  PHLOX_INLINE static constexpr auto body(auto x, auto y) {
    const auto larger = max(x, y);
    const auto smaller = min(x, y);
    return select(larger == smaller, larger + 1.0,
                  larger + log1p(exp2(smaller - larger)) * 1.44269504088896340736);
  }
};
PHLOX_POINTWISE(logaddexp2, Logaddexp2, (const Operand& input, const Operand& other))

struct Xlogy : Binary<> {
  static constexpr PointwiseTraits traits{.doc = "`input * log(other)`, and 0 where `input` is 0.",
                                          .other_low = 0.1,
                                          .other_high = 4,
                                          .tolerance_ulp = 4,
                                          .reference = "scipy.special.xlogy(input, other)"};
  PHLOX_INLINE static constexpr auto body(auto x, auto y) {
    return select((x == 0.0) & (y == y), decltype(x)(0.0), x * log(y));
  }
};
PHLOX_POINTWISE(xlogy, Xlogy, (const Operand& input, const Operand& other))

struct Xlog1py : Binary<> {
  static constexpr PointwiseTraits traits{.doc = "`input * log1p(other)`, and 0 where `input` is 0.",
                                          .other_low = -0.9,
                                          .other_high = 4,
                                          .tolerance_ulp = 4,
                                          .reference = "scipy.special.xlog1py(input, other)"};
  PHLOX_INLINE static constexpr auto body(auto x, auto y) {
    return select((x == 0.0) & (y == y), decltype(x)(0.0), x * log1p(y));
  }
};
PHLOX_POINTWISE(xlog1py, Xlog1py, (const Operand& input, const Operand& other))

struct Sigmoid : Unary<> {
  static constexpr PointwiseTraits traits{
      .doc = "The logistic function `1 / (1 + exp(-x))`.",
      .sample_low = -8,
      .sample_high = 8,
      .complex = true,
      .reference = "1 / (1 + np.exp(-input)) if np.iscomplexobj(input) else scipy.special.expit(input)",
      .alias = "expit"};
  PHLOX_INLINE static constexpr auto body(auto x) { return sigmoid(x); }
};
PHLOX_POINTWISE(sigmoid, Sigmoid, (const Tensor& input))

struct Logit : Unary<> {
  static constexpr PointwiseTraits traits{
      .doc = "The inverse of sigmoid, `log(x / (1 - x))`; NaN outside of [0, 1].",
      .sample_low = 0.05,
      .sample_high = 0.95,
      .reference = "scipy.special.logit(input)"};
  PHLOX_INLINE static constexpr auto body(auto x) { return logit(x); }
};
PHLOX_POINTWISE(logit, Logit, (const Tensor& input))

struct Entr : Unary<> {
  static constexpr PointwiseTraits traits{
      .doc = "The entropy term `-x * log(x)`; 0 at 0, minus infinity below.",
      .sample_low = 0.05,
      .sample_high = 4,
      .tolerance_ulp = 4,
      .reference = "scipy.special.entr(input)"};
  PHLOX_INLINE static constexpr auto body(auto x) {
    return select(x < 0.0, decltype(x)(-__builtin_inf()), select(x == 0.0, decltype(x)(0.0), -x * log(x)));
  }
};
PHLOX_POINTWISE(entr, Entr, (const Tensor& input))

PHLOX_END_POINTWISE
