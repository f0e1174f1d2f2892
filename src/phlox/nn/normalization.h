// Layers that bring activations to mean 0 and variance 1.
#pragma once

#include "phlox/nn/module.h"

namespace phlox::nn {

// What layers have that normalise each channel: weight and bias with `affine`, and statistics that follow those of the
// batches with `track_running_stats`. A tensor that a layer does not have is undefined.
class ChannelNorm : public Module {
 public:
  Tensor weight, bias, running_mean, running_var, num_batches_tracked;  // [channels] each, the last one i64[]

 protected:
  ChannelNorm(const char* layer, std::int64_t channels, bool affine, bool track_running_stats);
  // Whether statistics of the input are used, not the running ones.
  bool uses_own_statistics() const { return training() || !running_mean.defined(); }
  std::string settings_with(double eps, bool affine) const;

 private:
  std::int64_t channels_;
};

// Settings of batch normalisation.
struct BatchNormOptions {
  double eps = 1e-5;                // added to the variance, so that nothing is divided by zero
  OptionalDouble momentum = 0.1;    // without one, running statistics are the mean over all batches
  bool affine = true;               // has weight and bias
  bool track_running_stats = true;  // has running statistics
};

// Normalises each channel over the batch and the spatial dimensions. In training the batch's own statistics are used
// and the running ones follow them; otherwise the running ones are used.
// Source: Ioffe, Szegedy 2015, arXiv:1502.03167.
class BatchNormBase : public ChannelNorm {
 public:
  Tensor forward(Tensor input) override;
  std::string settings() const override { return settings_with(options.eps, options.affine); }

  const BatchNormOptions options;  // as they were given

 protected:
  BatchNormBase(std::int64_t channels, const BatchNormOptions& options, int min_rank, int max_rank);

 private:
  int min_rank_, max_rank_;
};

// Input [N, C, spatial...]; with one spatial dimension also [N, C].
template <int dimensions>
class BatchNorm : public BatchNormBase {
 public:
  // `channels` is the size of dimension 1.
  explicit BatchNorm(std::int64_t channels, BatchNormOptions norm_options = {})
      : BatchNormBase(channels, norm_options, dimensions == 1 ? 2 : dimensions + 2, dimensions + 2) {}
  BatchNorm(Module* parent, const std::string& name, std::int64_t channels,
            BatchNormOptions norm_options = {})
      : BatchNorm(channels, norm_options) {
    parent->register_module(name, *this);
  }
};
// Of [N, C] and [N, C, length].
struct BatchNorm1d : BatchNorm<1> {
  using BatchNorm::BatchNorm;
};
// Of images [N, C, height, width].
struct BatchNorm2d : BatchNorm<2> {
  using BatchNorm::BatchNorm;
};
// Of volumes [N, C, depth, height, width].
struct BatchNorm3d : BatchNorm<3> {
  using BatchNorm::BatchNorm;
};

// Settings of instance normalisation.
struct InstanceNormOptions {
  double eps = 1e-5;                 // added to the variance, so that nothing is divided by zero
  double momentum = 0.1;             // how far running statistics move towards those of a batch
  bool affine = false;               // has weight and bias
  bool track_running_stats = false;  // has running statistics, which are used outside of training
};

// Normalises each channel of each example over the spatial dimensions.
// Source: Ulyanov, Vedaldi, Lempitsky 2016, arXiv:1607.08022.
class InstanceNorm : public ChannelNorm {
 public:
  // `channels` is the size of dimension 1, of 0 without a batch.
  explicit InstanceNorm(std::int64_t channels, InstanceNormOptions options = {});
  InstanceNorm(Module* parent, const std::string& name, std::int64_t channels,
               InstanceNormOptions options = {});
  Tensor forward(Tensor input) override;
  std::string settings() const override { return settings_with(options.eps, options.affine); }

  const InstanceNormOptions options;  // as they were given
};
// The same for every number of spatial dimensions; the usual names.
// Of signals [N, C, length].
class InstanceNorm1d : public InstanceNorm {
 public:
  using InstanceNorm::InstanceNorm;
};
// Of images [N, C, height, width].
class InstanceNorm2d : public InstanceNorm {
 public:
  using InstanceNorm::InstanceNorm;
};
// Of volumes [N, C, depth, height, width].
class InstanceNorm3d : public InstanceNorm {
 public:
  using InstanceNorm::InstanceNorm;
};

// Settings of layer normalisation.
struct LayerNormOptions {
  double eps = 1e-5;   // added to the variance, so that nothing is divided by zero
  bool affine = true;  // has a weight
  bool bias = true;    // has a bias, if it has a weight
};

// Normalises over the last dimensions, which must have the sizes `shape`.
// Source: Ba, Kiros, Hinton 2016, arXiv:1607.06450.
class LayerNorm : public Module {
 public:
  // `shape` is that of the last dimensions; a number stands for one of them.
  explicit LayerNorm(const DimList& shape, LayerNormOptions options = {});
  LayerNorm(Module* parent, const std::string& name, const DimList& shape, LayerNormOptions options = {});
  Tensor forward(Tensor input) override;
  std::string settings() const override;

  Tensor weight, bias;             // of `shape`
  const DimList shape;             // sizes of the dimensions that are normalised
  const LayerNormOptions options;  // as they were given
};

// Settings of root mean square normalisation.
struct RMSNormOptions {
  OptionalDouble eps = {};  // the smallest step of the dtype
  bool affine = true;       // has a weight
};

// Divides by the root of the mean square over the last dimensions.
// Source: Zhang, Sennrich 2019, arXiv:1910.07467.
class RMSNorm : public Module {
 public:
  // `shape` is that of the last dimensions.
  explicit RMSNorm(const DimList& shape, RMSNormOptions options = {});
  RMSNorm(Module* parent, const std::string& name, const DimList& shape, RMSNormOptions options = {});
  Tensor forward(Tensor input) override;
  std::string settings() const override;

  Tensor weight;                 // of `shape`
  const DimList shape;           // sizes of the dimensions that are normalised
  const RMSNormOptions options;  // as they were given
};

// Settings of group normalisation.
struct GroupNormOptions {
  double eps = 1e-5;   // added to the variance, so that nothing is divided by zero
  bool affine = true;  // has weight and bias
};

// Normalises groups of channels of each example. Source: Wu, He 2018, arXiv:1803.08494.
class GroupNorm : public Module {
 public:
  // Throws ValueError for channels that the groups do not divide.
  GroupNorm(std::int64_t groups, std::int64_t channels, GroupNormOptions options = {});
  GroupNorm(Module* parent, const std::string& name, std::int64_t groups, std::int64_t channels,
            GroupNormOptions options = {});
  Tensor forward(Tensor input) override;
  std::string settings() const override;

  Tensor weight, bias;             // [channels]
  const std::int64_t groups;       // how many there are
  const GroupNormOptions options;  // as they were given

 private:
  std::int64_t channels_;
};

}  // namespace phlox::nn
