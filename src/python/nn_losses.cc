// Activations and losses as modules: for each class its constructor with PyTorch's argument names.

#include "module_class.h"
#include "nn.h"
#include "phlox/nn/activation.h"
#include "phlox/nn/loss.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace phlox::python {

namespace {

template <class Layer>
void add_activation(nb::module_& m, const char* name) {
  add_layer<Layer>(m, name, "An activation, element by element.", [](const Maker<Layer>& make) { make(); });
}

template <class Layer, class... Arguments, class... Named>
void add_activation(nb::module_& m, const char* name, const Named&... named) {
  add_layer<Layer>(
      m, name, "An activation with settings; with `inplace` the result overwrites the input.",
      [](const Maker<Layer>& make, Arguments... values) { make(values...); }, named...);
}

// A loss of a prediction and a target.
template <class Loss, class Make, class... Named>
void add_loss(nb::module_& m, const char* name, const char* documentation, const Make& make,
              const Named&... named) {
  add_layer<Loss>(m, name, documentation, make, named...)
      .def(
          "forward",
          [](Loss& self, const Tensor& input, const Tensor& target) {
            nb::gil_scoped_release release;
            return self.Loss::forward(input, target);
          },
          "input"_a, "target"_a);
}

using String = std::string;

void add_losses(nb::module_& m) {
  add_loss<nn::CrossEntropyLoss>(
      m, "CrossEntropyLoss",
      "Softmax, logarithm and NLLLoss in one: scores [N, C, ...] and classes int64[N, ...].",
      [](const Maker<nn::CrossEntropyLoss>& make, const Tensor& weight, std::int64_t ignore_index,
         const String& reduction, double label_smoothing) {
        make(nn::CrossEntropyOptions{weight, ignore_index, reduction, label_smoothing});
      },
      "weight"_a.none() = nb::none(), "ignore_index"_a = -100, "reduction"_a = "mean",
      "label_smoothing"_a = 0.0);
  add_loss<nn::NLLLoss>(
      m, "NLLLoss", "Of logarithms of probabilities [N, C, ...] and classes int64[N, ...].",
      [](const Maker<nn::NLLLoss>& make, const Tensor& weight, std::int64_t ignore_index,
         const String& reduction) { make(nn::NLLOptions{weight, ignore_index, reduction}); },
      "weight"_a.none() = nb::none(), "ignore_index"_a = -100, "reduction"_a = "mean");
  add_loss<nn::MSELoss>(
      m, "MSELoss", "The mean square of the differences.",
      [](const Maker<nn::MSELoss>& make, const String& reduction) { make(reduction); },
      "reduction"_a = "mean");
  add_loss<nn::L1Loss>(
      m, "L1Loss", "The mean of the absolute differences.",
      [](const Maker<nn::L1Loss>& make, const String& reduction) { make(reduction); },
      "reduction"_a = "mean");
  add_loss<nn::HuberLoss>(
      m, "HuberLoss", "Squares below delta, absolute values above.",
      [](const Maker<nn::HuberLoss>& make, const String& reduction, double delta) { make(delta, reduction); },
      "reduction"_a = "mean", "delta"_a = 1.0);
  add_loss<nn::SmoothL1Loss>(
      m, "SmoothL1Loss", "HuberLoss divided by beta.",
      [](const Maker<nn::SmoothL1Loss>& make, const String& reduction, double beta) {
        make(beta, reduction);
      },
      "reduction"_a = "mean", "beta"_a = 1.0);
  add_loss<nn::BCELoss>(
      m, "BCELoss", "Binary cross-entropy of probabilities.",
      [](const Maker<nn::BCELoss>& make, const Tensor& weight, const String& reduction) {
        make(reduction, weight);
      },
      "weight"_a.none() = nb::none(), "reduction"_a = "mean");
  add_loss<nn::BCEWithLogitsLoss>(
      m, "BCEWithLogitsLoss", "Binary cross-entropy of scores.",
      [](const Maker<nn::BCEWithLogitsLoss>& make, const Tensor& weight, const String& reduction,
         const Tensor& pos_weight) { make(nn::BCEWithLogitsOptions{weight, pos_weight, reduction}); },
      "weight"_a.none() = nb::none(), "reduction"_a = "mean", "pos_weight"_a.none() = nb::none());
  add_loss<nn::KLDivLoss>(
      m, "KLDivLoss", "target * (log target - input); the input holds logarithms.",
      [](const Maker<nn::KLDivLoss>& make, const String& reduction, bool log_target) {
        make(reduction, log_target);
      },
      "reduction"_a = "mean", "log_target"_a = false);
}

}  // namespace

void add_activations_and_losses(PyObject* module) {
  nb::module_ m = nb::borrow<nb::module_>(module);
  add_activation<nn::ReLU, bool>(m, "ReLU", "inplace"_a = false);
  add_activation<nn::ReLU6, bool>(m, "ReLU6", "inplace"_a = false);
  add_activation<nn::SELU, bool>(m, "SELU", "inplace"_a = false);
  add_activation<nn::SiLU, bool>(m, "SiLU", "inplace"_a = false);
  add_activation<nn::Mish, bool>(m, "Mish", "inplace"_a = false);
  add_activation<nn::Hardswish, bool>(m, "Hardswish", "inplace"_a = false);
  add_activation<nn::Hardsigmoid, bool>(m, "Hardsigmoid", "inplace"_a = false);
  add_activation<nn::Sigmoid>(m, "Sigmoid");
  add_activation<nn::LogSigmoid>(m, "LogSigmoid");
  add_activation<nn::Tanh>(m, "Tanh");
  add_activation<nn::Softsign>(m, "Softsign");
  add_activation<nn::LeakyReLU, double, bool>(m, "LeakyReLU", "negative_slope"_a = 0.01, "inplace"_a = false);
  add_activation<nn::ELU, double, bool>(m, "ELU", "alpha"_a = 1.0, "inplace"_a = false);
  add_activation<nn::CELU, double, bool>(m, "CELU", "alpha"_a = 1.0, "inplace"_a = false);
  add_activation<nn::GELU, String>(m, "GELU", "approximate"_a = "none");
  add_activation<nn::Softmax, std::int64_t>(m, "Softmax", "dim"_a = -1);
  add_activation<nn::LogSoftmax, std::int64_t>(m, "LogSoftmax", "dim"_a = -1);
  add_activation<nn::GLU, std::int64_t>(m, "GLU", "dim"_a = -1);
  add_layer<nn::Hardtanh>(
      m, "Hardtanh", "The input within [min_val, max_val].",
      [](const Maker<nn::Hardtanh>& make, double low, double high, bool inplace) {
        make(low, high, inplace);
      },
      "min_val"_a = -1.0, "max_val"_a = 1.0, "inplace"_a = false);
  add_layer<nn::Softplus>(
      m, "Softplus", "log(1 + exp(beta x)) / beta.",
      [](const Maker<nn::Softplus>& make, double beta, double threshold) { make(beta, threshold); },
      "beta"_a = 1.0, "threshold"_a = 20.0);
  add_layer<nn::PReLU>(
      m, "PReLU", "x where positive, a learned weight * x elsewhere.",
      [](const Maker<nn::PReLU>& make, std::int64_t count, double init) { make(count, init); },
      "num_parameters"_a = 1, "init"_a = 0.25);
  add_losses(m);
}

}  // namespace phlox::python
