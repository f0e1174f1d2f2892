#include "python/captured_call.h"

#include <nanobind/nanobind.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "phlox/core/watch_bit.h"
#include "phlox/graph/captured.h"
#include "python/caster.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace phlox::python {
namespace {

thread_local bool jit_disabled = false;

bool is_jit_disabled() {
  if (jit_disabled) return true;
  const char* text = std::getenv("PHLOX_JIT");
  return text && std::string_view(text) == "0";
}

PyObject* missed = nullptr;  // what a call gives that does not fit
// Of _structures.py.
PyObject* leaf_type = nullptr;
PyObject* given_type = nullptr;
PyObject* rebuilt_type = nullptr;
PyObject* frozen = nullptr;
PyObject* ordered_dict_type = nullptr;
PyObject* default_dict_type = nullptr;
PyObject* registered = nullptr;  // by class: the functions that take an object apart and put it together

// Values that are compared by what they are; all others by identity.
bool is_plain(PyObject* object) {
  return object == Py_None || PyBool_Check(object) || PyLong_CheckExact(object) ||
         PyFloat_CheckExact(object) || PyUnicode_CheckExact(object) || PyBytes_CheckExact(object) ||
         PyComplex_CheckExact(object);
}

// Whether comparing says so; an error says no. Floating-point numbers by their bits: -0.0 is not 0.0, a NaN is itself.
bool are_equal(PyObject* a, PyObject* b) {
  if (a == b) return true;
  if (Py_TYPE(a) != Py_TYPE(b)) return false;
  if (PyFloat_Check(a)) {
    const double x = PyFloat_AS_DOUBLE(a), y = PyFloat_AS_DOUBLE(b);
    return std::memcmp(&x, &y, sizeof x) == 0;
  }
  if (PyComplex_CheckExact(a)) {
    const Py_complex x = PyComplex_AsCComplex(a), y = PyComplex_AsCComplex(b);
    return std::memcmp(&x, &y, sizeof x) == 0;
  }
  const int equal = PyObject_RichCompareBool(a, b, Py_EQ);
  if (equal < 0) PyErr_Clear();
  return equal > 0;
}

bool is_text(PyObject* object, const char* text) {
  return PyUnicode_CheckExact(object) && PyUnicode_CompareWithASCIIString(object, text) == 0;
}

bool is_of_type(const TensorImpl& tensor, const graph::Type& type) {
  return tensor.dtype == type.dtype && tensor.rank == type.shape.rank() && tensor.device == type.device &&
         std::equal(tensor.sizes, tensor.sizes + tensor.rank, type.shape.begin());
}

nb::object frozen_of(PyObject* object) { return nb::handle(frozen)(nb::handle(object)); }

// Whether frozen() in _structures.py made `before` of `now`, or of what was like it; false also where this does not know.
bool is_surely_frozen_as(PyObject* before, PyObject* now) {
  if (!PyTuple_Check(before) || PyTuple_GET_SIZE(before) < 1) return false;
  PyObject* type = PyTuple_GET_ITEM(before, 0);
  const Py_ssize_t size = PyTuple_GET_SIZE(before) - 1;
  if (type == Py_None) return size == 1 && PyTuple_GET_ITEM(before, 1) == now;
  if (type != reinterpret_cast<PyObject*>(Py_TYPE(now))) return false;
  if (PyTuple_CheckExact(before)) {
    if (PyFloat_CheckExact(now)) {
      const double value = PyFloat_AS_DOUBLE(now);
      return std::memcmp(PyBytes_AS_STRING(PyTuple_GET_ITEM(before, 1)), &value, sizeof value) == 0;
    }
    return is_plain(now) && are_equal(PyTuple_GET_ITEM(before, 1), now);
  }
  if (PyDict_CheckExact(now)) {
    if (PyDict_Size(now) != size) return false;
    PyObject *key, *value;
    Py_ssize_t position = 0;
    for (Py_ssize_t i = 1; i <= size && PyDict_Next(now, &position, &key, &value); ++i) {
      PyObject* pair = PyTuple_GET_ITEM(before, i);
      if (!is_surely_frozen_as(PyTuple_GET_ITEM(pair, 0), key) ||
          !is_surely_frozen_as(PyTuple_GET_ITEM(pair, 1), value))
        return false;
    }
    return true;
  }
  const bool is_list = PyList_CheckExact(now);
  if ((!is_list && !PyTuple_CheckExact(now)) || Py_SIZE(now) != size) return false;
  for (Py_ssize_t i = 0; i < size; ++i)
    if (!is_surely_frozen_as(PyTuple_GET_ITEM(before, i + 1),
                             is_list ? PyList_GET_ITEM(now, i) : PyTuple_GET_ITEM(now, i)))
      return false;
  return true;
}

bool is_frozen_as(PyObject* before, PyObject* now) {
  if (is_surely_frozen_as(before, now)) return true;
  if (PyTuple_GET_ITEM(before, 0) == Py_None) return false;
  const nb::object made = frozen_of(now);
  return PyObject_RichCompareBool(before, made.ptr(), Py_EQ) > 0;
}

// A structure of lists, tuples and dictionaries that holds tensors: what arguments must be like, or what a result is
// made from.
struct Structure {
  // `given`, in a result, is an argument itself; `mapping` is an OrderedDict or a defaultdict; `rebuilt`, in a result, is what a function makes of the one part;
  // `object`, in arguments, is of a class that is registered as a structure.
  enum class Kind : std::uint8_t { tensor, given, list, tuple, dict, mapping, rebuilt, object, value };
  Kind kind = Kind::value;
  nb::object value;  // what it was; the class of a tensor, mapping or tuple with named fields; the function
  nb::object
      more;  // of an argument that is a value: what it held; what a defaultdict fills in; first arguments
  std::vector<nb::object> keys;
  std::vector<Structure> parts;
  std::size_t number = 0;  // of the tensor

