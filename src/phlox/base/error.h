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
  // describe(tensor) makes one.
  Description(std::string text, const void* described) : std::string(std::move(text)), subject(described) {}
  const void* subject;  // null where there is nothing to tell apart
};

// Base of all errors that Phlox throws. `what()` is the whole text.
class Error : public std::exception {
 public:
  // A line below the summary: "label  name  text   note". The note is where the thing comes from.
  struct Detail {
    std::string label;    // what it is to the operation: "lhs"
    std::string name;     // what the program calls it, when that is known
    std::string text;     // what it looks like: "f32[3,4] cpu"
    std::string note;     // "net.py:12   x = px.ones(3, 4)"
    const void* subject;  // as in Description
  };

  // `summary` begins with the name of the operation.
  Error(ErrorCode code, std::string summary) : code_(code), summary_(std::move(summary)) { compose(); }

  // Adds a line "label  text" below the summary.
  void add_detail(std::string_view label, std::string_view text, const void* subject = nullptr);
  // Adds the line that says what to do. In it, "<lhs>" becomes the name of what is labelled "lhs" once it is known.
  void add_hint(std::string_view text);
  // Says what the user's program calls the subject of a detail, and where it comes from.
  void set_name(const void* subject, std::string_view name);
  // Says where the subject of a detail comes from.
  void set_note(const void* subject, std::string_view note);

  // Puts the name of what the user called in the place of that of an inner step.
  void set_operation(std::string_view name);

  // The code, whose page `phlox help E0203` shows.
  ErrorCode code() const { return code_; }
  // The first line without the code.
  const std::string& summary() const { return summary_; }
  // The lines below it.
  const std::vector<Detail>& details() const { return details_; }
  // The whole text: code, summary, details and hint.
  const char* what() const noexcept override { return text_.c_str(); }

 private:
  void compose();
  std::string with_names(std::string_view hint) const;

  ErrorCode code_;
  std::string summary_;
  std::vector<Detail> details_;
  std::string text_;
};

// Shapes, sizes or dimensions that do not fit.
struct ShapeError : Error {
  using Error::Error;
};
// An element type that the operation does not take.
struct DTypeError : Error {
  using Error::Error;
};
// A device that is not there, or tensors on different ones.
struct DeviceError : Error {
  using Error::Error;
};
// A position out of range.
struct IndexError : Error {
  using Error::Error;
};
// An argument with a value that has no meaning here.
struct ValueError : Error {
  using Error::Error;
};
// An argument of another kind than the operation takes.
struct TypeError : Error {
  using Error::Error;
};
// Gradients that cannot be computed, or were spoiled by a write in place.
struct GradientError : Error {
  using Error::Error;
};
// Something that is not in the state in which this can be done: a missing name, an undefined tensor.
struct StateError : Error {
  using Error::Error;
};
// A file or text that is not what it should be.
struct FormatError : Error {
  using Error::Error;
};
// A file that cannot be read or written.
struct FileError : Error {
  using Error::Error;
};
// A file that is not there.
struct FileNotFoundError : FileError {
  using FileError::FileError;
};
// More memory than there is.
struct OutOfMemoryError : Error {
  using Error::Error;
};
// What makes sense and is not done here.
struct NotSupportedError : Error {
  using Error::Error;
};
// What cannot be part of a captured function.
struct GraphError : Error {
  using Error::Error;
};
// A comparison of testing that failed.
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
  // fail() makes one.
  explicit ErrorBuilder(E error) : error_(std::move(error)) {}
  // Adds a line of text.
  ErrorBuilder& detail(std::string_view label, std::string_view text) {
    error_.add_detail(label, text);
    return *this;
  }
  // Adds a line about something that has a name in the program.
  ErrorBuilder& detail(std::string_view label, const Description& what) {
    error_.add_detail(label, what, what.subject);
    return *this;
  }
  // Adds a line of text.
  ErrorBuilder& detail(std::string_view label, const char* text) {
    return detail(label, std::string_view(text));
  }
  // Adds a line of text.
  ErrorBuilder& detail(std::string_view label, const std::string& text) {
    return detail(label, std::string_view(text));
  }
  // Adds the line that says what to do.
  ErrorBuilder& hint(std::string_view text) {
    error_.add_hint(text);
    return *this;
  }
  // Throws what was built.
  [[noreturn]] void raise() { throw std::move(error_); }

 private:
  E error_;
};

// Begins an error of class E with a code and a summary in the form of fmt::format.
template <class E, class... Arguments>
ErrorBuilder<E> fail(ErrorCode code, fmt::format_string<Arguments...> summary, Arguments&&... arguments) {
  return ErrorBuilder<E>(E(code, fmt::format(summary, std::forward<Arguments>(arguments)...)));
}

}  // namespace phlox
