// The rules of graphs, as code.
#include <fmt/format.h>

#include <unordered_set>

#include "phlox/graph/graph.h"

namespace phlox::graph {
namespace {

class Verifier {
 public:
  explicit Verifier(const Graph& graph) : graph_(graph) {}

  void run() {
    int number = 0;
    for (const auto& node : graph_.nodes()) {
      if (node->number() != number++) broken(*node, "its number is not its place");
      check(*node);
      made_.insert(node.get());
    }
    for (const Value& input : graph_.inputs())
      if (!made_.contains(input.node) || input.node->kind() != NodeKind::input)
        broken(*input.node, "an input of the graph is not one of its nodes");
    for (const Value& output : graph_.outputs()) {
      if (!made_.contains(output.node)) fail_output("is not made by a node of the graph");
      if (!exists(output)) fail_output("is a result that its node does not have");
    }
  }

 private:
  void check(const Node& node) {
    if (node.types().empty() && node.kind() != NodeKind::operation) broken(node, "it has no type");
    if (node.kind() == NodeKind::constant && type_of(node.constant()) != node.types()[0])
      broken(node, "its type is not that of its data");
    if (node.kind() == NodeKind::constant && node.types()[0].dtype == DType::sequence)
      broken(node, "a sequence is no constant");
    if (node.kind() != NodeKind::operation) {
      if (!node.inputs().empty()) broken(node, "only operations have inputs");
      return;
    }
    for (const Input& input : node.inputs()) {
      const auto* value = std::get_if<Value>(&input);
      if (!value) continue;
      if (!made_.contains(value->node)) broken(node, "it uses a value before it is made");
      if (!exists(*value)) broken(node, "it uses a result that does not exist");
    }
    for (const GraphPointer& region : node.regions()) verify(*region);
    const std::vector<Type> types =
        infer_types(node.primitive(), node.inputs(), node.attributes(), node.regions());
    if (!std::equal(types.begin(), types.end(), node.types().begin(), node.types().end()))
      broken(node, types.empty() ? std::string("it gives nothing")
                                 : fmt::format("its type is not what it gives, {}", to_string(types[0])));
  }

  static bool exists(const Value& value) {
    return value.output >= 0 && static_cast<std::size_t>(value.output) < value.node->types().size();
  }
  [[noreturn]] static void broken(const Node& node, const std::string& why) {
    auto error = fail<GraphError>(ErrorCode::bad_graph, "the graph is not valid: {}", why);
    error.detail("node", fmt::format("%{} = {}", node.number(), node.name()));
    if (!node.location().empty()) error.detail("from", node.location());
    error.raise();
  }
  [[noreturn]] static void fail_output(const char* why) {
    fail<GraphError>(ErrorCode::bad_graph, "the graph is not valid: an output {}", why).raise();
  }

  const Graph& graph_;
  std::unordered_set<const Node*> made_;
};

}  // namespace

void verify(const Graph& graph) { Verifier(graph).run(); }

}  // namespace phlox::graph
