// The routines of LAPACK that are used here, under one name for all types. Matrices are column-major; every function
// returns LAPACK's info. Sizes must fit `blasint`.
#pragma once

#include <cblas.h>

#include <algorithm>
#include <complex>
#include <cstddef>
#include <memory>
#include <type_traits>

// Fortran passes lengths of texts behind all other arguments.
#define PHLOX_LAPACK_COMMON(T, p, generate_q)                                                               \
  void p##potrf_(const char*, const blasint*, T*, const blasint*, blasint*, std::size_t);                   \
  void p##getrf_(const blasint*, const blasint*, T*, const blasint*, blasint*, blasint*);                   \
  void p##getrs_(const char*, const blasint*, const blasint*, const T*, const blasint*, const blasint*, T*, \
                 const blasint*, blasint*, std::size_t);                                                    \
  void p##getri_(const blasint*, T*, const blasint*, const blasint*, T*, const blasint*, blasint*);         \
  void p##geqrf_(const blasint*, const blasint*, T*, const blasint*, T*, T*, const blasint*, blasint*);     \
  void p##generate_q##_(const blasint*, const blasint*, const blasint*, T*, const blasint*, const T*, T*,   \
                        const blasint*, blasint*);                                                          \
  void p##sytrf_(const char*, const blasint*, T*, const blasint*, blasint*, T*, const blasint*, blasint*,   \
                 std::size_t);                                                                              \
  void p##sytrs_(const char*, const blasint*, const blasint*, const T*, const blasint*, const blasint*, T*, \
                 const blasint*, blasint*, std::size_t);                                                    \
  void p##gtsv_(const blasint*, const blasint*, T*, T*, T*, T*, const blasint*, blasint*);
#define PHLOX_LAPACK_REAL(T, p)                                                                           \
  PHLOX_LAPACK_COMMON(T, p, orgqr)                                                                        \
  void p##syevd_(const char*, const char*, const blasint*, T*, const blasint*, T*, T*, const blasint*,    \
                 blasint*, const blasint*, blasint*, std::size_t, std::size_t);                           \
  void p##geev_(const char*, const char*, const blasint*, T*, const blasint*, T*, T*, T*, const blasint*, \
                T*, const blasint*, T*, const blasint*, blasint*, std::size_t, std::size_t);              \
  void p##gesdd_(const char*, const blasint*, const blasint*, T*, const blasint*, T*, T*, const blasint*, \
                 T*, const blasint*, T*, const blasint*, blasint*, blasint*, std::size_t);
#define PHLOX_LAPACK_COMPLEX(T, R, p)                                                                       \
  PHLOX_LAPACK_COMMON(T, p, ungqr)                                                                          \
  void p##heevd_(const char*, const char*, const blasint*, T*, const blasint*, R*, T*, const blasint*, R*,  \
                 const blasint*, blasint*, const blasint*, blasint*, std::size_t, std::size_t);             \
  void p##geev_(const char*, const char*, const blasint*, T*, const blasint*, T*, T*, const blasint*, T*,   \
                const blasint*, T*, const blasint*, R*, blasint*, std::size_t, std::size_t);                \
  void p##gesdd_(const char*, const blasint*, const blasint*, T*, const blasint*, R*, T*, const blasint*,   \
                 T*, const blasint*, T*, const blasint*, R*, blasint*, blasint*, std::size_t);              \
  void p##hetrf_(const char*, const blasint*, T*, const blasint*, blasint*, T*, const blasint*, blasint*,   \
                 std::size_t);                                                                              \
  void p##hetrs_(const char*, const blasint*, const blasint*, const T*, const blasint*, const blasint*, T*, \
                 const blasint*, blasint*, std::size_t);