  // From arguments, whose tensors are appended.
  static Structure of_arguments(PyObject* object, TensorList& tensors) {
    Structure s;
    if (is_tensor(object)) {
      s.kind = Kind::tensor;
      s.value = class_of(object);
      s.number = tensors.size();
      tensors.push_back(tensor_of(object));
      return s;
    }
    const auto read = [&](PyObject* part) { return of_arguments(part, tensors); };
    if (s.read_parts(object, read)) return s;
    if (is_mapping(object)) {
      s.kind = Kind::mapping;
      s.value = class_of(object);
      s.more = filling(object);
      for (nb::handle item : nb::handle(object).attr("items")()) {
        s.keys.push_back(nb::borrow(item[0]));
        s.parts.push_back(read(nb::object(item[1]).ptr()));
      }
    } else if (has_named_fields(object)) {
      s.kind = Kind::tuple;
      s.value = class_of(object);
      for (nb::handle part : nb::borrow(object)) s.parts.push_back(read(part.ptr()));
    } else if (PyObject* functions = functions_of(object)) {
      s.kind = Kind::object;
      s.value = class_of(object);
      s.parts.push_back(read(part_of(functions, object).ptr()));
    } else {
      s.value = nb::borrow(object);
      if (!is_plain(object)) s.more = frozen_of(object);
    }
    return s;
  }
  // From what `flatten` in _structures.py gives.
  static Structure of_result(PyObject* object) {
    Structure s;
    if (Py_TYPE(object) == reinterpret_cast<PyTypeObject*>(leaf_type)) {
      s.kind = Kind::tensor;
      s.number = nb::cast<std::size_t>(nb::handle(object).attr("number"));
    } else if (Py_TYPE(object) == reinterpret_cast<PyTypeObject*>(given_type)) {
      s.kind = Kind::given;
      s.number = nb::cast<std::size_t>(nb::handle(object).attr("number"));
    } else if (has_named_fields(object)) {
      s.kind = Kind::tuple;
      s.value = nb::borrow(reinterpret_cast<PyObject*>(Py_TYPE(object)));
      for (nb::handle part : nb::borrow(object)) s.parts.push_back(of_result(part.ptr()));
    } else if (Py_TYPE(object) == reinterpret_cast<PyTypeObject*>(rebuilt_type)) {
      s.kind = Kind::rebuilt;
      s.value = nb::handle(object).attr("function");
      s.more = nb::handle(object).attr("first");
      s.parts.push_back(of_result(nb::object(nb::handle(object).attr("part")).ptr()));
    } else if (!s.read_parts(object, of_result)) {
      s.value = nb::borrow(object);
    }
    return s;
  }

