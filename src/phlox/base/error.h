// Errors: one base type, typed by what the user got wrong, in one format.
//
//   [E0203] matmul: inner sizes differ, 4 and 3
//     lhs  x   f32[3,4] cpu   train.py:41   h = x @ w1
//     rhs  w1  f32[3,4] cpu   Linear "mlp.0.weight"
//     try  x @ w1.T, which gives f32[3,3]
//
// Every code has an entry in base/error_catalog.h and a page, docs/errors/E0203.md, which `phlox help E0203` prints.
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

// What something looks like, and `subject`, which tells it from others of the same look. It is only compared.
struct Description : std::string {
  Description(std::string text, const void* described) : std::string(std::move(text)), subject(described) {}
  const void* subject;
};

// Base of all errors that Phlox throws. `what()` is the whole text.
class Error : public std::exception {
 public:
  // A line below the summary: "label  name  text   note". The note is where the thing comes from.
  struct Detail {
    std::string label;
    std::string name;
    std::string text;
    std::string note;
    const void* subject;
  };

  Error(ErrorCode code, std::string summary) : code_(code), summary_(std::move(summary)) { compose(); }

  // Adds a line "label  text" below the summary.
  void add_detail(std::string_view label, std::string_view text, const void* subject = nullptr);
  // Adds the line that says what to do. In it, "<lhs>" becomes the name of what is labelled "lhs" once it is known.
  void add_hint(std::string_view text);
  // Says what the user's program calls the subject of a detail, and where it comes from.
  void set_name(const void* subject, std::string_view name);
  void set_note(const void* subject, std::string_view note);

  // Puts the name of what the user called in the place of that of an inner step.
  void set_operation(std::string_view name);

  ErrorCode code() const { return code_; }
  const std::string& summary() const { return summary_; }
  const std::vector<Detail>& details() const { return details_; }
  const char* what() const noexcept override { return text_.c_str(); }

 private:
  void compose();
  std::string with_names(std::string_view hint) const;

  ErrorCode code_;
  std::string summary_;
  std::vector<Detail> details_;
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
struct FileNotFoundError : FileError {
  using FileError::FileError;
};
struct OutOfMemoryError : Error {
  using Error::Error;
};
struct NotSupportedError : Error {
  using Error::Error;
};
struct GraphError : Error {
  using Error::Error;
};
struct AssertionError : Error {
  using Error::Error;
};
// A matrix is singular, not positive-definite, or holds what cannot be factorised.
struct LinAlgError : Error {
  using Error::Error;
};

// Builds an error in one expression and throws it when the expression ends:
//   fail<ShapeError>(ErrorCode::inner_sizes_differ, "matmul: inner sizes differ, {} and {}", k1, k2)
//       .detail("lhs", describe(lhs)).detail("rhs", describe(rhs)).hint("<lhs> @ <rhs>.T").raise();
template <class E>
class ErrorBuilder {
 public:
  explicit ErrorBuilder(E error) : error_(std::move(error)) {}
  ErrorBuilder& detail(std::string_view label, std::string_view text) {
    error_.add_detail(label, text);
    return *this;
  }
  ErrorBuilder& detail(std::string_view label, const Description& what) {
    error_.add_detail(label, what, what.subject);
    return *this;
  }
  ErrorBuilder& detail(std::string_view label, const char* text) {
    return detail(label, std::string_view(text));
  }
  ErrorBuilder& detail(std::string_view label, const std::string& text) {
    return detail(label, std::string_view(text));
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
