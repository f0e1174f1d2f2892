#include "phlox/device/cpu/device.h"

#include <algorithm>

#include "phlox/base/error.h"
#include "phlox/core/deterministic.h"
#include "phlox/core/parallel.h"
#include "phlox/device/cpu/library_choice.h"
#include "phlox/device/cpu/portable_contraction.h"
#if defined(PHLOX_ONEDNN)
#include "phlox/device/cpu/convolution_onednn.h"
#include "phlox/device/cpu/onednn.h"
#endif

namespace phlox::cpu {

namespace {

// A convolution with three spatial dimensions; missing ones come first and have size 1.
struct Loops {
  std::int64_t batch, groups, input_channels, output_channels;  // channels of one group
  std::int64_t input[3], kernel[3], output[3];                  // spatial sizes
  std::int64_t stride[3], padding[3], dilation[3];
  std::int64_t input_strides[5], weight_strides[5], output_strides[5];  // batch or out, channel, spatial
};

Loops plan_loops(const ConvolutionCall& call) {
  const ConvolutionGeometry& g = *call.geometry;
  Loops loops{};
  loops.batch = call.input->sizes[0];
  loops.groups = g.groups;
  loops.input_channels = call.weight->sizes[1];
  loops.output_channels = call.weight->sizes[0] / g.groups;
  const int spatial = call.input->rank - 2, missing = 3 - spatial;
  const auto copy_strides = [&](const TensorImpl& t, std::int64_t* strides) {
    strides[0] = t.strides[0];
    strides[1] = t.strides[1];
    for (int d = 0; d < 3; ++d) strides[2 + d] = d < missing ? 0 : t.strides[2 + d - missing];
  };
  copy_strides(*call.input, loops.input_strides);
  copy_strides(*call.weight, loops.weight_strides);
  copy_strides(*call.output, loops.output_strides);
  for (int d = 0; d < 3; ++d) {
    const int s = d - missing;
    loops.input[d] = s < 0 ? 1 : call.input->sizes[2 + s];
    loops.kernel[d] = s < 0 ? 1 : call.weight->sizes[2 + s];
    loops.output[d] = s < 0 ? 1 : call.output->sizes[2 + s];
    loops.stride[d] = s < 0 ? 1 : g.stride[s];
    loops.padding[d] = s < 0 ? 0 : g.padding_before[s];
    loops.dilation[d] = s < 0 ? 1 : g.dilation[s];
  }
  return loops;
}

// Calls f(index, offset) for the positions of a box with strides.
template <class F>
void for_each_position(const std::int64_t (&sizes)[3], const std::int64_t* strides, F&& f) {
  std::int64_t index[3];
  for (index[0] = 0; index[0] < sizes[0]; ++index[0])
    for (index[1] = 0; index[1] < sizes[1]; ++index[1])
      for (index[2] = 0; index[2] < sizes[2]; ++index[2])
        f(index, index[0] * strides[0] + index[1] * strides[1] + index[2] * strides[2]);
}

// The input position under kernel position `k` of output position `o`; false in the padding.
bool input_offset(const Loops& l, const std::int64_t (&o)[3], const std::int64_t (&k)[3],
                  std::int64_t& offset) {
  offset = 0;
  for (int d = 0; d < 3; ++d) {
    const std::int64_t i = o[d] * l.stride[d] - l.padding[d] + k[d] * l.dilation[d];
    if (i < 0 || i >= l.input[d]) return false;
    offset += i * l.input_strides[2 + d];
  }
  return true;
}

// The output position whose window has input position `i` at kernel position `k`; false when there is none.
bool output_offset(const Loops& l, const std::int64_t (&i)[3], const std::int64_t (&k)[3],
                   std::int64_t& offset) {
  offset = 0;
  for (int d = 0; d < 3; ++d) {
    const std::int64_t position = i[d] + l.padding[d] - k[d] * l.dilation[d];
    if (position < 0 || position % l.stride[d] != 0 || position / l.stride[d] >= l.output[d]) return false;
    offset += position / l.stride[d] * l.output_strides[2 + d];
  }
  return true;
}

// Each element of the result is one sum in a fixed order, so that threads cannot change it.
template <class T>
void run_portable(const ConvolutionCall& call) {
  using Sum = typename Accumulator<T>::type;
  const Loops l = plan_loops(call);
  T* const input = static_cast<T*>(call.input->address());
  T* const weight = static_cast<T*>(call.weight->address());
  T* const output = static_cast<T*>(call.output->address());
  const T* const bias = call.bias ? static_cast<const T*>(call.bias->address()) : nullptr;
  const auto product = [](T a, T b) { return static_cast<Sum>(a) * static_cast<Sum>(b); };
  // Items of the outermost loop that are worth a thread.
  const auto grain = [&](std::int64_t items) {
    const double work = static_cast<double>(call.output->count) * static_cast<double>(call.weight->count) /
                        static_cast<double>(call.weight->sizes[0]);
    return static_cast<std::int64_t>(50e3 * static_cast<double>(items) / std::max(work, 1.0)) + 1;
  };
  switch (call.result) {
    case ConvolutionPart::output:
      parallel_for(0, l.batch * l.groups * l.output_channels, grain(l.batch * l.groups * l.output_channels),
                   [&](std::int64_t first, std::int64_t last) {
                     for (std::int64_t item = first; item < last; ++item) {
                       const std::int64_t n = item / (l.groups * l.output_channels),
                                          c = item % (l.groups * l.output_channels);
                       const std::int64_t group = c / l.output_channels;
                       T* const target = output + n * l.output_strides[0] + c * l.output_strides[1];
                       const T* const source =
                           input + n * l.input_strides[0] + group * l.input_channels * l.input_strides[1];
                       const T* const filter = weight + c * l.weight_strides[0];
                       for_each_position(l.output, l.output_strides + 2, [&](const auto& o, std::int64_t at) {
                         Sum sum = bias ? static_cast<Sum>(bias[c * call.bias->strides[0]]) : Sum(0);
                         for_each_position(l.kernel, l.weight_strides + 2,
                                           [&](const auto& k, std::int64_t tap) {
                                             std::int64_t from;
                                             if (!input_offset(l, o, k, from)) return;
                                             for (std::int64_t ic = 0; ic < l.input_channels; ++ic)
                                               sum += product(source[from + ic * l.input_strides[1]],
                                                              filter[tap + ic * l.weight_strides[1]]);
                                           });
                         target[at] = static_cast<T>(sum);
                       });
                     }
                   });
      return;
    case ConvolutionPart::input:
      parallel_for(
          0, l.batch * l.groups * l.input_channels, grain(l.batch * l.groups * l.input_channels),
          [&](std::int64_t first, std::int64_t last) {
            for (std::int64_t item = first; item < last; ++item) {
              const std::int64_t n = item / (l.groups * l.input_channels),
                                 c = item % (l.groups * l.input_channels);
              const std::int64_t group = c / l.input_channels, ic = c % l.input_channels;
              T* const target = input + n * l.input_strides[0] + c * l.input_strides[1];
              const T* const source =
                  output + n * l.output_strides[0] + group * l.output_channels * l.output_strides[1];
              const T* const filter =
                  weight + group * l.output_channels * l.weight_strides[0] + ic * l.weight_strides[1];
              for_each_position(l.input, l.input_strides + 2, [&](const auto& i, std::int64_t at) {
                Sum sum(0);
                for_each_position(l.kernel, l.weight_strides + 2, [&](const auto& k, std::int64_t tap) {
                  std::int64_t from;
                  if (!output_offset(l, i, k, from)) return;
                  for (std::int64_t oc = 0; oc < l.output_channels; ++oc)
                    sum += product(source[from + oc * l.output_strides[1]],
                                   filter[tap + oc * l.weight_strides[0]]);
                });
                target[at] = static_cast<T>(sum);
              });
            }
          });
      return;
    case ConvolutionPart::weight:
      parallel_for(
          0, l.groups * l.output_channels, grain(l.groups * l.output_channels),
          [&](std::int64_t first, std::int64_t last) {
            for (std::int64_t c = first; c < last; ++c) {
              const std::int64_t group = c / l.output_channels;
              for (std::int64_t ic = 0; ic < l.input_channels; ++ic) {
                T* const target = weight + c * l.weight_strides[0] + ic * l.weight_strides[1];
                const T* const source = input + (group * l.input_channels + ic) * l.input_strides[1];
                const T* const gradient = output + c * l.output_strides[1];
                for_each_position(l.kernel, l.weight_strides + 2, [&](const auto& k, std::int64_t tap) {
                  Sum sum(0);
                  for (std::int64_t n = 0; n < l.batch; ++n)
                    for_each_position(l.output, l.output_strides + 2, [&](const auto& o, std::int64_t at) {
                      std::int64_t from;
                      if (input_offset(l, o, k, from))
                        sum += product(gradient[n * l.output_strides[0] + at],
                                       source[n * l.input_strides[0] + from]);
                    });
                  target[tap] = static_cast<T>(sum);
                });
              }
            }
          });
      return;
  }
}

// In another dtype and back.
void run_through(DType dtype, const ConvolutionCall& call) {
  const auto cast = [&](const TensorImpl& t, bool with_values) {
    const Tensor self{Reference<TensorImpl>::share(const_cast<TensorImpl*>(&t))};
    Tensor result = make_tensor_like(self, self.shape(), dtype);
    if (with_values) convert(t, *result.impl());
    return result;
  };
  const Tensor input = cast(*call.input, call.result != ConvolutionPart::input);
  const Tensor weight = cast(*call.weight, call.result != ConvolutionPart::weight);
  const Tensor output = cast(*call.output, call.result != ConvolutionPart::output);
  const Tensor bias = call.bias ? cast(*call.bias, true) : Tensor();
  convolution({call.result, input.impl(), weight.impl(), output.impl(), bias.unsafe_impl(), call.geometry});
  switch (call.result) {
    case ConvolutionPart::output: return convert(*output.impl(), *call.output);
    case ConvolutionPart::input: return convert(*input.impl(), *call.input);
    case ConvolutionPart::weight: return convert(*weight.impl(), *call.weight);
  }
}

#if defined(PHLOX_ONEDNN)

// One image of a batch.
Tensor image_of(const TensorImpl& t, std::int64_t i) {
  const Tensor self{Reference<TensorImpl>::share(const_cast<TensorImpl*>(&t))};
  Shape shape(std::span(t.sizes, t.rank));
  shape[0] = 1;
  return make_view(self, shape, Strides(std::span(t.strides, t.rank)), t.offset + i * t.strides[0]);
}

// oneDNN cuts its work by batch and threads: image by image, each in one thread, neither counts. A gradient of the
// weight is a sum over the batch.
void run_each_image(const ConvolutionCall& call) {
  if (call.result == ConvolutionPart::weight) return convolution_onednn(call);
  parallel_for(0, call.input->sizes[0], 1, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) {
      const Tensor input = image_of(*call.input, i), output = image_of(*call.output, i);
      convolution_onednn({call.result, input.impl(), call.weight, output.impl(), call.bias, call.geometry});
    }
  });
}

