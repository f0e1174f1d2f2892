#include "phlox/ops/registry/operation.h"

#include "phlox/ops/registry/added_operations.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cmath>
#include <memory>
#include <unordered_map>

namespace phlox {

const char* to_string(Family family) {
  switch (family) {
    case Family::pointwise: return "pointwise";
    case Family::creation: return "creation";
    case Family::view: return "view";
    case Family::join: return "join";
    case Family::index: return "index";
    case Family::reduction: return "reduction";
    case Family::scan: return "scan";
    case Family::sort: return "sort";
    case Family::matmul: return "matmul";
    case Family::convolution: return "convolution";
    case Family::pooling: return "pooling";
    case Family::normalization: return "normalization";
    case Family::activation: return "activation";
    case Family::loss: return "loss";
    case Family::random: return "random";
    case Family::linalg: return "linalg";
    case Family::fft: return "fft";
    case Family::conversion: return "conversion";
    case Family::in_place: return "in-place";
  }
  return "";
}

std::span<const Operation* const> operations() {
  static const std::vector<const Operation*> all = [] {
    std::vector<const Operation*> found;
    for (const Operation& o : PHLOX_TABLE_SPAN(phlox_operations)) found.push_back(&o);
    std::sort(found.begin(), found.end(),
              [](auto* a, auto* b) { return std::string_view(a->name) < std::string_view(b->name); });
    return found;
  }();
  return all;
}

namespace {

std::vector<std::string_view> words(std::string_view text) {
  std::vector<std::string_view> found;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    if (end > 0) found.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return found;
}

}  // namespace

const Operation* find_operation(std::string_view name) {
  static const std::unordered_map<std::string_view, const Operation*> by_name = [] {
    std::unordered_map<std::string_view, const Operation*> map;
    for (const Operation* o : operations()) {
      for (std::string_view alias : words(o->alias())) map.emplace(alias, o);
    }
    for (const Operation* o : operations()) map.insert_or_assign(o->name, o);
    return map;
  }();
  const auto found = by_name.find(name);
  return found == by_name.end() ? find_added_operation(name) : found->second;
}

// --- reading a signature -------------------------------------------------------------------------------------------

namespace {

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

// Cuts at commas outside of brackets and strings.
std::vector<std::string_view> split_arguments(std::string_view text) {
  std::vector<std::string_view> parts;
  int depth = 0;
  bool quoted = false;
  std::size_t start = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') quoted = !quoted;
    if (quoted) continue;
    if (c == '(' || c == '[' || c == '{' || c == '<') ++depth;
    if (c == ')' || c == ']' || c == '}' || c == '>') --depth;
    if (c == ',' && depth == 0) {
      parts.push_back(trimmed(text.substr(start, i - start)));
      start = i + 1;
    }
  }
  if (!trimmed(text.substr(start)).empty()) parts.push_back(trimmed(text.substr(start)));
  return parts;
}

// Lives as long as the registry, because values borrow.
struct ParsedSignature {
  std::vector<Parameter> parameters;
  std::vector<std::unique_ptr<std::string>> texts;
  std::vector<std::unique_ptr<std::vector<std::int64_t>>> integers;
};

bool is_list(ParameterKind kind) {
  return kind == ParameterKind::integers || kind == ParameterKind::optional_integers;
}

void read_default(ParsedSignature& parsed, Parameter& parameter, std::string_view text) {
  Value& value = parameter.default_value;
  if (text == "{}" && is_list(parameter.kind) && parameter.kind == ParameterKind::integers) {
    parsed.integers.push_back(std::make_unique<std::vector<std::int64_t>>());
    value.kind = Value::Kind::integers;
    value.integers = parsed.integers.back().get();
    parameter.default_text = "()";
  } else if (text == "{}" && parameter.kind == ParameterKind::tensors) {
    static const TensorList nothing;
    value.kind = Value::Kind::tensors;
    value.tensors = &nothing;
    parameter.default_text = "()";
  } else if (text == "{}" || text == "std::nullopt" || text == "nullptr") {
    value.kind = Value::Kind::none;
    parameter.default_text = "None";
  } else if (text == "true" || text == "false") {
    value.kind = Value::Kind::boolean;
    value.boolean = text == "true";
    parameter.default_text = value.boolean ? "True" : "False";
  } else if (text.front() == '"') {
    parsed.texts.push_back(std::make_unique<std::string>(text.substr(1, text.size() - 2)));
    value.kind = Value::Kind::text;
    value.text = parsed.texts.back().get();
    parameter.default_text = "'" + *value.text + "'";
  } else if (text.front() == '{') {
    auto list = std::make_unique<std::vector<std::int64_t>>();
    for (std::string_view item : split_arguments(text.substr(1, text.size() - 2)))
      list->push_back(std::stoll(std::string(item)));
    parsed.integers.push_back(std::move(list));
    value.kind = Value::Kind::integers;
    value.integers = parsed.integers.back().get();
    parameter.default_text = "(";
    for (std::int64_t v : *value.integers) parameter.default_text += std::to_string(v) + ", ";
    parameter.default_text += ")";
  } else if (text.starts_with("DType::")) {
    value.kind = Value::Kind::dtype;
    value.dtype = parse_dtype(text.substr(7));
    parameter.default_text = std::string(info(value.dtype).name);
  } else if (text == "infinity" || text == "-infinity") {
    value.kind = Value::Kind::floating;
    value.floating = text.front() == '-' ? -INFINITY : INFINITY;
    parameter.default_text = text.front() == '-' ? "float('-inf')" : "float('inf')";
  } else if (text.find_first_of(".e") != std::string_view::npos) {
    value.kind = Value::Kind::floating;
    value.floating = std::stod(std::string(text));
    parameter.default_text = text;
  } else {
    value.kind = Value::Kind::integer;
    value.integer = std::stoll(std::string(text));
    parameter.default_text = text;
  }
}

std::unique_ptr<ParsedSignature> parse_signature(const Operation& operation) {
  auto parsed = std::make_unique<ParsedSignature>();
  std::string_view text = trimmed(operation.signature);
  const auto parts = split_arguments(text.substr(1, text.size() - 2));
  for (std::size_t i = 0; i < parts.size(); ++i) {
    Parameter parameter{};
    parameter.kind = operation.kinds[i];
    const std::size_t equals = parts[i].find('=');
    const std::string_view declaration = trimmed(parts[i].substr(0, equals));
    parameter.name = std::string(declaration.substr(declaration.find_last_of(" &*") + 1));
    parameter.required = equals == std::string_view::npos;
    if (!parameter.required) read_default(*parsed, parameter, trimmed(parts[i].substr(equals + 1)));
    parsed->parameters.push_back(std::move(parameter));
  }
  return parsed;
}

}  // namespace

