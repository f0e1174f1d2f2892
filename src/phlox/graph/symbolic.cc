#include "phlox/graph/symbolic.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <map>
#include <optional>

#include "phlox/graph/text.h"
#include "phlox/ops/functions.h"

namespace phlox::graph {
namespace {

using Number = SymbolicGraph::Number;
using Rule = SymbolicGraph::Rule;
using Values = std::vector<std::int64_t>;  // of something, for each instance

constexpr std::size_t most_instances = 12;  // that rules are looked for again with; more prove nothing new
constexpr std::int64_t largest_divisor = 16;

// --- rules

// Rounded down.
std::int64_t floor_divide(std::int64_t a, std::int64_t b) {
  return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

// The sizes of each instance, and the products that rules are made of.
class Sizes {
 public:
  explicit Sizes(const std::vector<Values>& of_sizes) {
    const std::size_t instances = of_sizes.empty() ? 0 : of_sizes[0].size();
    for (std::size_t k = 0; k < instances; ++k) {
      rows_.emplace_back();
      for (const Values& size : of_sizes) rows_.back().push_back(size[k]);
    }
    count_ = static_cast<int>(of_sizes.size());
    const int n = std::min(count_, 6);
    for (int i = 0; i < count_; ++i) products_.push_back({i});
    for (int i = 0; i < n; ++i)
      for (int j = i; j < n; ++j) products_.push_back({i, j});
    for (int i = 0; i < n; ++i)
      for (int j = i; j < n; ++j)
        for (int k = j; k < n; ++k) products_.push_back({i, j, k});
  }
  int count() const { return count_; }
  const std::vector<std::int64_t>& of(std::size_t instance) const { return rows_[instance]; }
  // Single sizes, then products of two and of three.
  const std::vector<std::vector<int>>& products() const { return products_; }

 private:
  int count_ = 0;
  std::vector<std::vector<std::int64_t>> rows_;
  std::vector<std::vector<int>> products_;
};

bool holds(const Rule& rule, const Values& values, const Sizes& sizes) {
  for (std::size_t k = 0; k < values.size(); ++k)
    if (rule.integer_at(sizes.of(k)) != values[k]) return false;
  return true;
}

// The simplest rule that gives the values: a multiple of a product of sizes, a fraction of one, more or less than one
// by a number, the sum of two, and what strides of windows make of a size.
std::optional<Rule> find_rule(const Values& values, const Sizes& sizes) {
  const auto proved = [&](const Rule& rule) { return holds(rule, values, sizes); };
  const auto product_at = [&](const std::vector<int>& product, std::size_t k) {
    return Rule{.sizes = product}.integer_at(sizes.of(k));
  };
  for (const auto& product : sizes.products()) {
    const std::int64_t p = product_at(product, 0), v = values[0];
    if (p != 0 && v % p == 0)
      if (const Rule rule{.sizes = product, .factor = v / p}; proved(rule)) return rule;
    if (v != 0 && p % v == 0)
      if (const Rule rule{.sizes = product, .divisor = p / v}; p / v > 0 && proved(rule)) return rule;
  }
  // Two instances in which the product differs tell a line.
  for (const auto& product : sizes.products()) {
    for (std::size_t k = 1; k < values.size(); ++k) {
      const std::int64_t step = product_at(product, k) - product_at(product, 0);
      if (step == 0 || (values[k] - values[0]) % step != 0) continue;
      const std::int64_t factor = (values[k] - values[0]) / step;
      const Rule rule{
          .sizes = product, .factor = factor, .offset = values[0] - factor * product_at(product, 0)};
      if (factor != 0 && proved(rule)) return rule;
      break;
    }
  }
  for (int a = 0; a < sizes.count(); ++a)
    for (int b = a + 1; b < sizes.count(); ++b) {
      Rule rule{.sizes = {a}, .added = {b}};
      rule.offset = values[0] - rule.integer_at(sizes.of(0));
      if (proved(rule)) return rule;
    }
  for (int size = 0; size < sizes.count(); ++size)
    for (std::int64_t divisor = 2; divisor <= largest_divisor; ++divisor)
      for (std::int64_t offset = 0; offset < divisor; ++offset) {
        Rule rule{.sizes = {size}, .offset = offset, .divisor = divisor};
        rule.shift = values[0] - rule.integer_at(sizes.of(0));
        if (proved(rule)) return rule;
      }
  return std::nullopt;
}

// What a real number may be: a small number over a size, or the root of one, as means and scalings have it.
std::optional<Rule> find_real_rule(const std::vector<double>& values, const Sizes& sizes) {
  for (const bool reciprocal : {false, true})
    for (const bool root : {false, true})
      for (const double numerator : {1.0, -1.0, 2.0, -2.0, 0.5, -0.5}) {
        Values inner;
        for (double value : values) {
          double x = reciprocal ? numerator / value : value / numerator;
          if (root) x *= x;
          if (!(std::abs(x) < 0x1p52)) break;
          inner.push_back(std::llround(x));
        }
        if (inner.size() != values.size()) continue;
        std::optional<Rule> rule = find_rule(inner, sizes);
        if (!rule) continue;
        rule->whole = false;
        rule->root = root;
        rule->reciprocal = reciprocal;
        rule->numerator = numerator;
        bool exact = true;
        for (std::size_t k = 0; k < values.size() && exact; ++k)
          exact = rule->real_at(sizes.of(k)) == values[k];
        if (exact) return rule;
      }
  return std::nullopt;
}

std::string name_of(std::size_t size) {
  constexpr const char* names[] = {"b", "s", "t", "u", "v", "w"};
  return size < std::size(names) ? names[size] : fmt::format("n{}", size);
}

bool same_bytes(const Tensor& a, const Tensor& b) {
  if (type_of(a) != type_of(b)) return false;
  const Tensor x = a.contiguous(), y = b.contiguous();
  return std::memcmp(x.data_pointer(), y.data_pointer(),
                     static_cast<std::size_t>(x.numel() * element_size(x.dtype()))) == 0;
}

std::string text_of(const Number& number) {
  return number.whole ? fmt::format("{}", number.integer) : graph::text_of(Scalar(number.real));
}

// The line with this character of a piece.
std::string line_at(const std::vector<std::string>& pieces, const std::vector<Number>& numbers,
                    std::size_t piece, std::size_t character) {
  std::string text;
  std::size_t place = 0;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    if (i == piece) place = text.size() + character;
    text += pieces[i];
    if (i < numbers.size()) text += text_of(numbers[i]);
  }
  const std::size_t begin = place ? text.rfind('\n', place - 1) + 1 : 0;
  return std::string(trimmed(std::string_view(text).substr(begin, text.find('\n', place) - begin)));
}

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '%' || c == '@';
}

}  // namespace

