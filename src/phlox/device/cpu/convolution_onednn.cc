#if defined(PHLOX_ONEDNN)

#include <algorithm>
#include <optional>

#include "phlox/base/error.h"
#include "phlox/core/allocator.h"
#include "phlox/core/deterministic.h"
#include "phlox/core/parallel.h"
#include "phlox/device/cpu/device.h"
#include "phlox/device/cpu/convolution_onednn.h"
#include "phlox/device/cpu/onednn.h"

namespace phlox::cpu {

namespace {

using namespace onednn;

// A convolution and the changes of layout around it. Activations are channels-last for oneDNN, which is within a
// few per cent of its blocked layouts; weights take whatever form it wants.
struct Plan {
  Executable convolution;
  std::optional<Executable> weight_reorder;  // into the form of oneDNN, or out of it for a weight gradient
  std::size_t weight_bytes = 0;
};

// A block of scratch memory.
class Block {
 public:
  explicit Block(std::size_t bytes) : bytes_(bytes), data_(bytes ? allocate(bytes) : nullptr) {}
  ~Block() {
    if (data_) deallocate(data_, bytes_);
  }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;
  void* data() const { return data_; }

 private:
  std::size_t bytes_;
  void* data_;
};

std::span<const std::int64_t> sizes_of(const TensorImpl& t) { return {t.sizes, t.rank}; }

bool is_channels_last(const TensorImpl& t) {
  std::int64_t expected = 1;
  const auto check = [&](int d) {
    const bool fits = t.sizes[d] == 1 || t.strides[d] == expected;
    expected *= t.sizes[d];
    return fits;
  };
  bool dense = check(1);
  for (int d = t.rank - 1; d >= 2; --d) dense = check(d) && dense;
  return check(0) && dense;
}

// Elements in some order without gaps, each once.
bool is_dense(const TensorImpl& t) {
  int order[max_rank];
  for (int d = 0; d < t.rank; ++d) order[d] = d;
  std::sort(order, order + t.rank, [&](int a, int b) { return t.strides[a] < t.strides[b]; });
  std::int64_t expected = 1;
  for (int i = 0; i < t.rank; ++i) {
    const int d = order[i];
    if (t.sizes[d] == 1) continue;
    if (t.strides[d] != expected) return false;
    expected *= t.sizes[d];
  }
  return true;
}

Description activation_description(const TensorImpl& t) {
  const auto tag = t.rank == 3   ? Memory::format_tag::nwc
                   : t.rank == 4 ? Memory::format_tag::nhwc
                                 : Memory::format_tag::ndhwc;
  return Description(Memory::dims(t.sizes, t.sizes + t.rank), data_type(t.dtype), tag);
}

// An operand in channels-last order, which may take a copy. Where oneDNN cannot read the strides it is made at once, which takes
// the team, so the team is not held yet; otherwise by reorder().
class Activation {
 public:
  explicit Activation(const TensorImpl& t) : tensor_(t), address_(t.address()) {
    if (is_channels_last(t)) return;
    copy_ = make_channels_last(Shape(sizes_of(t)), t.dtype, t.device);
    address_ = copy_.data_pointer();
    reorders_ = is_dense(t);
    if (!reorders_) convert(t, *copy_.impl());
  }
  void reorder(int threads) const {
    if (!reorders_) return;
    Key key{1, threads, static_cast<std::int64_t>(tensor_.dtype)};
    key.add(sizes_of(tensor_));
    key.add(std::span(tensor_.strides, tensor_.rank));
    cached<Executable>(key, [&] {
      Memory::dims strides(tensor_.strides, tensor_.strides + tensor_.rank);
      const Description from(Memory::dims(tensor_.sizes, tensor_.sizes + tensor_.rank),
                             data_type(tensor_.dtype), strides);
      const Description to = activation_description(tensor_);
      dnnl::primitive_attr attributes;
      attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
      const dnnl::reorder::primitive_desc description(engine(), from, engine(), to, attributes);
      return Executable(dnnl::reorder(description), description.scratchpad_desc(),
                        {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}});
    }).run({tensor_.address(), address_});
  }
  const void* address() const { return address_; }

