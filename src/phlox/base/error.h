// Errors: one base type, typed by what the user got wrong, in one format.
//
//   [E0203] matmul: inner sizes differ, 4 and 3
//     lhs  x   f32[3,4] cpu
//     rhs  w1  f32[3,4] cpu
//     try  x @ w1.T, which gives f32[3,3]
//
// Every code has an entry in base/error_catalog.h, hence a page in the documentation and `phlox help`.
#pragma once

#include <fmt/core.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "phlox/base/error_catalog.h"

namespace phlox {

// Base of all errors that Phlox throws. `what()` is the whole text.
class Error : public std::exception {
 public:
  Error(ErrorCode code, std::string summary) : code_(code), summary_(std::move(summary)) { compose(); }

  // Adds a line "label  text" below the summary.
  void add_detail(std::string_view label, std::string_view text);
  // Adds the line that says what to do.
  void add_hint(std::string_view text);

  ErrorCode code() const { return code_; }
  const std::string& summary() const { return summary_; }
  const char* what() const noexcept override { return text_.c_str(); }

 private:
  void compose();

  ErrorCode code_;
  std::string summary_;
  std::vector<std::pair<std::string, std::string>> details_;
  std::string text_;
};

struct ShapeError : Error {
  using Error::Error;
};
struct DTypeError : Error {
  using Error::Error;
};
struct DeviceError : Error {
  using Error::Error;
};
struct IndexError : Error {
  using Error::Error;
};
struct ValueError : Error {
  using Error::Error;
};
struct TypeError : Error {
  using Error::Error;
};
struct GradientError : Error {
  using Error::Error;
};
struct StateError : Error {
  using Error::Error;
};
struct FormatError : Error {
  using Error::Error;
};
struct FileError : Error {
  using Error::Error;
};
struct OutOfMemoryError : Error {
  using Error::Error;
};
struct NotSupportedError : Error {
  using Error::Error;
};

// Builds an error in one expression and throws it when the expression ends:
//   fail<ShapeError>(ErrorCode::inner_sizes_differ, "matmul: inner sizes differ, {} and {}", k1, k2)
//       .detail("lhs", describe(lhs)).detail("rhs", describe(rhs)).hint("x @ w.T").raise();
template <class E>
class ErrorBuilder {
 public:
  explicit ErrorBuilder(E error) : error_(std::move(error)) {}
  ErrorBuilder& detail(std::string_view label, std::string_view text) {
    error_.add_detail(label, text);
    return *this;
  }
  ErrorBuilder& hint(std::string_view text) {
    error_.add_hint(text);
    return *this;
  }
  [[noreturn]] void raise() { throw std::move(error_); }

 private:
  E error_;
};

template <class E, class... Arguments>
ErrorBuilder<E> fail(ErrorCode code, fmt::format_string<Arguments...> summary, Arguments&&... arguments) {
  return ErrorBuilder<E>(E(code, fmt::format(summary, std::forward<Arguments>(arguments)...)));
}

}  // namespace phlox
