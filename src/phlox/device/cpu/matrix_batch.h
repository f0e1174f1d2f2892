// Batches of matrices: where each lies, copies in LAPACK's order, and loops over them in threads.
#pragma once

#include <algorithm>
#include <complex>
#include <cstring>
#include <string>
#include <type_traits>
#include <vector>

#include "phlox/base/error.h"
#include "phlox/core/parallel.h"
#include "phlox/device/cpu/lapack.h"
#include "phlox/ops/primitives/linear_algebra.h"

namespace phlox::cpu {

// Calls f.template operator()<T>() for the dtypes that LAPACK has.
template <class F>
void visit_matrix_dtype(DType dtype, const F& f) {
  switch (dtype) {
    case DType::float64: return f.template operator()<double>();
    case DType::complex64: return f.template operator()<std::complex<float>>();
    case DType::complex128: return f.template operator()<std::complex<double>>();
    default: return f.template operator()<float>();
  }
}

// The last two dimensions (or the last one, as a column) of each element of the batch.
template <class T>
class MatrixBatch {
 public:
  MatrixBatch(const TensorImpl& t, int dimensions) : t_(t), batch_rank_(t.rank - dimensions) {
    rows = t.sizes[batch_rank_];
    row_stride = t.strides[batch_rank_];
    columns = dimensions == 2 ? t.sizes[batch_rank_ + 1] : 1;
    column_stride = dimensions == 2 ? t.strides[batch_rank_ + 1] : 1;
    for (int d = 0; d < batch_rank_; ++d) count *= t.sizes[d];
    if (t.count > 0) base_ = static_cast<T*>(t.address());
  }

  T* at(std::int64_t matrix) const {
    T* p = base_;
    for (int d = batch_rank_ - 1; d >= 0; --d) {
      p += matrix % t_.sizes[d] * t_.strides[d];
      matrix /= t_.sizes[d];
    }
    return p;
  }

  // Column-major into `target`.
  void load(std::int64_t matrix, std::remove_const_t<T>* target) const {
    copy(at(matrix), row_stride, column_stride, target, 1, rows);
  }
  // Row-major into `target`.
  void load_rows(std::int64_t matrix, std::remove_const_t<T>* target) const {
    copy(at(matrix), row_stride, column_stride, target, columns, 1);
  }
  // From a column-major matrix of `leading` rows.
  void store(std::int64_t matrix, const std::remove_const_t<T>* source, std::int64_t leading) const {
    copy(source, 1, leading, at(matrix), row_stride, column_stride);
  }

  std::int64_t rows, columns, row_stride, column_stride;
  std::int64_t count = 1;

 private:
  // In squares that stay in the cache.
  template <class From, class To>
  void copy(const From* from, std::int64_t from_row, std::int64_t from_column, To* to, std::int64_t to_row,
            std::int64_t to_column) const {
    constexpr std::int64_t side = 32;
    if (from_column == 1 && to_column == 1) {
      for (std::int64_t i = 0; i < rows; ++i) std::copy_n(from + i * from_row, columns, to + i * to_row);
      return;
    }
    if (from_row == 1 && to_row == 1) {
      for (std::int64_t j = 0; j < columns; ++j)
        std::copy_n(from + j * from_column, rows, to + j * to_column);
      return;
    }
    for (std::int64_t i0 = 0; i0 < rows; i0 += side)
      for (std::int64_t j0 = 0; j0 < columns; j0 += side)
        for (std::int64_t i = i0, i1 = std::min(rows, i0 + side); i < i1; ++i)
          for (std::int64_t j = j0, j1 = std::min(columns, j0 + side); j < j1; ++j)
            to[i * to_row + j * to_column] = from[i * from_row + j * from_column];
  }

  const TensorImpl& t_;
  int batch_rank_;
  T* base_ = nullptr;
};

template <class T>
MatrixBatch<const T> input_matrices(const MatrixCall& call, int input, int dimensions = 2) {
  return {*call.inputs[input], dimensions};
}
template <class T>
MatrixBatch<T> result_matrices(const MatrixCall& call, int result, int dimensions = 2) {
  return {*call.results[result], dimensions};
}
// A result that has one number for each matrix.
template <class T>
T* result_numbers(const MatrixCall& call, int result) {
  return call.results[result]->count > 0 ? static_cast<T*>(call.results[result]->address()) : nullptr;
}

inline std::size_t area(std::int64_t rows, std::int64_t columns) {
  return static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns);
}
inline blasint as_size(std::int64_t size) { return static_cast<blasint>(size); }

// Calls body(first, last) on ranges of the batch. Large matrices (`work`: multiplications for one) get all threads one
// after the other; others are shared out among threads and take one each. Which it is does not depend on the batch.
template <class Body>
void for_each_matrix(std::int64_t count, double work, const Body& body) {
  constexpr double large = 4e6, worthwhile = 30e3;
  if (count == 0) return;
  if (work >= large) {
    const Team team;
    return body(std::int64_t{0}, count);
  }
  const auto grain = static_cast<std::int64_t>(std::max(1.0, worthwhile / std::max(work, 1.0)));
  parallel_for(0, count, grain, [&](std::int64_t first, std::int64_t last) {
    const Team alone(1);
    body(first, last);
  });
}

inline double cube(std::int64_t m, std::int64_t n) {
  return static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(std::min(m, n));
}

// "the matrix", or "matrix [1, 0] of the batch".
std::string name_of_matrix(const MatrixCall& call, std::int64_t matrix);

// Where `checked`, throws LinAlgError for the first info that is not 0: "inv: the matrix is singular: ...".
template <class Reason>
void check_infos(const MatrixCall& call, const std::int32_t* infos, std::int64_t count,
                 const Reason& reason) {
  if (!call.attributes.checked) return;
  for (std::int64_t i = 0; i < count; ++i)
    if (infos[i] != 0)
      fail<LinAlgError>(ErrorCode::singular_matrix, "{}: {} {}", call.operation(), name_of_matrix(call, i),
                        reason(infos[i]))
          .raise();
}
// Throws LinAlgError for the first matrix where an iteration failed.
void check_convergence(const MatrixCall& call, const std::vector<std::int32_t>& infos);

inline constexpr std::int32_t not_finite = -1000;  // in place of LAPACK's info: there is a NaN or an infinity

template <class T>
bool all_finite(const T* values, std::size_t count) {
  // Infinities and NaN times 0 are NaN.
  const auto* numbers = reinterpret_cast<const lapack::Real<T>*>(values);
  lapack::Real<T> sum = 0;
  for (std::size_t i = 0; i < count * (lapack::is_complex_type<T> ? 2 : 1); ++i) sum += numbers[i] * 0;
  return sum == 0;
}

// The routines, each for all dtypes.
void run_factorization(const MatrixCall& call);
void run_decomposition(const MatrixCall& call);
void run_equations(const MatrixCall& call);
void run_determinant(const MatrixCall& call);
void run_matrix_function(const MatrixCall& call);

}  // namespace phlox::cpu
