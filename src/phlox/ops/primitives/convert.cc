#include "phlox/ops/primitives/convert.h"

#include "phlox/core/recording.h"
#include "phlox/ops/primitives/batching.h"
#include "phlox/ops/primitives/device_kernels.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/in_place.h"
#include "phlox/ops/registry/operation.h"
#include "phlox/ops/primitives/primitive.h"
#include "phlox/ops/primitives/rules.h"

namespace phlox {
namespace {

TensorList evaluate_convert(std::span<const Operand> inputs, const void* attributes) {
  const auto& a = *static_cast<const ConvertAttributes*>(attributes);
  return {apply_convert(inputs[0].tensor(), a.dtype, a.order)};
}
PHLOX_PRIMITIVE(convert, 2, evaluate_convert, ConvertAttributes);
void check_convert(const PrimitiveCall& call) {
  call.takes(1);
  const auto& a = call.attributes<ConvertAttributes>();
  if (a.dtype == call.tensor(0).dtype()) return;
  for (const DType dtype : {a.dtype, call.tensor(0).dtype()})
    if (!is_castable(dtype)) call.require_computable(dtype);
}
PHLOX_PRIMITIVE_RULE(convert, check_convert);

TensorList batch_convert(const BatchedCall& call) {
  const auto& a = call.attributes_as<ConvertAttributes>();
  if (a.order != MemoryOrder::channels_last) return {apply_convert(call.tensor(0), a.dtype, a.order)};
  return {unfold_batch(apply_convert(fold_batch(call.tensor(0)), a.dtype, a.order), call.batch())};
}
PHLOX_BATCHING_RULE(convert, batch_convert);

class ConvertNode final : public GradientNode {
 public:
  explicit ConvertNode(const Tensor& input)
      : GradientNode("to", 1), dtype_(input.dtype()), device_(input.device()) {
    edges()[0] = gradient_edge(input);
  }
  void backward(std::span<const Tensor> output_gradients, std::span<Tensor> input_gradients) override {
    if (output_gradients[0].defined()) input_gradients[0] = output_gradients[0].to(dtype_).to(device_);
  }
  void release_saved() override {}

