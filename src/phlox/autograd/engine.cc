#include "phlox/autograd/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <unordered_set>
#include <vector>

#include "phlox/autograd/gradient_presence.h"
#include "phlox/core/origin.h"
#include "phlox/core/recording.h"
#include "phlox/core/strided.h"
#include "phlox/ops/creation.h"
#include "phlox/ops/primitives/convert.h"
#include "phlox/ops/primitives/sequence.h"
#include "phlox/ops/functions.h"

namespace phlox::autograd {

namespace {

// --- adding gradients

bool is_dense(const Tensor& tensor) { return tensor.is_contiguous() || tensor.is_channels_last(); }

// True when nobody else can see the data, so that they may be written or handed over.
bool is_sole_owner(const Tensor& tensor) {
  const TensorImpl* impl = tensor.impl();
  // A view whose base nobody else holds is as good as alone.
  const bool own_base =
      impl->base && impl->base->references.unique() && impl->storage->references.value() == 2;
  return impl->references.unique() && (impl->storage->references.unique() || own_base) &&
         !impl->storage->read_only && is_dense(tensor);
}

[[noreturn]] void throw_gradient_shape(const char* name, const Tensor& gradient,
                                       const std::string& expected) {
  fail<GradientError>(ErrorCode::gradient_shape, "{}: a gradient must have the shape and dtype of its tensor",
                      name)
      .detail("tensor", expected)
      .detail("gradient", describe(gradient))
      .raise();
}

// Whether a capture has gradients that are there on some ways only.
bool some_are_absent() { return gradient_presence && !gradient_presence->empty(); }

// When any of these is there.
GradientPresence::When presence_of(std::span<const Tensor> gradients) {
  bool first = true;
  GradientPresence::When when;
  for (const Tensor& gradient : gradients) {
    if (!gradient.defined()) continue;
    const GradientPresence::When one = gradient_presence->of(gradient);
    when = std::exchange(first, false) ? one : GradientPresence::either(when, one);
  }
  return when;
}

void narrow_presence(std::span<const Tensor> gradients, const GradientPresence::When& when) {
  for (const Tensor& gradient : gradients)
    if (gradient.defined())
      gradient_presence->set(gradient, GradientPresence::both(when, gradient_presence->of(gradient)));
}

// Adds `more` to `sum`, in place where nobody notices. Either may be undefined.
void add_gradient(Tensor& sum, Tensor more, const char* name) {
  if (!more.defined()) return;
  if (!sum.defined()) {
    sum = std::move(more);
    return;
  }
  if (sum.shape() != more.shape() || sum.dtype() != more.dtype())
    throw_gradient_shape(name, more, describe(sum));
  GradientPresence::When when;
  const bool some = some_are_absent();
  if (some) when = GradientPresence::either(gradient_presence->of(sum), gradient_presence->of(more));
  if (sum.dtype() == DType::sequence) sum = apply_sequence_add(sum, more);
  else if (gradients_enabled()) sum = add(sum, more);
  else if (is_sole_owner(sum)) sum.add_(more);
  else if (is_sole_owner(more)) more.add_(sum), sum = std::move(more);
  else sum = add(sum, more);
  if (some) gradient_presence->set(sum, when);
}

// The gradient that a leaf keeps: its own memory, since users write into it, and no more of it than needed.
Tensor own_gradient(Tensor gradient, const TensorImpl& leaf) {
  if (gradients_enabled()) return gradient;
  auto bytes = static_cast<std::size_t>(leaf.count) * static_cast<std::size_t>(element_size(leaf.dtype));
  if (is_sole_owner(gradient) && gradient.impl()->storage->bytes == bytes) return gradient;
  return apply_convert(gradient, leaf.dtype, MemoryOrder::row_major);
}

// The gradient of a leaf that had `old`.
Tensor accumulated(const Tensor& old, const TensorImpl& leaf, Tensor gradient) {
  const TensorImpl* impl = gradient.impl();
  if (impl->rank != leaf.rank || !std::equal(impl->sizes, impl->sizes + impl->rank, leaf.sizes) ||
      impl->dtype != leaf.dtype || impl->device != leaf.device)
    throw_gradient_shape("backward", gradient,
                         fmt::format("{}[{}] {}", info(leaf.dtype).short_name,
                                     to_string(Shape(std::span<const std::int64_t>(leaf.sizes, leaf.rank))),
                                     to_string(leaf.device)));
  if (!old.defined()) return own_gradient(std::move(gradient), leaf);
  if (gradients_enabled() || old.impl()->storage->read_only || !is_dense(old)) return add(old, gradient);
  old.add_(gradient);
  return old;
}

void accumulate(AccumulateGradient& node, Tensor gradient) {
  if (!some_are_absent())
    return node.update([&](const Tensor& old, const TensorImpl& leaf) {
      return accumulated(old, leaf, std::move(gradient));
    });
  gradient_presence->accumulating = true;
  node.update([&](const Tensor& old, const TensorImpl& leaf) {
    const GradientPresence::When now = gradient_presence->of(gradient);
    const GradientPresence::When when =
        old.defined() ? GradientPresence::either(now, gradient_presence->of(old)) : now;
    const Tensor sum = accumulated(old, leaf, gradient);
    gradient_presence->set(sum, when);
    return sum;
  });
  gradient_presence->accumulating = false;
}

// The node whose gradient is computed, for a scope.
class RunningGradient {
 public:
  explicit RunningGradient(const GradientNode& node) : before_(std::exchange(running_gradient, &node)) {}
  ~RunningGradient() { running_gradient = before_; }
  RunningGradient(const RunningGradient&) = delete;
  RunningGradient& operator=(const RunningGradient&) = delete;

