#include "phlox/nn/linear.h"

#include <fmt/format.h>

#include <cmath>

#include "phlox/core/mode.h"
#include "phlox/nn/init.h"
#include "phlox/ops/functions.h"

namespace phlox::nn {
namespace {

void check_features(const char* layer, std::int64_t in, std::int64_t out) {
  if (in >= 0 && out >= 0) return;
  fail<ValueError>(ErrorCode::invalid_value,
                   "{}: numbers of features must not be negative, {} and {} are given", layer, in, out)
      .raise();
}

void draw_uniform(const Tensor& tensor, std::int64_t fan_in) {
  const double bound = fan_in > 0 ? 1 / std::sqrt(static_cast<double>(fan_in)) : 0;
  init::uniform_(tensor, -bound, bound);
}

Tensor new_parameter(const Shape& shape) { return make_parameter(make_tensor(shape, default_dtype())); }

}  // namespace

Linear::Linear(std::int64_t in_features, std::int64_t out_features, LinearOptions options) {
  check_features("Linear", in_features, out_features);
  weight = new_parameter({out_features, in_features});
  if (options.bias) bias = new_parameter({out_features});
  register_parameter("weight", &weight);
  register_parameter("bias", &bias);
  reset_parameters();
}

Linear::Linear(Module* parent, const std::string& name, std::int64_t in_features, std::int64_t out_features,
               LinearOptions options)
    : Linear(in_features, out_features, options) {
  parent->register_module(name, *this);
}

void Linear::reset_parameters() {
  draw_uniform(weight, weight.size(1));
  if (bias.defined()) draw_uniform(bias, weight.size(1));
}

Tensor Linear::forward(Tensor input) {
  return linear(input, weight, bias.defined() ? OptionalTensor(bias) : OptionalTensor());
}

std::string Linear::settings() const {
  return fmt::format("{}, {}, bias={}", weight.size(1), weight.size(0), bias.defined());
}

Bilinear::Bilinear(std::int64_t in1_features, std::int64_t in2_features, std::int64_t out_features,
                   LinearOptions options) {
  check_features("Bilinear", std::min(in1_features, in2_features), out_features);
  weight = new_parameter({out_features, in1_features, in2_features});
  if (options.bias) bias = new_parameter({out_features});
  register_parameter("weight", &weight);
  register_parameter("bias", &bias);
  draw_uniform(weight, in1_features);
  if (bias.defined()) draw_uniform(bias, in1_features);
}

Bilinear::Bilinear(Module* parent, const std::string& name, std::int64_t in1_features,
                   std::int64_t in2_features, std::int64_t out_features, LinearOptions options)
    : Bilinear(in1_features, in2_features, out_features, options) {
  parent->register_module(name, *this);
}

Tensor Bilinear::forward(Tensor input1, Tensor input2) {
  return bilinear(input1, input2, weight, bias.defined() ? OptionalTensor(bias) : OptionalTensor());
}

std::string Bilinear::settings() const {
  return fmt::format("{}, {}, {}, bias={}", weight.size(1), weight.size(2), weight.size(0), bias.defined());
}

Embedding::Embedding(std::int64_t count, std::int64_t dimension, EmbeddingOptions embedding_options)
    : options(embedding_options) {
  check_features("Embedding", count, dimension);
  weight = new_parameter({count, dimension});
  register_parameter("weight", &weight);
  init::normal_(weight);
  if (!options.padding_idx) return;
  std::int64_t row = *options.padding_idx;
  if (row < -count || row >= count) {
    fail<IndexError>(ErrorCode::index_out_of_range, "Embedding: padding_idx {} is outside of {} rows", row,
                     count)
        .raise();
  }
  NoGrad guard;
  zero_(select(weight, 0, row));
}

Embedding::Embedding(Module* parent, const std::string& name, std::int64_t count, std::int64_t dimension,
                     EmbeddingOptions embedding_options)
    : Embedding(count, dimension, embedding_options) {
  parent->register_module(name, *this);
}

Tensor Embedding::forward(Tensor input) { return embedding(input, weight, options.padding_idx); }

std::string Embedding::settings() const { return fmt::format("{}, {}", weight.size(0), weight.size(1)); }

Tensor Flatten::forward(Tensor input) { return flatten(input, start_, end_); }
std::string Flatten::settings() const { return fmt::format("start_dim={}, end_dim={}", start_, end_); }

Tensor Unflatten::forward(Tensor input) { return unflatten(input, dim_, sizes_); }
std::string Unflatten::settings() const {
  return fmt::format("dim={}, sizes=[{}]", dim_, phlox::to_string(sizes_));
}

}  // namespace phlox::nn
