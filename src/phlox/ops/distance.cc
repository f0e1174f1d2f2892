// Distances between vectors, and the losses that compare pairs and triplets.
#include "phlox/ops/functions.h"
#include "phlox/ops/loss_reduction.h"
#include "phlox/ops/registry/operation.h"

namespace phlox {

PHLOX_OPERATION(Tensor, normalize,
                (const Tensor& input, double p = 2.0, std::int64_t dim = 1, double eps = 1e-12),
                .doc = "`input` divided by its p-norm along `dim`, which is kept above `eps`.",
                .family = Family::normalization, .home = "nn.functional", .method = false,
                .samples = "normalize(A(3, 4)); normalize(A(3, 4), p=1.0, dim=0)",
                .reference = "input / np.maximum(np.linalg.norm(input, ord=p, axis=dim, keepdims=True), eps)",
                .integers = false) {
  return div(input, clamp_min(norm(input, p, DimList(dim), true), eps));
}

PHLOX_OPERATION(Tensor, pairwise_distance,
                (const Tensor& x1, const Tensor& x2, double p = 2.0, double eps = 1e-6, bool keepdim = false),
                .doc = "The p-norm of x1 - x2 + eps along the last dimension.", .family = Family::reduction,
                .home = "nn.functional", .method = false, .samples = "pairwise_distance(A(3, 4), A(3, 4))",
                .reference = "np.linalg.norm(x1 - x2 + eps, ord=p, axis=-1, keepdims=keepdim)",
                .integers = false) {
  return norm(add(sub(x1, x2), eps), p, DimList(-1), keepdim);
}

PHLOX_OPERATION(Tensor, dist, (const Tensor& input, const Tensor& other, double p = 2.0),
                .doc = "The p-norm of all of input - other.", .family = Family::reduction,
                .samples = "dist(A(3, 4), A(3, 4)); dist(A(3), A(3), 1.0)",
                .reference = "np.linalg.norm((input - other).ravel(), ord=p)", .integers = false) {
  return norm(sub(input, other), p);
}

PHLOX_OPERATION(
    Tensor, pdist, (const Tensor& input, double p = 2.0),
    .doc =
        "The p-norms between rows i < j of a matrix [n, k], as a vector of n (n - 1) / 2: (0, 1), (0, 2), ...",
    .family = Family::reduction, .home = "nn.functional", .method = false,
    .samples = "pdist(A(4, 3)); pdist(A(3, 2), 1.0)",
    .reference =
        "np.linalg.norm(input[np.triu_indices(len(input), 1)[0]] - input[np.triu_indices(len(input), 1)[1]], ord=p, "
        "axis=-1)",
    .integers = false) {
  if (input.rank() != 2)
    fail<ShapeError>(ErrorCode::wrong_rank, "pdist: takes a matrix, one vector a row")
        .detail("input", describe(input))
        .raise();
  const Tensor pairs = triu_indices(input.size(0), input.size(0), 1, DType::int64, input.device());
  const Tensor difference =
      sub(index_select(input, 0, select(pairs, 0, 0)), index_select(input, 0, select(pairs, 0, 1)));
  return norm(difference, p, DimList(-1));
}

PHLOX_OPERATION(
    Tensor, cosine_similarity, (const Tensor& x1, const Tensor& x2, std::int64_t dim = 1, double eps = 1e-8),
    .doc = "The cosine of the angle between x1 and x2 along `dim`; each norm is kept above `eps`.",
    .family = Family::reduction, .home = "nn.functional", .method = false,
    .samples = "cosine_similarity(A(3, 4), A(3, 4)); cosine_similarity(A(3, 4), A(3, 4), dim=0)",
    .reference =
        "np.sum(x1 * x2, axis=dim) / (np.maximum(np.linalg.norm(x1, axis=dim), eps) * "
        "np.maximum(np.linalg.norm(x2, axis=dim), eps))",
    .integers = false) {
  const DimList dims(dim);
  const TensorList both = broadcast_tensors({x1, x2});
  const Tensor first = clamp_min(norm(both[0], 2.0, dims, true), eps),
               second = clamp_min(norm(both[1], 2.0, dims, true), eps);
  return sum(mul(div(both[0], first), div(both[1], second)), dims);
}

PHLOX_OPERATION(Tensor, cosine_embedding_loss,
                (const Tensor& input1, const Tensor& input2, const Tensor& target, double margin = 0.0,
                 const std::string& reduction = "mean"),
                .doc = "1 - cos(input1, input2) where the target is 1, max(0, cos - margin) where it is -1.",
                .family = Family::loss, .home = "nn.functional", .method = false,
                .samples = "cosine_embedding_loss(A(3, 4), A(3, 4), sign(C(3)))", .integers = false) {
  const auto floating = [](const Tensor& t) { return is_floating(t.dtype()) ? t : t.to(default_dtype()); };
  const Tensor cosine = cosine_similarity(floating(input1), floating(input2), input1.rank() - 1);
  const Tensor alike = phlox::where(eq(target, 1), sub(1.0, cosine), 0);
  const Tensor unlike = phlox::where(eq(target, -1), clamp_min(sub(cosine, margin), 0.0), 0);
  return reduce_loss(add(alike, unlike), reduction, "cosine_embedding_loss");
}

PHLOX_OPERATION(
    Tensor, hinge_embedding_loss,
    (const Tensor& input, const Tensor& target, double margin = 1.0, const std::string& reduction = "mean"),
    .doc = "`input` where the target is 1, max(0, margin - input) where it is -1; their sum elsewhere.",
    .family = Family::loss, .home = "nn.functional", .method = false,
    .samples = "hinge_embedding_loss(A(3, 4), sign(C(3, 4)))", .integers = false) {
  const Tensor alike = phlox::where(ne(target, -1), input, 0);
  const Tensor unlike = phlox::where(ne(target, 1), clamp_min(sub(margin, input), 0.0), 0);
  return reduce_loss(add(alike, unlike), reduction, "hinge_embedding_loss");
}

PHLOX_OPERATION(
    Tensor, margin_ranking_loss,
    (const Tensor& input1, const Tensor& input2, const Tensor& target, double margin = 0.0,
     const std::string& reduction = "mean"),
    .doc = "max(0, -target * (input1 - input2) + margin): target 1 wants input1 to be larger, -1 smaller.",
    .family = Family::loss, .home = "nn.functional", .method = false,
    .samples = "margin_ranking_loss(A(4), A(4), sign(C(4)), margin=0.5)", .integers = false) {
  const Tensor losses = clamp_min(add(mul(neg(target), sub(input1, input2)), margin), 0.0);
  return reduce_loss(losses, reduction, "margin_ranking_loss");
}

PHLOX_OPERATION(
    Tensor, triplet_margin_loss,
    (const Tensor& anchor, const Tensor& positive, const Tensor& negative, double margin = 1.0,
     double p = 2.0, double eps = 1e-6, bool swap = false, const std::string& reduction = "mean"),
    .doc =
        "max(0, d(anchor, positive) - d(anchor, negative) + margin) with the p-norm distance along the "
        "last dimension; `swap` also considers d(positive, negative).",
    .source = "Schroff et al. 2015, arXiv:1503.03832", .family = Family::loss, .home = "nn.functional",
    .method = false, .samples = "triplet_margin_loss(A(3, 4), A(3, 4), A(3, 4))", .integers = false) {
  if (!(margin > 0))
    fail<ValueError>(ErrorCode::invalid_value, "triplet_margin_loss: margin is {}, not positive", margin)
        .raise();
  const Tensor near = pairwise_distance(anchor, positive, p, eps);
  Tensor far = pairwise_distance(anchor, negative, p, eps);
  if (swap) far = minimum(far, pairwise_distance(positive, negative, p, eps));
  return reduce_loss(clamp_min(add(sub(near, far), margin), 0.0), reduction, "triplet_margin_loss");
}

}  // namespace phlox
