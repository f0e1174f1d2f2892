#include "python/tensor/results.h"

#include <fmt/format.h>
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include <cstring>

#include <structmember.h>

#include "python/tensor/convert.h"
#include "python/errors.h"
#include "python/tensor/tensor_object.h"

namespace nb = nanobind;

namespace phlox::python {

PyTypeObject* operation_type = nullptr;
PyTypeObject* method_type = nullptr;

namespace {

PyObject* tensors_to_python(TensorList&& tensors, const Binding& binding) {
  const bool is_tuple = binding.operation->result == ResultKind::tuple;
  const char* names = binding.operation->traits.results;
  nb::object result;
  if (is_tuple && *names) {
    if (!binding.result_type) {
      // Kept for the life of the process, as the fields point to their names.
      auto* fields = new std::vector<PyStructSequence_Field>;
      auto* copy = new std::string(names);
      for (char* name = std::strtok(copy->data(), " "); name; name = std::strtok(nullptr, " "))
        fields->push_back({name, nullptr});
      fields->push_back({nullptr, nullptr});
      const std::string shared_name = binding.operation->overload_of();
      auto* type_name =
          new std::string("phlox.return_types." + (shared_name.empty() ? binding.name : shared_name));
      PyStructSequence_Desc description = {type_name->c_str(), nullptr, fields->data(),
                                           static_cast<int>(fields->size()) - 1};
      binding.result_type = PyStructSequence_NewType(&description);
      if (!binding.result_type) throw_python_error();
    }
    result = nb::steal(PyStructSequence_New(binding.result_type));
    if (!result.is_valid()) throw_python_error();
    for (std::size_t i = 0; i < tensors.size(); ++i)
      PyStructSequence_SetItem(result.ptr(), static_cast<Py_ssize_t>(i), wrap(std::move(tensors[i])));
  } else {
    result = nb::steal(PyTuple_New(static_cast<Py_ssize_t>(tensors.size())));
    if (!result.is_valid()) throw_python_error();
    for (std::size_t i = 0; i < tensors.size(); ++i)
      PyTuple_SET_ITEM(result.ptr(), static_cast<Py_ssize_t>(i), wrap(std::move(tensors[i])));
  }
  return result.release().ptr();
}

struct ToPython {
  const Binding& binding;
  PyObject* operator()(Tensor&& tensor) const { return wrap(std::move(tensor)); }
  PyObject* operator()(TensorList&& tensors) const { return tensors_to_python(std::move(tensors), binding); }
  PyObject* operator()(bool value) const { return PyBool_FromLong(value); }
  PyObject* operator()(std::int64_t value) const { return PyLong_FromLongLong(value); }
  PyObject* operator()(double value) const { return PyFloat_FromDouble(value); }
  PyObject* operator()(std::vector<std::int64_t>&& sizes) const { return size_to_python(sizes); }
  PyObject* operator()(DType dtype) const { return dtype_to_python(dtype); }
  PyObject* operator()(std::string&& text) const {
    return PyUnicode_FromStringAndSize(text.data(), static_cast<Py_ssize_t>(text.size()));
  }
  PyObject* operator()(std::monostate) const { Py_RETURN_NONE; }
};

// --- what an operation tells about itself

const Binding& binding_of(PyObject* self) { return *reinterpret_cast<OperationObject*>(self)->binding; }
bool is_method_object(PyObject* self) { return Py_TYPE(self) == method_type; }

const char* types_text(PointwiseTypes types) {
  switch (types) {
    case PointwiseTypes::floating: return "floating dtypes; integers become the default dtype";
    case PointwiseTypes::numeric: return "floating dtypes and integers";
    case PointwiseTypes::any: return "all dtypes";
    case PointwiseTypes::integral: return "integers and bool";
    case PointwiseTypes::counting: return "floating dtypes and integers; bool becomes int64";
  }
  return "";
}

std::string parameters_text(PyObject* self) {
  const Binding& binding = binding_of(self);
  std::string text = "(";
  bool first = true;
  for (const Parameter& p : binding.parameters()) {
    if (text.size() > 1) text += ", ";
    if (first && is_method_object(self)) text += "$self";
    else text += p.required ? p.name : p.name + "=" + p.default_text;
    first = false;
  }
  return text + ")";
}

std::string documentation(const Binding& binding) {
  const Operation& operation = *binding.operation;
  std::string text = operation.doc();
  if (binding.form == Binding::Form::in_place)
    text = fmt::format("{}() in place: the result replaces `input`.", operation.name);
  if (operation.pointwise_traits)
    text += fmt::format("\n\nShapes: {}\nDtypes: {}.",
                        operation.pointwise->tensors == 1 ? "the result has the shape of `input`."
                                                          : "the inputs broadcast together.",
                        types_text(operation.pointwise_traits->types));
  if (*operation.source()) text += fmt::format("\nSource: {}.", operation.source());
  return text;
}

// The names of ParameterKind and ResultKind.
constexpr const char* parameter_kinds[] = {"tensor",
                                           "optional_tensor",
                                           "operand",
                                           "scalar",
                                           "optional_scalar",
                                           "boolean",
                                           "optional_boolean",
                                           "integer",
                                           "optional_integer",
                                           "floating",
                                           "optional_floating",
                                           "integers",
                                           "optional_integers",
                                           "tensors",
                                           "text",
                                           "optional_text",
                                           "dtype",
                                           "optional_dtype",
                                           "optional_device",
                                           "generator",
                                           "optional_floats",
                                           "optional_operand"};
static_assert(std::size(parameter_kinds) == static_cast<std::size_t>(ParameterKind::optional_operand) + 1);
constexpr const char* result_kinds[] = {"tensor",   "tensors",  "tuple", "boolean", "integer",
                                        "floating", "integers", "dtype", "text",    "nothing"};
static_assert(std::size(result_kinds) == static_cast<std::size_t>(ResultKind::nothing) + 1);

nb::list parameter_list(const Binding& binding) {
  nb::list list;
  for (const Parameter& p : binding.parameters())
    list.append(
        nb::make_tuple(p.name, parameter_kinds[static_cast<int>(p.kind)], p.required, p.default_text));
  return list;
}

// Attributes of an operation by name, for documentation, stubs and tests.
nb::object attribute(PyObject* self, std::string_view name) {
  const Binding& binding = binding_of(self);
  const Operation& o = *binding.operation;
  const PointwiseTraits* p = o.pointwise_traits;
  if (name == "__name__" || name == "__qualname__") return nb::cast(binding.name);
  if (name == "__doc__") return nb::cast(documentation(binding));
  if (name == "__text_signature__") return nb::cast(parameters_text(self));
  if (name == "__module__") return nb::cast("phlox");
  if (name == "__signature__")
    return nb::module_::import_("phlox._signature")
        .attr("make_signature")(nb::handle(self), is_method_object(self));
  if (name == "parameters") return parameter_list(binding);
  if (name == "doc") return nb::cast(o.doc());
  if (name == "source") return nb::cast(o.source());
  if (name == "family") return nb::cast(to_string(o.traits.family));
  if (name == "alias") return nb::cast(o.alias());
  if (name == "home") return nb::cast(o.traits.home);
  if (name == "file") return nb::cast(o.file);
  if (name == "samples") return nb::cast(o.traits.samples);
  if (name == "example") return nb::cast(o.traits.example);
  if (name == "reference") return nb::cast(p ? p->reference : o.traits.reference);
  if (name == "results") return nb::cast(o.traits.results);
  if (name == "result") return nb::cast(result_kinds[static_cast<int>(o.result)]);
  if (name == "overload_of") return nb::cast(o.overload_of());
  if (name == "overloads") {
    nb::list list;
    for (const Binding* overload : binding.overloads) list.append(nb::str(overload->name.c_str()));
    return list;
  }
  if (name == "variadic") return nb::cast(binding.variadic);
  if (name == "takes_requires_grad") return nb::cast(binding.takes_requires_grad);
  if (name == "takes_out") return nb::cast(binding.takes_out);
  if (name == "differentiable") return nb::cast(p ? p->differentiable : o.traits.differentiable);
  if (name == "integers") return nb::cast(p ? p->types != PointwiseTypes::floating : o.traits.integers);
  if (name == "complex") {
    // What moves elements without looking at them takes all dtypes.
    const bool moves = o.traits.family == Family::view || o.traits.family == Family::join ||
                       o.traits.family == Family::index;
    return nb::cast(p ? p->complex || p->complex_form || p->complex_form_of_two
                      : o.traits.complex || (moves && o.traits.integers));
  }
  if (name == "reads_values") return nb::cast(o.traits.reads_values);
  if (name == "tolerance") return nb::cast(p ? 1e-5 : o.traits.tolerance);
  if (name == "is_method")
    return nb::cast(o.traits.method && o.parameter_count > 0 &&
                    (o.kinds[0] == ParameterKind::tensor || o.kinds[0] == ParameterKind::operand));
  if (name == "is_pointwise") return nb::cast(p != nullptr);
  if (name == "pointwise") {
    if (!p) return nb::none();
    nb::dict d;
    const char* const types[] = {"floating", "numeric", "any", "integral"};
    d["types"] = types[static_cast<int>(p->types)];
    d["sample_low"] = p->sample_low;
    d["sample_high"] = p->sample_high;
    d["other_low"] = p->other_low;
    d["other_high"] = p->other_high;
    d["tolerance_ulp"] = p->tolerance_ulp;
    d["gradient_tolerance"] = p->gradient_tolerance;
    d["derivative_orders"] = p->derivative_orders;
    d["operator"] = p->python_operator;
    int underived = 0;  // inputs with respect to which no derivative is known
    for (int k = 0; k < o.pointwise->tensors; ++k)
      underived |= static_cast<int>(gradient_rule(*o.pointwise, k).form == math::GradientForm::unknown) << k;
    d["underived"] = underived;
    d["masks"] = static_cast<int>(o.pointwise->masks);
    d["operands"] = static_cast<int>(o.pointwise->tensors);
    d["predicate"] = o.pointwise->predicate();
    return d;
  }
  return nb::none();
}

PyObject* get(PyObject* self, void* name) noexcept {
  PHLOX_TRY
  return attribute(self, static_cast<const char*>(name)).release().ptr();
  PHLOX_CATCH
}

PyObject* represent(PyObject* self) noexcept {
  PHLOX_TRY
  return PyUnicode_FromFormat("<%s %s%s>", is_method_object(self) ? "method" : "operation",
                              binding_of(self).name.c_str(), parameters_text(self).c_str());
  PHLOX_CATCH
}

// Pickled by name, as a function is.
PyObject* reduce(PyObject* self, PyObject*) noexcept {
  const std::string name = (is_method_object(self) ? "Tensor." : "") + binding_of(self).name;
  return PyUnicode_FromString(name.c_str());
}

void dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  type->tp_free(self);
  Py_DECREF(type);
}

PyObject* bind_method(PyObject* self, PyObject* object, PyObject*) {
  return object && object != Py_None ? PyMethod_New(self, object) : Py_NewRef(self);
}

}  // namespace

