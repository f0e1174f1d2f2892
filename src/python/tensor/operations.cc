#include "python/tensor/operations.h"

#include <fmt/format.h>
#include <nanobind/nanobind.h>

#include <algorithm>
#include <optional>

#include "python/tensor/arguments.h"
#include "python/tensor/convert.h"
#include "python/errors.h"
#include "python/tensor/numpy.h"
#include "phlox/ops/in_place.h"
#include "python/tensor/results.h"
#include "python/tensor/tensor_object.h"

namespace nb = nanobind;

namespace phlox::python {

namespace {

// --- pointwise operations: straight to the primitive

std::optional<Operand> to_operand(PyObject* object, Tensor& holder) {
  if (is_tensor(object)) return Operand(tensor_of(object));
  if (PyFloat_CheckExact(object)) return Operand(PyFloat_AS_DOUBLE(object));
  Scalar scalar;
  if (scalar_from_python(object, scalar)) return Operand(scalar);
  if (!is_numpy_array(object)) return std::nullopt;
  holder = tensor_from_numpy(object, true);
  return Operand(holder);
}

std::int64_t work_of(const Operand& operand) { return operand.is_tensor() ? operand.tensor().numel() : 0; }

PyObject* run_pointwise(const Binding& binding, std::span<const Operand> inputs,
                        std::span<const KernelScalar> scalars) {
  Tensor result;
  {
    std::int64_t work = 0;
    for (const Operand& input : inputs) work = std::max(work, work_of(input));
    ReleaseGil release(work);
    result = apply_pointwise(*binding.operation->pointwise, inputs, scalars);
  }
  return wrap(std::move(result));
}

PyObject* run_pointwise_into(const Binding& binding, std::span<const Operand> inputs,
                             std::span<const KernelScalar> scalars, PyObject* target, bool in_place) {
  {
    const Tensor& tensor = tensor_of(target);
    ReleaseGil release(tensor.numel());
    apply_pointwise_into(*binding.operation->pointwise, inputs, scalars, tensor, in_place);
  }
  return Py_NewRef(target);
}

KernelScalar kernel_scalar_of(const Value& value) {
  switch (value.kind) {
    case Value::Kind::boolean: return kernel_scalar(std::int64_t{value.boolean});
    case Value::Kind::integer: return kernel_scalar(value.integer);
    default: return kernel_scalar(value.floating);
  }
}

bool is_operand(ParameterKind kind) {
  return kind == ParameterKind::tensor || kind == ParameterKind::operand;
}

Operand operand_of(const Value& value) {
  switch (value.kind) {
    case Value::Kind::tensor: return Operand(*value.tensor);
    case Value::Kind::boolean: return Operand(value.boolean);
    case Value::Kind::integer: return Operand(value.integer);
    case Value::Kind::complex: return Operand(std::complex<double>(value.floating, value.imaginary));
    default: return Operand(value.floating);
  }
}

PyObject* call_pointwise(const Binding& binding, const BoundArguments& bound, const ArgumentValues& values) {
  Operand all_inputs[max_pointwise_inputs] = {0, 0, 0, 0, 0, 0};
  KernelScalar all_scalars[max_pointwise_scalars];
  std::size_t input_count = 0, scalar_count = 0;
  for (int i = 0; i < binding.count; ++i) {
    const Value& value = values.span()[static_cast<std::size_t>(i)];
    if (is_operand(binding.operation->kinds[i])) all_inputs[input_count++] = operand_of(value);
    else all_scalars[scalar_count++] = kernel_scalar_of(value);
  }
  const std::span<const Operand> inputs(all_inputs, input_count);
  const std::span<const KernelScalar> scalars(all_scalars, scalar_count);
  if (bound.in_place && !is_tensor(bound.values[0]))
    fail<TypeError>(ErrorCode::wrong_argument_type, "{}: with inplace=True the input must be a tensor",
                    binding.name)
        .detail("got", Py_TYPE(bound.values[0])->tp_name)
        .raise();
  if (binding.form == Binding::Form::in_place || bound.in_place)
    return run_pointwise_into(binding, inputs, scalars, bound.values[0], true);
  if (!bound.out) return run_pointwise(binding, inputs, scalars);
  if (!is_tensor(bound.out))
    fail<TypeError>(ErrorCode::wrong_argument_type, "{}: 'out' must be a tensor", binding.name)
        .detail("got", Py_TYPE(bound.out)->tp_name)
        .raise();
  return run_pointwise_into(binding, inputs, scalars, bound.out, false);
}

// --- all others

// Writes the results into what out= names: a tensor, or a tuple of as many.
PyObject* write_results(const Binding& binding, const Result& result, PyObject* out) {
  const bool one = std::holds_alternative<Tensor>(result);
  const TensorList results = one ? TensorList{std::get<Tensor>(result)} : std::get<TensorList>(result);
  const nb::object targets = one ? nb::make_tuple(nb::borrow(out)) : nb::steal(PySequence_Tuple(out));
  if (!targets.is_valid()) throw_python_error();
  const std::size_t count = nb::len(targets);
  bool fits = count == results.size();
  for (std::size_t i = 0; i < count && fits; ++i) fits = is_tensor(PyTuple_GET_ITEM(targets.ptr(), i));
  if (!fits)
    fail<TypeError>(ErrorCode::wrong_argument_type, "{}: 'out' must be {}", binding.name,
                    one ? "a tensor" : fmt::format("a tuple of {} tensors", results.size()))
        .detail("got", Py_TYPE(out)->tp_name)
        .raise();
  for (std::size_t i = 0; i < count; ++i)
    write_out(results[i], tensor_of(PyTuple_GET_ITEM(targets.ptr(), i)), binding.name.c_str());
  return Py_NewRef(out);
}

PyObject* call_in_place(const Binding& binding, const BoundArguments& bound, const ArgumentValues& values) {
  const Tensor& target = tensor_of(bound.values[0]);
  {
    ReleaseGil release(values.work() * 8);
    const Tensor before = value_before_write(target);
    std::vector<Value> arguments(values.span().begin(), values.span().end());
    arguments[0].tensor = &before;
    assign_in_place(target, std::get<Tensor>(binding.operation->call(arguments, *binding.operation)),
                    binding.name.c_str());
  }
  return Py_NewRef(bound.values[0]);
}

PyObject* call_bound(const Binding& binding, const BoundArguments& bound) {
  const ArgumentValues values(binding, bound);
  if (binding.operation->pointwise) return call_pointwise(binding, bound, values);
  if (binding.form == Binding::Form::in_place) return call_in_place(binding, bound, values);
  Result result;
  {
    ReleaseGil release(values.work() * 8);  // these do more than one step an element
    result = binding.operation->call(values.span(), *binding.operation);
  }
  if (bound.out) return write_results(binding, result, bound.out);
  if (bound.requires_grad) std::get<Tensor>(result).set_requires_grad();
  return result_to_python(std::move(result), binding);
}

const Binding& binding_of(PyObject* callable) {
  return *reinterpret_cast<OperationObject*>(callable)->binding;
}

// A list of lists.
bool is_nested(PyObject* object) {
  const bool list = PyList_Check(object) || PyTuple_Check(object);
  if (!list || PySequence_Fast_GET_SIZE(object) == 0) return false;
  PyObject* first = PySequence_Fast_GET_ITEM(object, 0);
  return PyList_Check(first) || PyTuple_Check(first);
}

// The function for a call that the signature does not cover; null for all other calls.
PyObject* form_for(const Binding& binding, PyObject* const* arguments, Py_ssize_t count, PyObject* keywords) {
  for (const Binding::OtherForm& form : binding.forms) {
    if (!form.keyword) {
      if (count > form.position &&
          (is_tensor(arguments[form.position]) || is_nested(arguments[form.position])))
        return form.function;
    } else if (keywords) {
      const int found = PySequence_Contains(keywords, form.keyword);
      if (found < 0) throw_python_error();
      if (found) return form.function;
    }
  }
  return nullptr;
}

// Errors carry the name of the operation that was called, not that of one of its steps.
void name_operation(Error& error, PyObject* callable) {
  const std::string& summary = error.summary();
  const std::string name = summary.substr(0, summary.find(": "));
  if (name.size() < summary.size() && name != binding_of(callable).name && find_operation(name))
    error.set_operation(binding_of(callable).name);
}

#define CATCH_AND_NAME(...)                 \
  }                                         \
  catch (Error & error) {                   \
    name_operation(error, callable);        \
    return raise_python_error(__VA_ARGS__); \
  }                                         \
  catch (...) {                             \
    return raise_python_error(__VA_ARGS__); \
  }

PyObject* vectorcall(PyObject* callable, PyObject* const* arguments, std::size_t flags,
                     PyObject* keywords) noexcept {
  PHLOX_TRY
  const Binding& binding = binding_of(callable);
  const Py_ssize_t count = PyVectorcall_NARGS(flags);
  if (!binding.forms.empty()) {
    if (PyObject* function = form_for(binding, arguments, count, keywords))
      return PyObject_Vectorcall(function, arguments, static_cast<std::size_t>(count), keywords);
  }
  BoundArguments bound;
  bind_arguments(binding, arguments, count, keywords, bound);
  return call_bound(binding, bound);
  CATCH_AND_NAME(arguments, PyVectorcall_NARGS(flags) + (keywords ? PyTuple_GET_SIZE(keywords) : 0))
}

PyObject* vectorcall_overloaded(PyObject* callable, PyObject* const* arguments, std::size_t flags,
                                PyObject* keywords) noexcept {
  PHLOX_TRY
  const Binding& binding = binding_of(callable);
  for (const Binding* candidate : binding.overloads) {
    BoundArguments bound;
    if (bind_arguments(*candidate, arguments, PyVectorcall_NARGS(flags), keywords, bound, true) &&
        arguments_fit(*candidate, bound))
      return call_bound(*candidate, bound);
  }
  return vectorcall(callable, arguments, flags, keywords);
  CATCH_AND_NAME(arguments, PyVectorcall_NARGS(flags) + (keywords ? PyTuple_GET_SIZE(keywords) : 0))
}

PyObject* vectorcall_unary(PyObject* callable, PyObject* const* arguments, std::size_t flags,
                           PyObject* keywords) noexcept {
  if (PyVectorcall_NARGS(flags) != 1 || keywords || !is_tensor(arguments[0])) [[unlikely]]
    return vectorcall(callable, arguments, flags, keywords);
  PHLOX_TRY
  return call_unary(binding_of(callable), arguments[0]);
  CATCH_AND_NAME(arguments, 1)
}

PyObject* vectorcall_binary(PyObject* callable, PyObject* const* arguments, std::size_t flags,
                            PyObject* keywords) noexcept {
  if (PyVectorcall_NARGS(flags) != 2 || keywords || !is_tensor(arguments[0]) || !is_tensor(arguments[1]))
      [[unlikely]]
    return vectorcall(callable, arguments, flags, keywords);
  PHLOX_TRY
  return call_binary(binding_of(callable), arguments[0], arguments[1]);
  CATCH_AND_NAME(arguments, 2)
}

vectorcallfunc vectorcall_for(const Binding& binding) {
  if (!binding.overloads.empty()) return vectorcall_overloaded;
  if (!binding.operation->pointwise || binding.form != Binding::Form::plain) return vectorcall;
  const int operands = binding.operation->pointwise->tensors;
  if (operands == 1) return vectorcall_unary;
  if (operands == 2 && binding.operation->pointwise->masks == 0) return vectorcall_binary;
  return vectorcall;
}

std::vector<Binding*>& all_bindings() {
  static std::vector<Binding*> bindings;
  return bindings;
}

// --- making bindings from the registry

// Names by which the same parameter is known to users of NumPy and of PyTorch.
const std::vector<std::vector<const char*>> synonym_groups = {
    {"dim", "axis"},         {"dims", "dim", "axis", "axes"},
    {"keepdim", "keepdims"}, {"input", "x", "self", "A"},
    {"other", "y"},          {"shape", "size"},
    {"dim0", "axis0"},       {"dim1", "axis1"}};

std::vector<PyObject*> synonyms_of(const Binding& binding, const std::string& name) {
  std::vector<PyObject*> found;
  const auto taken = [&](const char* other) {
    return std::any_of(binding.parameters().begin(), binding.parameters().end(),
                       [&](const Parameter& p) { return p.name == other; });
  };
  for (const auto& group : synonym_groups) {
    if (std::find(group.begin(), group.end(), name) == group.end()) continue;
    for (const char* other : group)
      if (name != other && !taken(other)) found.push_back(PyUnicode_InternFromString(other));
  }
  return found;
}

bool takes_integers(ParameterKind kind) {
  switch (kind) {
    case ParameterKind::integer:
    case ParameterKind::optional_integer:
    case ParameterKind::integers:
    case ParameterKind::optional_integers:
    case ParameterKind::scalar:
    case ParameterKind::optional_scalar:
    case ParameterKind::operand:
    case ParameterKind::floating:
    case ParameterKind::optional_floating: return true;
    default: return false;
  }
}

Binding* make_binding(const Operation& operation, Binding::Form form) {
  auto* binding = new Binding{};
  binding->operation = &operation;
  binding->form = form;
  binding->name = form == Binding::Form::in_place ? std::string(operation.name) + "_" : operation.name;
  const auto& parameters = binding->parameters();
  binding->count = static_cast<int>(parameters.size());
  int lists = 0;
  bool takes_tensor = false, has_requires_grad = false;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const ParameterKind kind = parameters[i].kind;
    binding->names.push_back(PyUnicode_InternFromString(parameters[i].name.c_str()));
    binding->defaults.push_back(parameters[i].default_value);
    binding->required.push_back(parameters[i].required);
    binding->telling.push_back(false);
    binding->synonyms.push_back(synonyms_of(*binding, parameters[i].name));
    has_requires_grad |= parameters[i].name == "requires_grad";
    takes_tensor |= is_operand(kind) || kind == ParameterKind::tensors;
    lists += kind == ParameterKind::integers || kind == ParameterKind::optional_integers;
    if (operation.pointwise && !is_operand(kind))
      binding->default_scalars.push_back(kernel_scalar_of(parameters[i].default_value));
    // A list of sizes may be written without brackets where no later parameter could be meant.
    const bool last_number =
        std::none_of(parameters.begin() + static_cast<std::ptrdiff_t>(i) + 1, parameters.end(),
                     [](const Parameter& p) { return takes_integers(p.kind); });
    if (kind == ParameterKind::integers && parameters[i].required && last_number)
      binding->variadic = static_cast<int>(i);
  }
  if (binding->count > max_arguments || lists > max_lists)
    throw std::length_error(fmt::format("{} has too many parameters for Python", operation.name));
  binding->takes_requires_grad = operation.result == ResultKind::tensor && !has_requires_grad &&
                                 (!takes_tensor || operation.traits.family == Family::creation);
  const Family family = operation.pointwise ? Family::pointwise : operation.traits.family;
  binding->takes_out = form == Binding::Form::plain && family != Family::in_place && family != Family::view &&
                       (operation.result == ResultKind::tensor || operation.result == ResultKind::tuple ||
                        operation.result == ResultKind::tensors);
  all_bindings().push_back(binding);
  return binding;
}

