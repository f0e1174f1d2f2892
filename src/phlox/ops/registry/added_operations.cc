#include "phlox/ops/registry/added_operations.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>

namespace phlox {
namespace {

struct Added : Operation {
  std::string name_text, signature_text, doc_text, source_text;
  std::vector<ParameterKind> kind_list;
  std::function<Result(std::span<const Value>)> function;
  PointwiseTraits traits_of_pointwise;
  std::shared_ptr<const std::vector<Parameter>> parameters;
};

struct AddedFunction {
  std::string name;
  math::ExpressionProgram program;
  PointwiseTraits traits;
  PointwiseFunction function;
};

template <class T>
class ByName {
 public:
  const T* find(std::string_view name) const {
    const std::shared_lock lock(mutex_);
    const auto found = entries_.find(name);
    return found == entries_.end() ? nullptr : found->second;
  }
  void put(const std::string& name, const T* entry) {
    const std::unique_lock lock(mutex_);
    entries_.insert_or_assign(name, entry);
  }

 private:
  mutable std::shared_mutex mutex_;
  std::map<std::string, const T*, std::less<>> entries_;
};

// To the end of the process, as threads may call operations while it ends.
ByName<Added>& added() {
  static auto& all = *new ByName<Added>;
  return all;
}
ByName<PointwiseFunction>& added_functions() {
  static auto& all = *new ByName<PointwiseFunction>;
  return all;
}

[[noreturn]] void refuse(const std::string& name, const std::string& why, const char* hint) {
  fail<ValueError>(ErrorCode::invalid_value, "the operation {} cannot be added: {}", name, why)
      .hint(hint)
      .raise();
}

constexpr const char* signature_hint =
    "\"(Tensor input, int width = 3, float scale = 1.0, bool flag = False)\"";

void check_name(const std::string& name) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  const bool is_word =
      !name.empty() && is_letter(name[0]) &&
      std::all_of(name.begin(), name.end(), [&](char c) { return is_letter(c) || (c >= '0' && c <= '9'); });
  if (!is_word) refuse(name, "its name is no word", "letters, digits and underscores, first a letter");
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

struct TypeName {
  std::string_view name;
  const char* in_cpp;
  ParameterKind kind;
};
constexpr TypeName type_names[] = {
    {"Tensor", "const Tensor& ", ParameterKind::tensor}, {"int", "std::int64_t ", ParameterKind::integer},
    {"float", "double ", ParameterKind::floating},       {"bool", "bool ", ParameterKind::boolean},
    {"str", "const std::string& ", ParameterKind::text},
};

bool is_number(std::string_view text, bool is_float) {
  const std::string number(text);
  char* end = nullptr;
  if (is_float) std::strtod(number.c_str(), &end);
  else std::strtoll(number.c_str(), &end, 10);
  return !number.empty() && *end == 0;
}

// The default value as the registry writes it.
std::string default_in_cpp(const Added& operation, ParameterKind kind, std::string_view text) {
  const bool is_text = text.size() >= 2 && (text.front() == '"' || text.front() == '\'') &&
                       text.back() == text.front() && text.find(',') == std::string_view::npos;
  if (kind == ParameterKind::text && is_text) return '"' + std::string(text.substr(1, text.size() - 2)) + '"';
  if (kind == ParameterKind::boolean && (text == "True" || text == "true")) return "true";
  if (kind == ParameterKind::boolean && (text == "False" || text == "false")) return "false";
  if (kind == ParameterKind::integer && is_number(text, false)) return std::string(text);
  if (kind == ParameterKind::floating && is_number(text, true)) return std::string(text);
  refuse(operation.name_text, "'" + std::string(text) + "' is no default value of its parameter",
         signature_hint);
}

void read_signature(Added& operation, std::string_view text) {
  text = trimmed(text);
  const auto fail_here = [&](const std::string& why) { refuse(operation.name_text, why, signature_hint); };
  if (text.size() < 2 || text.front() != '(' || text.back() != ')')
    fail_here("its signature has no brackets");
  text = text.substr(1, text.size() - 2);
  bool has_default = false;
  for (operation.signature_text = "("; !trimmed(text).empty();) {
    const std::size_t comma = std::min(text.find(','), text.size());
    const std::string_view part = trimmed(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
    const std::size_t equals = std::min(part.find('='), part.size());
    const std::string_view declared = trimmed(part.substr(0, equals));
    const std::size_t space = std::min(declared.find(' '), declared.size());
    const auto type = std::find_if(std::begin(type_names), std::end(type_names),
                                   [&](const TypeName& t) { return t.name == declared.substr(0, space); });
    if (type == std::end(type_names))
      fail_here("'" + std::string(declared) + "' does not begin with Tensor, int, float, bool or str");
    const std::string name(trimmed(declared.substr(space)));
    check_name(name);
    if (operation.signature_text.size() > 1) operation.signature_text += ", ";
    operation.signature_text += type->in_cpp + name;
    if (equals < part.size()) {
      if (type->kind == ParameterKind::tensor) fail_here("a tensor has no default value");
      operation.signature_text +=
          " = " + default_in_cpp(operation, type->kind, trimmed(part.substr(equals + 1)));
      has_default = true;
    } else if (has_default) {
      fail_here("'" + name + "' has no default value, but a parameter before it has");
    }
    operation.kind_list.push_back(type->kind);
  }
  operation.signature_text += ")";
}

Result call_added(std::span<const Value> arguments, const Operation& self) {
  const auto& operation = static_cast<const Added&>(self);
  std::vector<Value> filled(arguments.begin(), arguments.end());
  for (std::size_t i = 0; i < filled.size(); ++i)
    if (filled[i].kind == Value::Kind::missing) filled[i] = (*operation.parameters)[i].default_value;
  return operation.function(filled);
}

Result call_pointwise(const PointwiseFunction& function, std::span<const Value> arguments) {
  std::vector<Operand> inputs;
  std::vector<KernelScalar> scalars;
  for (const Value& value : arguments) {
    if (value.kind == Value::Kind::tensor) inputs.emplace_back(*value.tensor);
    else if (value.kind == Value::Kind::integer) scalars.push_back(kernel_scalar(value.integer));
    else scalars.push_back(kernel_scalar(value.floating));
  }
  return apply_pointwise(function, inputs, scalars);
}

// What each argument of an opcode is, and its result: 'v' a value, 'm' a truth value.
const char* kinds_of(math::Opcode opcode) {
  switch (opcode) {
#define PHLOX_UNARY(name, cost) \
  case math::Opcode::name: return "vv";
    PHLOX_UNARY_OPCODES(PHLOX_UNARY)
#undef PHLOX_UNARY
#define PHLOX_BINARY(name, cost) \
  case math::Opcode::name: return "vvv";
    PHLOX_BINARY_OPCODES(PHLOX_BINARY)
#undef PHLOX_BINARY
#define PHLOX_COMPARISON(name, cost) \
  case math::Opcode::name: return "vvm";
    PHLOX_COMPARISON_OPCODES(PHLOX_COMPARISON)
#undef PHLOX_COMPARISON
    case math::Opcode::mask_not: return "mm";
    case math::Opcode::mask_and:
    case math::Opcode::mask_or:
    case math::Opcode::mask_xor: return "mmm";
    case math::Opcode::select: return "mvvv";
    default: return "v";
  }
}

// Whether somebody else's expression is one.
void check_program(const std::string& name, const math::ExpressionProgram& program, int tensors,
                   int scalars) {
  const auto demand = [&](bool condition) {
    if (!condition) refuse(name, "its expression is none", "build it with PHLOX_EXTENSION_POINTWISE");
  };
  demand(program.count > 0 && program.count <= math::body_capacity && tensors > 0 &&
         tensors <= max_pointwise_inputs / 2 && scalars >= 0 && scalars <= max_pointwise_scalars);
  demand(program.result >= 0 && program.result < program.count);
  std::string kinds;  // of the results so far
  for (int i = 0; i < program.count; ++i) {
    const math::ExpressionNode& node = program.nodes[i];
    const std::string_view signature = kinds_of(node.opcode);
    for (std::size_t a = 0; a + 1 < signature.size(); ++a) {
      demand(node.arguments[a] >= 0 && node.arguments[a] < i);
      demand(kinds[static_cast<std::size_t>(node.arguments[a])] == signature[a]);
    }
    const int places = node.opcode == math::Opcode::input ? tensors : scalars;
    if (node.opcode == math::Opcode::input || node.opcode == math::Opcode::scalar)
      demand(node.value >= 0 && node.value < places && node.value == static_cast<int>(node.value));
    kinds += signature.back();
  }
  demand((kinds[static_cast<std::size_t>(program.result)] == 'm') == program.is_mask);
}

// Checks the operation; nobody finds it yet.
std::unique_ptr<Added> make_added(NewOperation operation) {
  check_name(operation.name);
  auto made = std::make_unique<Added>();
  Added& entry = *made;
  entry.name_text = std::move(operation.name);
  entry.doc_text = std::move(operation.doc);
  entry.source_text = std::move(operation.source);
  if (const Operation* taken = find_operation(entry.name_text); taken && !detail::added_parameters(*taken))
    refuse(entry.name_text, "the library has an operation of this name", "give it another name");
  read_signature(entry, operation.signature);
  entry.name = entry.name_text.c_str();
  entry.signature = entry.signature_text.c_str();
  entry.traits.doc = entry.doc_text.c_str();
  entry.traits.source = entry.source_text.c_str();
  entry.file = "";
  entry.pointwise = operation.pointwise;
  entry.call = call_added;
  entry.kinds = entry.kind_list.data();
  entry.parameter_count = static_cast<int>(entry.kind_list.size());
  entry.result = operation.result;
  entry.function = std::move(operation.function);
  if (entry.pointwise) {
    entry.traits_of_pointwise = *entry.pointwise->traits;
    entry.traits_of_pointwise.doc = entry.doc_text.c_str();
    entry.traits_of_pointwise.source = entry.source_text.c_str();
    entry.pointwise_traits = &entry.traits_of_pointwise;
    entry.function = [function = entry.pointwise](std::span<const Value> arguments) {
      return call_pointwise(*function, arguments);
    };
  }
  entry.parameters = detail::parse_parameters(entry);
  return made;
}

// Lives as long as the process: graphs and programs hold on to it.
const Operation& put_added(std::unique_ptr<Added> made) {
  Added& entry = *made.release();
  added().put(entry.name_text, &entry);
  return entry;
}

// The tensors of a kernel come first, as many as it takes.
void check_parameters_of_kernel(const Added& operation, std::optional<int> inputs) {
  const std::vector<ParameterKind>& kinds = operation.kind_list;
  const auto is_tensor = [](ParameterKind kind) { return kind == ParameterKind::tensor; };
  const auto numbers = std::find_if_not(kinds.begin(), kinds.end(), is_tensor);
  const auto is_number = [&](ParameterKind kind) { return !is_tensor(kind) && kind != ParameterKind::text; };
  if (numbers == kinds.begin() || !std::all_of(numbers, kinds.end(), is_number))
    refuse(operation.name_text, "a kernel takes tensors first, then numbers", signature_hint);
  if (const auto tensors = numbers - kinds.begin(); inputs && tensors != *inputs)
    refuse(operation.name_text, fmt::format("its signature has {} tensors, its kernel {}", tensors, *inputs),
           "declare the tensors that the kernel takes");
}

}  // namespace

const Operation& add_operation(NewOperation operation) { return put_added(make_added(std::move(operation))); }

const Operation& add_kernel_operation(CustomKernel kernel, const std::string& signature,
                                      const std::string& doc, int results, std::optional<int> inputs) {
  const auto function = [name = kernel.name](std::span<const Value> arguments) -> Result {
    TensorList tensors;
    std::vector<Scalar> numbers;
    for (const Value& value : arguments) {
      if (value.kind == Value::Kind::tensor) tensors.push_back(*value.tensor);
      else detail::Unbox<Scalar>::get(value, numbers.emplace_back());
    }
    TensorList found = apply_custom(name, tensors, numbers);
    if (found.size() == 1) return std::move(found[0]);
    return found;
  };
  std::unique_ptr<Added> operation =
      make_added({.name = kernel.name,
                  .signature = signature,
                  .doc = doc,
                  .function = function,
                  .result = results == 1 ? ResultKind::tensor : ResultKind::tuple});
  check_parameters_of_kernel(*operation, inputs);
  add_custom_kernel(std::move(kernel));
  return put_added(std::move(operation));
}

const Operation* find_added_operation(std::string_view name) { return added().find(name); }

const PointwiseFunction& add_pointwise_function(const std::string& name,
                                                const math::ExpressionProgram& program, int tensors,
                                                int scalars, PointwiseTraits traits) {
  check_name(name);
  if (find_pointwise_function(name) && !find_added_pointwise_function(name))
    refuse(name, "the library has an operation of this name", "give it another name");
  check_program(name, program, tensors, scalars);
  auto& entry = *new AddedFunction{name, program, traits, {}};
  entry.function.name = entry.name.c_str();
  entry.function.program = &entry.program;
  entry.function.tensors = static_cast<std::uint8_t>(tensors);
  entry.function.scalars = static_cast<std::uint8_t>(scalars);
  entry.function.traits = &entry.traits;
  added_functions().put(name, &entry.function);
  return entry.function;
}

const PointwiseFunction* find_added_pointwise_function(std::string_view name) {
  return added_functions().find(name);
}

const std::vector<Parameter>* detail::added_parameters(const Operation& operation) {
  return operation.call == call_added ? static_cast<const Added&>(operation).parameters.get() : nullptr;
}

}  // namespace phlox
