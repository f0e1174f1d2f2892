#include "phlox/graph/tracer.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>

#include "phlox/core/history_journal.h"
#include "phlox/core/origin.h"
#include "phlox/core/recording.h"
#include "phlox/core/strided.h"
#include "phlox/graph/evaluate.h"
#include "phlox/graph/graph_gradient.h"
#include "phlox/graph/text.h"
#include "phlox/ops/effects.h"
#include "phlox/ops/primitives/convert.h"
#include "phlox/ops/primitives/random.h"
#include "phlox/ops/view_history.h"

namespace phlox::graph {
namespace {

bool is_whole(const TensorImpl& t) {
  IntList order;
  return dense_order(t, order) &&
         static_cast<std::size_t>(t.count * element_size(t.dtype)) == t.storage->bytes;
}

// Whether all elements lie in the part of the memory that the storage knows of: foreign memory with negative strides
// reaches beyond.
bool is_within_storage(const TensorImpl& t) {
  if (t.count == 0) return true;
  std::int64_t first = t.offset, last = t.offset;
  for (int d = 0; d < t.rank; ++d) (t.strides[d] < 0 ? first : last) += t.strides[d] * (t.sizes[d] - 1);
  return first >= 0 && (last + 1) * element_size(t.dtype) <= static_cast<std::int64_t>(t.storage->bytes);
}

ViewAttributes slice_of_part(const Tensor& whole, const Tensor& part, int dim, std::int64_t start) {
  const auto rank = static_cast<std::size_t>(whole.rank());
  ViewAttributes v{ViewKind::slice, part.shape(), IntList(rank, 0), IntList(rank, 1)};
  v.b[static_cast<std::size_t>(dim)] = start;
  return v;
}

}  // namespace

Tensor flat_view(const Tensor& tensor) {
  const TensorImpl& t = *tensor.impl();
  const auto count = static_cast<std::int64_t>(t.storage->bytes) / element_size(t.dtype);
  Tensor flat = make_view(tensor.detach(), {count}, {1}, 0);
  flat.impl()->forget_base();
  return flat;
}

Type state_type(const Source& source) {
  return {DType::int64, source.generator ? Shape{3} : Shape{}, Device{}};
}

Tracer::Layout::Layout(const TensorImpl& impl)
    : dtype(impl.dtype),
      offset(impl.count ? impl.offset : 0),
      sizes(std::span<const std::int64_t>(impl.sizes, impl.rank)),
      strides(std::span<const std::int64_t>(impl.strides, impl.rank)) {
  // Strides that are never stepped along mean nothing.
  for (std::size_t d = 0; d < sizes.size(); ++d)
    if (sizes[d] == 1 || impl.count == 0) strides[d] = 0;
}

// Whether elements may share memory.
bool Tracer::Layout::overlaps() const {
  std::vector<std::pair<std::int64_t, std::int64_t>> steps;
  for (std::size_t d = 0; d < sizes.size(); ++d)
    if (sizes[d] > 1) steps.emplace_back(std::abs(strides[d]), sizes[d]);
  std::sort(steps.begin(), steps.end());
  std::int64_t reach = 0;
  for (const auto& [stride, size] : steps) {
    if (stride <= reach) return true;
    reach += stride * (size - 1);
  }
  return false;
}

namespace {

std::atomic<std::uint32_t> captures{0};

// Its number tells nodes that were recorded before from those that come.
class SequenceMark final : public GradientNode {
 public:
  SequenceMark() : GradientNode("mark", 0) {}
  void backward(std::span<const Tensor>, std::span<Tensor>) override {}
  void release_saved() override {}
};

// Of an argument that was computed before the function is called.
class EarlierHistory final : public GradientNode {
 public:
  EarlierHistory() : GradientNode("an argument", 0) {}
  void backward(std::span<const Tensor>, std::span<Tensor>) override {
    fail_capture(
        "backward() reaches what was computed before the captured function",
        "call backward() outside, give <argument>.detach().requires_grad_(), or use px.autograd.grad()");
  }
  void release_saved() override {}
};

// A tensor in the tape that is no leaf.
Tensor linked(Tensor tensor) {
  tensor.set_requires_grad();
  return recorded_alias(tensor);
}

}  // namespace

Tracer::Tracer(const TensorList& examples, Tracer* parent, bool linked_state)
    : first_sequence_(SequenceMark().sequence()),
      parent_(parent),
      number_(captures.fetch_add(1, std::memory_order_relaxed) + 1) {
  for (std::size_t i = 0; i < examples.size(); ++i) {
    const Tensor& example = examples[i];
    const auto first = std::find_if(examples.begin(), examples.end(), [&](const Tensor& other) {
      return other.unsafe_impl() == example.unsafe_impl();
    });
    if (const auto same = static_cast<std::size_t>(first - examples.begin()); same < i && !parent_) {
      arguments_.push_back(arguments_[same]);
      continue;
    }
    for (std::size_t other = 0; other < i && !parent_; ++other)
      if (examples[other].shares_storage_with(example) &&
          (example.requires_grad() || examples[other].requires_grad()))
        fail<GraphError>(ErrorCode::not_capturable, "arguments that gradients flow to share memory")
            .detail("argument", describe(examples[other]))
            .detail("argument", describe(example))
            .hint("give clone() of one, or take the view inside of the function")
            .raise();
    // What a branch or loop gets is another tensor each time.
    Tensor alias = parent_ ? abstract_tensor(type_of(example)) : shallow_alias(example);
    if (parent_ && is_differentiable(example.dtype()) && (example.requires_grad() || linked_state))
      alias = linked(alias);
    else if (example.requires_grad() && !example.is_leaf())
      set_history(alias, Reference<GradientNode>::adopt(new EarlierHistory));
    else if (example.requires_grad()) {
      alias.set_requires_grad();
      if (const GradientNode::Hooks* hooks = existing_hooks(example)) {
        GradientNode::Hooks& own = gradient_edge(alias).node->hooks();
        own.before = hooks->before;
        own.after = hooks->after;
      }
    }
    if (const Tensor gradient = parent_ ? Tensor() : example.grad(); gradient.defined())
      alias.set_grad(gradient);
    arguments_.push_back(alias);
  }
  // Each argument is an input even when the function does not look at it; those that share memory are one.
  for (std::size_t i = 0; i < arguments_.size(); ++i) {
    const Tensor& argument = arguments_[i];
    const int number = memory_of(argument).source;
    Source& source = sources_[static_cast<std::size_t>(number)];
    const bool is_first = source.argument < 0;
    if (is_first) {
      source.argument = static_cast<int>(i);
      source.tensor = {};
    }
    argument_looks_.push_back({number, type_of(argument), argument.strides(), argument.storage_offset(),
                               !is_first || source.flat, argument.requires_grad(), argument.is_leaf(),
                               argument_of(argument)});
    if (!is_first) argument_looks_[static_cast<std::size_t>(source.argument)].shared = true;
  }
  if (!parent_) first_sequence_ = SequenceMark().sequence();
}

int Tracer::argument_of(const Tensor& tensor) const {
  for (std::size_t i = 0; i < arguments_.size(); ++i)
    if (arguments_[i].unsafe_impl() == tensor.unsafe_impl()) return static_cast<int>(i);
  return -1;
}

Tracer::~Tracer() { restore(); }

void Tracer::restore() {
  if (std::exchange(restored_, true)) return;
  for (GradientSlot& slot : gradients_) slot.leaf.set_grad(slot.before);
  for (auto& [storage, memory] : memories_)
    if (memory->source >= 0) memory->holder->storage->version.store(memory->version);
}

Value Tracer::node(const char* primitive, std::vector<Input> inputs, const void* attributes) {
  const Primitive& p = *find_primitive(primitive);
  return {&builder_.add(p, std::move(inputs), Attributes(p, attributes), {}, origin_of_call()), 0};
}

Value Tracer::view(const Value& input, const ViewAttributes& attributes) {
  return node("view", {input}, &attributes);
}

Tracer::Memory& Tracer::add_memory(const Tensor& whole, const Value& value) {
  auto memory = std::make_unique<Memory>();
  memory->holder = whole.detach().reference();
  memory->looks.push_back({.layout = Layout(*whole.impl()), .value = value});
  return *(memories_[whole.impl()->storage] = std::move(memory));
}

Value Tracer::add_source(Source source, const Type& type) {
  const char* kind = source.generator  ? "random"
                     : source.effects  ? "effects"
                     : source.gradient ? "gradient"
                                       : "x";
  // Which of several tensors in one memory needs gradients shows later; arguments are what they are.
  const bool is_literal = source.tensor.defined() && source.tensor.impl()->storage->capture == number_ &&
                          source.tensor.impl()->has_data();
  const bool carries = source.tensor.defined() && !source.gradient && !is_literal &&
                       (argument_of(source.tensor) < 0 || source.tensor.requires_grad());
  sources_.push_back(std::move(source));
  const Value value = builder_.input(type, fmt::format("{}{}", kind, source_names_++));
  carries_[value.node] = carries;
  return value;
}

bool Tracer::knows(const Tensor& tensor) const {
  return memories_.contains(tensor.impl()->storage) || (parent_ && parent_->knows(tensor));
}

Tracer::Memory& Tracer::memory_of(const Tensor& tensor) {
  const auto found = memories_.find(tensor.impl()->storage);
  if (found != memories_.end()) return *found->second;
  const bool is_argument = argument_of(tensor) >= 0;
  if (!tensor.impl()->has_data() && !is_argument && !(parent_ && parent_->knows(tensor)))
    fail<GraphError>(ErrorCode::not_capturable, "a tensor of another capture is used")
        .detail("tensor", describe(tensor))
        .raise();
  Source source{.tensor = tensor};
  Tensor before;  // the gradient may have been replaced since
  // In a branch or loop it is a tensor around like others.
  for (const GradientSlot& slot : gradients_)
    if (!parent_ && slot.before.defined() && slot.before.shares_storage_with(tensor)) {
      source = {.argument = argument_of(slot.leaf), .tensor = slot.leaf, .gradient = true};
      before = slot.before;
    }
  const Tensor seen = source.gradient ? before : tensor;
  source.strides = seen.strides();
  source.offset = seen.storage_offset();
  source.flat = !parent_ && !is_whole(*seen.impl()) && is_within_storage(*seen.impl());
  const Tensor whole = source.flat ? flat_view(seen) : seen;
  Memory& memory = add_memory(whole, add_source(std::move(source), type_of(whole)));
  memory.source = memory.looks[0].source = static_cast<int>(sources_.size()) - 1;
  memory.input = memory.looks[0].value;
  memory.version = tensor.version();
  return memory;
}

void Tracer::mark_guessed(const TensorList& tensors) {
  for (const Tensor& tensor : tensors) {
    const Shape shape = tensor.shape();
    if (std::count_if(shape.begin(), shape.end(), [](std::int64_t size) { return size > 1; }) > 1)
      memory_of(tensor).guessed = true;
  }
}

bool Tracer::any_guessed(std::span<const Operand> inputs) const {
  return std::any_of(inputs.begin(), inputs.end(), [&](const Operand& input) {
    if (!input.is_tensor() || !input.tensor().defined()) return false;
    const auto found = memories_.find(input.tensor().impl()->storage);
    return found != memories_.end() && found->second->guessed;
  });
}

int Tracer::add_look(Memory& memory, const Layout& layout, int parent, const ViewAttributes& attributes) {
  for (std::size_t i = 0; i < memory.looks.size(); ++i)
    if (memory.looks[i].layout == layout) return static_cast<int>(i);
  const Value value = view(current(memory, parent), attributes);
  memory.looks.push_back({layout, value, parent, attributes, memory.written});
  return static_cast<int>(memory.looks.size()) - 1;
}

namespace {
[[noreturn]] void refuse_mixed_views(const Tensor& tensor) {
  fail<GraphError>(ErrorCode::not_capturable,
                   "a branch or loop writes memory in place that it also sees through another view")
      .detail("tensor", describe(tensor))
      .hint("give the new value as a result in place of writing it")
      .raise();
}
}  // namespace

int Tracer::look_of(Memory& memory, const Tensor& tensor) {
  const Layout layout(*tensor.impl());
  // What gradients flow to is not told from a tensor without them, though it lies in the same memory.
  const bool by_itself = parent_ && memory.source >= 0 && tensor.requires_grad() && is_around(tensor);
  for (std::size_t i = 0; i < memory.looks.size(); ++i)
    if (memory.looks[i].layout == layout && (!by_itself || memory.looks[i].source >= 0))
      return static_cast<int>(i);
  // In a branch or loop each tensor of the program around it is an input by itself.
  if (parent_ && memory.source >= 0) {
    const Value value = add_source({.tensor = tensor}, type_of(tensor));
    if (memory.written) refuse_mixed_views(tensor);
    memory.looks.push_back(
        {.layout = layout, .value = value, .source = static_cast<int>(sources_.size()) - 1});
    memory.several = true;
    return static_cast<int>(memory.looks.size()) - 1;
  }
  // Not made by a view that was captured (an alias, as_strided).
  return add_strided_look(memory, layout);
}

int Tracer::add_strided_look(Memory& memory, const Layout& layout) {
  const auto [parent, attributes] = strided_view(memory, layout);
  return add_look(memory, layout, parent, attributes);
}

// A layout as a view by strides, which count elements of the whole.
std::pair<int, ViewAttributes> Tracer::strided_view(Memory& memory, const Layout& layout) {
  const TensorImpl& whole = *memory.holder;
  IntList order;
  if (layout.dtype != whole.dtype || !dense_order(whole, order))
    fail<GraphError>(ErrorCode::not_capturable, "a view of memory is used that cannot be told from it")
        .detail("dtype", info(layout.dtype).name)
        .raise();
  int parent = 0;
  if (!whole.contiguous) {
    const Tensor whole_tensor(memory.holder);
    const ViewAttributes permuted{ViewKind::permute, order};
    AbstractScope abstract;
    parent = add_look(memory, Layout(*apply_view(whole_tensor, permuted).impl()), 0, permuted);
  }
  const std::int64_t offset = element_count(layout.sizes) ? layout.offset - whole.offset : 0;
  return {parent, {ViewKind::strided, layout.sizes, layout.strides, {}, offset}};
}

Value Tracer::current(Memory& memory, int look) {
  Look& l = memory.looks[static_cast<std::size_t>(look)];
  if (l.written != memory.written && l.parent >= 0) {
    const int parent = l.parent;
    const Value value = view(current(memory, parent), memory.looks[static_cast<std::size_t>(look)].view);
    Look& again = memory.looks[static_cast<std::size_t>(look)];
    again.value = value;
    again.written = memory.written;
  }
  return memory.looks[static_cast<std::size_t>(look)].value;
}

Value Tracer::value_of(const Tensor& tensor) {
  Memory& memory = fresh_memory_of(tensor);
  return current(memory, look_of(memory, tensor));
}

bool Tracer::may_carry(const Value& value) {
  if (!phlox::is_differentiable(value.type().dtype)) return false;
  if (value.node->kind() == NodeKind::constant) return false;
  const auto [entry, is_new] = carries_.try_emplace(value.node, false);
  if (!is_new) return entry->second;
  const std::span<const Input> inputs = value.node->inputs();
  const bool is_detached = std::string_view(value.node->primitive().name) == "detach";
  bool carries = false;
  for (std::size_t i = is_detached ? 1 : 0; i < inputs.size() && !carries; ++i)
    if (const auto* input = std::get_if<Value>(&inputs[i])) carries = may_carry(*input);
  return carries_[value.node] = carries;
}

bool Tracer::is_around(const Tensor& tensor) const {
  const TensorImpl& impl = *tensor.impl();
  const GradientNode* node = impl.autograd ? impl.autograd->node.get() : nullptr;
  if (!node || node->sequence() < first_sequence_) return true;
  // A view that was only brought up to date here is where its base is.
  return impl.is_view && impl.base && is_renewed_view(*node) &&
         is_around(Tensor(Reference<TensorImpl>::share(impl.base)));
}

bool Tracer::is_linked(const Tensor& tensor) {
  if (!needs_gradient(tensor)) return false;
  Memory& memory = memory_of(tensor);
  const bool is_leaf = !tensor.impl()->autograd->node;
  const int number = parent_ && memory.source >= 0
                         ? memory.looks[static_cast<std::size_t>(look_of(memory, tensor))].source
                         : memory.source;
  if (number < 0) return !is_leaf;
  if (argument_of(tensor) >= 0) return true;
  Source& source = sources_[static_cast<std::size_t>(number)];
  if (source.argument >= 0 || source.gradient) return !is_leaf;
  // It may have been seen through another tensor in the same memory first, one without gradients.
  if (is_around(tensor) && !source.tensor.requires_grad() &&
      Layout(*source.tensor.impl()) == Layout(*tensor.impl()))
    source.tensor = tensor;
  return !is_leaf || source.tensor.unsafe_impl() == tensor.unsafe_impl();
}

namespace {

TensorImpl* base_of(const Tensor& tensor) {
  TensorImpl* impl = tensor.impl();
  return impl->is_view && impl->base ? impl->base : impl;
}

}  // namespace

Value Tracer::used(const Tensor& tensor) {
  const Value value = value_of(tensor);
  if (!parent_) refuse_shared_history(memory_of(tensor));
  refuse_detached_write(memory_of(tensor), tensor);
  const bool linked = is_linked(tensor);
  return linked || !may_carry(value) ? value : node("detach", {value}, nullptr);
}

TensorList Tracer::run(const Primitive& primitive, std::span<const Operand> inputs, const void* attributes) {
  if (is_effect(primitive)) return add_effect(primitive, inputs, attributes);
  std::vector<Input> values;
  for (const Operand& input : inputs) {
    if (!input.is_tensor()) values.emplace_back(input.scalar());
    else if (input.tensor().defined()) values.emplace_back(used(input.tensor()));
    else values.emplace_back(std::monostate{});
  }
  TensorList results;
  {
    AbstractScope abstract;
    results = primitive.evaluate(inputs, attributes);
  }
  note_origin(results);
  const std::string_view name = primitive.name;
  if (name == "detach" && values.size() == 1) return results;  // used() sees to it
  if (name == "view") {
    if (!results[0].defined()) return results;
    const Tensor& input = inputs[0].tensor();
    Memory& memory = memory_of(input);
    const auto& view_attributes = *static_cast<const ViewAttributes*>(attributes);
    // Strides count elements of the storage, whatever the view they are asked of.
    if (view_attributes.kind == ViewKind::strided) {
      if (memory.guessed)
        fail_capture("as_strided() of what comes out of a branch or loop that depends on a tensor",
                     "<input>.contiguous() gives it an order that is known");
      look_of(memory, results[0]);
      if (memory.source >= 0) sources_[static_cast<std::size_t>(memory.source)].absolute = true;
    } else add_look(memory, Layout(*results[0].impl()), look_of(memory, input), view_attributes);
    return results;
  }
  std::vector<Type> types;
  for (const Tensor& result : results) types.push_back(type_of(result));
  const Node& node = builder_.add(primitive, std::move(values), Attributes(primitive, attributes),
                                  std::move(types), origin_of_call());
  if (name == "detach") {
    const Tensor result = stand_for({&node, 0});
    if (const Edge edge = gradient_edge(results[0]); edge.node)
      set_history(result, edge.node, static_cast<int>(edge.output));
    return {result};
  }
  if (name == "split") {
    const Tensor& input = inputs[0].tensor();
    Memory& memory = memory_of(input);
    const int parent = look_of(memory, input);
    std::int64_t start = 0;
    int dim = 0;
    for (int d = 0; d < input.rank(); ++d)
      if (results[0].size(d) != input.size(d)) dim = d;
    for (const Tensor& part : results) {
      add_look(memory, Layout(*part.impl()), parent, slice_of_part(input, part, dim, start));
      start += part.size(dim);
    }
    return results;
  }
  for (std::size_t i = 0; i < results.size(); ++i) {
    const Value value{&node, static_cast<int>(i)};
    // A primitive that hands on its input (a check) stands for it from now on.
    if (const auto known = memories_.find(results[i].impl()->storage); known != memories_.end()) {
      Memory& memory = *known->second;
      memory.looks[static_cast<std::size_t>(look_of(memory, results[i]))].value = value;
    } else {
      add_memory(results[i], value);
    }
  }
  const bool is_ordered =
      name == "convert" && static_cast<const ConvertAttributes*>(attributes)->order != MemoryOrder::keep;
  if (!is_ordered && any_guessed(inputs)) mark_guessed(results);
  return results;
}

void Tracer::assign(Memory& memory, int look, const Value& value, bool recorded) {
  // Through a view in which elements share memory one cannot tell which of them is written.
  for (int i = memory.looks[static_cast<std::size_t>(look)].parent; i >= 0;
       i = memory.looks[static_cast<std::size_t>(i)].parent) {
    if (!memory.looks[static_cast<std::size_t>(i)].layout.overlaps()) continue;
    const auto [parent, attributes] =
        strided_view(memory, memory.looks[static_cast<std::size_t>(look)].layout);
    memory.looks[static_cast<std::size_t>(look)].parent = parent;
    memory.looks[static_cast<std::size_t>(look)].view = attributes;
    break;
  }
  const Look& target = memory.looks[static_cast<std::size_t>(look)];
  const int target_parent = target.parent;
  if (target_parent >= 0) {
    const int parent = target_parent;
    const ViewAttributes v = target.view;
    const Value whole = current(memory, parent);
    Value replaced;
    if (v.kind == ViewKind::reshape) replaced = view(value, {ViewKind::reshape, whole.type().shape});
    else if (v.kind == ViewKind::permute) replaced = view(value, {ViewKind::permute, inverse_order(v.a)});
    else replaced = node("view_put", {whole, value}, &v);
    assign(memory, parent, replaced, recorded);
  } else {
    if (memory.several) refuse_mixed_views(Tensor(memory.holder));
    ++memory.written;
    mark_stale_aliases(memory);
  }
  Look& written = memory.looks[static_cast<std::size_t>(look)];
  const bool keeps_history = !recorded && may_carry(written.value);
  if (!keeps_history) written.value = value;
  else if (target_parent < 0) written.value = node("detach", {value, written.value}, nullptr);
  if (!keeps_history || target_parent < 0) written.written = memory.written;
}

void Tracer::write(const Tensor& target, const Tensor& source) {
  Value value = used(source);
  if (source.dtype() != target.dtype()) {
    const Tensor converted = [&] {
      InterpreterScope again(*this);
      return apply_convert(source, target.dtype());
    }();
    value = used(converted);
  }
  Memory& memory = memory_of(target);
  if (memory.taken) take_again(memory);
  const bool is_equal = source.dtype() == target.dtype() && source.shape() == target.shape() &&
                        memory.looks[0].layout == Layout(*target.impl()) &&
                        memory_of(source).looks[0].layout == Layout(*source.impl()) &&
                        !views_.contains(source.impl()->storage) && !views_.contains(target.impl()->storage);
  copied_ = is_equal ? source.impl()->storage : nullptr;
  const bool linked = needs_gradient(target), recorded = linked || needs_gradient(source);
  const int look = look_of(memory, target);
  const bool is_whole = memory.looks[static_cast<std::size_t>(look)].parent < 0;
  // Eagerly nothing flows from a tensor without gradients to what its memory held for others.
  if (recorded && !linked && !is_whole) cut_off(memory);
  assign(memory, look, value, recorded);
  copied_ = nullptr;
  if (recorded) {
    const bool is_other = memory.recorded && memory.recorded.get() != base_of(target);
    memory.several_recorded = memory.several_recorded || is_other;
    memory.recorded = Reference<TensorImpl>::share(base_of(target));
  }
}

void Tracer::cut_off(Memory& memory) {
  const Value whole = current(memory, 0);
  if (!may_carry(whole)) return;
  ++memory.written;  // so that others are taken from it again
  memory.looks[0].value = node("detach", {whole}, nullptr);
  memory.looks[0].written = memory.written;
}

// Eagerly the history of a tensor knows nothing of what is written through one that is detached from it.
void Tracer::refuse_detached_write(const Memory& memory, const Tensor& read) const {
  if (!memory.recorded || !needs_gradient(read)) return;
  if (memory.recorded.get() == base_of(read) && !memory.several_recorded) return;
  fail<GraphError>(
      ErrorCode::not_capturable,
      "a value that gradients flow to was written into the memory of a tensor that is used, through "
      "another that is detached from it")
      .detail("tensor", describe(read))
      .hint("write value.detach(), or under no_grad()")
      .raise();
}

// Eagerly one of them may be a view of the other, which gets a history as well.
void Tracer::refuse_shared_history(const Memory& memory) const {
  for (std::size_t i = 0; i < argument_looks_.size(); ++i) {
    const Captured::Argument& argument = argument_looks_[i];
    const AutogradRecord* record = arguments_[i].impl()->autograd;
    if (!argument.shared || argument.source != memory.source || !record || !record->node) continue;
    fail<GraphError>(
        ErrorCode::not_capturable,
        "a value that gradients flow to is written into an argument that shares memory with another")
        .detail("argument", describe(arguments_[i]))
        .hint("pass one of them, and take views inside of the function")
        .raise();
  }
}

void Tracer::require(const Tensor& condition, const std::string& message) {
  const Value value = value_of(condition);
  const Primitive& check = *find_primitive("check");
  Attributes attributes = Attributes::defaults(check);
  attributes.set("error", "AssertionError");
  attributes.set("message", quoted(message));
  required_.push_back({&builder_.add(check, {value, value}, std::move(attributes), {}, origin_of_call()), 0});
}

Tracer::Stream& Tracer::stream_of(Generator* generator) {
  auto stream = std::find_if(streams_.begin(), streams_.end(),
                             [&](const Stream& s) { return s.generator == generator; });
  if (stream == streams_.end()) {
    const Source source{.generator = generator, .effects = generator == nullptr};
    const Value state = add_source(source, state_type(source));
    stream = streams_.insert(stream, {generator, static_cast<int>(sources_.size()) - 1, state});
  }
  return *stream;
}

// What happens comes after what has happened so far.
TensorList Tracer::add_effect(const Primitive& primitive, std::span<const Operand> inputs,
                              const void* attributes) {
  std::vector<Input> values{stream_of(nullptr).state};
  for (const Operand& input : inputs.subspan(1)) values.emplace_back(used(input.tensor()));
  const Node& node =
      builder_.add(primitive, std::move(values), Attributes(primitive, attributes), {}, origin_of_call());
  const Value count{&node, 0};
  stream_of(nullptr).state = count;
  const Tensor result = abstract_tensor(count.type());
  add_memory(result, count);
  return {result};
}

void Tracer::assign_whole(const Tensor& target, const Value& value) {
  Memory& memory = memory_of(target);
  assign(memory, look_of(memory, target), value, gradients_enabled());
}

Tensor Tracer::stand_for(const Value& value) {
  const Tensor tensor = abstract_tensor(value.type());
  add_memory(tensor, value);
  return tensor;
}

Tensor Tracer::draw(Generator& generator, std::int64_t blocks) {
  Stream* stream = &stream_of(&generator);
  const Tensor drawn = stand_for(stream->state);
  const Primitive& advance = *find_primitive("advance_random");
  Attributes attributes = Attributes::defaults(advance);
  attributes.set("blocks", std::to_string(blocks));
  stream->state = {&builder_.add(advance, {stream->state}, std::move(attributes), {}, origin_of_call()), 0};
  return drawn;
}

Tensor Tracer::generator_state(Generator& generator) { return stand_for(stream_of(&generator).state); }

void Tracer::set_generator_state(Generator& generator, const Tensor& state) {
  const Value value = value_of(state);
  stream_of(&generator).state = value;
}

autograd::GradientPresence::When Tracer::presence_of(const Tensor& gradient) const {
  const auto when = autograd::gradient_presence ? autograd::gradient_presence->of(gradient)
                                                : autograd::GradientPresence::When{};
  if (when.unknown)
    fail<GraphError>(ErrorCode::not_capturable,
                     "whether a tensor gets a gradient depends on a branch in a loop on a tensor")
        .detail("gradient", describe(gradient))
        .hint("px.where() in place of the branch, which uses both sides")
        .raise();
  return when;
}

void Tracer::require_present(const Tensor& gradient, const std::string& what) {
  const auto when = presence_of(gradient);
  if (when.always()) return;
  InterpreterScope again(*this);
  require(when.condition, what +
                              " is None in this run, as the branch or loop that uses its tensor did not run; "
                              "px.where() uses both sides");
  autograd::gradient_presence->set(gradient, {});
}

void Tracer::gradient_access(const Tensor& leaf, bool reads) {
  if (reads && autograd::gradient_presence && !autograd::gradient_presence->empty() &&
      !autograd::gradient_presence->accumulating)
    if (const Tensor now = leaf.grad(); now.defined()) require_present(now, "a gradient");
  for (const GradientSlot& slot : gradients_)
    if (slot.leaf.unsafe_impl() == leaf.unsafe_impl()) return;
  gradients_.push_back({leaf, leaf.grad(), reads});
}

void Tracer::meet(const Tensor& tensor) {
  if (needs_gradient(tensor)) is_linked(tensor);
}

void Tracer::layout_decided(const Tensor& input, const Tensor& result) {
  Memory &from = memory_of(input), &to = memory_of(result);
  layout_decisions_.push_back({&from, &to, from.written, to.written});
}

void Tracer::require_decisive_layouts(const TensorList& results) {
  std::unordered_map<const Memory*, int> uses;
  for (const Tensor& result : results) ++uses[&memory_of(result)];
  for (const LayoutDecision& decision : layout_decisions_) {
    const Memory &input = *decision.input, &result = *decision.result;
    const bool is_written =
        input.written > decision.input_written || result.written > decision.result_written;
    const int others = input.source >= 0 ? 1 : uses[&input] - (&input == &result ? 1 : 0);
    if (!is_written && !(others > 0 && uses[&result] > 0)) continue;
    require_layout(input);
  }
}

void Tracer::require_layout(const Memory& memory, bool offset) {
  if (memory.source >= 0) {
    Source& source = sources_[static_cast<std::size_t>(memory.source)];
    source.exact = true;
    source.absolute = source.absolute || offset;
    if (parent_ && parent_->knows(Tensor(memory.holder)))
      parent_->note_layout_read(Tensor(memory.holder), offset);
    return;
  }
  for (Tracer* tracer = this; tracer; tracer = tracer->parent_)
    for (Source& source : tracer->sources_) source.exact = true;
}

void Tracer::note_layout_read(const Tensor& tensor, bool offset) {
  require_layout(memory_of(tensor), offset);
}

void Tracer::note_flag_read(const Tensor& tensor) {
  if (parent_) return parent_->note_flag_read(tensor);
  const auto note = [&](const Tensor& around) {
    if (flags_read_.insert(around.unsafe_impl()).second)
      expected_flags_.push_back({around, around.requires_grad()});
  };
  if (argument_of(tensor) >= 0) return;
  if (tensor.impl()->has_data()) {
    if (tensor.impl()->storage->capture != number_) note(tensor);
    return;
  }
  // That of what the function computed follows from those of the tensors that it found around it.
  for (const Source& source : sources_)
    if (source.tensor.defined() && !source.gradient) note(source.tensor);
}

namespace {

void (*garbage_collector)() = nullptr;

}  // namespace

void set_garbage_collector(void (*collect)()) { garbage_collector = collect; }

void Tracer::check_nothing_escaped() const {
  bool collected = false;
  for (const auto& [storage, memory] : memories_) {
    const auto is_kept = [&, &holder = memory->holder, &source = memory->source, &kept = *storage] {
      return !holder->has_data() && source < 0 && !kept.references.unique();
    };
    if (!is_kept()) continue;
    if (!collected && garbage_collector) garbage_collector();
    collected = true;
    if (!is_kept()) continue;
    const Tensor tensor(memory->holder);
    fail<GraphError>(ErrorCode::not_capturable,
                     "a tensor that was made while a function is captured is kept by the program")
        .detail("tensor", describe(tensor))
        .hint("return it, or write it into a tensor that exists: state.copy_(value)")
        .raise();
  }
}

void fail_capture(const std::string& why, const char* hint) {
  fail<GraphError>(ErrorCode::not_capturable, "{}", why).hint(hint).raise();
}

Tracer* active_tracer() {
  return thread_mode.interpreter_count ? dynamic_cast<Tracer*>(thread_mode.top) : nullptr;
}

}  // namespace phlox::graph