PyObject* make_object(PyTypeObject* type, const Binding& binding) {
  OperationObject* object = PyObject_New(OperationObject, type);
  if (!object) throw_python_error();
  object->vectorcall = vectorcall_for(binding);
  object->binding = &binding;
  return reinterpret_cast<PyObject*>(object);
}

void add(PyObject* dict, const std::vector<std::string>& names, PyTypeObject* type, const Binding& binding,
         const char* ending = "") {
  nb::object value = nb::steal(make_object(type, binding));
  for (const std::string& name : names) {
    nb::object key = nb::str((name + ending).c_str());
    if (PyDict_Contains(dict, key.ptr())) continue;  // written by hand
    if (PyDict_SetItem(dict, key.ptr(), value.ptr()) < 0) throw_python_error();
  }
}

std::vector<std::string> words(const char* text) {
  std::vector<std::string> found;
  std::string word;
  for (; *text; ++text) {
    if (*text != ' ') word += *text;
    else if (!word.empty()) found.push_back(std::move(word)), word.clear();
  }
  if (!word.empty()) found.push_back(word);
  return found;
}

bool is_method(const Operation& operation) {
  return operation.traits.method && operation.parameter_count > 0 && is_operand(operation.kinds[0]);
}

}  // namespace

PyObject* call_unary(const Binding& binding, PyObject* a) {
  if (!binding.operation->pointwise) [[unlikely]]
    return call_binding(binding, {&a, 1});
  const Operand inputs[] = {tensor_of(a)};
  return run_pointwise(binding, inputs, binding.default_scalars);
}

