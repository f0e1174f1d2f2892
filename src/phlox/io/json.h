// A strict reader of JSON text that hands out one token at a time and builds nothing: a parser of a known
// format asks for what it expects, and every error names the byte. Only what headers of files need: objects,
// arrays, strings, unsigned integers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "phlox/io/file.h"

namespace phlox::io {

class JsonReader {
 public:
  // Reads `text`, which stands at byte `base` of `file`. Throws FormatError [E0803] at once for invalid
  // UTF-8.
  JsonReader(const FileView& file, std::uint64_t base, std::string_view text);

  // The byte in the file that is read next, white space skipped.
  std::uint64_t offset();
  // Takes the character if it comes next.
  bool take(char c);
  // Takes it or throws FormatError.
  void expect(char c);
  std::string string();
  std::uint64_t unsigned_integer();
  // Throws FormatError unless only white space is left.
  void expect_end();

 private:
  void skip_space();
  std::uint32_t hex4();

  const FileView& file_;
  std::uint64_t base_;
  std::string_view text_;
  std::size_t position_ = 0;
};

// The text as a JSON string, with quotes.
std::string json_string(std::string_view text);

}  // namespace phlox::io
