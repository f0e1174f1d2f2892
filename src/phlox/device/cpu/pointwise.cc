// Runs pointwise functions on the CPU: plans the loop over broadcast, strided, mixed-dtype operands once for all
// operations, and hands contiguous blocks of one dtype to the kernels.
#include <algorithm>
#include <cstring>
#include <string_view>

#include "phlox/core/parallel.h"
#include "phlox/device/cpu/complex_interpreter.h"
#include "phlox/device/cpu/convert.h"
#include "phlox/device/cpu/device.h"
#include "phlox/device/cpu/nonfinite.h"
#include "phlox/device/cpu/pointwise_kernel_entry.h"
#include "phlox/ops/primitives/watch.h"
#include "phlox/device/cpu/processor.h"
#include "phlox/ops/primitives/device_kernels.h"

namespace phlox {

PHLOX_TABLE(PointwiseKernelEntry, phlox_kernels);
PHLOX_TABLE(PointwiseInterpreterEntry, phlox_interpreters);

PointwiseKernelTables pointwise_kernel_tables() {
  return {phlox_kernels_first, phlox_kernels_last, phlox_interpreters_first, phlox_interpreters_last};
}

PointwiseKernel find_pointwise_kernel(const PointwiseFunction& function, DType dtype) {
  auto& slot = function.kernels[static_cast<int>(dtype)];
  PointwiseKernel kernel = slot.load(std::memory_order_relaxed);
  if (kernel || !function.compiled) return kernel;
  const std::uint32_t bit = 1u << static_cast<int>(dtype);
  if (function.searched.load(std::memory_order_acquire) & bit) return slot.load(std::memory_order_relaxed);
  int best = -1;
  for (const PointwiseKernelEntry& entry : PHLOX_TABLE_SPAN(phlox_kernels)) {
    if (std::string_view(entry.name) != function.name) continue;
    const PointwiseKernelSet& set =
        function.gradient_of < 0 ? entry.forward : entry.gradients[function.gradient_of];
    const int rank = cpu::usable_rank(entry.instruction_set);
    if (rank <= best || !set.by_dtype[static_cast<int>(dtype)]) continue;
    best = rank;
    kernel = set.by_dtype[static_cast<int>(dtype)];
  }
  slot.store(kernel, std::memory_order_relaxed);
  function.searched.fetch_or(bit, std::memory_order_release);
  return kernel;
}

namespace cpu {
namespace {

constexpr std::int64_t block_elements = 1024;
constexpr std::int64_t block_bytes = block_elements * 8;
constexpr std::int64_t short_row = 64;
constexpr std::int64_t parallel_grain = 32768;
constexpr int max_operands = max_pointwise_inputs + 1;

const PointwiseInterpreterEntry& interpreter() {
  static const PointwiseInterpreterEntry& best = best_of(PHLOX_TABLE_SPAN(phlox_interpreters));
  return best;
}

// The dtype that kernels compute with.
DType kernel_dtype(DType compute) {
  if (compute == DType::float16 || compute == DType::bfloat16) return DType::float32;
  if (compute == DType::bool_) return DType::uint8;
  if (compute == DType::complex64) return DType::complex128;
  return compute;
}

// Either a kernel or a program to interpret.
struct Runner {
  const PointwiseFunction& function;
  PointwiseKernel kernel = nullptr;
  PointwiseInterpreter interpret = nullptr;

