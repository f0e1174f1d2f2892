#include "phlox/cli/pages.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <vector>

#ifdef PHLOX_ONEDNN
#include <dnnl.hpp>
#endif

#include "phlox/base/error.h"
#include "phlox/base/version.h"
#include "phlox/core/parallel.h"
#include "phlox/device/cpu/processor.h"
#include "phlox/ops/registry/operation.h"

namespace phlox::cli {
namespace {

std::string lower(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

bool has_all(std::string_view text, std::string_view words) {
  const std::string where = lower(text), wanted = lower(words);
  for (std::size_t at = 0; at < wanted.size();) {
    const std::size_t end = std::min(wanted.find(' ', at), wanted.size());
    if (where.find(wanted.substr(at, end - at)) == std::string::npos) return false;
    at = end + 1;
  }
  return true;
}

std::string_view first_sentence(std::string_view text) {
  const std::size_t end = text.find(". ");
  return end == text.npos ? text : text.substr(0, end + 1);
}

// How many letters must be inserted, removed or exchanged: the Levenshtein distance.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t change = diagonal + (a[i] != b[j]);
      diagonal = row[j + 1];
      row[j + 1] = std::min({row[j] + 1, row[j + 1] + 1, change});
    }
  }
  return row.back();
}

std::string closest_names(std::string_view name) {
  std::vector<std::pair<std::size_t, std::string_view>> names;
  for (const Operation* operation : operations())
    names.emplace_back(distance(name, operation->name), operation->name);
  const std::size_t count = std::min<std::size_t>(3, names.size());
  std::partial_sort(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(count), names.end());
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += fmt::format("{}{}", i == 0 ? "" : ", ", names[i].second);
  return text;
}

const char* accepted_types(const Operation& operation) {
  if (!operation.pointwise_traits) return operation.traits.integers ? "all" : "floating";
  switch (operation.pointwise_traits->types) {
    case PointwiseTypes::floating: return "floating; integers are taken as the default dtype";
    case PointwiseTypes::numeric: return "floating and integers";
    case PointwiseTypes::any: return "floating, integers and bool";
    case PointwiseTypes::integral: return "integers and bool";
    case PointwiseTypes::counting: return "floating and integers; bool is taken as int64";
  }
  return "";
}

// "input 1: computed from input 2, the result" for each input of a pointwise operation.
std::string gradients(const PointwiseFunction& function, const std::vector<Parameter>& names) {
  std::string text;
  for (int k = 0; k < function.tensors; ++k) {
    const GradientRule& rule = gradient_rule(function, k);
    std::string how;
    switch (rule.form) {
      case math::GradientForm::none: how = "none"; break;
      case math::GradientForm::identity: how = "that of the result"; break;
      case math::GradientForm::unknown: how = "not written yet"; break;
      case math::GradientForm::computed: {
        for (int i = 0; i <= function.tensors; ++i) {
          if (!(rule.saved >> i & 1u)) continue;
          how += how.empty() ? "derived, saves " : ", ";
          how += i == function.tensors ? "the result" : names[static_cast<std::size_t>(i)].name;
        }
        if (how.empty()) how = "derived, saves nothing";
      }
    }
    text += fmt::format("  gradient    {}: {}\n", names[static_cast<std::size_t>(k)].name, how);
  }
  return text;
}

// How it is called: px.nn.functional.softmax(input, dim=-1).
std::string python_call(const Operation& operation) {
  const std::string_view home = operation.traits.home;
  std::string name(operation.name);
  if (const std::string prefix = fmt::format("{}_", home.substr(home.rfind('.') + 1));
      !home.empty() && name.starts_with(prefix))
    name.erase(0, prefix.size());
  std::string text = fmt::format("px.{}{}{}(", home, home.empty() ? "" : ".", name);
  bool first = true;
  for (const Parameter& parameter : parameters(operation)) {
    text += fmt::format("{}{}", first ? "" : ", ", parameter.name);
    if (!parameter.required) text += "=" + parameter.default_text;
    first = false;
  }
  return text + ")";
}

void add_line(std::string& page, std::string_view title, std::string_view text) {
  if (!text.empty()) page += fmt::format("  {:<11} {}\n", title, text);
}

struct Topic {
  std::string_view name;
  std::string_view text;
};
constexpr Topic topics[] = {
    {"phlox op",
     "operations: `phlox op list softmax` finds them, `phlox op explain gelu` tells all about one"},
    {"phlox help", "the page of an error: `phlox help E0203`; a search: `phlox help broadcast`"},
    {"phlox doctor", "version, processor, threads and libraries, and what is wrong with them"},
    {"phlox graph",
     "graphs of captured functions: `print`, `diff`, and `bisect`, the first place where runs differ"},
    {"phlox plan",
     "the memory that a captured function takes, before it runs, and the largest batch that fits"},
    {"PHLOX_DEBUG",
     "environment variable: 1 to 7 say what passes, captures, plans and nodes do (docs/debugging.md)"},
    {"PHLOX_JIT", "environment variable: 0 runs captured functions eagerly, line by line"},
    {"PHLOX_NUM_THREADS", "environment variable: how many threads compute; else one for each processor"},
    {"PHLOX_MAX_ISA", "environment variable: the best instruction set used: baseline, avx2 or avx512"},
    {"PHLOX_PORTABLE_KERNELS", "environment variable: 1 computes products and convolutions without oneDNN"},
};

