#include "phlox/graph/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <deque>
#include <map>

#include "phlox/core/random.h"
#include "phlox/graph/captured.h"
#include "phlox/graph/evaluate.h"
#include "phlox/graph/lines.h"
#include "phlox/graph/plan.h"
#include "phlox/graph/text.h"
#include "phlox/ops/effects.h"
#include "phlox/ops/functions.h"

namespace phlox::graph {
namespace {

// --- which nodes of two graphs are the same

struct Alignment {
  enum class Kind : std::uint8_t { none, changed, equal };
  struct Partner {
    int node = -1;  // in the other graph
    Kind kind = Kind::none;
  };
  std::vector<Partner> of_a, of_b;
};

std::string bytes_of(const Tensor& constant) {
  const Tensor dense = constant.contiguous();
  return {static_cast<const char*>(dense.impl()->address()),
          static_cast<std::size_t>(dense.numel() * element_size(dense.dtype()))};
}

// What a node does, whatever to.
std::string look_of(const Node& node) {
  std::string text = node.name();
  if (node.kind() == NodeKind::operation) text += "(" + node.attributes().to_string() + ")";
  for (const Type& type : node.types()) text += ":" + to_string(type);
  return text;
}

// Numbers for nodes that compute the same from the same.
class Structure {
 public:
  std::vector<int> numbers(const Graph& graph) {
    std::vector<int> found;
    std::map<std::string, int> copies;  // of what is computed again: each is another
    int input = 0;
    for (const auto& node : graph.nodes()) {
      std::string key = look_of(*node);
      if (node->kind() == NodeKind::input) key += graph.input_name(input++);
      if (node->kind() == NodeKind::constant) key += bytes_of(node->constant());
      for (const Input& operand : node->inputs()) {
        if (const auto* value = std::get_if<Value>(&operand))
          key += fmt::format(",{}.{}", found[static_cast<std::size_t>(value->node->number())], value->output);
        else if (const auto* number = std::get_if<Scalar>(&operand)) key += "," + text_of(*number);
        else key += ",none";
      }
      for (const GraphPointer& region : node->regions()) key += to_string(*region);
      key += fmt::format("#{}", copies[key]++);
      found.push_back(known_.try_emplace(key, static_cast<int>(known_.size())).first->second);
    }
    return found;
  }

 private:
  std::map<std::string, int> known_;
};

// The longest common subsequence of the nodes that have no partner yet, by what they do.
void align_by_look(const Graph& a, const Graph& b, Alignment& alignment) {
  constexpr std::size_t largest_table = 1 << 24;
  struct Rest {
    int node;
    std::string look;
  };
  const auto rest_of = [](const Graph& graph, const std::vector<Alignment::Partner>& partners) {
    std::vector<Rest> rest;
    for (const auto& node : graph.nodes())
      if (partners[static_cast<std::size_t>(node->number())].node < 0 && node->kind() != NodeKind::input)
        rest.push_back({node->number(), look_of(*node)});
    return rest;
  };
  const std::vector<Rest> left = rest_of(a, alignment.of_a), right = rest_of(b, alignment.of_b);
  if (left.empty() || right.empty() || left.size() * right.size() > largest_table) return;
  const std::size_t width = right.size() + 1;
  std::vector<int> best((left.size() + 1) * width, 0);
  for (std::size_t i = left.size(); i-- > 0;)
    for (std::size_t j = right.size(); j-- > 0;)
      best[i * width + j] = left[i].look == right[j].look
                                ? best[(i + 1) * width + j + 1] + 1
                                : std::max(best[(i + 1) * width + j], best[i * width + j + 1]);
  for (std::size_t i = 0, j = 0; i < left.size() && j < right.size();) {
    if (left[i].look == right[j].look) {
      alignment.of_a[static_cast<std::size_t>(left[i].node)] = {right[j].node, Alignment::Kind::changed};
      alignment.of_b[static_cast<std::size_t>(right[j].node)] = {left[i].node, Alignment::Kind::changed};
      ++i, ++j;
    } else if (best[(i + 1) * width + j] >= best[i * width + j + 1]) {
      ++i;
    } else {
      ++j;
    }
  }
}

Alignment align(const Graph& a, const Graph& b) {
  Structure structure;
  const std::vector<int> of_a = structure.numbers(a), of_b = structure.numbers(b);
  Alignment alignment{std::vector<Alignment::Partner>(of_a.size()),
                      std::vector<Alignment::Partner>(of_b.size())};
  std::map<int, int> places;
  for (std::size_t i = 0; i < of_a.size(); ++i) places[of_a[i]] = static_cast<int>(i);
  for (std::size_t i = 0; i < of_b.size(); ++i) {
    const auto found = places.find(of_b[i]);
    if (found == places.end()) continue;
    alignment.of_b[i] = {found->second, Alignment::Kind::equal};
    alignment.of_a[static_cast<std::size_t>(found->second)] = {static_cast<int>(i), Alignment::Kind::equal};
  }
  align_by_look(a, b, alignment);
  return alignment;
}

// --- the difference as text

class Differ {
 public:
  Differ(const Graph& a, const Graph& b)
      : a_(a), b_(b), alignment_(align(a, b)), names_of_a_(a), names_of_b_(b) {}

