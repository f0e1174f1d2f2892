// The graph: what a captured function is, what is optimised, saved and run.
//
//   graph(%x: f32[32,64], %w: f32[64,10]) {
//     %1: f32[32,10] = contraction(%x, %w)
//     %2: f32[32,10] = relu(%1)
//     return %2
//   }
//
// Semantics.
// - A graph is a list of nodes in an order in which they can run; inputs come first. A node applies a primitive
//   (ops/primitives/) to values and numbers and gives one value or several. Nodes never change.
// - A value is a tensor of a fixed dtype and shape. It has no memory of its own that anybody could observe: no strides,
//   no aliases. Writes in place do not exist; who captures a program turns them into new values.
// - Primitives mean what they mean eagerly: NaN and infinities come through, integers wrap around, and results do not
//   depend on the number of threads. A view is its elements; `strided` views count elements of the row-major input.
// - Nodes are equal when primitive, inputs and attributes are, and are then the same node. Order means nothing beyond
//   what inputs demand. An error, such as an index out of range, is thrown by some run that needs the node.
// - Random numbers are a function of a state, i64[3], that is a value like others. What prints or calls back is a function
//   of the number of effects before it, i64[], and so happens in its order (ops/effects.h).
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "phlox/core/tensor.h"
#include "phlox/ops/primitives/primitive.h"

namespace phlox::graph {

class Node;
class Graph;
using GraphPointer = std::shared_ptr<const Graph>;

// What is known of a value before it is computed.
struct Type {
  DType dtype = DType::float32;
  Shape shape;
  Device device;
  friend bool operator==(const Type&, const Type&) = default;
};
Type type_of(const Tensor& tensor);
// "f32[32,64]"
std::string to_string(const Type& type);

// One of the results of a node.
struct Value {
  const Node* node = nullptr;
  int output = 0;
  const Type& type() const;
  friend bool operator==(const Value&, const Value&) = default;
};

// What a node is applied to: a value, a number of weak type, or nothing where an input may be left out.
using Input = std::variant<std::monostate, Value, Scalar>;

// The attributes of a node, whatever their type.
class Attributes {
 public:
  Attributes() = default;
  // Copies what a primitive calls its attributes.
  Attributes(const Primitive& primitive, const void* attributes);
  // Default values, for reading.
  static Attributes defaults(const Primitive& primitive);

  const void* get() const { return value_.get(); }
  // The choice named "kind", where there is one: it is written with the name of the primitive, "reduce.sum".
  std::string kind() const;
  // "dim=1, log=true": fields that differ from their defaults, without the kind.
  std::string to_string() const;
  // Sets a field from its text. Throws GraphError for unknown names and unreadable values.
  void set(std::string_view name, std::string_view text);

 private:
  const AttributeType* type_ = nullptr;
  std::shared_ptr<void> value_;
};

enum class NodeKind : std::uint8_t { input, constant, operation };

class Node {
 public:
  NodeKind kind() const { return kind_; }
  // Of an operation.
  const Primitive& primitive() const { return *primitive_; }
  std::span<const Input> inputs() const { return inputs_; }
  const Attributes& attributes() const { return attributes_; }
  // The graphs that a node of control flow runs (graph/control_flow.h).
  std::span<const GraphPointer> regions() const { return regions_; }
  // That of the pointwise function, or of the primitive and its kind.
  std::string name() const;
  // The data of a constant.
  const Tensor& constant() const { return constant_; }

  std::span<const Type> types() const { return types_; }
  int number() const { return number_; }  // place in the graph
  // Where the program was when the node was captured, "train.py:41"; not part of what makes nodes equal.
  const std::string& location() const { return location_; }

 private:
  friend class GraphBuilder;
  NodeKind kind_ = NodeKind::operation;
  const Primitive* primitive_ = nullptr;
  std::vector<Input> inputs_;
  Attributes attributes_;
  std::vector<GraphPointer> regions_;
  Tensor constant_;
  std::vector<Type> types_;
  int number_ = 0;
  std::string location_;
};

class Graph {
 public:
  std::span<const std::unique_ptr<Node>> nodes() const { return nodes_; }
  std::span<const Value> inputs() const { return inputs_; }
  std::span<const Value> outputs() const { return outputs_; }
  // The name of an input.
  const std::string& input_name(int input) const { return input_names_[static_cast<std::size_t>(input)]; }

 private:
  friend class GraphBuilder;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::vector<Value> inputs_;
  std::vector<std::string> input_names_;
  std::vector<Value> outputs_;
};

// Makes a graph, node by node.
class GraphBuilder {
 public:
  GraphBuilder() : graph_(std::make_shared<Graph>()) {}

  Value input(const Type& type, std::string name);
  // A tensor whose elements never change; they are copied unless `tensor` is nobody else's.
  Value constant(const Tensor& tensor);
  // An input that turns out to be the same at each run.
  void make_constant(const Value& input, const Tensor& data);
  // A node, or the equal one that there is already. Types are inferred unless they are known.
  const Node& add(const Primitive& primitive, std::vector<Input> inputs, Attributes attributes,
                  std::vector<Type> types = {}, std::string location = {},
                  std::vector<GraphPointer> regions = {});
  // All nodes of another graph, applied to these values in the place of its inputs; its outputs.
  std::vector<Value> add_graph(const Graph& graph, std::span<const Value> inputs);
  // A node of its own, even where there is an equal one: what is computed again in place of being kept.
  const Node& add_again(const Node& node, std::vector<Input> inputs);
  // Ends the building. Nodes that no output needs are left out.
  GraphPointer finish(std::vector<Value> outputs);

 private:
  std::shared_ptr<Graph> graph_;
  std::unordered_map<std::string, const Node*> known_;
};

// The types of what a primitive gives, computed as eager execution does, without data. Throws what that would throw.
std::vector<Type> infer_types(const Primitive& primitive, std::span<const Input> inputs,
                              const Attributes& attributes, std::span<const GraphPointer> regions = {});

// Which inputs of a graph these outputs depend on.
std::vector<bool> inputs_needed(const Graph& graph, const std::vector<int>& outputs);

// Throws GraphError (E1003) when a graph breaks a rule: values used before they are made or with other types than
// their primitives give, outputs that do not exist.
void verify(const Graph& graph);

struct PrintOptions {
  bool locations = false;  // where nodes come from, at the end of their lines
};
// The text, which parse() reads back. Constants of more than 16 elements are named, "@0", and not written out.
std::string to_string(const Graph& graph, const PrintOptions& options = {});
// Reads a text; `constants` are those that it names. Throws GraphError (E1004) with line and column.
GraphPointer parse(std::string_view text, const TensorList& constants = {});
// The constants that the text names, in order.
TensorList named_constants(const Graph& graph);
// A picture in the DOT language of Graphviz.
std::string to_dot(const Graph& graph);

}  // namespace phlox::graph
