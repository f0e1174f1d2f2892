#include "python/sparse.h"

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include "python/caster.h"
#include "python/tensor/argument_casters.h"
#include "python/tensor/convert.h"
#include "phlox/ops/functions.h"
#include "phlox/sparse/operations.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace phlox::python {
namespace {

using Sizes = std::optional<DimList>;

std::optional<Shape> shape_of(const Sizes& sizes) {
  return sizes ? std::optional<Shape>(*sizes) : std::nullopt;
}

Scalar number(nb::handle object, const char* operation) {
  Scalar scalar;
  if (!scalar_from_python(object.ptr(), scalar))
    fail<TypeError>(ErrorCode::wrong_argument_type, "{}: takes a number, not {}", operation,
                    Py_TYPE(object.ptr())->tp_name)
        .raise();
  return scalar;
}

// An operator with a tensor or a number; NotImplemented for anything else, as Python asks for.
template <class Operation>
nb::object with_operand(const SparseTensor& self, nb::handle other, const Operation& operation) {
  if (is_tensor(other.ptr())) return nb::cast(operation(self, Operand(tensor_of(other.ptr()))));
  Scalar scalar;
  if (!scalar_from_python(other.ptr(), scalar)) return nb::borrow(Py_NotImplemented);
  return nb::cast(operation(self, Operand(scalar)));
}

constexpr auto multiply = [](const SparseTensor& a, const Operand& b) { return mul(a, b); };
constexpr auto divide = [](const SparseTensor& a, const Operand& b) { return div(a, b); };

// Sparse where a sparse dimension remains, else dense.
nb::object sum_over(const SparseTensor& self, const Sizes& dim) {
  if (!dim) return nb::cast(sum(self));
  const Dims dims = normalize_dims(*dim, self.rank(), "sum");
  bool remains = false;
  DimList within{0};
  for (int d = 0; d < self.rank(); ++d) {
    if (d < self.sparse_dim()) remains = remains || !dims.contains(d);
    else if (dims.contains(d)) within.push_back(d - self.sparse_dim() + 1);
  }
  if (remains) return nb::cast(sum(self, DimList(dims)));
  return nb::cast(sum(self.to_layout(SparseLayout::coo).values(), within));
}

nb::tuple parts_of(const SparseTensor& self) {
  const SparseTensor::Parts& p = self.parts();
  return nb::make_tuple(name_of(p.layout), nb::steal(size_to_python(p.shape)), p.coalesced, p.positions,
                        p.pointers, p.values);
}

SparseTensor from_parts(const nb::tuple& parts) {
  SparseTensor::Parts p;
  p.layout = sparse_layout_from(nb::cast<std::string>(parts[0]));
  p.shape = nb::cast<DimList>(parts[1]);
  p.coalesced = nb::cast<bool>(parts[2]);
  p.positions = nb::cast<Tensor>(parts[3]);
  p.pointers = nb::cast<Tensor>(parts[4]);
  p.values = nb::cast<Tensor>(parts[5]);
  if (p.positions.rank() != 2 || p.values.rank() == 0 || p.values.size(0) != p.positions.size(1))
    fail<ShapeError>(ErrorCode::sizes_differ, "SparseTensor: there is one of the values for each position")
        .detail("positions", describe(p.positions))
        .detail("values", describe(p.values))
        .raise();
  return SparseTensor(std::move(p));
}

SparseTensor to_layout(const SparseTensor& self, const std::string& layout, const Sizes& blocksize) {
  return self.to_layout(sparse_layout_from(layout), blocksize.value_or(DimList()));
}

void add_parts(nb::class_<SparseTensor>& type) {
  type.def_prop_ro(
          "layout", [](const SparseTensor& s) { return std::string("sparse_") + name_of(s.layout()); },
          "\"sparse_coo\", \"sparse_csr\", \"sparse_csc\", \"sparse_bsr\" or \"sparse_bsc\".")
      .def_prop_ro(
          "shape", [](const SparseTensor& s) { return nb::steal(size_to_python(s.shape())); },
          nb::sig("def shape(self) -> Size"), "The sizes of all dimensions.")
      .def_prop_ro("ndim", &SparseTensor::rank, "The number of dimensions.")
      .def_prop_ro(
          "dtype", [](const SparseTensor& s) { return nb::steal(dtype_to_python(s.dtype())); },
          nb::sig("def dtype(self) -> Any"), "The dtype of the values.")
      .def_prop_ro(
          "device", [](const SparseTensor& s) { return nb::steal(device_to_python(s.device())); },
          nb::sig("def device(self) -> Any"), "Where the values are.")
      .def_prop_ro(
          "is_sparse", [](const SparseTensor& s) { return s.layout() == SparseLayout::coo; },
          "Whether the layout is coo, as in PyTorch.")
      .def_prop_ro(
          "is_sparse_csr", [](const SparseTensor& s) { return s.layout() == SparseLayout::csr; },
          "Whether the layout is csr.")
      .def("dim", &SparseTensor::rank, "The number of dimensions.")
      .def(
          "size",
          [](const SparseTensor& s, std::optional<std::int64_t> dim) -> nb::object {
            return dim ? nb::object(nb::int_(s.size(*dim))) : nb::steal(size_to_python(s.shape()));
          },
          "dim"_a = nb::none(), nb::sig("def size(self, dim: int | None = None) -> Any"),
          "All sizes, or that of one dimension.")
      .def("numel", &SparseTensor::numel, "The number of elements, stored or not.")
      .def("sparse_dim", &SparseTensor::sparse_dim, "The number of dimensions that positions count in.")
      .def("dense_dim", &SparseTensor::dense_dim, "The number of dimensions that each stored value has.")
      .def("is_coalesced", &SparseTensor::is_coalesced, "Whether positions ascend and differ.")
      .def("indices", &SparseTensor::indices, "int64[sparse dimensions, stored], of the layout coo.")
      .def("crow_indices", &SparseTensor::crow_indices, "Where each row begins, and the end: of csr and bsr.")
      .def("col_indices", &SparseTensor::col_indices, "The column of each stored value, of csr and bsr.")
      .def("ccol_indices", &SparseTensor::ccol_indices,
           "Where each column begins, and the end: of csc and bsc.")
      .def("row_indices", &SparseTensor::row_indices, "The row of each stored value, of csc and bsc.")
      .def(
          "values", [](const SparseTensor& s) { return s.values(); },
          "What is stored, [stored, ...]: the very tensor, which gradients flow to.")
      .def("_nnz", &SparseTensor::nnz, "The number of stored values or blocks.")
      .def_prop_ro("nnz", &SparseTensor::nnz, "The number of stored values or blocks.")
      .def_prop_ro(
          "blocksize", [](const SparseTensor& s) { return nb::steal(size_to_python(s.block_size())); },
          nb::sig("def blocksize(self) -> Size"), "Rows and columns of a block.")
      .def_prop_ro("requires_grad", &SparseTensor::requires_grad, "Whether gradients flow to the values.")
      .def(
          "requires_grad_",
          [](nb::handle self, bool on) {
            nb::cast<const SparseTensor&>(self).set_requires_grad(on);
            return nb::borrow(self);
          },
          "requires_grad"_a = true,
          nb::sig("def requires_grad_(self, requires_grad: bool = True) -> SparseTensor"),
          "Lets gradients flow to the values; gives the tensor itself.")
      .def_prop_ro("grad", &SparseTensor::grad, "The gradient of the values, at the same positions; or None.")
      .def("_parts", parts_of)
      .def_static("_from_parts", from_parts, "parts"_a)
      .def("__reduce__",
           [](const SparseTensor& s) {
             return nb::make_tuple(nb::module_::import_("phlox.sparse").attr("_rebuild"),
                                   nb::make_tuple(parts_of(s)));
           })
      .def("__len__", [](const SparseTensor& s) { return s.shape()[0]; })
      .def("__repr__", &SparseTensor::to_string);
}

void add_conversions(nb::class_<SparseTensor>& type) {
  type.def(
          "with_values", &SparseTensor::with_values, "values"_a,
          "The same positions with other values, as many as there are. Raises ShapeError for another number.")
      .def("to_dense", &SparseTensor::to_dense, "A tensor with zeros where nothing is stored.")
      .def("to_sparse", to_layout, "layout"_a = "coo", "blocksize"_a = nb::none(),
           "The same elements in another layout; blocksize is that of \"bsr\" and \"bsc\". Raises "
           "NotSupportedError for what is no matrix.")
      .def(
          "to_sparse_coo", [](const SparseTensor& s) { return s.to_layout(SparseLayout::coo); },
          "In the layout coo.")
      .def(
          "to_sparse_csr", [](const SparseTensor& s) { return s.to_layout(SparseLayout::csr); },
          "In the layout csr.")
      .def(
          "to_sparse_csc", [](const SparseTensor& s) { return s.to_layout(SparseLayout::csc); },
          "In the layout csc.")
      .def(
          "to_sparse_bsr",
          [](const SparseTensor& s, const DimList& b) { return s.to_layout(SparseLayout::bsr, b); },
          "blocksize"_a, "In the layout bsr, in blocks of this size.")
      .def(
          "to_sparse_bsc",
          [](const SparseTensor& s, const DimList& b) { return s.to_layout(SparseLayout::bsc, b); },
          "blocksize"_a, "In the layout bsc, in blocks of this size.")
      .def(
          "to_scipy",
          [](nb::handle self) { return nb::module_::import_("phlox.sparse").attr("to_scipy")(self); },
          "The matrix as an array of scipy.sparse; see px.sparse.to_scipy().")
      .def(
          "coalesce", &SparseTensor::coalesce,
          "Values of equal positions added up, in row-major order. While a function is captured it is a GraphError "
          "(E1001) unless that is known to be so.")
      .def("transpose", &SparseTensor::transpose, "dim0"_a, "dim1"_a,
           "Two dimensions exchanged, both sparse or both dense. That of csr is csc.")
      .def(
          "t", [](const SparseTensor& s) { return s.rank() < 2 ? s : s.transpose(0, 1); },
          "The transpose of a matrix.")
      .def_prop_ro(
          "T", [](const SparseTensor& s) { return s.rank() < 2 ? s : s.transpose(0, 1); },
          "The transpose of a matrix.")
      .def("detach", &SparseTensor::detach, "The same values, cut off from gradients.")
      .def(
          "clone", [](const SparseTensor& s) { return s.with_values(clone(s.values())); },
          "With values of its own.")
      .def(
          "to",
          [](const SparseTensor& s, nb::handle dtype) {
            return s.to(optional_dtype(dtype.ptr(), "to").value_or(s.dtype()));
          },
          "dtype"_a, nb::sig("def to(self, dtype: Any) -> SparseTensor"), "With values of another dtype.");
}

void add_arithmetic(nb::class_<SparseTensor>& type) {
  type.def(
          "__matmul__", [](const SparseTensor& a, const SparseTensor& b) { return matmul(a, b); },
          nb::is_operator())
      .def(
          "__matmul__", [](const SparseTensor& a, const Tensor& b) { return matmul(a, b); },
          nb::is_operator())
      .def(
          "__rmatmul__", [](const SparseTensor& a, const Tensor& b) { return matmul(b, a); },
          nb::is_operator())
      .def(
          "__add__", [](const SparseTensor& a, const SparseTensor& b) { return add(a, b); },
          nb::is_operator())
      .def(
          "__add__", [](const SparseTensor& a, const Tensor& b) { return add(a, b); }, nb::is_operator())
      .def(
          "__radd__", [](const SparseTensor& a, const Tensor& b) { return add(a, b); }, nb::is_operator())
      .def(
          "__sub__", [](const SparseTensor& a, const SparseTensor& b) { return sub(a, b); },
          nb::is_operator())
      .def(
          "__sub__", [](const SparseTensor& a, const Tensor& b) { return add(a, neg(b)); }, nb::is_operator())
      .def(
          "__rsub__", [](const SparseTensor& a, const Tensor& b) { return add(neg(a), b); },
          nb::is_operator())
      .def(
          "__mul__", [](const SparseTensor& a, const SparseTensor& b) { return mul(a, b); },
          nb::is_operator())
      .def(
          "__mul__", [](const SparseTensor& a, nb::handle b) { return with_operand(a, b, multiply); },
          nb::is_operator())
      .def(
          "__rmul__", [](const SparseTensor& a, nb::handle b) { return with_operand(a, b, multiply); },
          nb::is_operator())
      .def(
          "__truediv__", [](const SparseTensor& a, nb::handle b) { return with_operand(a, b, divide); },
          nb::is_operator())
      .def("__neg__", [](const SparseTensor& a) { return neg(a); })
      .def(
          "sum", sum_over, "dim"_a = nb::none(),
          nb::sig("def sum(self, dim: int | Sequence[int] | None = None) -> Any"),
          "The sum of all elements, 0-d; or over dimensions: sparse, in the layout coo, where a sparse one remains.")
      .def(
          "softmax", [](const SparseTensor& s, std::int64_t dim) { return softmax(s, dim); }, "dim"_a,
          "Over the stored elements along `dim`; what is not stored counts as -inf.")
      .def(
          "log_softmax", [](const SparseTensor& s, std::int64_t dim) { return log_softmax(s, dim); }, "dim"_a,
          "The logarithm of softmax().");
}

}  // namespace

