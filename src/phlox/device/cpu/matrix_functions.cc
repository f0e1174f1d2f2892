// The exponential, logarithm and square root of matrices, in double precision.
//
// f(Aᵀ) = f(A)ᵀ, so row-major matrices are taken as the column-major ones that they are to LAPACK.
#include <array>
#include <cmath>
#include <limits>
#include <numbers>

#include "phlox/device/cpu/matrix_batch.h"

namespace phlox::cpu {
namespace {

using lapack::Workspace;
using lapack::Workspaces;
using Complex = std::complex<double>;

enum class Form : std::uint8_t { plain, adjoint };

// C = A op(B), n by n.
template <class T>
void multiply(std::int64_t n, const T* a, const T* b, T* c, Form form = Form::plain) {
  const blasint size = as_size(n);
  const auto trans = form == Form::plain ? CblasNoTrans : CblasConjTrans;
  const T one(1), zero(0);
  if constexpr (std::is_same_v<T, double>)
    cblas_dgemm(CblasColMajor, CblasNoTrans, trans, size, size, size, one, a, size, b, size, zero, c, size);
  else
    cblas_zgemm(CblasColMajor, CblasNoTrans, trans, size, size, size, &one, a, size, b, size, &zero, c, size);
}

// The largest sum of absolute values of a column.
template <class T>
double norm(std::int64_t n, const T* a) {
  double largest = 0;
  for (std::int64_t j = 0; j < n; ++j) {
    double sum = 0;
    for (std::int64_t i = 0; i < n; ++i) sum += std::abs(a[i + j * n]);
    if (!(sum <= largest)) largest = sum;  // NaN stays
  }
  return largest;
}

// Scaling and squaring with the Padé approximant of order 13 (Higham 2005). Takes A's place.
template <class T>
class Exponential {
 public:
  void operator()(std::int64_t n, T* a) {
    const std::size_t count = area(n, n);
    const double size = norm(n, a);
    if (!std::isfinite(size)) {
      std::fill_n(a, count, T(std::numeric_limits<double>::quiet_NaN()));
      return;
    }
    constexpr double bound = 5.371920351148152;
    const int squarings = size > bound ? static_cast<int>(std::ceil(std::log2(size / bound))) : 0;
    for (std::size_t i = 0; i < count; ++i) a[i] *= std::ldexp(1.0, -squarings);
    T* const blocks = space_.of(6 * count);
    T *const a2 = blocks, *const a4 = a2 + count, *const a6 = a4 + count, *const inner = a6 + count,
             *const odd = inner + count, *const even = odd + count;
    multiply(n, a, a, a2);
    multiply(n, a2, a2, a4);
    multiply(n, a2, a4, a6);
    static constexpr std::array<double, 14> b = {64764752532480000,
                                                 32382376266240000,
                                                 7771770303897600,
                                                 1187353796428800,
                                                 129060195264000,
                                                 10559470521600,
                                                 670442572800,
                                                 33522128640,
                                                 1323241920,
                                                 40840800,
                                                 960960,
                                                 16380,
                                                 182,
                                                 1};
    const auto combine = [&](double c6, double c4, double c2, T* to) {
      for (std::size_t i = 0; i < count; ++i) to[i] = c6 * a6[i] + c4 * a4[i] + c2 * a2[i];
    };
    const auto add_low = [&](double c6, double c4, double c2, double c0, T* to) {
      for (std::size_t i = 0; i < count; ++i) to[i] += c6 * a6[i] + c4 * a4[i] + c2 * a2[i];
      for (std::int64_t i = 0; i < n; ++i) to[i * (n + 1)] += c0;
    };
    combine(b[13], b[11], b[9], inner);
    multiply(n, a6, inner, even);
    add_low(b[7], b[5], b[3], b[1], even);
    multiply(n, a, even, odd);
    combine(b[12], b[10], b[8], inner);
    multiply(n, a6, inner, even);
    add_low(b[6], b[4], b[2], b[0], even);
    for (std::size_t i = 0; i < count; ++i) {
      a[i] = even[i] + odd[i];
      inner[i] = even[i] - odd[i];
    }
    blasint* const pivots = pivots_.of(static_cast<std::size_t>(n));
    lapack::getrf(as_size(n), as_size(n), inner, pivots);
    lapack::getrs(as_size(n), as_size(n), inner, pivots, a);
    for (int i = 0; i < squarings; ++i) {
      multiply(n, a, a, even);
      std::copy_n(even, count, a);
    }
  }

