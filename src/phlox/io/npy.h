// NumPy's files: one array in a .npy, several by name in an .npz.
// Source: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
//
//   save_npy("x.npy", x);
//   Tensor y = load_npy("x.npy");
//   save_npz("both.npz", {{"x", x}, {"y", y}}, {.compress = true});
//   StateDict arrays = load_npz("both.npz");
//
// Bool, integers, f16, f32, f64, c64 and c128 in either byte order and either element order. Object arrays,
// which NumPy stores as pickled Python objects that can run code, are refused.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>

#include "phlox/io/state_dict.h"

namespace phlox {

struct NpzSaveOptions {
  bool compress = false;
};
struct NpzLoadOptions {
  // The largest sum of the expanded arrays in bytes; 0 means 1 GiB or 100 times the file, whichever is more.
  std::uint64_t max_bytes = 0;
};

// Write atomically, as NumPy itself would. Throw FileError [E0805] and, for dtypes that NumPy lacks,
// NotSupportedError.
void save_npy(const std::filesystem::path& path, const Tensor& tensor);
void save_npz(const std::filesystem::path& path, const StateDict& tensors, NpzSaveOptions options = {});

// Throw FileError [E0801] and FormatError: truncated [E0802], malformed [E0803], unsafe [E0804] (object
// arrays, names that point out of the archive, entries that share bytes, more than `max_bytes`);
// NotSupportedError for structured, text and date arrays and for encrypted archives.
Tensor load_npy(const std::filesystem::path& path);
StateDict load_npz(const std::filesystem::path& path, NpzLoadOptions options = {});
// The same from memory. `name` stands in messages.
Tensor load_npy_bytes(std::span<const std::uint8_t> bytes, std::string_view name = "<memory>");
StateDict load_npz_bytes(std::span<const std::uint8_t> bytes, std::string_view name = "<memory>",
                         NpzLoadOptions options = {});

}  // namespace phlox
