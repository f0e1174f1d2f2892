// Activation functions, element by element.

PHLOX_BEGIN_POINTWISE

struct Relu : Unary<> {
  static constexpr PointwiseTraits traits{.doc = "The positive part: 0 where negative.",
                                          .types = PointwiseTypes::numeric,
                                          .reference = "np.maximum(input, 0)"};
  PHLOX_INLINE static constexpr auto body(auto x) { return select(x <= 0.0, decltype(x)(0.0), x); }
};
PHLOX_POINTWISE(relu, Relu, (const Tensor& input))

struct Relu6 : Unary<> {
  static constexpr PointwiseTraits traits{
      .doc = "The positive part, at most 6.",
      .source = "Krizhevsky 2010, Convolutional deep belief networks on CIFAR-10",
      .types = PointwiseTypes::numeric,
      .sample_low = -9,
      .sample_high = 9,
      .reference = "np.clip(input, 0, 6)"};
  PHLOX_INLINE static constexpr auto body(auto x) {
    return select(x <= 0.0, decltype(x)(0.0), select(x >= 6.0, decltype(x)(6.0), x));
  }
};
PHLOX_POINTWISE(relu6, Relu6, (const Tensor& input))

struct LeakyRelu : Unary<1> {
  static constexpr PointwiseTraits traits{
      .doc = "The element where positive, `negative_slope` times it elsewhere.",
      .source = "Maas, Hannun, Ng 2013",
      .reference = "np.where(input > 0, input, input * negative_slope)"};
  PHLOX_INLINE static constexpr auto body(auto x, auto negative_slope) {
    return select(x > 0.0, x, x * negative_slope);
  }
};
PHLOX_POINTWISE(leaky_relu, LeakyRelu, (const Tensor& input, double negative_slope = 0.01))

struct Elu : Unary<1> {
  static constexpr PointwiseTraits traits{
      .doc = "Exponential linear unit: `alpha * (exp(x) - 1)` where negative.",
      .source = "Clevert, Unterthiner, Hochreiter 2015, arXiv:1511.07289",
      .tolerance_ulp = 4,
      .reference = "np.where(input > 0, input, alpha * np.expm1(np.minimum(input, 0)))"};
  PHLOX_INLINE static constexpr auto body(auto x, auto alpha) { return select(x > 0.0, x, alpha * expm1(x)); }
};
PHLOX_POINTWISE(elu, Elu, (const Tensor& input, double alpha = 1))

struct Selu : Unary<> {
  static constexpr PointwiseTraits traits{
      .doc = "Self-normalising exponential linear unit.",
      .source = "Klambauer et al. 2017, arXiv:1706.02515",
      .tolerance_ulp = 4,
      .reference =
          "1.0507009873554804934 * np.where(input > 0, input, 1.6732632423543772848 * np.expm1(np.minimum(input, 0)))"};
  PHLOX_INLINE static constexpr auto body(auto x) {
    return 1.0507009873554804934 * select(x > 0.0, x, 1.6732632423543772848 * expm1(x));
  }
};
PHLOX_POINTWISE(selu, Selu, (const Tensor& input))

struct Celu : Unary<1> {
  static constexpr PointwiseTraits traits{
      .doc = "Continuously differentiable exponential linear unit.",
      .source = "Barron 2017, arXiv:1704.07483",
      .tolerance_ulp = 4,
      .reference = "np.where(input > 0, input, alpha * np.expm1(np.minimum(input, 0) / alpha))"};
  PHLOX_INLINE static constexpr auto body(auto x, auto alpha) {
    return select(x > 0.0, x, alpha * expm1(x / alpha));
  }
};
PHLOX_POINTWISE(celu, Celu, (const Tensor& input, double alpha = 1))

struct GeluErf : Unary<> {
  static constexpr PointwiseTraits traits{
      .doc = "Gaussian error linear unit, exact: `x` times the normal distribution function.",
      .source = "Hendrycks, Gimpel 2016, arXiv:1606.08415",
      .tolerance_ulp = 4,
      .reference = "input * scipy.special.ndtr(input)"};
  PHLOX_INLINE static constexpr auto body(auto x) { return x * ndtr(x); }
};
PHLOX_POINTWISE(gelu_erf, GeluErf, (const Tensor& input))