 private:
  Workspace<T> space_;
  Workspace<blasint> pivots_;
};

constexpr std::int32_t no_convergence = -1, no_function = 1, not_real = 2;

// The principal square root of an upper triangle (Björck, Hammarling 1983); false where there is none.
bool triangle_root(std::int64_t n, const Complex* t, Complex* r) {
  std::fill_n(r, area(n, n), Complex(0));
  for (std::int64_t j = 0; j < n; ++j) {
    r[j * (n + 1)] = std::sqrt(t[j * (n + 1)]);
    for (std::int64_t i = j - 1; i >= 0; --i) {
      Complex rest = t[i + j * n];
      for (std::int64_t k = i + 1; k < j; ++k) rest -= r[i + k * n] * r[k + j * n];
      if (rest == 0.0) continue;
      const Complex sum = r[i * (n + 1)] + r[j * (n + 1)];
      if (sum == 0.0) return false;
      r[i + j * n] = rest / sum;
    }
  }
  return true;
}

// Nodes and weights of Gauss-Legendre quadrature on [0, 1].
struct Quadrature {
  static constexpr int count = 8;
  double nodes[count], weights[count];
  Quadrature() {
    for (int i = 0; i < count; ++i) {
      double x = std::cos(std::numbers::pi * (i + 0.75) / (count + 0.5)), slope = 0;
      for (int step = 0; step < 20; ++step) {
        double before = 1, value = x;
        for (int k = 2; k <= count; ++k) {
          const double next = ((2 * k - 1) * x * value - (k - 1) * before) / k;
          before = std::exchange(value, next);
        }
        slope = count * (x * value - before) / (x * x - 1);
        x -= value / slope;
      }
      nodes[i] = (1 + x) / 2;
      weights[i] = 1 / ((1 - x * x) * slope * slope);
    }
  }
};

// Inverse scaling and squaring: log T = 2^s log T^(1/2^s), and near 1 the integral of X / (1 + t X), which quadrature
// makes the Padé approximant (Dieci, Morini, Papini 1996).
bool triangle_logarithm(std::int64_t n, const Complex* t, Complex* result, Workspace<Complex>& space) {
  static const Quadrature quadrature;
  const std::size_t count = area(n, n);
  Complex* const root = space.of(3 * count);
  Complex *const next = root + count, *const part = next + count;
  for (std::int64_t i = 0; i < n; ++i)
    if (t[i * (n + 1)] == 0.0) return false;
  std::copy_n(t, count, root);
  int roots = 0;
  const auto distance = [&] {
    std::copy_n(root, count, next);
    for (std::int64_t i = 0; i < n; ++i) next[i * (n + 1)] -= 1;
    return norm(n, next);
  };
  for (; distance() > 0.25 && roots < 100; ++roots) {
    if (!triangle_root(n, root, next)) return false;
    std::copy_n(next, count, root);
  }
  // `next` is X now.
  std::fill_n(result, count, Complex(0));
  const blasint size = as_size(n);
  for (int k = 0; k < Quadrature::count; ++k) {
    for (std::size_t i = 0; i < count; ++i) root[i] = quadrature.nodes[k] * next[i];
    for (std::int64_t i = 0; i < n; ++i) root[i * (n + 1)] += 1;
    std::copy_n(next, count, part);
    const Complex weight = std::ldexp(quadrature.weights[k], roots);
    cblas_ztrsm(CblasColMajor, CblasLeft, CblasUpper, CblasNoTrans, CblasNonUnit, size, size, &weight, root,
                size, part, size);
    for (std::size_t i = 0; i < count; ++i) result[i] += part[i];
  }
  for (std::int64_t i = 0; i < n; ++i) result[i * (n + 1)] = std::log(t[i * (n + 1)]);
  return true;
}

// f(A) = Z f(T) Zᴴ with the Schur form A = Z T Zᴴ.
class OfSchurForm {
 public:
  std::int32_t operator()(MatrixRoutine routine, std::int64_t n, Complex* a) {
    const std::size_t count = area(n, n);
    Complex* const z = space_.of(2 * count + static_cast<std::size_t>(n));
    Complex *const f = z + count, *const values = f + count;
    if (lapack::gees(as_size(n), a, values, z, workspaces_) != 0) return no_convergence;
    for (std::int64_t j = 0; j < n; ++j) std::fill_n(a + j * n + j + 1, n - j - 1, Complex(0));
    const bool found =
        routine == MatrixRoutine::sqrt ? triangle_root(n, a, f) : triangle_logarithm(n, a, f, work_);
    if (!found) return no_function;
    multiply(n, z, f, a);
    multiply(n, a, z, f, Form::adjoint);
    std::copy_n(f, count, a);
    return 0;
  }

