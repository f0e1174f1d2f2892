// Activation functions, element by element.

PHLOX_BEGIN_POINTWISE

struct Relu : Unary<> {
  static constexpr PointwiseTraits traits{.doc = "The positive part: 0 where `input` is negative.",
                                          .types = PointwiseTypes::numeric,
                                          .reference = "np.maximum(x, 0)"};
  PHLOX_INLINE static constexpr auto body(auto x) { return select(x <= 0.0, decltype(x)(0.0), x); }
};
PHLOX_POINTWISE(relu, Relu, (const Tensor& input))

struct Silu : Unary<> {
  static constexpr PointwiseTraits traits{.doc = "Sigmoid linear unit, also called swish: `x * sigmoid(x)`.",
                                          .source = "Elfwing, Uchibe, Doya 2018, arXiv:1702.03118",
                                          .sample_low = -8, .sample_high = 8,
                                          .reference = "x * scipy.special.expit(x)"};
  PHLOX_INLINE static constexpr auto body(auto x) { return x * sigmoid(x); }
};
PHLOX_POINTWISE(silu, Silu, (const Tensor& input))

struct LeakyRelu : Unary<1> {
  static constexpr PointwiseTraits traits{.doc = "`input` where positive, `negative_slope * input` elsewhere.",
                                          .source = "Maas, Hannun, Ng 2013",
                                          .reference = "np.where(x > 0, x, x * negative_slope)"};
  PHLOX_INLINE static constexpr auto body(auto x, auto negative_slope) { return select(x > 0.0, x, x * negative_slope); }
};
PHLOX_POINTWISE(leaky_relu, LeakyRelu, (const Tensor& input, double negative_slope = 0.01))

PHLOX_END_POINTWISE