  bool fits(PyObject* object, TensorList& tensors) const {
    switch (kind) {
      case Kind::tensor:
        if (!is_tensor(object) || !is_of_class(object)) return false;
        tensors.push_back(tensor_of(object));
        return true;
      case Kind::list:
      case Kind::tuple: {
        const bool is_list = kind == Kind::list;
        if (is_list            ? !PyList_CheckExact(object)
            : value.is_valid() ? !is_of_class(object)
                               : !PyTuple_CheckExact(object))
          return false;
        if (Py_SIZE(object) != static_cast<Py_ssize_t>(parts.size())) return false;
        for (std::size_t i = 0; i < parts.size(); ++i) {
          const auto at = static_cast<Py_ssize_t>(i);
          if (!parts[i].fits(is_list ? PyList_GET_ITEM(object, at) : PyTuple_GET_ITEM(object, at), tensors))
            return false;
        }
        return true;
      }
      case Kind::dict: {
        if (!PyDict_CheckExact(object) || PyDict_Size(object) != static_cast<Py_ssize_t>(parts.size()))
          return false;
        PyObject *key, *part;
        Py_ssize_t position = 0;
        for (std::size_t i = 0; i < parts.size() && PyDict_Next(object, &position, &key, &part); ++i)
          if (!is_same(keys[i].ptr(), key) || !parts[i].fits(part, tensors)) return false;
        return true;
      }
      case Kind::mapping: {
        if (!is_of_class(object) || PyDict_Size(object) != static_cast<Py_ssize_t>(parts.size()) ||
            !filling(object).is(more))
          return false;
        std::size_t i = 0;
        for (nb::handle item : nb::handle(object).attr("items")()) {
          const nb::object part = item[1];
          if (i == parts.size() || !is_same(keys[i].ptr(), nb::object(item[0]).ptr()) ||
              !parts[i].fits(part.ptr(), tensors))
            return false;
          ++i;
        }
        return true;
      }
      case Kind::object: {
        if (!is_of_class(object)) return false;
        const nb::object part = part_of(functions_of(object), object);
        return parts[0].fits(part.ptr(), tensors);
      }
      case Kind::given:
      case Kind::rebuilt: return false;  // in results only
      case Kind::value:
        return more.is_valid() ? is_frozen_as(more.ptr(), object) : is_same(value.ptr(), object);
    }
    return false;
  }

  nb::object made_from(const TensorList& tensors, const TensorList& given) const {
    switch (kind) {
      case Kind::given: return nb::cast(given[number]);
      case Kind::tensor: return nb::cast(tensors[number]);
      case Kind::list:
      case Kind::tuple: {
        const bool is_list = kind == Kind::list;
        const auto size = static_cast<Py_ssize_t>(parts.size());
        nb::object made = nb::steal(is_list ? PyList_New(size) : PyTuple_New(size));
        for (Py_ssize_t i = 0; i < size; ++i) {
          PyObject* part = parts[static_cast<std::size_t>(i)].made_from(tensors, given).release().ptr();
          if (is_list) PyList_SET_ITEM(made.ptr(), i, part);
          else PyTuple_SET_ITEM(made.ptr(), i, part);
        }
        if (!value.is_valid()) return made;
        nb::object named = nb::steal(PyObject_CallObject(value.ptr(), made.ptr()));
        if (!named.is_valid()) throw nb::python_error();
        return named;
      }
      case Kind::dict: {
        nb::dict made;
        for (std::size_t i = 0; i < parts.size(); ++i) made[keys[i]] = parts[i].made_from(tensors, given);
        return made;
      }
      case Kind::rebuilt: {
        const nb::object first = nb::tuple(more) + nb::make_tuple(parts[0].made_from(tensors, given));
        nb::object made = nb::steal(PyObject_CallObject(value.ptr(), first.ptr()));
        if (!made.is_valid()) throw nb::python_error();
        return made;
      }
      case Kind::mapping:  // in arguments only
      case Kind::object:
      case Kind::value: return value;
    }
    return {};
  }

  template <class Visit>
  void visit(const Visit& visitor) {
    visitor(value);
    visitor(more);
    for (nb::object& key : keys) visitor(key);
    for (Structure& part : parts) part.visit(visitor);
  }

