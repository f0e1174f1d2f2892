#include "phlox/data/sampler.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "phlox/base/error.h"

namespace phlox::data {
namespace {

// 64 random bits number i.
std::uint64_t random_bits(std::uint64_t seed, std::uint64_t stream, std::uint64_t i) {
  const auto words = philox(seed, stream, i);
  return words[0] | std::uint64_t{words[1]} << 32;
}

}  // namespace

std::vector<std::int64_t> random_permutation(std::int64_t count, std::uint64_t seed, std::uint64_t stream) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  for (std::size_t i = order.size(); i > 1; --i) {
    // The remainder favours small numbers by less than count / 2^64.
    std::swap(order[i - 1], order[random_bits(seed, stream, i) % i]);
  }
  return order;
}

std::uint64_t draw_seed(Generator& generator) {
  const GeneratorState drawn = generator.reserve(1);
  return random_bits(drawn.seed, drawn.stream, drawn.counter);
}

std::vector<std::int64_t> SequentialSampler::indices(std::int64_t) const {
  std::vector<std::int64_t> order(static_cast<std::size_t>(count_));
  std::iota(order.begin(), order.end(), 0);
  return order;
}

std::vector<std::int64_t> RandomSampler::indices(std::int64_t epoch) const {
  return random_permutation(count_, seed_, static_cast<std::uint64_t>(epoch));
}

WeightedSampler::WeightedSampler(const std::vector<double>& weights, std::int64_t draws, std::uint64_t seed)
    : draws_(draws), seed_(seed) {
  double sum = 0;
  for (double weight : weights) {
    if (!(weight >= 0) || std::isinf(weight)) {
      fail<ValueError>(ErrorCode::data_misuse, "WeightedSampler: the weight {} is not allowed", weight)
          .raise();
    }
    sums_.push_back(sum += weight);
  }
  if (!(sum > 0)) fail<ValueError>(ErrorCode::data_misuse, "WeightedSampler: all weights are zero").raise();
}

std::vector<std::int64_t> WeightedSampler::indices(std::int64_t epoch) const {
  std::vector<std::int64_t> drawn;
  for (std::int64_t i = 0; i < draws_; ++i) {
    const std::uint64_t bits =
        random_bits(seed_, static_cast<std::uint64_t>(epoch), static_cast<std::uint64_t>(i));
    const double at = static_cast<double>(bits >> 11) * 0x1p-53 * sums_.back();
    drawn.push_back(std::upper_bound(sums_.begin(), sums_.end(), at) - sums_.begin());
  }
  return drawn;
}

std::vector<std::vector<std::int64_t>> batches(const std::vector<std::int64_t>& indices,
                                               std::int64_t batch_size, bool drop_last) {
  if (batch_size < 1) {
    fail<ValueError>(ErrorCode::data_misuse, "loader: the batch size must be positive, not {}", batch_size)
        .raise();
  }
  const auto size = static_cast<std::size_t>(batch_size);
  std::vector<std::vector<std::int64_t>> result;
  for (std::size_t start = 0; start < indices.size(); start += size) {
    const std::size_t end = std::min(start + size, indices.size());
    if (drop_last && end - start < size) break;
    result.emplace_back(indices.begin() + static_cast<std::ptrdiff_t>(start),
                        indices.begin() + static_cast<std::ptrdiff_t>(end));
  }
  return result;
}

}  // namespace phlox::data
