// What a program does besides computing, in the order in which it does it: printing, and calling a function.
//
//   debug_print("loss {:.4f} after {} steps", {loss, steps});
//   debug_callback([&](const TensorList& t) { seen.push_back(t[0]); }, {loss});
//
// Eagerly both happen at once. In a captured function they are nodes, and happen at each call, in branches and loops too:
// none is left out, done once for several, or moved before another. Nodes have this order because each takes a count,
// i64[], of the effects before it, and gives the next.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "phlox/core/tensor.h"

namespace phlox {

struct Primitive;

// Writes a line to standard output. "{}" stands for the next tensor, "{1}" for that of this number, "{:.3f}" formats the
// only element of a tensor as std::format does; "{{" is a brace. Gradients take no part. When a gradient has to run a part
// of a captured function again, nothing is printed again.
// Throws ValueError for a format that does not fit the tensors.
void debug_print(const std::string& format, const TensorList& tensors = {});

// Calls the function with copies of the tensors. `name` is what a graph calls it. A graph with a callback runs where it was
// captured, and nowhere else: its text cannot be read back.
void debug_callback(std::function<void(const TensorList&)> function, const TensorList& tensors = {},
                    std::string name = "callback");

// Where lines go in place of standard output; an empty function restores that.
void set_print_handler(std::function<void(std::string_view)> handler);

// Whether the primitive is one of these. Its first input is the count of effects before it, nothing where nobody counts.
bool is_effect(const Primitive& primitive);

// In this scope the thread has no effects: what runs again has had them.
class WithoutEffects {
 public:
  WithoutEffects();
  ~WithoutEffects();
  WithoutEffects(const WithoutEffects&) = delete;
  WithoutEffects& operator=(const WithoutEffects&) = delete;

 private:
  bool before_;
};

}  // namespace phlox
