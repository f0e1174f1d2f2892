// Cholesky, LU, QR and LDL factorisations by LAPACK.
#include <numeric>

#include "phlox/device/cpu/matrix_batch.h"

namespace phlox::cpu {
namespace {

using lapack::Workspace;

// The row-major lower triangle is LAPACK's upper one: Uᴴ U of the conjugate gives L = Uᵀ in place.
template <class T>
void cholesky(const MatrixCall& call) {
  const auto input = input_matrices<T>(call, 0);
  const auto result = result_matrices<T>(call, 0);
  const std::int64_t n = input.rows;
  const bool upper = call.attributes.upper;
  auto* infos = result_numbers<std::int32_t>(call, 1);
  for_each_matrix(input.count, cube(n, n) / 3, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) {
      infos[i] = 0;
      if (n == 0) continue;
      T* const factor = result.at(i);
      input.load_rows(i, factor);
      infos[i] = lapack::potrf(upper ? 'L' : 'U', as_size(n), factor);
      for (std::int64_t row = 0; row < n; ++row) {
        // OpenBLAS lets NaN pass.
        if (infos[i] == 0 && !(std::real(factor[row * n + row]) > 0))
          infos[i] = static_cast<std::int32_t>(row + 1);
        if (upper) std::fill_n(factor + row * n, row, T(0));
        else std::fill_n(factor + row * n + row + 1, n - row - 1, T(0));
      }
    }
  });
  check_infos(call, infos, input.count, [](std::int32_t info) {
    return fmt::format("is not positive-definite: its leading minor of order {} is not positive", info);
  });
}

// Without exchanges of rows, which LAPACK does not have.
template <class T>
blasint factorize_in_order(std::int64_t m, std::int64_t n, T* a) {
  blasint info = 0;
  for (std::int64_t k = 0; k < std::min(m, n); ++k) {
    const T pivot = a[k + k * m];
    if (pivot == T(0)) {
      if (info == 0) info = as_size(k + 1);
      continue;
    }
    for (std::int64_t i = k + 1; i < m; ++i) a[i + k * m] /= pivot;
    for (std::int64_t j = k + 1; j < n; ++j)
      for (std::int64_t i = k + 1; i < m; ++i) a[i + j * m] -= a[i + k * m] * a[k + j * m];
  }
  return info;
}

template <class T>
void lu(const MatrixCall& call) {
  const auto input = input_matrices<T>(call, 0);
  const auto result = result_matrices<T>(call, 0);
  const std::int64_t m = input.rows, n = input.columns, k = std::min(m, n);
  auto* pivots = result_numbers<std::int32_t>(call, 1);
  auto* infos = result_numbers<std::int32_t>(call, 2);
  for_each_matrix(input.count, cube(m, n), [&](std::int64_t first, std::int64_t last) {
    Workspace<T> space;
    T* const a = space.of(area(m, n));
    for (std::int64_t i = first; i < last; ++i) {
      infos[i] = 0;
      if (k == 0) continue;
      input.load(i, a);
      if (call.attributes.pivot) {
        infos[i] = lapack::getrf(as_size(m), as_size(n), a, pivots + i * k);
      } else {
        infos[i] = factorize_in_order(m, n, a);
        std::iota(pivots + i * k, pivots + (i + 1) * k, 1);
      }
      result.store(i, a, m);
    }
  });
  check_infos(call, infos, input.count,
              [](std::int32_t info) { return fmt::format("is singular: its pivot {} is 0", info); });
}

void permutation(const MatrixCall& call) {
  const MatrixBatch<const std::int32_t> pivots(*call.inputs[0], 1);
  auto* rows = result_numbers<std::int64_t>(call, 0);
  auto* inverse = result_numbers<std::int64_t>(call, 1);
  const std::int64_t size = call.attributes.size;
  for (std::int64_t i = 0; i < pivots.count && size > 0; ++i, rows += size, inverse += size) {
    std::iota(rows, rows + size, 0);
    const std::int32_t* pivot = pivots.rows ? pivots.at(i) : nullptr;
    for (std::int64_t k = 0; k < pivots.rows; ++k) {
      const std::int64_t other = pivot[k * pivots.row_stride] - 1;
      if (other < 0 || other >= size)
        fail<IndexError>(ErrorCode::index_out_of_range, "{}: pivot {} of {} rows", call.operation(),
                         other + 1, size)
            .raise();
      std::swap(rows[k], rows[other]);
    }
    for (std::int64_t k = 0; k < size; ++k) inverse[rows[k]] = k;
  }
}