std::string topic_line(const Topic& topic) { return fmt::format("{:<28} {}\n", topic.name, topic.text); }

}  // namespace

std::string list_topics() {
  std::string text;
  for (const Topic& topic : topics) text += topic_line(topic);
  return text;
}

std::string explain_operation(std::string_view name) {
  const Operation* operation = find_operation(name);
  if (!operation)
    fail<ValueError>(ErrorCode::unknown_name, "there is no operation \"{}\"", name)
        .hint(closest_names(name))
        .raise();
  std::string page = fmt::format("{}{}\n\n  {}\n\n", operation->name, operation->signature, operation->doc());
  add_line(page, "in Python", python_call(*operation));
  add_line(page, "family", to_string(operation->traits.family));
  add_line(page, "also called", operation->alias());
  add_line(page, "dtypes", accepted_types(*operation));
  if (operation->pointwise && operation->pointwise_traits->differentiable)
    page += gradients(*operation->pointwise, parameters(*operation));
  else
    add_line(page, "gradient",
             operation->traits.differentiable && !operation->pointwise ? "by its definition" : "none");
  if (operation->pointwise_traits)
    add_line(page, "accuracy", fmt::format("{} ULP", operation->pointwise_traits->tolerance_ulp));
  add_line(
      page, "reference",
      operation->pointwise_traits ? operation->pointwise_traits->reference : operation->traits.reference);
  add_line(page, "source", operation->source());
  const std::string_view file = operation->file;
  const std::size_t start = file.rfind("phlox/ops/");
  add_line(page, "defined in", start == file.npos ? file : file.substr(start));
  return page;
}

std::string explain_error(std::string_view code) {
  const std::string_view digits = code.starts_with('E') || code.starts_with('e') ? code.substr(1) : code;
  const bool number = !digits.empty() && digits.size() <= 4 &&
                      std::ranges::all_of(digits, [](unsigned char c) { return std::isdigit(c) != 0; });
  const std::string wanted = fmt::format("E{:0>4}", digits);
  for (const ErrorPage& page : error_pages()) {
    if (number && page.code == wanted) return std::string(page.text);
  }
  fail<ValueError>(ErrorCode::unknown_name, "there is no error \"{}\"", code)
      .hint("phlox help WORDS searches titles, such as: phlox help broadcast")
      .raise();
}

std::string list_operations(std::string_view part) {
  std::string text;
  for (const Operation* operation : operations()) {
    if (has_all(fmt::format("{} {} {}", operation->name, operation->alias(), operation->doc()), part))
      text += fmt::format("{:<28} {}\n", operation->name, first_sentence(operation->doc()));
  }
  return text;
}

std::string search_help(std::string_view words) {
  std::string text;
  const std::string_view code = words.starts_with('E') || words.starts_with('e') ? words.substr(1) : "";
  if (code.size() >= 3 && std::ranges::all_of(code, [](unsigned char c) { return std::isdigit(c) != 0; }))
    return explain_error(words);
  for (const ErrorEntry& entry : error_catalog()) {
    const std::string line =
        fmt::format("E{:04} {}. ({})", static_cast<int>(entry.code), entry.title, entry.name);
    if (has_all(line, words)) text += line + "\n";
  }
  for (const Topic& topic : topics) {
    if (has_all(topic_line(topic), words)) text += topic_line(topic);
  }
  text += list_operations(words);
  return text.empty() ? fmt::format("nothing has all of the words \"{}\"\n", words) : text;
}

std::string diagnose() {
  std::string text;
  add_line(text, "phlox", PHLOX_VERSION);
  add_line(text, "processor", fmt::format("kernels for {}", cpu::to_string(cpu::instruction_set())));
  add_line(text, "threads", fmt::format("{}", thread_count()));
#if defined(__unix__) || defined(__APPLE__)
  double load = 0;
  if (getloadavg(&load, 1) == 1 && load > 1.5 * thread_count() && thread_count() > 1)
    add_line(text, "busy",
             fmt::format(
                 "{:.1f} programs want {} processors, so threads wait for each other; small networks train "
                 "faster with PHLOX_NUM_THREADS=1",
                 load, thread_count()));
#endif
  add_line(text, "operations", fmt::format("{}", operations().size()));
#ifdef PHLOX_ONEDNN
  const dnnl_version_t* onednn = dnnl_version();
  add_line(text, "oneDNN", fmt::format("{}.{}.{}", onednn->major, onednn->minor, onednn->patch));
  if (onednn->major != DNNL_VERSION_MAJOR || onednn->minor != DNNL_VERSION_MINOR)
    add_line(text, "wrong",
             fmt::format(
                 "another oneDNN is loaded than the {}.{} that Phlox was built with; look at LD_LIBRARY_PATH",
                 DNNL_VERSION_MAJOR, DNNL_VERSION_MINOR));
  else
#endif
      if (operations().empty())
    add_line(text, "wrong",
             "no operations: the static library was not linked whole; link Phlox::phlox_static");
  else text += "  all is well\n";
  return text;
}

}  // namespace phlox::cli
