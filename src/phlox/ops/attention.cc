// Attention: softmax(query key.T) value, whole or block by block, with heads, and the rotation that encodes positions.
#include <algorithm>
#include <cmath>
#include <limits>

#include "phlox/core/mode.h"
#include "phlox/core/recording.h"
#include "phlox/core/saved_tensor.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/operators.h"
#include "phlox/ops/registry/operation.h"

namespace phlox {
namespace {

constexpr double minus_infinity = -std::numeric_limits<double>::infinity();

// Above so many scores they are computed block by block; a block has at most so many.
constexpr std::int64_t whole_scores = std::int64_t{1} << 22, block_scores = std::int64_t{1} << 20;

struct AttentionOptions {
  bool is_causal;
  double scale;
};

// Rows of the scores, from `first` on: queries [..., rows, width], the first `keys` keys.
Tensor weights_of_rows(const Tensor& query, const Tensor& key, const OptionalTensor& mask,
                       const AttentionOptions& options, std::int64_t first) {
  Tensor scores = matmul(query * options.scale, transpose(key, -2, -1));
  if (options.is_causal) {
    const Tensor allowed = tril(ones({query.size(-2), key.size(-2)}, DType::bool_, query.device()), first);
    scores = where(allowed, scores, minus_infinity);
  }
  if (!mask) return softmax(scores, -1);
  return softmax(mask->dtype() == DType::bool_ ? where(*mask, scores, minus_infinity) : scores + *mask, -1);
}

// What a block of rows sees.
struct Block {
  std::int64_t first, rows, keys;
};

std::vector<Block> blocks_for(const Tensor& query, const Tensor& key, bool is_causal) {
  std::int64_t matrices = 1;
  for (int d = 0; d < query.rank() - 2; ++d) matrices *= query.size(d);
  const std::int64_t length = query.size(-2), keys = key.size(-2);
  const std::int64_t rows =
      std::clamp<std::int64_t>(block_scores / std::max<std::int64_t>(matrices * keys, 1), 16, length);
  std::vector<Block> blocks;
  for (std::int64_t first = 0; first < length; first += rows) {
    const std::int64_t count = std::min(rows, length - first);
    blocks.push_back({first, count, is_causal ? std::min(keys, first + count) : keys});
  }
  return blocks;
}

OptionalTensor mask_of(const OptionalTensor& mask, const Block& block) {
  if (!mask || mask->rank() < 2) return mask;
  return mask->size(-2) == 1 ? mask : narrow(*mask, -2, block.first, block.rows);
}

Tensor attention_by_blocks(const Tensor& query, const Tensor& key, const Tensor& value,
                           const OptionalTensor& mask, const AttentionOptions& options) {
  TensorList parts;
  for (const Block& b : blocks_for(query, key, options.is_causal)) {
    const Tensor weights = weights_of_rows(narrow(query, -2, b.first, b.rows), narrow(key, -2, 0, b.keys),
                                           mask_of(mask, b), options, b.first);
    parts.push_back(matmul(weights, narrow(value, -2, 0, b.keys)));
  }
  return cat(parts, -2);
}

// The gradient computes the weights of each block again instead of keeping them.
class BlockAttentionNode final : public GradientNode {
 public:
  BlockAttentionNode(const Tensor& query, const Tensor& key, const Tensor& value, const OptionalTensor& mask,
                     const AttentionOptions& options)
      : GradientNode("scaled_dot_product_attention", 3), mask_(mask), options_(options) {
    edges()[0] = gradient_edge(query);
    edges()[1] = gradient_edge(key);
    edges()[2] = gradient_edge(value);
    query_ = SavedTensor(query, this);
    key_ = SavedTensor(key, this);
    value_ = SavedTensor(value, this);
  }

  void backward(std::span<const Tensor> output_gradients, std::span<Tensor> input_gradients) override {
    if (!output_gradients[0].defined()) return;
    const Tensor query = query_.get(*this), key = key_.get(*this), value = value_.get(*this);
    const std::int64_t keys = key.size(-2);
    TensorList of_query;
    Tensor of_key, of_value;
    const auto accumulate = [keys](Tensor& total, const Tensor& part) {
      const Tensor whole = part.size(-2) == keys ? part : pad(part, {0, 0, 0, keys - part.size(-2)});
      total = total.defined() ? total + whole : whole;
    };
    for (const Block& b : blocks_for(query, key, options_.is_causal)) {
      const Tensor q = narrow(query, -2, b.first, b.rows), k = narrow(key, -2, 0, b.keys),
                   v = narrow(value, -2, 0, b.keys);
      const Tensor gradient = narrow(output_gradients[0], -2, b.first, b.rows);
      const Tensor weights = weights_of_rows(q, k, mask_of(mask_, b), options_, b.first);
      if (wants(2)) accumulate(of_value, matmul(transpose(weights, -2, -1), gradient));
      if (!wants(0) && !wants(1)) continue;
      const Tensor of_weights = matmul(gradient, transpose(v, -2, -1));
      const Tensor of_scores =
          weights * (of_weights - sum(of_weights * weights, DimList(-1), true)) * options_.scale;
      if (wants(0)) of_query.push_back(matmul(of_scores, k));
      if (wants(1)) accumulate(of_key, matmul(transpose(of_scores, -2, -1), q));
    }
    if (wants(0)) input_gradients[0] = cat(of_query, -2);
    if (wants(1)) input_gradients[1] = of_key;
    if (wants(2)) input_gradients[2] = of_value;
  }
  void release_saved() override {
    query_.release();
    key_.release();
    value_.release();
  }
  bool released() const override { return query_.released(); }

