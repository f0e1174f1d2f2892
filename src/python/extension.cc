#include "python/extension.h"

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "phlox/ops/in_place.h"
#include "phlox/extension/load.h"
#include "phlox/ops/primitives/custom.h"
#include "phlox/ops/registry/added_operations.h"
#include "python/caster.h"
#include "python/shared_object.h"
#include "python/tensor/convert.h"
#include "python/tensor/operations.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace phlox::python {
namespace {

nb::list python_numbers(std::span<const Scalar> numbers) {
  nb::list list;
  for (const Scalar& number : numbers) list.append(nb::steal(scalar_to_python(number, number.dtype())));
  return list;
}

// What a function of the program gives, which may be one tensor or several.
TensorList results_from(const nb::object& given, const std::string& name, std::size_t count,
                        const char* what) {
  TensorList tensors;
  const bool is_one = nb::isinstance<Tensor>(given) || given.is_none();
  const nb::object several = is_one ? nb::make_tuple(given) : given;
  for (nb::handle each : several) tensors.push_back(each.is_none() ? Tensor() : nb::cast<Tensor>(each));
  if (tensors.size() != count)
    fail<TypeError>(ErrorCode::wrong_argument_type, "{}: {} gives {} tensors, not {}", name, what,
                    tensors.size(), count)
        .raise();
  return tensors;
}

void write_result(const std::string& name, const Tensor& given, const Tensor& result) {
  if (given.defined() && given.shape() == result.shape() && given.dtype() == result.dtype())
    return copy_data(given, result);
  auto error = fail<TypeError>(ErrorCode::wrong_argument_type,
                               "{}: the function gives another type than it says", name);
  error.detail("said", describe(result));
  if (given.defined()) error.detail("given", describe(given));
  error.hint("say which with @operation.types").raise();
}

CustomKernel kernel_from(const std::string& name, const nb::object& types, const nb::object& run,
                         const nb::object& gradient, bool batched) {
  CustomKernel kernel{.name = name, .types = {}, .run = {}, .gradient = {}, .batched = batched};
  kernel.types = [name, types = share_object(types)](std::span<const CustomType> inputs,
                                                     std::span<const Scalar> numbers) {
    const nb::gil_scoped_acquire gil;
    nb::list given;
    for (const CustomType& input : inputs)
      given.append(nb::make_tuple(nb::steal(dtype_to_python(input.dtype)),
                                  std::vector<std::int64_t>(input.shape.begin(), input.shape.end())));
    std::vector<CustomType> found;
    for (nb::handle type : nb::handle(types.get())(given, python_numbers(numbers))) {
      CustomType said;
      if (!dtype_from_python(nb::object(type[0]).ptr(), said.dtype))
        fail<TypeError>(ErrorCode::wrong_argument_type, "{}: types() gives no dtype", name).raise();
      said.shape = Shape(IntList(nb::cast<std::vector<std::int64_t>>(type[1])));
      found.push_back(said);
    }
    return found;
  };
  kernel.run = [name, run = share_object(run)](std::span<const Tensor> inputs,
                                               std::span<const Scalar> numbers,
                                               std::span<const Tensor> written) {
    const nb::gil_scoped_acquire gil;
    const nb::object found =
        nb::handle(run.get())(TensorList(inputs.begin(), inputs.end()), python_numbers(numbers));
    const TensorList tensors = results_from(found, name, written.size(), "the function");
    for (std::size_t i = 0; i < written.size(); ++i) write_result(name, tensors[i], written[i]);
  };
  if (gradient.is_none()) return kernel;
  kernel.gradient = [name, gradient = share_object(gradient)](
                        const TensorList& inputs, const TensorList& outputs, const TensorList& gradients,
                        std::span<const Scalar> numbers) {
    const nb::gil_scoped_acquire gil;
    return results_from(nb::handle(gradient.get())(inputs, outputs, gradients, python_numbers(numbers)), name,
                        inputs.size(), "the gradient");
  };
  return kernel;
}

}  // namespace

void add_extensions(PyObject* module) {
  nb::module_ m = nb::borrow<nb::module_>(module);
  m.def(
      "_load_extension",
      [](const std::string& path) {
        std::vector<const Operation*> found;
        {
          const nb::gil_scoped_release release;
          found = load_extension(path);
        }
        nb::list operations;
        for (const Operation* operation : found) operations.append(nb::steal(object_for(*operation)));
        return operations;
      },
      "path"_a);
  m.def(
      "_add_kernel",
      [](const std::string& name, const std::string& signature, const std::string& doc, int results,
         const nb::object& types, const nb::object& run, const nb::object& gradient, bool batched) {
        return nb::steal(object_for(
            add_kernel_operation(kernel_from(name, types, run, gradient, batched), signature, doc, results)));
      },
      "name"_a, "signature"_a, "doc"_a, "results"_a, "types"_a, "run"_a, "gradient"_a.none(), "batched"_a);
}

}  // namespace phlox::python