std::int64_t Rule::integer_at(const std::vector<std::int64_t>& values) const {
  std::int64_t product = factor;
  for (int size : sizes) product *= values[static_cast<std::size_t>(size)];
  for (int size : added) product += values[static_cast<std::size_t>(size)];
  return floor_divide(product + offset, divisor) + shift;
}

double Rule::real_at(const std::vector<std::int64_t>& values) const {
  auto inner = static_cast<double>(integer_at(values));
  if (root) inner = std::sqrt(inner);
  return reciprocal ? numerator / inner : numerator * inner;
}

std::string Rule::to_string(const std::vector<std::string>& names) const {
  std::string text;
  if (factor != 1) text = fmt::format("{}", factor);
  for (int size : sizes) text += (text.empty() ? "" : "*") + names[static_cast<std::size_t>(size)];
  for (int size : added) text += "+" + names[static_cast<std::size_t>(size)];
  const auto plus = [&](std::int64_t number) {
    if (number) text += fmt::format("{:+}", number);
  };
  plus(offset);
  if (divisor != 1) text = fmt::format(fmt::runtime(offset ? "({})//{}" : "{}//{}"), text, divisor);
  plus(shift);
  if (whole) return text;
  if (root) text = fmt::format("sqrt({})", text);
  const bool is_single = text.find_first_of("*+-/") == std::string::npos || root;
  if (reciprocal)
    return fmt::format(fmt::runtime(is_single ? "{}/{}" : "{}/({})"), graph::text_of(Scalar(numerator)),
                       text);
  return numerator == 1 ? fmt::format("real({})", text)
                        : fmt::format("{}*({})", graph::text_of(Scalar(numerator)), text);
}

