// Linear equations, inverses and determinants by LAPACK and BLAS.
#include <cmath>
#include <limits>

#include "phlox/device/cpu/matrix_batch.h"

namespace phlox::cpu {
namespace {

using lapack::Real;
using lapack::Workspace;

std::string singular(std::int32_t info) { return fmt::format("is singular: its pivot {} is 0", info); }

template <class T>
void solve(const MatrixCall& call) {
  const auto input = input_matrices<T>(call, 0), right = input_matrices<T>(call, 1);
  const auto result = result_matrices<T>(call, 0);
  const std::int64_t n = input.rows, columns = right.columns;
  auto* infos = result_numbers<std::int32_t>(call, 1);
  for_each_matrix(input.count, cube(n, n) + 2 * cube(n, std::max(n, columns)),
                  [&](std::int64_t first, std::int64_t last) {
                    Workspace<T> space, right_space;
                    Workspace<blasint> pivot_space;
                    T* const a = space.of(area(n, n));
                    T* const b = right_space.of(area(n, columns));
                    blasint* const pivots = pivot_space.of(static_cast<std::size_t>(n));
                    for (std::int64_t i = first; i < last; ++i) {
                      infos[i] = 0;
                      if (n == 0) continue;
                      input.load(i, a);
                      infos[i] = lapack::getrf(as_size(n), as_size(n), a, pivots);
                      if (columns == 0) continue;
                      right.load(i, b);
                      lapack::getrs(as_size(n), as_size(columns), a, pivots, b);
                      result.store(i, b, n);
                    }
                  });
  check_infos(call, infos, input.count, singular);
}

template <class T>
void inverse(const MatrixCall& call) {
  const auto input = input_matrices<T>(call, 0);
  const auto result = result_matrices<T>(call, 0);
  const std::int64_t n = input.rows;
  auto* infos = result_numbers<std::int32_t>(call, 1);
  for_each_matrix(input.count, 3 * cube(n, n), [&](std::int64_t first, std::int64_t last) {
    Workspace<T> space, work;
    Workspace<blasint> pivot_space;
    T* const a = space.of(area(n, n));
    blasint* const pivots = pivot_space.of(static_cast<std::size_t>(n));
    for (std::int64_t i = first; i < last; ++i) {
      infos[i] = 0;
      if (n == 0) continue;
      input.load(i, a);
      infos[i] = lapack::getrf(as_size(n), as_size(n), a, pivots);
      if (infos[i] == 0) lapack::getri(as_size(n), a, pivots, work);
      else std::fill_n(a, area(n, n), T(std::numeric_limits<Real<T>>::infinity()));
      result.store(i, a, n);
    }
  });
  check_infos(call, infos, input.count, singular);
}

template <class T>
void solve_triangular(const MatrixCall& call) {
  const auto input = input_matrices<T>(call, 0), right = input_matrices<T>(call, 1);
  const auto result = result_matrices<T>(call, 0);
  const std::int64_t n = input.rows, columns = right.columns;
  if (n == 0 || columns == 0) return;
  const auto triangle = call.attributes.upper ? CblasUpper : CblasLower;
  const auto diagonal = call.attributes.unit ? CblasUnit : CblasNonUnit;
  const blasint rows = as_size(n), width = as_size(columns);
  for_each_matrix(input.count, static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(columns),
                  [&](std::int64_t first, std::int64_t last) {
                    Workspace<T> space;
                    // Row-major where it lies so, or a copy.
                    const bool direct = input.column_stride == 1 && input.row_stride >= n;
                    T* const copy = direct ? nullptr : space.of(area(n, n));
                    const blasint leading = direct ? as_size(input.row_stride) : rows;
                    const T one(1);
                    for (std::int64_t i = first; i < last; ++i) {
                      if (copy) input.load_rows(i, copy);
                      const T* const a = copy ? copy : input.at(i);
                      T* const x = result.at(i);
                      right.load_rows(i, x);
                      if constexpr (std::is_same_v<T, float>)
                        cblas_strsm(CblasRowMajor, CblasLeft, triangle, CblasNoTrans, diagonal, rows, width,
                                    one, a, leading, x, width);
                      else if constexpr (std::is_same_v<T, double>)
                        cblas_dtrsm(CblasRowMajor, CblasLeft, triangle, CblasNoTrans, diagonal, rows, width,
                                    one, a, leading, x, width);
                      else if constexpr (std::is_same_v<T, std::complex<float>>)
                        cblas_ctrsm(CblasRowMajor, CblasLeft, triangle, CblasNoTrans, diagonal, rows, width,
                                    &one, a, leading, x, width);
                      else
                        cblas_ztrsm(CblasRowMajor, CblasLeft, triangle, CblasNoTrans, diagonal, rows, width,
                                    &one, a, leading, x, width);
                    }
                  });
}

template <class T>
void ldl_solve(const MatrixCall& call) {
  const auto input = input_matrices<T>(call, 0), right = input_matrices<T>(call, 2);
  const MatrixBatch<const std::int32_t> pivots(*call.inputs[1], 1);
  const auto result = result_matrices<T>(call, 0);
  const std::int64_t n = input.rows, columns = right.columns;
  if (n == 0 || columns == 0) return;
  for_each_matrix(input.count, 2 * cube(n, columns), [&](std::int64_t first, std::int64_t last) {
    Workspace<T> space, right_space;
    Workspace<std::int32_t> pivot_space;
    T* const a = space.of(area(n, n));
    T* const b = right_space.of(area(n, columns));
    std::int32_t* const own = pivot_space.of(static_cast<std::size_t>(n));
    for (std::int64_t i = first; i < last; ++i) {
      input.load(i, a);
      pivots.load(i, own);
      right.load(i, b);
      for (std::int64_t j = 0; j < n; ++j)
        if (own[j] == 0 || std::abs(own[j]) > n)
          fail<IndexError>(ErrorCode::index_out_of_range, "{}: pivot {} of {} rows", call.operation(), own[j],
                           n)
              .raise();
      lapack::sytrs(call.attributes.hermitian, as_size(n), as_size(columns), a, own, b);
      result.store(i, b, n);
    }
  });
}

template <class T>
void tridiagonal(const MatrixCall& call) {
  const auto input = input_matrices<T>(call, 0), right = input_matrices<T>(call, 1);
  const auto result = result_matrices<T>(call, 0);
  const std::int64_t n = input.columns, columns = right.columns;
  auto* infos = result_numbers<std::int32_t>(call, 1);
  const double work = 10 * static_cast<double>(n) * static_cast<double>(columns);
  for_each_matrix(input.count, std::min(work, 1e6), [&](std::int64_t first, std::int64_t last) {
    Workspace<T> space, right_space;
    T* const diagonals = space.of(area(3, n));
    T* const b = right_space.of(area(n, columns));
    for (std::int64_t i = first; i < last; ++i) {
      infos[i] = 0;
      if (n == 0 || columns == 0) continue;
      input.load_rows(i, diagonals);
      right.load(i, b);
      infos[i] =
          lapack::gtsv(as_size(n), as_size(columns), diagonals + 2 * n + 1, diagonals + n, diagonals, b);
      result.store(i, b, n);
    }
  });
  check_infos(call, infos, input.count, singular);
}

// The pivots' product, or its sign and logarithm.
template <class T>
void determinant(const MatrixCall& call) {
  using R = Real<T>;
  const auto input = input_matrices<T>(call, 0);
  const std::int64_t n = input.rows;
  const bool logarithm = call.attributes.routine == MatrixRoutine::slogdet;
  T* const results = result_numbers<T>(call, 0);
  R* const logarithms = logarithm ? result_numbers<R>(call, 1) : nullptr;
  for_each_matrix(input.count, cube(n, n), [&](std::int64_t first, std::int64_t last) {
    Workspace<T> space;
    Workspace<blasint> pivot_space;
    T* const a = space.of(area(n, n));
    blasint* const pivots = pivot_space.of(static_cast<std::size_t>(n));
    for (std::int64_t i = first; i < last; ++i) {
      T product(1);
      R sum = 0;
      if (n > 0) {
        input.load(i, a);
        lapack::getrf(as_size(n), as_size(n), a, pivots);
      }
      for (std::int64_t j = 0; j < n; ++j) {
        T pivot = a[j + j * n];
        if (logarithm) {
          const R size = std::abs(pivot);
          sum += std::log(size);
          pivot = size > 0 ? pivot / size : pivot;
        }
        product *= pivots[j] == j + 1 ? pivot : -pivot;
      }
      results[i] = product;
      if (logarithm) logarithms[i] = sum;
    }
  });
}

}  // namespace

void run_equations(const MatrixCall& call) {
  visit_matrix_dtype(call.inputs[0]->dtype, [&]<class T>() {
    switch (call.attributes.routine) {
      case MatrixRoutine::solve: return solve<T>(call);
      case MatrixRoutine::inverse: return inverse<T>(call);
      case MatrixRoutine::tridiagonal: return tridiagonal<T>(call);
      case MatrixRoutine::solve_triangular: return solve_triangular<T>(call);
      default: return ldl_solve<T>(call);
    }
  });
}

void run_determinant(const MatrixCall& call) {
  visit_matrix_dtype(call.inputs[0]->dtype, [&]<class T>() { determinant<T>(call); });
}

}  // namespace phlox::cpu
