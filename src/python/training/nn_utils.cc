// phlox.nn.utils: what training does to gradients and parameters as a whole.

#include <nanobind/nanobind.h>
#include <nanobind/stl/vector.h>

#include "python/caster.h"
#include "python/training/nn.h"
#include "phlox/nn/utils.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace phlox::python {

namespace {

// A tensor, or any iterable of tensors such as model.parameters().
std::vector<Tensor> parameters_from(nb::handle given, const char* function) {
  if (is_tensor(given.ptr())) return {tensor_of(given.ptr())};
  std::vector<Tensor> parameters;
  for (nb::handle item : given) {
    if (!is_tensor(item.ptr())) {
      fail<TypeError>(ErrorCode::wrong_argument_type, "{}: a parameter is a {}, not a tensor", function,
                      Py_TYPE(item.ptr())->tp_name)
          .hint("model.parameters()")
          .raise();
    }
    parameters.push_back(tensor_of(item.ptr()));
  }
  return parameters;
}

}  // namespace

void add_nn_utils(PyObject* module) {
  nb::module_ m = nb::borrow<nb::module_>(module).def_submodule("_nn_utils");
  m.def(
      "clip_grad_norm_",
      [](nb::handle parameters, double max_norm, double norm_type, bool error_if_nonfinite) {
        return nn::clip_grad_norm_(parameters_from(parameters, "clip_grad_norm_"), max_norm, norm_type,
                                   error_if_nonfinite);
      },
      nb::sig(
          "def clip_grad_norm_(parameters: Tensor | Iterable[Tensor], max_norm: float, norm_type: float = "
          "2.0, "
          "error_if_nonfinite: bool = False) -> Tensor"),
      "parameters"_a, "max_norm"_a, "norm_type"_a = 2.0, "error_if_nonfinite"_a = false,
      "Scales the gradients in place so that their joint norm is at most `max_norm`; gives the norm "
      "before, float32[].\n\n"
      "`norm_type` 2 is the Euclidean norm, infinity the largest absolute value. Parameters without "
      "gradient are left "
      "out. Raises GradientError for a norm that is NaN or infinite, if `error_if_nonfinite`.\n\n"
      "Example:\n    nn.utils.clip_grad_norm_(model.parameters(), 1.0)\n\n"
      "Source: Pascanu, Mikolov, Bengio 2013, arXiv:1211.5063.");
  m.def(
      "clip_grad_value_",
      [](nb::handle parameters, double clip_value) {
        nn::clip_grad_value_(parameters_from(parameters, "clip_grad_value_"), clip_value);
      },
      nb::sig("def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None"),
      "parameters"_a, "clip_value"_a,
      "Brings each value of the gradients into [-clip_value, clip_value], in place.\n\n"
      "Example:\n    nn.utils.clip_grad_value_(model.parameters(), 0.5)");
  m.def(
      "get_total_norm",
      [](nb::handle tensors, double norm_type) {
        return nn::total_norm(parameters_from(tensors, "get_total_norm"), norm_type);
      },
      nb::sig("def get_total_norm(tensors: Tensor | Iterable[Tensor], norm_type: float = 2.0) -> Tensor"),
      "tensors"_a, "norm_type"_a = 2.0,
      "The joint norm of tensors, float32[].\n\n"
      "Example:\n    nn.utils.get_total_norm([p.grad for p in model.parameters()])");
  m.def(
      "parameters_to_vector",
      [](nb::handle parameters) {
        return nn::parameters_to_vector(parameters_from(parameters, "parameters_to_vector"));
      },
      nb::sig("def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor"), "parameters"_a,
      "All values in one dimension, [total].\n\n"
      "Example:\n    vector = nn.utils.parameters_to_vector(model.parameters())");
  m.def(
      "vector_to_parameters",
      [](const Tensor& vector, nb::handle parameters) {
        nn::vector_to_parameters(vector, parameters_from(parameters, "vector_to_parameters"));
      },
      nb::sig("def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None"), "vec"_a,
      "parameters"_a,
      "Copies the values of `vec`, [total], into the parameters. Raises ShapeError when the number "
      "does not fit.\n\n"
      "Example:\n    nn.utils.vector_to_parameters(vector, model.parameters())");
}

}  // namespace phlox::python
