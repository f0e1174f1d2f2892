// Eigenvalues, singular values, and the pseudo-inverse that is made of these, by LAPACK.
#include <cmath>

#include "phlox/device/cpu/matrix_batch.h"

namespace phlox::cpu {
namespace {

using lapack::Real;
using lapack::Workspace;
using lapack::Workspaces;

template <class T>
void eigh(const MatrixCall& call) {
  const auto input = input_matrices<T>(call, 0);
  const std::int64_t n = input.rows;
  const bool vectors = call.attributes.routine == MatrixRoutine::eigh;
  if (n == 0) return;
  auto* values = result_numbers<Real<T>>(call, 0);
  std::vector<std::int32_t> infos(static_cast<std::size_t>(input.count));
  for_each_matrix(input.count, (vectors ? 8 : 2) * cube(n, n), [&](std::int64_t first, std::int64_t last) {
    Workspace<T> space;
    Workspaces<T> work;
    T* const a = space.of(area(n, n));
    const char triangle = call.attributes.upper ? 'U' : 'L';
    for (std::int64_t i = first; i < last; ++i) {
      input.load(i, a);
      // The other triangle is not looked at.
      for (std::int64_t j = 0; j < n; ++j) {
        if (call.attributes.upper) std::fill_n(a + j * n + j + 1, n - j - 1, T(0));
        else std::fill_n(a + j * n, j, T(0));
      }
      auto& info = infos[static_cast<std::size_t>(i)];
      info = all_finite(a, area(n, n)) ? lapack::heevd(vectors, triangle, as_size(n), a, values + i * n, work)
                                       : not_finite;
      if (vectors && info == 0) result_matrices<T>(call, 1).store(i, a, n);
    }
  });
  check_convergence(call, infos);
}

// Columns for the parts of conjugate pairs become complex vectors.
template <class R>
void pair_up(std::int64_t n, const R* imaginary, const R* packed, std::complex<R>* vectors) {
  for (std::int64_t j = 0; j < n; ++j) {
    const bool paired = imaginary[j] != 0 && j + 1 < n;
    for (std::int64_t i = 0; i < n; ++i) {
      const R real = packed[i + j * n], part = paired ? packed[i + (j + 1) * n] : R(0);
      vectors[i + j * n] = {real, part};
      if (paired) vectors[i + (j + 1) * n] = {real, -part};
    }
    j += paired;
  }
}

template <class T>
void eig(const MatrixCall& call) {
  using R = Real<T>;
  using C = std::complex<R>;
  const auto input = input_matrices<T>(call, 0);
  const std::int64_t n = input.rows;
  const bool with_vectors = call.attributes.routine == MatrixRoutine::eig;
  if (n == 0) return;
  C* const values = result_numbers<C>(call, 0);
  std::vector<std::int32_t> infos(static_cast<std::size_t>(input.count));
  for_each_matrix(input.count, 25 * cube(n, n), [&](std::int64_t first, std::int64_t last) {
    Workspace<T> space, numbers, vector_space;
    Workspace<C> complex_space;
    Workspaces<T> work;
    T* const a = space.of(area(n, n));
    T* const vectors = with_vectors ? vector_space.of(area(n, n)) : nullptr;
    T* const parts = numbers.of(static_cast<std::size_t>(2 * n));
    for (std::int64_t i = first; i < last; ++i) {
      input.load(i, a);
      auto& info = infos[static_cast<std::size_t>(i)];
      info = all_finite(a, area(n, n)) ? lapack::geev(as_size(n), a, parts, parts + n, vectors, work)
                                       : not_finite;
      if (info != 0) continue;
      C* const own = values + i * n;
      if constexpr (lapack::is_complex_type<T>) {
        std::copy_n(parts, n, own);
        if (with_vectors) result_matrices<C>(call, 1).store(i, vectors, n);
      } else {
        for (std::int64_t j = 0; j < n; ++j) own[j] = {parts[j], parts[n + j]};
        if (!with_vectors) continue;
        C* const paired = complex_space.of(area(n, n));
        pair_up(n, parts + n, vectors, paired);
        result_matrices<C>(call, 1).store(i, paired, n);
      }
    }
  });
  check_convergence(call, infos);
}

template <class T>
void write_identity(T* matrix, std::int64_t size) {
  for (std::int64_t i = 0; i < size; ++i)
    for (std::int64_t j = 0; j < size; ++j) matrix[i * size + j] = T(i == j ? 1 : 0);
}

// A row-major matrix is the transposed one to LAPACK, Aᵀ = Vhᵀ S Uᵀ: what it calls U is Vh in row-major order, and
// what it calls Vᵀ is U.
template <class T>
void svd(const MatrixCall& call) {
  const auto input = input_matrices<T>(call, 0);
  const std::int64_t m = input.rows, n = input.columns, k = std::min(m, n);
  const bool vectors = call.attributes.routine == MatrixRoutine::svd, full = call.attributes.full;
  if (k == 0) {
    for (std::int64_t i = 0; i < input.count && vectors && full; ++i) {
      if (m > 0) write_identity(result_matrices<T>(call, 0).at(i), m);
      if (n > 0) write_identity(result_matrices<T>(call, 2).at(i), n);
    }
    return;
  }
  auto* values = result_numbers<Real<T>>(call, vectors ? 1 : 0);
  std::vector<std::int32_t> infos(static_cast<std::size_t>(input.count));
  for_each_matrix(input.count, (vectors ? 15 : 4) * cube(m, n), [&](std::int64_t first, std::int64_t last) {
    Workspace<T> space;
    Workspaces<T> work;
    T* const a = space.of(area(m, n));
    for (std::int64_t i = first; i < last; ++i) {
      input.load_rows(i, a);
      auto& info = infos[static_cast<std::size_t>(i)];
      if (!all_finite(a, area(m, n))) {
        info = not_finite;
        continue;
      }
      T unused{};
      T* const vh = vectors ? result_matrices<T>(call, 2).at(i) : &unused;
      T* const u = vectors ? result_matrices<T>(call, 0).at(i) : &unused;
      info = lapack::gesdd(!vectors ? 'N'
                           : full   ? 'A'
                                    : 'S',
                           as_size(n), as_size(m), a, values + i * k, vh, as_size(vectors ? n : 1), u,
                           as_size(!vectors ? 1
                                   : full   ? m
                                            : k),
                           work);
    }
  });
  check_convergence(call, infos);
}

// From the lower triangle of a row-major matrix.
template <class T>
void complete_hermitian(std::int64_t n, T* a) {
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t j = 0; j < i; ++j) {
      if constexpr (lapack::is_complex_type<T>) a[j * n + i] = std::conj(a[i * n + j]);
      else a[j * n + i] = a[i * n + j];
    }
    a[i * n + i] = std::real(a[i * n + i]);
  }
}