SymbolicGraph::Text SymbolicGraph::read(const Graph& graph) {
  const std::string text = graph::to_string(graph);
  const std::size_t end_of_inputs = text.find('{');
  Text result;
  result.pieces.emplace_back();
  Quotes quotes;
  for (std::size_t i = 0; i < text.size();) {
    std::string& piece = result.pieces.back();
    const char c = text[i];
    if (quotes.hold(c)) {
      piece += c;
      ++i;
      continue;
    }
    const bool begins_word = is_word(c) && !std::isdigit(static_cast<unsigned char>(c));
    if (begins_word) {
      while (i < text.size() && (is_word(text[i]) || text[i] == '.')) piece += text[i++];
      continue;
    }
    const bool is_number =
        std::isdigit(static_cast<unsigned char>(c)) ||
        (c == '-' && i + 1 < text.size() && std::isdigit(static_cast<unsigned char>(text[i + 1])));
    if (!is_number) {
      piece += c;
      ++i;
      continue;
    }
    std::size_t end = i + 1;
    while (end < text.size() && (std::isalnum(static_cast<unsigned char>(text[end])) || text[end] == '.' ||
                                 ((text[end] == '-' || text[end] == '+') && text[end - 1] == 'e')))
      ++end;
    const std::optional<Scalar> value = scalar_from(std::string_view(text).substr(i, end - i));
    if (!value) {
      piece.append(text, i, end - i);
    } else {
      const bool whole = value->kind() == Scalar::Kind::integer;
      result.numbers.push_back({whole, whole ? value->integer() : 0, whole ? 0 : value->real()});
      result.pieces.emplace_back();
      if (i < end_of_inputs) result.of_inputs = result.numbers.size();
    }
    i = end;
  }
  return result;
}

SymbolicGraph::SymbolicGraph(const Graph& first)
    : text_(read(first)), constants_(named_constants(first)), instances_{text_.numbers} {
  fit(instances_);
}

bool SymbolicGraph::fit(const std::vector<std::vector<Number>>& instances) {
  const std::size_t count = instances[0].size();
  const auto varies = [&](std::size_t number) {
    return std::any_of(instances.begin(), instances.end(),
                       [&](const auto& other) { return other[number] != instances[0][number]; });
  };
  const auto integers = [&](std::size_t number) {
    Values values;
    for (const auto& instance : instances) values.push_back(instance[number].integer);
    return values;
  };
  std::vector<std::size_t> size_numbers;
  std::vector<Values> of_sizes;
  for (std::size_t i = 0; i < text_.of_inputs; ++i) {
    if (!varies(i)) continue;
    Values values = integers(i);
    if (std::find(of_sizes.begin(), of_sizes.end(), values) != of_sizes.end()) continue;
    of_sizes.push_back(std::move(values));
    size_numbers.push_back(i);
  }
  const Sizes sizes(of_sizes);
  std::map<Values, std::optional<Rule>> known;  // the same numbers come often
  std::vector<int> rules_of(count, -1);
  std::vector<Rule> rules;
  for (std::size_t i = 0; i < count; ++i) {
    if (!varies(i)) continue;
    const bool whole = instances[0][i].whole;
    std::vector<double> reals;
    for (const auto& instance : instances) {
      if (instance[i].whole != whole) return false;
      reals.push_back(instance[i].real);
    }
    std::optional<Rule> rule;
    if (whole) {
      const auto [entry, is_new] = known.try_emplace(integers(i));
      if (is_new) entry->second = find_rule(entry->first, sizes);
      rule = entry->second;
    } else {
      rule = find_real_rule(reals, sizes);
    }
    if (!rule) {
      const std::vector<Number>& last = instances.back();
      refusal_ = fmt::format("{} follows from no size in `{}`", text_of(last[i]),
                             line_at(text_.pieces, last, i, text_.pieces[i].size()));
      return false;
    }
    rules_of[i] = static_cast<int>(rules.size());
    rules.push_back(std::move(*rule));
  }
  size_numbers_ = std::move(size_numbers);
  rules_of_ = std::move(rules_of);
  rules_ = std::move(rules);
  return true;
}

