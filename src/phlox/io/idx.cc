#include "phlox/io/idx.h"

#include <algorithm>
#include <cstring>

#include "phlox/io/deflate.h"
#include "phlox/io/file.h"

namespace phlox {
namespace {

DType read_dtype(const io::FileView& file) {
  switch (const int code = file.bytes(2, 1)[0]) {
    case 0x08: return DType::uint8;
    case 0x09: return DType::int8;
    case 0x0B: return DType::int16;
    case 0x0C: return DType::int32;
    case 0x0D: return DType::float32;
    case 0x0E: return DType::float64;
    default: file.malformed(2, "the element type {:#04x} is not known", code);
  }
}

}  // namespace

Tensor load_idx_bytes(std::span<const std::uint8_t> bytes, std::string_view name) {
  const io::FileView file("load_idx", name, bytes);
  if (file.u16(0) != 0) file.malformed(0, "this is no IDX file: it does not begin with two zero bytes");
  const DType dtype = read_dtype(file);
  const int rank = file.bytes(3, 1)[0];
  if (rank > max_rank)
    file.malformed(3, "the array has {} dimensions; at most {} are allowed", rank, max_rank);
  const auto width = static_cast<std::uint64_t>(element_size(dtype));
  const std::uint64_t start = 4 + 4 * static_cast<std::uint64_t>(rank);
  Shape shape;
  std::uint64_t count = width;
  for (std::uint64_t at = 4; at < start; at += 4) {
    const auto part = file.bytes(at, 4);  // big-endian
    const std::uint64_t size = std::uint64_t{part[0]} << 24 | std::uint64_t{part[1]} << 16 |
                               std::uint64_t{part[2]} << 8 | std::uint64_t{part[3]};
    if (count > static_cast<std::uint64_t>(INT64_MAX) / std::max<std::uint64_t>(size, 1)) {
      file.malformed(at, "the array has too many elements");
    }
    count *= std::max<std::uint64_t>(size, 1);
    shape.push_back(static_cast<std::int64_t>(size));
  }
  if (shape.contains(0)) count = 0;
  const auto data = file.bytes(start, count);
  if (file.size() - start > count) {
    file.malformed(start + count, "{} bytes follow the array", file.size() - start - count);
  }
  Tensor tensor = make_tensor(shape, dtype, Device{});
  auto* target = static_cast<std::uint8_t*>(tensor.data_pointer());
  if (count > 0) std::memcpy(target, data.data(), count);
  if (width > 1) {
    for (std::uint64_t at = 0; at < count; at += width) std::reverse(target + at, target + at + width);
  }
  return tensor;
}

Tensor load_idx(const std::filesystem::path& path) {
  const auto bytes = io::read_expanded(path, "load_idx");
  return load_idx_bytes(bytes, path.string());
}

}  // namespace phlox
