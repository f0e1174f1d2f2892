#include "phlox/train/trap_nonfinite.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "phlox/core/origin.h"
#include "phlox/graph/captured.h"
#include "phlox/io/safetensors.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/value_statistics.h"

namespace phlox {
namespace {

PHLOX_THREAD_LOCAL std::filesystem::path* folder_of_thread = nullptr;  // never freed: one for a thread

std::filesystem::path& folder() {
  if (!folder_of_thread) folder_of_thread = new std::filesystem::path(".");
  return *folder_of_thread;
}

std::string place_of(std::int64_t element, const Shape& shape) {
  std::vector<std::int64_t> place(shape.size());
  for (std::size_t d = shape.size(); d-- > 0;) {
    place[d] = element % shape[d];
    element /= shape[d];
  }
  return fmt::format("[{}]", fmt::join(place, ","));
}

// The call as a graph of one node, on its tensors as inputs.
graph::GraphPointer graph_of(const WatchedCall& call, const std::string& origin) {
  graph::GraphBuilder builder;
  std::vector<graph::Input> inputs;
  for (std::size_t i = 0; i < call.inputs.size(); ++i) {
    const Operand& operand = call.inputs[i];
    if (!operand.is_tensor()) inputs.emplace_back(operand.scalar());
    else if (!operand.tensor().defined()) inputs.emplace_back(std::monostate{});
    else inputs.emplace_back(builder.input(graph::type_of(operand.tensor()), fmt::format("x{}", i)));
  }
  const graph::Node& node = builder.add(call.primitive, std::move(inputs),
                                        graph::Attributes(call.primitive, call.attributes), {}, origin);
  std::vector<graph::Value> outputs;
  for (std::size_t i = 0; i < node.types().size(); ++i) outputs.push_back({&node, static_cast<int>(i)});
  return builder.finish(std::move(outputs));
}

std::filesystem::path new_file(const std::string& operation) {
  std::string name = operation;
  std::replace(name.begin(), name.end(), '.', '-');
  for (int number = 1;; ++number) {
    std::filesystem::path path = folder() / fmt::format("nonfinite-{}-{}.safetensors", name, number);
    if (!std::filesystem::exists(path)) return path;
  }
}

class Trap final : public Watcher {
 public:
  void found_nonfinite(const WatchedCall& call) override {
    const NoGrad no_grad;
    struct Input {
      std::size_t number;
      Tensor tensor;
      bool overwritten;
      ValueStatistics statistics;
    };
    std::vector<Input> inputs;
    bool finite = true, nan_before = false;
    for (std::size_t i = 0; i < call.inputs.size(); ++i) {
      const Operand& operand = call.inputs[i];
      if (!operand.is_tensor()) {
        finite = finite && std::isfinite(operand.scalar().real());
        nan_before = nan_before || std::isnan(operand.scalar().real());
        continue;
      }
      const Tensor& tensor = operand.tensor();
      if (!tensor.defined()) continue;
      const bool overwritten = std::any_of(call.results.begin(), call.results.end(), [&](const Tensor& r) {
        return r.defined() && r.shares_storage_with(tensor);
      });
      const bool plain = overwritten || !may_be_nonfinite(*tensor.impl());
      inputs.push_back({i, tensor, overwritten, ValueStatistics(plain ? empty({0}) : tensor.detach())});
      finite = finite && inputs.back().statistics.all_finite();
      nan_before = nan_before || inputs.back().statistics.nan > 0;
    }
    for (const Tensor& result : call.results) {
      if (!result.defined() || !may_be_nonfinite(*result.impl())) continue;
      const ValueStatistics statistics(result.detach());
      if (statistics.nan == 0 && (statistics.infinite == 0 || !finite)) continue;

      const std::string origin = watched_origin();
      const graph::GraphPointer graph = graph_of(call, origin);
      const std::string name = graph->nodes().back()->name();
      std::string summary = fmt::format("{}: {} of {} elements", name, statistics.counts(), result.numel());
      if (running_gradient) summary += fmt::format(", in the gradient of {}", running_gradient->name());
      if (nan_before) summary += ", as its inputs have NaN";
      else if (finite) summary += ", of finite inputs";
      auto error = fail<NonFiniteError>(ErrorCode::nonfinite_gradient, "{}", summary);
      for (const Input& input : inputs) {
        const Description description = describe(input.tensor);
        const std::string more = input.overwritten ? "overwritten by the result" : input.statistics.text();
        error.detail("input",
                     Description(description + (more.empty() ? "" : ": " + more), description.subject));
      }
      error.detail("result", fmt::format("{}: {}, the first at {}", describe(result), statistics.text(),
                                         place_of(statistics.first, result.shape())));
      if (!origin.empty() && !running_gradient) error.detail("from", origin);  // backward() says so itself
      StateDict tensors;
      for (const Input& input : inputs)
        if (!input.overwritten) tensors.set(fmt::format("x{}", input.number), input.tensor.detach());
      const std::filesystem::path path = new_file(name);
      try {
        save_safetensors(path, tensors,
                         {{"phlox.replay", "1"},
                          {"operation", name},
                          {"origin", origin},
                          {"graph", graph::to_string(*graph, {.locations = true})}});
        error.detail("replay", path.string());
      } catch (const Error& not_written) {
        error.detail("replay", "not written: " + not_written.summary());
      }
      error.hint("look at the inputs: px.debug.replay() runs the operation again, from the file").raise();
    }
  }
};

Trap trap;

}  // namespace

TrapNonfinite::TrapNonfinite(std::filesystem::path wanted)
    : scope_(&trap), before_(std::exchange(folder(), std::move(wanted))) {}
TrapNonfinite::~TrapNonfinite() { folder() = before_; }

void set_trap_nonfinite(bool on) { set_watcher(on ? &trap : nullptr); }
bool is_trap_nonfinite_enabled() { return current_watcher() == &trap; }
std::filesystem::path trap_folder() { return folder(); }
void set_trap_folder(std::filesystem::path wanted) { folder() = std::move(wanted); }

ReplayFile load_replay(const std::filesystem::path& path) {
  const SafetensorsFile file = load_safetensors(path);
  if (!file.metadata.contains("phlox.replay") || !file.metadata.contains("graph"))
    fail<FormatError>(ErrorCode::file_malformed, "replay: the file was not written by trap_nonfinite()")
        .detail("file", path.string())
        .raise();
  ReplayFile found;
  found.graph = graph::parse(file.metadata.at("graph"));
  const auto text = [&](const char* key) {
    const auto entry = file.metadata.find(key);
    return entry == file.metadata.end() ? std::string() : entry->second;
  };
  found.operation = text("operation");
  found.origin = text("origin");
  for (int i = 0; i < static_cast<int>(found.graph->inputs().size()); ++i) {
    const std::string& name = found.graph->input_name(i);
    const Tensor* stored = file.tensors.find(name);
    Tensor input = stored ? *stored : Tensor();
    if (input.defined() && graph::type_of(input) != found.graph->inputs()[static_cast<std::size_t>(i)].type())
      fail<FormatError>(ErrorCode::file_malformed, "replay: input {} is not of the type that the graph takes",
                        name)
          .detail("file", path.string())
          .raise();
    found.inputs.push_back(std::move(input));
  }
  return found;
}

TensorList replay(const std::filesystem::path& path) {
  const ReplayFile file = load_replay(path);
  for (const Tensor& input : file.inputs)
    if (!input.defined())
      fail<StateError>(ErrorCode::not_supported, "replay: {} overwrote an input, which is not in the file",
                       file.operation)
          .detail("file", path.string())
          .raise();
  const Unwatched unwatched;
  return graph::execute(*file.graph, file.inputs);
}

}  // namespace phlox
