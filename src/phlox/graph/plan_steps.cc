#include "phlox/graph/plan_steps.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace phlox::graph {
namespace {

// Elements one after the other, and single numbers that meet them all.
class DirectPointwise final : public Step {
 public:
  static constexpr std::int64_t largest = 16384;  // more are a matter of threads
  static constexpr std::int64_t block = 1024;     // elements that a number is written out for

  static std::unique_ptr<Step> make(const PointwiseCall& call) {
    const TensorImpl* like = call.output;
    const PointwiseFunction& f = *call.function;
    if (call.compute != DType::float32 && call.compute != DType::float64) return nullptr;
    if (like->count == 0 || like->count > largest || !like->contiguous) return nullptr;
    if (like->dtype != (f.predicate() ? DType::bool_ : call.compute)) return nullptr;
    const PointwiseKernel kernel = find_pointwise_kernel(f, call.compute);
    if (!kernel) return nullptr;
    auto step = std::make_unique<DirectPointwise>();
    step->call_ = call;
    step->kernel_ = kernel;
    step->block_ = like->count;
    for (int i = 0; i < call.input_count; ++i) {
      const TensorImpl* input = call.inputs[i];
      const DType wanted = f.is_mask(i) ? DType::bool_ : call.compute;
      step->bytes_[i] = element_size(wanted);
      if (input) {
        if (input->dtype != wanted) return nullptr;
        const bool is_like = input->contiguous && input->rank == like->rank &&
                             std::equal(input->sizes, input->sizes + input->rank, like->sizes);
        if (is_like) continue;
        if (input->count != 1 || input->rank > like->rank) return nullptr;
      } else if (call.weak[i].kind() > Scalar::Kind::floating || f.is_mask(i)) {
        return nullptr;
      }
      step->block_ = std::min(block, like->count);
      step->repeated_[i].resize(static_cast<std::size_t>(step->block_ * step->bytes_[i]));
      if (!input) {
        alignas(16) char value[16];
        call.weak[i].store(wanted, value);
        step->repeat(i, value);
      }
    }
    return step;
  }

  void run() override {
    const char* addresses[max_pointwise_inputs];
    for (int i = 0; i < call_.input_count; ++i) {
      const char* data = call_.inputs[i] ? static_cast<const char*>(call_.inputs[i]->address()) : nullptr;
      const bool is_number = !repeated_[i].empty();
      if (is_number && data &&
          std::memcmp(repeated_[i].data(), data, static_cast<std::size_t>(bytes_[i])) != 0)
        repeat(i, data);
      addresses[i] = is_number ? repeated_[i].data() : data;
    }
    char* output = static_cast<char*>(call_.output->address());
    const int output_bytes = element_size(call_.output->dtype);
    const std::int64_t count = call_.output->count;
    for (std::int64_t done = 0; done < count; done += block_) {
      const void* parts[max_pointwise_inputs];
      for (int i = 0; i < call_.input_count; ++i)
        parts[i] = addresses[i] + (repeated_[i].empty() ? done * bytes_[i] : 0);
      kernel_(parts, call_.scalars, output + done * output_bytes, std::min(block_, count - done));
    }
  }

 private:
  void repeat(int input, const char* value) {
    auto& values = repeated_[input];
    const auto bytes = static_cast<std::size_t>(bytes_[input]);
    std::memcpy(values.data(), value, bytes);
    for (std::size_t filled = bytes; filled < values.size(); filled *= 2)
      std::memcpy(values.data() + filled, values.data(), std::min(filled, values.size() - filled));
  }

  PointwiseCall call_{};
  PointwiseKernel kernel_ = nullptr;
  std::int64_t block_ = 0;
  int bytes_[max_pointwise_inputs] = {};
  std::vector<char> repeated_[max_pointwise_inputs];  // of a number, as often as a block is long
};

// One element.
template <class From, class To>
class ConvertNumber final : public Step {
 public:
  ConvertNumber(const TensorImpl& source, TensorImpl& target) : source_(source), target_(target) {}
  void run() override {
    *static_cast<To*>(target_.address()) = static_cast<To>(*static_cast<const From*>(source_.address()));
  }

 private:
  const TensorImpl& source_;
  TensorImpl& target_;
};

}  // namespace

std::unique_ptr<Step> direct_pointwise(const PointwiseCall& call) { return DirectPointwise::make(call); }

std::unique_ptr<Step> direct_convert(const TensorImpl& source, TensorImpl& target) {
  if (source.count != 1) return nullptr;
  if (source.dtype == DType::float32 && target.dtype == DType::float64)
    return std::make_unique<ConvertNumber<float, double>>(source, target);
  if (source.dtype == DType::float64 && target.dtype == DType::float32)
    return std::make_unique<ConvertNumber<double, float>>(source, target);
  return nullptr;
}

}  // namespace phlox::graph
