// Bessel and Airy functions, element by element.

PHLOX_BEGIN_POINTWISE

struct BesselJ0 : Unary<> {
  static constexpr PointwiseTraits traits{
      .doc = "The Bessel function of the first kind of order 0.",
      .source = "DLMF 10.2",
      .sample_low = -9,
      .sample_high = 9,
      .tolerance_ulp = 8,
      .reference = "np.where(np.isinf(input), 0, scipy.special.j0(input))"};
  PHLOX_INLINE static constexpr auto body(auto x) { return bessel_j0(x); }
};
PHLOX_POINTWISE(bessel_j0, BesselJ0, (const Tensor& input))

struct BesselJ1 : Unary<> {
  static constexpr PointwiseTraits traits{
      .doc = "The Bessel function of the first kind of order 1.",
      .source = "DLMF 10.2",
      .sample_low = -9,
      .sample_high = 9,
      .tolerance_ulp = 8,
      .reference = "np.where(np.isinf(input), 0, scipy.special.j1(input))"};
  PHLOX_INLINE static constexpr auto body(auto x) { return bessel_j1(x); }
};
PHLOX_POINTWISE(bessel_j1, BesselJ1, (const Tensor& input))

struct BesselY0 : Unary<> {
  static constexpr PointwiseTraits traits{
      .doc = "The Bessel function of the second kind of order 0; minus infinity at 0, NaN below.",
      .source = "DLMF 10.2",
      .sample_low = 0.2,
      .sample_high = 12,
      .tolerance_ulp = 8,
      .reference = "np.where(np.isposinf(input), 0, scipy.special.y0(input))"};
  PHLOX_INLINE static constexpr auto body(auto x) { return bessel_y0(x); }
};
PHLOX_POINTWISE(bessel_y0, BesselY0, (const Tensor& input))

struct BesselY1 : Unary<> {
  static constexpr PointwiseTraits traits{
      .doc = "The Bessel function of the second kind of order 1; minus infinity at 0, NaN below.",
      .source = "DLMF 10.2",
      .sample_low = 0.2,
      .sample_high = 12,
      .tolerance_ulp = 8,
      .reference = "np.where(np.isposinf(input), 0, scipy.special.y1(input))"};
  PHLOX_INLINE static constexpr auto body(auto x) { return bessel_y1(x); }
};
PHLOX_POINTWISE(bessel_y1, BesselY1, (const Tensor& input))

struct I0 : Unary<> {
  static constexpr PointwiseTraits traits{
      .doc = "The modified Bessel function of the first kind of order 0.",
      .source = "DLMF 10.25",
      .sample_low = -12,
      .sample_high = 12,
      .tolerance_ulp = 8,
      .reference = "np.where(np.isinf(input), np.inf, scipy.special.i0(input))",
      .alias = "modified_bessel_i0"};
  PHLOX_INLINE static constexpr auto body(auto x) { return bessel_i0(x); }
};
PHLOX_POINTWISE(i0, I0, (const Tensor& input))

struct I0e : Unary<> {
  static constexpr PointwiseTraits traits{.doc = "`exp(-abs(x)) * i0(x)`, which does not overflow.",
                                          .sample_low = -12,
                                          .sample_high = 12,
                                          .tolerance_ulp = 8,
                                          .reference = "scipy.special.i0e(input)"};
  PHLOX_INLINE static constexpr auto body(auto x) { return bessel_i0e(x); }
};
PHLOX_POINTWISE(i0e, I0e, (const Tensor& input))

struct I1 : Unary<> {
  static constexpr PointwiseTraits traits{
      .doc = "The modified Bessel function of the first kind of order 1.",
      .source = "DLMF 10.25",
      .sample_low = -12,
      .sample_high = 12,
      .tolerance_ulp = 8,
      .reference = "np.where(np.isinf(input), input, scipy.special.i1(input))",
      .alias = "modified_bessel_i1"};
  PHLOX_INLINE static constexpr auto body(auto x) { return bessel_i1(x); }
};
PHLOX_POINTWISE(i1, I1, (const Tensor& input))

