// The tape: what a recorded operation leaves behind so that gradients can flow back through it.
// The engine that walks it is in autograd/.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "phlox/base/reference_count.h"
#include "phlox/core/allocator.h"
#include "phlox/core/mode.h"

namespace phlox {

class Tensor;
struct TensorImpl;
class GradientNode;

// Where the gradient of an input goes: an output of the node that made the input. Null: no gradient wanted.
struct Edge {
  Reference<GradientNode> node;
  std::uint32_t output = 0;
};

using Gradients = std::vector<Tensor>;

class GradientNode {
 public:
  GradientNode(const char* name, int input_count, int output_count = 1);
  virtual ~GradientNode();
  GradientNode(const GradientNode&) = delete;
  GradientNode& operator=(const GradientNode&) = delete;

  // Gradients of the inputs from those of the outputs. An undefined tensor stands for zero, in both directions.
  // Only inputs with `wants(i)` need an answer.
  virtual void backward(std::span<const Tensor> output_gradients, std::span<Tensor> input_gradients) = 0;
  // Drops what was saved; a later backward() through this node is an error.
  virtual void release_saved() = 0;
  virtual bool released() const { return false; }
  // Set for the node that adds gradients into a leaf.
  virtual TensorImpl* leaf() const { return nullptr; }

  const char* name() const { return name_; }
  std::span<Edge> edges() { return {edges_, static_cast<std::size_t>(input_count_)}; }
  int input_count() const { return input_count_; }
  int output_count() const { return output_count_; }
  bool wants(int input) const { return static_cast<bool>(edges_[input].node); }
  // Later nodes have larger numbers: backward runs in descending order.
  std::uint64_t sequence() const { return sequence_; }

  // Called with the input gradients after backward (they may be replaced), and before it with the output's.
  struct Hooks;
  Hooks& hooks();
  Hooks* existing_hooks() const { return hooks_; }

  // Where the operation was called, kept in anomaly mode only.
  std::string where() const;

  static void* operator new(std::size_t bytes) { return allocate(bytes); }
  static void operator delete(void* block, std::size_t bytes) { deallocate(block, bytes); }

  ReferenceCount references;

 protected:
  // Nodes that must run as soon as they are ready take the largest sequence number.
  struct RunsFirst {};
  GradientNode(const char* name, RunsFirst);

 private:
  friend void destroy(GradientNode*);
  const char* name_;
  Edge* edges_;
  Edge inline_edges_[3];
  std::uint16_t input_count_;
  std::uint16_t output_count_;
  union {
    std::uint64_t sequence_;
    GradientNode* next_dead_;  // while a graph is being released
  };
  Hooks* hooks_ = nullptr;
};

struct GradientNode::Hooks {
  using Hook = std::function<void(std::span<Tensor>)>;
  std::vector<std::pair<std::int64_t, Hook>> before;  // get the output gradients
  std::vector<std::pair<std::int64_t, Hook>> after;   // get the input gradients; those of a leaf, the leaf
  // Cells that keep the gradient of an output for retain_grad(); filled after `before`.
  std::vector<std::pair<std::uint32_t, std::shared_ptr<Tensor>>> retained;
  std::string where;
};

// Tells where the calling program stands, for anomaly mode. Python puts its own in place.
extern std::string (*current_location)();

// A number for a hook, unlike all before it.
std::int64_t next_hook_number();

// Releases a graph of any depth without recursion.
void destroy(GradientNode* node);

// What a tensor that takes part in gradients carries.
struct AutogradRecord {
  Reference<GradientNode> node;         // that made the tensor; null for a leaf
  Reference<GradientNode> accumulator;  // adds into `gradient`, for a leaf
  TensorImpl* gradient = nullptr;       // owned
  std::uint32_t output = 0;
  std::uint32_t capture = thread_mode.capture;  // in which the tensor came into gradients
  bool requires_grad = false;
  std::shared_ptr<Tensor> retained;  // the gradient kept by retain_grad(), for a tensor that is not a leaf

  AutogradRecord() = default;
  AutogradRecord(const AutogradRecord&) = delete;
  AutogradRecord& operator=(const AutogradRecord&) = delete;
  ~AutogradRecord();
  static void* operator new(std::size_t bytes) { return allocate(bytes); }
  static void operator delete(void* block, std::size_t bytes) { deallocate(block, bytes); }
};

}  // namespace phlox
