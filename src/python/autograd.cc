#include "python/autograd.h"

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cctype>
#include <set>

#include "python/caster.h"
#include "python/errors.h"
#include "phlox/graph/tracer.h"
#include "phlox/autograd/checkpoint.h"
#include "phlox/autograd/engine.h"
#include "phlox/autograd/function.h"
#include "phlox/train/trap_nonfinite.h"
#include "phlox/autograd/vmap.h"
#include "phlox/core/recording.h"
#include "phlox/core/sample_mode.h"
#include "python/shared_object.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace phlox::python {

namespace {

Tensor tensor_or_none(nb::handle object, const char* what) {
  if (object.is_none()) return {};
  if (!is_tensor(object.ptr()))
    fail<TypeError>(ErrorCode::wrong_argument_type, "{}: must give a tensor or None, not {}", what,
                    Py_TYPE(object.ptr())->tp_name)
        .raise();
  return tensor_of(object.ptr());
}

TensorList tensors_from(nb::handle result, const char* what) {
  TensorList list;
  if (PyTuple_Check(result.ptr()) || PyList_Check(result.ptr()))
    for (nb::handle item : result) list.push_back(tensor_or_none(item, what));
  else list.push_back(tensor_or_none(result, what));
  return list;
}

nb::tuple tuple_of(const TensorList& tensors) {
  nb::list list;
  for (const Tensor& tensor : tensors) list.append(nb::cast(tensor));
  return nb::tuple(list);
}

std::int64_t register_hook(const Tensor& tensor, nb::callable hook) {
  return tensor.register_hook([hook = share_object(hook)](const Tensor& gradient) {
    nb::gil_scoped_acquire gil;
    return tensor_or_none(nb::handle(hook.get())(nb::cast(gradient)), "hook");
  });
}

// --- the tape, to look at

struct GradientFunction {
  Reference<GradientNode> node;
};

std::string class_name(const GradientNode& node) {
  std::string name = node.name();
  if (!name.empty()) name[0] = static_cast<char>(std::toupper(name[0]));
  return node.leaf() ? "AccumulateGrad" : name + "Backward";
}

// --- functions with a gradient of their own

TensorList apply_function(const std::string& name, const TensorList& inputs, nb::object forward,
                          nb::object backward, nb::object python_context) {
  // Names of nodes live as long as the program; classes are few.
  static auto& names = *new std::set<std::string>;
  const char* kept = names.insert(name).first->c_str();
  const SharedObject backward_shared = share_object(backward), context_shared = share_object(python_context);
  nb::gil_scoped_release release;
  return autograd::apply_function(
      kept, inputs,
      [&](autograd::Context& context) {
        nb::gil_scoped_acquire gil;
        const TensorList outputs = tensors_from(forward(), "forward");
        const auto list = [&](const char* attribute) {
          return tensors_from(nb::getattr(python_context, attribute), attribute);
        };
        context.save_for_backward(list("_to_save"));
        context.mark_non_differentiable(list("_non_differentiable"));
        context.mark_dirty(list("_dirty"));
        context.set_materialize_gradients(nb::cast<bool>(nb::getattr(python_context, "_materialize")));
        return outputs;
      },
      [backward_shared, context_shared](autograd::Context& context, const Gradients& gradients) {
        nb::gil_scoped_acquire gil;
        nb::handle ctx(context_shared.get());
        nb::setattr(ctx, "_saved", tuple_of(context.saved_tensors()));
        nb::object result = nb::handle(backward_shared.get())(ctx, *tuple_of(gradients));
        nb::setattr(ctx, "_saved", nb::none());
        return tensors_from(result, "backward");
      });
}

}  // namespace

PyObject* gradient_function_of(const Tensor& tensor) {
  const AutogradRecord* record = tensor.impl()->autograd;
  if (!record || !record->node) Py_RETURN_NONE;
  return nb::cast(GradientFunction{record->node}).release().ptr();
}