  // Lines that begin with " ", "-" or "+".
  std::vector<std::string> lines() {
    add_inputs();
    std::size_t next = 0;  // the node of a that comes next
    const auto nodes = a_.nodes();
    const auto add_lost = [&](std::size_t end) {
      for (; next < end; ++next)
        if (nodes[next]->kind() != NodeKind::input && alignment_.of_a[next].node < 0) {
          add('-', line(*nodes[next], true));
          ++only_a;
        }
    };
    for (const auto& node : b_.nodes()) {
      if (node->kind() == NodeKind::input) continue;
      const auto& [partner, kind] = alignment_.of_b[static_cast<std::size_t>(node->number())];
      if (partner < 0) {
        add('+', line(*node, false));
        ++only_b;
        continue;
      }
      add_lost(static_cast<std::size_t>(partner));
      const Node& same = *nodes[static_cast<std::size_t>(partner)];
      if (kind == Alignment::Kind::equal) {
        add(' ', line(same, true));
        ++equal;
      } else {
        add_changed(same, *node);
      }
    }
    add_lost(nodes.size());
    const std::string before = results(a_, true), after = results(b_, false);
    if (before == after) {
      add(' ', before);
    } else {
      add('-', before), add('+', after);
      other_results = true;
    }
    return std::move(lines_);
  }

  int equal = 0, changed = 0, only_a = 0, only_b = 0;
  bool other_results = false;

 private:
  std::string name(const Value& value, bool of_a) const {
    if (of_a) return names_of_a_(value);
    const int partner = alignment_.of_b[static_cast<std::size_t>(value.node->number())].node;
    if (partner >= 0) return names_of_a_({a_.nodes()[static_cast<std::size_t>(partner)].get(), value.output});
    return value.node->kind() == NodeKind::input ? names_of_b_(value) : "%b" + names_of_b_(value).substr(1);
  }
  std::string line(const Node& node, bool of_a) const {
    std::string text = line_of(node, [&](const Value& value) { return name(value, of_a); });
    if (!node.regions().empty()) text += fmt::format(" with {} regions", node.regions().size());
    return text;
  }
  std::string results(const Graph& graph, bool of_a) const {
    std::string text = "return";
    for (const Value& output : graph.outputs()) text += (text.size() > 6 ? ", " : " ") + name(output, of_a);
    return text;
  }
  void add(char mark, const std::string& text) { lines_.push_back(fmt::format("{} {}", mark, text)); }

  void add_inputs() {
    const auto declared = [](const Graph& graph, std::size_t i) {
      return fmt::format("input %{}: {}", graph.input_name(static_cast<int>(i)),
                         to_string(graph.inputs()[i].type()));
    };
    const auto has_partner = [](const std::vector<Alignment::Partner>& partners, const Value& input) {
      return partners[static_cast<std::size_t>(input.node->number())].node >= 0;
    };
    for (std::size_t i = 0; i < a_.inputs().size(); ++i)
      if (!has_partner(alignment_.of_a, a_.inputs()[i])) add('-', declared(a_, i)), ++only_a;
    for (std::size_t i = 0; i < b_.inputs().size(); ++i)
      if (!has_partner(alignment_.of_b, b_.inputs()[i])) add('+', declared(b_, i)), ++only_b;
  }

