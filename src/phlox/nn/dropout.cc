#include "phlox/nn/dropout.h"

#include <fmt/format.h>

#include "phlox/core/parallel.h"
#include "phlox/ops/functions.h"

namespace phlox::nn {
namespace {

void check_probability(double p) {
  if (p >= 0 && p <= 1) return;
  fail<ValueError>(ErrorCode::invalid_value, "Dropout: the probability must lie between 0 and 1, not {}", p)
      .raise();
}

// 0 with probability p, else 1 / (1 - p).
template <class T>
Tensor random_factors(const Shape& shape, double p, Generator* generator) {
  Tensor factors = make_tensor(shape, dtype_of<T>, Device{});
  const std::int64_t count = factors.numel();
  Generator& source = generator ? *generator : default_generator();
  const std::int64_t blocks = (count + 3) / 4;
  const GeneratorState state = source.reserve(static_cast<std::uint64_t>(blocks));
  const auto limit = static_cast<std::uint64_t>(p * 4294967296.0);  // a word below it falls
  const T kept = p < 1 ? static_cast<T>(1 / (1 - p)) : T(0);
  T* values = factors.data<T>();
  parallel_for(0, blocks, 4096, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t block = begin; block < end; ++block) {
      const auto words = philox(state.seed, state.stream, state.counter + static_cast<std::uint64_t>(block));
      for (std::int64_t i = 4 * block; i < std::min(4 * block + 4, count); ++i) {
        values[i] = words[static_cast<std::size_t>(i % 4)] < limit ? T(0) : kept;
      }
    }
  });
  return factors;
}

}  // namespace

Tensor drop(const Tensor& input, double p, int shared, Generator* generator) {
  check_probability(p);
  if (p == 0) return input;
  Shape shape = input.shape();
  for (int d = 0; d < shared; ++d) shape[shape.size() - 1 - static_cast<std::size_t>(d)] = 1;
  const Tensor factors = input.dtype() == DType::float64 ? random_factors<double>(shape, p, generator)
                                                         : random_factors<float>(shape, p, generator);
  return mul(input, factors.to(input.dtype()).to(input.device()));
}

Dropout::Dropout(double p) : Dropout(p, 0) {}
Dropout::Dropout(double p, int rank_with_batch) : p_(p), rank_with_batch_(rank_with_batch) {
  check_probability(p);
}
Dropout::Dropout(Module* parent, const std::string& name, double p) : Dropout(p) {
  parent->register_module(name, *this);
}

Tensor Dropout::forward(Tensor input) {
  if (rank_with_batch_ > 0 && input.rank() != rank_with_batch_ && input.rank() != rank_with_batch_ - 1) {
    fail<ShapeError>(ErrorCode::wrong_rank, "{}: the input has {} dimensions", type_name(), input.rank())
        .detail("input", describe(input))
        .hint(fmt::format("{}, or {} without a batch", rank_with_batch_, rank_with_batch_ - 1))
        .raise();
  }
  if (!training()) return input;
  return drop(input, p_, rank_with_batch_ > 0 ? rank_with_batch_ - 2 : 0);
}

std::string Dropout::settings() const { return fmt::format("p={}", p_); }

}  // namespace phlox::nn