 private:
  const GradientNode* before_;
};

// --- anomaly mode

// "NaN", "infinite", or null when all elements are finite.
const char* describe_nonfinite(const Tensor& tensor) {
  const TensorImpl& t = *tensor.impl();
  if (t.device.type != DeviceType::cpu || !is_differentiable(t.dtype) || !is_computable(t.dtype))
    return nullptr;
  bool nan = false, infinite = false;
  const char* data = static_cast<const char*>(t.address());
  for_each_offset(t, [&](std::int64_t offset) {
    Scalar value = Scalar::load(t.dtype, data + offset * element_size(t.dtype));
    nan |= std::isnan(value.real()) || std::isnan(value.imaginary());
    infinite |= std::isinf(value.real()) || std::isinf(value.imaginary());
  });
  return nan ? "NaN" : infinite ? "infinite" : nullptr;
}

void check_finite(const GradientNode& node, std::span<const Tensor> input_gradients) {
  for (std::size_t i = 0; i < input_gradients.size(); ++i) {
    if (!input_gradients[i].defined()) continue;
    const char* problem = describe_nonfinite(input_gradients[i]);
    if (!problem) continue;
    fail<GradientError>(ErrorCode::nonfinite_gradient, "{}: the gradient of input {} is {}", node.name(), i,
                        problem)
        .detail("gradient", describe(input_gradients[i]))
        .hint("look at the values that reach this operation; clamp them, or add a small epsilon")
        .raise();
  }
}

// --- one backward pass

// What is known of a node during a pass.
struct NodeState {
  GradientNode* node;
  std::int32_t dependencies = 0;  // edges to this node that have not brought a gradient yet
  bool visited = false;
  bool needed = false;    // leads to something that was asked for
  bool leads_on = false;  // has an input that is needed
  bool is_target = false;
  bool passed_on = false;       // whose hooks run in another pass
  Tensor gradient;              // of the only output,
  std::vector<Tensor> several;  // or of each of several

  explicit NodeState(GradientNode* n) : node(n) {
    if (n->output_count() > 1) several.resize(static_cast<std::size_t>(n->output_count()));
  }
  Tensor& output(std::uint32_t i) { return several.empty() ? gradient : several[i]; }
  std::span<Tensor> outputs() {
    return several.empty() ? std::span<Tensor>(&gradient, 1) : std::span<Tensor>(several);
  }
};

// The states by node: open addressing, at most half full.
class NodeTable {
 public:
  NodeTable() : slots_(64, empty) { states_.reserve(32); }

  // The number of the node's state, and whether it is new.
  std::pair<std::uint32_t, bool> insert(GradientNode* node) {
    std::size_t slot = find_slot(node);
    if (slots_[slot] != empty) return {slots_[slot], false};
    auto number = static_cast<std::uint32_t>(states_.size());
    states_.emplace_back(node);
    slots_[slot] = number;
    if (states_.size() * 2 > slots_.size()) grow();
    return {number, true};
  }
  // The node must be there.
  std::uint32_t find(GradientNode* node) const { return slots_[find_slot(node)]; }
  NodeState& operator[](std::uint32_t number) { return states_[number]; }

 private:
  static constexpr std::uint32_t empty = UINT32_MAX;

  std::size_t find_slot(GradientNode* node) const {
    std::size_t mask = slots_.size() - 1;
    std::size_t slot = (reinterpret_cast<std::uintptr_t>(node) * 0x9E3779B97F4A7C15u >> 20) & mask;
    while (slots_[slot] != empty && states_[slots_[slot]].node != node) slot = (slot + 1) & mask;
    return slot;
  }

