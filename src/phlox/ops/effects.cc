#include "phlox/ops/effects.h"

#include <fmt/format.h>

#include <cstdio>
#include <mutex>

#include "phlox/core/print.h"
#include "phlox/core/strided.h"
#include "phlox/ops/primitives/device_kernels.h"
#include "phlox/ops/primitives/primitive.h"
#include "phlox/ops/primitives/rules.h"

namespace phlox {
namespace {

// --- formats

// A piece of a format: a text, and the tensor that stands behind it.
struct Piece {
  std::string text;
  int tensor = -1;
  std::string format;  // what follows the colon
};

[[noreturn]] void refuse_format(const std::string& format, const std::string& why) {
  fail<ValueError>(ErrorCode::invalid_value, "print: {}", why)
      .detail("format", format)
      .hint("{} for each tensor, and {{ for a brace")
      .raise();
}

std::vector<Piece> pieces_of(const std::string& format) {
  std::vector<Piece> pieces(1);
  int next = 0;
  for (std::size_t i = 0; i < format.size(); ++i) {
    const char c = format[i];
    if (c != '{' && c != '}') {
      pieces.back().text += c;
      continue;
    }
    if (i + 1 < format.size() && format[i + 1] == c) {
      pieces.back().text += c;
      ++i;
      continue;
    }
    const std::size_t end = c == '{' ? format.find('}', i) : std::string::npos;
    if (end == std::string::npos) refuse_format(format, "a brace stands alone");
    const std::string field = format.substr(i + 1, end - i - 1);
    const std::size_t colon = std::min(field.find(':'), field.size());
    const std::string number = field.substr(0, colon);
    if (number.size() > 4 || number.find_first_not_of("0123456789") != std::string::npos)
      refuse_format(format, fmt::format("{{{}}} is not the number of a tensor", number));
    Piece& piece = pieces.back();
    piece.tensor = number.empty() ? next++ : std::stoi(number);
    if (colon < field.size()) piece.format = field.substr(colon + 1);
    pieces.emplace_back();
    i = end;
  }
  return pieces;
}

std::string formatted(const Scalar& number, const std::string& format) {
  const std::string field = "{:" + format + "}";
  switch (number.kind()) {
    case Scalar::Kind::boolean: return fmt::format(fmt::runtime(field), number.boolean() ? "True" : "False");
    case Scalar::Kind::integer: return fmt::format(fmt::runtime(field), number.integer());
    case Scalar::Kind::floating: return fmt::format(fmt::runtime(field), number.real());
    case Scalar::Kind::complex: break;
  }
  return fmt::format(fmt::runtime("({0:" + format + "}{1:+" + format + "}j)"), number.real(),
                     number.imaginary());
}

std::string text_of(const Tensor& tensor, const std::string& format) {
  if (!format.empty() && tensor.numel() == 1) return formatted(tensor.item(), format);
  if (tensor.rank() > 0) return to_string(tensor);
  const Scalar number = tensor.item();
  const bool is_real = number.kind() == Scalar::Kind::floating || number.kind() == Scalar::Kind::complex;
  return formatted(number, is_real ? ".6g" : "");
}

Scalar number_like(DType dtype) {
  if (dtype == DType::bool_) return Scalar(true);
  if (is_complex(dtype)) return Scalar(std::complex<double>(0, 0));
  return is_floating(dtype) ? Scalar(0.0) : Scalar(std::int64_t{0});
}

// Throws ValueError where the format does not fit.
void check_format(const std::string& format, std::span<const Tensor* const> tensors) {
  std::vector<bool> used(tensors.size(), false);
  for (const Piece& piece : pieces_of(format)) {
    if (piece.tensor < 0) continue;
    const auto number = static_cast<std::size_t>(piece.tensor);
    if (number >= tensors.size())
      refuse_format(format, fmt::format("the format asks for tensor {}, and there are {}", piece.tensor,
                                        tensors.size()));
    used[number] = true;
    if (piece.format.empty()) continue;
    const Tensor& tensor = *tensors[number];
    if (tensor.numel() != 1)
      refuse_format(format, fmt::format("'{}' formats one number, and tensor {} has {} elements",
                                        piece.format, piece.tensor, tensor.numel()));
    try {
      (void)formatted(number_like(tensor.dtype()), piece.format);
    } catch (const fmt::format_error&) {
      refuse_format(format, fmt::format("'{}' is no format of {}", piece.format, info(tensor.dtype()).name));
    }
  }
  for (std::size_t i = 0; i < used.size(); ++i)
    if (!used[i]) refuse_format(format, fmt::format("nothing in the format stands for tensor {}", i));
}

// --- what happens

std::mutex handler_mutex;
std::function<void(std::string_view)> print_handler;

void write_line(const std::string& line) {
  std::function<void(std::string_view)> handler;
  {
    const std::lock_guard lock(handler_mutex);
    handler = print_handler;
  }
  if (handler) return handler(line);
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fflush(stdout);
}

PHLOX_THREAD_LOCAL bool without_effects = false;

// The tensors without the count in front of them, to be read while no interpreter looks.
TensorList given_tensors(std::span<const Operand> inputs) {
  TensorList tensors;
  for (const Operand& input : inputs.subspan(1)) tensors.push_back(input.tensor().detach());
  return tensors;
}

Tensor next_count(const Tensor& before) {
  return Tensor(Scalar(before.defined() ? before.item<std::int64_t>() + 1 : std::int64_t{1}));
}

// The count after an effect. `happen` is called where it is not only noted.
template <class Happen>
TensorList evaluate_effect(const Primitive& primitive, std::span<const Operand> inputs,
                           const void* attributes, Happen happen) {
  if (without_effects) return {inputs[0].tensor()};
  if (thread_mode.interpreter_count) return interpret(primitive, inputs, attributes);
  if (thread_mode.abstract) {
    abstract_evaluation.needs_values = true;
    return {make_tensor({}, DType::int64, Device{})};
  }
  happen(given_tensors(inputs));
  return {next_count(inputs[0].tensor())};
}

struct PrintAttributes {
  std::string format;
  template <class Visitor>
  void visit(Visitor& v) {
    v("format", format);
  }
};

TensorList evaluate_print(std::span<const Operand> inputs, const void* attributes);
PHLOX_PRIMITIVE(print, 6, evaluate_print, PrintAttributes);

TensorList evaluate_print(std::span<const Operand> inputs, const void* attributes) {
  return evaluate_effect(print_primitive, inputs, attributes, [&](const TensorList& tensors) {
    std::string line;
    for (const Piece& piece : pieces_of(static_cast<const PrintAttributes*>(attributes)->format)) {
      line += piece.text;
      if (piece.tensor >= 0) line += text_of(tensors[static_cast<std::size_t>(piece.tensor)], piece.format);
    }
    write_line(line + '\n');
  });
}

// A function of the program. It is no value, so only its name can be written.
struct CallbackAttributes {
  std::string name;
  std::shared_ptr<const std::function<void(const TensorList&)>> function;
  template <class Visitor>
  void visit(Visitor& v) {
    v("name", name);
  }
};

TensorList evaluate_callback(std::span<const Operand> inputs, const void* attributes);
PHLOX_PRIMITIVE(callback, 7, evaluate_callback, CallbackAttributes);

TensorList evaluate_callback(std::span<const Operand> inputs, const void* attributes) {
  return evaluate_effect(callback_primitive, inputs, attributes, [&](TensorList tensors) {
    for (Tensor& tensor : tensors) tensor = tensor.clone();  // a graph uses their memory again
    const EnableGrad as_outside_of_graphs;
    (*static_cast<const CallbackAttributes*>(attributes)->function)(tensors);
  });
}

void check_inputs(const PrimitiveCall& call) {
  call.require(call.count() > 0, "no inputs");
  if (const Tensor* count = call.optional_tensor(0)) {
    call.require_dtype("the count of effects", *count, DType::int64);
    call.require(count->rank() == 0, "the count of effects is not i64[]");
  }
  for (std::size_t i = 1; i < call.count(); ++i) call.tensor(i);
}

void check_print(const PrimitiveCall& call) {
  check_inputs(call);
  std::vector<const Tensor*> tensors;
  for (std::size_t i = 1; i < call.count(); ++i) tensors.push_back(&call.tensor(i));
  try {
    check_format(call.attributes<PrintAttributes>().format, tensors);
  } catch (const ValueError& error) {
    call.require(false, "{}", error.summary());
  }
}
PHLOX_PRIMITIVE_RULE(print, check_print);

void check_callback(const PrimitiveCall& call) {
  check_inputs(call);
  const auto& a = call.attributes<CallbackAttributes>();
  call.require(
      a.function != nullptr,
      "the function \"{}\" is an object of the program that captured it, which no text or file holds",
      a.name);
}
PHLOX_PRIMITIVE_RULE(callback, check_callback);

std::vector<Operand> operands_of(const TensorList& tensors) {
  static const Tensor no_count;
  std::vector<Operand> operands{no_count};
  for (const Tensor& tensor : tensors) operands.emplace_back(tensor);
  return operands;
}

}  // namespace

void debug_print(const std::string& format, const TensorList& tensors) {
  std::vector<const Tensor*> given;
  for (const Tensor& tensor : tensors) given.push_back(&tensor);
  check_format(format, given);
  const PrintAttributes attributes{format};
  evaluate_print(operands_of(tensors), &attributes);
}

void debug_callback(std::function<void(const TensorList&)> function, const TensorList& tensors,
                    std::string name) {
  const CallbackAttributes attributes{
      std::move(name), std::make_shared<const std::function<void(const TensorList&)>>(std::move(function))};
  evaluate_callback(operands_of(tensors), &attributes);
}

void set_print_handler(std::function<void(std::string_view)> handler) {
  const std::lock_guard lock(handler_mutex);
  print_handler = std::move(handler);
}

bool is_effect(const Primitive& primitive) {
  return &primitive == &print_primitive || &primitive == &callback_primitive;
}

WithoutEffects::WithoutEffects() : before_(std::exchange(without_effects, true)) {}
WithoutEffects::~WithoutEffects() { without_effects = before_; }

}  // namespace phlox
