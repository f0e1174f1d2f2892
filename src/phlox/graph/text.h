// Pieces of the text form: numbers, dtypes, lists.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "phlox/core/tensor.h"

namespace phlox::graph {

// "true", "3", "2.5", "-inf", "complex(1.0,2.0)": the kind can be read off, and no digit is lost.
std::string text_of(const Scalar& scalar);
std::optional<Scalar> scalar_from(std::string_view text);
// "f32"; nothing when there is no such dtype.
std::optional<DType> dtype_from(std::string_view short_name);
// The items between commas that stand in no brackets and no quotes, without spaces around.
std::vector<std::string_view> split_list(std::string_view text);
// Where `part` begins outside of quotes; npos when it does not.
std::size_t find_unquoted(std::string_view text, std::string_view part);
// In quotes, on one line; and back, or nothing when the text is not of this form.
std::string quoted(std::string_view text);
std::optional<std::string> unquoted(std::string_view text);
std::string_view trimmed(std::string_view text);

// Goes over the characters of a text and says which stand in quotes.
class Quotes {
 public:
  bool hold(char c) {
    if (escaped_) {
      escaped_ = false;
      return true;
    }
    const bool inside = inside_;
    if (c == '"') inside_ = !inside_;
    else if (inside_ && c == '\\') escaped_ = true;
    return inside || inside_;
  }

 private:
  bool inside_ = false, escaped_ = false;
};

}  // namespace phlox::graph
