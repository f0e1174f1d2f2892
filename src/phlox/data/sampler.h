// Samplers: in which order examples are visited. The order is a function of the epoch alone, so it does not depend on
// how many threads load the examples and can be taken up again in the middle.
#pragma once

#include <cstdint>
#include <vector>

#include "phlox/core/random.h"

namespace phlox::data {

// The numbers 0 to count - 1 in an order that depends on the seed and the stream only (Fisher, Yates).
std::vector<std::int64_t> random_permutation(std::int64_t count, std::uint64_t seed,
                                             std::uint64_t stream = 0);

// A seed for an order, from a generator.
std::uint64_t draw_seed(Generator& generator);

class Sampler {
 public:
  virtual ~Sampler() = default;
  // The examples of an epoch, in order.
  virtual std::vector<std::int64_t> indices(std::int64_t epoch) const = 0;
};

class SequentialSampler : public Sampler {
 public:
  explicit SequentialSampler(std::int64_t count) : count_(count) {}
  std::vector<std::int64_t> indices(std::int64_t epoch) const override;

 private:
  std::int64_t count_;
};

// Each example once, in another order each epoch.
class RandomSampler : public Sampler {
 public:
  RandomSampler(std::int64_t count, std::uint64_t seed) : count_(count), seed_(seed) {}
  std::vector<std::int64_t> indices(std::int64_t epoch) const override;

 private:
  std::int64_t count_;
  std::uint64_t seed_;
};

// `draws` examples with replacement, example i with a probability in proportion to weights[i].
// Throws ValueError [E0901] for negative weights and for a sum that is not positive.
class WeightedSampler : public Sampler {
 public:
  WeightedSampler(const std::vector<double>& weights, std::int64_t draws, std::uint64_t seed);
  std::vector<std::int64_t> indices(std::int64_t epoch) const override;

 private:
  std::vector<double> sums_;
  std::int64_t draws_;
  std::uint64_t seed_;
};

// Cuts an order into batches; the last may be smaller, or is left out.
std::vector<std::vector<std::int64_t>> batches(const std::vector<std::int64_t>& indices,
                                               std::int64_t batch_size, bool drop_last);

}  // namespace phlox::data
