// Fourier transforms on the CPU: dimension by dimension, in groups of transforms that share vector registers, or one by
// one where these are long or few.
#include <algorithm>
#include <vector>

#include "phlox/device/cpu/device.h"
#include "phlox/device/cpu/fft_plan.h"
#include "phlox/device/cpu/rows.h"

namespace phlox::cpu {
namespace {

// Vector elements up to this many bytes stay in the second cache.
constexpr std::int64_t most_bytes_in_lanes = 1 << 18;

// A dimension over which transforms are repeated; strides in numbers of the element type.
struct BatchDim {
  std::int64_t size, input, output;
};

// All transforms along one dimension.
class Transforms {
 public:
  Transforms(const TensorImpl& input, TensorImpl& output, int dim, FftKind kind, bool forward, double scale)
      : wide_(input.dtype == DType::float64 || input.dtype == DType::complex128),
        bytes_(wide_ ? 8 : 4),
        functions_(fft_functions(wide_)),
        forward_(forward),
        scale_(scale),
        input_(static_cast<char*>(input.address())),
        output_(static_cast<char*>(output.address())) {
    const std::int64_t in_unit = kind == FftKind::real_to_complex ? 1 : 2,
                       out_unit = kind == FftKind::complex_to_real ? 1 : 2;
    const std::int64_t in = input.strides[dim] * in_unit, out = output.strides[dim] * out_unit;
    length_ = kind == FftKind::complex_to_real ? output.sizes[dim] : input.sizes[dim];
    input_side_ = {nullptr, in, 1, 0, true};
    output_side_ = {nullptr, out, 1, 0, true};
    inner_ = length_;
    form_ = FftForm::complex;
    if (kind != FftKind::complex_to_complex) {
      const bool to_complex = kind == FftKind::real_to_complex, even = length_ % 2 == 0;
      FftSide& real_side = to_complex ? input_side_ : output_side_;
      real_side.is_complex = even;
      real_side.imaginary = real_side.element;
      if (even) real_side.element *= 2, inner_ /= 2;
      if (even) form_ = to_complex ? FftForm::real_to_complex : FftForm::complex_to_real;
      else form_ = to_complex ? FftForm::odd_real_to_complex : FftForm::odd_complex_to_real;
    }
    collect_batch(input, output, dim, in_unit, out_unit);
  }

  void run() {
    const std::int64_t lanes = functions_.lanes;
    const std::int64_t groups = (lanes_.size + lanes - 1) / lanes, remainder = lanes_.size % lanes;
    std::int64_t outer = 1;
    for (const BatchDim& b : batch_) outer *= b.size;
    long_ = fft_long_plan(inner_, wide_);
    const bool across = std::abs(lanes_.input) <= 2 && input_side_.element != 2;
    // Long transforms do not fit the cache several at a time; but where they lie across memory, that costs less than
    // collecting each.
    const bool too_long = inner_ * 2 * lanes * bytes_ > most_bytes_in_lanes * (across ? 8 : 1) &&
                          long_->way != FftLongPlan::Way::lanes;
    const std::shared_ptr<const FftLanesPlan> plan = too_long ? nullptr : fft_lanes_plan(inner_, wide_);
    const auto worth_lanes = [&](std::int64_t active) {
      return plan && static_cast<double>(active) * long_->cost >= plan->cost;
    };
    const bool full = worth_lanes(lanes), rest = remainder > 0 && worth_lanes(remainder);
    const bool real_even = form_ == FftForm::real_to_complex || form_ == FftForm::complex_to_real;
    if (real_even) real_twiddles_ = fft_real_twiddles(inner_, wide_);
    const double cost = plan ? plan->cost : long_->cost * static_cast<double>(lanes);
    constexpr double worthwhile = 40000;
    const auto grain = std::max<std::int64_t>(1, static_cast<std::int64_t>(worthwhile / cost));
    parallel_for(0, outer * groups, grain, [&](std::int64_t first, std::int64_t last) {
      const Scratch scratch(plan ? 2 * (plan->tables.inner + 1) * 2 * lanes * bytes_ : 0);
      for (std::int64_t item = first; item < last; ++item) {
        const std::int64_t group = item % groups;
        std::int64_t position = item / groups, in = group * lanes * lanes_.input,
                     out = group * lanes * lanes_.output;
        for (const BatchDim& b : batch_) {
          in += position % b.size * b.input;
          out += position % b.size * b.output;
          position /= b.size;
        }
        char *from = input_ + in * bytes_, *to = output_ + out * bytes_;
        const std::int64_t active = std::min(lanes, lanes_.size - group * lanes);
        if (active == lanes ? full : rest) {
          FftSide source = input_side_, target = output_side_;
          source.base = from, source.lane = lanes_.input;
          target.base = to, target.lane = lanes_.output;
          functions_.run_lanes({&plan->tables, real_twiddles_ ? real_twiddles_->data() : nullptr, form_,
                                forward_, scale_, source, target, static_cast<int>(active)},
                               scratch.at(0));
          continue;
        }
        for (std::int64_t lane = 0; lane < active; ++lane)
          run_one(from + lane * lanes_.input * bytes_, to + lane * lanes_.output * bytes_);
      }
    });
  }

