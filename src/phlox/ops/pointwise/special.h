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
      .derivative_orders = 2,
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
                                          .derivative_orders = 1,
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

PHLOX_END_POINTWISE
