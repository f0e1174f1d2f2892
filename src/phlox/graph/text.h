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

}  // namespace phlox::graph
