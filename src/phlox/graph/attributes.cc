// Attributes as text, and back.
#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "phlox/graph/graph.h"
#include "phlox/graph/text.h"

namespace phlox::graph {
namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;

// Gathers fields as text. The function of a pointwise node is its name, so it is none of them.
class Printer final : public AttributeVisitor {
 public:
  Fields fields;

 private:
  void add(const char* name, std::string text) { fields.emplace_back(name, std::move(text)); }
  void visit(const char* name, bool& value) override { add(name, value ? "true" : "false"); }
  void visit(const char* name, std::int64_t& value) override { add(name, fmt::format("{}", value)); }
  void visit(const char* name, double& value) override { add(name, text_of(Scalar(value))); }
  void visit(const char* name, Scalar& value) override { add(name, text_of(value)); }
  void visit(const char* name, Integers& values) override {
    add(name, fmt::format("[{}]", fmt::join(values, ",")));
  }
  void visit(const char* name, std::string& text) override { add(name, quoted(text)); }
  void visit(const char* name, DType& dtype) override { add(name, std::string(info(dtype).short_name)); }
  void visit(const char* name, Device& device) override { add(name, phlox::to_string(device)); }
  void visit(const char*, const PointwiseFunction*&) override {}
  void visit(const char* name, std::vector<Scalar>& values) override {
    std::string text;
    for (const Scalar& value : values) text += (text.empty() ? "" : ",") + text_of(value);
    add(name, "[" + text + "]");
  }
  void choose(const char* name, std::int64_t& position, std::span<const char* const> names) override {
    add(name, names[static_cast<std::size_t>(position)]);
  }
};

Fields fields_of(const AttributeType& type, const void* value) {
  Printer printer;
  type.visit(type.copy(value).get(), printer);
  return printer.fields;
}

[[noreturn]] void fail_value(std::string_view name, std::string_view text) {
  fail<GraphError>(ErrorCode::bad_graph_text, "{} cannot be {}", name, text).raise();
}

// Sets the field of one name.
class Reader final : public AttributeVisitor {
 public:
  Reader(std::string_view name, std::string_view text) : name_(name), text_(text) {}
  bool found = false;

 private:
  bool wanted(const char* name) {
    if (name_ != name) return false;
    found = true;
    return true;
  }
  std::vector<std::string_view> list() const {
    if (text_.size() < 2 || text_.front() != '[' || text_.back() != ']') fail_value(name_, text_);
    return split_list(text_.substr(1, text_.size() - 2));
  }
  Scalar scalar(std::string_view text) const {
    const std::optional<Scalar> value = scalar_from(text);
    if (!value) fail_value(name_, text);
    return *value;
  }
  std::int64_t integer(std::string_view text) const {
    const Scalar value = scalar(text);
    if (value.kind() != Scalar::Kind::integer) fail_value(name_, text);
    return value.integer();
  }

  void visit(const char* name, bool& value) override {
    if (!wanted(name)) return;
    if (text_ != "true" && text_ != "false") fail_value(name_, text_);
    value = text_ == "true";
  }
  void visit(const char* name, std::int64_t& value) override {
    if (wanted(name)) value = integer(text_);
  }
  void visit(const char* name, double& value) override {
    if (wanted(name)) value = scalar(text_).real();
  }
  void visit(const char* name, Scalar& value) override {
    if (wanted(name)) value = scalar(text_);
  }
  void visit(const char* name, Integers& values) override {
    if (!wanted(name)) return;
    values.clear();
    for (std::string_view item : list()) values.push_back(integer(item));
  }
  void visit(const char* name, std::string& text) override {
    if (!wanted(name)) return;
    std::optional<std::string> value = unquoted(text_);
    if (!value) fail_value(name_, text_);
    text = std::move(*value);
  }
  void visit(const char* name, DType& dtype) override {
    if (!wanted(name)) return;
    const std::optional<DType> value = dtype_from(text_);
    if (!value) fail_value(name_, text_);
    dtype = *value;
  }
  void visit(const char* name, Device& device) override {
    if (wanted(name)) device = parse_device(text_);
  }
  void visit(const char*, const PointwiseFunction*&) override {}
  void visit(const char* name, std::vector<Scalar>& values) override {
    if (!wanted(name)) return;
    values.clear();
    for (std::string_view item : list()) values.push_back(scalar(item));
  }
  void choose(const char* name, std::int64_t& position, std::span<const char* const> names) override {
    if (!wanted(name)) return;
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (text_ != names[i]) continue;
      position = static_cast<std::int64_t>(i);
      return;
    }
    fail_value(name_, text_);
  }

  std::string_view name_, text_;
};

}  // namespace

Attributes::Attributes(const Primitive& primitive, const void* attributes)
    : type_(primitive.attributes),
      value_(attributes ? primitive.attributes->copy(attributes) : primitive.attributes->make()) {}

Attributes Attributes::defaults(const Primitive& primitive) { return {primitive, nullptr}; }

std::string Attributes::kind() const {
  const Fields fields = fields_of(*type_, value_.get());
  return !fields.empty() && fields[0].first == "kind" ? fields[0].second : std::string();
}

std::string Attributes::to_string() const {
  const Fields fields = fields_of(*type_, value_.get());
  std::shared_ptr<void> fresh = type_->make();
  if (const std::string chosen = kind(); !chosen.empty()) {
    Reader reader("kind", chosen);
    type_->visit(fresh.get(), reader);
  }
  const Fields defaults = fields_of(*type_, fresh.get());
  std::string text;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const auto& [name, value] = fields[i];
    if (value != defaults[i].second) text += fmt::format("{}{}={}", text.empty() ? "" : ", ", name, value);
  }
  return text;
}

void Attributes::set(std::string_view name, std::string_view text) {
  Reader reader(name, text);
  type_->visit(value_.get(), reader);
  if (!reader.found) fail<GraphError>(ErrorCode::bad_graph_text, "there is no attribute {}", name).raise();
}

}  // namespace phlox::graph
