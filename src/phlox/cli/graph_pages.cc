#include "phlox/cli/graph_pages.h"

#include <fmt/format.h>

#include <fstream>
#include <sstream>

#include "phlox/graph/compare.h"
#include "phlox/io/safetensors.h"

namespace phlox::cli {
namespace {

std::string read_text(const std::string& path) {
  std::ifstream file(path);
  if (!file)
    fail<FileNotFoundError>(ErrorCode::file_not_found, "graph: there is no file {}", path)
        .hint("a text of a graph; or, with the Python package, module:function")
        .raise();
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

graph::Pipeline pipeline_of(const std::vector<std::string>& passes) {
  return passes.empty() ? graph::default_pipeline() : graph::named_pipeline(passes);
}

}  // namespace

GraphFile load_graph(const std::string& path, const std::string& inputs, std::uint64_t seed) {
  const std::filesystem::path beside = std::filesystem::path(path).replace_extension("safetensors");
  StateDict tensors;
  if (std::filesystem::exists(beside)) tensors = load_safetensors(beside).tensors;
  TensorList constants;
  while (const Tensor* constant = tensors.find(fmt::format("@{}", constants.size())))
    constants.push_back(*constant);
  GraphFile file{graph::parse(read_text(path), constants), {}};
  file.inputs = graph::random_inputs(*file.graph, seed);
  if (!inputs.empty()) tensors = load_safetensors(inputs).tensors;
  for (std::size_t i = 0; i < file.inputs.size(); ++i)
    if (const Tensor* given = tensors.find(file.graph->input_name(static_cast<int>(i))))
      file.inputs[i] = *given;
  return file;
}

std::string print_graph(const graph::Graph& graph, const GraphPrinting& options) {
  return options.dot ? to_dot(graph) : to_string(graph, {.locations = options.locations});
}

std::string print_passes(const graph::GraphPointer& graph, const std::vector<std::string>& passes,
                         bool locations) {
  const auto text_of = [&](const graph::Graph& g) { return to_string(g, {.locations = locations}); };
  graph::GraphPointer current = graph;
  std::string before = text_of(*current), text = "before all passes\n" + before;
  for (const graph::Pass* pass : pipeline_of(passes)) {
    current = pass->run(current);
    std::string after = text_of(*current);
    text += after == before ? fmt::format("\n{} (unchanged)\n", pass->name)
                            : fmt::format("\nafter {}\n{}", pass->name, after);
    before = std::move(after);
  }
  return text;
}

std::string bisect_graph(const GraphFile& file, const std::vector<std::string>& passes, double tolerance) {
  if (const auto found = graph::bisect_plan(file.graph, file.inputs, tolerance)) return found->text;
  const auto found = graph::bisect_passes(file.graph, file.inputs, pipeline_of(passes), tolerance);
  return found ? found->text : std::string();
}

}  // namespace phlox::cli