 private:
  const TensorImpl& tensor_;
  const void* address_;
  Tensor copy_;
  bool reorders_ = false;
};

// Row-major [groups, out / groups, in / groups, kernel...], or without groups where there is one.
Description weight_description(const TensorImpl& t, std::int64_t groups, bool any) {
  Memory::dims sizes(t.sizes, t.sizes + t.rank);
  if (groups > 1) {
    sizes[0] /= groups;
    sizes.insert(sizes.begin(), groups);
  }
  if (any) return Description(sizes, data_type(t.dtype), Memory::format_tag::any);
  Memory::dims strides(sizes.size());
  std::int64_t stride = 1;
  for (std::size_t d = sizes.size(); d-- > 0;) {
    strides[d] = stride;
    stride *= sizes[d];
  }
  return Description(sizes, data_type(t.dtype), strides);
}

Plan build(const ConvolutionCall& call) {
  const ConvolutionGeometry& g = *call.geometry;
  const auto list = [](const IntList& values) { return Memory::dims(values.begin(), values.end()); };
  Memory::dims dilation = list(g.dilation);
  for (auto& d : dilation) --d;  // oneDNN counts the gaps
  const Description input = activation_description(*call.input),
                    output = activation_description(*call.output);
  const Description weight = weight_description(*call.weight, g.groups, true);
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  const bool with_bias = call.bias != nullptr;
  const Description bias =
      with_bias ? Description({call.bias->sizes[0]}, data_type(call.bias->dtype), Memory::format_tag::a)
                : Description();
  const auto forward = [&](dnnl::prop_kind kind, const Description& b) {
    return dnnl::convolution_forward::primitive_desc(
        engine(), kind, dnnl::algorithm::convolution_direct, input, weight, b, output, list(g.stride),
        dilation, list(g.padding_before), list(g.padding_after), attributes);
  };
  const Description user_weight = weight_description(*call.weight, g.groups, false);
  const auto finish = [&](Executable executable, const Description& chosen) {
    Plan plan{std::move(executable), std::nullopt, 0};
    if (chosen != user_weight) {
      const bool out = call.result == ConvolutionPart::weight;
      const Description& from = out ? chosen : user_weight;
      const Description& to = out ? user_weight : chosen;
      dnnl::reorder::primitive_desc reorder(engine(), from, engine(), to, attributes);
      plan.weight_reorder.emplace(
          dnnl::reorder(reorder), reorder.scratchpad_desc(),
          std::initializer_list<std::pair<int, Description>>{{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}});
      plan.weight_bytes = chosen.get_size();
    }
    return plan;
  };
  switch (call.result) {
    case ConvolutionPart::output: {
      const auto d = forward(dnnl::prop_kind::forward_inference, bias);
      if (with_bias)
        return finish(Executable(dnnl::convolution_forward(d), d.scratchpad_desc(),
                                 {{DNNL_ARG_SRC, input},
                                  {DNNL_ARG_WEIGHTS, d.weights_desc()},
                                  {DNNL_ARG_DST, output},
                                  {DNNL_ARG_BIAS, bias}}),
                      d.weights_desc());
      return finish(
          Executable(dnnl::convolution_forward(d), d.scratchpad_desc(),
                     {{DNNL_ARG_SRC, input}, {DNNL_ARG_WEIGHTS, d.weights_desc()}, {DNNL_ARG_DST, output}}),
          d.weights_desc());
    }
    case ConvolutionPart::input: {
      const auto hint = forward(dnnl::prop_kind::forward_training, Description());
      const dnnl::convolution_backward_data::primitive_desc d(
          engine(), dnnl::algorithm::convolution_direct, input, weight, output, list(g.stride), dilation,
          list(g.padding_before), list(g.padding_after), hint, attributes);
      return finish(Executable(dnnl::convolution_backward_data(d), d.scratchpad_desc(),
                               {{DNNL_ARG_DIFF_SRC, input},
                                {DNNL_ARG_WEIGHTS, d.weights_desc()},
                                {DNNL_ARG_DIFF_DST, output}}),
                    d.weights_desc());
    }
    default: {
      const auto hint = forward(dnnl::prop_kind::forward_training, Description());
      const dnnl::convolution_backward_weights::primitive_desc d(
          engine(), dnnl::algorithm::convolution_direct, input, weight, output, list(g.stride), dilation,
          list(g.padding_before), list(g.padding_after), hint, attributes);
      return finish(Executable(dnnl::convolution_backward_weights(d), d.scratchpad_desc(),
                               {{DNNL_ARG_SRC, input},
                                {DNNL_ARG_DIFF_WEIGHTS, d.diff_weights_desc()},
                                {DNNL_ARG_DIFF_DST, output}}),
                    d.diff_weights_desc());
    }
  }
}

}  // namespace

void convolution_onednn(const ConvolutionCall& call) {
  const ConvolutionGeometry& g = *call.geometry;
  const Activation input(*call.input), output(*call.output);  // results are channels-last by themselves
  Tensor weight_copy, bias_copy;
  const auto contiguous = [](const TensorImpl& t, Tensor& copy) {
    if (t.contiguous) return static_cast<const void*>(t.address());
    copy = make_tensor(Shape(sizes_of(t)), t.dtype, t.device);
    convert(t, *copy.impl());
    return static_cast<const void*>(copy.data_pointer());
  };
  const void* weight = contiguous(*call.weight, weight_copy);
  const void* bias = call.bias ? contiguous(*call.bias, bias_copy) : nullptr;

  const double work = static_cast<double>(call.output->count) * static_cast<double>(call.weight->count) /
                      static_cast<double>(call.weight->sizes[0]);
  Team team(is_deterministic() || work < 300e3 ? 1 : 0);
  Key key{41,
          static_cast<std::int64_t>(call.result),
          team.threads(),
          static_cast<std::int64_t>(call.input->dtype),
          call.bias != nullptr,
          g.groups};
  key.add(sizes_of(*call.input));
  key.add(sizes_of(*call.weight));
  key.add(sizes_of(*call.output));
  for (const IntList* list : {&g.stride, &g.padding_before, &g.padding_after, &g.dilation}) key.add(*list);
  guard("convolution", [&] {
    input.reorder(team.threads());
    output.reorder(team.threads());
    Plan& plan = cached<Plan>(key, [&] { return build(call); });
    Block converted(plan.weight_bytes);
    const void* used_weight = converted.data() ? converted.data() : weight;
    switch (call.result) {
      case ConvolutionPart::output:
        if (plan.weight_reorder) plan.weight_reorder->run({weight, used_weight});
        if (bias) plan.convolution.run({input.address(), used_weight, output.address(), bias});
        else plan.convolution.run({input.address(), used_weight, output.address()});
        break;
      case ConvolutionPart::input:
        if (plan.weight_reorder) plan.weight_reorder->run({weight, used_weight});
        plan.convolution.run({input.address(), used_weight, output.address()});
        break;
      case ConvolutionPart::weight:
        plan.convolution.run({input.address(), used_weight, output.address()});
        if (plan.weight_reorder) plan.weight_reorder->run({used_weight, weight});
        break;
    }
  });
}

}  // namespace phlox::cpu

#endif