 private:
  // Dimensions that can be walked as one are joined; one of them is spread over lanes.
  void collect_batch(const TensorImpl& input, const TensorImpl& output, int dim, std::int64_t in_unit,
                     std::int64_t out_unit) {
    for (int d = output.rank - 1; d >= 0; --d) {
      if (d == dim || output.sizes[d] == 1) continue;
      const BatchDim next{output.sizes[d], input.strides[d] * in_unit, output.strides[d] * out_unit};
      if (!batch_.empty()) {
        BatchDim& last = batch_.back();
        if (next.input == last.input * last.size && next.output == last.output * last.size) {
          last.size *= next.size;
          continue;
        }
      }
      batch_.push_back(next);
    }
    if (batch_.empty()) return;
    const auto reach = [](const BatchDim& b) { return std::abs(b.input) + std::abs(b.output); };
    auto best = batch_.begin();
    for (auto b = batch_.begin(); b != batch_.end(); ++b) {
      const bool best_fills = best->size >= functions_.lanes, fills = b->size >= functions_.lanes;
      if (fills != best_fills ? fills : fills ? reach(*b) < reach(*best) : b->size > best->size) best = b;
    }
    lanes_ = *best;
    batch_.erase(best);
  }

  void collect(const char* from, const FftSide& side, std::int64_t count, char* to) const {
    if (wide_) collect_as<double>(from, side, count, to);
    else collect_as<float>(from, side, count, to);
  }
  template <class T>
  void collect_as(const char* from, const FftSide& side, std::int64_t count, char* to) const {
    const T* source = reinterpret_cast<const T*>(from);
    T* target = reinterpret_cast<T*>(to);
    for (std::int64_t k = 0; k < count; ++k) {
      target[2 * k] = source[k * side.element];
      target[2 * k + 1] = side.is_complex ? source[k * side.element + side.imaginary] : T(0);
    }
  }
  void distribute(const char* from, const FftSide& side, std::int64_t count, char* to) const {
    if (wide_) distribute_as<double>(from, side, count, to);
    else distribute_as<float>(from, side, count, to);
  }
  template <class T>
  void distribute_as(const char* from, const FftSide& side, std::int64_t count, char* to) const {
    const T* source = reinterpret_cast<const T*>(from);
    T* target = reinterpret_cast<T*>(to);
    for (std::int64_t k = 0; k < count; ++k) {
      target[k * side.element] = source[2 * k];
      if (side.is_complex) target[k * side.element + side.imaginary] = source[2 * k + 1];
    }
  }
  // Elements n / 2 + 1 ... n - 1 of an odd sequence whose first half is there, and with another sign for both halves.
  template <class T>
  void mirror(char* sequence, bool conjugate) const {
    T* x = reinterpret_cast<T*>(sequence);
    x[1] = 0;
    for (std::int64_t k = 1; k <= length_ / 2; ++k) {
      const T im = conjugate ? -x[2 * k + 1] : x[2 * k + 1];
      x[2 * k + 1] = im;
      x[2 * (length_ - k)] = x[2 * k];
      x[2 * (length_ - k) + 1] = -im;
    }
  }
  template <class T>
  void finish_real(char* sequence) const {
    T* x = reinterpret_cast<T*>(sequence);
    x[1] = 0;
    if (!forward_)
      for (std::int64_t k = 1; k <= length_ / 2; ++k) x[2 * k + 1] = -x[2 * k + 1];
  }