  Runner(const PointwiseFunction& f, DType dtype) : function(f) {
    kernel = find_pointwise_kernel(f, dtype);
    if (!kernel && dtype == DType::float32) interpret = interpreter().float32;
    if (!kernel && dtype == DType::float64) interpret = interpreter().float64;
    if (!kernel && dtype == DType::complex128) interpret = interpret_complex;
    if (!kernel && !interpret)
      fail<DTypeError>(ErrorCode::wrong_dtype, "{}: is not defined for {}", f.name, info(dtype).name).raise();
  }
  void operator()(const void* const* inputs, const KernelScalar* scalars, void* output,
                  std::int64_t count) const {
    if (kernel) kernel(inputs, scalars, output, count);
    else interpret(*function.program, function.masks, inputs, scalars, output, count);
  }
};

// One operand of the loop. The last one is the output.
struct LoopOperand {
  char* base = nullptr;
  std::int64_t strides[max_rank];  // bytes, by loop dimension
  int bytes = 0;                   // of one element in memory
  int kernel_bytes = 0;            // of one element as the kernel reads it
  bool same_dtype = true;          // memory and kernel agree
  bool dense = false;              // consecutive over the whole loop
  bool weak = false;               // a scalar: `buffer` holds it already
  ConvertRun load = nullptr;       // to the kernel's dtype
  ConvertRun store = nullptr;      // from it
};

struct Loop {
  int rank = 0;
  int operand_count = 0;
  std::int64_t sizes[max_rank];
  std::int64_t count = 1;
  std::int64_t block = block_elements;  // how many fit into a buffer
  LoopOperand operands[max_operands];
  std::int64_t row() const { return sizes[rank - 1]; }
};

void add_operand(Loop& loop, const TensorImpl& tensor, const TensorImpl& output, DType wanted) {
  LoopOperand& operand = loop.operands[loop.operand_count++];
  operand.base = static_cast<char*>(tensor.address());
  operand.bytes = element_size(tensor.dtype);
  operand.kernel_bytes = element_size(wanted);
  // Truth values are bytes 0 and 1, which is also how uint8 kernels read bool.
  operand.same_dtype = tensor.dtype == wanted ||
                       (tensor.dtype == DType::bool_ && wanted == DType::uint8 && &tensor != &output);
  if (!operand.same_dtype) {
    operand.load = convert_run(tensor.dtype, wanted);
    operand.store = convert_run(wanted, tensor.dtype);
  } else {
    operand.load = operand.store = convert_run(tensor.dtype, tensor.dtype);
  }
  const int missing = output.rank - tensor.rank;
  for (int d = 0; d < output.rank; ++d) {
    const bool stretched = d < missing || tensor.sizes[d - missing] == 1;
    operand.strides[d] = stretched ? 0 : tensor.strides[d - missing] * operand.bytes;
  }
}

// Orders dimensions as the output lies in memory, drops those of size 1 and joins those that run on.
void simplify(Loop& loop, const TensorImpl& output) {
  int order[max_rank];
  int rank = 0;
  for (int d = 0; d < output.rank; ++d) {
    loop.count *= output.sizes[d];
    if (output.sizes[d] != 1) order[rank++] = d;
  }
  const LoopOperand& target = loop.operands[loop.operand_count - 1];
  std::stable_sort(order, order + rank,
                   [&](int a, int b) { return std::abs(target.strides[a]) > std::abs(target.strides[b]); });
  std::int64_t strides[max_operands][max_rank];
  int joined = 0;
  for (int i = 0; i < rank; ++i) {
    const int d = order[i];
    bool runs_on = joined > 0;
    for (int k = 0; k < loop.operand_count && runs_on; ++k)
      runs_on =
          loop.operands[k].weak || strides[k][joined - 1] == loop.operands[k].strides[d] * output.sizes[d];
    if (!runs_on) {
      loop.sizes[joined] = 1;
      ++joined;
    }
    loop.sizes[joined - 1] *= output.sizes[d];
    for (int k = 0; k < loop.operand_count; ++k) strides[k][joined - 1] = loop.operands[k].strides[d];
  }
  if (joined == 0) {
    loop.sizes[0] = 1;
    for (int k = 0; k < loop.operand_count; ++k) strides[k][0] = loop.operands[k].bytes;
    joined = 1;
  }
  loop.rank = joined;
  for (int k = 0; k < loop.operand_count; ++k) {
    LoopOperand& operand = loop.operands[k];
    std::copy_n(strides[k], joined, operand.strides);
    operand.dense = !operand.weak && operand.same_dtype;
    std::int64_t expected = operand.bytes;
    for (int d = joined - 1; d >= 0; --d) {
      if (operand.strides[d] != expected) operand.dense = false;
      expected *= loop.sizes[d];
    }
  }
}

// Where a part of the loop stands.
struct Position {
  std::int64_t index[max_rank];
  Position(const Loop& loop, std::int64_t linear) {
    for (int d = loop.rank - 1; d >= 0; --d) {
      index[d] = linear % loop.sizes[d];
      linear /= loop.sizes[d];
    }
  }
  char* address(const Loop& loop, const LoopOperand& operand) const {
    char* p = operand.base;
    for (int d = 0; d < loop.rank; ++d) p += index[d] * operand.strides[d];
    return p;
  }
  void advance(const Loop& loop, std::int64_t steps) {
    index[loop.rank - 1] += steps;
    for (int d = loop.rank - 1; d > 0 && index[d] >= loop.sizes[d]; --d) {
      if (index[d] == loop.sizes[d]) {  // the end of a row, most of the time: without a division
        index[d] = 0;
        ++index[d - 1];
        continue;
      }
      index[d - 1] += index[d] / loop.sizes[d];
      index[d] %= loop.sizes[d];
    }
  }
};

// Calls piece(address, offset, n) for the rows that `count` elements from `position` cover.
template <class Piece>
void for_rows(const Loop& loop, const LoopOperand& operand, Position position, std::int64_t count,
              const Piece& piece) {
  std::int64_t done = 0;
  while (done < count) {
    const std::int64_t n = std::min(count - done, loop.row() - position.index[loop.rank - 1]);
    piece(position.address(loop, operand), done, n);
    position.advance(loop, n);
    done += n;
  }
}

struct Buffers {
  alignas(64) char bytes[max_operands][block_bytes];
};

void run_part(const Loop& loop, const Runner& run, const KernelScalar* scalars, bool buffered, bool streamed,
              DType dtype, PointwiseLook* look, std::int64_t begin, std::int64_t end) {
  Buffers buffers;
  const int inputs = loop.operand_count - 1;
  const LoopOperand& output = loop.operands[inputs];
  const std::int64_t step = buffered || streamed || look ? loop.block : end - begin;
  const char* splatted[max_operands] = {};
  for (int k = 0; k < inputs; ++k) {
    if (!loop.operands[k].weak) continue;
    const LoopOperand& operand = loop.operands[k];
    operand.load(operand.base, 0, buffers.bytes[k], operand.kernel_bytes, std::min(step, end - begin));
  }

  Position position(loop, begin);
  const std::int64_t row = loop.row();
  const std::int64_t inner = loop.rank - 1;
  for (std::int64_t i = begin; i < end;) {
    std::int64_t n = std::min(step, end - i);
    const std::int64_t rest = row - position.index[inner];
    if (row >= short_row) n = std::min(n, rest);
    const bool in_row = n <= rest;

    const void* addresses[max_operands];
    for (int k = 0; k < inputs; ++k) {
      const LoopOperand& operand = loop.operands[k];
      char* buffer = buffers.bytes[k];
      addresses[k] = buffer;
      if (operand.weak) continue;
      if (operand.dense) {
        addresses[k] = operand.base + i * operand.bytes;
        continue;
      }
      if (in_row) {
        const char* p = position.address(loop, operand);
        if (operand.strides[inner] == operand.bytes && operand.same_dtype) {
          addresses[k] = p;
        } else if (operand.strides[inner] == 0) {
          if (splatted[k] == p) continue;
          operand.load(p, 0, buffer, operand.kernel_bytes, std::min(step, std::max(n, row)));
          splatted[k] = p;
        } else {
          operand.load(p, operand.strides[inner], buffer, operand.kernel_bytes, n);
        }
        continue;
      }
      for_rows(loop, operand, position, n, [&](const char* p, std::int64_t offset, std::int64_t m) {
        operand.load(p, operand.strides[inner], buffer + offset * operand.kernel_bytes, operand.kernel_bytes,
                     m);
      });
    }

    char* target = buffers.bytes[inputs];
    if (output.dense && !streamed) target = output.base + i * output.bytes;
    else if (!streamed && in_row && output.same_dtype && output.strides[inner] == output.bytes)
      target = position.address(loop, output);
    run(addresses, scalars, target, n);
    if (look && has_nonfinite(dtype, target, n)) look->found.store(true, std::memory_order_relaxed);
    if (target == buffers.bytes[inputs]) {
      if (streamed) {
        stream_copy(target, output.base + i * output.bytes, n * output.bytes);
      } else {
        for_rows(loop, output, position, n, [&](char* p, std::int64_t offset, std::int64_t m) {
          output.store(target + offset * output.kernel_bytes, output.kernel_bytes, p, output.strides[inner],
                       m);
        });
      }
    }
    position.advance(loop, n);
    i += n;
  }
  if (streamed) stream_fence();
}

// True when the output is also an input: then its lines are in the cache anyway.
bool reads_output(const PointwiseCall& call) {
  for (int k = 0; k < call.input_count; ++k)
    if (call.inputs[k] && call.inputs[k]->storage == call.output->storage) return true;
  return false;
}

}  // namespace

void pointwise(const PointwiseCall& call) {
  const PointwiseFunction& function = *call.function;
  const TensorImpl& output = *call.output;
  if (output.count == 0) return;
  const DType dtype = kernel_dtype(call.compute);
  const Runner run(function, dtype);

  Loop loop;
  loop.block = std::min(block_elements, block_bytes / element_size(dtype));
  alignas(16) char weak_values[max_pointwise_inputs][16];
  for (int k = 0; k < call.input_count; ++k) {
    const DType wanted = function.is_mask(k) ? DType::bool_ : dtype;
    if (call.inputs[k]) {
      add_operand(loop, *call.inputs[k], output, wanted);
      continue;
    }
    LoopOperand& operand = loop.operands[loop.operand_count++];
    operand.weak = true;
    operand.bytes = operand.kernel_bytes = element_size(wanted);
    operand.base = weak_values[k];
    operand.load = convert_run(wanted, wanted);
    std::fill_n(operand.strides, max_rank, 0);
    call.weak[k].store(wanted, weak_values[k]);
  }
  add_operand(loop, output, output, function.predicate() ? DType::bool_ : dtype);
  // uint8 kernels may leave values above 1 for bool.
  simplify(loop, output);

  bool buffered = false;
  for (int k = 0; k < loop.operand_count; ++k) {
    const LoopOperand& operand = loop.operands[k];
    const bool direct = operand.dense || (operand.same_dtype && !operand.weak && loop.row() >= short_row &&
                                          operand.strides[loop.rank - 1] == operand.bytes);
    buffered |= !direct;
  }
  const LoopOperand& target = loop.operands[loop.operand_count - 1];
  const bool streamed =
      target.dense && loop.count * target.bytes >= streaming_threshold && !reads_output(call);
  PointwiseLook* look = std::exchange(pointwise_look, nullptr);
  if (look && (output.dtype != dtype || !is_floating(dtype))) look = nullptr;  // rounding may give infinities
  if (look) look->looked = true;
  parallel_for(
      0, loop.count, parallel_grain,
      [&](std::int64_t begin, std::int64_t end) {
        run_part(loop, run, call.scalars, buffered, streamed, dtype, look, begin, end);
      },
      64);
}

}  // namespace cpu
}  // namespace phlox