extern "C" {
PHLOX_LAPACK_REAL(float, s)
PHLOX_LAPACK_REAL(double, d)
PHLOX_LAPACK_COMPLEX(std::complex<float>, float, c)
PHLOX_LAPACK_COMPLEX(std::complex<double>, double, z)
void zgees_(const char*, const char*, blasint (*)(const std::complex<double>*), const blasint*,
            std::complex<double>*, const blasint*, blasint*, std::complex<double>*, std::complex<double>*,
            const blasint*, std::complex<double>*, const blasint*, double*, blasint*, blasint*, std::size_t,
            std::size_t);
}
#undef PHLOX_LAPACK_COMMON
#undef PHLOX_LAPACK_REAL
#undef PHLOX_LAPACK_COMPLEX

namespace phlox::cpu::lapack {

template <class T>
struct RealOf {
  using Type = T;
};
template <class R>
struct RealOf<std::complex<R>> {
  using Type = R;
};
template <class T>
using Real = typename RealOf<T>::Type;
template <class T>
inline constexpr bool is_complex_type = !std::is_same_v<T, Real<T>>;

// Memory that a routine works in. It grows to what the largest question was answered with.
template <class T>
class Workspace {
 public:
  T* of(std::size_t count) {
    if (count > count_) {
      values_ = std::make_unique_for_overwrite<T[]>(count);
      count_ = count;
    }
    return values_.get();
  }

