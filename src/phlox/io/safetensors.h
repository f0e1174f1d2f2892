// Safetensors: named tensors in one file that never runs code.
// Source: https://huggingface.co/docs/safetensors
//
//   save_safetensors("net.safetensors", net.state_dict(), {{"epoch", "10"}});
//   SafetensorsFile file = load_safetensors("net.safetensors");
//   net.load_state_dict(file.tensors);
//
// Data begin at a multiple of 64 bytes, wider elements first, so that every tensor is aligned for its dtype.
#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "phlox/io/state_dict.h"

namespace phlox {

using Metadata = std::map<std::string, std::string>;

struct SafetensorsFile {
  StateDict tensors;  // in the order of the header
  Metadata metadata;
};

struct SafetensorsOptions {
  // Tensors use the mapped file itself: loading costs no time until data are read, and writing to a tensor
  // changes memory, never the file. The file must then stay as it is while tensors use it: overwriting it in place
  // changes them, and shortening it ends the process when they are read. Without it everything is read at once.
  bool memory_map = false;
};

// Writes atomically: a failed save leaves the old file. Views are written as what they show. Throws FileError
// [E0805], NotSupportedError for dtypes that the format lacks (complex128 and those narrower than a byte) and
// ValueError for the reserved name "__metadata__" and names that are not UTF-8.
void save_safetensors(const std::filesystem::path& path, const StateDict& tensors,
                      const Metadata& metadata = {});

// Throws FileError [E0801], and FormatError for a file that is truncated [E0802] or breaks the format in any
// way [E0803]: the header is checked whole before the first tensor is made.
SafetensorsFile load_safetensors(const std::filesystem::path& path, SafetensorsOptions options = {});
// The same from memory, copied. `name` stands in messages.
SafetensorsFile load_safetensors_bytes(std::span<const std::uint8_t> bytes,
                                       std::string_view name = "<memory>");

}  // namespace phlox
