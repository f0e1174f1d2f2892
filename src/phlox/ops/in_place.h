// Writing into a tensor that exists, under the rules of core/recording.h.
#pragma once

#include <type_traits>

#include "phlox/core/recording.h"
#include "phlox/core/tensor.h"

namespace phlox {

// Gives the target the values of `value`, which is broadcast and cast to it. Gradients of the target then
// flow to `value`. Throws ShapeError when `value` does not fit, and what check_in_place_allowed() throws.
const Tensor& assign_in_place(const Tensor& target, const Tensor& value, const char* operation);

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
