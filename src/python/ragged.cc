#include "python/ragged.h"

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "python/caster.h"
#include "python/tensor/convert.h"
#include "phlox/ops/functions.h"
#include "phlox/ragged/ragged_tensor.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace phlox::python {
namespace {

// An operator with a ragged tensor, a tensor or a number; NotImplemented for anything else, as Python asks for.
template <class Operation>
nb::object combined(const RaggedTensor& self, nb::handle other, const char* name,
                    const Operation& operation) {
  Scalar scalar;
  if (nb::isinstance<RaggedTensor>(other)) {
    const Tensor elements = elements_of(self, nb::cast<const RaggedTensor&>(other), name);
    return nb::cast(self.with_values(operation(self.values(), Operand(elements))));
  }
  if (is_tensor(other.ptr())) {
    const Tensor elements = elements_of(self, tensor_of(other.ptr()), name);
    return nb::cast(self.with_values(operation(self.values(), Operand(elements))));
  }
  if (!scalar_from_python(other.ptr(), scalar)) return nb::borrow(Py_NotImplemented);
  return nb::cast(self.with_values(operation(self.values(), Operand(scalar))));
}

// The same with the other one first.
template <class Operation>
nb::object turned(const RaggedTensor& self, nb::handle other, const char* name, const Operation& operation) {
  return combined(self, other, name, [&](const Tensor& a, const Operand& b) { return operation(b, a); });
}

Scalar padding_of(nb::handle object) {
  Scalar scalar;
  if (!scalar_from_python(object.ptr(), scalar))
    fail<TypeError>(ErrorCode::wrong_argument_type, "to_padded_tensor: padding is a number, not {}",
                    Py_TYPE(object.ptr())->tp_name)
        .raise();
  return scalar;
}

nb::object reduced(const RaggedTensor& self, std::int64_t dim, const char* name,
                   Tensor (*of_rows)(const RaggedTensor&), Tensor (*of_values)(const Tensor&, std::int64_t)) {
  const int d = normalize_dim(dim, self.rank(), name);
  if (d == 0)
    fail<ShapeError>(ErrorCode::dimension_out_of_range,
                     "{}: rows of different lengths have no common elements", name)
        .detail("input", describe(self))
        .hint("dim=1 for the elements of each row, more for what is behind")
        .raise();
  if (d == 1) return nb::cast(of_rows(self));
  return nb::cast(self.with_values(of_values(self.values(), d - 1)));
}

RaggedTensor softmax_along(const RaggedTensor& self, std::int64_t dim, bool logarithm) {
  const int d = normalize_dim(dim, self.rank(), "softmax");
  if (d == 0)
    fail<ShapeError>(ErrorCode::dimension_out_of_range,
                     "softmax: rows of different lengths have no common elements")
        .detail("input", describe(self))
        .hint("dim=1 for the elements of each row")
        .raise();
  if (d == 1) return logarithm ? log_softmax(self) : softmax(self);
  return self.with_values(logarithm ? log_softmax(self.values(), d - 1) : softmax(self.values(), d - 1));
}

// Rows of a slice: offsets begin at 0 again.
RaggedTensor rows_between(const RaggedTensor& self, const nb::slice& slice) {
  const auto [start, stop, step, count] = slice.compute(static_cast<std::size_t>(self.size()));
  TensorList rows;
  for (std::size_t i = 0; i < count; ++i)
    rows.push_back(self.row(static_cast<std::int64_t>(start) +
                            static_cast<std::int64_t>(i) * static_cast<std::int64_t>(step)));
  if (rows.empty()) return {narrow(self.values(), 0, 0, 0), zeros({1}, DType::int64, self.values().device())};
  return nested_tensor(rows);
}

void add_arithmetic(nb::class_<RaggedTensor>& type) {
  type.def(
          "__add__",
          [](const RaggedTensor& a, nb::handle b) {
            return combined(a, b, "add", [](const auto& x, const auto& y) { return add(x, y); });
          },
          nb::is_operator())
      .def(
          "__radd__",
          [](const RaggedTensor& a, nb::handle b) {
            return turned(a, b, "add", [](const auto& x, const auto& y) { return add(x, y); });
          },
          nb::is_operator())
      .def(
          "__sub__",
          [](const RaggedTensor& a, nb::handle b) {
            return combined(a, b, "sub", [](const auto& x, const auto& y) { return sub(x, y); });
          },
          nb::is_operator())
      .def(
          "__rsub__",
          [](const RaggedTensor& a, nb::handle b) {
            return turned(a, b, "sub", [](const auto& x, const auto& y) { return sub(x, y); });
          },
          nb::is_operator())
      .def(
          "__mul__",
          [](const RaggedTensor& a, nb::handle b) {
            return combined(a, b, "mul", [](const auto& x, const auto& y) { return mul(x, y); });
          },
          nb::is_operator())
      .def(
          "__rmul__",
          [](const RaggedTensor& a, nb::handle b) {
            return turned(a, b, "mul", [](const auto& x, const auto& y) { return mul(x, y); });
          },
          nb::is_operator())
      .def(
          "__truediv__",
          [](const RaggedTensor& a, nb::handle b) {
            return combined(a, b, "div", [](const auto& x, const auto& y) { return div(x, y); });
          },
          nb::is_operator())
      .def("__neg__", [](const RaggedTensor& a) { return a.with_values(neg(a.values())); })
      .def(
          "__matmul__", [](const RaggedTensor& a, const Tensor& b) { return matmul(a, b); },
          nb::is_operator())
      .def(
          "sum",
          [](const RaggedTensor& a, std::int64_t dim) {
            return reduced(a, dim, "sum", sum,
                           [](const Tensor& x, std::int64_t d) { return sum(x, DimList(d)); });
          },
          "dim"_a, "Over the elements of each row (1), a tensor [rows, ...]; or over a dimension behind.")
      .def(
          "mean",
          [](const RaggedTensor& a, std::int64_t dim) {
            return reduced(a, dim, "mean", mean,
                           [](const Tensor& x, std::int64_t d) { return mean(x, DimList(d)); });
          },
          "dim"_a, "As sum(); NaN for a row without elements.")
      .def(
          "amax",
          [](const RaggedTensor& a, std::int64_t dim) {
            return reduced(a, dim, "amax", amax,
                           [](const Tensor& x, std::int64_t d) { return amax(x, DimList(d)); });
          },
          "dim"_a, "As sum(); -inf for a row without elements.")
      .def(
          "amin",
          [](const RaggedTensor& a, std::int64_t dim) {
            return reduced(a, dim, "amin", amin,
                           [](const Tensor& x, std::int64_t d) { return amin(x, DimList(d)); });
          },
          "dim"_a, "As sum(); inf for a row without elements.")
      .def(
          "softmax", [](const RaggedTensor& a, std::int64_t dim) { return softmax_along(a, dim, false); },
          "dim"_a, "Over the elements of each row (1), or over a dimension behind.")
      .def(
          "log_softmax", [](const RaggedTensor& a, std::int64_t dim) { return softmax_along(a, dim, true); },
          "dim"_a, "The logarithm of softmax().");
}

}  // namespace