bool SymbolicGraph::admit(const Graph& other) {
  Text text = read(other);
  if (text.pieces != text_.pieces) {
    std::size_t i = 0;
    while (i + 1 < std::min(text.pieces.size(), text_.pieces.size()) && text.pieces[i] == text_.pieces[i])
      ++i;
    const std::string &mine = text_.pieces[i], &others = text.pieces[i];
    const auto [first, ignored] = std::mismatch(others.begin(), others.end(), mine.begin(), mine.end());
    refusal_ =
        fmt::format("the operations differ from `{}` on",
                    line_at(text.pieces, text.numbers, i, static_cast<std::size_t>(first - others.begin())));
    return false;
  }
  const TensorList constants = named_constants(other);
  if (!std::equal(constants.begin(), constants.end(), constants_.begin(), constants_.end(), same_bytes)) {
    refusal_ = "constants differ";
    return false;
  }
  // What the rules give already is proved.
  std::vector<std::int64_t> sizes;
  for (std::size_t number : size_numbers_) sizes.push_back(text.numbers[number].integer);
  bool fits = true;
  for (std::size_t i = 0; i < text.numbers.size() && fits; ++i) {
    const Number& number = text.numbers[i];
    if (rules_of_[i] < 0) {
      fits = number == text_.numbers[i];
      continue;
    }
    const Rule& rule = rules_[static_cast<std::size_t>(rules_of_[i])];
    fits = number.whole == rule.whole &&
           (rule.whole ? number.integer == rule.integer_at(sizes) : number.real == rule.real_at(sizes));
  }
  if (!fits) {
    std::vector<std::vector<Number>> more = instances_;
    more.push_back(text.numbers);
    if (!fit(more)) return false;
  }
  if (std::find(instances_.begin(), instances_.end(), text.numbers) == instances_.end()) {
    ++admitted_;
    if (instances_.size() < most_instances) instances_.push_back(std::move(text.numbers));
    else if (!fits) instances_.back() = std::move(text.numbers);
  }
  return true;
}

std::vector<std::string> SymbolicGraph::sizes() const {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < size_numbers_.size(); ++i) names.push_back(name_of(i));
  return names;
}

std::string SymbolicGraph::to_string() const {
  const std::vector<std::string> names = sizes();
  std::string text;
  for (std::size_t i = 0; i < text_.pieces.size(); ++i) {
    text += text_.pieces[i];
    if (i == text_.numbers.size()) break;
    const Number& number = text_.numbers[i];
    if (rules_of_[i] >= 0) text += rules_[static_cast<std::size_t>(rules_of_[i])].to_string(names);
    else text += text_of(number);
  }
  return text;
}

GraphPointer SymbolicGraph::at(const std::vector<std::int64_t>& values) const {
  if (values.size() != size_numbers_.size())
    fail<ValueError>(ErrorCode::invalid_value, "the graph has {} sizes, {} are given", size_numbers_.size(),
                     values.size())
        .detail("sizes", fmt::format("{}", fmt::join(sizes(), ", ")))
        .raise();
  std::string text;
  for (std::size_t i = 0; i < text_.pieces.size(); ++i) {
    text += text_.pieces[i];
    if (i == text_.numbers.size()) break;
    Number number = text_.numbers[i];
    if (rules_of_[i] >= 0) {
      const Rule& rule = rules_[static_cast<std::size_t>(rules_of_[i])];
      number = {rule.whole, rule.whole ? rule.integer_at(values) : 0, rule.whole ? 0 : rule.real_at(values)};
    }
    text += text_of(number);
  }
  return parse(text, constants_);
}

}  // namespace phlox::graph
