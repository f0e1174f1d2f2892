// Looking at what primitives give, below all interpreters: what px.trap_nonfinite() is made of.
//
// A thread in which watch_bit is set hands each primitive to run_watched(). Nothing is changed in what is computed; only
// results that hold NaN or infinities go to the watcher, which may throw.
#pragma once

#include <atomic>
#include <span>
#include <string>
#include <utility>

#include "phlox/core/watch_bit.h"
#include "phlox/ops/primitives/primitive.h"

namespace phlox {

struct PointwiseFunction;

// A primitive that has run. Results that lie where an input lay have overwritten it.
struct WatchedCall {
  const Primitive& primitive;
  std::span<const Operand> inputs;
  const void* attributes;
  std::span<const Tensor> results;
};

class Watcher {
 public:
  virtual ~Watcher() = default;
  // A result holds NaN or infinity.
  virtual void found_nonfinite(const WatchedCall& call) = 0;
};

// Puts a watcher in place for a scope; null: none.
class WatchScope {
 public:
  explicit WatchScope(Watcher* watcher);
  ~WatchScope();
  WatchScope(const WatchScope&) = delete;
  WatchScope& operator=(const WatchScope&) = delete;

 private:
  ModeGuard mode_;
  Watcher* before_;
};

// That of this thread, and what the bit in the mode says; without a scope that restores it.
Watcher* current_watcher();
void set_watcher(Watcher* watcher);

// In this scope nothing is watched.
struct Unwatched : ModeGuard {
  Unwatched() { thread_mode.interpreter_count &= ~watch_bit; }
};

// Where the node of a graph that runs now comes from; empty: the program itself tells.
class NodeOrigin {
 public:
  explicit NodeOrigin(const std::string& origin);
  ~NodeOrigin();
  NodeOrigin(const NodeOrigin&) = delete;
  NodeOrigin& operator=(const NodeOrigin&) = delete;

 private:
  const std::string* before_;
};
// The origin of what runs now.
std::string watched_origin();

// Large pointwise results are looked at block by block while they are made: in the cache they cost little.
struct PointwiseLook {
  std::atomic<bool> found = false;
  bool looked = false;  // at all of them; otherwise that is still to be done
};
inline constexpr std::int64_t looked_at_block = 4096;  // elements; up to this one look afterwards does
// Of this thread, for the next call of a device; null: nobody asks.
extern PHLOX_THREAD_LOCAL PointwiseLook* pointwise_look;
class PointwiseLookScope {
 public:
  explicit PointwiseLookScope(PointwiseLook& look) : before_(std::exchange(pointwise_look, &look)) {}
  ~PointwiseLookScope() { pointwise_look = before_; }
  PointwiseLookScope(const PointwiseLookScope&) = delete;
  PointwiseLookScope& operator=(const PointwiseLookScope&) = delete;

 private:
  PointwiseLook* before_;
};

// Whether the elements of a tensor have to be looked at, and whether one is NaN or infinite.
bool may_be_nonfinite(const TensorImpl& tensor);
extern bool (*const has_nonfinite_on_cpu)(const TensorImpl& tensor);  // in device/cpu
bool has_nonfinite(const TensorImpl& tensor);
// The same for elements that lie one after the other in memory of the CPU; null for dtypes that are never looked at.
using NonfiniteScan = bool (*)(const void* elements, std::int64_t count);
extern NonfiniteScan (*const nonfinite_scan_on_cpu)(DType dtype);  // in device/cpu

// Whether the call can give something else than finite numbers for finite inputs. Those have been looked at before, or
// come from outside. What only moves elements needs no look, nor do functions such as relu and tanh: where that is to be
// `cheap` to say, only for large results, as small ones are looked at sooner.
bool needs_look(const WatchedCall& call, bool cheap = true);
// Whether the result of a pointwise call is not finite. `look` holds what was seen of it.
bool gave_nonfinite(const PointwiseFunction& function, std::span<const Operand> inputs, const Tensor& result,
                    const PointwiseLook& look);
// Keeps where results come from, so that their gradients can tell.
void note_watched(std::span<const Tensor> results);

TensorList run_watched(const Primitive& primitive, std::span<const Operand> inputs, const void* attributes);
// Tells the watcher where a result is not finite. `look` holds what was seen of the only result.
void look_at_results(const WatchedCall& call, const PointwiseLook& look = {});

}  // namespace phlox
