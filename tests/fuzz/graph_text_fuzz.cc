// libFuzzer target: any text must give a graph that keeps the rules and prints as a text of the same graph, or a typed
// error. No kernel runs: types are inferred without data.
#include "phlox/graph/graph.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace phlox;
  graph::GraphPointer graph;
  try {
    graph = graph::parse({reinterpret_cast<const char*>(data), size});
  } catch (const Error&) {
    return 0;
  }
  graph::verify(*graph);
  const std::string text = graph::to_string(*graph);
  if (graph::to_string(*graph::parse(text)) != text) __builtin_trap();
  return 0;
}
