#include "phlox/device/cpu/device.h"

#include <cblas.h>

#include <algorithm>
#include <complex>
#include <optional>
#include <type_traits>

#include "phlox/base/error.h"
#include "phlox/core/deterministic.h"
#include "phlox/core/parallel.h"
#include "phlox/device/cpu/library_choice.h"
#include "phlox/device/cpu/portable_contraction.h"
#include "phlox/device/cpu/processor.h"
#include "phlox/device/cpu/rows.h"
#include "phlox/device/cpu/small_product_kernel.h"
#if defined(PHLOX_ONEDNN)
#include "phlox/device/cpu/onednn.h"
#endif

namespace phlox::cpu {

PHLOX_TABLE(SmallProductKernels, phlox_small_product_kernels);

namespace {

// Multiplications below which a second thread costs more than it brings.
constexpr double parallel_work = 300e3;
// Products of a batch that are larger use all threads each; smaller ones are shared out.
constexpr double large_product = 64e6;

// A matrix, or a batch of them, as the libraries take it.
struct Matrix {
  const void* data;
  std::int64_t rows, columns;
  std::int64_t leading;  // distance between rows, or between columns when transposed
  std::int64_t batch_stride;
  bool transposed;
};

bool has_row_order(std::int64_t rows, std::int64_t columns, std::int64_t row_stride,
                   std::int64_t column_stride) {
  return (columns == 1 || column_stride == 1) &&
         (rows == 1 || row_stride >= std::max<std::int64_t>(columns, 1));
}

// Copies what the libraries cannot take; `copy` keeps it alive.
Matrix as_matrix(const TensorImpl& t, Tensor& copy) {
  const int r = t.rank - 2;
  const std::int64_t rows = t.sizes[r], columns = t.sizes[r + 1];
  const std::int64_t batch_stride = r ? t.strides[0] : 0;
  if (has_row_order(rows, columns, t.strides[r], t.strides[r + 1]))
    return {t.address(), rows, columns, rows == 1 ? columns : t.strides[r], batch_stride, false};
  if (has_row_order(columns, rows, t.strides[r + 1], t.strides[r]))
    return {t.address(), rows, columns, columns == 1 ? rows : t.strides[r + 1], batch_stride, true};
  // A matrix that is broadcast over the batch is copied once.
  TensorImpl* impl = const_cast<TensorImpl*>(&t);
  const Tensor self{Reference<TensorImpl>::share(impl)};
  const bool once = r && batch_stride == 0;
  const Shape shape = once ? Shape{rows, columns} : self.shape();
  const Tensor source = once ? make_view(self, shape, {t.strides[r], t.strides[r + 1]}, t.offset) : self;
  copy = make_tensor(shape, t.dtype, t.device);
  convert(*source.impl(), *copy.impl());
  return {copy.data_pointer(), rows, columns, columns, r && !once ? rows * columns : 0, false};
}

// --- one product, in the calling thread's team: output = lhs rhs, or += when `add`

template <class T>
void multiply(const Matrix& a, const Matrix& b, const T* lhs, const T* rhs, T* output, bool add) {
  const std::int64_t m = a.rows, k = a.columns, n = b.columns;
  const auto index = [](std::int64_t x) { return static_cast<blasint>(x); };
  const auto lhs_form = a.transposed ? CblasTrans : CblasNoTrans,
             rhs_form = b.transposed ? CblasTrans : CblasNoTrans;
  const T one(1), beta(add ? 1 : 0);
  if constexpr (std::is_same_v<T, float>) {
#if defined(PHLOX_ONEDNN)
    // Twice as fast as OpenBLAS with AVX-512 here.
    const dnnl_status_t status = dnnl_sgemm(a.transposed ? 'T' : 'N', b.transposed ? 'T' : 'N', m, n, k, 1,
                                            lhs, a.leading, rhs, b.leading, beta, output, n);
    if (status != dnnl_success)
      fail<StateError>(ErrorCode::not_supported, "matmul: oneDNN failed with status {}",
                       static_cast<int>(status))
          .raise();
#else
    cblas_sgemm(CblasRowMajor, lhs_form, rhs_form, index(m), index(n), index(k), one, lhs, index(a.leading),
                rhs, index(b.leading), beta, output, index(n));
#endif
  } else if constexpr (std::is_same_v<T, double>) {
    cblas_dgemm(CblasRowMajor, lhs_form, rhs_form, index(m), index(n), index(k), one, lhs, index(a.leading),
                rhs, index(b.leading), beta, output, index(n));
  } else if constexpr (std::is_same_v<T, std::complex<float>>) {
    cblas_cgemm(CblasRowMajor, lhs_form, rhs_form, index(m), index(n), index(k), &one, lhs, index(a.leading),
                rhs, index(b.leading), &beta, output, index(n));
  } else {
    cblas_zgemm(CblasRowMajor, lhs_form, rhs_form, index(m), index(n), index(k), &one, lhs, index(a.leading),
                rhs, index(b.leading), &beta, output, index(n));
  }
}

// --- small products, with a kernel of our own: the call of a library takes about a microsecond

// Multiplications that the libraries do no faster.
constexpr double small_work = 300e3;

const SmallProductKernels& small_product_kernels() {
  static const SmallProductKernels& best = best_of(PHLOX_TABLE_SPAN(phlox_small_product_kernels));
  return best;
}

template <class T>
std::int64_t panel_bytes(const Matrix& b) {
  const std::int64_t lanes = small_product_kernels().vector_bytes / static_cast<std::int64_t>(sizeof(T));
  return (b.rows + 1) * ((b.columns + lanes - 1) / lanes * lanes) * static_cast<std::int64_t>(sizeof(T));
}

template <class T>
bool is_small(const Matrix& a, const Matrix& b) {
  const double work =
      static_cast<double>(a.rows) * static_cast<double>(a.columns) * static_cast<double>(b.columns);
  // A few rows are not worth the transposition of the right side, and few columns leave most of a vector empty.
  if (work > small_work || b.columns < 4 || (b.transposed && a.rows < 4)) return false;
  const auto output_bytes = a.rows * b.columns * static_cast<std::int64_t>(sizeof(T));
  return std::max(panel_bytes<T>(b), output_bytes) <= static_cast<std::int64_t>(detail::small_limit);
}

// All products of a batch from `first` to `last`.
template <class T>
void multiply_small(const Matrix& a, const Matrix& b, const TensorImpl* bias, T* output, std::int64_t first,
                    std::int64_t last) {
  const Scratch panel(panel_bytes<T>(b));
  const SmallProductKernels& kernels = small_product_kernels();
  const SmallProductFunction kernel = std::is_same_v<T, float> ? kernels.float32 : kernels.float64;
  for (std::int64_t i = first; i < last; ++i)
    kernel({static_cast<const T*>(a.data) + i * a.batch_stride, a.transposed ? 1 : a.leading,
            a.transposed ? a.leading : 1, static_cast<const T*>(b.data) + i * b.batch_stride,
            b.transposed ? 1 : b.leading, b.transposed ? b.leading : 1, bias ? bias->address() : nullptr,
            bias ? bias->strides[0] : 0, output + i * a.rows * b.columns, b.columns, a.rows, b.columns,
            a.columns, panel.at(0)});
}

// The same kernel over parts of products of any size: each element is one sum over k in ascending order, so what is cut,
// and how, changes no bit.
template <class T>
void multiply_in_order(Matrix a, Matrix b, std::int64_t batch, const TensorImpl* bias, T* output) {
  std::int64_t bias_stride = bias ? bias->strides[0] : 0;
  if (b.columns == 1) {  // a vector: its products side by side, as rows of the transposed matrix
    std::swap(a, b);
    for (Matrix* x : {&a, &b}) {
      std::swap(x->rows, x->columns);
      x->transposed = !x->transposed;
    }
    bias_stride = 0;
  }
  const std::int64_t m = a.rows, k = a.columns, n = b.columns;
  const SmallProductKernels& kernels = small_product_kernels();
  const SmallProductFunction kernel = std::is_same_v<T, float> ? kernels.float32 : kernels.float64;
  constexpr std::int64_t panel_elements = 1 << 16, rows = 128;
  const std::int64_t tile = 4 * kernels.vector_bytes / static_cast<std::int64_t>(sizeof(T));
  const std::int64_t columns = std::max(tile, panel_elements / (k + 1) / tile * tile);
  const std::int64_t across = (n + columns - 1) / columns, down = (m + rows - 1) / rows;
  const double work = static_cast<double>(std::min(m, rows)) * static_cast<double>(std::min(n, columns)) *
                      static_cast<double>(k);
  const auto grain = std::max<std::int64_t>(static_cast<std::int64_t>(parallel_work / work), 1);
  const std::int64_t lhs_row = a.transposed ? 1 : a.leading, lhs_column = a.transposed ? a.leading : 1;
  const std::int64_t rhs_row = b.transposed ? 1 : b.leading, rhs_column = b.transposed ? b.leading : 1;
  parallel_for(0, batch * across * down, grain, [&](std::int64_t first, std::int64_t last) {
    Matrix part = b;
    part.columns = std::min(n, columns);
    const Scratch panel(panel_bytes<T>(part));
    for (std::int64_t item = first; item < last; ++item) {
      const std::int64_t i = item / down / across, row = item % down * rows,
                         column = item / down % across * columns;
      const T* const values = bias ? static_cast<const T*>(bias->address()) + column * bias_stride : nullptr;
      kernel({static_cast<const T*>(a.data) + i * a.batch_stride + row * lhs_row, lhs_row, lhs_column,
              static_cast<const T*>(b.data) + i * b.batch_stride + column * rhs_column, rhs_row, rhs_column,
              values, bias_stride, output + (i * m + row) * n + column, n, std::min(rows, m - row),
              std::min(columns, n - column), k, panel.at(0)});
    }
  });
}

template <class T>
constexpr bool has_library =
    std::is_same_v<T, float> || std::is_same_v<T, double> || std::is_same_v<T, std::complex<float>> ||
    std::is_same_v<T, std::complex<double>>;

template <class T>
void run(Matrix a, Matrix b, std::int64_t batch, const TensorImpl* bias, TensorImpl& output) {
  T* const result = static_cast<T*>(output.address());
  // Rows of a batch that lie behind each other and meet the same right side are one tall matrix.
  if (batch > 1 && b.batch_stride == 0 && !a.transposed && a.batch_stride == a.rows * a.leading) {
    a.rows *= batch;
    batch = 1;
  }
  const std::int64_t m = a.rows, k = a.columns, n = b.columns;
  const double work = static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  const auto products_at_once =
      std::max<std::int64_t>(static_cast<std::int64_t>(parallel_work / 2 / work), 1);
  if constexpr (std::is_same_v<T, float> || std::is_same_v<T, double>) {
    if (is_deterministic()) return multiply_in_order<T>(a, b, batch, bias, result);
    if (!portable_kernels() && is_small<T>(a, b))
      return parallel_for(0, batch, 2 * products_at_once, [&](std::int64_t first, std::int64_t last) {
        multiply_small<T>(a, b, bias, result, first, last);
      });
  }
  if (bias) {
    const T* values = static_cast<const T*>(bias->address());
    const std::int64_t stride = bias->strides[0];
    parallel_for(0, batch * m, std::max<std::int64_t>(1, 32768 / std::max<std::int64_t>(n, 1)),
                 [&](std::int64_t first, std::int64_t last) {
                   for (std::int64_t row = first; row < last; ++row)
                     for (std::int64_t j = 0; j < n; ++j) result[row * n + j] = values[j * stride];
                 });
  }
  const T* const lhs = static_cast<const T*>(a.data);
  const T* const rhs = static_cast<const T*>(b.data);
  if constexpr (has_library<T>) {
    if (!portable_kernels() && !is_deterministic()) {
      const auto products = [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t i = first; i < last; ++i)
          multiply(a, b, lhs + i * a.batch_stride, rhs + i * b.batch_stride, result + i * m * n,
                   bias != nullptr);
      };
      if (batch > 1 && work < large_product && work * static_cast<double>(batch) > parallel_work) {
        parallel_for(0, batch, products_at_once, [&](std::int64_t first, std::int64_t last) {
          Team serial(1);
          products(first, last);
        });
      } else {
        Team team(work < parallel_work ? 1 : 0);
        products(0, batch);
      }
      return;
    }
  }
  const PortableMatrix left{a.transposed ? 1 : a.leading, a.transposed ? a.leading : 1};
  const PortableMatrix right{b.transposed ? 1 : b.leading, b.transposed ? b.leading : 1};
  parallel_for(
      0, batch * m,
      std::max<std::int64_t>(
          1, static_cast<std::int64_t>(parallel_work * static_cast<double>(m) / std::max(work, 1.0))),
      [&](std::int64_t first, std::int64_t last) {
        while (first < last) {
          const std::int64_t i = first / m, row = first % m, rows = std::min(m - row, last - first);
          portable_multiply(lhs + i * a.batch_stride + row * left.row_stride, left, rhs + i * b.batch_stride,
                            right, result + first * n, rows, n, k, bias != nullptr);
          first += rows;
        }
      });
}

#if defined(PHLOX_ONEDNN)

void run_bfloat16(Matrix a, Matrix b, std::int64_t batch, const TensorImpl* bias, TensorImpl& output) {
  using namespace onednn;
  if (batch > 1 && b.batch_stride == 0 && !a.transposed && a.batch_stride == a.rows * a.leading) {
    a.rows *= batch;
    batch = 1;
  }
  const std::int64_t m = a.rows, k = a.columns, n = b.columns;
  Team team(static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k) *
                        static_cast<double>(batch) <
                    parallel_work
                ? 1
                : 0);
  // oneDNN has no stride 0: a broadcast operand has a batch of 1.
  const auto describe = [&](const Matrix& x) {
    const std::int64_t count = x.batch_stride ? batch : 1;
    return Description({count, x.rows, x.columns}, Memory::data_type::bf16,
                       Memory::dims{x.batch_stride ? x.batch_stride : x.rows * x.columns * x.leading,
                                    x.transposed ? 1 : x.leading, x.transposed ? x.leading : 1});
  };
  Key key{40,
          team.threads(),
          m,
          k,
          n,
          batch,
          a.leading,
          b.leading,
          a.batch_stride,
          b.batch_stride,
          a.transposed,
          b.transposed,
          bias != nullptr};
  guard("matmul", [&] {
    Executable& product = cached<Executable>(key, [&] {
      const Description output_description({batch, m, n}, Memory::data_type::bf16, Memory::format_tag::abc);
      dnnl::primitive_attr attributes;
      attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
      if (bias) {
        const Description bias_description({1, 1, n}, Memory::data_type::bf16, Memory::format_tag::abc);
        dnnl::matmul::primitive_desc d(engine(), describe(a), describe(b), bias_description,
                                       output_description, attributes);
        return Executable(dnnl::matmul(d), d.scratchpad_desc(),
                          {{DNNL_ARG_SRC, d.src_desc()},
                           {DNNL_ARG_WEIGHTS, d.weights_desc()},
                           {DNNL_ARG_DST, d.dst_desc()},
                           {DNNL_ARG_BIAS, bias_description}});
      }
      dnnl::matmul::primitive_desc d(engine(), describe(a), describe(b), output_description, attributes);
      return Executable(
          dnnl::matmul(d), d.scratchpad_desc(),
          {{DNNL_ARG_SRC, d.src_desc()}, {DNNL_ARG_WEIGHTS, d.weights_desc()}, {DNNL_ARG_DST, d.dst_desc()}});
    });
    if (bias) product.run({a.data, b.data, output.address(), bias->address()});
    else product.run({a.data, b.data, output.address()});
  });
}

