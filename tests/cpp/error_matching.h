// Runs statements that must throw an Error and gives its code or its text.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "phlox/base/error.h"

namespace phlox {

template <class F>
ErrorCode code_of(const F& statement) {
  try {
    statement();
  } catch (const Error& error) {
    return error.code();
  }
  ADD_FAILURE() << "no error was thrown";
  return ErrorCode::invalid_value;
}

template <class F>
std::string error_text(const F& statement) {
  try {
    statement();
  } catch (const Error& error) {
    return error.what();
  }
  ADD_FAILURE() << "no error was thrown";
  return {};
}

}  // namespace phlox

// The statement throws an error of this type whose text holds `part`.
#define EXPECT_ERROR(statement, Type, part)                                                     \
  do {                                                                                          \
    EXPECT_THROW(statement, Type);                                                              \
    const std::string error_text_ = ::phlox::error_text([&] { statement; });                    \
    EXPECT_NE(error_text_.find(part), std::string::npos) << "the message is:\n" << error_text_; \
  } while (false)