PyObject* call_binary(const Binding& binding, PyObject* a, PyObject* b) {
  if (!binding.operation->pointwise) {
    Tensor holders[2];
    nb::object objects[2] = {nb::borrow(a), nb::borrow(b)};
    for (nb::object& object : objects) {
      if (is_numpy_array(object.ptr())) object = nb::steal(wrap(tensor_from_numpy(object.ptr(), true)));
      else if (!is_tensor(object.ptr())) Py_RETURN_NOTIMPLEMENTED;
    }
    PyObject* const arguments[] = {objects[0].ptr(), objects[1].ptr()};
    return call_binding(binding, arguments);
  }
  Tensor holder_a, holder_b;
  const std::optional<Operand> first = to_operand(a, holder_a), second = to_operand(b, holder_b);
  if (!first || !second) Py_RETURN_NOTIMPLEMENTED;
  const Operand inputs[] = {*first, *second};
  return run_pointwise(binding, inputs, binding.default_scalars);
}

PyObject* call_binary_in_place(const Binding& binding, PyObject* a, PyObject* b) {
  Tensor holder;
  const std::optional<Operand> second = to_operand(b, holder);
  if (!second) Py_RETURN_NOTIMPLEMENTED;
  const Operand inputs[] = {tensor_of(a), *second};
  return run_pointwise_into(binding, inputs, binding.default_scalars, a, true);
}