 private:
  static nb::object class_of(PyObject* object) {
    return nb::borrow(reinterpret_cast<PyObject*>(Py_TYPE(object)));
  }
  bool is_of_class(PyObject* object) const {
    return reinterpret_cast<PyObject*>(Py_TYPE(object)) == value.ptr();
  }
  static bool is_mapping(PyObject* object) {
    PyObject* type = reinterpret_cast<PyObject*>(Py_TYPE(object));
    return type == ordered_dict_type || type == default_dict_type;
  }
  static bool has_named_fields(PyObject* object) {
    return PyTuple_Check(object) && !PyTuple_CheckExact(object) && PyObject_HasAttrString(object, "_fields");
  }
  // Borrowed; null for what is no registered structure.
  static PyObject* functions_of(PyObject* object) {
    return PyDict_GetItem(registered, reinterpret_cast<PyObject*>(Py_TYPE(object)));
  }
  static nb::object part_of(PyObject* functions, PyObject* object) {
    return nb::handle(PyTuple_GET_ITEM(functions, 0))(nb::handle(object));
  }
  static nb::object filling(PyObject* object) { return nb::getattr(object, "default_factory", nb::none()); }
  static bool is_same(PyObject* expected, PyObject* object) {
    return object == expected || (is_plain(expected) && are_equal(expected, object));
  }
  // Of a list, tuple or dictionary, but of no class derived from them.
  template <class Read>
  bool read_parts(PyObject* object, const Read& read) {
    if (PyList_CheckExact(object) || PyTuple_CheckExact(object)) {
      kind = PyList_CheckExact(object) ? Kind::list : Kind::tuple;
      for (nb::handle part : nb::borrow(object)) parts.push_back(read(part.ptr()));
      return true;
    }
    if (!PyDict_CheckExact(object)) return false;
    kind = Kind::dict;
    for (auto [key, part] : nb::borrow<nb::dict>(object)) {
      keys.push_back(nb::borrow(key));
      parts.push_back(read(part.ptr()));
    }
    return true;
  }
};

// What the function read of the program while it was captured: a _Guard of _jit.py, of which this knows the common kinds.
class Guard {
 public:
  explicit Guard(nb::handle guard)
      : guard_(nb::borrow(guard)),
        owner_(guard.attr("owner")),
        name_(guard.attr("name")),
        value_(guard.attr("value")) {
    const nb::object kind = guard.attr("kind");
    if (is_text(kind.ptr(), "attribute")) kind_ = Kind::attribute;
    else if (is_text(kind.ptr(), "method")) kind_ = Kind::method;
    else if (is_text(kind.ptr(), "function")) kind_ = Kind::function;
    else if (is_text(kind.ptr(), "class")) kind_ = Kind::type;
    else if (is_text(kind.ptr(), "tensor")) {
      kind_ = Kind::tensor;
      tensor_ = tensor_of(owner_.ptr());
      type_ = graph::type_of(tensor_);
    } else if (is_text(kind.ptr(), "call") || is_text(kind.ptr(), "contents")) kind_ = Kind::other;
    else if (is_text(kind.ptr(), "free")) kind_ = owner_.is_none() ? Kind::constant : Kind::cell;
    else kind_ = PyDict_CheckExact(owner_.ptr()) ? Kind::entry : Kind::other;
    exact_ = nb::cast<bool>(guard.attr("exact"));
    frozen_ = nb::cast<bool>(guard.attr("frozen"));
  }

  bool holds() const {
    nb::object made;
    PyObject* now = nullptr;
    switch (kind_) {
      case Kind::constant: return true;
      case Kind::tensor: return is_of_type(*tensor_.impl(), type_);
      case Kind::type: return reinterpret_cast<PyObject*>(Py_TYPE(owner_.ptr())) == value_.ptr();
      case Kind::cell: now = PyCell_GET(owner_.ptr()); break;
      case Kind::entry: now = PyDict_GetItemWithError(owner_.ptr(), name_.ptr()); break;
      case Kind::attribute:
        made = nb::steal(PyObject_GetAttr(owner_.ptr(), name_.ptr()));
        now = made.ptr();
        break;
      case Kind::method:
        made = nb::steal(PyObject_GetAttr(owner_.ptr(), name_.ptr()));
        if (!made.is_valid()) PyErr_Clear();
        else if (PyMethod_Check(made.ptr()) && PyMethod_GET_FUNCTION(made.ptr()) == value_.ptr()) return true;
        return asked();
      case Kind::function:  // its code and defaults may be replaced
        return PyFunction_GET_CODE(owner_.ptr()) == PyTuple_GET_ITEM(value_.ptr(), 0) && has_its_defaults();
      case Kind::other: return asked();
    }
    if (!now) {
      PyErr_Clear();
      return asked();
    }
    if (now == value_.ptr()) return true;
    if (exact_) return false;
    if (frozen_) return is_frozen_as(value_.ptr(), now);
    return are_equal(value_.ptr(), now) || asked();
  }