  // A node that does the same to something else, or whose regions differ.
  void add_changed(const Node& before, const Node& after) {
    const std::string old_line = line(before, true), new_line = line(after, false);
    const bool other_values = after.kind() == NodeKind::constant && old_line == new_line;
    if (old_line == new_line && !other_values) {
      add(' ', new_line);  // what it is applied to differs, or its regions
      ++equal;
    } else {
      add('-', old_line), add('+', new_line + (other_values ? "   (other values)" : ""));
      ++changed;
    }
    for (std::size_t i = 0; i < after.regions().size(); ++i) {
      Differ inner(*before.regions()[i], *after.regions()[i]);
      std::vector<std::string> found = inner.lines();
      if (inner.is_equal()) continue;
      changed += inner.changed + inner.only_a + inner.only_b;
      add(' ', fmt::format("  region {}:", i));
      for (const std::string& text : found)
        lines_.push_back(fmt::format("{}     {}", text[0], text.substr(2)));
    }
  }

 public:
  bool is_equal() const { return changed + only_a + only_b == 0 && !other_results; }

 private:
  const Graph &a_, &b_;
  Alignment alignment_;
  ValueNames names_of_a_, names_of_b_;
  std::vector<std::string> lines_;
};

// --- values

// How two tensors of one type differ.
struct Comparison {
  std::int64_t count = 0, first = -1, elements = 0;
  double largest = 0;
  std::string examples;

  Comparison(const Tensor& a, const Tensor& b, double tolerance) : elements(a.numel()) {
    const bool is_whole = is_integer(a.dtype()) || a.dtype() == DType::bool_;
    if (a.dtype() == DType::uint64) compare<std::uint64_t>(a, b, tolerance);
    else if (is_whole) compare<std::int64_t>(a, b, tolerance);
    else
      compare<double>(is_complex(a.dtype()) ? view_as_real(a) : a,
                      is_complex(b.dtype()) ? view_as_real(b) : b, tolerance);
  }

 private:
  static double distance(double x, double y) {
    if (std::isnan(x) && std::isnan(y)) return 0;
    const double error = std::abs(x - y);
    return std::isnan(error) ? std::numeric_limits<double>::infinity() : error;
  }
  template <std::integral Number>
  static double distance(Number x, Number y) {
    const auto [low, high] = std::minmax(x, y);
    return static_cast<double>(static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low));
  }
  static bool is_other_zero(double x, double y) { return x == y && std::signbit(x) != std::signbit(y); }
  template <std::integral Number>
  static bool is_other_zero(Number, Number) {
    return false;
  }

  // As numbers that hold all of the dtype's.
  template <class Number>
  void compare(const Tensor& a, const Tensor& b, double tolerance) {
    const auto left = a.to(dtype_of<Number>).template to_vector<Number>(),
               right = b.to(dtype_of<Number>).template to_vector<Number>();
    for (std::size_t i = 0; i < left.size(); ++i) {
      const double error = distance(left[i], right[i]);
      if (error <= tolerance && !(tolerance == 0 && is_other_zero(left[i], right[i]))) continue;
      if (count++ == 0) first = static_cast<std::int64_t>(i);
      largest = std::max(largest, error);
      if (count <= 3) examples += fmt::format("\n    element {}: {} and {}", i, left[i], right[i]);
    }
  }
};

// The values of all nodes, from the kernels of eager execution.
std::vector<TensorList> all_values(const Graph& graph, const TensorList& inputs) {
  const NoGrad no_grad;
  const WithoutEffects without_effects;
  return evaluate_nodes(graph, inputs, true);
}

const Tensor& at(const std::vector<TensorList>& values, const Value& value) {
  return values[static_cast<std::size_t>(value.node->number())][static_cast<std::size_t>(value.output)];
}

TensorList outputs_of(const Graph& graph, const std::vector<TensorList>& values) {
  TensorList outputs;
  for (const Value& output : graph.outputs()) outputs.push_back(at(values, output));
  return outputs;
}

Finding finding_of(const std::string& node, const std::string& location, const Comparison& found) {
  Finding finding;
  finding.node = node;
  finding.location = location;
  finding.largest_error = found.largest;
  finding.text = "the first difference: " + node;
  if (!location.empty()) finding.text += "\n  from  " + location;
  finding.text += fmt::format("\n  {} of {} elements differ, by {:.4g} at most{}\n", found.count,
                              found.elements, found.largest, found.examples);
  return finding;
}

std::optional<Finding> difference_of_results(const TensorList& a, const TensorList& b, double tolerance) {
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    if (type_of(a[i]) != type_of(b[i]))
      fail<ValueError>(ErrorCode::invalid_value, "bisect: result {} has another type in the second graph", i)
          .detail("first", describe(a[i]))
          .detail("second", describe(b[i]))
          .raise();
    if (const Comparison found(a[i], b[i], tolerance); found.count > 0)
      return finding_of(fmt::format("result {}", i), {}, found);
  }
  return std::nullopt;
}