PyObject* call_binding(const Binding& binding, std::span<PyObject* const> arguments) {
  BoundArguments bound;
  bind_arguments(binding, arguments.data(), static_cast<Py_ssize_t>(arguments.size()), nullptr, bound);
  return call_bound(binding, bound);
}

void add_form(const std::string& name, PyObject* function, PyObject* keyword, Py_ssize_t position) {
  for (Binding* binding : all_bindings()) {
    if (binding->name != name) continue;
    binding->forms.push_back({Py_NewRef(function), Py_XNewRef(keyword), position});
  }
}

const Binding* find_binding(std::string_view name) {
  const Operation* operation = find_operation(name);
  for (const Binding* binding : all_bindings())
    if (binding->operation == operation && binding->form == Binding::Form::plain) return binding;
  return nullptr;
}

// What tells an overload from the operation whose name it shares must be given: a flag without a default, or with the
// default true where the operation has false, which must be true; a name where the operation takes something else.
void mark_telling(const Binding& operation, Binding& overload) {
  for (std::size_t i = 0; i < overload.telling.size(); ++i) {
    const Parameter& parameter = overload.parameters()[i];
    const Parameter* same = nullptr;
    for (const Parameter& p : operation.parameters())
      if (p.name == parameter.name && p.kind == parameter.kind) same = &p;
    if (parameter.kind == ParameterKind::text) overload.telling[i] = !same;
    if (parameter.kind == ParameterKind::boolean)
      overload.telling[i] = parameter.required || (parameter.default_value.boolean && same &&
                                                   !same->required && !same->default_value.boolean);
  }
}

