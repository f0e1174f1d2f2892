// Attention with projections and heads, with the arguments of PyTorch's function and as one would write them today.
#include <cmath>
#include <limits>

#include "phlox/ops/functions.h"
#include "phlox/ops/operators.h"
#include "phlox/ops/registry/operation.h"

namespace phlox {
namespace {

struct Projection {
  Tensor weight;
  OptionalTensor bias;
};

// Three projections, one below the other in one weight or apart.
std::vector<Projection> projections(const Tensor& query, const Tensor& key, const Tensor& value,
                                    const TensorList& weights, const OptionalTensor& bias,
                                    const char* operation) {
  const std::int64_t width = query.size(-1);
  const TensorList parts = weights.size() == 1 && weights[0].rank() == 2 && weights[0].size(0) == 3 * width
                               ? chunk(weights[0], 3, 0)
                               : weights;
  const Tensor* inputs[] = {&query, &key, &value};
  bool fits = parts.size() == 3 && (!bias || bias->shape() == Shape{3 * width});
  for (std::size_t i = 0; fits && i < 3; ++i) fits = parts[i].shape() == Shape{width, inputs[i]->size(-1)};
  if (!fits)
    fail<ShapeError>(ErrorCode::sizes_differ,
                     "{}: the projections have the shape [{}, {}], or are three of [{}, width of the input]",
                     operation, 3 * width, width, width)
        .detail("query", describe(query))
        .detail("key", describe(key))
        .detail("value", describe(value))
        .detail("weight", weights.empty() ? std::string("none") : to_string(weights[0].shape()))
        .raise();
  std::vector<Projection> result;
  for (std::int64_t i = 0; i < 3; ++i)
    result.push_back({parts[static_cast<std::size_t>(i)],
                      bias ? OptionalTensor(narrow(*bias, 0, i * width, width)) : OptionalTensor()});
  return result;
}

// Masks that are added to the scores: 0 where a boolean one, which is true where attention is not allowed, is false.
Tensor additive(const Tensor& mask, DType dtype) {
  return mask.dtype() == DType::bool_
             ? where(mask, -std::numeric_limits<double>::infinity(), zeros({}, dtype, mask.device()))
             : mask.to(dtype);
}

// A mask for keys that were added behind the others: allowed for all.
Tensor with_more_keys(const Tensor& mask, std::int64_t count) {
  return count == 0 ? mask : pad(mask, {0, count});
}

}  // namespace

PHLOX_OPERATION(
    TensorPair, multi_head_attention_forward,
    (const Tensor& query, const Tensor& key, const Tensor& value, std::int64_t embed_dim_to_check,
     std::int64_t num_heads, const OptionalTensor& in_proj_weight, const OptionalTensor& in_proj_bias,
     const OptionalTensor& bias_k, const OptionalTensor& bias_v, bool add_zero_attn, double dropout_p,
     const Tensor& out_proj_weight, const OptionalTensor& out_proj_bias, bool training = true,
     const OptionalTensor& key_padding_mask = {}, bool need_weights = true,
     const OptionalTensor& attn_mask = {}, bool use_separate_proj_weight = false,
     const OptionalTensor& q_proj_weight = {}, const OptionalTensor& k_proj_weight = {},
     const OptionalTensor& v_proj_weight = {}, const OptionalTensor& static_k = {},
     const OptionalTensor& static_v = {}, bool average_attn_weights = true, bool is_causal = false),
    .doc =
        "multi_head_attention() with PyTorch's arguments: sequences [length, batch, width] or [length, width] give the output and, with need_weights, the weights [batch, length, keys], averaged over the heads "
        "or [batch, heads, length, keys]. Boolean masks are true where attention is *not* allowed.",
    .source = "Vaswani et al. 2017, arXiv:1706.03762", .family = Family::matmul, .home = "nn.functional",
    .method = false,
    .samples =
        "multi_head_attention_forward(A(3, 2, 4), A(5, 2, 4), A(5, 2, 4), 4, 2, A(12, 4), A(12), None, None, False, 0.0, "
        "A(4, 4), A(4)); multi_head_attention_forward(A(3, 4), A(5, 4), A(5, 4), 4, 2, A(12, 4), None, A(1, 1, 4), A(1, "
        "1, 4), True, 0.0, A(4, 4), None, attn_mask=A(3, 5), average_attn_weights=False)",
    .integers = false, .tolerance = 1e-4) {
  constexpr const char* name = "multi_head_attention_forward";
  if (query.rank() == 2 && key.rank() == 2 && value.rank() == 2) {
    const auto row = [](const OptionalTensor& mask) {
      return mask ? OptionalTensor(unsqueeze(*mask, 0)) : OptionalTensor();
    };
    const auto [output, weights] = multi_head_attention_forward(
        unsqueeze(query, 1), unsqueeze(key, 1), unsqueeze(value, 1), embed_dim_to_check, num_heads,
        in_proj_weight, in_proj_bias, bias_k, bias_v, add_zero_attn, dropout_p, out_proj_weight,
        out_proj_bias, training, row(key_padding_mask), need_weights, attn_mask, use_separate_proj_weight,
        q_proj_weight, k_proj_weight, v_proj_weight, static_k, static_v, average_attn_weights, is_causal);
    return {squeeze(output, 1), weights.defined() ? squeeze(weights, 0) : weights};
  }
  if (query.rank() != 3 || key.rank() != 3 || value.rank() != 3 || key.size(0) != value.size(0) ||
      key.size(1) != query.size(1) || value.size(1) != query.size(1) || query.size(2) != embed_dim_to_check ||
      num_heads < 1 || query.size(2) % num_heads != 0)
    fail<ShapeError>(ErrorCode::sizes_differ,
                     "{}: takes [length, batch, {}] with a width that the {} heads divide", name,
                     embed_dim_to_check, num_heads)
        .detail("query", describe(query))
        .detail("key", describe(key))
        .detail("value", describe(value))
        .raise();
  if (use_separate_proj_weight ? !q_proj_weight || !k_proj_weight || !v_proj_weight : !in_proj_weight)
    fail<ValueError>(ErrorCode::invalid_value, "{}: the weights of the projections are missing", name)
        .raise();
  const std::int64_t length = query.size(0), batch = query.size(1), width = query.size(2),
                     head_width = width / num_heads;
  const std::vector<Projection> in =
      projections(query, key, value,
                  use_separate_proj_weight ? TensorList{*q_proj_weight, *k_proj_weight, *v_proj_weight}
                                           : TensorList{*in_proj_weight},
                  in_proj_bias, name);
  const Tensor q = linear(query, in[0].weight, in[0].bias);
  Tensor k = linear(key, in[1].weight, in[1].bias), v = linear(value, in[2].weight, in[2].bias);
  std::int64_t more_keys = 0;
  if (bias_k && bias_v) {
    k = cat({k, expand(*bias_k, {1, batch, width})}, 0);
    v = cat({v, expand(*bias_v, {1, batch, width})}, 0);
    ++more_keys;
  }
  const auto heads = [&](const Tensor& t) {
    return permute(reshape(t, {t.size(0), batch, num_heads, head_width}), {1, 2, 0, 3});
  };
  const auto fixed_heads = [&](const OptionalTensor& fixed, const Tensor& t) {
    return fixed ? reshape(*fixed, {batch, num_heads, -1, head_width}) : heads(t);
  };
  const Tensor q_heads = heads(q);
  Tensor k_heads = fixed_heads(static_k, k), v_heads = fixed_heads(static_v, v);
  if (add_zero_attn) {
    const Tensor nothing = zeros({batch, num_heads, 1, head_width}, k.dtype(), k.device());
    k_heads = cat({k_heads, nothing}, 2);
    v_heads = cat({v_heads, nothing}, 2);
    ++more_keys;
  }
  const std::int64_t keys = k_heads.size(2);
  OptionalTensor mask;
  if (attn_mask) {
    Tensor m = additive(*attn_mask, q.dtype());
    if (m.rank() == 3) m = reshape(m, {batch, num_heads, m.size(1), m.size(2)});
    mask = with_more_keys(m, more_keys);
  } else if (is_causal) {
    const Tensor later = triu(ones({length, keys - more_keys}, DType::bool_, q.device()), 1);
    mask = with_more_keys(additive(later, q.dtype()), more_keys);
  }
  if (key_padding_mask) {
    const Tensor m = with_more_keys(additive(*key_padding_mask, q.dtype()), more_keys);
    const Tensor of_keys = reshape(m, {batch, 1, 1, keys});
    mask = mask ? *mask + of_keys : of_keys;
  }
  const double rate = training ? dropout_p : 0;
  Tensor output, weights;
  if (need_weights) {
    Tensor scores =
        matmul(q_heads * (1 / std::sqrt(static_cast<double>(head_width))), transpose(k_heads, -2, -1));
    if (mask) scores = scores + *mask;
    weights = softmax(scores, -1);
    if (rate > 0) weights = dropout(weights, rate);
    output = matmul(weights, v_heads);
    if (average_attn_weights) weights = mean(weights, DimList(1));
  } else {
    output = scaled_dot_product_attention(q_heads, k_heads, v_heads, mask, rate);
  }
  const Tensor joined = reshape(permute(output, {2, 0, 1, 3}), {length, batch, width});
  return {linear(joined, out_proj_weight, out_proj_bias), weights};
}

PHLOX_OPERATION(
    Tensor, multi_head_attention,
    (const Tensor& query, const Tensor& key, const Tensor& value, std::int64_t num_heads,
     const Tensor& in_proj_weight, const OptionalTensor& in_proj_bias = {},
     const OptionalTensor& out_proj_weight = {}, const OptionalTensor& out_proj_bias = {},
     const OptionalTensor& attn_mask = {}, double dropout_p = 0.0, bool is_causal = false),
    .doc =
        "Attention in `num_heads` parts of the width: query [..., length, width], key and value [..., keys, width] are projected with in_proj_weight [3 width, width], parted into heads, attended with "
        "scaled_dot_product_attention(), whose masks it takes ([..., 1 or heads, length, keys]), joined and projected with out_proj_weight [width, width].",
    .source = "Vaswani et al. 2017, arXiv:1706.03762", .family = Family::matmul, .home = "nn.functional",
    .method = false,
    .samples =
        "multi_head_attention(A(2, 3, 4), A(2, 5, 4), A(2, 5, 4), 2, A(12, 4), A(12), A(4, 4), A(4)); "
        "multi_head_attention(A(3, 4), A(3, 4), A(3, 4), 4, A(12, 4), is_causal=True)",
    .integers = false, .tolerance = 1e-4) {
  if (query.rank() < 2 || key.rank() < 2 || value.rank() < 2 || num_heads < 1 ||
      query.size(-1) % num_heads != 0)
    fail<ShapeError>(ErrorCode::sizes_differ,
                     "multi_head_attention: takes [..., length, width] with a width that {} heads divide",
                     num_heads)
        .detail("query", describe(query))
        .detail("key", describe(key))
        .detail("value", describe(value))
        .raise();
  const std::vector<Projection> in =
      projections(query, key, value, {in_proj_weight}, in_proj_bias, "multi_head_attention");
  const auto heads = [&](const Tensor& t, const Projection& p) {
    return transpose(unflatten(linear(t, p.weight, p.bias), -1, {num_heads, query.size(-1) / num_heads}), -3,
                     -2);
  };
  const Tensor attended = scaled_dot_product_attention(heads(query, in[0]), heads(key, in[1]),
                                                       heads(value, in[2]), attn_mask, dropout_p, is_causal);
  const Tensor joined = flatten(transpose(attended, -3, -2), -2, -1);
  return out_proj_weight ? linear(joined, *out_proj_weight, out_proj_bias) : joined;
}

}  // namespace phlox
