#include "phlox/ops/primitives/watch.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "phlox/core/origin.h"
#include "phlox/ops/primitives/pointwise.h"

namespace phlox {
namespace {

PHLOX_THREAD_LOCAL Watcher* watcher_of_thread = nullptr;
PHLOX_THREAD_LOCAL const std::string* origin_of_node = nullptr;

}  // namespace

PHLOX_THREAD_LOCAL PointwiseLook* pointwise_look = nullptr;

Watcher* current_watcher() { return is_watched() ? watcher_of_thread : nullptr; }

void set_watcher(Watcher* watcher) {
  watcher_of_thread = watcher;
  if (watcher) thread_mode.interpreter_count |= watch_bit;
  else thread_mode.interpreter_count &= ~watch_bit;
}

WatchScope::WatchScope(Watcher* watcher) : before_(watcher_of_thread) { set_watcher(watcher); }
WatchScope::~WatchScope() { watcher_of_thread = before_; }

NodeOrigin::NodeOrigin(const std::string& origin)
    : before_(std::exchange(origin_of_node, origin.empty() ? origin_of_node : &origin)) {}
NodeOrigin::~NodeOrigin() { origin_of_node = before_; }

std::string watched_origin() { return origin_of_node ? *origin_of_node : origin_of_call(); }

bool may_be_nonfinite(const TensorImpl& tensor) {
  return (is_floating(tensor.dtype) || is_complex(tensor.dtype)) && tensor.count > 0;
}

bool has_nonfinite(const TensorImpl& tensor) {
  return may_be_nonfinite(tensor) && tensor.device.type == DeviceType::cpu && has_nonfinite_on_cpu(tensor);
}

namespace {

// Whether each step of the expression gives something finite for finite numbers.
bool stays_finite(const math::ExpressionProgram& program) {
  using enum math::Opcode;
  static constexpr std::array safe{input, neg,  abs,     min, max,      select, floor,    ceil,    trunc,
                                   round, tanh, sigmoid, erf, copysign, sin,    cos,      atan,    ndtr,
                                   lt,    le,   gt,      ge,  eq,       ne,     mask_and, mask_or, mask_not};
  for (int i = 0; i < program.count; ++i) {
    const math::ExpressionNode& node = program.nodes[i];
    const bool fine = node.opcode == constant
                          ? std::isfinite(node.value)
                          : std::find(safe.begin(), safe.end(), node.opcode) != safe.end();
    if (!fine) return false;
  }
  return true;
}

bool only_moves(const Primitive& primitive) {
  static const std::array moving{find_primitive("view"),     find_primitive("split"),
                                 find_primitive("check"),    find_primitive("fill"),
                                 find_primitive("cat"),      find_primitive("index"),
                                 find_primitive("gather"),   find_primitive("sort"),
                                 find_primitive("max_pool"), find_primitive("max_pool_gather"),
                                 find_primitive("detach")};
  return std::find(moving.begin(), moving.end(), &primitive) != moving.end();
}

}  // namespace

bool gave_nonfinite(const PointwiseFunction& function, std::span<const Operand> inputs, const Tensor& result,
                    const PointwiseLook& look) {
  if (look.looked) return look.found;
  const bool all_tensors =
      std::all_of(inputs.begin(), inputs.end(), [](const Operand& input) { return input.is_tensor(); });
  if (result.numel() > looked_at_block && all_tensors && stays_finite(*function.program)) return false;
  return has_nonfinite(*result.impl());
}

bool needs_look(const WatchedCall& call, bool cheap) {
  if (only_moves(call.primitive) || call.results.empty()) return false;
  static const Primitive *const pointwise = find_primitive("pointwise"), *const convert =
                                                                             find_primitive("convert");
  if (&call.primitive == convert)
    return element_size(call.results[0].dtype()) < element_size(call.inputs[0].tensor().dtype());
  if (&call.primitive != pointwise || (cheap && call.results[0].numel() <= looked_at_block)) return true;
  for (const Operand& input : call.inputs)
    if (!input.is_tensor()) return true;
  return !stays_finite(*static_cast<const PointwiseAttributes*>(call.attributes)->function->program);
}

TensorList run_watched(const Primitive& primitive, std::span<const Operand> inputs, const void* attributes) {
  TensorList results;
  PointwiseLook look;
  {
    const Unwatched unwatched;
    const PointwiseLookScope looking(look);
    results = primitive.evaluate(inputs, attributes);
  }
  if (thread_mode.abstract) return results;
  look_at_results({primitive, inputs, attributes, results}, look);
  note_watched(results);
  return results;
}

void note_watched(std::span<const Tensor> results) {
  if (!origin_of_node) note_origin(results);
}

void look_at_results(const WatchedCall& call, const PointwiseLook& look) {
  Watcher* watcher = watcher_of_thread;
  if (!watcher) return;
  const Unwatched unwatched;
  if (look.looked ? !look.found : !needs_look(call)) return;
  const bool found = std::any_of(call.results.begin(), call.results.end(), [](const Tensor& result) {
    return result.defined() && has_nonfinite(*result.impl());
  });
  if (found) watcher->found_nonfinite(call);
}

}  // namespace phlox