 private:
  Workspace<Complex> space_, work_;
  Workspaces<Complex> workspaces_;
};

template <class T>
void exponential(const MatrixCall& call) {
  using Wide = std::conditional_t<lapack::is_complex_type<T>, Complex, double>;
  const auto input = input_matrices<T>(call, 0);
  const auto result = result_matrices<T>(call, 0);
  const std::int64_t n = input.rows;
  if (n == 0) return;
  for_each_matrix(input.count, 10 * cube(n, n), [&](std::int64_t first, std::int64_t last) {
    Workspace<T> space;
    Workspace<Wide> wide_space;
    Exponential<Wide> exponential_of;
    T* const own = space.of(area(n, n));
    Wide* const a = wide_space.of(area(n, n));
    for (std::int64_t i = first; i < last; ++i) {
      input.load_rows(i, own);
      std::copy_n(own, area(n, n), a);
      exponential_of(n, a);
      std::transform(a, a + area(n, n), result.at(i), [](Wide x) { return static_cast<T>(x); });
    }
  });
}

template <class T>
void of_schur_form(const MatrixCall& call) {
  const auto input = input_matrices<T>(call, 0);
  const auto result = result_matrices<T>(call, 0);
  const std::int64_t n = input.rows;
  if (n == 0) return;
  const bool root = call.attributes.routine == MatrixRoutine::sqrt;
  std::vector<std::int32_t> infos(static_cast<std::size_t>(input.count));
  for_each_matrix(input.count, 30 * cube(n, n), [&](std::int64_t first, std::int64_t last) {
    Workspace<T> space;
    Workspace<Complex> wide_space;
    OfSchurForm function;
    T* const own = space.of(area(n, n));
    Complex* const a = wide_space.of(area(n, n));
    for (std::int64_t i = first; i < last; ++i) {
      input.load_rows(i, own);
      std::copy_n(own, area(n, n), a);
      auto& info = infos[static_cast<std::size_t>(i)];
      info = all_finite(a, area(n, n)) ? function(call.attributes.routine, n, a) : not_finite;
      if (info != 0) continue;
      T* const x = result.at(i);
      if constexpr (lapack::is_complex_type<T>) {
        std::transform(a, a + area(n, n), x, [](Complex z) { return static_cast<T>(z); });
      } else {
        // Imaginary parts of this size are roundings of eigenvalues at 0.
        const double small = 1e-7 * norm(n, a);
        for (std::size_t k = 0; k < area(n, n); ++k) {
          if (std::abs(a[k].imag()) > small) info = not_real;
          x[k] = static_cast<T>(a[k].real());
        }
      }
    }
  });
  for (std::int64_t i = 0; i < input.count; ++i) {
    const std::int32_t info = infos[static_cast<std::size_t>(i)];
    const char* const what = root ? "square root" : "logarithm";
    if (info == no_function || info == not_real)
      fail<LinAlgError>(ErrorCode::singular_matrix, "{}: {} has no {}{}", call.operation(),
                        name_of_matrix(call, i), info == not_real ? "real " : "", what)
          .hint(info == not_real ? "x.to(px.complex128), which has a complex one"
                                 : "a matrix without the eigenvalue 0")
          .raise();
  }
  check_convergence(call, infos);
}

}  // namespace

void run_matrix_function(const MatrixCall& call) {
  visit_matrix_dtype(call.inputs[0]->dtype, [&]<class T>() {
    if (call.attributes.routine == MatrixRoutine::exp) exponential<T>(call);
    else of_schur_form<T>(call);
  });
}

}  // namespace phlox::cpu
