// Softmax and cross-entropy on the CPU: one row at a time, in f32 or f64.
#include "phlox/base/error.h"
#include "phlox/device/cpu/device.h"
#include "phlox/device/cpu/processor.h"
#include "phlox/device/cpu/rows.h"
#include "phlox/device/cpu/softmax_kernel.h"

namespace phlox::cpu {

PHLOX_TABLE(SoftmaxKernels, phlox_softmax_kernels);

namespace {

constexpr std::int64_t cost_of_element = 2;
// Rows whose logarithms are taken together; long ones, and those that must be converted, one by one, so that they are
// read once.
constexpr std::int64_t short_row = 256, most_together = 64;

const SoftmaxFunctions& functions(DType working) {
  static const SoftmaxKernels& best = best_of(PHLOX_TABLE_SPAN(phlox_softmax_kernels));
  return working == DType::float64 ? best.float64 : best.float32;
}

DType working_dtype(DType dtype) { return dtype == DType::float64 ? dtype : DType::float32; }

[[noreturn]] PHLOX_COLD void throw_bad_target(std::int64_t target, std::int64_t classes) {
  fail<IndexError>(ErrorCode::index_out_of_range, "cross_entropy: target {} is not one of {} classes", target,
                   classes)
      .hint("targets count from 0; ignore_index marks those to leave out")
      .raise();
}

CrossEntropyRow describe_row(const CrossEntropyCall& call, std::int64_t target, DType working) {
  double weight = 1;
  if (call.weight && working == DType::float64)
    weight = static_cast<const double*>(call.weight->address())[target];
  else if (call.weight) weight = static_cast<const float*>(call.weight->address())[target];
  return {target, weight, call.smoothing, call.weight_sum};
}

}  // namespace

void softmax(const SoftmaxCall& call) {
  const DType working = working_dtype(call.input->dtype);
  const SoftmaxFunctions& f = functions(working);
  const RowsLast source(*call.input, call.dim, RowsLast::Use::read);
  RowsLast result(*call.output, call.dim, RowsLast::Use::write);
  const RowOperand input(source.impl(), source.dim(), working), output(result.impl(), result.dim(), working);
  const std::int64_t length = input.length(), bytes = element_size(working), row_bytes = length * bytes;
  const std::int64_t together = call.log && input.direct() && length <= short_row ? most_together : 1;
  for_row_ranges(input.rows(), length * cost_of_element, [&](std::int64_t first, std::int64_t last) {
    const Scratch scratch(2 * row_bytes), statistics(2 * together * bytes), sums(together * bytes);
    for (std::int64_t begin = first; begin < last; begin += together) {
      const std::int64_t end = std::min(begin + together, last);
      const auto statistics_of = [&](std::int64_t row) { return statistics.at(2 * (row - begin) * bytes); };
      const void* values = nullptr;
      if (call.log) {
        for (std::int64_t row = begin; row < end; ++row) {
          values = input.read(row, scratch.at(0));
          f.log_softmax_sum(values, statistics_of(row), length);
          std::copy_n(statistics_of(row) + bytes, bytes, sums.at((row - begin) * bytes));
        }
        f.logarithms(sums.at(0), end - begin);
      }
      for (std::int64_t row = begin; row < end; ++row) {
        char* target = output.target(row, scratch.at(row_bytes));
        if (together > 1 || !call.log) values = input.read(row, scratch.at(0));
        if (call.log) {
          std::copy_n(sums.at((row - begin) * bytes), bytes, statistics_of(row) + bytes);
          f.log_softmax(values, statistics_of(row), target, length);
        } else {
          f.softmax(values, target, length);
        }
        output.write(row, target);
      }
    }
  });
  result.finish();
}

void softmax_gradient(const SoftmaxGradientCall& call) {
  const DType working = working_dtype(call.result->dtype);
  const SoftmaxFunctions& f = functions(working);
  const auto run = call.log ? f.log_softmax_gradient : f.softmax_gradient;
  const RowsLast values(*call.result, call.dim, RowsLast::Use::read),
      slopes(*call.gradient, call.dim, RowsLast::Use::read);
  RowsLast target_rows(*call.output, call.dim, RowsLast::Use::write);
  const RowOperand result(values.impl(), values.dim(), working),
      gradient(slopes.impl(), slopes.dim(), working), output(target_rows.impl(), target_rows.dim(), working);
  const std::int64_t length = result.length(), row_bytes = length * element_size(working);
  for_row_ranges(result.rows(), length * cost_of_element, [&](std::int64_t first, std::int64_t last) {
    const Scratch scratch(3 * row_bytes);
    for (std::int64_t row = first; row < last; ++row) {
      char* target = output.target(row, scratch.at(2 * row_bytes));
      run(result.read(row, scratch.at(0)), gradient.read(row, scratch.at(row_bytes)), target, length);
      output.write(row, target);
    }
  });
  target_rows.finish();
}

void cross_entropy(const CrossEntropyCall& call) {
  const DType working = working_dtype(call.logits->dtype);
  const SoftmaxFunctions& f = functions(working);
  const RowsLast source(*call.logits, call.logits->rank - 1, RowsLast::Use::read);
  const RowOperand logits(source.impl(), source.dim(), working);
  const std::int64_t classes = logits.length(), bytes = element_size(working), row_bytes = classes * bytes;
  const auto* targets = static_cast<const std::int64_t*>(call.target->address());
  const void* weights = call.weight ? call.weight->address() : nullptr;
  char* losses = static_cast<char*>(call.losses->address());
  char* statistics = static_cast<char*>(call.statistics->address());
  const std::int64_t together = logits.direct() && classes <= short_row ? most_together : 1;
  for_row_ranges(logits.rows(), classes * cost_of_element, [&](std::int64_t first, std::int64_t last) {
    const Scratch scratch(2 * row_bytes), sums(together * bytes);
    for (std::int64_t begin = first; begin < last; begin += together) {
      const std::int64_t end = std::min(begin + together, last);
      const auto statistics_of = [&](std::int64_t row) { return statistics + 2 * row * bytes; };
      const void* values = nullptr;
      for (std::int64_t row = begin; row < end; ++row) {
        const std::int64_t target = targets[row];
        if (target == call.ignore_index) {
          std::fill_n(sums.at((row - begin) * bytes), bytes, 0);
          continue;
        }
        if (target < 0 || target >= classes) throw_bad_target(target, classes);
        values = logits.read(row, scratch.at(0));
        f.cross_entropy_sum(values, scratch.at(row_bytes), statistics_of(row), classes);
        std::copy_n(statistics_of(row) + bytes, bytes, sums.at((row - begin) * bytes));
      }
      f.logarithms(sums.at(0), end - begin);
      for (std::int64_t row = begin; row < end; ++row) {
        const std::int64_t target = targets[row];
        if (target == call.ignore_index) {
          std::fill_n(losses + row * bytes, bytes, 0);
          continue;
        }
        std::copy_n(sums.at((row - begin) * bytes), bytes, statistics_of(row) + bytes);
        if (together > 1) values = logits.read(row, scratch.at(0));
        f.cross_entropy(values, describe_row(call, target, working), weights, scratch.at(row_bytes),
                        statistics_of(row), losses + row * bytes, classes);
      }
    }
  });
}

void cross_entropy_gradient(const CrossEntropyCall& call) {
  const DType working = working_dtype(call.logits->dtype);
  const SoftmaxFunctions& f = functions(working);
  const RowsLast source(*call.logits, call.logits->rank - 1, RowsLast::Use::read);
  RowsLast result(*call.output, call.output->rank - 1, RowsLast::Use::write);
  const RowOperand logits(source.impl(), source.dim(), working), output(result.impl(), result.dim(), working);
  const std::int64_t classes = logits.length(), bytes = element_size(working), row_bytes = classes * bytes;
  const auto* targets = static_cast<const std::int64_t*>(call.target->address());
  const void* weights = call.weight ? call.weight->address() : nullptr;
  const char* statistics = static_cast<const char*>(call.statistics->address());
  const auto gradient_of_row = [&](std::int64_t row) {
    if (working == DType::float64) return static_cast<const double*>(call.gradient->address())[row];
    return static_cast<double>(static_cast<const float*>(call.gradient->address())[row]);
  };
  for_row_ranges(logits.rows(), classes * cost_of_element, [&](std::int64_t first, std::int64_t last) {
    const Scratch scratch(2 * row_bytes);
    for (std::int64_t row = first; row < last; ++row) {
      char* target = output.target(row, scratch.at(row_bytes));
      if (targets[row] == call.ignore_index) {
        std::fill_n(target, row_bytes, 0);
      } else {
        if (targets[row] < 0 || targets[row] >= classes) throw_bad_target(targets[row], classes);
        f.cross_entropy_gradient(logits.read(row, scratch.at(0)), describe_row(call, targets[row], working),
                                 weights, statistics + 2 * row * bytes, gradient_of_row(row), target,
                                 classes);
      }
      output.write(row, target);
    }
  });
  result.finish();
}

}  // namespace phlox::cpu
