// Numbers of eight bits and fewer, which are stored and cast but not computed with: one element a byte.
//
// Casts to float8 and float4 round once, ties to even, and give the largest number beyond the range, infinities
// included; float8_e8m0fnu, a power of two, rounds up and holds neither zero nor signs: zero becomes the smallest and
// what is negative NaN. Integers of four and two bits keep the lowest bits of integers; of floats they truncate, and
// give the end of the range beyond it, NaN as 0. float4 has no NaN, which becomes the largest number.
// Source: ONNX, operator Cast, version 25; OCP Microscaling Formats 1.0.
#pragma once

#include "phlox/device/cpu/convert_kernel.h"

namespace phlox::cpu {

// Whether the dtype is one of these.
constexpr bool has_few_bits(DType dtype) { return dtype >= DType::float8_e4m3fn && dtype <= DType::uint2; }

// The loop that casts `from` to `to`, of which one or both have few bits, and the other is computable.
ConvertRun few_bits_run(const ConvertKernels& kernels, DType from, DType to);

}  // namespace phlox::cpu