PyObject* result_to_python(Result&& result, const Binding& binding) {
  return std::visit([&](auto&& value) { return ToPython{binding}(std::forward<decltype(value)>(value)); },
                    std::move(result));
}

void add_operation_types(PyObject* module) {
  static const char* const names[] = {"__name__",     "__qualname__",
                                      "__doc__",      "__text_signature__",
                                      "__module__",   "__signature__",
                                      "parameters",   "doc",
                                      "source",       "family",
                                      "alias",        "home",
                                      "file",         "samples",
                                      "example",      "reference",
                                      "results",      "result",
                                      "overload_of",  "overloads",
                                      "variadic",     "takes_requires_grad",
                                      "takes_out",    "differentiable",
                                      "integers",     "complex",
                                      "reads_values", "tolerance",
                                      "is_method",    "is_pointwise",
                                      "pointwise"};
  static PyGetSetDef attributes[std::size(names) + 1];
  for (std::size_t i = 0; i < std::size(names); ++i)
    attributes[i] = {names[i], get, nullptr, nullptr, const_cast<char*>(names[i])};
  static PyMethodDef methods[] = {{"__reduce__", reduce, METH_NOARGS, nullptr},
                                  {nullptr, nullptr, 0, nullptr}};
  static PyMemberDef members[] = {
      {"__vectorcalloffset__", T_PYSSIZET, offsetof(OperationObject, vectorcall), READONLY, nullptr},
      {nullptr, 0, 0, 0, nullptr}};
  const auto make = [&](const char* name, unsigned long flags, bool method) {
    PyType_Slot slots[] = {
        {Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
        {Py_tp_repr, reinterpret_cast<void*>(represent)},
        {Py_tp_call, reinterpret_cast<void*>(PyVectorcall_Call)},
        {Py_tp_getset, attributes},
        {Py_tp_methods, methods},
        {Py_tp_members, members},
        {method ? Py_tp_descr_get : 0, method ? reinterpret_cast<void*>(bind_method) : nullptr},
        {0, nullptr}};
    PyType_Spec spec = {name, sizeof(OperationObject), 0, static_cast<unsigned>(Py_TPFLAGS_DEFAULT | flags),
                        slots};
    PyObject* type = PyType_FromSpec(&spec);
    if (!type || PyModule_AddObjectRef(module, std::strrchr(name, '.') + 1, type) < 0) throw_python_error();
    return reinterpret_cast<PyTypeObject*>(type);
  };
  operation_type = make("phlox._phlox.Operation", Py_TPFLAGS_HAVE_VECTORCALL, false);
  method_type =
      make("phlox._phlox.OperationMethod", Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_METHOD_DESCRIPTOR, true);
}

}  // namespace phlox::python
