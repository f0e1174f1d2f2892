// phlox.nn.init: starting values of parameters.

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include "python/caster.h"
#include "python/training/nn.h"
#include "phlox/nn/init.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace phlox::python {

namespace {

// A generator that may be left out.
Generator* generator_or_default(nb::handle object) {
  return object.is_none() ? nullptr : nb::cast<Generator*>(object);
}

nn::init::KaimingOptions kaiming(double a, const std::string& mode, const std::string& nonlinearity,
                                 nb::handle generator) {
  if (mode != "fan_in" && mode != "fan_out") {
    fail<ValueError>(ErrorCode::invalid_value, "kaiming: the mode is \"fan_in\" or \"fan_out\", not \"{}\"",
                     mode)
        .raise();
  }
  return {a, mode == "fan_out", nonlinearity, generator_or_default(generator)};
}

}  // namespace

void add_initialisers(PyObject* module) {
  namespace init = nn::init;
  nb::module_ m = nb::borrow<nb::module_>(module).def_submodule("_init");
  const nb::object none = nb::none();
  m.def(
      "uniform_",
      [](const Tensor& tensor, double a, double b, nb::handle generator) {
        return init::uniform_(tensor, a, b, generator_or_default(generator));
      },
      "tensor"_a, "a"_a = 0.0, "b"_a = 1.0, "generator"_a.none() = none, "U(a, b).");
  m.def(
      "normal_",
      [](const Tensor& tensor, double mean, double std, nb::handle generator) {
        return init::normal_(tensor, mean, std, generator_or_default(generator));
      },
      "tensor"_a, "mean"_a = 0.0, "std"_a = 1.0, "generator"_a.none() = none, "N(mean, std^2).");
  m.def(
      "trunc_normal_",
      [](const Tensor& tensor, double mean, double std, double a, double b, nb::handle generator) {
        return init::trunc_normal_(tensor, mean, std, a, b, generator_or_default(generator));
      },
      "tensor"_a, "mean"_a = 0.0, "std"_a = 1.0, "a"_a = -2.0, "b"_a = 2.0, "generator"_a.none() = none,
      "N(mean, std^2) within [a, b].");
  m.def(
      "constant_", [](const Tensor& tensor, double val) { return init::constant_(tensor, val); }, "tensor"_a,
      "val"_a, "The same value everywhere.");
  m.def("zeros_", [](const Tensor& tensor) { return init::zeros_(tensor); }, "tensor"_a, "Zeros.");
  m.def("ones_", [](const Tensor& tensor) { return init::ones_(tensor); }, "tensor"_a, "Ones.");
  m.def(
      "eye_", [](const Tensor& tensor) { return init::eye_(tensor); }, "tensor"_a,
      "The identity of a matrix.");
  m.def(
      "dirac_", [](const Tensor& tensor, std::int64_t groups) { return init::dirac_(tensor, groups); },
      "tensor"_a, "groups"_a = 1, "The identity of a convolution.");
  m.def(
      "sparse_",
      [](const Tensor& tensor, double sparsity, double std, nb::handle generator) {
        return init::sparse_(tensor, sparsity, std, generator_or_default(generator));
      },
      "tensor"_a, "sparsity"_a, "std"_a = 0.01, "generator"_a.none() = none,
      "N(0, std^2), and the fraction `sparsity` of each column zero.");
  m.def(
      "orthogonal_",
      [](const Tensor& tensor, double gain, nb::handle generator) {
        return init::orthogonal_(tensor, gain, generator_or_default(generator));
      },
      "tensor"_a, "gain"_a = 1.0, "generator"_a.none() = none, "Orthonormal rows or columns, times gain.");
  m.def(
      "xavier_uniform_",
      [](const Tensor& tensor, double gain, nb::handle generator) {
        return init::xavier_uniform_(tensor, gain, generator_or_default(generator));
      },
      "tensor"_a, "gain"_a = 1.0, "generator"_a.none() = none,
      "Uniform, of variance 2 gain^2 / (fan_in + fan_out).");
  m.def(
      "xavier_normal_",
      [](const Tensor& tensor, double gain, nb::handle generator) {
        return init::xavier_normal_(tensor, gain, generator_or_default(generator));
      },
      "tensor"_a, "gain"_a = 1.0, "generator"_a.none() = none,
      "Normal, of variance 2 gain^2 / (fan_in + fan_out).");
  m.def(
      "kaiming_uniform_",
      [](const Tensor& tensor, double a, const std::string& mode, const std::string& nonlinearity,
         nb::handle generator) {
        return init::kaiming_uniform_(tensor, kaiming(a, mode, nonlinearity, generator));
      },
      "tensor"_a, "a"_a = 0.0, "mode"_a = "fan_in", "nonlinearity"_a = "leaky_relu",
      "generator"_a.none() = none, "Uniform, of variance gain^2 / fan.");
  m.def(
      "kaiming_normal_",
      [](const Tensor& tensor, double a, const std::string& mode, const std::string& nonlinearity,
         nb::handle generator) {
        return init::kaiming_normal_(tensor, kaiming(a, mode, nonlinearity, generator));
      },
      "tensor"_a, "a"_a = 0.0, "mode"_a = "fan_in", "nonlinearity"_a = "leaky_relu",
      "generator"_a.none() = none, "Normal, of variance gain^2 / fan.");
  m.def(
      "calculate_gain",
      [](const std::string& nonlinearity, nb::handle param) {
        return param.is_none() ? init::calculate_gain(nonlinearity)
                               : init::calculate_gain(nonlinearity, nb::cast<double>(param));
      },
      "nonlinearity"_a, "param"_a.none() = none,
      "By how much a nonlinearity shrinks the standard deviation.");
}

}  // namespace phlox::python