struct GeluTanh : Unary<> {
  static constexpr PointwiseTraits traits{
      .doc = "Gaussian error linear unit, the approximation with tanh.",
      .source = "Hendrycks, Gimpel 2016, arXiv:1606.08415",
      .sample_low = -2,
      .tolerance_ulp = 256,
      .reference = "0.5 * input * (1 + np.tanh(np.sqrt(2 / np.pi) * (input + 0.044715 * input ** 3)))"};
  PHLOX_INLINE static constexpr auto body(auto x) {
    return 0.5 * x * (1.0 + tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x)));
  }
};
PHLOX_POINTWISE(gelu_tanh, GeluTanh, (const Tensor& input))

struct Silu : Unary<> {
  static constexpr PointwiseTraits traits{
      .doc = "Sigmoid linear unit, also called swish: `x * sigmoid(x)`.",
      .source = "Elfwing, Uchibe, Doya 2018, arXiv:1702.03118",
      .sample_low = -8,
      .sample_high = 8,
      .tolerance_ulp = 4,
      .complex = true,
      .reference =
          "input / (1 + np.exp(-input)) if np.iscomplexobj(input) else input * scipy.special.expit(input)",
      .alias = "swish"};
  PHLOX_INLINE static constexpr auto body(auto x) { return x * sigmoid(x); }
};
PHLOX_POINTWISE(silu, Silu, (const Tensor& input))

struct Mish : Unary<> {
  static constexpr PointwiseTraits traits{.doc = "`x * tanh(softplus(x))`.",
                                          .source = "Misra 2019, arXiv:1908.08681",
                                          .tolerance_ulp = 8,
                                          .reference = "input * np.tanh(np.log1p(np.exp(input)))"};
  PHLOX_INLINE static constexpr auto body(auto x) { return x * tanh(select(x > 20.0, x, log1p(exp(x)))); }
};
PHLOX_POINTWISE(mish, Mish, (const Tensor& input))

struct Softplus : Unary<2> {
  static constexpr PointwiseTraits traits{
      .doc = "A smooth positive part, `log(1 + exp(beta x)) / beta`; linear above `threshold`.",
      .tolerance_ulp = 4,
      .reference = "np.logaddexp(0, input * beta) / beta"};
  PHLOX_INLINE static constexpr auto body(auto x, auto beta, auto threshold) {
    return select(x * beta > threshold, x, log1p(exp(x * beta)) / beta);
  }
};
PHLOX_POINTWISE(softplus, Softplus, (const Tensor& input, double beta = 1, double threshold = 20))

struct Softsign : Unary<> {
  static constexpr PointwiseTraits traits{.doc = "`x / (1 + |x|)`.",
                                          .complex_form = complex_softsign,
                                          .reference = "input / (1 + np.abs(input))"};
  PHLOX_INLINE static constexpr auto body(auto x) { return x / (1.0 + abs(x)); }
};
PHLOX_POINTWISE(softsign, Softsign, (const Tensor& input))

struct Logsigmoid : Unary<> {
  static constexpr PointwiseTraits traits{
      .doc = "The logarithm of sigmoid, without underflow.",
      .tolerance_ulp = 4,
      .reference = "np.minimum(input, 0) - np.log1p(np.exp(-np.abs(input)))"};
  PHLOX_INLINE static constexpr auto body(auto x) { return min(x, 0.0) - log1p(exp(-abs(x))); }
};
PHLOX_POINTWISE(logsigmoid, Logsigmoid, (const Tensor& input))

struct Hardswish : Unary<> {
  static constexpr PointwiseTraits traits{.doc = "A piecewise form of swish.",
                                          .source = "Howard et al. 2019, arXiv:1905.02244",
                                          .sample_low = -5,
                                          .sample_high = 5,
                                          .tolerance_ulp = 4,
                                          .reference = "input * np.clip(input + 3, 0, 6) / 6"};
  PHLOX_INLINE static constexpr auto body(auto x) { return x * min(max(x + 3.0, 0.0), 6.0) / 6.0; }
};
PHLOX_POINTWISE(hardswish, Hardswish, (const Tensor& input))

