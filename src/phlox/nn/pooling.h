// Pooling: the largest or the mean value of a window that moves over the spatial dimensions, input [N, C, spatial...].
#pragma once

#include "phlox/nn/module.h"

namespace phlox::nn {

// One number stands for all dimensions. Without a stride windows lie side by side.
struct MaxPoolOptions {
  OptionalDims stride = {};
  DimList padding = 0;
  DimList dilation = 1;
  bool ceil_mode = false;
};

struct AvgPoolOptions {
  OptionalDims stride = {};
  DimList padding = 0;
  bool ceil_mode = false;
  bool count_include_pad = true;
};

template <int dimensions>
class MaxPool : public Module {
 public:
  explicit MaxPool(const DimList& kernel, const MaxPoolOptions& options = {})
      : kernel_(kernel), options_(options) {}
  MaxPool(Module* parent, const std::string& name, const DimList& kernel, const MaxPoolOptions& options = {})
      : Module(parent, name), kernel_(kernel), options_(options) {}
  Tensor forward(Tensor input) override;
  std::string settings() const override;

 private:
  DimList kernel_;
  MaxPoolOptions options_;
};
struct MaxPool1d : MaxPool<1> {
  using MaxPool::MaxPool;
};
struct MaxPool2d : MaxPool<2> {
  using MaxPool::MaxPool;
};
struct MaxPool3d : MaxPool<3> {
  using MaxPool::MaxPool;
};

template <int dimensions>
class AvgPool : public Module {
 public:
  explicit AvgPool(const DimList& kernel, const AvgPoolOptions& options = {})
      : kernel_(kernel), options_(options) {}
  AvgPool(Module* parent, const std::string& name, const DimList& kernel, const AvgPoolOptions& options = {})
      : Module(parent, name), kernel_(kernel), options_(options) {}
  Tensor forward(Tensor input) override;
  std::string settings() const override;

 private:
  DimList kernel_;
  AvgPoolOptions options_;
};
struct AvgPool1d : AvgPool<1> {
  using AvgPool::AvgPool;
};
struct AvgPool2d : AvgPool<2> {
  using AvgPool::AvgPool;
};
struct AvgPool3d : AvgPool<3> {
  using AvgPool::AvgPool;
};

// Windows chosen so that the output has the given size along each dimension.
template <int dimensions>
class AdaptiveMaxPool : public Module {
 public:
  explicit AdaptiveMaxPool(const DimList& output_size) : output_size_(output_size) {}
  AdaptiveMaxPool(Module* parent, const std::string& name, const DimList& output_size)
      : Module(parent, name), output_size_(output_size) {}
  Tensor forward(Tensor input) override;
  std::string settings() const override;

 private:
  DimList output_size_;
};
struct AdaptiveMaxPool1d : AdaptiveMaxPool<1> {
  using AdaptiveMaxPool::AdaptiveMaxPool;
};
struct AdaptiveMaxPool2d : AdaptiveMaxPool<2> {
  using AdaptiveMaxPool::AdaptiveMaxPool;
};
struct AdaptiveMaxPool3d : AdaptiveMaxPool<3> {
  using AdaptiveMaxPool::AdaptiveMaxPool;
};

template <int dimensions>
class AdaptiveAvgPool : public Module {
 public:
  explicit AdaptiveAvgPool(const DimList& output_size) : output_size_(output_size) {}
  AdaptiveAvgPool(Module* parent, const std::string& name, const DimList& output_size)
      : Module(parent, name), output_size_(output_size) {}
  Tensor forward(Tensor input) override;
  std::string settings() const override;

 private:
  DimList output_size_;
};
struct AdaptiveAvgPool1d : AdaptiveAvgPool<1> {
  using AdaptiveAvgPool::AdaptiveAvgPool;
};
struct AdaptiveAvgPool2d : AdaptiveAvgPool<2> {
  using AdaptiveAvgPool::AdaptiveAvgPool;
};
struct AdaptiveAvgPool3d : AdaptiveAvgPool<3> {
  using AdaptiveAvgPool::AdaptiveAvgPool;
};

}  // namespace phlox::nn
