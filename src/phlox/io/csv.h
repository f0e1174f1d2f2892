// Tables of numbers as text, plain or gzip-compressed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>

#include "phlox/core/tensor.h"

namespace phlox {

struct CsvOptions {
  char delimiter = ',';
  std::int64_t skip_rows = 0;  // header lines
};

// f64[rows, columns]. Empty lines are left out. Throws FileError [E0801], and FormatError [E0803] naming line
// and byte where a field is no number or a row has another length than the first.
Tensor load_csv(const std::filesystem::path& path, CsvOptions options = {});
// The same from memory. `name` stands in messages.
Tensor load_csv_bytes(std::span<const std::uint8_t> bytes, std::string_view name = "<memory>",
                      CsvOptions options = {});

}  // namespace phlox