struct I1e : Unary<> {
  static constexpr PointwiseTraits traits{.doc = "`exp(-abs(x)) * i1(x)`, which does not overflow.",
                                          .sample_low = -12,
                                          .sample_high = 12,
                                          .tolerance_ulp = 8,
                                          .reference = "scipy.special.i1e(input)"};
  PHLOX_INLINE static constexpr auto body(auto x) { return bessel_i1e(x); }
};
PHLOX_POINTWISE(i1e, I1e, (const Tensor& input))

struct K0 : Unary<> {
  static constexpr PointwiseTraits traits{
      .doc = "The modified Bessel function of the second kind of order 0; infinite at 0, NaN below.",
      .source = "DLMF 10.25",
      .sample_low = 0.2,
      .sample_high = 12,
      .tolerance_ulp = 8,
      .reference = "scipy.special.k0(input)",
      .alias = "modified_bessel_k0"};
  PHLOX_INLINE static constexpr auto body(auto x) { return bessel_k0(x); }
};
PHLOX_POINTWISE(k0, K0, (const Tensor& input))

struct K0e : Unary<> {
  static constexpr PointwiseTraits traits{.doc = "`exp(x) * k0(x)`, which does not underflow.",
                                          .sample_low = 0.2,
                                          .sample_high = 12,
                                          .tolerance_ulp = 8,
                                          .reference = "scipy.special.k0e(input)",
                                          .alias = "scaled_modified_bessel_k0"};
  PHLOX_INLINE static constexpr auto body(auto x) { return bessel_k0e(x); }
};
PHLOX_POINTWISE(k0e, K0e, (const Tensor& input))

struct K1 : Unary<> {
  static constexpr PointwiseTraits traits{
      .doc = "The modified Bessel function of the second kind of order 1; infinite at 0, NaN below.",
      .source = "DLMF 10.25",
      .sample_low = 0.2,
      .sample_high = 12,
      .tolerance_ulp = 8,
      .reference = "scipy.special.k1(input)",
      .alias = "modified_bessel_k1"};
  PHLOX_INLINE static constexpr auto body(auto x) { return bessel_k1(x); }
};
PHLOX_POINTWISE(k1, K1, (const Tensor& input))

struct K1e : Unary<> {
  static constexpr PointwiseTraits traits{.doc = "`exp(x) * k1(x)`, which does not underflow.",
                                          .sample_low = 0.2,
                                          .sample_high = 12,
                                          .tolerance_ulp = 8,
                                          .reference = "scipy.special.k1e(input)",
                                          .alias = "scaled_modified_bessel_k1"};
  PHLOX_INLINE static constexpr auto body(auto x) { return bessel_k1e(x); }
};
PHLOX_POINTWISE(k1e, K1e, (const Tensor& input))

struct SphericalBesselJ0 : Unary<> {
  static constexpr PointwiseTraits traits{
      .doc = "The spherical Bessel function of the first kind of order 0, `sin(x) / x`.",
      .source = "DLMF 10.49",
      .sample_low = -9,
      .sample_high = 9,
      .reference = "scipy.special.spherical_jn(0, input)"};
  PHLOX_INLINE static constexpr auto body(auto x) {
    // Near 0 a series, whose derivatives do not cancel.
    const auto z = x * x;
    const auto series =
        ((((((z * (1.0 / 1307674368000) * -1.0 + 1.0 / 6227020800) * z + -1.0 / 39916800) * z +
            1.0 / 362880) *
               z +
           -1.0 / 5040) *
              z +
          1.0 / 120) *
             z +
         -1.0 / 6) *
            z +
        1.0;
    return select(abs(x) < 0.5, series, select(isinf(x), decltype(x)(0.0), sin(x) / x));
  }
};
PHLOX_POINTWISE(spherical_bessel_j0, SphericalBesselJ0, (const Tensor& input))

struct AiryAi : Unary<> {
  static constexpr PointwiseTraits traits{
      .doc = "The Airy function Ai.",
      .source = "DLMF 9.2",
      .sample_low = -6,
      .sample_high = 3,
      .tolerance_ulp = 8,
      .reference = "np.where(np.abs(input) > 1e10, 0 * np.sign(input) ** 2, scipy.special.airy(input)[0])"};
  PHLOX_INLINE static constexpr auto body(auto x) { return airy_ai(x); }
};
PHLOX_POINTWISE(airy_ai, AiryAi, (const Tensor& input))

PHLOX_END_POINTWISE