  static bool consecutive(const FftSide& side) {
    return side.element == 2 && side.imaginary == 1 && side.is_complex;
  }

  // One transform by itself.
  void run_one(char* from, char* to) const {
    const std::int64_t complex_bytes = 2 * bytes_, half = inner_ / 2;
    const Scratch scratch(2 * (inner_ + 1) * complex_bytes);
    char *first = scratch.at(0), *second = scratch.at((inner_ + 1) * complex_bytes);
    const auto gathered = [&](std::int64_t count) {
      if (consecutive(input_side_)) return from;
      collect(from, input_side_, count, first);
      return first;
    };
    char* result = consecutive(output_side_) ? to : second;
    std::int64_t count = inner_;
    switch (form_) {
      case FftForm::complex:
        run_long_fft(*long_, wide_, gathered(inner_), result, !forward_, !forward_, scale_);
        break;
      case FftForm::real_to_complex:
        run_long_fft(*long_, wide_, gathered(inner_), result, false, false, 1);
        functions_.real_after(result, result, real_twiddles_->data(), inner_, scale_, !forward_);
        count = inner_ + 1;
        break;
      case FftForm::complex_to_real:
        functions_.real_before(gathered(inner_ + 1), first, real_twiddles_->data(), inner_, forward_);
        run_long_fft(*long_, wide_, first, result, false, true, scale_);
        break;
      case FftForm::odd_real_to_complex:
        collect(from, input_side_, inner_, first);
        run_long_fft(*long_, wide_, first, second, false, false, scale_);
        if (wide_) finish_real<double>(second);
        else finish_real<float>(second);
        distribute(second, output_side_, half + 1, to);
        return;
      case FftForm::odd_complex_to_real:
        collect(from, input_side_, half + 1, first);
        if (wide_) mirror<double>(first, !forward_);
        else mirror<float>(first, !forward_);
        run_long_fft(*long_, wide_, first, second, false, false, scale_);
        break;
    }
    if (result != to || form_ == FftForm::odd_complex_to_real) distribute(second, output_side_, count, to);
  }

  bool wide_;
  std::int64_t bytes_;
  const FftFunctions& functions_;
  bool forward_;
  double scale_;
  char* input_;
  char* output_;
  FftForm form_;
  std::int64_t length_;
  std::int64_t inner_;  // of the complex transform
  FftSide input_side_, output_side_;
  BatchDim lanes_{1, 0, 0};
  std::vector<BatchDim> batch_;
  std::shared_ptr<const FftLongPlan> long_;
  std::shared_ptr<const FftTable> real_twiddles_;
};

}  // namespace

void fft(const FftCall& call) {
  const auto step = [&](const TensorImpl& input, TensorImpl& output, std::int64_t dim, FftKind kind,
                        double scale) {
    Transforms(input, output, static_cast<int>(dim), kind, call.forward, scale).run();
  };
  const std::size_t last = call.dims.size() - 1;
  const auto complex = FftKind::complex_to_complex;
  if (call.kind != FftKind::complex_to_real) {
    step(*call.input, *call.output, call.dims[last], call.kind, call.scale);
    for (std::size_t i = last; i-- > 0;) step(*call.output, *call.output, call.dims[i], complex, 1);
    return;
  }
  if (last == 0) return step(*call.input, *call.output, call.dims[0], call.kind, call.scale);
  Shape shape;
  for (int d = 0; d < call.input->rank; ++d) shape.push_back(call.input->sizes[d]);
  const Tensor between = make_tensor(shape, call.input->dtype, call.input->device);
  step(*call.input, *between.impl(), call.dims[0], complex, 1);
  for (std::size_t i = 1; i < last; ++i) step(*between.impl(), *between.impl(), call.dims[i], complex, 1);
  step(*between.impl(), *call.output, call.dims[last], call.kind, call.scale);
}

}  // namespace phlox::cpu
