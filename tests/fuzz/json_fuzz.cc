// libFuzzer target: the reader of JSON that the parsers of headers stand on. Whatever it takes for a string must be
// read as the same string once it is written again.
#include "phlox/io/json.h"

namespace {

using phlox::io::FileView;
using phlox::io::JsonReader;

std::string read_string(const std::string& text) {
  const FileView file("fuzz", "again", {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
  JsonReader reader(file, 0, text);
  std::string value = reader.string();
  reader.expect_end();
  return value;
}

// An object of strings, numbers and lists of both, as far as the text is one.
void walk(JsonReader& reader, int depth) {
  if (reader.take('{')) {
    while (!reader.take('}')) {
      const std::string key = reader.string();
      if (read_string(phlox::io::json_string(key)) != key) __builtin_trap();
      reader.expect(':');
      if (depth < 20) walk(reader, depth + 1);
      if (!reader.take(',')) return reader.expect('}');
    }
  } else if (reader.take('[')) {
    while (!reader.take(']')) {
      if (depth < 20) walk(reader, depth + 1);
      if (!reader.take(',')) return reader.expect(']');
    }
  } else {
    reader.unsigned_integer();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const FileView file("fuzz", "input", {data, size});
  try {
    JsonReader reader(file, 0, text);
    walk(reader, 0);
    reader.expect_end();
  } catch (const phlox::Error&) {
  }
  return 0;
}
