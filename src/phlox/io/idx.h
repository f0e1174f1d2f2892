// IDX, the files of MNIST and its kin, plain or gzip-compressed.
// Source: http://yann.lecun.com/exdb/mnist/, "The IDX file format"
//
//   Tensor images = load_idx("train-images-idx3-ubyte.gz");   // u8[60000,28,28]
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>

#include "phlox/core/tensor.h"

namespace phlox {

// Gives u8, i8, i16, i32, f32 or f64, as the file says. Throws FileError [E0801] and FormatError [E0802],
// [E0803].
Tensor load_idx(const std::filesystem::path& path);
Tensor load_idx_bytes(std::span<const std::uint8_t> bytes, std::string_view name = "<memory>");

}  // namespace phlox
