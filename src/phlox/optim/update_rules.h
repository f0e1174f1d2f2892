// The arithmetic of optimisers, element by element, written once as pointwise bodies: each is one pass over
// memory. The file is compiled for each instruction set (update_rules.kernel.cc) and once for its definitions
// (update_rules.cc). Learning rates, momenta and what follows from the step are 0-d tensors, hence inputs.

PHLOX_BEGIN_POINTWISE

inline constexpr PointwiseTraits update_traits{.doc = "A step of an optimiser.", .differentiable = false};

// The gradient with L2 penalty: gradient + weight_decay * parameter.
struct DecayedGradient : Body<2, 1> {
  static constexpr PointwiseTraits traits = update_traits;
  PHLOX_INLINE static constexpr auto body(auto gradient, auto parameter, auto weight_decay) {
    return gradient + weight_decay * parameter;
  }
};
PHLOX_POINTWISE(update_decayed_gradient, DecayedGradient)

struct MomentumBuffer : Body<4, 2> {
  static constexpr PointwiseTraits traits = update_traits;
  PHLOX_INLINE static constexpr auto body(auto buffer, auto gradient, auto parameter, auto momentum,
                                          auto weight, auto weight_decay) {
    return momentum * buffer + weight * (gradient + weight_decay * parameter);
  }
};
PHLOX_POINTWISE(update_momentum_buffer, MomentumBuffer)

struct GradientStep : Body<3, 1> {
  static constexpr PointwiseTraits traits = update_traits;
  PHLOX_INLINE static constexpr auto body(auto parameter, auto gradient, auto rate, auto weight_decay) {
    return parameter - rate * (gradient + weight_decay * parameter);
  }
};
PHLOX_POINTWISE(update_gradient_step, GradientStep)

struct NesterovStep : Body<5, 1> {
  static constexpr PointwiseTraits traits = update_traits;
  PHLOX_INLINE static constexpr auto body(auto parameter, auto gradient, auto buffer, auto rate,
                                          auto momentum, auto weight_decay) {
    return parameter - rate * (gradient + weight_decay * parameter + momentum * buffer);
  }
};
PHLOX_POINTWISE(update_nesterov_step, NesterovStep)

// Running mean of gradients: average + (1 - beta) (g - average).
struct FirstMoment : Body<4, 1> {
  static constexpr PointwiseTraits traits = update_traits;
  PHLOX_INLINE static constexpr auto body(auto average, auto gradient, auto parameter, auto weight,
                                          auto weight_decay) {
    return average + weight * (gradient + weight_decay * parameter - average);
  }
};
PHLOX_POINTWISE(update_first_moment, FirstMoment)

// Running mean of squares: beta average + (1 - beta) g^2.
struct SecondMoment : Body<3, 3> {
  static constexpr PointwiseTraits traits = update_traits;
  PHLOX_INLINE static constexpr auto body(auto average, auto gradient, auto parameter, auto beta, auto weight,
                                          auto weight_decay) {
    const auto g = gradient + weight_decay * parameter;
    return beta * average + weight * g * g;
  }
};
PHLOX_POINTWISE(update_second_moment, SecondMoment)

// `kept` is 1 for Adam and 1 - rate * weight_decay for AdamW.
struct AdamStep : Body<6, 1> {
  static constexpr PointwiseTraits traits = update_traits;
  PHLOX_INLINE static constexpr auto body(auto parameter, auto first, auto second, auto rate, auto correction,
                                          auto kept, auto eps) {
    return kept * parameter - rate * (first / (sqrt(second) / correction + eps));
  }
};
PHLOX_POINTWISE(update_adam_step, AdamStep)

// g / (sqrt(square - mean^2) + eps), added to a momentum buffer.
struct ScaledMomentum : Body<6, 2> {
  static constexpr PointwiseTraits traits = update_traits;
  PHLOX_INLINE static constexpr auto body(auto buffer, auto gradient, auto parameter, auto square, auto mean,
                                          auto momentum, auto eps, auto weight_decay) {
    return momentum * buffer + (gradient + weight_decay * parameter) / (sqrt(square - mean * mean) + eps);
  }
};
PHLOX_POINTWISE(update_scaled_momentum, ScaledMomentum)

struct ScaledStep : Body<5, 2> {
  static constexpr PointwiseTraits traits = update_traits;
  PHLOX_INLINE static constexpr auto body(auto parameter, auto gradient, auto square, auto mean, auto rate,
                                          auto eps, auto weight_decay) {
    return parameter - rate * ((gradient + weight_decay * parameter) / (sqrt(square - mean * mean) + eps));
  }
};
PHLOX_POINTWISE(update_scaled_step, ScaledStep)

// A sum of squares, for Adagrad.
struct SquareSum : Body<3, 1> {
  static constexpr PointwiseTraits traits = update_traits;
  PHLOX_INLINE static constexpr auto body(auto total, auto gradient, auto parameter, auto weight_decay) {
    const auto g = gradient + weight_decay * parameter;
    return total + g * g;
  }
};
PHLOX_POINTWISE(update_square_sum, SquareSum)

PHLOX_END_POINTWISE