void add_autograd(PyObject* module) {
  nb::module_ m = nb::borrow<nb::module_>(module);
  nb::class_<GradientFunction>(m, "GradientFunction", "A recorded operation on the tape.")
      .def(
          "name", [](const GradientFunction& f) { return class_name(*f.node); },
          "The name as PyTorch writes it: \"MulBackward\".")
      .def_prop_ro(
          "operation", [](const GradientFunction& f) { return std::string(f.node->name()); },
          "The name of the operation.")
      .def_prop_ro(
          "where", [](const GradientFunction& f) { return f.node->where(); },
          "The line that called it; known in anomaly mode.")
      .def_prop_ro(
          "next_functions",
          [](const GradientFunction& f) {
            nb::list list;
            for (const Edge& edge : f.node->edges())
              list.append(nb::make_tuple(edge.node ? nb::cast(GradientFunction{edge.node}) : nb::none(),
                                         edge.output));
            return nb::tuple(list);
          },
          "What made the inputs: pairs of the function and which of its results it was.")
      .def("__eq__",
           [](const GradientFunction& f, nb::handle other) {
             GradientFunction* o = nullptr;
             return nb::try_cast(other, o) && o && o->node.get() == f.node.get();
           })
      .def("__hash__", [](const GradientFunction& f) { return reinterpret_cast<std::size_t>(f.node.get()); })
      .def("__repr__", [](const GradientFunction& f) { return "<" + class_name(*f.node) + ">"; });

  // Bits: gradients off, inference, anomaly, results trapped that are not finite. What `with` blocks restore.
  m.def("_get_mode", [] {
    return static_cast<int>(thread_mode.gradients_off) | thread_mode.inference << 1 |
           thread_mode.anomaly << 2 | is_trap_nonfinite_enabled() << 3;
  });
  m.def("_set_mode", [](int bits) {
    thread_mode.gradients_off = bits & 1;
    thread_mode.inference = bits & 2;
    thread_mode.anomaly = bits & 4;
    set_trap_nonfinite(bits & 8);
  });
  m.def("_drop_history", [](const Tensor& tensor) {
    AutogradRecord* record = tensor.impl()->autograd;
    if (!record) return;
    record->node = {};
    record->requires_grad = false;
  });
  m.def("_register_hook", register_hook);
  m.def("_register_post_accumulate_grad_hook", [](const Tensor& tensor, nb::callable hook) {
    return tensor.register_post_accumulate_grad_hook([hook = share_object(hook)](const Tensor& leaf) {
      nb::gil_scoped_acquire gil;
      nb::handle(hook.get())(nb::cast(leaf));
    });
  });
  m.def("_remove_hook", [](const Tensor& tensor, std::int64_t number) { tensor.remove_hook(number); });
  m.def(
      "_backward",
      [](const TensorList& outputs, const TensorList& gradients, std::optional<bool> retain, bool create) {
        nb::gil_scoped_release release;
        autograd::backward(outputs, gradients, retain, create);
      },
      "outputs"_a, "gradients"_a, "retain_graph"_a.none(), "create_graph"_a);
  m.def(
      "_grad",
      [](const TensorList& outputs, const TensorList& inputs, const TensorList& gradients,
         std::optional<bool> retain, bool create, bool allow_unused) {
        Gradients result;
        {
          nb::gil_scoped_release release;
          result = autograd::grad(outputs, inputs, gradients, retain, create, allow_unused);
          if (graph::Tracer* tracer = allow_unused ? nullptr : graph::active_tracer())
            for (const Tensor& gradient : result)
              if (gradient.defined()) tracer->require_present(gradient, "a gradient of grad()");
        }
        return tuple_of(result);
      },
      "outputs"_a, "inputs"_a, "gradients"_a, "retain_graph"_a.none(), "create_graph"_a, "allow_unused"_a);
  m.def("_depends_on_others", [](const TensorList& outputs, const TensorList& leaves) {
    return autograd::depends_on_others(outputs, leaves);
  });
  m.def("_is_batching", [] { return active_vmaps > 0; });
  m.def(
      "_vmap",
      [](nb::callable function, const TensorList& arguments, const std::vector<OptionalDim>& in_dims,
         const std::string& randomness) {
        static constexpr const char* names[] = {"error", "different", "same"};
        const auto chosen = std::find(std::begin(names), std::end(names), randomness);
        if (chosen == std::end(names))
          fail<ValueError>(ErrorCode::unknown_name, "vmap: randomness is '{}'", randomness)
              .hint("\"error\", \"different\" or \"same\"")
              .raise();
        BatchDims places{std::initializer_list<OptionalDim>{}}, out_dims = places;
        places.assign(in_dims.begin(), in_dims.end());
        return autograd::run_vmap(
            [&](const TensorList& samples) {
              const auto [results, dims] =
                  nb::cast<std::pair<TensorList, std::vector<OptionalDim>>>(function(nb::cast(samples)));
              out_dims.assign(dims.begin(), dims.end());
              return results;
            },
            arguments, places, out_dims, static_cast<Randomness>(chosen - std::begin(names)));
      },
      "function"_a, "arguments"_a, "in_dims"_a, "randomness"_a);
  m.def("_apply_function", [](const std::string& name, const TensorList& inputs, nb::object forward,
                              nb::object backward, nb::object context) {
    return tuple_of(apply_function(name, inputs, forward, backward, context));
  });
  m.def("_checkpoint", [](nb::object function, const TensorList& inputs, bool same_random) {
    const SharedObject shared = share_object(function);
    TensorList outputs;
    {
      nb::gil_scoped_release release;
      outputs = autograd::checkpoint_list(
          [shared](const TensorList& in) {
            nb::gil_scoped_acquire gil;
            return tensors_from(nb::handle(shared.get())(*tuple_of(in)), "checkpoint");
          },
          inputs, same_random);
    }
    return tuple_of(outputs);
  });
}

}  // namespace phlox::python
