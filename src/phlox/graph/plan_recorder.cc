#include "phlox/graph/plan_recorder.h"

#include <algorithm>

#include "phlox/ops/primitives/convert.h"

namespace phlox::graph {

PHLOX_THREAD_LOCAL Recorder* Recorder::current_ = nullptr;

namespace {

// The call again, on the plan's tensors, when its step runs.
template <auto verb, class Call, class... Members>
void record(const Call& call, Members... members) {
  Recorder& recorder = *Recorder::current();
  Call copy = call;
  (recorder.replace(copy.*members), ...);
  recorder.add([copy] { (device_kernels(Device{}).*verb)(copy); });
}

void needs_values() { abstract_evaluation.needs_values = true; }
constexpr DeviceKernels recording_kernels = {
    .pointwise =
        [](const PointwiseCall& call) {
          Recorder& recorder = *Recorder::current();
          PointwiseCall copy = call;
          for (int i = 0; i < copy.input_count; ++i) recorder.replace(copy.inputs[i]);
          recorder.replace(copy.output);
          recorder.note_elementwise(call);
          recorder.note_elements(call.output->count, *call.output);
          if (auto direct = direct_pointwise(copy)) recorder.add_step(std::move(direct));
          else recorder.add([copy] { device_kernels(Device{}).pointwise(copy); });
        },
    .convert =
        [](const TensorImpl& source, TensorImpl& target) {
          Recorder& recorder = *Recorder::current();
          if (recorder.take_for_copy(source, target)) return;
          const TensorImpl* from = recorder.tensor(source);
          TensorImpl* to = recorder.tensor(target);
          recorder.note_elements(target.count, target);
          if (auto direct = direct_convert(*from, *to)) return recorder.add_step(std::move(direct));
          recorder.add([from, to] { device_kernels(Device{}).convert(*from, *to); });
        },
    .fill =
        [](TensorImpl& target, const Scalar& value) {
          Recorder& recorder = *Recorder::current();
          TensorImpl* to = recorder.tensor(target);
          recorder.note_elements(target.count, target);
          recorder.add([to, value] { device_kernels(Device{}).fill(*to, value); });
        },
    .arange =
        [](TensorImpl& target, const Scalar& start, const Scalar& step) {
          Recorder& recorder = *Recorder::current();
          TensorImpl* to = recorder.tensor(target);
          recorder.add([to, start, step] { device_kernels(Device{}).arange(*to, start, step); });
        },
    .gather = [](const IndexedLoop&) { needs_values(); },
    .scatter = [](const IndexedLoop&, ScatterMode) { needs_values(); },
    .find_outside = [](const TensorImpl&, std::int64_t,
                       std::int64_t) { return needs_values(), std::int64_t{-1}; },
    .count_nonzero = [](const TensorImpl&) { return needs_values(), std::int64_t{0}; },
    .nonzero = [](const TensorImpl&, TensorImpl&) { needs_values(); },
    .random = [](const RandomCall&, TensorImpl&) { needs_values(); },
    .dropout = [](const TensorImpl&, TensorImpl&, double, const GeneratorState&) { needs_values(); },
    .reduce =
        [](const ReduceCall& call) {
          Recorder::current()->note_elements(call.input->count, *call.output);
          record<&DeviceKernels::reduce>(call, &ReduceCall::input, &ReduceCall::output);
        },
    .contraction =
        [](const ContractionCall& call) {
          // Above this threads share out a product (device/cpu/contraction.cc).
          constexpr double most_products = 300e3;
          const double products = static_cast<double>(call.output->count) *
                                  static_cast<double>(call.lhs->sizes[call.lhs->rank - 1]);
          const DType dtype = call.output->dtype;
          if (products <= most_products && (dtype == DType::float32 || dtype == DType::float64))
            Recorder::current()->note_cost(100 + products / 100, *call.output);
          record<&DeviceKernels::contraction>(call, &ContractionCall::lhs, &ContractionCall::rhs,
                                              &ContractionCall::bias, &ContractionCall::output);
        },
    .convolution =
        [](const ConvolutionCall& call) {
          Recorder& recorder = *Recorder::current();
          ConvolutionCall copy = call;
          recorder.replace(copy.input), recorder.replace(copy.weight), recorder.replace(copy.output);
          recorder.replace(copy.bias);
          recorder.add([copy, geometry = *call.geometry]() mutable {
            copy.geometry = &geometry;
            device_kernels(Device{}).convolution(copy);
          });
        },
    .max_pool =
        [](const MaxPoolCall& call) {
          Recorder& recorder = *Recorder::current();
          MaxPoolCall copy = call;
          recorder.replace(copy.input), recorder.replace(copy.output), recorder.replace(copy.indices);
          recorder.add([copy, geometry = call.geometry ? *call.geometry : PoolGeometry{},
                        has = call.geometry != nullptr]() mutable {
            copy.geometry = has ? &geometry : nullptr;
            device_kernels(Device{}).max_pool(copy);
          });
        },
    .average_pool =
        [](const AveragePoolCall& call) {
          Recorder& recorder = *Recorder::current();
          AveragePoolCall copy = call;
          recorder.replace(copy.input), recorder.replace(copy.output);
          recorder.add([copy, geometry = *call.geometry]() mutable {
            copy.geometry = &geometry;
            device_kernels(Device{}).average_pool(copy);
          });
        },
    .arg_reduce =
        [](const ArgReduceCall& call) {
          record<&DeviceKernels::arg_reduce>(call, &ArgReduceCall::input, &ArgReduceCall::output);
        },
    .scan =
        [](const ScanCall& call) {
          record<&DeviceKernels::scan>(call, &ScanCall::input, &ScanCall::output, &ScanCall::indices);
        },
    .sort =
        [](const SortCall& call) {
          record<&DeviceKernels::sort>(call, &SortCall::input, &SortCall::values, &SortCall::indices);
        },
    .search =
        [](const SearchCall& call) {
          record<&DeviceKernels::search>(call, &SearchCall::sorted, &SearchCall::values, &SearchCall::output);
        },
    .softmax =
        [](const SoftmaxCall& call) {
          record<&DeviceKernels::softmax>(call, &SoftmaxCall::input, &SoftmaxCall::output);
        },
    .softmax_gradient =
        [](const SoftmaxGradientCall& call) {
          record<&DeviceKernels::softmax_gradient>(call, &SoftmaxGradientCall::result,
                                                   &SoftmaxGradientCall::gradient,
                                                   &SoftmaxGradientCall::output);
        },
    .cross_entropy =
        [](const CrossEntropyCall& call) {
          record<&DeviceKernels::cross_entropy>(call, &CrossEntropyCall::logits, &CrossEntropyCall::target,
                                                &CrossEntropyCall::weight, &CrossEntropyCall::losses,
                                                &CrossEntropyCall::statistics, &CrossEntropyCall::gradient,
                                                &CrossEntropyCall::output);
        },
    .cross_entropy_gradient =
        [](const CrossEntropyCall& call) {
          record<&DeviceKernels::cross_entropy_gradient>(
              call, &CrossEntropyCall::logits, &CrossEntropyCall::target, &CrossEntropyCall::weight,
              &CrossEntropyCall::losses, &CrossEntropyCall::statistics, &CrossEntropyCall::gradient,
              &CrossEntropyCall::output);
        },
    .normalize =
        [](const NormalizationCall& call) {
          record<&DeviceKernels::normalize>(call, &NormalizationCall::input, &NormalizationCall::weight,
                                            &NormalizationCall::bias, &NormalizationCall::output,
                                            &NormalizationCall::mean, &NormalizationCall::variance,
                                            &NormalizationCall::inverse);
        },
    .normalize_gradient =
        [](const NormalizationGradientCall& call) {
          record<&DeviceKernels::normalize_gradient>(
              call, &NormalizationGradientCall::input, &NormalizationGradientCall::gradient,
              &NormalizationGradientCall::mean, &NormalizationGradientCall::inverse,
              &NormalizationGradientCall::weight, &NormalizationGradientCall::input_gradient,
              &NormalizationGradientCall::weight_gradient, &NormalizationGradientCall::bias_gradient);
        },
    .fft = [](const FftCall& call) { record<&DeviceKernels::fft>(call, &FftCall::input, &FftCall::output); },
    .sample = [](const SampleCall&) { needs_values(); },
    .gamma_gradient = [](const TensorImpl&, const TensorImpl&, TensorImpl&) { needs_values(); },
    .linear_algebra =
        [](const MatrixCall& call) {
          record<&DeviceKernels::linear_algebra>(call, &MatrixCall::inputs, &MatrixCall::results);
        },
    .sparse_product = [](const SparseProductCall&) { needs_values(); },
};

}  // namespace

Recorder::Scope::Scope(Recorder& recorder) : saved_(abstract_evaluation), outer_(current_) {
  abstract_evaluation = {&recording_kernels, false};
  current_ = &recorder;
}

}  // namespace phlox::graph
