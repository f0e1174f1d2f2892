// Pooling: the largest or the mean value of a window that moves over the spatial dimensions, input [N, C, spatial...].
#pragma once

#include "phlox/nn/module.h"

namespace phlox::nn {

// One number stands for all dimensions. Without a stride windows lie side by side.
struct MaxPoolOptions {
  OptionalDims stride = {};  // step from window to window; the kernel's size when not given
  DimList padding = 0;       // places around the input that never are the largest
  DimList dilation = 1;      // distance of the elements of a window
  bool ceil_mode = false;    // windows that only start inside count as well
};

// The same for means.
struct AvgPoolOptions {
  OptionalDims stride = {};       // step from window to window; the kernel's size when not given
  DimList padding = 0;            // zeros around the input
  bool ceil_mode = false;         // windows that only start inside count as well
  bool count_include_pad = true;  // whether those zeros count in the mean
};

// The largest element of each window.
template <int dimensions>
class MaxPool : public Module {
 public:
  // `kernel` is the size of the windows.
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
// Over signals [N, C, length].
struct MaxPool1d : MaxPool<1> {
  using MaxPool::MaxPool;
};
// Over images [N, C, height, width].
struct MaxPool2d : MaxPool<2> {
  using MaxPool::MaxPool;
};
// Over volumes [N, C, depth, height, width].
struct MaxPool3d : MaxPool<3> {
  using MaxPool::MaxPool;
};

// The mean of each window.
template <int dimensions>
class AvgPool : public Module {
 public:
  // `kernel` is the size of the windows.
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
// Over signals [N, C, length].
struct AvgPool1d : AvgPool<1> {
  using AvgPool::AvgPool;
};
// Over images [N, C, height, width].
struct AvgPool2d : AvgPool<2> {
  using AvgPool::AvgPool;
};
// Over volumes [N, C, depth, height, width].
struct AvgPool3d : AvgPool<3> {
  using AvgPool::AvgPool;
};

// Windows chosen so that the output has the given size along each dimension.
template <int dimensions>
class AdaptiveMaxPool : public Module {
 public:
  // `output_size`: one number for all dimensions or one for each; -1 keeps the size of the input.
  explicit AdaptiveMaxPool(const DimList& output_size) : output_size_(output_size) {}
  AdaptiveMaxPool(Module* parent, const std::string& name, const DimList& output_size)
      : Module(parent, name), output_size_(output_size) {}
  Tensor forward(Tensor input) override;
  std::string settings() const override;

 private:
  DimList output_size_;
};
// Over signals [N, C, length].
struct AdaptiveMaxPool1d : AdaptiveMaxPool<1> {
  using AdaptiveMaxPool::AdaptiveMaxPool;
};
// Over images [N, C, height, width].
struct AdaptiveMaxPool2d : AdaptiveMaxPool<2> {
  using AdaptiveMaxPool::AdaptiveMaxPool;
};
// Over volumes [N, C, depth, height, width].
struct AdaptiveMaxPool3d : AdaptiveMaxPool<3> {
  using AdaptiveMaxPool::AdaptiveMaxPool;
};

// The same with means: AdaptiveAvgPool2d(1) is the mean of each channel.
template <int dimensions>
class AdaptiveAvgPool : public Module {
 public:
  // `output_size`, likewise.
  explicit AdaptiveAvgPool(const DimList& output_size) : output_size_(output_size) {}
  AdaptiveAvgPool(Module* parent, const std::string& name, const DimList& output_size)
      : Module(parent, name), output_size_(output_size) {}
  Tensor forward(Tensor input) override;
  std::string settings() const override;

 private:
  DimList output_size_;
};
// Over signals [N, C, length].
struct AdaptiveAvgPool1d : AdaptiveAvgPool<1> {
  using AdaptiveAvgPool::AdaptiveAvgPool;
};
// Over images [N, C, height, width].
struct AdaptiveAvgPool2d : AdaptiveAvgPool<2> {
  using AdaptiveAvgPool::AdaptiveAvgPool;
};
// Over volumes [N, C, depth, height, width].
struct AdaptiveAvgPool3d : AdaptiveAvgPool<3> {
  using AdaptiveAvgPool::AdaptiveAvgPool;
};

}  // namespace phlox::nn
