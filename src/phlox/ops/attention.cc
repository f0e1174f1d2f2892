// Attention, written with products and a softmax.
#include <cmath>
#include <limits>

#include "phlox/ops/functions.h"
#include "phlox/ops/registry/operation.h"

namespace phlox {

PHLOX_OPERATION(
    Tensor, scaled_dot_product_attention,
    (const Tensor& query, const Tensor& key, const Tensor& value, const OptionalTensor& attn_mask = {},
     double dropout_p = 0.0, bool is_causal = false, OptionalDouble scale = {}, bool enable_gqa = false),
    .doc =
        "softmax(query key.T scale + mask) value: query [..., length, width], key and value [..., keys, "
        "width]. A boolean mask is true where attention is allowed, any other is added; `is_causal` allows "
        "what is not later. Weights are dropped with probability `dropout_p`. `scale` is 1 / sqrt(width) when not given. With enable_gqa groups of query heads "
        "(dimension -3) share a key head.",
    .source = "Vaswani et al. 2017, arXiv:1706.03762", .family = Family::matmul, .home = "nn.functional",
    .method = false,
    .samples =
        "scaled_dot_product_attention(A(2, 3, 4, 5), A(2, 3, 6, 5), A(2, 3, 6, 7)); "
        "scaled_dot_product_attention(A(3, 4, 5), A(3, 4, 5), A(3, 4, 5), is_causal=True); "
        "scaled_dot_product_attention(A(2, 4, 3), A(2, 5, 3), A(2, 5, 3), B(4, 5), scale=0.5)",
    .integers = false, .tolerance = 1e-4, .autocast = AutocastClass::lower_precision) {
  if (query.rank() < 2 || key.rank() < 2 || value.rank() < 2)
    fail<ShapeError>(ErrorCode::wrong_rank,
                     "scaled_dot_product_attention: needs at least 2 dimensions, length and width")
        .detail("query", describe(query))
        .detail("key", describe(key))
        .detail("value", describe(value))
        .raise();
  if (is_causal && attn_mask)
    fail<ValueError>(ErrorCode::invalid_value,
                     "scaled_dot_product_attention: attn_mask and is_causal exclude each other")
        .hint("put the causal part into the mask")
        .raise();
  Tensor keys = key, values = value;
  if (enable_gqa && query.rank() > 2 && key.rank() > 2 && value.rank() > 2) {
    if (query.size(-3) % key.size(-3) != 0 || query.size(-3) % value.size(-3) != 0)
      fail<ShapeError>(ErrorCode::sizes_differ,
                       "scaled_dot_product_attention: {} query heads do not divide among {} key heads",
                       query.size(-3), key.size(-3))
          .detail("query", describe(query))
          .detail("key", describe(key))
          .raise();
    keys = repeat_interleave(key, query.size(-3) / key.size(-3), -3);
    values = repeat_interleave(value, query.size(-3) / value.size(-3), -3);
  }
  const double factor = scale.value_or(1 / std::sqrt(static_cast<double>(query.size(-1))));
  Tensor scores = matmul(mul(query, factor), transpose(keys, -2, -1));
  const double never = -std::numeric_limits<double>::infinity();
  if (is_causal) {
    const Tensor allowed = tril(ones({query.size(-2), key.size(-2)}, DType::bool_, query.device()));
    scores = where(allowed, scores, never);
  } else if (attn_mask) {
    scores = attn_mask->dtype() == DType::bool_ ? where(*attn_mask, scores, never) : add(scores, *attn_mask);
  }
  const Tensor weights = softmax(scores, -1);
  return matmul(dropout_p == 0 ? weights : dropout(weights, dropout_p), values);
}

}  // namespace phlox
