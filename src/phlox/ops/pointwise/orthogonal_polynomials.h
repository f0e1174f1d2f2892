// Orthogonal polynomials in `input`, of degree `n` rounded towards zero, element by element; 0 for negative degrees.

PHLOX_BEGIN_POINTWISE

// V(n) = U(n) - U(n - 1), W(n) = U(n) + U(n - 1)
PHLOX_INLINE constexpr auto chebyshev_v(auto x, auto n) {
  const auto order = decltype(x)(1.0);
  return gegenbauer(x, n, order) - gegenbauer(x, trunc(n) - 1.0, order);
}
PHLOX_INLINE constexpr auto chebyshev_w(auto x, auto n) {
  const auto order = decltype(x)(1.0);
  return gegenbauer(x, n, order) + gegenbauer(x, trunc(n) - 1.0, order);
}

struct ChebyshevPolynomialT : Binary<> {
  static constexpr PointwiseTraits traits{.doc = "Chebyshev's polynomial of the first kind, of degree `n`.",
                                          .source = "DLMF 18.3",
                                          .sample_low = -1,
                                          .sample_high = 1,
                                          .other_low = 0,
                                          .other_high = 8,
                                          .tolerance_ulp = 64};
  PHLOX_INLINE static constexpr auto body(auto x, auto n) { return chebyshev_t(x, n); }
};
PHLOX_POINTWISE(chebyshev_polynomial_t, ChebyshevPolynomialT, (const Operand& input, const Operand& n))

struct ChebyshevPolynomialU : Binary<> {
  static constexpr PointwiseTraits traits{.doc = "Chebyshev's polynomial of the second kind, of degree `n`.",
                                          .source = "DLMF 18.3",
                                          .sample_low = -1,
                                          .sample_high = 1,
                                          .other_low = 0,
                                          .other_high = 8,
                                          .tolerance_ulp = 64};
  PHLOX_INLINE static constexpr auto body(auto x, auto n) { return gegenbauer(x, n, decltype(x)(1.0)); }
};
PHLOX_POINTWISE(chebyshev_polynomial_u, ChebyshevPolynomialU, (const Operand& input, const Operand& n))

struct ChebyshevPolynomialV : Binary<> {
  static constexpr PointwiseTraits traits{.doc = "Chebyshev's polynomial of the third kind, of degree `n`.",
                                          .source = "DLMF 18.3",
                                          .sample_low = -1,
                                          .sample_high = 1,
                                          .other_low = 0,
                                          .other_high = 8,
                                          .tolerance_ulp = 64};
  PHLOX_INLINE static constexpr auto body(auto x, auto n) { return chebyshev_v(x, n); }
};
PHLOX_POINTWISE(chebyshev_polynomial_v, ChebyshevPolynomialV, (const Operand& input, const Operand& n))

struct ChebyshevPolynomialW : Binary<> {
  static constexpr PointwiseTraits traits{.doc = "Chebyshev's polynomial of the fourth kind, of degree `n`.",
                                          .source = "DLMF 18.3",
                                          .sample_low = -1,
                                          .sample_high = 1,
                                          .other_low = 0,
                                          .other_high = 8,
                                          .tolerance_ulp = 64};
  PHLOX_INLINE static constexpr auto body(auto x, auto n) { return chebyshev_w(x, n); }
};
PHLOX_POINTWISE(chebyshev_polynomial_w, ChebyshevPolynomialW, (const Operand& input, const Operand& n))

struct ShiftedChebyshevPolynomialT : Binary<> {
  static constexpr PointwiseTraits traits{
      .doc = "`chebyshev_polynomial_t(2 * input - 1, n)`, orthogonal on [0, 1], of degree `n`.",
      .sample_low = 0,
      .sample_high = 1,
      .other_low = 0,
      .other_high = 8,
      .tolerance_ulp = 64};
  PHLOX_INLINE static constexpr auto body(auto x, auto n) { return chebyshev_t(2.0 * x - 1.0, n); }
};
PHLOX_POINTWISE(shifted_chebyshev_polynomial_t, ShiftedChebyshevPolynomialT,
                (const Operand& input, const Operand& n))

