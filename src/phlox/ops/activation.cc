// Activations over a dimension, and those that draw random numbers.
#include <cmath>
#include <limits>

#include "phlox/core/mode.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/in_place.h"
#include "phlox/ops/operators.h"
#include "phlox/ops/registry/operation.h"

namespace phlox {
namespace {

// The two halves of a dimension of even size.
TensorPair halves(const Tensor& input, std::int64_t dim, const char* operation) {
  if (input.rank() == 0 || input.size(dim) % 2 != 0)
    fail<ShapeError>(ErrorCode::sizes_differ, "{}: the dimension must have an even size", operation)
        .detail("input", describe(input))
        .raise();
  const std::int64_t half = input.size(dim) / 2;
  return {narrow(input, dim, 0, half), narrow(input, dim, half, half)};
}

void require_floating(const Tensor& input, const char* operation) {
  if (is_floating(input.dtype())) return;
  fail<DTypeError>(ErrorCode::wrong_dtype, "{}: takes floating numbers, not {}", operation,
                   info(input.dtype()).name)
      .detail("input", describe(input))
      .hint("<input>.to(px.float32)")
      .raise();
}

}  // namespace

PHLOX_OPERATION(Tensor, crelu, (const Tensor& input, std::int64_t dim = -1),
                .doc = "relu(input) and relu(-input), one after the other along `dim`.",
                .source = "Shang et al. 2016, arXiv:1603.05201", .family = Family::activation,
                .home = "nn.functional", .method = false, .samples = "crelu(A(3, 4)); crelu(A(2, 3, 4), 1)",
                .reference = "np.concatenate([np.maximum(input, 0), np.maximum(-input, 0)], dim)") {
  return cat({relu(input), relu(-input)}, dim);
}

PHLOX_OPERATION(Tensor, sparse_plus, (const Tensor& input),
                .doc = "0 up to -1, the element from 1 on, and (x + 1)^2 / 4 between: a softplus with zeros.",
                .source = "Blondel, Martins, Niculae 2019, arXiv:1901.02324", .family = Family::activation,
                .home = "nn.functional", .method = false, .samples = "sparse_plus(A(3, 4))",
                .reference = "np.where(input <= -1, 0, np.where(input >= 1, input, (input + 1) ** 2 / 4))",
                .integers = false) {
  return where(ge(input, 1), input, square(clamp_range(input, -1, 1) + 1.0) * 0.25);
}

PHLOX_OPERATION(
    Tensor, swiglu, (const Tensor& input, std::int64_t dim = -1),
    .doc = "The gated unit of language models: silu of the first half of a dimension times the second.",
    .source = "Shazeer 2020, arXiv:2002.05202", .family = Family::activation, .home = "nn.functional",
    .method = false, .samples = "swiglu(A(3, 4)); swiglu(A(4, 3), 0)",
    .reference =
        "np.split(input, 2, dim)[0] * scipy.special.expit(np.split(input, 2, dim)[0]) * "
        "np.split(input, 2, dim)[1]",
    .integers = false) {
  const auto [gate, value] = halves(input, dim, "swiglu");
  return silu(gate) * value;
}

PHLOX_OPERATION(
    Tensor, sparsemax, (const Tensor& input, std::int64_t dim = -1),
    .doc =
        "The point of the probability simplex that is nearest to the input along `dim`: like softmax, but many "
        "probabilities are 0.",
    .source = "Martins, Astudillo 2016, arXiv:1602.02068", .family = Family::activation,
    .home = "nn.functional", .method = false, .samples = "sparsemax(A(3, 4)); sparsemax(A(2, 3, 4), 1)",
    .integers = false) {
  require_floating(input, "sparsemax");
  if (input.rank() == 0) return reshape(sparsemax(reshape(input, {1}), dim), {});
  if (input.numel() == 0) return input * 1.0;
  const Tensor scores = input - amax(input.detach(), DimList(dim), true);
  Tensor kept;
  {
    NoGrad no_gradient;
    const std::int64_t classes = input.size(dim), d = dim < 0 ? dim + input.rank() : dim;
    Shape shape(static_cast<std::size_t>(input.rank()), 1);
    shape[static_cast<std::size_t>(d)] = classes;
    const Tensor sorted = std::get<0>(sort(scores.detach(), dim, true));
    const Tensor sums = cumsum(sorted, dim);
    const Tensor ranks = reshape(arange(1, classes + 1, 1, scores.dtype(), scores.device()), shape);
    const Tensor count = sum(gt(ranks * sorted + 1.0, sums).to(DType::int64), DimList(dim), true);
    const Tensor largest = gather(sums, dim, clamp_min(count - 1, 0));
    kept = logical_not(le(scores, (largest - 1.0) / count));  // NaN stays
  }
  const Tensor total = sum(where(kept, scores, 0), DimList(dim), true);
  const Tensor level = (total - 1.0) / sum(kept.to(scores.dtype()), DimList(dim), true);
  return where(kept, scores - level, 0);
}

PHLOX_OPERATION(
    Tensor, rrelu,
    (const Tensor& input, double lower = 0.125, double upper = 0.3333333333333333, bool training = false,
     bool inplace = false, Generator* generator = nullptr),
    .doc =
        "leaky_relu whose slope is drawn for each element between `lower` and `upper` in training, and is their "
        "mean else.",
    .source = "Xu et al. 2015, arXiv:1505.00853", .family = Family::activation, .home = "nn.functional",
    .method = false, .samples = "rrelu(A(3, 4)); rrelu(A(3, 4), 0.25, 0.25, True)",
    .reference = "np.where(input >= 0, input, input * (lower + upper) / 2)", .integers = false) {
  require_floating(input, "rrelu");
  if (!(lower <= upper))
    fail<ValueError>(ErrorCode::invalid_value, "rrelu: lower is {}, above upper, {}", lower, upper).raise();
  const Tensor slopes =
      training ? rand_like(input, {}, {}, false, generator) * (upper - lower) + lower : Tensor();
  const Tensor result = where(ge(input, 0), input, training ? input * slopes : input * ((lower + upper) / 2));
  return inplace ? assign_in_place(input, result, "rrelu") : result;
}

PHLOX_OPERATION(
    Tensor, gumbel_softmax,
    (const Tensor& logits, double tau = 1.0, bool hard = false, double eps = 1e-10, std::int64_t dim = -1,
     Generator* generator = nullptr),
    .doc =
        "A draw from the classes along `dim` that gradients flow through: softmax((logits + Gumbel noise) / tau). With `hard` the values "
        "are one-hot, the gradient stays that of the softmax.",
    .source = "Jang, Gu, Poole 2016, arXiv:1611.01144", .family = Family::random, .home = "nn.functional",
    .method = false, .example = "gumbel_softmax(px.tensor([0.0, 1.0, 2.0]), hard=True)", .integers = false) {
  require_floating(logits, "gumbel_softmax");
  if (!(tau > 0)) fail<ValueError>(ErrorCode::invalid_value, "gumbel_softmax: tau is {}", tau).raise();
  static_cast<void>(eps);  // of an older definition; PyTorch takes and ignores it as well
  const DType drawn = logits.dtype() == DType::float64 ? DType::float64 : DType::float32;
  const Tensor uniform = rand(logits.shape(), drawn, logits.device(), false, generator);
  const Tensor waiting = clamp_min(-log1p(-uniform), std::numeric_limits<float>::min());
  const Tensor soft = softmax((logits - phlox::log(waiting).to(logits.dtype())) / tau, dim);
  if (!hard) return soft;
  const Tensor chosen = argmax(soft.detach(), dim, true);
  return scatter(zeros_like(soft), dim, chosen, Operand(1.0)) + (soft - soft.detach());
}

namespace {

// The value that selu() gives far to the left: what is dropped becomes this, then mean and variance are restored.
Tensor alpha_dropped(const Tensor& input, double p, const Shape& mask, Generator* generator) {
  constexpr double saturation = -1.7580993408473766;
  if (p == 1) return input * 0.0;
  const DType drawn = input.dtype() == DType::float64 ? DType::float64 : DType::float32;
  const Tensor kept = ge(rand(mask, drawn, input.device(), false, generator), p);
  const double scale = 1 / std::sqrt((saturation * saturation * p + 1) * (1 - p));
  return where(kept, input, saturation) * scale - scale * saturation * p;
}

void check_dropout(const Tensor& input, double p, bool training, const char* operation) {
  if (training) require_floating(input, operation);
  if (p >= 0 && p <= 1) return;
  fail<ValueError>(ErrorCode::invalid_value, "{}: {} is not a probability", operation, p)
      .hint("a number from 0 to 1")
      .raise();
}

}  // namespace

PHLOX_OPERATION(
    Tensor, alpha_dropout,
    (const Tensor& input, double p = 0.5, bool training = false, bool inplace = false,
     Generator* generator = nullptr),
    .doc =
        "dropout() for networks with selu(): keeps mean 0 and variance 1. The tensor itself without `training`.",
    .source = "Klambauer et al. 2017, arXiv:1706.02515", .family = Family::random, .home = "nn.functional",
    .method = false, .samples = "alpha_dropout(A(3, 4)); alpha_dropout(A(3, 4), 0.0, True)",
    .reference = "input", .integers = false) {
  check_dropout(input, p, training, "alpha_dropout");
  if (!training || p == 0) return input;
  const Tensor result = alpha_dropped(input, p, input.shape(), generator);
  return inplace ? assign_in_place(input, result, "alpha_dropout") : result;
}

PHLOX_OPERATION(Tensor, feature_alpha_dropout,
                (const Tensor& input, double p = 0.5, bool training = false, bool inplace = false,
                 Generator* generator = nullptr),
                .doc = "alpha_dropout() of whole channels, the slices of the first two dimensions.",
                .source = "Klambauer et al. 2017, arXiv:1706.02515", .family = Family::random,
                .home = "nn.functional", .method = false,
                .samples = "feature_alpha_dropout(A(2, 3, 4), 0.0, True)", .reference = "input",
                .integers = false) {
  check_dropout(input, p, training, "feature_alpha_dropout");
  if (!training || p == 0) return input;
  if (input.rank() < 2)
    fail<ShapeError>(ErrorCode::wrong_rank, "feature_alpha_dropout: needs 2 dimensions or more, not {}",
                     input.rank())
        .detail("input", describe(input))
        .raise();
  Shape mask(static_cast<std::size_t>(input.rank()), 1);
  mask[0] = input.size(0);
  mask[1] = input.size(1);
  const Tensor result = alpha_dropped(input, p, mask, generator);
  return inplace ? assign_in_place(input, result, "feature_alpha_dropout") : result;
}

}  // namespace phlox
