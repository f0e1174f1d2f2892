// Special functions, element by element.

PHLOX_BEGIN_POINTWISE

struct Erf : Unary<> {
  static constexpr PointwiseTraits traits{.doc = "The error function.",
                                          .reference = "scipy.special.erf(input)"};
  PHLOX_INLINE static constexpr auto body(auto x) { return erf(x); }
};
PHLOX_POINTWISE(erf, Erf, (const Tensor& input))

struct Erfc : Unary<> {
  static constexpr PointwiseTraits traits{.doc = "1 minus the error function, exact for large elements.",
                                          .reference = "scipy.special.erfc(input)"};
  PHLOX_INLINE static constexpr auto body(auto x) { return erfc(x); }
};
PHLOX_POINTWISE(erfc, Erfc, (const Tensor& input))

struct Erfinv : Unary<> {
  static constexpr PointwiseTraits traits{.doc = "The inverse of the error function.",
                                          .sample_low = -0.95,
                                          .sample_high = 0.95,
                                          .tolerance_ulp = 4,
                                          .reference = "scipy.special.erfinv(input)"};
  PHLOX_INLINE static constexpr auto body(auto x) { return erfinv(x); }
};
PHLOX_POINTWISE(erfinv, Erfinv, (const Tensor& input))

struct Lgamma : Unary<> {
  static constexpr PointwiseTraits traits{
      .doc = "The logarithm of the absolute value of the gamma function.",
      .sample_low = 0.1,
      .sample_high = 9,
      .tolerance_ulp = 4,
      .reference = "np.where(np.isneginf(input), np.inf, scipy.special.gammaln(input))",
      .alias = "gammaln"};
  PHLOX_INLINE static constexpr auto body(auto x) { return lgamma(x); }
};
PHLOX_POINTWISE(lgamma, Lgamma, (const Tensor& input))

struct Digamma : Unary<> {
  static constexpr PointwiseTraits traits{.doc = "The derivative of the logarithm of the gamma function.",
                                          .sample_low = 0.1,
                                          .sample_high = 9,
                                          .tolerance_ulp = 8,
                                          .reference = "scipy.special.digamma(input)",
                                          .alias = "psi"};
  PHLOX_INLINE static constexpr auto body(auto x) { return digamma(x); }
};
PHLOX_POINTWISE(digamma, Digamma, (const Tensor& input))

struct Ndtr : Unary<> {
  static constexpr PointwiseTraits traits{.doc = "The cumulative distribution of the standard normal.",
                                          .reference = "scipy.special.ndtr(input)"};
  PHLOX_INLINE static constexpr auto body(auto x) { return ndtr(x); }
};
PHLOX_POINTWISE(ndtr, Ndtr, (const Tensor& input))

struct Erfcx : Unary<> {
  static constexpr PointwiseTraits traits{
      .doc = "The scaled complementary error function `exp(x * x) * erfc(x)`, which does not underflow.",
      .source = "Schonfelder 1978, Math. Comp. 32",
      .reference = "scipy.special.erfcx(input)"};
  PHLOX_INLINE static constexpr auto body(auto x) { return erfcx(x); }
};
PHLOX_POINTWISE(erfcx, Erfcx, (const Tensor& input))

struct Ndtri : Unary<> {
  static constexpr PointwiseTraits traits{
      .doc = "The inverse of ndtr: where the distribution function of the standard normal has the value.",
      .sample_low = 0.02,
      .sample_high = 0.98,
      .tolerance_ulp = 4,
      .reference = "scipy.special.ndtri(input)"};
  PHLOX_INLINE static constexpr auto body(auto x) { return ndtri(x); }
};
PHLOX_POINTWISE(ndtri, Ndtri, (const Tensor& input))

struct LogNdtr : Unary<> {
  static constexpr PointwiseTraits traits{
      .doc = "The logarithm of the distribution function of the standard normal, without underflow.",
      .reference = "scipy.special.log_ndtr(input)"};
  PHLOX_INLINE static constexpr auto body(auto x) { return log_ndtr(x); }
};
PHLOX_POINTWISE(log_ndtr, LogNdtr, (const Tensor& input))

struct Zeta : Binary<> {
  static constexpr PointwiseTraits traits{
      .doc =
          "The Hurwitz zeta function: the sum of `(other + k) ** -input` over k >= 0. NaN for exponents below 1, "
          "infinite where a term is. There is no gradient with respect to `input`.",
      .source = "DLMF 25.11",
      .sample_low = 1.2,
      .sample_high = 9,
      .other_low = 0.5,
      .other_high = 9,
      .tolerance_ulp = 8,
      .reference =
          "np.where(np.isnan(input) | np.isnan(other), np.nan, "
          "np.where(np.isneginf(other) & (input > 1), np.inf, scipy.special.zeta(input, other)))"};
  PHLOX_INLINE static constexpr auto body(auto s, auto q) { return zeta(s, q); }
};
PHLOX_POINTWISE(zeta, Zeta, (const Operand& input, const Operand& other))

struct Igamma : Binary<> {
  static constexpr PointwiseTraits traits{
      .doc =
          "The lower regularised incomplete gamma function of order `input` at `other`. There is no gradient with "
          "respect to `input`.",
      .source = "DLMF 8.2",
      .sample_low = 0.2,
      .sample_high = 9,
      .other_low = 0.2,
      .other_high = 9,
      .tolerance_ulp = 900,  // 1e-13 in f64
      .reference = "scipy.special.gammainc(input, other)",
      .alias = "gammainc"};
  PHLOX_INLINE static constexpr auto body(auto a, auto x) { return igamma(a, x); }
};
PHLOX_POINTWISE(igamma, Igamma, (const Operand& input, const Operand& other))

struct Igammac : Binary<> {
  static constexpr PointwiseTraits traits{
      .doc =
          "The upper regularised incomplete gamma function of order `input` at `other`, `1 - igamma(input, other)`. "
          "There is no gradient with respect to `input`.",
      .source = "DLMF 8.2",
      .sample_low = 0.2,
      .sample_high = 9,
      .other_low = 0.2,
      .other_high = 9,
      .tolerance_ulp = 900,  // 1e-13 in f64
      .reference = "scipy.special.gammaincc(input, other)",
      .alias = "gammaincc"};
  PHLOX_INLINE static constexpr auto body(auto a, auto x) { return igammac(a, x); }
};
PHLOX_POINTWISE(igammac, Igammac, (const Operand& input, const Operand& other))

struct Betainc : Ternary<> {
  static constexpr PointwiseTraits traits{
      .doc =
          "The regularised incomplete beta function with parameters `a` and `b` at `x`. There is no gradient with "
          "respect to the parameters.",
      .source = "DLMF 8.17",
      .sample_low = 0.2,
      .sample_high = 9,
      .other_low = 0.05,
      .other_high = 0.95,
      .tolerance_ulp = 900};
  PHLOX_INLINE static constexpr auto body(auto a, auto b, auto x) { return betainc(a, b, x); }
};
PHLOX_POINTWISE(betainc, Betainc, (const Operand& a, const Operand& b, const Operand& x))

struct PolygammaOfOrder : Unary<1> {
  static constexpr PointwiseTraits traits{.doc = "`polygamma(n, input)`, the order behind the tensor.",
                                          .sample_low = 0.3,
                                          .sample_high = 9,
                                          .tolerance_ulp = 8};
  PHLOX_INLINE static constexpr auto body(auto x, auto n) { return polygamma(n, x); }
};
PHLOX_POINTWISE(polygamma_of_order, PolygammaOfOrder, (const Tensor& input, std::int64_t n))

PHLOX_END_POINTWISE
