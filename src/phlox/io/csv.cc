#include "phlox/io/csv.h"

#include <algorithm>
#include <charconv>

#include "phlox/io/deflate.h"
#include "phlox/io/file.h"

namespace phlox {
namespace {

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r");
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

}  // namespace

Tensor load_csv(const std::filesystem::path& path, CsvOptions options) {
  const io::MappedFile mapped(path, "load_csv");
  return load_csv_bytes({mapped.data(), mapped.size()}, mapped.name(), options);
}

Tensor load_csv_bytes(std::span<const std::uint8_t> input, std::string_view name, CsvOptions options) {
  const auto bytes = io::expand_gzip(io::FileView("load_csv", name, input));
  const io::FileView file("load_csv", name, bytes);
  const std::string_view text = file.text(0, file.size());

  std::vector<double> values;
  std::int64_t rows = 0, columns = 0, line_number = 0;
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    const std::string_view line = text.substr(start, end - start);
    const std::size_t line_start = start;
    start = end + 1;
    if (++line_number <= options.skip_rows || trimmed(line).empty()) continue;
    std::int64_t fields = 0;
    for (std::size_t at = 0; at <= line.size(); ++fields) {
      const std::size_t stop = std::min(line.find(options.delimiter, at), line.size());
      std::string_view field = trimmed(line.substr(at, stop - at));
      if (field.starts_with('+')) field.remove_prefix(1);  // std::from_chars takes no plus
      double value = 0;
      const auto [last, error] = std::from_chars(field.data(), field.data() + field.size(), value);
      if (error != std::errc{} || last != field.data() + field.size()) {
        file.malformed(line_start + at, "line {}: \"{}\" is no number", line_number, io::printable(field));
      }
      values.push_back(value);
      at = stop + 1;
    }
    if (rows == 0) columns = fields;
    if (fields != columns) {
      file.malformed(line_start, "line {} has {} fields, and those before have {}", line_number, fields,
                     columns);
    }
    ++rows;
  }
  return from_values<double>(values, {rows, columns});
}

}  // namespace phlox