#endif

// The same tensor in another dtype.
Tensor cast(const TensorImpl& t, DType dtype) {
  Shape shape(std::span(t.sizes, t.rank));
  Tensor result = make_tensor(shape, dtype, t.device);
  convert(t, *result.impl());
  return result;
}

}  // namespace

void contraction(const ContractionCall& call) {
  TensorImpl& output = *call.output;
  if (output.count == 0) return;
  const DType dtype = output.dtype;
  if (call.lhs->sizes[call.lhs->rank - 1] == 0) {  // a sum of nothing
    fill(output, Scalar(0));
    if (call.bias) {
      Strides strides(static_cast<std::size_t>(output.rank), 0);
      strides[strides.size() - 1] = call.bias->strides[0];
      const Tensor bias{Reference<TensorImpl>::share(const_cast<TensorImpl*>(call.bias))};
      convert(
          *make_view(bias, Shape(std::span(output.sizes, output.rank)), strides, call.bias->offset).impl(),
          output);
    }
    return;
  }
  const std::int64_t batch = output.rank == 3 ? output.sizes[0] : 1;

  bool through_float = dtype == DType::float16 || dtype == DType::bfloat16;
#if defined(PHLOX_ONEDNN)
  if (dtype == DType::bfloat16 && !portable_kernels() && !is_deterministic() && onednn::has_bfloat16())
    through_float = false;
#endif
  if (through_float) {
    const Tensor lhs = cast(*call.lhs, DType::float32), rhs = cast(*call.rhs, DType::float32);
    const Tensor bias = call.bias ? cast(*call.bias, DType::float32) : Tensor();
    const Tensor result =
        make_tensor(Shape(std::span(output.sizes, output.rank)), DType::float32, output.device);
    contraction({lhs.impl(), rhs.impl(), bias.unsafe_impl(), result.impl()});
    convert(*result.impl(), output);
    return;
  }

  Tensor lhs_copy, rhs_copy, bias_copy;
  Matrix a = as_matrix(*call.lhs, lhs_copy);
  const Matrix b = as_matrix(*call.rhs, rhs_copy);
  if (a.transposed && is_deterministic()) {  // the kernel reads one row of it after the other
    lhs_copy = cast(*call.lhs, dtype);
    a = as_matrix(*lhs_copy.impl(), lhs_copy);
  }
#if defined(PHLOX_ONEDNN)
  if (dtype == DType::bfloat16) {
    const TensorImpl* bias = call.bias;
    if (bias && !bias->contiguous) {
      bias_copy = cast(*bias, dtype);
      bias = bias_copy.impl();
    }
    return run_bfloat16(a, b, batch, bias, output);
  }
#endif
  visit_dtype(dtype, [&]<class T>() {
    if constexpr (!std::is_same_v<T, Half> && !std::is_same_v<T, BFloat16> && !std::is_same_v<T, bool>)
      run<T>(a, b, batch, call.bias, output);
    else fail<DTypeError>(ErrorCode::wrong_dtype, "matmul: takes numbers, not {}", info(dtype).name).raise();
  });
}

}  // namespace phlox::cpu
