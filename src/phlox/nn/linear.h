// Layers that multiply with a matrix, and those that only change the shape.
#pragma once

#include "phlox/nn/module.h"

namespace phlox::nn {

// Settings of Linear and Bilinear.
struct LinearOptions {
  bool bias = true;  // whether something is added to the product
};

// y = x W^T + b. Input [..., in_features], output [..., out_features]; weight [out, in], bias [out], both drawn from
// U(-1/sqrt(in), 1/sqrt(in)).
class Linear : public Module {
 public:
  // Throws ValueError for negative sizes.
  Linear(std::int64_t in_features, std::int64_t out_features, LinearOptions options = {});
  Linear(Module* parent, const std::string& name, std::int64_t in_features, std::int64_t out_features,
         LinearOptions options = {});
  Tensor forward(Tensor input) override;
  std::string settings() const override;
  // Draws weight and bias anew.
  void reset_parameters();

  Tensor weight, bias;  // [out, in] and [out]; bias is undefined without one
};

// y_k = x1^T W_k x2 + b_k. Inputs [..., in1] and [..., in2], output [..., out]; weight [out, in1, in2].
class Bilinear : public Module {
 public:
  // Both inputs may have sizes of their own.
  Bilinear(std::int64_t in1_features, std::int64_t in2_features, std::int64_t out_features,
           LinearOptions options = {});
  Bilinear(Module* parent, const std::string& name, std::int64_t in1_features, std::int64_t in2_features,
           std::int64_t out_features, LinearOptions options = {});
  using Module::forward;
  // The value for two inputs with equal leading dimensions.
  virtual Tensor forward(Tensor input1, Tensor input2);
  // Runs forward(); hooks are for modules of one input.
  Tensor operator()(const Tensor& input1, const Tensor& input2) { return forward(input1, input2); }
  std::string settings() const override;

  Tensor weight, bias;  // [out, in1, in2] and [out]
};

// Settings of Embedding.
struct EmbeddingOptions {
  OptionalInt padding_idx = {};  // a row that starts as zeros and gets no gradient
};

// Rows of a table by their index: input i64[...], output [..., dimension]. The table is drawn from N(0, 1).
class Embedding : public Module {
 public:
  // A table of `count` rows of size `dimension`.
  Embedding(std::int64_t count, std::int64_t dimension, EmbeddingOptions options = {});
  Embedding(Module* parent, const std::string& name, std::int64_t count, std::int64_t dimension,
            EmbeddingOptions options = {});
  Tensor forward(Tensor input) override;
  std::string settings() const override;

  Tensor weight;                   // [count, dimension]
  const EmbeddingOptions options;  // as they were given
};

// Gives its input; a place that another layer may take.
class Identity : public Module {
 public:
  Identity() = default;
  Identity(Module* parent, const std::string& name) : Module(parent, name) {}
  Tensor forward(Tensor input) override { return input; }
};

// Joins the dimensions from start_dim to end_dim.
class Flatten : public Module {
 public:
  // Dimensions may count from the end; by default all but the batch are joined.
  explicit Flatten(std::int64_t start_dim = 1, std::int64_t end_dim = -1)
      : start_(start_dim), end_(end_dim) {}
  Flatten(Module* parent, const std::string& name, std::int64_t start_dim = 1, std::int64_t end_dim = -1)
      : Module(parent, name), start_(start_dim), end_(end_dim) {}
  Tensor forward(Tensor input) override;
  std::string settings() const override;

 private:
  std::int64_t start_, end_;
};

// Cuts one dimension into several.
class Unflatten : public Module {
 public:
  // `sizes` multiply to the size of `dim`; one of them may be -1.
  Unflatten(std::int64_t dim, const Shape& sizes) : dim_(dim), sizes_(sizes) {}
  Unflatten(Module* parent, const std::string& name, std::int64_t dim, const Shape& sizes)
      : Module(parent, name), dim_(dim), sizes_(sizes) {}
  Tensor forward(Tensor input) override;
  std::string settings() const override;

 private:
  std::int64_t dim_;
  Shape sizes_;
};

}  // namespace phlox::nn
