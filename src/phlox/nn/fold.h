// Windows of images as columns, and columns added up to images.
#pragma once

#include "phlox/nn/module.h"

namespace phlox::nn {

// One number stands for both dimensions.
struct FoldOptions {
  DimList dilation = 1;  // distance of the elements of a window
  DimList padding = 0;   // zeros around the image
  DimList stride = 1;    // step from window to window
};

// Input [N, C, height, width] or without N; output [N, C * window, number of windows].
class Unfold : public Module {
 public:
  // `kernel` is the size of the windows.
  explicit Unfold(const DimList& kernel, const FoldOptions& options = {})
      : kernel_(kernel), options_(options) {}
  Unfold(Module* parent, const std::string& name, const DimList& kernel, const FoldOptions& options = {})
      : Module(parent, name), kernel_(kernel), options_(options) {}
  Tensor forward(Tensor input) override;
  std::string settings() const override;

 private:
  DimList kernel_;
  FoldOptions options_;
};

// The transpose of Unfold: input [N, C * window, number of windows], output [N, C, output_size...].
class Fold : public Module {
 public:
  // `output_size` is height and width of the images; windows that overlap add up.
  Fold(const DimList& output_size, const DimList& kernel, const FoldOptions& options = {})
      : output_size_(output_size), kernel_(kernel), options_(options) {}
  Fold(Module* parent, const std::string& name, const DimList& output_size, const DimList& kernel,
       const FoldOptions& options = {})
      : Module(parent, name), output_size_(output_size), kernel_(kernel), options_(options) {}
  Tensor forward(Tensor input) override;
  std::string settings() const override;

 private:
  DimList output_size_, kernel_;
  FoldOptions options_;
};

}  // namespace phlox::nn