struct ShiftedChebyshevPolynomialU : Binary<> {
  static constexpr PointwiseTraits traits{
      .doc = "`chebyshev_polynomial_u(2 * input - 1, n)`, orthogonal on [0, 1], of degree `n`.",
      .sample_low = 0,
      .sample_high = 1,
      .other_low = 0,
      .other_high = 8,
      .tolerance_ulp = 64};
  PHLOX_INLINE static constexpr auto body(auto x, auto n) {
    return gegenbauer(2.0 * x - 1.0, n, decltype(x)(1.0));
  }
};
PHLOX_POINTWISE(shifted_chebyshev_polynomial_u, ShiftedChebyshevPolynomialU,
                (const Operand& input, const Operand& n))

struct ShiftedChebyshevPolynomialV : Binary<> {
  static constexpr PointwiseTraits traits{
      .doc = "`chebyshev_polynomial_v(2 * input - 1, n)`, orthogonal on [0, 1], of degree `n`.",
      .sample_low = 0,
      .sample_high = 1,
      .other_low = 0,
      .other_high = 8,
      .tolerance_ulp = 64};
  PHLOX_INLINE static constexpr auto body(auto x, auto n) { return chebyshev_v(2.0 * x - 1.0, n); }
};
PHLOX_POINTWISE(shifted_chebyshev_polynomial_v, ShiftedChebyshevPolynomialV,
                (const Operand& input, const Operand& n))

struct ShiftedChebyshevPolynomialW : Binary<> {
  static constexpr PointwiseTraits traits{
      .doc = "`chebyshev_polynomial_w(2 * input - 1, n)`, orthogonal on [0, 1], of degree `n`.",
      .sample_low = 0,
      .sample_high = 1,
      .other_low = 0,
      .other_high = 8,
      .tolerance_ulp = 64};
  PHLOX_INLINE static constexpr auto body(auto x, auto n) { return chebyshev_w(2.0 * x - 1.0, n); }
};
PHLOX_POINTWISE(shifted_chebyshev_polynomial_w, ShiftedChebyshevPolynomialW,
                (const Operand& input, const Operand& n))

struct HermitePolynomialH : Binary<> {
  static constexpr PointwiseTraits traits{.doc = "Hermite's polynomial of physics, of degree `n`.",
                                          .source = "DLMF 18.3",
                                          .sample_low = -2,
                                          .sample_high = 2,
                                          .other_low = 0,
                                          .other_high = 8,
                                          .tolerance_ulp = 64};
  PHLOX_INLINE static constexpr auto body(auto x, auto n) { return hermite_h(x, n); }
};
PHLOX_POINTWISE(hermite_polynomial_h, HermitePolynomialH, (const Operand& input, const Operand& n))

struct HermitePolynomialHe : Binary<> {
  static constexpr PointwiseTraits traits{.doc = "Hermite's polynomial of probability theory, of degree `n`.",
                                          .source = "DLMF 18.3",
                                          .sample_low = -2,
                                          .sample_high = 2,
                                          .other_low = 0,
                                          .other_high = 8,
                                          .tolerance_ulp = 64};
  PHLOX_INLINE static constexpr auto body(auto x, auto n) { return hermite_he(x, n); }
};
PHLOX_POINTWISE(hermite_polynomial_he, HermitePolynomialHe, (const Operand& input, const Operand& n))

struct LaguerrePolynomialL : Binary<> {
  static constexpr PointwiseTraits traits{.doc = "Laguerre's polynomial, of degree `n`.",
                                          .source = "DLMF 18.3",
                                          .sample_low = 0,
                                          .sample_high = 3,
                                          .other_low = 0,
                                          .other_high = 8,
                                          .tolerance_ulp = 64};
  PHLOX_INLINE static constexpr auto body(auto x, auto n) { return laguerre(x, n, decltype(x)(0.0)); }
};
PHLOX_POINTWISE(laguerre_polynomial_l, LaguerrePolynomialL, (const Operand& input, const Operand& n))

struct LegendrePolynomialP : Binary<> {
  static constexpr PointwiseTraits traits{.doc = "Legendre's polynomial, of degree `n`.",
                                          .source = "DLMF 18.3",
                                          .sample_low = -1,
                                          .sample_high = 1,
                                          .other_low = 0,
                                          .other_high = 8,
                                          .tolerance_ulp = 64};
  PHLOX_INLINE static constexpr auto body(auto x, auto n) { return gegenbauer(x, n, decltype(x)(0.5)); }
};
PHLOX_POINTWISE(legendre_polynomial_p, LegendrePolynomialP, (const Operand& input, const Operand& n))

PHLOX_END_POINTWISE