  void grow() {
    slots_.assign(slots_.size() * 2, empty);
    for (std::uint32_t i = 0; i < states_.size(); ++i) slots_[find_slot(states_[i].node)] = i;
  }

  std::vector<NodeState> states_;
  std::vector<std::uint32_t> slots_;
};

class BackwardPass {
 public:
  // With `stop_at_targets` what lies behind a target takes no part.
  explicit BackwardPass(bool retain_graph, bool stop_at_targets = false)
      : retain_graph_(retain_graph), stop_at_targets_(stop_at_targets) {}

  void add_root(const Tensor& output, Tensor gradient) {
    add_root(gradient_edge(output), std::move(gradient));
  }
  void add_root(Edge edge, Tensor gradient) {
    std::uint32_t number = table_.insert(edge.node.get()).first;
    add_gradient(table_[number].output(edge.output), std::move(gradient), "backward");
    roots_.push_back(std::move(edge));
  }

  // The gradient of `input` is wanted as result `position`; leaves are left alone from now on.
  void add_target(Edge edge, std::size_t position, bool passed_on = false) {
    if (passed_on) table_[table_.insert(edge.node.get()).first].passed_on = true;
    targets_.push_back({std::move(edge), position});
    results_.resize(std::max(results_.size(), position + 1));
    reached_.resize(results_.size(), false);
  }
  // True when the outputs depend on the target, be it with a gradient of zero.
  bool reached(std::size_t position) const { return reached_[position]; }

  Gradients run() {
    for (const Target& target : targets_)
      table_[table_.insert(target.edge.node.get()).first].is_target = true;
    for (const Edge& root : roots_) discover(table_.find(root.node.get()));
    for (const Edge& root : roots_) {
      std::uint32_t number = table_.find(root.node.get());
      if (table_[number].dependencies == 0 && table_[number].needed) {
        table_[number].dependencies = -1;  // a node may be the root of several outputs, but runs once
        push(number);
      }
    }
    while (!ready_.empty()) {
      std::pop_heap(ready_.begin(), ready_.end());
      std::uint32_t number = ready_.back().second;
      ready_.pop_back();
      run_node(number);
    }
    return std::move(results_);
  }

 private:
  struct Target {
    Edge edge;
    std::size_t position;
  };
  struct Visit {
    std::uint32_t number;
    int next_edge;
  };

  // Depth first; when a node is left, all nodes that it leads to are known.
  void discover(std::uint32_t root) {
    if (!mark_visited(root)) return;
    std::vector<Visit> stack{{root, 0}};
    while (!stack.empty()) {
      Visit& visit = stack.back();
      GradientNode* node = table_[visit.number].node;
      const bool stops = stop_at_targets_ && table_[visit.number].is_target;
      if (visit.next_edge < node->input_count() && !stops) {
        GradientNode* next = node->edges()[static_cast<std::size_t>(visit.next_edge++)].node.get();
        if (!next) continue;
        std::uint32_t number = table_.insert(next).first;
        if (mark_visited(number)) stack.push_back({number, 0});
        continue;
      }
      leave(visit.number);
      stack.pop_back();
    }
  }

  bool mark_visited(std::uint32_t number) { return !std::exchange(table_[number].visited, true); }

  void leave(std::uint32_t number) {
    if (targets_.empty()) {
      NodeState& state = table_[number];
      state.needed = state.leads_on = true;
      for (Edge& edge : state.node->edges())
        if (edge.node) ++table_[table_.find(edge.node.get())].dependencies;
      return;
    }
    if (stop_at_targets_ && table_[number].is_target) {
      table_[number].needed = true;
      return;
    }
    bool leads_on = false;
    for (Edge& edge : table_[number].node->edges()) {
      if (!edge.node) continue;
      NodeState& next = table_[table_.find(edge.node.get())];
      if (next.needed) leads_on = true;
    }
    NodeState& state = table_[number];
    state.leads_on = leads_on;
    state.needed = leads_on || state.is_target;
    if (!state.needed) return;
    for (Edge& edge : state.node->edges()) {
      if (!edge.node) continue;
      NodeState& next = table_[table_.find(edge.node.get())];
      if (next.needed) ++next.dependencies;
    }
  }

  void push(std::uint32_t number) {
    ready_.emplace_back(table_[number].node->sequence(), number);
    std::push_heap(ready_.begin(), ready_.end());
  }

