// Reads the text form of a graph.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>

#include "phlox/graph/graph.h"
#include "phlox/graph/text.h"
#include "phlox/ops/primitives/pointwise.h"
#include "phlox/ops/primitives/rules.h"

namespace phlox::graph {
namespace {

class Parser {
 public:
  Parser(std::string_view text, const TensorList& constants) : text_(text), constants_(constants) {}

  GraphPointer run() {
    const std::string_view line = next_line();
    if (!line.starts_with("graph(")) fail_here("a graph begins with graph(%x: f32[2,3], ...) {");
    GraphPointer graph = body(line.substr(5));
    if (!rest_.empty() || !trimmed(text_).empty()) fail_here("something follows the graph");
    return graph;
  }

 private:
  // A graph under construction.
  struct Scope {
    GraphBuilder builder;
    std::map<std::string, Value> values;
  };

  [[noreturn]] void fail_here(const std::string& why) const {
    fail<GraphError>(ErrorCode::bad_graph_text, "line {}: {}", line_number_, why)
        .detail("line", std::string(line_))
        .raise();
  }

  std::string_view next_line() {
    for (;;) {
      if (text_.empty()) fail_here("the text ends before the graph does");
      const std::size_t end = std::min(text_.find('\n'), text_.size());
      line_ = trimmed(text_.substr(0, end));
      text_.remove_prefix(std::min(end + 1, text_.size()));
      ++line_number_;
      if (!line_.empty()) return line_;
    }
  }

  Type type(std::string_view text) const {
    const std::size_t open = text.find('['), close = text.find(']');
    if (open == std::string_view::npos || close == std::string_view::npos || close < open)
      fail_here(fmt::format("'{}' is not a type", text));
    Type result;
    const auto dtype = dtype_from(text.substr(0, open));
    if (!dtype) fail_here(fmt::format("there is no dtype '{}'", text.substr(0, open)));
    result.dtype = *dtype;
    for (std::string_view size : split_list(text.substr(open + 1, close - open - 1))) {
      const auto value = scalar_from(size);
      if (!value || value->kind() != Scalar::Kind::integer || value->integer() < 0)
        fail_here(fmt::format("'{}' is not a size", size));
      result.shape.push_back(value->integer());
    }
    std::int64_t elements = 1;
    for (std::int64_t size : result.shape)
      if (__builtin_mul_overflow(elements, std::max<std::int64_t>(size, 1), &elements) ||
          elements > max_elements)
        fail_here(fmt::format("no tensor can be as large as '{}'", text));
    const std::string_view rest = text.substr(close + 1);
    if (rest.starts_with("@")) result.device = parse_device(rest.substr(1));
    else if (!rest.empty()) fail_here(fmt::format("'{}' is not a type", text));
    return result;
  }

  // "%name: type"
  std::pair<std::string, Type> declaration(std::string_view text) const {
    const std::size_t colon = text.find(':');
    if (!text.starts_with("%") || colon == std::string_view::npos)
      fail_here(fmt::format("'{}' is not a value and its type", text));
    return {std::string(trimmed(text.substr(1, colon - 1))), type(trimmed(text.substr(colon + 1)))};
  }

  void define(Scope& scope, const std::string& name, const Value& value) const {
    if (!scope.values.emplace(name, value).second) fail_here(fmt::format("%{} is made twice", name));
  }
  const Value& value(const Scope& scope, std::string_view name) const {
    const auto entry = scope.values.find(std::string(name));
    if (entry == scope.values.end()) fail_here(fmt::format("there is no %{} before this line", name));
    return entry->second;
  }

  static bool is_name(std::string_view text) {
    const auto is_letter = [](char c) { return std::isalpha(static_cast<unsigned char>(c)) || c == '_'; };
    const auto is_part = [&](char c) { return is_letter(c) || std::isdigit(static_cast<unsigned char>(c)); };
    return !text.empty() && is_letter(text[0]) && std::all_of(text.begin(), text.end(), is_part);
  }

  // From "(%x: f32[2]) {" to the line of "}"; what follows there is left in rest_.
  GraphPointer body(std::string_view header) {
    if (++depth_ > most_nested) fail_here("graphs are nested too deeply");
    Scope scope;
    if (!header.starts_with("(") || !header.ends_with(") {"))
      fail_here("a graph begins with (%x: f32[2,3], ...) {");
    for (std::string_view item : split_list(header.substr(1, header.size() - 4))) {
      auto [name, type] = declaration(item);
      // Numbers are the names that nodes get when the graph is written.
      if (!is_name(name)) fail_here(fmt::format("%{} is no name of an input: letters, then digits", name));
      define(scope, name, scope.builder.input(type, name));
    }
    for (;;) {
      const std::string_view line = next_line();
      if (!line.starts_with("return")) {
        node(scope, line);
        continue;
      }
      std::vector<Value> outputs;
      for (std::string_view name : split_list(line.substr(6))) {
        if (!name.starts_with("%")) fail_here(fmt::format("'{}' is not a value", name));
        outputs.push_back(value(scope, name.substr(1)));
      }
      const std::string_view end = next_line();
      if (!end.starts_with("}")) fail_here("} is missing after return");
      rest_ = trimmed(end.substr(1));
      --depth_;
      return scope.builder.finish(std::move(outputs));
    }
  }