void add_ragged(PyObject* module) {
  nb::module_ extension = nb::borrow<nb::module_>(module), m = extension.def_submodule("_ragged");
  nb::class_<RaggedTensor> type(
      extension, "RaggedTensor",
      "Rows of different lengths, one behind the other in values(); row i is values()[offsets[i] : offsets[i + 1]]. "
      "Made by px.nested.nested_tensor(), px.nested.nested_from_jagged() and px.ragged.from_padded().\n\n"
      "It is a value made of two tensors. Gradients flow to values(). It passes through px.jit and px.func like a tuple "
      "of its tensors.\n\n"
      "    x = px.nested.nested_tensor([[1.0, 2.0], [3.0]])\n"
      "    x.softmax(1), x.sum(1)");
  type.attr("__module__") = "phlox.ragged";
  type.def(
          "values", [](const RaggedTensor& r) { return r.values(); },
          "The elements of all rows: the very tensor, which gradients flow to.")
      .def(
          "offsets", [](const RaggedTensor& r) { return r.offsets(); }, "Where each row begins, and the end.")
      .def(
          "row_splits", [](const RaggedTensor& r) { return r.offsets(); },
          "Where each row begins, and the end.")
      .def("lengths", &RaggedTensor::lengths, "The length of each row.")
      .def("row_numbers", &RaggedTensor::row_numbers, "The row of each element.")
      .def("with_values", &RaggedTensor::with_values, "values"_a,
           "Rows of the same lengths with other elements. Raises ShapeError for another number of them.")
      .def("unbind", &RaggedTensor::unbind, "The rows, as views.")
      .def("dim", &RaggedTensor::rank, "The number of dimensions.")
      .def_prop_ro("ndim", &RaggedTensor::rank, "The number of dimensions.")
      .def_prop_ro(
          "dtype", [](const RaggedTensor& r) { return nb::steal(dtype_to_python(r.dtype())); },
          nb::sig("def dtype(self) -> Any"), "The dtype of the elements.")
      .def_prop_ro(
          "is_nested", [](const RaggedTensor&) { return true; }, "True.")
      .def_prop_ro(
          "requires_grad", [](const RaggedTensor& r) { return r.values().requires_grad(); },
          "Whether gradients flow to the values.")
      .def(
          "to_padded_tensor",
          [](const RaggedTensor& r, nb::handle padding, std::optional<std::int64_t> output_size) {
            return r.to_padded(padding_of(padding), output_size);
          },
          "padding"_a, "output_size"_a = nb::none(),
          nb::sig("def to_padded_tensor(self, padding: float, output_size: int | None = None) -> Tensor"),
          "[rows, longest, ...] with `padding` behind each row. `output_size` is the length that rows get; without it, "
          "that of the longest.")
      .def(
          "detach", [](const RaggedTensor& r) { return r.with_values(r.values().detach()); },
          "The same elements, cut off from gradients.")
      .def(
          "tolist",
          [](nb::handle self) {
            nb::list rows;
            for (const Tensor& row : nb::cast<const RaggedTensor&>(self).unbind())
              rows.append(nb::cast(row).attr("tolist")());
            return rows;
          },
          nb::sig("def tolist(self) -> list[Any]"), "The rows as lists.")
      .def("__len__", &RaggedTensor::size)
      .def(
          "__getitem__", [](const RaggedTensor& r, std::int64_t i) { return r.row(i); }, nb::is_operator())
      .def(
          "__getitem__",
          [](const RaggedTensor& r, nb::handle index) -> nb::object {
            if (PySlice_Check(index.ptr())) return nb::cast(rows_between(r, nb::borrow<nb::slice>(index)));
            std::int64_t position = 0;
            if (!integer_from_python(index.ptr(), position))
              fail<TypeError>(ErrorCode::wrong_argument_type, "index: takes a row or a slice of rows, not {}",
                              Py_TYPE(index.ptr())->tp_name)
                  .raise();
            return nb::cast(r.row(position));
          },
          nb::sig("def __getitem__(self, index: Any) -> Any"))
      .def("__repr__", &RaggedTensor::to_string)
      .def("_parts", [](const RaggedTensor& r) { return nb::make_tuple(r.values(), r.offsets()); })
      .def_static(
          "_from_parts",
          [](const nb::tuple& parts) {
            return RaggedTensor(nb::cast<Tensor>(parts[0]), nb::cast<Tensor>(parts[1]));
          },
          "parts"_a)
      .def("__reduce__", [](const RaggedTensor& r) {
        return nb::make_tuple(nb::module_::import_("phlox.ragged").attr("_rebuild"),
                              nb::make_tuple(nb::make_tuple(r.values(), r.offsets())));
      });
  add_arithmetic(type);
  m.def("nested_tensor", &nested_tensor, "rows"_a);
  m.def("from_jagged", &nested_from_jagged, "values"_a, "offsets"_a);
  m.def("from_lengths", &nested_from_lengths, "values"_a, "lengths"_a);
  m.def("from_padded", &nested_from_padded, "padded"_a, "lengths"_a);
  m.def("boolean_mask", &ragged_boolean_mask, "data"_a, "mask"_a);
  m.def(
      "concat", [](const std::vector<RaggedTensor>& tensors, std::int64_t dim) { return cat(tensors, dim); },
      "tensors"_a, "dim"_a);
  m.def(
      "elements_of",
      [](const RaggedTensor& input, const RaggedTensor& other) {
        return elements_of(input, other, "map_flat_values");
      },
      "input"_a, "other"_a);
  m.def("attention", &ragged_attention, "query"_a, "key"_a, "value"_a, "is_causal"_a);
}

}  // namespace phlox::python