  void run_node(std::uint32_t number) {
    NodeState& state = table_[number];
    GradientNode& node = *state.node;
    // Taken out of the state, so that they are released as soon as the node has run.
    Tensor gradient = std::move(state.gradient);
    std::vector<Tensor> several = std::move(state.several);
    std::span<Tensor> outputs =
        several.empty() ? std::span<Tensor>(&gradient, 1) : std::span<Tensor>(several);
    bool any = std::any_of(outputs.begin(), outputs.end(), [](const Tensor& t) { return t.defined(); });

    const bool some = any && some_are_absent();
    const GradientPresence::When when = some ? presence_of(outputs) : GradientPresence::When{};
    if (any && !state.passed_on) run_hooks_before(node, outputs);
    if (some && !when.always()) narrow_presence(outputs, when);
    if (state.is_target) {
      for (const Target& target : targets_)
        if (target.edge.node.get() == &node) {
          results_[target.position] = outputs[target.edge.output];
          reached_[target.position] = true;
        }
    }
    if (node.leaf()) {
      if (targets_.empty() && outputs[0].defined())
        accumulate(static_cast<AccumulateGradient&>(node), std::move(outputs[0]));
      return;
    }
    if (!state.leads_on) return;

    auto count = static_cast<std::size_t>(node.input_count());
    Tensor few[4];
    std::vector<Tensor> many;
    if (count > std::size(few)) many.resize(count);
    std::span<Tensor> inputs = many.empty() ? std::span<Tensor>(few, count) : std::span<Tensor>(many);
    if (any) run_backward(node, outputs, inputs);
    if (!when.always()) narrow_presence(inputs, when);
    gradient = {};
    several.clear();
    hand_on(node, inputs);
  }

  static void run_hooks_before(GradientNode& node, std::span<Tensor> outputs) {
    GradientNode::Hooks* hooks = node.existing_hooks();
    if (!hooks) return;
    // Hooks may add or remove hooks.
    for (const auto& [number, hook] : std::vector(hooks->before)) hook(outputs);
    for (const auto& [output, cell] : hooks->retained) {
      Tensor sum = *cell;
      if (outputs[output].defined()) add_gradient(sum, outputs[output], node.name());
      *cell = sum;
    }
  }

  void run_backward(GradientNode& node, std::span<Tensor> outputs, std::span<Tensor> inputs) {
    try {
      if (node.released())
        fail<GradientError>(ErrorCode::backward_twice,
                            "{}: gradients were computed before, and what they need was freed", node.name())
            .hint("backward(retain_graph=True) the first time, or run the forward computation again")
            .raise();
      {
        const RunningGradient running(node);
        node.backward(outputs, inputs);
      }
      if (GradientNode::Hooks* hooks = node.existing_hooks())
        for (const auto& [number, hook] : std::vector(hooks->after)) hook(inputs);
      if (thread_mode.anomaly) check_finite(node, inputs);
    } catch (Error& error) {
      if (std::string where = node.where(); !where.empty()) error.add_detail("forward", where);
      throw;
    }
    if (!retain_graph_) node.release_saved();
  }

  // Gives the gradients to the nodes that made the inputs.
  void hand_on(GradientNode& node, std::span<Tensor> inputs) {
    std::span<Edge> edges = node.edges();
    for (std::size_t i = 0; i < edges.size(); ++i) {
      if (!edges[i].node) continue;
      std::uint32_t number = table_.find(edges[i].node.get());
      NodeState& next = table_[number];
      if (!next.needed) continue;
      add_gradient(next.output(edges[i].output), std::move(inputs[i]), node.name());
      if (--next.dependencies == 0) push(number);
    }
  }

