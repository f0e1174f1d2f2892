// The one way to write a pass: a graph is built anew, node by node, and each node may become something else on the way.
//
//   GraphPointer drop_double_negation(const GraphPointer& graph) {
//     return rebuild(*graph, drop_double_negation, [](Rebuilder&, const Candidate& c) -> Replacement {
//       const Node* inner = c.is("neg") ? c.made_by(0, "neg") : nullptr;
//       if (!inner) return std::nullopt;
//       return {{std::get<Value>(inner->inputs()[0])}};
//     });
//   }
//
// Inputs, outputs, names and places in the program are kept. Equal nodes and equal small constants become one, and what
// no output needs is left out: every pass does that, as building does.
#pragma once

#include <functional>
#include <optional>
#include <string_view>

#include "phlox/graph/graph.h"

namespace phlox::graph {

// A node that is about to be added. Its inputs are values of the new graph.
struct Candidate {
  const Primitive& primitive;
  std::vector<Input> inputs;
  Attributes attributes;
  std::vector<Type> types;
  std::string location;
  std::vector<GraphPointer> regions = {};
  const Node* origin = nullptr;  // in the old graph; null for what a rewrite adds

  // Whether this is the node "neg", "contraction", "reduce.sum" or "view.reshape": the name that is printed.
  bool is(std::string_view name) const;
  // The primitive alone: "view" for all kinds of views.
  bool applies(std::string_view primitive_name) const { return primitive_name == primitive.name; }
  template <class T>
  const T& attributes_as() const {
    return *static_cast<const T*>(attributes.get());
  }
  // The input, if it is a value.
  const Value* value(std::size_t input) const;
  // The operation of this name that makes an input, or null.
  const Node* made_by(std::size_t input, std::string_view name) const;
};

template <class T>
const T& attributes_of(const Node& node) {
  return *static_cast<const T*>(node.attributes().get());
}

// Values for all results of the candidate; or nothing, and it is added as it is.
using Replacement = std::optional<std::vector<Value>>;
class Rebuilder;
using Rewrite = std::function<Replacement(Rebuilder&, const Candidate&)>;

class Rebuilder {
 public:
  // `pass` is for the regions of nodes, graphs of their own.
  Rebuilder(Rewrite rewrite, GraphPointer (*pass)(const GraphPointer&))
      : rewrite_(std::move(rewrite)), pass_(pass) {}

  // Adds what stands for a node; a rewrite makes its nodes with this, and they are rewritten in turn.
  std::vector<Value> add(Candidate candidate);
  // The only result of a new node; its types are inferred.
  Value make(std::string_view primitive, std::vector<Input> inputs, const void* attributes,
             const std::string& location);
  Value make_pointwise(std::string_view function, std::vector<Input> inputs, const std::string& location);
  Value constant(const Tensor& tensor);

  GraphPointer run(const Graph& graph);

 private:
  GraphBuilder builder_;
  Rewrite rewrite_;
  GraphPointer (*pass_)(const GraphPointer&);
  std::unordered_map<std::string, Value> constants_;  // small ones, by type and bytes
};

// `pass` is the function that calls this: regions go through it as well.
inline GraphPointer rebuild(const Graph& graph, GraphPointer (*pass)(const GraphPointer&), Rewrite rewrite) {
  return Rebuilder(std::move(rewrite), pass).run(graph);
}

}  // namespace phlox::graph