struct Hardsigmoid : Unary<> {
  static constexpr PointwiseTraits traits{.doc = "A piecewise linear sigmoid.",
                                          .source = "Courbariaux, Bengio, David 2015, arXiv:1511.00363",
                                          .sample_low = -5,
                                          .sample_high = 5,
                                          .tolerance_ulp = 4,
                                          .reference = "np.clip(input + 3, 0, 6) / 6"};
  PHLOX_INLINE static constexpr auto body(auto x) { return min(max(x + 3.0, 0.0), 6.0) / 6.0; }
};
PHLOX_POINTWISE(hardsigmoid, Hardsigmoid, (const Tensor& input))

struct Hardtanh : Unary<2> {
  static constexpr PointwiseTraits traits{.doc = "The element, kept between `min_val` and `max_val`.",
                                          .check = check_interval,
                                          .reference = "np.clip(input, min_val, max_val)"};
  PHLOX_INLINE static constexpr auto body(auto x, auto low, auto high) {
    return select(x <= low, low, select(x >= high, high, x));
  }
};
PHLOX_POINTWISE(hardtanh, Hardtanh, (const Tensor& input, double min_val = -1, double max_val = 1))

struct Hardshrink : Unary<1> {
  static constexpr PointwiseTraits traits{.doc = "0 within `lambd` of zero.",
                                          .reference = "np.where(np.abs(input) <= lambd, 0, input)"};
  PHLOX_INLINE static constexpr auto body(auto x, auto lambd) {
    return select((x >= -lambd) & (x <= lambd), decltype(x)(0.0), x);
  }
};
PHLOX_POINTWISE(hardshrink, Hardshrink, (const Tensor& input, double lambd = 0.5))

struct Softshrink : Unary<1> {
  static constexpr PointwiseTraits traits{
      .doc = "Moved towards zero by `lambd`, 0 within.",
      .check = check_not_negative,
      .reference =
          "np.where(input > lambd, input - lambd, np.where(input < -lambd, input + lambd, input * 0))"};
  PHLOX_INLINE static constexpr auto body(auto x, auto lambd) {
    return select(x > lambd, x - lambd, select(x < -lambd, x + lambd, x * 0.0));
  }
};
PHLOX_POINTWISE(softshrink, Softshrink, (const Tensor& input, double lambd = 0.5))

struct Tanhshrink : Unary<> {
  static constexpr PointwiseTraits traits{.doc = "`x - tanh(x)`.",
                                          .sample_low = 1,
                                          .sample_high = 4,
                                          .tolerance_ulp = 4,
                                          .complex = true,
                                          .reference = "input - np.tanh(input)"};
  PHLOX_INLINE static constexpr auto body(auto x) { return x - tanh(x); }
};
PHLOX_POINTWISE(tanhshrink, Tanhshrink, (const Tensor& input))

struct Threshold : Unary<2> {
  static constexpr PointwiseTraits traits{.doc = "`value` where not above `threshold`.",
                                          .reference = "np.where(input <= threshold, value, input)"};
  PHLOX_INLINE static constexpr auto body(auto x, auto threshold, auto value) {
    return select(x <= threshold, value, x);
  }
};
PHLOX_POINTWISE(threshold, Threshold, (const Tensor& input, double threshold, double value))

struct Squareplus : Unary<1> {
  static constexpr PointwiseTraits traits{
      .doc = "A smooth positive part, `(x + sqrt(x^2 + b)) / 2`.",
      .source = "Barron 2021, arXiv:2112.11687",
      .sample_low = -1,
      .tolerance_ulp = 8,
      .reference =
          "0.5 * np.where(input < 0, b / (np.hypot(input, np.sqrt(b)) - input), "
          "input + np.hypot(input, np.sqrt(b)))"};
  // Below zero the sum would cancel, and squares of large numbers overflow.
  PHLOX_INLINE static constexpr auto body(auto x, auto b) {
    const auto root = hypot(x, sqrt(b));
    return 0.5 * select(x < 0.0, b / (root - x), x + root);
  }
};
PHLOX_POINTWISE(squareplus, Squareplus, (const Tensor& input, double b = 4))

PHLOX_END_POINTWISE