 private:
  OptionalTensor mask_;
  AttentionOptions options_;
  SavedTensor query_, key_, value_;
};

// A mask that allows each row something, and which rows it allowed something before, [..., rows or 1, 1]: the others
// attend to nothing, where a softmax would give NaN.
struct RowMask {
  OptionalTensor mask;
  Tensor some;
};

RowMask without_empty_rows(const OptionalTensor& mask) {
  if (!mask || mask->rank() == 0) return {mask, {}};
  const bool allows = mask->dtype() == DType::bool_;
  const Tensor some = any(allows ? *mask : gt(mask->detach(), minus_infinity), DimList(-1), true);
  return {allows ? logical_or(*mask, logical_not(some)) : where(some, *mask, 0), some};
}

// The same heads for groups of queries: [..., heads, length, width] with each head repeated.
Tensor repeat_heads(const Tensor& t, std::int64_t heads) {
  return t.size(-3) == heads ? t : repeat_interleave(t, heads / t.size(-3), -3);
}

}  // namespace

PHLOX_OPERATION(
    Tensor, scaled_dot_product_attention,
    (const Tensor& query, const Tensor& key, const Tensor& value, const OptionalTensor& attn_mask = {},
     double dropout_p = 0.0, bool is_causal = false, OptionalDouble scale = {}, bool enable_gqa = false),
    .doc =
        "softmax(query key.T scale + mask) value: query [..., length, width], key and value [..., keys, "
        "width]. A boolean mask is true where attention is allowed, any other is added; `is_causal` allows "
        "what is not later. Weights are dropped with probability `dropout_p`. `scale` is 1 / sqrt(width) when not given. With enable_gqa groups of query heads "
        "(dimension -3) share a key head. Long sequences are computed block by block, forward and backward, and need no memory for all scores.",
    .source = "Vaswani et al. 2017, arXiv:1706.03762; by blocks: Rabe, Staats 2021, arXiv:2112.05682",
    .family = Family::matmul, .home = "nn.functional", .method = false,
    .samples =
        "scaled_dot_product_attention(A(2, 3, 4, 5), A(2, 3, 6, 5), A(2, 3, 6, 7)); "
        "scaled_dot_product_attention(A(3, 4, 5), A(3, 4, 5), A(3, 4, 5), is_causal=True); "
        "scaled_dot_product_attention(A(2, 4, 3), A(2, 5, 3), A(2, 5, 3), B(4, 5), scale=0.5); "
        "scaled_dot_product_attention(A(4, 3, 2), A(2, 3, 2), A(2, 3, 2), enable_gqa=True)",
    .integers = false, .tolerance = 1e-4, .autocast = AutocastClass::lower_precision) {
  if (query.rank() < 2 || key.rank() < 2 || value.rank() < 2)
    fail<ShapeError>(ErrorCode::wrong_rank,
                     "scaled_dot_product_attention: needs at least 2 dimensions, length and width")
        .detail("query", describe(query))
        .detail("key", describe(key))
        .detail("value", describe(value))
        .raise();
  if (query.size(-1) != key.size(-1) || key.size(-2) != value.size(-2))
    fail<ShapeError>(ErrorCode::inner_sizes_differ,
                     "scaled_dot_product_attention: query and key have one width, key and value one length")
        .detail("query", describe(query))
        .detail("key", describe(key))
        .detail("value", describe(value))
        .raise();
  if (is_causal && attn_mask)
    fail<ValueError>(ErrorCode::invalid_value,
                     "scaled_dot_product_attention: attn_mask and is_causal exclude each other")
        .hint("put the causal part into the mask")
        .raise();
  if (dropout_p < 0 || dropout_p > 1)
    fail<ValueError>(ErrorCode::invalid_value, "scaled_dot_product_attention: {} is not a probability",
                     dropout_p)
        .raise();
  Tensor keys = key, values = value;
  if (enable_gqa && query.rank() > 2 && key.rank() > 2 && value.rank() > 2) {
    const std::int64_t heads = query.size(-3);
    if (key.size(-3) < 1 || value.size(-3) < 1 || heads % key.size(-3) != 0 || heads % value.size(-3) != 0)
      fail<ShapeError>(ErrorCode::sizes_differ,
                       "scaled_dot_product_attention: {} query heads do not divide among {} key heads", heads,
                       key.size(-3))
          .detail("query", describe(query))
          .detail("key", describe(key))
          .raise();
    keys = repeat_heads(key, heads);
    values = repeat_heads(value, heads);
  }
  const AttentionOptions options{is_causal,
                                 scale.value_or(1 / std::sqrt(static_cast<double>(query.size(-1))))};
  // By blocks where the leading dimensions agree, so that gradients need not be summed over broadcast ones.
  Shape leading = query.shape(), others = keys.shape(), of_values = values.shape();
  for (Shape* shape : {&leading, &others, &of_values}) shape->resize(shape->size() - 2);
  const std::int64_t scores = element_count(leading) * query.size(-2) * keys.size(-2);
  const auto [mask, some] = without_empty_rows(attn_mask);
  Tensor result;
  if (scores <= whole_scores || dropout_p > 0 || leading != others || leading != of_values ||
      (mask && needs_gradient(*mask))) {
    const Tensor weights = weights_of_rows(query, keys, mask, options, 0);
    result = matmul(dropout_p == 0 ? weights : dropout(weights, dropout_p), values);
  } else {
    result = attention_by_blocks(query.detach(), keys.detach(), values.detach(), mask, options);
    if (needs_gradient(query) || needs_gradient(keys) || needs_gradient(values))
      set_history(result,
                  Reference<GradientNode>::adopt(new BlockAttentionNode(query, keys, values, mask, options)));
  }
  return some.defined() ? where(some, result, 0) : result;
}

PHLOX_OPERATION(
    Tensor, rotary_embedding,
    (const Tensor& input, const Tensor& cos_cache, const Tensor& sin_cache,
     const OptionalTensor& position_ids = {}, bool interleaved = false, std::int64_t rotary_embedding_dim = 0,
     std::int64_t num_heads = 0),
    .doc =
        "Rotates pairs of the last dimension by angles that grow with the position, so that products of queries and keys depend on their distance. input [batch, heads, length, width], or "
        "[batch, length, heads * width] with num_heads; caches [positions, half the rotated width], picked by position_ids [batch, length], or [batch, length, half] without. Pairs are (i, i + half), with "
        "`interleaved` neighbours; only the first rotary_embedding_dim elements turn when it is given.",
    .source = "Su et al. 2021, arXiv:2104.09864; ONNX RotaryEmbedding", .family = Family::matmul,
    .home = "nn.functional", .method = false,
    .samples =
        "rotary_embedding(A(2, 3, 4, 6), C(9, 3), C(9, 3), I(9, 2, 4)); rotary_embedding(A(1, 4, 12), C(1, 4, 2), C(1, "
        "4, 2), interleaved=True, rotary_embedding_dim=4, num_heads=2)",
    .integers = false) {
  const bool flat = input.rank() == 3;
  if ((!flat && input.rank() != 4) || (flat && (num_heads < 1 || input.size(2) % num_heads != 0)))
    fail<ShapeError>(
        ErrorCode::wrong_rank,
        "rotary_embedding: takes [batch, heads, length, width], or [batch, length, heads * width] with "
        "num_heads")
        .detail("input", describe(input))
        .raise();
  const Tensor heads =
      flat ? transpose(unflatten(input, 2, {num_heads, input.size(2) / num_heads}), 1, 2) : input;
  const std::int64_t width = heads.size(3), turned = rotary_embedding_dim > 0 ? rotary_embedding_dim : width;
  const auto angles = [&](const Tensor& cache) {
    return unsqueeze(position_ids ? reshape(index_select(cache, 0, reshape(*position_ids, {-1})),
                                            {position_ids->size(0), position_ids->size(1), cache.size(-1)})
                                  : cache,
                     1);
  };
  if (turned > width || turned % 2 != 0 || cos_cache.rank() != (position_ids ? 2 : 3) ||
      cos_cache.shape() != sin_cache.shape() || cos_cache.size(-1) != turned / 2 ||
      (position_ids && position_ids->rank() != 2))
    fail<ShapeError>(
        ErrorCode::sizes_differ,
        "rotary_embedding: the caches have the shape [positions, {0}] with position_ids [batch, length], or "
        "[batch, length, {0}]",
        turned / 2)
        .detail("input", describe(input))
        .detail("cos_cache", describe(cos_cache))
        .detail("sin_cache", describe(sin_cache))
        .raise();
  const Tensor cosine = angles(cos_cache), sine = angles(sin_cache), part = narrow(heads, 3, 0, turned);
  const Tensor pairs =
      interleaved ? unflatten(part, 3, {turned / 2, 2}) : unflatten(part, 3, {2, turned / 2});
  const int pair_dim = interleaved ? 4 : 3;
  const Tensor x = select(pairs, pair_dim, 0), y = select(pairs, pair_dim, 1);
  Tensor result = flatten(stack({x * cosine - y * sine, x * sine + y * cosine}, pair_dim), 3, 4);
  if (turned < width) result = cat({result, narrow(heads, 3, turned, width - turned)}, 3);
  return flat ? flatten(transpose(result, 1, 2), 2, 3) : result;
}

}  // namespace phlox