template <class T>
void qr(const MatrixCall& call) {
  const auto input = input_matrices<T>(call, 0);
  const auto q = result_matrices<T>(call, 0), r = result_matrices<T>(call, 1);
  const std::int64_t m = input.rows, n = input.columns, k = std::min(m, n), columns = q.columns;
  for_each_matrix(input.count, 2 * cube(m, n), [&](std::int64_t first, std::int64_t last) {
    Workspace<T> space, taus, work;
    T* const a = space.of(area(m, std::max(n, columns)));
    T* const tau = taus.of(static_cast<std::size_t>(k));
    for (std::int64_t i = first; i < last; ++i) {
      if (k == 0) {  // Q is a part of the identity
        for (std::int64_t row = 0; row < m; ++row)
          for (std::int64_t j = 0; j < columns; ++j) q.at(i)[row * columns + j] = T(row == j ? 1 : 0);
        continue;
      }
      input.load(i, a);
      lapack::geqrf(as_size(m), as_size(n), a, tau, work);
      T* const above = r.at(i);
      for (std::int64_t row = 0; row < r.rows; ++row)
        for (std::int64_t j = 0; j < n; ++j) above[row * n + j] = row <= j ? a[row + j * m] : T(0);
      lapack::generate_q(as_size(m), as_size(columns), as_size(k), a, tau, work);
      q.store(i, a, m);
    }
  });
}

template <class T>
void geqrf(const MatrixCall& call) {
  const auto input = input_matrices<T>(call, 0);
  const auto result = result_matrices<T>(call, 0);
  const std::int64_t m = input.rows, n = input.columns, k = std::min(m, n);
  if (k == 0) return;
  T* const tau = result_numbers<T>(call, 1);
  for_each_matrix(input.count, cube(m, n), [&](std::int64_t first, std::int64_t last) {
    Workspace<T> space, work;
    T* const a = space.of(area(m, n));
    for (std::int64_t i = first; i < last; ++i) {
      input.load(i, a);
      lapack::geqrf(as_size(m), as_size(n), a, tau + i * k, work);
      result.store(i, a, m);
    }
  });
}

template <class T>
void ldl(const MatrixCall& call) {
  const auto input = input_matrices<T>(call, 0);
  const auto result = result_matrices<T>(call, 0);
  const std::int64_t n = input.rows;
  auto* pivots = result_numbers<std::int32_t>(call, 1);
  auto* infos = result_numbers<std::int32_t>(call, 2);
  for_each_matrix(input.count, cube(n, n), [&](std::int64_t first, std::int64_t last) {
    Workspace<T> space, work;
    T* const a = space.of(area(n, n));
    for (std::int64_t i = first; i < last; ++i) {
      infos[i] = 0;
      if (n == 0) continue;
      input.load(i, a);
      infos[i] = lapack::sytrf(call.attributes.hermitian, as_size(n), a, pivots + i * n, work);
      for (std::int64_t j = 1; j < n; ++j) std::fill_n(a + j * n, j, T(0));
      result.store(i, a, n);
    }
  });
  check_infos(call, infos, input.count,
              [](std::int32_t info) { return fmt::format("is singular: block {} of D is 0", info); });
}

}  // namespace

void run_factorization(const MatrixCall& call) {
  if (call.attributes.routine == MatrixRoutine::permutation) return permutation(call);
  visit_matrix_dtype(call.inputs[0]->dtype, [&]<class T>() {
    switch (call.attributes.routine) {
      case MatrixRoutine::cholesky: return cholesky<T>(call);
      case MatrixRoutine::lu: return lu<T>(call);
      case MatrixRoutine::qr: return qr<T>(call);
      case MatrixRoutine::geqrf: return geqrf<T>(call);
      default: return ldl<T>(call);
    }
  });
}

}  // namespace phlox::cpu
