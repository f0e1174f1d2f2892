// One graph for all sizes: what the captures of one function at several sizes have in common.
//
//   graph(%x0: f32[b,64], %x1: f32[64,10]) {
//     %0: f32[b,10] = contraction(%x0, %x1)
//     %1: f32[] = reduce.mean(%0, dims=[0,1])
//     %2: f32[5*b,2] = view.reshape(%0, sizes=[5*b,2])
//     return %1, %2
//   }
//
// Nothing in the program has to know that a size is symbolic: it runs with the sizes that there are. The graphs of two
// runs are compared number by number, and for those that differ a rule is looked for that gives them from the sizes of
// the inputs. Each further capture proves the rules, finds better ones, or is refused: no size is ever taken for granted.
#pragma once

#include <string>
#include <vector>

#include "phlox/graph/graph.h"

namespace phlox::graph {

class SymbolicGraph {
 public:
  explicit SymbolicGraph(const Graph& first);

  // Takes in the graph of the function at other sizes. False, and nothing changes, where it differs in more than sizes
  // or no rules were found; `refusal()` says where.
  bool admit(const Graph& other);
  const std::string& refusal() const { return refusal_; }

  // The names of the sizes that differed, in the order of the inputs: b, s, t, u, ...
  std::vector<std::string> sizes() const;
  // How many different sizes were taken in.
  int admitted() const { return admitted_; }
  // The text, with sizes and expressions of sizes in the place of numbers.
  std::string to_string() const;
  // The graph at these sizes, in the order of sizes(). Throws ValueError for another number of sizes, GraphError where
  // the graph is not valid at them.
  GraphPointer at(const std::vector<std::int64_t>& values) const;

  // A number in the text.
  struct Number {
    bool whole = true;
    std::int64_t integer = 0;
    double real = 0;
    friend bool operator==(const Number&, const Number&) = default;
  };
  // (factor * sizes... + added... + offset) / divisor + shift, rounded down. Of a real number that is the inner part:
  // its root is taken where `root` says so, and the numerator multiplied with it or divided by it.
  struct Rule {
    std::vector<int> sizes;  // factors, by number; one may come twice
    std::vector<int> added = {};
    std::int64_t factor = 1, offset = 0, divisor = 1, shift = 0;
    bool whole = true, root = false, reciprocal = false;
    double numerator = 1;

    std::int64_t integer_at(const std::vector<std::int64_t>& values) const;
    double real_at(const std::vector<std::int64_t>& values) const;
    std::string to_string(const std::vector<std::string>& names) const;
  };

 private:
  struct Text {
    std::vector<std::string> pieces;  // between the numbers
    std::vector<Number> numbers;
    std::size_t of_inputs = 0;  // so many of them are in the types of the inputs
  };
  static Text read(const Graph& graph);
  // Finds the sizes and rules for all instances; false if there are none.
  bool fit(const std::vector<std::vector<Number>>& instances);

  Text text_;
  TensorList constants_;
  std::vector<std::vector<Number>> instances_;  // the numbers of some that were taken in
  std::vector<std::size_t> size_numbers_;       // for each size, a number in the types of the inputs
  std::vector<int> rules_of_;                   // for each number, its rule, or -1
  std::vector<Rule> rules_;
  std::string refusal_;
  int admitted_ = 1;
};

}  // namespace phlox::graph
