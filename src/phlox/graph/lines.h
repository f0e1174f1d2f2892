// Single lines of the text form.
#pragma once

#include <functional>
#include <string>
#include <unordered_map>

#include "phlox/graph/graph.h"

namespace phlox::graph {

// The names of a graph's values: inputs have their own, others numbers. A copy would take as long as the graph.
class ValueNames {
 public:
  explicit ValueNames(const Graph& graph);
  ValueNames(const ValueNames&) = delete;
  ValueNames& operator=(const ValueNames&) = delete;
  std::string operator()(const Value& value) const;

 private:
  std::unordered_map<const Node*, std::string> inputs_;
  std::unordered_map<const Node*, int> first_;
};
// "%3: f32[2] = relu(%2)", without regions; `constant` is what a large constant is called.
std::string line_of(const Node& node, const std::function<std::string(const Value&)>& names,
                    const std::string& constant = "...");
std::string line_of(const Node& node, const ValueNames& names, const std::string& constant = "...");
// Whether the text only names the constant.
bool is_named(const Node& constant);

}  // namespace phlox::graph