  bool retain_graph_;
  bool stop_at_targets_;
  NodeTable table_;
  std::vector<Edge> roots_;  // hold the graph, even when a hook replaces the outputs' history
  std::vector<Target> targets_;
  std::vector<bool> reached_;
  std::vector<std::pair<std::uint64_t, std::uint32_t>> ready_;
  Gradients results_;
};

// --- checking arguments

Tensor filled_like(const Tensor& like, double value) {
  return apply_fill(like.shape(), value, like.dtype(), like.device());
}

Tensor initial_gradient(const char* name, const Tensor& output, const Tensor& given) {
  if (!output.requires_grad())
    fail<GradientError>(ErrorCode::no_gradient_path,
                        "{}: the tensor does not depend on anything that requires gradients", name)
        .detail("tensor", describe(output))
        .hint("requires_grad = True on the leaves before the forward computation, outside no_grad()")
        .raise();
  if (given.defined()) {
    if (given.shape() != output.shape() || given.dtype() != output.dtype() ||
        given.device() != output.device())
      throw_gradient_shape(name, given, describe(output));
    return given;
  }
  if (output.numel() != 1 || is_complex(output.dtype()))
    fail<GradientError>(ErrorCode::implicit_gradient_not_scalar,
                        "{}: without a gradient argument the tensor must be a single real number", name)
        .detail("tensor", describe(output))
        .hint("y.sum().backward(), or give a gradient of the shape of y")
        .raise();
  return filled_like(output, 1.0);
}

void add_roots(BackwardPass& pass, const char* name, std::span<const Tensor> outputs,
               std::span<const Tensor> gradients) {
  if (!gradients.empty() && gradients.size() != outputs.size())
    fail<ValueError>(ErrorCode::invalid_value, "{}: {} gradients for {} outputs", name, gradients.size(),
                     outputs.size())
        .raise();
  for (std::size_t i = 0; i < outputs.size(); ++i)
    pass.add_root(outputs[i],
                  initial_gradient(name, outputs[i], gradients.empty() ? Tensor() : gradients[i]));
}

// The mode in which gradients are computed.
struct BackwardMode : ModeGuard {
  explicit BackwardMode(bool create_graph) {
    thread_mode.gradients_off = !create_graph;
    thread_mode.inference = false;
  }
};

}  // namespace

void backward(std::span<const Tensor> outputs, std::span<const Tensor> gradients,
              std::optional<bool> retain_graph, bool create_graph) {
  BackwardMode mode(create_graph);
  BackwardPass pass(retain_graph.value_or(create_graph));
  add_roots(pass, "backward", outputs, gradients);
  pass.run();
}

Gradients grad(std::span<const Tensor> outputs, std::span<const Tensor> inputs,
               std::span<const Tensor> output_gradients, std::optional<bool> retain_graph, bool create_graph,
               bool allow_unused) {
  if (inputs.empty())
    fail<ValueError>(ErrorCode::invalid_value, "grad: there are no inputs to differentiate by").raise();
  BackwardMode mode(create_graph);
  BackwardPass pass(retain_graph.value_or(create_graph));
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].requires_grad())
      fail<GradientError>(ErrorCode::no_gradient_path, "grad: input {} does not require gradients", i)
          .detail("input", describe(inputs[i]))
          .hint("requires_grad = True before the forward computation")
          .raise();
    pass.add_target(gradient_edge(inputs[i]), i);
  }
  add_roots(pass, "grad", outputs, output_gradients);
  Gradients results = pass.run();
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (results[i].defined()) continue;
    if (pass.reached(i)) {
      results[i] = filled_like(inputs[i], 0.0);
    } else if (!allow_unused) {
      fail<GradientError>(ErrorCode::no_gradient_path, "grad: the outputs do not depend on input {}", i)
          .detail("input", describe(inputs[i]))
          .hint("allow_unused gives an undefined gradient in such a place")
          .raise();
    }
  }
  return results;
}

Gradients grad_between(std::span<const Edge> roots, std::span<const Tensor> gradients,
                       std::span<const Edge> targets, const std::vector<bool>& passed_on) {
  BackwardPass pass(true, true);
  for (std::size_t i = 0; i < targets.size(); ++i) pass.add_target(targets[i], i, passed_on[i]);
  for (std::size_t i = 0; i < roots.size(); ++i)
    if (gradients[i].defined()) pass.add_root(roots[i], gradients[i]);
  return pass.run();
}

bool depends_on_others(std::span<const Tensor> outputs, std::span<const Tensor> leaves) {
  std::unordered_set<const GradientNode*> visited;
  for (const Tensor& leaf : leaves) visited.insert(gradient_edge(leaf).node.get());
  std::vector<GradientNode*> waiting;
  const auto visit = [&](GradientNode* node) {
    if (node && visited.insert(node).second) waiting.push_back(node);
  };
  for (const Tensor& output : outputs)
    if (output.requires_grad()) visit(gradient_edge(output).node.get());
  while (!waiting.empty()) {
    GradientNode* node = waiting.back();
    waiting.pop_back();
    if (node->leaf()) return true;
    for (Edge& edge : node->edges()) visit(edge.node.get());
  }
  return false;
}

}  // namespace phlox::autograd

namespace phlox {

void Tensor::backward(const Tensor& gradient, std::optional<bool> retain_graph, bool create_graph) const {
  autograd::backward({this, 1}, {&gradient, 1}, retain_graph, create_graph);
}

}  // namespace phlox