  template <class Visit>
  void visit(const Visit& visitor) {
    for (nb::object* object : {&guard_, &owner_, &name_, &value_}) visitor(*object);
  }

 private:
  enum class Kind : std::uint8_t { attribute, method, function, cell, entry, constant, type, tensor, other };

  bool has_its_defaults() const {
    const auto is = [](PyObject* now, PyObject* before) { return (now ? now : Py_None) == before; };
    return is(PyFunction_GET_DEFAULTS(owner_.ptr()), PyTuple_GET_ITEM(value_.ptr(), 1)) &&
           is(PyFunction_GET_KW_DEFAULTS(owner_.ptr()), PyTuple_GET_ITEM(value_.ptr(), 2));
  }

  bool asked() const { return guard_.attr("holds")().is(nb::handle(Py_True)); }

  Kind kind_ = Kind::other;
  bool exact_ = false, frozen_ = false;
  nb::object guard_, owner_, name_, value_;
  Tensor tensor_;  // of Kind::tensor, and what it was
  graph::Type type_;
};

class CapturedCall {
 public:
  CapturedCall(const nb::tuple& args, const nb::dict& kwargs, nb::object captured, const nb::object& result)
      : captured_object_(std::move(captured)), captured_(nb::cast<const graph::Captured*>(captured_object_)) {
    TensorList examples;
    args_ = Structure::of_arguments(args.ptr(), examples);
    kwargs_ = Structure::of_arguments(kwargs.ptr(), examples);
    result_ = Structure::of_result(result.ptr());
    gradients_enabled_ = gradients_enabled();
    default_dtype_ = default_dtype();
    for (const Tensor& example : examples) {
      const auto same = [&](const Tensor& other) { return other.impl() == example.impl(); };
      const auto first = std::find_if(examples.begin(), examples.end(), same) - examples.begin();
      looks_.push_back({graph::type_of(example), example.requires_grad(), static_cast<std::size_t>(first)});
    }
  }

  // The same for another captured function with the same arguments and results.
  std::unique_ptr<CapturedCall> with_captured(nb::object captured) const {
    return std::unique_ptr<CapturedCall>(new CapturedCall(*this, std::move(captured)));
  }

  // From now on a call fits only if these hold, and tensors are like those of the examples.
  void guard(const nb::list& guards) {
    guarded_ = true;
    for (nb::handle guard : guards) guards_.emplace_back(guard);
  }

  bool fits(const nb::tuple& args, const nb::dict& kwargs, TensorList& tensors) const {
    if (interpreters()) return false;
    if (!args_.fits(args.ptr(), tensors) || !kwargs_.fits(kwargs.ptr(), tensors)) return false;
    if (!guarded_) return true;
    if (is_jit_disabled() || gradients_enabled() != gradients_enabled_ || default_dtype() != default_dtype_)
      return false;
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      const TensorImpl& t = *tensors[i].impl();
      if (!is_of_type(t, looks_[i].type) || tensors[i].requires_grad() != looks_[i].requires_grad)
        return false;
    }
    if (!are_the_same_as_before(tensors) || !captured_->is_current()) return false;
    for (const Guard& guard : guards_)
      if (!guard.holds()) return false;
    return true;
  }

  nb::object call(const nb::tuple& args, const nb::dict& kwargs) {
    TensorList tensors;
    if (!fits(args, kwargs, tensors)) return nb::borrow(missed);
    std::optional<TensorList> results;
    {
      nb::gil_scoped_release release;
      results = captured_->run_if_fits(tensors);
    }
    if (!results) return nb::borrow(missed);
    calls_.fetch_add(1, std::memory_order_relaxed);
    return result_.made_from(*results, tensors);
  }

  nb::object run(const TensorList& tensors) {
    calls_.fetch_add(1, std::memory_order_relaxed);
    TensorList results;
    {
      nb::gil_scoped_release release;
      results = captured_->run(tensors);
    }
    return result_.made_from(results, tensors);
  }