void check_inputs(const Graph& graph, const TensorList& inputs) {
  bool fits = inputs.size() == graph.inputs().size();
  for (std::size_t i = 0; i < inputs.size() && fits; ++i)
    fits = inputs[i].defined() && type_of(inputs[i]) == graph.inputs()[i].type();
  if (fits) return;
  auto error =
      fail<ValueError>(ErrorCode::invalid_value, "bisect: the tensors are not like the inputs of the graph");
  for (std::size_t i = 0; i < graph.inputs().size(); ++i)
    error.detail("input", fmt::format("{}: {}", graph.input_name(static_cast<int>(i)),
                                      to_string(graph.inputs()[i].type())));
  error.raise();
}

}  // namespace

std::string diff(const Graph& a, const Graph& b) {
  constexpr std::size_t around = 2;  // lines that are shown beside a difference
  Differ differ(a, b);
  const std::vector<std::string> lines = differ.lines();
  if (differ.is_equal()) return "the graphs are equal\n";
  std::vector<bool> shown(lines.size(), false);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (lines[i][0] == ' ') continue;
    for (std::size_t k = i - std::min(i, around); k < std::min(lines.size(), i + around + 1); ++k)
      shown[k] = true;
  }
  std::string text;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (shown[i]) text += lines[i] + '\n';
    else if (i == 0 || shown[i - 1]) text += "  ...\n";
  }
  return text + fmt::format("{} nodes equal, {} changed, {} only in the first, {} only in the second\n",
                            differ.equal, differ.changed, differ.only_a, differ.only_b);
}

TensorList random_inputs(const Graph& graph, std::uint64_t seed) {
  Generator generator(seed);
  TensorList inputs;
  for (const Value& input : graph.inputs()) {
    const Type& type = input.type();
    const bool is_number = is_floating(type.dtype) || is_complex(type.dtype);
    inputs.push_back(is_number ? randn(type.shape, DType::float32, {}, false, &generator).to(type.dtype)
                               : zeros(type.shape, type.dtype));
  }
  return inputs;
}

std::optional<Finding> first_difference(const Graph& a, const Graph& b, const TensorList& inputs,
                                        double tolerance) {
  check_inputs(a, inputs);
  check_inputs(b, inputs);
  const std::vector<TensorList> of_a = all_values(a, inputs), of_b = all_values(b, inputs);
  const std::optional<Finding> of_results =
      difference_of_results(outputs_of(a, of_a), outputs_of(b, of_b), tolerance);
  if (!of_results) return std::nullopt;
  const Alignment alignment = align(a, b);
  const ValueNames names(b);
  for (const auto& node : b.nodes()) {
    const auto number = static_cast<std::size_t>(node->number());
    const int partner = alignment.of_b[number].node;
    if (partner < 0 || node->kind() != NodeKind::operation) continue;
    // A node that a pass has applied to something else computes something else.
    const Node& other = *a.nodes()[static_cast<std::size_t>(partner)];
    bool comparable = other.inputs().size() == node->inputs().size();
    for (std::size_t i = 0; i < node->inputs().size() && comparable; ++i) {
      const auto *left = std::get_if<Value>(&other.inputs()[i]),
                 *right = std::get_if<Value>(&node->inputs()[i]);
      comparable =
          !left == !right && (!left || (left->type() == right->type() &&
                                        Comparison(at(of_a, *left), at(of_b, *right), tolerance).count == 0));
    }
    if (!comparable) continue;
    const TensorList& others = of_a[static_cast<std::size_t>(partner)];
    for (std::size_t i = 0; i < others.size(); ++i) {
      const Comparison found(others[i], of_b[number][i], tolerance);
      if (found.count > 0) return finding_of(line_of(*node, names), node->location(), found);
    }
  }
  return of_results;
}

