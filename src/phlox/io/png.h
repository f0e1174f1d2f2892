// Writes pictures as PNG, through libpng.
#pragma once

#include <filesystem>

#include "phlox/core/tensor.h"

namespace phlox {

// `image` is u8[height, width] (grey), u8[height, width, 3] (RGB) or u8[height, width, 4] (RGBA), rows from
// the top. Writes atomically. Throws ShapeError, DTypeError, FileError [E0805].
void save_png(const std::filesystem::path& path, const Tensor& image);

}  // namespace phlox