  std::int64_t calls() const { return calls_.load(std::memory_order_relaxed); }

  template <class Visit>
  void visit(const Visit& visitor) {
    visitor(captured_object_);
    for (Structure* structure : {&args_, &kwargs_, &result_}) structure->visit(visitor);
    for (Guard& guard : guards_) guard.visit(visitor);
  }

 private:
  CapturedCall(const CapturedCall& other, nb::object captured)
      : args_(other.args_),
        kwargs_(other.kwargs_),
        result_(other.result_),
        captured_object_(std::move(captured)),
        captured_(nb::cast<const graph::Captured*>(captured_object_)) {}

  struct Look {
    graph::Type type;
    bool requires_grad;
    std::size_t first;  // the position at which this very tensor comes first
  };

  // Whether those that were one tensor are one, and others are not: the function may ask `a is b`.
  bool are_the_same_as_before(const TensorList& tensors) const {
    if (tensors.size() < 2) return true;
    std::array<const TensorImpl*, 16> few;
    std::vector<const TensorImpl*> many(tensors.size() > few.size() ? tensors.size() : 0);
    const TensorImpl** begin = many.empty() ? few.data() : many.data();
    const TensorImpl** end = begin;
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      const TensorImpl* impl = &*tensors[i].impl();
      if (looks_[i].first == i) *end++ = impl;
      else if (impl != &*tensors[looks_[i].first].impl()) return false;
    }
    std::sort(begin, end);
    return std::adjacent_find(begin, end) == end;
  }

  Structure args_, kwargs_, result_;
  nb::object captured_object_;
  const graph::Captured* captured_;
  std::vector<Look> looks_;
  bool guarded_ = false, gradients_enabled_ = true;
  DType default_dtype_ = DType::float32;
  std::vector<Guard> guards_;
  std::atomic<std::int64_t> calls_ = 0;
};

int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  if (!nb::inst_ready(self)) return 0;
  int stopped = 0;
  nb::inst_ptr<CapturedCall>(self)->visit([&](const nb::object& object) {
    if (object.is_valid() && !stopped) stopped = visit(object.ptr(), arg);
  });
  return stopped;
}

int clear(PyObject* self) {
  if (nb::inst_ready(self))
    nb::inst_ptr<CapturedCall>(self)->visit([](nb::object& object) { object.reset(); });
  return 0;
}

PyType_Slot slots[] = {{Py_tp_traverse, reinterpret_cast<void*>(traverse)},
                       {Py_tp_clear, reinterpret_cast<void*>(clear)},
                       {0, nullptr}};

}  // namespace

void add_captured_call(PyObject* module) {
  nb::module_ m = nb::borrow<nb::module_>(module);
  missed = nb::module_::import_("builtins").attr("object")().release().ptr();
  m.def("_missed", [] { return nb::borrow(missed); });
  m.def("_set_structures", [](nb::handle structures) {
    const auto kept = [&](const char* name) { return nb::object(structures.attr(name)).release().ptr(); };
    leaf_type = kept("Leaf");
    given_type = kept("Given");
    rebuilt_type = kept("Rebuilt");
    frozen = kept("frozen");
    ordered_dict_type = kept("OrderedDict");
    default_dict_type = kept("defaultdict");
    registered = kept("REGISTERED");
  });
  m.def("_is_jit_disabled", is_jit_disabled);
  m.def("_disable_jit", [](bool on) { return std::exchange(jit_disabled, on); });
  nb::class_<CapturedCall>(m, "_CapturedCall", nb::type_slots(slots))
      .def(nb::init<const nb::tuple&, const nb::dict&, nb::object, const nb::object&>(), "args"_a, "kwargs"_a,
           "captured"_a, "result"_a.none())
      .def("with_captured", &CapturedCall::with_captured, "captured"_a)
      .def("guard", &CapturedCall::guard, "guards"_a)
      .def("fits",
           [](const CapturedCall& self, const nb::tuple& args, const nb::dict& kwargs) {
             TensorList tensors;
             return self.fits(args, kwargs, tensors);
           })
      .def("call", &CapturedCall::call, "args"_a, "kwargs"_a)
      .def("run", &CapturedCall::run, "tensors"_a)
      .def_prop_ro("calls", &CapturedCall::calls);
}

}  // namespace phlox::python
