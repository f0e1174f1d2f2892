#include "phlox/graph/text.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <limits>

namespace phlox::graph {
namespace {

std::string text_of_real(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  std::string text = fmt::format("{}", value);
  return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
}

std::optional<double> real_from(std::string_view text) {
  if (text == "nan") return std::numeric_limits<double>::quiet_NaN();
  if (text == "inf") return std::numeric_limits<double>::infinity();
  if (text == "-inf") return -std::numeric_limits<double>::infinity();
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

}  // namespace

std::string text_of(const Scalar& scalar) {
  switch (scalar.kind()) {
    case Scalar::Kind::boolean: return scalar.boolean() ? "true" : "false";
    case Scalar::Kind::integer: return fmt::format("{}", scalar.integer());
    case Scalar::Kind::floating: return text_of_real(scalar.real());
    case Scalar::Kind::complex: break;
  }
  return fmt::format("complex({},{})", text_of_real(scalar.real()), text_of_real(scalar.imaginary()));
}

std::optional<Scalar> scalar_from(std::string_view text) {
  if (text == "true" || text == "false") return Scalar(text == "true");
  std::int64_t whole = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), whole);
  if (error == std::errc() && end == text.data() + text.size()) return Scalar(whole);
  if (text.starts_with("complex(") && text.ends_with(")")) {
    const auto parts = split_list(text.substr(8, text.size() - 9));
    if (parts.size() != 2) return std::nullopt;
    const auto real = real_from(parts[0]), imaginary = real_from(parts[1]);
    if (!real || !imaginary) return std::nullopt;
    return Scalar(std::complex<double>(*real, *imaginary));
  }
  if (const auto value = real_from(text)) return Scalar(*value);
  return std::nullopt;
}

std::optional<DType> dtype_from(std::string_view short_name) {
  for (int i = 0; i < dtype_count; ++i)
    if (short_name == info(static_cast<DType>(i)).short_name) return static_cast<DType>(i);
  return std::nullopt;
}

std::string_view trimmed(std::string_view text) {
  const auto is_space = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

std::size_t find_unquoted(std::string_view text, std::string_view part) {
  Quotes quotes;
  for (std::size_t i = 0; i < text.size(); ++i)
    if (!quotes.hold(text[i]) && text.substr(i).starts_with(part)) return i;
  return std::string_view::npos;
}

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    if (c == '\n') result += "\\n";
    else result += c;
  }
  return result + '"';
}

std::optional<std::string> unquoted(std::string_view text) {
  if (text.size() < 2 || text.front() != '"' || text.back() != '"') return std::nullopt;
  text = text.substr(1, text.size() - 2);
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') return std::nullopt;
    if (text[i] != '\\') {
      result += text[i];
      continue;
    }
    if (++i == text.size()) return std::nullopt;
    result += text[i] == 'n' ? '\n' : text[i];
  }
  return result;
}

std::vector<std::string_view> split_list(std::string_view text) {
  std::vector<std::string_view> items;
  if (trimmed(text).empty()) return items;
  int depth = 0;
  std::size_t begin = 0;
  Quotes quotes;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    const char c = i < text.size() ? text[i] : ',';
    if (i < text.size() && quotes.hold(c)) continue;
    if (c == '[' || c == '(') ++depth;
    else if (c == ']' || c == ')') --depth;
    else if (c == ',' && (depth == 0 || i == text.size())) {
      items.push_back(trimmed(text.substr(begin, i - begin)));
      begin = i + 1;
    }
  }
  return items;
}

}  // namespace phlox::graph
