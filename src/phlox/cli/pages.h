// The texts that the `phlox` command prints. Everything in them is read from the registry and from the machine.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace phlox::cli {

// All that is known about an operation, on a page. Throws ValueError for an unknown name, with the closest ones.
std::string explain_operation(std::string_view name);

// Names and first sentences of the operations whose name or documentation has `part`; all for an empty one.
std::string list_operations(std::string_view part);

// The pages of docs/errors, in the order of their codes; they are compiled in.
struct ErrorPage {
  std::string_view code;  // "E0203"
  std::string_view text;  // Markdown: what the error means, an example that makes it, the cure
};
std::span<const ErrorPage> error_pages();

// The page of an error: "E0203", "e203" or "203". Throws ValueError for an unknown code.
std::string explain_error(std::string_view code);

// What else `phlox help` knows: a line for each command and environment variable.
std::string list_topics();

// The page of an error if `words` are its code; else errors, topics and operations that have all of the words, which are separated by spaces.
std::string search_help(std::string_view words);

// Version, processor, threads and libraries, with one line for each thing that is wrong.
std::string diagnose();

}  // namespace phlox::cli
