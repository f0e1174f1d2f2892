// Writing into a tensor that exists, under the rules of core/recording.h.
#pragma once

#include <type_traits>

#include "phlox/core/recording.h"
#include "phlox/core/tensor.h"
#include "phlox/core/watch_bit.h"

namespace phlox {

// Whether a function is captured: then its graph may be followed backwards, which meets what operations are made of, and
// not the nodes that they put into the tape.
inline bool is_captured() { return interpreters() && thread_mode.capture; }

// For what an operation does that records itself by a node of its own: it is not recorded, but a capture sees it all.
struct RecordedByNode : ModeGuard {
  explicit RecordedByNode(bool is_recorded) {
    if (!is_recorded || !is_captured()) thread_mode.gradients_off = true;
  }
};

// Gives the target the values of `value`, which is broadcast and cast to it. Gradients of the target then
// flow to `value`. Throws ShapeError when `value` does not fit, and what check_in_place_allowed() throws.
const Tensor& assign_in_place(const Tensor& target, const Tensor& value, const char* operation);

// The history of a value that gradients do not flow beyond.
Reference<GradientNode> constant_history(const char* operation);

// What an in-place form computes with: the target, or a copy where a gradient may keep the value that is overwritten.
Tensor value_before_write(const Tensor& target);

// The result of an operation that has an out= form, written there. Throws as an in-place form does, and GradientError
// when the result or the target takes part in gradients.
void write_out(const Tensor& result, const Tensor& target, const char* operation);

// Copies without recording and without checks other than overlap. The shapes are equal.
void copy_data(const Tensor& source, const Tensor& target);

// Whether a cast keeps the kind: truth values, integers, real and complex numbers, each holds those before it.
bool keeps_kind(DType from, DType to);

// Throws unless values of `value` may be written into a tensor of dtype `target` in place.
void check_kind_kept(DType value, const Tensor& target, const char* operation);

}  // namespace phlox
