#include "phlox/core/gradient_node.h"

#include <atomic>
#include <string>
#include <unordered_map>

#include "phlox/base/macros.h"
#include "phlox/core/mode.h"
#include "phlox/core/tensor.h"

#if defined(__linux__) || defined(__APPLE__)
#include <cxxabi.h>
#include <dlfcn.h>
#include <execinfo.h>
#endif

namespace phlox {

namespace {

// Each thread counts for itself: the order only has to be right among nodes that follow one another, and the
// engine counts dependencies besides.
PHLOX_THREAD_LOCAL std::uint64_t next_sequence = 0;

#if defined(__linux__) || defined(__APPLE__)
// The function that an address is in; empty for one of Phlox's own.
std::string function_at(void* address) {
  Dl_info symbol;
  if (!dladdr(address, &symbol) || !symbol.dli_sname) return {};
  int status = 0;
  char* readable = abi::__cxa_demangle(symbol.dli_sname, nullptr, nullptr, &status);
  std::string name = status == 0 ? readable : symbol.dli_sname;
  std::free(readable);
  return name.find("phlox::") == std::string::npos ? name : std::string();
}
#endif

// The innermost function on the stack that is not Phlox's own.
std::string location_from_stack() {
#if defined(__linux__) || defined(__APPLE__)
  // Looking an address up takes long, and a captured program asks at each node.
  static thread_local std::unordered_map<void*, std::string> known;
  void* frames[64];
  int count = backtrace(frames, 64);
  for (int i = 1; i < count; ++i) {
    const auto [entry, is_new] = known.try_emplace(frames[i]);
    if (is_new) entry->second = function_at(frames[i]);
    if (!entry->second.empty()) return entry->second;
  }
#endif
  return {};
}

}  // namespace

std::string (*current_location)() = location_from_stack;

std::int64_t next_hook_number() {
  static std::atomic<std::int64_t> next{1};
  return next.fetch_add(1, std::memory_order_relaxed);
}

GradientNode::GradientNode(const char* name, int input_count, int output_count)
    : name_(name),
      edges_(inline_edges_),
      input_count_(static_cast<std::uint16_t>(input_count)),
      output_count_(static_cast<std::uint16_t>(output_count)),
      sequence_(next_sequence++) {
  if (input_count > static_cast<int>(std::size(inline_edges_)))
    edges_ = new Edge[static_cast<std::size_t>(input_count)];
  if (thread_mode.anomaly) [[unlikely]]
    hooks().where = current_location();
}

GradientNode::GradientNode(const char* name, RunsFirst)
    : name_(name), edges_(inline_edges_), input_count_(0), output_count_(1), sequence_(UINT64_MAX) {}

GradientNode::~GradientNode() {
  if (edges_ != inline_edges_) delete[] edges_;
  delete hooks_;
}

GradientNode::Hooks& GradientNode::hooks() {
  if (!hooks_) hooks_ = new Hooks;
  return *hooks_;
}

std::string GradientNode::where() const { return hooks_ ? hooks_->where : std::string(); }

namespace {
PHLOX_THREAD_LOCAL bool releasing_graph = false;
PHLOX_THREAD_LOCAL GradientNode* dead_nodes = nullptr;
}  // namespace

void destroy(GradientNode* node) {
  // A node's destructor releases the nodes before it. They are only noted here, and deleted by the outermost call.
  node->next_dead_ = dead_nodes;
  dead_nodes = node;
  if (releasing_graph) return;
  releasing_graph = true;
  while (dead_nodes) {
    GradientNode* next = dead_nodes;
    dead_nodes = next->next_dead_;
    delete next;
  }
  releasing_graph = false;
}

AutogradRecord::~AutogradRecord() {
  if (gradient && gradient->references.release()) destroy(gradient);
}

}  // namespace phlox
