// Compressed bytes, through zlib.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

#include "phlox/io/file.h"

namespace phlox::io {

// No stream of deflate can grow by more than this factor, so a larger announced size is a lie.
inline constexpr std::uint64_t largest_expansion = 1032;

// Expands raw deflate data of the file from `offset` on into exactly `target`. Throws FormatError [E0803]
// when the data are damaged or have another length.
void inflate_exactly(const FileView& file, std::uint64_t offset, std::uint64_t count,
                     std::span<std::uint8_t> target);

// Raw deflate data of `bytes`.
std::vector<std::uint8_t> deflate(std::span<const std::uint8_t> bytes);

// The bytes of `file`, expanded if they are a gzip file. Errors as for read_expanded().
std::vector<std::uint8_t> expand_gzip(const FileView& file, std::uint64_t limit = std::uint64_t{1} << 32);

// The bytes of a file, expanded if it is a gzip file. Throws FormatError [E0803] for a damaged file and
// [E0804] when more than `limit` bytes would come out.
std::vector<std::uint8_t> read_expanded(const std::filesystem::path& path, std::string_view operation,
                                        std::uint64_t limit = std::uint64_t{1} << 32);

}  // namespace phlox::io