// V S⁺ Uᴴ, without the singular values that are not larger than the tolerances allow.
template <class T>
void pinv(const MatrixCall& call) {
  using R = Real<T>;
  const auto input = input_matrices<T>(call, 0);
  const auto tolerances = MatrixBatch<const R>(*call.inputs[1], 1);
  const std::int64_t m = input.rows, n = input.columns, k = std::min(m, n);
  if (k == 0) return;
  const auto result = result_matrices<T>(call, 0);
  std::vector<std::int32_t> infos(static_cast<std::size_t>(input.count));
  for_each_matrix(input.count, 15 * cube(m, n), [&](std::int64_t first, std::int64_t last) {
    Workspace<T> space, left, right;
    Workspace<R> value_space;
    Workspaces<T> work;
    T* const a = space.of(area(m, n));
    T* const vh = left.of(area(n, k));
    T* const u = right.of(area(m, k));
    R* const values = value_space.of(static_cast<std::size_t>(k));
    for (std::int64_t i = first; i < last; ++i) {
      input.load_rows(i, a);
      if (call.attributes.hermitian) complete_hermitian(n, a);
      auto& info = infos[static_cast<std::size_t>(i)];
      info = all_finite(a, area(m, n))
                 ? lapack::gesdd('S', as_size(n), as_size(m), a, values, vh, as_size(n), u, as_size(k), work)
                 : not_finite;
      if (info != 0) continue;
      const R* const tolerance = tolerances.at(i);
      const R least = std::max(tolerance[0], tolerance[tolerances.row_stride] * values[0]);
      std::int64_t rank = 0;
      while (rank < k && values[rank] > least) ++rank;
      for (std::int64_t j = 0; j < rank; ++j)
        for (std::int64_t column = 0; column < n; ++column) vh[j * n + column] /= values[j];
      // X[n, m] = (Vh / S)ᴴ Uᴴ, row-major: Vh is [k, n] and U [m, k].
      T* const x = result.at(i);
      if (rank == 0) {
        std::fill_n(x, area(n, m), T(0));
        continue;
      }
      const blasint rows = as_size(n), columns = as_size(m), inner = as_size(rank), width = as_size(k);
      const T one(1), zero(0);
      if constexpr (std::is_same_v<T, float>)
        cblas_sgemm(CblasRowMajor, CblasTrans, CblasTrans, rows, columns, inner, one, vh, rows, u, width,
                    zero, x, columns);
      else if constexpr (std::is_same_v<T, double>)
        cblas_dgemm(CblasRowMajor, CblasTrans, CblasTrans, rows, columns, inner, one, vh, rows, u, width,
                    zero, x, columns);
      else if constexpr (std::is_same_v<T, std::complex<float>>)
        cblas_cgemm(CblasRowMajor, CblasConjTrans, CblasConjTrans, rows, columns, inner, &one, vh, rows, u,
                    width, &zero, x, columns);
      else
        cblas_zgemm(CblasRowMajor, CblasConjTrans, CblasConjTrans, rows, columns, inner, &one, vh, rows, u,
                    width, &zero, x, columns);
    }
  });
  check_convergence(call, infos);
}

}  // namespace

void run_decomposition(const MatrixCall& call) {
  visit_matrix_dtype(call.inputs[0]->dtype, [&]<class T>() {
    switch (call.attributes.routine) {
      case MatrixRoutine::eigh:
      case MatrixRoutine::eigvalsh: return eigh<T>(call);
      case MatrixRoutine::eig:
      case MatrixRoutine::eigvals: return eig<T>(call);
      case MatrixRoutine::pinv: return pinv<T>(call);
      default: return svd<T>(call);
    }
  });
}

}  // namespace phlox::cpu