 private:
  DType dtype_;
  Device device_;
};

void record_convert(const Tensor& input, const Tensor& result) {
  if (!needs_gradient(input)) return;
  set_history(result, Reference<GradientNode>::adopt(new ConvertNode(input)));
}

bool has_order(const Tensor& tensor, MemoryOrder order) {
  if (order == MemoryOrder::keep) return true;
  return order == MemoryOrder::row_major ? tensor.is_contiguous() : tensor.is_channels_last();
}

}  // namespace

Tensor make_tensor_ordered(const Tensor& like, const Shape& shape, DType dtype, MemoryOrder order) {
  if (order == MemoryOrder::keep) return make_tensor_like(like, shape, dtype);
  Tensor result = make_tensor(shape, dtype, like.device());
  if (order == MemoryOrder::row_major) return result;
  const int rank = shape.rank();
  if (rank != 4 && rank != 5)
    fail<ShapeError>(ErrorCode::wrong_rank, "channels_last: needs 4 or 5 dimensions, not {}", rank)
        .detail("shape", "[" + to_string(shape) + "]")
        .raise();
  TensorImpl* impl = result.impl();
  impl->strides[1] = 1;
  std::int64_t stride = shape[1];
  for (int d = rank - 1; d >= 0; --d) {
    if (d == 1) continue;
    impl->strides[d] = stride;
    stride *= std::max<std::int64_t>(shape[static_cast<std::size_t>(d)], 1);
  }
  impl->update_layout();
  return result;
}

Tensor apply_convert(const Tensor& input, DType dtype, MemoryOrder order) {
  if (thread_mode.interpreter_count) [[unlikely]] {
    const Operand operand(input);
    const ConvertAttributes attributes{dtype, order};
    return interpret(convert_primitive, {&operand, 1}, &attributes)[0];
  }
  Tensor result = make_tensor_ordered(input, input.shape(), dtype, order);
  device_kernels(input.device()).convert(*input.impl(), *result.impl());
  record_convert(input, result);
  return result;
}

MemoryOrder parse_memory_order(const std::string& name, const char* operation) {
  if (name == "preserve" || name == "preserve_format") return MemoryOrder::keep;
  if (name == "row_major" || name == "contiguous_format") return MemoryOrder::row_major;
  if (name == "channels_last" || name == "channels_last_3d") return MemoryOrder::channels_last;
  fail<ValueError>(ErrorCode::invalid_value, "{}: memory_format is '{}'", operation, name)
      .hint("memory_format=\"channels_last\", \"row_major\" or \"preserve\"")
      .raise();
}

Tensor Tensor::to(DType dtype, bool copy) const {
  if (dtype == impl()->dtype && !copy) return *this;
  return apply_convert(*this, dtype);
}

Tensor Tensor::to(Device device, bool copy) const {
  if (device == impl()->device) return copy ? apply_convert(*this, impl()->dtype) : *this;
  Tensor result = make_tensor(shape(), dtype(), device);
  const Device busy = device.type == DeviceType::cpu ? impl()->device : device;
  device_kernels(busy).convert(*impl(), *result.impl());
  record_convert(*this, result);
  return result;
}

void copy_data(const Tensor& source, const Tensor& target) {
  if (thread_mode.interpreter_count) [[unlikely]]
    return interpret_write(target, source);
  // Two views of one memory may overlap: then the source is copied first, unless every element is its own
  // source.
  const bool overlaps =
      source.shares_storage_with(target) &&
      (source.storage_offset() != target.storage_offset() || source.strides() != target.strides());
  if (!overlaps) {
    device_kernels(target.device()).convert(*source.impl(), *target.impl());
    return;
  }
  Tensor apart = make_tensor_like(source, source.shape(), source.dtype());
  device_kernels(target.device()).convert(*source.impl(), *apart.impl());
  device_kernels(target.device()).convert(*apart.impl(), *target.impl());
}

bool keeps_kind(DType from, DType to) {
  const auto level = [](DType d) { return is_complex(d) ? 3 : is_floating(d) ? 2 : is_integer(d) ? 1 : 0; };
  return level(from) <= level(to);
}

void check_kind_kept(DType value, const Tensor& target, const char* operation) {
  if (keeps_kind(value, target.dtype())) return;
  fail<DTypeError>(ErrorCode::cast_loses, "{}: a {} result does not fit into a {} tensor in place", operation,
                   info(value).name, info(target.dtype()).name)
      .detail("target", describe(target))
      .hint("use the form that returns a new tensor")
      .raise();
}

namespace {

// Stands for a value that needs no gradient: nothing flows beyond it.
class ConstantNode final : public GradientNode {
 public:
  explicit ConstantNode(const char* name) : GradientNode(name, 0) {}
  void backward(std::span<const Tensor>, std::span<Tensor>) override {}
  void release_saved() override {}
};

}  // namespace

Reference<GradientNode> constant_history(const char* operation) {
  return Reference<GradientNode>::adopt(new ConstantNode(operation));
}

namespace {

Tensor broadcast_into(const Tensor& value, const Tensor& target, const char* operation) {
  if (value.shape() == target.shape()) return value;
  const Shape shape = broadcast_shapes(target.shape(), value.shape(), operation);
  if (shape != target.shape())
    fail<ShapeError>(ErrorCode::shapes_do_not_broadcast, "{}: [{}] does not fit into [{}]", operation,
                     to_string(value.shape()), to_string(target.shape()))
        .detail("target", describe(target))
        .detail("value", describe(value))
        .raise();
  return broadcast_to(value, target.shape());
}

}  // namespace

const Tensor& assign_in_place(const Tensor& target, const Tensor& value, const char* operation) {
  const bool recorded = needs_gradient(value);
  check_in_place_allowed(target, operation, recorded);
  Tensor source = broadcast_into(value, target, operation);
  if (recorded && is_differentiable(target.dtype())) {
    source = source.to(target.dtype());
    if (source.impl() == target.impl()) return target;
    const AutogradRecord* record = source.impl()->autograd;
    const Reference<GradientNode> node = record->node;
    const int output = static_cast<int>(record->output);
    if (node) {
      copy_data(source, target);
      bump_version(target);
      rebase_history(target, node, output);
      return target;
    }
    source = apply_convert(source, target.dtype());  // a leaf: its copy has a node
    copy_data(source, target);
    bump_version(target);
    rebase_history(target, source.impl()->autograd->node);
    return target;
  }
  copy_data(source.to(target.device()), target);
  bump_version(target);
  if (needs_gradient(target)) rebase_history(target, constant_history(operation));
  return target;
}

Tensor value_before_write(const Tensor& target) {
  return needs_gradient(target) ? apply_convert(target, target.dtype()) : target;
}

void write_out(const Tensor& result, const Tensor& target, const char* operation) {
  if (gradients_enabled() && (result.requires_grad() || target.requires_grad()))
    fail<GradientError>(ErrorCode::leaf_modified_in_place, "{}: out= cannot take part in gradients",
                        operation)
        .hint("leave out= away, or write under px.no_grad()")
        .raise();
  if (result.shape() != target.shape())
    fail<ShapeError>(ErrorCode::shapes_do_not_broadcast, "{}: the result [{}] does not fit the target [{}]",
                     operation, to_string(result.shape()), to_string(target.shape()))
        .detail("target", describe(target))
        .raise();
  check_kind_kept(result.dtype(), target, operation);
  check_in_place_allowed(target, operation, false);
  copy_data(result.to(target.device()), target);
  bump_version(target);
}

PHLOX_OPERATION(Tensor, clone, (const Tensor& input, const std::string& memory_format = "preserve"),
                .doc = "A copy with memory of its own; gradients flow through it.",
                .family = Family::conversion,
                .samples = "clone(A(3, 4)); clone(A(2, 3, 4, 5), memory_format='channels_last')",
                .reference = "input", .complex = true) {
  return apply_convert(input, input.dtype(), parse_memory_order(memory_format, "clone"));
}

PHLOX_OPERATION(Tensor, contiguous, (const Tensor& input, const std::string& memory_format = "row_major"),
                .doc = "The tensor itself where its memory has the order asked for, else a copy that has.",
                .family = Family::conversion,
                .samples = "contiguous(A(3, 4)); contiguous(A(2, 3, 4, 5), 'channels_last')",
                .reference = "input", .complex = true) {
  const MemoryOrder order = parse_memory_order(memory_format, "contiguous");
  return view_or_copy(input, has_order(input, order) ? input : apply_convert(input, input.dtype(), order));
}

PHLOX_OPERATION(Tensor, detach, (const Tensor& input), .doc = "The same data, cut off from gradients.",
                .family = Family::view, .method = false, .samples = "detach(A(3, 4))", .reference = "input",
                .differentiable = false) {
  return input.detach();
}

PHLOX_OPERATION(Tensor, type_as, (const Tensor& input, const Tensor& other),
                .doc = "The tensor cast to the dtype of `other`.", .family = Family::conversion,
                .samples = "type_as(A(3, 4), A(2))", .reference = "input.astype(other.dtype)") {
  return input.to(other.dtype());
}

PHLOX_OPERATION(Tensor, copy_, (const Tensor& input, const Operand& src, bool non_blocking = false),
                .doc = "Writes `src`, broadcast and cast, into the tensor.", .family = Family::in_place,
                .example = "px.zeros(2, 3).copy_(px.tensor([1, 2, 3]))") {
  static_cast<void>(non_blocking);  // every copy is complete when it returns
  return assign_in_place(input, src.is_tensor() ? src.tensor() : Tensor(src.scalar()), "copy_");
}

// --- dtypes

PHLOX_OPERATION(DType, result_type, (const Operand& tensor1, const Operand& tensor2),
                .doc = "The dtype of the result of arithmetic on both; Python numbers are weak.",
                .family = Family::conversion, .method = false, .samples = "result_type(A(2), I(3, 2))",
                .differentiable = false) {
  if (tensor1.is_tensor() && tensor2.is_tensor())
    return promote(tensor1.tensor().dtype(), tensor2.tensor().dtype());
  if (tensor1.is_tensor()) return tensor2.scalar().promote_with(tensor1.tensor().dtype());
  if (tensor2.is_tensor()) return tensor1.scalar().promote_with(tensor2.tensor().dtype());
  return promote(tensor1.scalar().dtype(), tensor2.scalar().dtype());
}

PHLOX_OPERATION(DType, promote_types, (DType type1, DType type2),
                .doc = "The smallest dtype that holds both, by the rule of arithmetic.",
                .family = Family::conversion, .differentiable = false) {
  return promote(type1, type2);
}

PHLOX_OPERATION(
    bool, can_cast, (DType from_, DType to),
    .doc = "True when a cast keeps the kind: floats do not become integers, complex numbers not real.",
    .family = Family::conversion, .example = "can_cast(px.float32, px.int64); can_cast(px.int64, px.float32)",
    .differentiable = false) {
  return keeps_kind(from_, to);
}

PHLOX_OPERATION(bool, is_floating_point, (const Tensor& input), .doc = "True for f16, bf16, f32 and f64.",
                .family = Family::conversion,
                .samples = "is_floating_point(A(2)); is_floating_point(I(3, 2))",
                .reference = "np.issubdtype(input.dtype, np.floating)", .differentiable = false) {
  return is_floating(input.dtype());
}

PHLOX_OPERATION(bool, is_complex, (const Tensor& input), .doc = "True for complex tensors.",
                .family = Family::conversion, .samples = "is_complex(A(2))",
                .reference = "np.iscomplexobj(input)", .differentiable = false, .complex = true) {
  return is_complex(input.dtype());
}

PHLOX_OPERATION(std::int64_t, numel, (const Tensor& input), .doc = "The number of elements.",
                .family = Family::conversion, .method = false, .samples = "numel(A(3, 4)); numel(A(0, 2))",
                .reference = "input.size", .differentiable = false) {
  return input.numel();
}

}  // namespace phlox