void add_sparse(PyObject* module) {
  nb::module_ extension = nb::borrow<nb::module_>(module), m = extension.def_submodule("_sparse");
  nb::class_<SparseTensor> type(
      extension, "SparseTensor",
      "A tensor of which only some elements are stored; the others are 0. Made by px.sparse_coo_tensor(), "
      "px.sparse_csr_tensor() and their like, or by to_sparse() of a tensor.\n\n"
      "It is a value: positions and values(), which are ordinary tensors. Gradients flow to values(). It passes "
      "through px.jit and px.func like a tuple of its tensors.\n\n"
      "    a = px.sparse_coo_tensor([[0, 1, 1], [2, 0, 2]], [3.0, 4.0, 5.0], (2, 3))\n"
      "    a @ px.ones(3, 4)");
  type.attr("__module__") = "phlox.sparse";
  add_parts(type);
  add_conversions(type);
  add_arithmetic(type);
  m.def(
      "coo",
      [](const Tensor& indices, const Tensor& values, const Sizes& size, bool is_coalesced) {
        return sparse_coo_tensor(indices, values, shape_of(size), is_coalesced);
      },
      "indices"_a, "values"_a, "size"_a.none(), "is_coalesced"_a);
  m.def(
      "compressed",
      [](const std::string& layout, const Tensor& pointers, const Tensor& indices, const Tensor& values,
         const Sizes& size) {
        return sparse_compressed_tensor(sparse_layout_from(layout), pointers, indices, values,
                                        shape_of(size));
      },
      "layout"_a, "pointers"_a, "indices"_a, "values"_a, "size"_a.none());
  m.def(
      "to_sparse", [](const Tensor& input, std::optional<std::int64_t> dim) { return to_sparse(input, dim); },
      "input"_a, "sparse_dim"_a.none());
  m.def(
      "to_layout",
      [](const Tensor& input, const std::string& layout, const Sizes& blocksize) {
        return to_sparse(input, sparse_layout_from(layout), blocksize.value_or(DimList()));
      },
      "input"_a, "layout"_a, "blocksize"_a.none());
  m.def("sparse_mask", &sparse_mask, "input"_a, "mask"_a);
  m.def(
      "sampled_addmm",
      [](const SparseTensor& input, const Tensor& mat1, const Tensor& mat2, nb::handle beta,
         nb::handle alpha) {
        return sampled_addmm(input, mat1, mat2, number(beta, "sampled_addmm"),
                             number(alpha, "sampled_addmm"));
      },
      "input"_a, "mat1"_a, "mat2"_a, "beta"_a, "alpha"_a);
  m.def(
      "add",
      [](const SparseTensor& input, const SparseTensor& other, nb::handle alpha) {
        return add(input, other, number(alpha, "add"));
      },
      "input"_a, "other"_a, "alpha"_a);
}

}  // namespace phlox::python
