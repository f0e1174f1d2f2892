#include "phlox/ops/primitives/fft.h"

#include "phlox/core/recording.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/primitives/batching.h"
#include "phlox/ops/primitives/device_kernels.h"
#include "phlox/ops/primitives/primitive.h"
#include "phlox/ops/primitives/rules.h"

namespace phlox {

std::span<const char* const> names_of(FftKind) {
  static constexpr const char* names[] = {"complex_to_complex", "real_to_complex", "complex_to_real"};
  return names;
}

namespace {

struct FftAttributes {
  Dims dims;
  FftKind kind = FftKind::complex_to_complex;
  bool forward = true;
  double scale = 1;
  std::int64_t length = 0;
  template <class Visitor>
  void visit(Visitor& v) {
    v("dims", dims), v("kind", kind), v("forward", forward), v("scale", scale), v("length", length);
  }
};

TensorList evaluate_fft(std::span<const Operand> inputs, const void* attributes) {
  const auto& a = *static_cast<const FftAttributes*>(attributes);
  return {apply_fft(inputs[0].tensor(), a.dims, a.kind, a.forward, a.scale, a.length)};
}
PHLOX_PRIMITIVE(fft, 100, evaluate_fft, FftAttributes);

void check_fft(const PrimitiveCall& call) {
  call.takes(1);
  const Tensor& input = call.tensor(0);
  const auto& a = call.attributes<FftAttributes>();
  const bool real = a.kind == FftKind::real_to_complex, to_real = a.kind == FftKind::complex_to_real;
  const DType dtype = input.dtype();
  call.require(real ? dtype == DType::float32 || dtype == DType::float64
                    : dtype == DType::complex64 || dtype == DType::complex128,
               "the input is {}", info(dtype).name);
  call.require(!a.dims.empty() && input.rank() > 0, "there is no dimension to transform");
  call.require_dims("dims", a.dims, input);
  for (std::int64_t dim : a.dims) call.require(input.size(dim) > 0, "dimension {} is empty", dim);
  if (!to_real) return;
  call.require(a.length > 0 && a.length < max_elements && a.length / 2 + 1 == input.size(a.dims.back()),
               "the length {} does not fit the input", a.length);
}
PHLOX_PRIMITIVE_RULE(fft, check_fft);

TensorList batch_fft(const BatchedCall& call) {
  const auto& a = call.attributes_as<FftAttributes>();
  return {apply_fft(call.tensor(0), behind_batch(a.dims), a.kind, a.forward, a.scale, a.length)};
}
PHLOX_BATCHING_RULE(fft, batch_fft);

// Times a number at all but the ends of a half spectrum, which stand for themselves alone.
Tensor scale_between(const Tensor& spectrum, std::int64_t dim, std::int64_t length, double factor) {
  const std::int64_t count = length / 2 + 1, pairs = (length - 1) / 2;
  if (pairs == 0) return spectrum;
  TensorList parts = {narrow(spectrum, dim, 0, 1), mul(narrow(spectrum, dim, 1, pairs), factor)};
  if (count > pairs + 1) parts.push_back(narrow(spectrum, dim, pairs + 1, 1));
  return cat(parts, dim);
}

// The transpose of a transform is the conjugate one.
class FftNode final : public GradientNode {
 public:
  FftNode(const Tensor& input, const FftAttributes& attributes)
      : GradientNode("fft", 1), attributes_(attributes) {
    edges()[0] = gradient_edge(input);
  }
  void backward(std::span<const Tensor> output_gradients, std::span<Tensor> input_gradients) override {
    const Tensor& gradient = output_gradients[0];
    if (!gradient.defined() || !wants(0)) return;
    const auto& [dims, kind, forward, scale, length] = attributes_;
    switch (kind) {
      case FftKind::complex_to_complex:
        input_gradients[0] = apply_fft(gradient, dims, kind, !forward, scale);
        return;
      case FftKind::real_to_complex:
        input_gradients[0] = apply_fft(scale_between(gradient, dims.back(), length, 0.5), dims,
                                       FftKind::complex_to_real, !forward, scale, length);
        return;
      case FftKind::complex_to_real:
        input_gradients[0] =
            scale_between(apply_fft(gradient, dims, FftKind::real_to_complex, !forward, scale, length),
                          dims.back(), length, 2);
        return;
    }
  }
  void release_saved() override {}

 private:
  FftAttributes attributes_;
};

}  // namespace

Tensor apply_fft(const Tensor& input, const Dims& dims, FftKind kind, bool forward, double scale,
                 std::int64_t length) {
  if (kind != FftKind::complex_to_real) length = input.size(dims.back());
  const FftAttributes attributes{dims, kind, forward, scale, length};
  if (thread_mode.interpreter_count) [[unlikely]] {
    const Operand operand(input);
    return interpret(fft_primitive, {&operand, 1}, &attributes)[0];
  }
  Shape shape = input.shape();
  DType dtype = input.dtype();
  const auto last = static_cast<std::size_t>(dims.back());
  if (kind == FftKind::real_to_complex) {
    shape[last] = length / 2 + 1;
    dtype = dtype == DType::float64 ? DType::complex128 : DType::complex64;
  } else if (kind == FftKind::complex_to_real) {
    shape[last] = length;
    dtype = info(dtype).real;
  }
  const Tensor output = make_tensor(shape, dtype, input.device());
  if (output.numel() > 0)
    device_kernels(input.device()).fft({input.impl(), dims, kind, forward, scale, output.impl()});
  if (needs_gradient(input))
    set_history(output, Reference<GradientNode>::adopt(new FftNode(input, attributes)));
  return output;
}

}  // namespace phlox
