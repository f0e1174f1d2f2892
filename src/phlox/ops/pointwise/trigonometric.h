// Trigonometric and hyperbolic functions, element by element, in radians.

PHLOX_BEGIN_POINTWISE

struct Sin : Unary<> {
  static constexpr PointwiseTraits traits{.doc = "The sine.",
                                          .sample_low = -10,
                                          .sample_high = 10,
                                          .complex = true,
                                          .reference = "np.sin(input)"};
  PHLOX_INLINE static constexpr auto body(auto x) { return sin(x); }
};
PHLOX_POINTWISE(sin, Sin, (const Tensor& input))

struct Cos : Unary<> {
  static constexpr PointwiseTraits traits{.doc = "The cosine.",
                                          .sample_low = -10,
                                          .sample_high = 10,
                                          .complex = true,
                                          .reference = "np.cos(input)"};
  PHLOX_INLINE static constexpr auto body(auto x) { return cos(x); }
};
PHLOX_POINTWISE(cos, Cos, (const Tensor& input))

struct Tan : Unary<> {
  static constexpr PointwiseTraits traits{.doc = "The tangent.",
                                          .sample_low = -1.4,
                                          .sample_high = 1.4,
                                          .complex = true,
                                          .reference = "np.tan(input)"};
  PHLOX_INLINE static constexpr auto body(auto x) { return tan(x); }
};
PHLOX_POINTWISE(tan, Tan, (const Tensor& input))

struct Asin : Unary<> {
  static constexpr PointwiseTraits traits{.doc = "The angle with this sine.",
                                          .sample_low = -0.95,
                                          .sample_high = 0.95,
                                          .complex = true,
                                          .reference = "np.arcsin(input)",
                                          .alias = "arcsin"};
  PHLOX_INLINE static constexpr auto body(auto x) { return asin(x); }
};
PHLOX_POINTWISE(asin, Asin, (const Tensor& input))

struct Acos : Unary<> {
  static constexpr PointwiseTraits traits{.doc = "The angle with this cosine.",
                                          .sample_low = -0.95,
                                          .sample_high = 0.95,
                                          .complex = true,
                                          .reference = "np.arccos(input)",
                                          .alias = "arccos"};
  PHLOX_INLINE static constexpr auto body(auto x) { return acos(x); }
};
PHLOX_POINTWISE(acos, Acos, (const Tensor& input))

struct Atan : Unary<> {
  static constexpr PointwiseTraits traits{.doc = "The angle with this tangent.",
                                          .complex = true,
                                          .reference = "np.arctan(input)",
                                          .alias = "arctan"};
  PHLOX_INLINE static constexpr auto body(auto x) { return atan(x); }
};
PHLOX_POINTWISE(atan, Atan, (const Tensor& input))

struct Atan2 : Binary<> {
  static constexpr PointwiseTraits traits{.doc = "The angle of the point (`other`, `input`).",
                                          .reference = "np.arctan2(input, other)",
                                          .alias = "arctan2"};
  PHLOX_INLINE static constexpr auto body(auto x, auto y) { return atan2(x, y); }
};
PHLOX_POINTWISE(atan2, Atan2, (const Operand& input, const Operand& other))

struct Sinh : Unary<> {
  static constexpr PointwiseTraits traits{
      .doc = "The hyperbolic sine.", .complex = true, .reference = "np.sinh(input)"};
  PHLOX_INLINE static constexpr auto body(auto x) { return sinh(x); }
};
PHLOX_POINTWISE(sinh, Sinh, (const Tensor& input))

struct Cosh : Unary<> {
  static constexpr PointwiseTraits traits{
      .doc = "The hyperbolic cosine.", .complex = true, .reference = "np.cosh(input)"};
  PHLOX_INLINE static constexpr auto body(auto x) { return cosh(x); }
};
PHLOX_POINTWISE(cosh, Cosh, (const Tensor& input))

struct Tanh : Unary<> {
  static constexpr PointwiseTraits traits{
      .doc = "The hyperbolic tangent.", .complex = true, .reference = "np.tanh(input)"};
  PHLOX_INLINE static constexpr auto body(auto x) { return tanh(x); }
};
PHLOX_POINTWISE(tanh, Tanh, (const Tensor& input))

struct Asinh : Unary<> {
  static constexpr PointwiseTraits traits{
      .doc = "The inverse of sinh.", .complex = true, .reference = "np.arcsinh(input)", .alias = "arcsinh"};
  PHLOX_INLINE static constexpr auto body(auto x) { return asinh(x); }
};
PHLOX_POINTWISE(asinh, Asinh, (const Tensor& input))

struct Acosh : Unary<> {
  static constexpr PointwiseTraits traits{.doc = "The inverse of cosh.",
                                          .sample_low = 1.1,
                                          .sample_high = 9,
                                          .complex = true,
                                          .reference = "np.arccosh(input)",
                                          .alias = "arccosh"};
  PHLOX_INLINE static constexpr auto body(auto x) { return acosh(x); }
};
PHLOX_POINTWISE(acosh, Acosh, (const Tensor& input))

struct Atanh : Unary<> {
  static constexpr PointwiseTraits traits{.doc = "The inverse of tanh.",
                                          .sample_low = -0.95,
                                          .sample_high = 0.95,
                                          .complex = true,
                                          .reference = "np.arctanh(input)",
                                          .alias = "arctanh"};
  PHLOX_INLINE static constexpr auto body(auto x) { return atanh(x); }
};
PHLOX_POINTWISE(atanh, Atanh, (const Tensor& input))

struct Sinc : Unary<> {
  static constexpr PointwiseTraits traits{.doc = "The normalised sine cardinal, `sin(pi x) / (pi x)`.",
                                          .tolerance_ulp = 4,
                                          .complex = true,
                                          .reference = "np.where(np.isinf(input), 0, np.sinc(input))"};
  PHLOX_INLINE static constexpr auto body(auto x) {
    const auto value = select(abs(x) < 1e-30, decltype(x)(1.0), sinpi(x) / (x * 3.14159265358979323846));
    return select(isinf(x), decltype(x)(0.0), value);
  }
};
PHLOX_POINTWISE(sinc, Sinc, (const Tensor& input))

struct Hypot : Binary<> {
  static constexpr PointwiseTraits traits{.doc = "The length of the hypotenuse, without overflow.",
                                          .reference = "np.hypot(input, other)"};
  PHLOX_INLINE static constexpr auto body(auto x, auto y) { return hypot(x, y); }
};
PHLOX_POINTWISE(hypot, Hypot, (const Operand& input, const Operand& other))

struct Deg2rad : Unary<> {
  static constexpr PointwiseTraits traits{.doc = "Degrees as radians.", .reference = "np.deg2rad(input)"};
  PHLOX_INLINE static constexpr auto body(auto x) { return x * 0.017453292519943295769; }
};
PHLOX_POINTWISE(deg2rad, Deg2rad, (const Tensor& input))

struct Rad2deg : Unary<> {
  static constexpr PointwiseTraits traits{.doc = "Radians as degrees.", .reference = "np.rad2deg(input)"};
  PHLOX_INLINE static constexpr auto body(auto x) { return x * 57.295779513082320877; }
};
PHLOX_POINTWISE(rad2deg, Rad2deg, (const Tensor& input))

PHLOX_END_POINTWISE