std::optional<Finding> bisect_passes(const GraphPointer& graph, const TensorList& inputs,
                                     const Pipeline& pipeline, double tolerance) {
  GraphPointer before = graph;
  for (const Pass* pass : pipeline) {
    const GraphPointer after = pass->run(before);
    if (std::optional<Finding> found = first_difference(*before, *after, inputs, tolerance)) {
      found->pass = pass->name;
      found->text = fmt::format("the pass {} changes results\n{}\nwhat it did:\n{}", pass->name, found->text,
                                diff(*before, *after));
      return found;
    }
    before = after;
  }
  return std::nullopt;
}

namespace {

// The same nodes, with these results.
GraphPointer with_outputs(const Graph& graph, std::span<const Value> wanted) {
  GraphBuilder builder;
  std::vector<std::vector<Value>> made(graph.nodes().size());
  const auto renewed = [&](const Value& value) {
    return made[static_cast<std::size_t>(value.node->number())][static_cast<std::size_t>(value.output)];
  };
  int input = 0;
  for (const auto& node : graph.nodes()) {
    std::vector<Value>& values = made[static_cast<std::size_t>(node->number())];
    if (node->kind() == NodeKind::input) {
      values = {builder.input(node->types()[0], graph.input_name(input++))};
    } else if (node->kind() == NodeKind::constant) {
      values = {builder.constant(node->constant())};
    } else {
      std::vector<Input> inputs(node->inputs().begin(), node->inputs().end());
      for (Input& operand : inputs)
        if (const auto* value = std::get_if<Value>(&operand)) operand = renewed(*value);
      const Node& again = builder.add_again(*node, std::move(inputs));
      for (int i = 0; i < static_cast<int>(again.types().size()); ++i) values.push_back({&again, i});
    }
  }
  std::vector<Value> outputs;
  for (const Value& value : wanted) outputs.push_back(renewed(value));
  return builder.finish(std::move(outputs));
}

}  // namespace

std::optional<Finding> bisect_plan(const GraphPointer& graph, const TensorList& inputs, double tolerance) {
  check_inputs(*graph, inputs);
  const NoGrad no_grad;
  const WithoutEffects without_effects;
  const std::vector<TensorList> values = all_values(*graph, inputs);
  const auto planned = [&](const GraphPointer& g) { return *Plan(g, inputs).run(inputs); };
  std::optional<Finding> found = difference_of_results(outputs_of(*graph, values), planned(graph), tolerance);
  if (!found) return std::nullopt;
  found->pass = "plan";

  // The same with every value as a result.
  std::vector<Value> all;
  TensorList expected;
  std::vector<const Node*> nodes;
  for (const auto& node : graph->nodes()) {
    if (node->kind() != NodeKind::operation) continue;
    for (int i = 0; i < static_cast<int>(node->types().size()); ++i) {
      all.push_back({node.get(), i});
      expected.push_back(at(values, all.back()));
      nodes.push_back(node.get());
    }
  }
  const TensorList results = planned(with_outputs(*graph, all));
  const ValueNames names(*graph);
  for (std::size_t i = 0; i < results.size(); ++i) {
    const Comparison compared(expected[i], results[i], tolerance);
    if (compared.count == 0) continue;
    found = finding_of(line_of(*nodes[i], names), nodes[i]->location(), compared);
    found->pass = "plan";
    break;
  }
  found->text = "the plan gives other results than the nodes one by one\n" + found->text;
  return found;
}

}  // namespace phlox::graph
