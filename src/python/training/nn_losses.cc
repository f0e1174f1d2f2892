// Activations and losses as modules: for each class its constructor with PyTorch's argument names.

#include "python/training/module_class.h"
#include "python/training/nn.h"
#include "phlox/nn/activation.h"
#include "phlox/nn/loss.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace phlox::python {

namespace {

template <class Layer>
void add_activation(nb::module_& m, const char* name) {
  add_layer<Layer>(m, name,
                   "An activation, element by element; any shape. Its function has the same name in small "
                   "letters.\n\n"
                   "Example:\n"
                   "    nn.ReLU()(px.zeros(2, 3)).shape  # [2, 3]",
                   [](const Maker<Layer>& make) { make(); });
}

template <class Layer, class... Arguments, class... Named>
void add_activation(nb::module_& m, const char* name, const Named&... named) {
  add_layer<Layer>(
      m, name,
      "An activation with settings; the result has the shape of the input, and half of it along `dim` for GLU.\n\n"
      "With `inplace` it overwrites the input.\n\n"
      "Example:\n"
      "    nn.Softmax(dim=1)(px.zeros(2, 3)).shape  # [2, 3]",
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
          "input"_a, "target"_a, "The loss, 0-d; for reduction \"none\" one for each element or example.");
}

using String = std::string;

void add_losses(nb::module_& m) {
  add_loss<nn::CrossEntropyLoss>(
      m, "CrossEntropyLoss",
      "Softmax, logarithm and NLLLoss in one: scores [N, C, ...] and classes int64[N, ...] or "
      "probabilities [N, C, ...].\n\n"
      "`weight` [C] counts classes unequally, targets of ignore_index do not count, label_smoothing "
      "spreads a share over all classes. Raises IndexError for classes out of range.\n\n"
      "Example:\n"
      "    nn.CrossEntropyLoss()(px.zeros(8, 3), px.zeros(8, dtype=px.int64)).shape  # []",
      [](const Maker<nn::CrossEntropyLoss>& make, const Tensor& weight, std::int64_t ignore_index,
         const String& reduction, double label_smoothing) {
        make(nn::CrossEntropyOptions{weight, ignore_index, reduction, label_smoothing});
      },
      "weight"_a.none() = nb::none(), "ignore_index"_a = -100, "reduction"_a = "mean",
      "label_smoothing"_a = 0.0);
  add_loss<nn::NLLLoss>(
      m, "NLLLoss",
      "Minus the logarithm of the right class's probability: logarithms [N, C, ...] and classes "
      "int64[N, ...].\n\n"
      "Example:\n"
      "    nn.NLLLoss()(px.zeros(8, 3), px.zeros(8, dtype=px.int64)).shape  # []",
      [](const Maker<nn::NLLLoss>& make, const Tensor& weight, std::int64_t ignore_index,
         const String& reduction) { make(nn::NLLOptions{weight, ignore_index, reduction}); },
      "weight"_a.none() = nb::none(), "ignore_index"_a = -100, "reduction"_a = "mean");
  add_loss<nn::MSELoss>(
      m, "MSELoss",
      "The mean square of the differences of two tensors of one shape.\n\n"
      "Example:\n"
      "    nn.MSELoss()(px.zeros(8, 3), px.zeros(8, 3)).shape  # []",
      [](const Maker<nn::MSELoss>& make, const String& reduction) { make(reduction); },
      "reduction"_a = "mean");
  add_loss<nn::L1Loss>(
      m, "L1Loss",
      "The mean of the absolute differences of two tensors of one shape.\n\n"
      "Example:\n"
      "    nn.L1Loss()(px.zeros(8, 3), px.zeros(8, 3)).shape  # []",
      [](const Maker<nn::L1Loss>& make, const String& reduction) { make(reduction); },
      "reduction"_a = "mean");
  add_loss<nn::HuberLoss>(
      m, "HuberLoss",
      "Half the square of a difference below delta, delta times its absolute value above.\n\n"
      "Example:\n"
      "    nn.HuberLoss()(px.zeros(8, 3), px.zeros(8, 3)).shape  # []\n\n"
      "Source: Huber 1964.",
      [](const Maker<nn::HuberLoss>& make, const String& reduction, double delta) { make(delta, reduction); },
      "reduction"_a = "mean", "delta"_a = 1.0);
  add_loss<nn::SmoothL1Loss>(
      m, "SmoothL1Loss",
      "HuberLoss of delta = beta, divided by beta.\n\n"
      "Example:\n"
      "    nn.SmoothL1Loss()(px.zeros(8, 3), px.zeros(8, 3)).shape  # []",
      [](const Maker<nn::SmoothL1Loss>& make, const String& reduction, double beta) {
        make(beta, reduction);
      },
      "reduction"_a = "mean", "beta"_a = 1.0);
  add_loss<nn::BCELoss>(
      m, "BCELoss",
      "Binary cross-entropy of probabilities and targets from 0 to 1, of one shape.\n\n"
      "Example:\n"
      "    nn.BCELoss()(px.full((8,), 0.5), px.zeros(8)).shape  # []",
      [](const Maker<nn::BCELoss>& make, const Tensor& weight, const String& reduction) {
        make(reduction, weight);
      },
      "weight"_a.none() = nb::none(), "reduction"_a = "mean");
  add_loss<nn::BCEWithLogitsLoss>(
      m, "BCEWithLogitsLoss",
      "Binary cross-entropy of scores, without overflow, and targets from 0 to 1, of one shape. "
      "`pos_weight` weighs what is positive.\n\n"
      "Example:\n"
      "    nn.BCEWithLogitsLoss()(px.zeros(8), px.zeros(8)).shape  # []",
      [](const Maker<nn::BCEWithLogitsLoss>& make, const Tensor& weight, const String& reduction,
         const Tensor& pos_weight) { make(nn::BCEWithLogitsOptions{weight, pos_weight, reduction}); },
      "weight"_a.none() = nb::none(), "reduction"_a = "mean", "pos_weight"_a.none() = nb::none());
  add_loss<nn::KLDivLoss>(
      m, "KLDivLoss",
      "target * (log target - input), averaged; the input holds logarithms, the target too with "
      "log_target.\n\n"
      "The reduction \"batchmean\" divides the sum by the first dimension, which is the divergence's "
      "definition.\n\n"
      "Example:\n"
      "    nn.KLDivLoss(\"batchmean\")(px.zeros(8, 3), px.full((8, 3), 1 / 3)).shape  # []",
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
      m, "Hardtanh",
      "The input, brought into [min_val, max_val]; any shape. With `inplace` the result overwrites the input.\n\n"
      "Example:\n"
      "    nn.Hardtanh()(px.zeros(2, 3)).shape  # [2, 3]",
      [](const Maker<nn::Hardtanh>& make, double low, double high, bool inplace) {
        make(low, high, inplace);
      },
      "min_val"_a = -1.0, "max_val"_a = 1.0, "inplace"_a = false);
  add_layer<nn::Softplus>(
      m, "Softplus",
      "log(1 + exp(beta x)) / beta, and x itself where beta x > threshold; any shape.\n\n"
      "Example:\n"
      "    nn.Softplus()(px.zeros(2, 3)).shape  # [2, 3]",
      [](const Maker<nn::Softplus>& make, double beta, double threshold) { make(beta, threshold); },
      "beta"_a = 1.0, "threshold"_a = 20.0);
  add_layer<nn::PReLU>(
      m, "PReLU",
      "x where positive, a learned weight * x elsewhere: one weight, or one for each of num_parameters "
      "channels.\n\n"
      "Example:\n"
      "    nn.PReLU(3)(px.zeros(2, 3)).shape  # [2, 3]\n\n"
      "Source: He et al. 2015, arXiv:1502.01852.",
      [](const Maker<nn::PReLU>& make, std::int64_t count, double init) { make(count, init); },
      "num_parameters"_a = 1, "init"_a = 0.25);
  add_losses(m);
}

}  // namespace phlox::python
