#include "phlox/graph/jit.h"

#include "phlox/core/watch_bit.h"
#include "phlox/graph/memory_plan.h"
#include "phlox/graph/passes/pipeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>

namespace phlox {
namespace {

PHLOX_THREAD_LOCAL int disabled = 0;

bool is_disabled() {
  if (disabled) return true;
  const char* setting = std::getenv("PHLOX_JIT");
  return setting && std::string_view(setting) == "0";
}

graph::Captured optimized(const graph::Captured& captured) {
  return captured.with_graph(run_pipeline(captured.graph, graph::default_pipeline()));
}

std::string key_of(const TensorList& arguments) {
  std::string key = gradients_enabled() ? "g" : "n";
  for (const Tensor& argument : arguments)
    key += fmt::format(";{}{}", describe(argument), argument.requires_grad() ? "*" : "");
  return key;
}

// Dtypes and numbers of dimensions.
std::string family_of(const TensorList& arguments) {
  std::string key = gradients_enabled() ? "g" : "n";
  for (const Tensor& argument : arguments)
    key += fmt::format(";{}{}{}", info(argument.dtype()).short_name, argument.rank(),
                       argument.requires_grad() ? "*" : "");
  return key;
}

// For arguments of one kind.
constexpr std::size_t most_captures = 8;

void check_room(const std::vector<std::shared_ptr<const graph::Captured>>& captures,
                const TensorList& arguments) {
  if (captures.size() < most_captures) return;
  std::string why = captures.back()->what_changed().value_or("");
  if (const auto misfit = captures.back()->misfit(arguments); why.empty() && misfit)
    why = fmt::format("captured for {}, called with {}", misfit->captured, misfit->called);
  fail<GraphError>(ErrorCode::not_capturable, "jit: {}, {} times by now", why, most_captures)
      .hint("keep what changes in a tensor that is written in place, or capture a function for each setting")
      .raise();
}

}  // namespace

DisableJit::DisableJit() { ++disabled; }
DisableJit::~DisableJit() { --disabled; }

std::vector<std::shared_ptr<const graph::Captured>> detail::JitCache::captures_for(
    const std::string& key) const {
  const std::lock_guard lock(mutex_);
  const auto known = captures_.find(key);
  return known == captures_.end() ? std::vector<std::shared_ptr<const graph::Captured>>{} : known->second;
}

// A capture that fits, which another thread may have made by now; null where the function has to run eagerly first.
std::shared_ptr<const graph::Captured> detail::JitCache::capture(
    const std::function<TensorList(const TensorList&)>& function, const TensorList& arguments,
    const std::string& key) {
  const std::lock_guard lock(mutex_);
  auto& captures = captures_[key];
  for (const auto& captured : captures)
    if (captured->is_current() && !captured->misfit(arguments)) return captured;
  check_room(captures, arguments);
  try {
    const graph::Captured captured = graph::trace(function, arguments);
    auto made = std::make_shared<graph::Captured>(optimized(captured));
    made->use_workspace(workspace_);
    captures.push_back(made);
    last_ = made->graph;
    auto& graphs = graphs_[family_of(arguments)];
    auto same = std::find_if(graphs.begin(), graphs.end(),
                             [&](auto& symbolic) { return symbolic.admit(*captured.graph); });
    if (same == graphs.end()) same = graphs.emplace(graphs.end(), *captured.graph);
    last_symbolic_ = &*same;
    return made;
  } catch (const GraphError& error) {
    if (error.code() != ErrorCode::first_call_eager) throw;
  }
  return nullptr;
}

TensorList detail::JitCache::run(const std::function<TensorList(const TensorList&)>& function,
                                 const TensorList& arguments) {
  // Within another capture the function is a part of that.
  if (interpreters() || is_disabled()) return function(arguments);
  const std::string key = key_of(arguments);
  try {
    for (const auto& captured : captures_for(key))
      if (captured->is_current())
        if (auto results = captured->run_if_fits(arguments)) return std::move(*results);
    if (const auto captured = capture(function, arguments, key)) return captured->run(arguments);
  } catch (OutOfMemoryError& error) {
    const auto capture = [&](const TensorList& examples) {
      return optimized(graph::trace(function, examples));
    };
    if (const auto batch = graph::largest_batch(capture, arguments); batch && *batch < arguments[0].size(0))
      error.add_detail("fits", fmt::format("a batch of {} in place of {}", *batch, arguments[0].size(0)));
    throw;
  }
  // What the first call makes, such as the state of an optimiser, is there in the second.
  return function(arguments);
}

int detail::JitCache::capture_count() const {
  std::lock_guard lock(mutex_);
  int count = 0;
  for (const auto& [key, captures] : captures_) count += static_cast<int>(captures.size());
  return count;
}

int detail::JitCache::compile_count() const {
  std::lock_guard lock(mutex_);
  int count = 0;
  for (const auto& [family, graphs] : graphs_) count += static_cast<int>(graphs.size());
  return count;
}

std::string detail::JitCache::last_symbolic_graph() const {
  std::lock_guard lock(mutex_);
  return last_symbolic_ ? last_symbolic_->to_string() : std::string();
}

graph::GraphPointer detail::JitCache::last_graph() const {
  std::lock_guard lock(mutex_);
  return last_;
}

}  // namespace phlox