#endif

}  // namespace

void convolution(const ConvolutionCall& call) {
  TensorImpl& result = *(call.result == ConvolutionPart::output  ? call.output
                         : call.result == ConvolutionPart::input ? call.input
                                                                 : call.weight);
  if (result.count == 0) return;
  const DType dtype = result.dtype;
  if (dtype == DType::float16) return run_through(DType::float32, call);
#if defined(PHLOX_ONEDNN)
  const bool empty = call.input->count == 0 || call.output->count == 0 || call.weight->count == 0;
  if (!portable_kernels() && !empty) {
    if (dtype == DType::float32 || (dtype == DType::bfloat16 && onednn::has_bfloat16()))
      return is_deterministic() ? run_each_image(call) : convolution_onednn(call);
  }
#endif
  if (dtype == DType::bfloat16) return run_through(DType::float32, call);
  visit_dtype(dtype, [&]<class T>() {
    if constexpr (std::is_same_v<T, double> || std::is_same_v<T, float> ||
                  (std::is_integral_v<T> && !std::is_same_v<T, bool>))
      run_portable<T>(call);
    else
      fail<DTypeError>(ErrorCode::wrong_dtype, "convolution: takes real numbers, not {}", info(dtype).name)
          .raise();
  });
}

}  // namespace phlox::cpu