 private:
  std::unique_ptr<T[]> values_;
  std::size_t count_ = 0;
};

// Asks `routine(work, size)` with size -1 for the best size, and runs it with that.
template <class T, class Routine>
blasint with_workspace(Workspace<T>& workspace, blasint least, const Routine& routine) {
  T best{};
  blasint info = routine(&best, -1);
  if (info != 0) return info;
  // What single precision cannot hold was rounded, perhaps down.
  const auto size =
      std::max(least, static_cast<blasint>(static_cast<double>(std::real(best)) * (1 + 1e-6)) + 1);
  return routine(workspace.of(static_cast<std::size_t>(size)), size);
}

// One function for the four types: s, d, c and z.
#define PHLOX_LAPACK_CALL(T, name, ...)                                                 \
  [&] {                                                                                 \
    if constexpr (std::is_same_v<T, float>) s##name##_(__VA_ARGS__);                    \
    else if constexpr (std::is_same_v<T, double>) d##name##_(__VA_ARGS__);              \
    else if constexpr (std::is_same_v<T, std::complex<float>>) c##name##_(__VA_ARGS__); \
    else z##name##_(__VA_ARGS__);                                                       \
  }()
#define PHLOX_LAPACK_CALL_REAL(T, name, ...)                         \
  [&] {                                                              \
    if constexpr (std::is_same_v<T, float>) s##name##_(__VA_ARGS__); \
    else d##name##_(__VA_ARGS__);                                    \
  }()
#define PHLOX_LAPACK_CALL_COMPLEX(T, name, ...)                                    \
  [&] {                                                                            \
    if constexpr (std::is_same_v<T, std::complex<float>>) c##name##_(__VA_ARGS__); \
    else z##name##_(__VA_ARGS__);                                                  \
  }()

template <class T>
blasint potrf(char triangle, blasint n, T* a) {
  blasint info = 0;
  PHLOX_LAPACK_CALL(T, potrf, &triangle, &n, a, &n, &info, 1);
  return info;
}

template <class T>
blasint getrf(blasint m, blasint n, T* a, blasint* pivots) {
  blasint info = 0;
  PHLOX_LAPACK_CALL(T, getrf, &m, &n, a, &m, pivots, &info);
  return info;
}

template <class T>
blasint getrs(blasint n, blasint columns, const T* lu, const blasint* pivots, T* b) {
  blasint info = 0;
  const char form = 'N';
  PHLOX_LAPACK_CALL(T, getrs, &form, &n, &columns, lu, &n, pivots, b, &n, &info, 1);
  return info;
}

// A tridiagonal matrix; its diagonals are used up.
template <class T>
blasint gtsv(blasint n, blasint columns, T* below, T* diagonal, T* above, T* b) {
  blasint info = 0;
  PHLOX_LAPACK_CALL(T, gtsv, &n, &columns, below, diagonal, above, b, &n, &info);
  return info;
}

template <class T>
blasint getri(blasint n, T* lu, const blasint* pivots, Workspace<T>& workspace) {
  return with_workspace(workspace, n, [&](T* work, blasint size) {
    blasint info = 0;
    PHLOX_LAPACK_CALL(T, getri, &n, lu, &n, pivots, work, &size, &info);
    return info;
  });
}

template <class T>
blasint geqrf(blasint m, blasint n, T* a, T* tau, Workspace<T>& workspace) {
  return with_workspace(workspace, n, [&](T* work, blasint size) {
    blasint info = 0;
    PHLOX_LAPACK_CALL(T, geqrf, &m, &n, a, &m, tau, work, &size, &info);
    return info;
  });
}

// The first `columns` columns of the product of `count` reflectors of m numbers.
template <class T>
blasint generate_q(blasint m, blasint columns, blasint count, T* a, const T* tau, Workspace<T>& workspace) {
  return with_workspace(workspace, columns, [&](T* work, blasint size) {
    blasint info = 0;
    if constexpr (is_complex_type<T>)
      PHLOX_LAPACK_CALL_COMPLEX(T, ungqr, &m, &columns, &count, a, &m, tau, work, &size, &info);
    else PHLOX_LAPACK_CALL_REAL(T, orgqr, &m, &columns, &count, a, &m, tau, work, &size, &info);
    return info;
  });
}

// A = L D Lᵀ, or L D Lᴴ where `hermitian`, of the lower triangle.
template <class T>
blasint sytrf(bool hermitian, blasint n, T* a, blasint* pivots, Workspace<T>& workspace) {
  return with_workspace(workspace, n, [&](T* work, blasint size) {
    blasint info = 0;
    const char triangle = 'L';
    if constexpr (is_complex_type<T>) {
      if (hermitian) {
        PHLOX_LAPACK_CALL_COMPLEX(T, hetrf, &triangle, &n, a, &n, pivots, work, &size, &info, 1);
        return info;
      }
    }
    PHLOX_LAPACK_CALL(T, sytrf, &triangle, &n, a, &n, pivots, work, &size, &info, 1);
    return info;
  });
}

template <class T>
blasint sytrs(bool hermitian, blasint n, blasint columns, const T* ld, const blasint* pivots, T* b) {
  blasint info = 0;
  const char triangle = 'L';
  if constexpr (is_complex_type<T>) {
    if (hermitian) {
      PHLOX_LAPACK_CALL_COMPLEX(T, hetrs, &triangle, &n, &columns, ld, &n, pivots, b, &n, &info, 1);
      return info;
    }
  }
  PHLOX_LAPACK_CALL(T, sytrs, &triangle, &n, &columns, ld, &n, pivots, b, &n, &info, 1);
  return info;
}

// What routines of one matrix after the other work in.
template <class T>
struct Workspaces {
  Workspace<T> numbers;
  Workspace<Real<T>> reals;
  Workspace<blasint> integers;
};

// Eigenvalues of a symmetric or Hermitian matrix; its eigenvectors take its place where `vectors`.
template <class T>
blasint heevd(bool vectors, char triangle, blasint n, T* a, Real<T>* values, Workspaces<T>& workspaces) {
  const char job = vectors ? 'V' : 'N';
  const blasint integers = vectors ? 3 + 5 * n : 1;
  blasint* const integer_work = workspaces.integers.of(static_cast<std::size_t>(integers));
  const blasint reals = vectors ? 1 + 5 * n + 2 * n * n : std::max<blasint>(n, 1);
  return with_workspace(workspaces.numbers, 1, [&](T* work, blasint size) {
    blasint info = 0;
    if constexpr (is_complex_type<T>) {
      Real<T>* const real_work = workspaces.reals.of(static_cast<std::size_t>(reals));
      PHLOX_LAPACK_CALL_COMPLEX(T, heevd, &job, &triangle, &n, a, &n, values, work, &size, real_work, &reals,
                                integer_work, &integers, &info, 1, 1);
    } else {
      PHLOX_LAPACK_CALL_REAL(T, syevd, &job, &triangle, &n, a, &n, values, work, &size, integer_work,
                             &integers, &info, 1, 1);
    }
    return info;
  });
}

// Eigenvalues, and where `vectors` is not null the right eigenvectors. Those of a real matrix as LAPACK gives them:
// real and imaginary parts apart, and columns of vectors for the parts of conjugate pairs.
template <class T>
blasint geev(blasint n, T* a, T* values, [[maybe_unused]] T* imaginary, T* vectors,
             Workspaces<T>& workspaces) {
  const char none = 'N', job = vectors ? 'V' : 'N';
  const blasint one = 1, rows = vectors ? n : 1;
  return with_workspace(workspaces.numbers, 4 * n, [&](T* work, blasint size) {
    blasint info = 0;
    if constexpr (is_complex_type<T>) {
      Real<T>* const real_work = workspaces.reals.of(static_cast<std::size_t>(2 * n));
      PHLOX_LAPACK_CALL_COMPLEX(T, geev, &none, &job, &n, a, &n, values, nullptr, &one, vectors, &rows, work,
                                &size, real_work, &info, 1, 1);
    } else {
      PHLOX_LAPACK_CALL_REAL(T, geev, &none, &job, &n, a, &n, values, imaginary, nullptr, &one, vectors,
                             &rows, work, &size, &info, 1, 1);
    }
    return info;
  });
}

// Job: 'A' all vectors, 'S' as many as there are singular values, 'N' none.
template <class T>
blasint gesdd(char job, blasint m, blasint n, T* a, Real<T>* values, T* u, blasint u_rows, T* vt,
              blasint vt_rows, Workspaces<T>& workspaces) {
  const blasint k = std::min(m, n), larger = std::max(m, n);
  blasint* const integer_work = workspaces.integers.of(static_cast<std::size_t>(8 * k));
  return with_workspace(workspaces.numbers, 1, [&](T* work, blasint size) {
    blasint info = 0;
    if constexpr (is_complex_type<T>) {
      const auto wide = static_cast<std::size_t>(k);
      const std::size_t reals =
          job == 'N' ? 7 * wide
                     : wide * std::max<std::size_t>(5 * wide + 7,
                                                    2 * static_cast<std::size_t>(larger) + 2 * wide + 1);
      Real<T>* const real_work = workspaces.reals.of(reals);
      PHLOX_LAPACK_CALL_COMPLEX(T, gesdd, &job, &m, &n, a, &m, values, u, &u_rows, vt, &vt_rows, work, &size,
                                real_work, integer_work, &info, 1);
    } else {
      PHLOX_LAPACK_CALL_REAL(T, gesdd, &job, &m, &n, a, &m, values, u, &u_rows, vt, &vt_rows, work, &size,
                             integer_work, &info, 1);
    }
    return info;
  });
}

// The complex Schur form A = Z T Zᴴ; T takes the place of A.
inline blasint gees(blasint n, std::complex<double>* a, std::complex<double>* values, std::complex<double>* z,
                    Workspaces<std::complex<double>>& workspaces) {
  const char vectors = 'V', unsorted = 'N';
  double* const real_work = workspaces.reals.of(static_cast<std::size_t>(n));
  return with_workspace(workspaces.numbers, 2 * n, [&](std::complex<double>* work, blasint size) {
    blasint info = 0, found = 0, flags = 0;
    zgees_(&vectors, &unsorted, nullptr, &n, a, &n, &found, values, z, &n, work, &size, real_work, &flags,
           &info, 1, 1);
    return info;
  });
}

#undef PHLOX_LAPACK_CALL
#undef PHLOX_LAPACK_CALL_REAL
#undef PHLOX_LAPACK_CALL_COMPLEX

}  // namespace phlox::cpu::lapack