std::shared_ptr<const std::vector<Parameter>> detail::parse_parameters(const Operation& operation) {
  std::shared_ptr<ParsedSignature> parsed = parse_signature(operation);
  return {parsed, &parsed->parameters};
}

const std::vector<Parameter>& parameters(const Operation& operation) {
  if (const auto* of_added = detail::added_parameters(operation)) return *of_added;
  // One slot for each entry of the table, filled on the first request; boxed calls come here often.
  const auto table = PHLOX_TABLE_SPAN(phlox_operations);
  static auto& slots =
      *new std::vector<std::atomic<const ParsedSignature*>>(table.size());  // lives to the end
  std::atomic<const ParsedSignature*>& slot = slots[static_cast<std::size_t>(&operation - table.data())];
  const ParsedSignature* parsed = slot.load(std::memory_order_acquire);
  if (!parsed) {
    auto fresh = parse_signature(operation);
    if (slot.compare_exchange_strong(parsed, fresh.get(), std::memory_order_acq_rel))
      parsed = fresh.release();
  }
  return parsed->parameters;
}

Result call(const Operation& operation, std::span<const Value> arguments) {
  const auto& expected = parameters(operation);
  for (std::size_t i = 0; i < expected.size(); ++i)
    if (expected[i].required && arguments[i].kind == Value::Kind::missing)
      fail<TypeError>(ErrorCode::missing_argument, "{}: the argument '{}' is missing", operation.name,
                      expected[i].name)
          .raise();
  return operation.call(arguments, operation);
}

namespace detail {

static const char* expectation(ParameterKind kind) {
  switch (kind) {
    case ParameterKind::tensor: return "a tensor";
    case ParameterKind::optional_tensor: return "a tensor or None";
    case ParameterKind::operand: return "a tensor or a number";
    case ParameterKind::scalar: return "a number";
    case ParameterKind::optional_scalar: return "a number or None";
    case ParameterKind::boolean: return "True or False";
    case ParameterKind::optional_boolean: return "True, False or None";
    case ParameterKind::integer: return "an integer";
    case ParameterKind::optional_integer: return "an integer or None";
    case ParameterKind::floating: return "a number";
    case ParameterKind::optional_floating: return "a number or None";
    case ParameterKind::integers: return "an integer or a list of integers";
    case ParameterKind::optional_integers: return "an integer, a list of integers or None";
    case ParameterKind::tensors: return "a list of tensors";
    case ParameterKind::text: return "a string";
    case ParameterKind::optional_text: return "a string or None";
    case ParameterKind::dtype: return "a dtype";
    case ParameterKind::optional_dtype: return "a dtype or None";
    case ParameterKind::optional_device: return "a device or None";
    case ParameterKind::generator: return "a Generator or None";
    case ParameterKind::optional_operand: return "a tensor, a number or None";
    case ParameterKind::optional_floats: return "a list of numbers or None";
  }
  return "";
}

void throw_wrong_argument(const Operation& operation, int position) {
  const Parameter& parameter = parameters(operation)[position];
  const std::string_view shared_name = operation.overload_of();
  fail<TypeError>(ErrorCode::wrong_argument_type, "{}: '{}' must be {}",
                  shared_name.empty() ? std::string_view(operation.name) : shared_name, parameter.name,
                  expectation(parameter.kind))
      .raise();
}

}  // namespace detail
}  // namespace phlox