  // Where the bracket that opens at `open` closes.
  std::size_t closing(std::string_view text, std::size_t open) const {
    int depth = 0;
    bool quoted = false;
    for (std::size_t i = open; i < text.size(); ++i) {
      if (quoted && text[i] == '\\') {
        ++i;
        continue;
      }
      if (text[i] == '"') quoted = !quoted;
      if (quoted) continue;
      if (text[i] == '(') ++depth;
      if (text[i] == ')' && --depth == 0) return i;
    }
    fail_here("a bracket is not closed");
  }

  // "%1: f32[2], %2: i64[2] = name(inputs, attributes)", and regions behind it
  void node(Scope& scope, std::string_view line) {
    std::vector<std::pair<std::string, Type>> results;
    const std::size_t equals = line.find(" = ");
    if (equals == std::string_view::npos) fail_here("'=' is missing");
    for (std::string_view item : split_list(line.substr(0, equals))) results.push_back(declaration(item));
    const std::string_view call = trimmed(line.substr(equals + 3));
    const std::size_t open = call.find('(');
    if (open == std::string_view::npos) fail_here("a node reads name(inputs)");
    const std::size_t close = closing(call, open);
    const std::string_view name = call.substr(0, open);
    const auto items = split_list(call.substr(open + 1, close - open - 1));
    std::vector<GraphPointer> regions;
    rest_ = trimmed(call.substr(close + 1));
    while (rest_.starts_with("(")) regions.push_back(body(rest_));
    std::string_view location;
    if (rest_.starts_with("# ")) location = trimmed(rest_.substr(2));
    else if (!rest_.empty()) fail_here(fmt::format("'{}' is not expected here", rest_));
    if (name == "constant") constant(scope, results, items);
    else operation(scope, results, name, items, std::move(regions), location);
  }

  void constant(Scope& scope, const std::vector<std::pair<std::string, Type>>& results,
                const std::vector<std::string_view>& items) {
    if (results.size() != 1) fail_here("a constant is one value");
    const Type& type = results[0].second;
    if (type.dtype == DType::sequence) fail_here("a sequence is no constant");
    Tensor data;
    if (items.size() == 1 && items[0].starts_with("@")) {
      const auto position = scalar_from(items[0].substr(1));
      if (!position || position->kind() != Scalar::Kind::integer || position->integer() < 0 ||
          position->integer() >= static_cast<std::int64_t>(constants_.size()))
        fail_here(fmt::format("there is no constant {}", items[0]));
      data = constants_[static_cast<std::size_t>(position->integer())];
    } else {
      if (static_cast<std::int64_t>(items.size()) != element_count(type.shape))
        fail_here("the number of values is not that of the type");
      data = make_tensor(type.shape, type.dtype, Device{});
      char* target = static_cast<char*>(data.impl()->address());
      for (std::string_view item : items) {
        const auto number = scalar_from(item);
        if (!number) fail_here(fmt::format("'{}' is not a number", item));
        number->store(type.dtype, target);
        target += element_size(type.dtype);
      }
      data = data.to(type.device);
    }
    if (type_of(data) != type)
      fail_here(fmt::format("the constant is {}, not {}", to_string(type_of(data)), to_string(type)));
    define(scope, results[0].first, scope.builder.constant(data));
  }

  void operation(Scope& scope, const std::vector<std::pair<std::string, Type>>& results,
                 std::string_view name, const std::vector<std::string_view>& items,
                 std::vector<GraphPointer> regions, std::string_view location) {
    const std::size_t dot = std::min(name.find('.'), name.size());
    const Primitive* primitive = find_primitive(name.substr(0, dot));
    Attributes attributes;
    if (const PointwiseFunction* function = primitive ? nullptr : find_pointwise_function(name)) {
      primitive = find_primitive("pointwise");
      const PointwiseAttributes pointwise{function, {}};
      attributes = Attributes(*primitive, &pointwise);
    } else if (primitive && name != "pointwise") {
      attributes = Attributes::defaults(*primitive);
      if (dot < name.size()) attributes.set("kind", name.substr(dot + 1));
    } else {
      fail_here(fmt::format("there is no primitive '{}'", name));
    }
    std::vector<Input> inputs;
    for (std::string_view item : items) {
      const std::size_t equals = find_unquoted(item, "=");
      if (item.starts_with("%")) inputs.emplace_back(value(scope, item.substr(1)));
      else if (item == "none") inputs.emplace_back(std::monostate{});
      else if (equals != std::string_view::npos)
        attributes.set(trimmed(item.substr(0, equals)), trimmed(item.substr(equals + 1)));
      else if (const auto number = scalar_from(item)) inputs.emplace_back(*number);
      else fail_here(fmt::format("'{}' is neither a value, a number nor an attribute", item));
    }
    const Node& node = scope.builder.add(*primitive, std::move(inputs), std::move(attributes), {},
                                         std::string(location), std::move(regions));
    if (node.types().size() != results.size())
      fail_here(fmt::format("{} gives {} values, not {}", name, node.types().size(), results.size()));
    for (int i = 0; i < static_cast<int>(results.size()); ++i) {
      const Type& found = node.types()[static_cast<std::size_t>(i)];
      const auto& [result, stated] = results[static_cast<std::size_t>(i)];
      if (found != stated)
        fail_here(fmt::format("%{} is {}, not {}", result, to_string(found), to_string(stated)));
      define(scope, result, {&node, i});
    }
  }

  std::string_view text_;
  const TensorList& constants_;
  static constexpr int most_nested = 50;

  std::string_view line_, rest_;
  int line_number_ = 0, depth_ = 0;
};

}  // namespace

GraphPointer parse(std::string_view text, const TensorList& constants) {
  return Parser(text, constants).run();
}

}  // namespace phlox::graph
