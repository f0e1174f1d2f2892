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

class MaxPool1d : public Module {
 public:
  explicit MaxPool1d(const DimList& kernel, const MaxPoolOptions& options = {})
      : kernel_(kernel), options_(options) {}
  MaxPool1d(Module* parent, const std::string& name, const DimList& kernel,
            const MaxPoolOptions& options = {})
      : Module(parent, name), kernel_(kernel), options_(options) {}
  Tensor forward(Tensor input) override;
  std::string settings() const override;

 private:
  DimList kernel_;
  MaxPoolOptions options_;
};

class AvgPool1d : public Module {
 public:
  explicit AvgPool1d(const DimList& kernel, const AvgPoolOptions& options = {})
      : kernel_(kernel), options_(options) {}
  AvgPool1d(Module* parent, const std::string& name, const DimList& kernel,
            const AvgPoolOptions& options = {})
      : Module(parent, name), kernel_(kernel), options_(options) {}
  Tensor forward(Tensor input) override;
  std::string settings() const override;

 private:
  DimList kernel_;
  AvgPoolOptions options_;
};

class MaxPool2d : public Module {
 public:
  explicit MaxPool2d(const DimList& kernel, const MaxPoolOptions& options = {})
      : kernel_(kernel), options_(options) {}
  MaxPool2d(Module* parent, const std::string& name, const DimList& kernel,
            const MaxPoolOptions& options = {})
      : Module(parent, name), kernel_(kernel), options_(options) {}
  Tensor forward(Tensor input) override;
  std::string settings() const override;

 private:
  DimList kernel_;
  MaxPoolOptions options_;
};

class AvgPool2d : public Module {
 public:
  explicit AvgPool2d(const DimList& kernel, const AvgPoolOptions& options = {})
      : kernel_(kernel), options_(options) {}
  AvgPool2d(Module* parent, const std::string& name, const DimList& kernel,
            const AvgPoolOptions& options = {})
      : Module(parent, name), kernel_(kernel), options_(options) {}
  Tensor forward(Tensor input) override;
  std::string settings() const override;

 private:
  DimList kernel_;
  AvgPoolOptions options_;
};

class MaxPool3d : public Module {
 public:
  explicit MaxPool3d(const DimList& kernel, const MaxPoolOptions& options = {})
      : kernel_(kernel), options_(options) {}
  MaxPool3d(Module* parent, const std::string& name, const DimList& kernel,
            const MaxPoolOptions& options = {})
      : Module(parent, name), kernel_(kernel), options_(options) {}
  Tensor forward(Tensor input) override;
  std::string settings() const override;

 private:
  DimList kernel_;
  MaxPoolOptions options_;
};

class AvgPool3d : public Module {
 public:
  explicit AvgPool3d(const DimList& kernel, const AvgPoolOptions& options = {})
      : kernel_(kernel), options_(options) {}
  AvgPool3d(Module* parent, const std::string& name, const DimList& kernel,
            const AvgPoolOptions& options = {})
      : Module(parent, name), kernel_(kernel), options_(options) {}
  Tensor forward(Tensor input) override;
  std::string settings() const override;

 private:
  DimList kernel_;
  AvgPoolOptions options_;
};

// Windows chosen so that the output has the given size along each dimension.
class AdaptiveMaxPool1d : public Module {
 public:
  explicit AdaptiveMaxPool1d(const DimList& output_size) : output_size_(output_size) {}
  AdaptiveMaxPool1d(Module* parent, const std::string& name, const DimList& output_size)
      : Module(parent, name), output_size_(output_size) {}
  Tensor forward(Tensor input) override;
  std::string settings() const override;

 private:
  DimList output_size_;
};

class AdaptiveAvgPool1d : public Module {
 public:
  explicit AdaptiveAvgPool1d(const DimList& output_size) : output_size_(output_size) {}
  AdaptiveAvgPool1d(Module* parent, const std::string& name, const DimList& output_size)
      : Module(parent, name), output_size_(output_size) {}
  Tensor forward(Tensor input) override;
  std::string settings() const override;

 private:
  DimList output_size_;
};

class AdaptiveMaxPool2d : public Module {
 public:
  explicit AdaptiveMaxPool2d(const DimList& output_size) : output_size_(output_size) {}
  AdaptiveMaxPool2d(Module* parent, const std::string& name, const DimList& output_size)
      : Module(parent, name), output_size_(output_size) {}
  Tensor forward(Tensor input) override;
  std::string settings() const override;

 private:
  DimList output_size_;
};

class AdaptiveAvgPool2d : public Module {
 public:
  explicit AdaptiveAvgPool2d(const DimList& output_size) : output_size_(output_size) {}
  AdaptiveAvgPool2d(Module* parent, const std::string& name, const DimList& output_size)
      : Module(parent, name), output_size_(output_size) {}
  Tensor forward(Tensor input) override;
  std::string settings() const override;

 private:
  DimList output_size_;
};

class AdaptiveMaxPool3d : public Module {
 public:
  explicit AdaptiveMaxPool3d(const DimList& output_size) : output_size_(output_size) {}
  AdaptiveMaxPool3d(Module* parent, const std::string& name, const DimList& output_size)
      : Module(parent, name), output_size_(output_size) {}
  Tensor forward(Tensor input) override;
  std::string settings() const override;

 private:
  DimList output_size_;
};

class AdaptiveAvgPool3d : public Module {
 public:
  explicit AdaptiveAvgPool3d(const DimList& output_size) : output_size_(output_size) {}
  AdaptiveAvgPool3d(Module* parent, const std::string& name, const DimList& output_size)
      : Module(parent, name), output_size_(output_size) {}
  Tensor forward(Tensor input) override;
  std::string settings() const override;

 private:
  DimList output_size_;
};

}  // namespace phlox::nn