PyObject* object_for(const Operation& operation) {
  return make_object(operation_type, *make_binding(operation, Binding::Form::plain));
}

void add_operations(PyObject* module) {
  add_operation_types(module);
  PyObject* functions = PyModule_GetDict(module);
  PyObject* methods = tensor_type->tp_dict;
  for (const Operation* operation : operations()) make_binding(*operation, Binding::Form::plain);
  const std::vector<Binding*> plain = all_bindings();

  // Operations that share a name come before the objects that carry the name.
  for (Binding* overload : plain) {
    const std::string name = overload->operation->overload_of();
    if (name.empty()) continue;
    for (Binding* binding : plain) {
      if (binding->name != name) continue;
      binding->overloads.push_back(overload);
      mark_telling(*binding, *overload);
    }
  }
  for (Binding* binding : plain) {
    const Operation& operation = *binding->operation;
    std::vector<std::string> names = words(operation.alias());
    names.insert(names.begin(), operation.name);
    const bool in_place = is_method(operation) && (operation.pointwise ? !operation.pointwise->is_mask(0)
                                                                       : operation.traits.in_place);
    const Binding* writing = in_place ? make_binding(operation, Binding::Form::in_place) : nullptr;
    add(functions, names, operation_type, *binding);
    if (is_method(operation)) add(methods, names, method_type, *binding);
    if (writing) add(methods, names, method_type, *writing, "_");
  }
  PyType_Modified(tensor_type);
  // The same operation under a name that is another's elsewhere: its errors say this one.
  nb::borrow<nb::module_>(module).def(
      "_named",
      [](nb::handle operation, const char* name) {
        if (Py_TYPE(operation.ptr()) != operation_type) throw nb::type_error("_named: takes an operation");
        auto* binding = new Binding(binding_of(operation.ptr()));
        binding->name = name;
        all_bindings().push_back(binding);
        return nb::steal(make_object(operation_type, *binding));
      },
      nb::arg("operation"), nb::arg("name"));
}

}  // namespace phlox::python
