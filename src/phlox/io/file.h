// Bytes of a file, for parsers: memory-mapped, read with bounds checks, and with errors that name file and
// byte.
#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "phlox/base/error.h"

namespace phlox::io {

// A file mapped into memory. Writes to the memory stay private to it and never reach the file.
class MappedFile {
 public:
  // Throws FileError [E0801] naming `operation` when the file cannot be read.
  MappedFile(const std::filesystem::path& path, std::string_view operation);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const std::string& name() const { return name_; }
  // Access to bytes that another program has cut off the file meanwhile ends the process: read() does not.
  std::uint8_t* data() const { return data_; }
  std::size_t size() const { return size_; }
  // Copies a part of the file by several threads. Throws FormatError [E0802] when the file has become shorter, and
  // FileError [E0801].
  void read(std::uint64_t offset, void* target, std::size_t bytes) const;
  // Lets go of the file itself, after which read() is over; data() stays.
  void close();

 private:
  std::string operation_;
  std::string name_;
  int file_ = -1;
  std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
};

// What a parser reads: the bytes, and what to call them in errors.
class FileView {
 public:
  FileView(std::string_view operation, std::string_view name, std::span<const std::uint8_t> bytes)
      : operation_(operation), name_(name), bytes_(bytes) {}
  FileView(std::string_view operation, const MappedFile& file)
      : FileView(operation, file.name(), {file.data(), file.size()}) {}

  std::uint64_t size() const { return bytes_.size(); }
  std::string_view operation() const { return operation_; }
  std::string_view name() const { return name_; }
  // Throws FormatError [E0802] when the file ends before `offset + count`.
  std::span<const std::uint8_t> bytes(std::uint64_t offset, std::uint64_t count) const;
  std::string_view text(std::uint64_t offset, std::uint64_t count) const;
  // Unsigned little-endian numbers.
  std::uint16_t u16(std::uint64_t offset) const {
    return static_cast<std::uint16_t>(little_endian(offset, 2));
  }
  std::uint32_t u32(std::uint64_t offset) const {
    return static_cast<std::uint32_t>(little_endian(offset, 4));
  }
  std::uint64_t u64(std::uint64_t offset) const { return little_endian(offset, 8); }

  // Throws FormatError [E0803]: the file does not follow its format at this byte.
  template <class... Arguments>
  [[noreturn]] void malformed(std::uint64_t offset, fmt::format_string<Arguments...> text,
                              Arguments&&... arguments) const {
    refuse(ErrorCode::file_malformed, offset, fmt::format(text, std::forward<Arguments>(arguments)...), {});
  }
  // Throws FormatError [E0804]: the file asks for what loading must not do.
  template <class... Arguments>
  [[noreturn]] void unsafe(std::uint64_t offset, std::string_view hint, fmt::format_string<Arguments...> text,
                           Arguments&&... arguments) const {
    refuse(ErrorCode::file_unsafe, offset, fmt::format(text, std::forward<Arguments>(arguments)...), hint);
  }
  // Throws NotSupportedError [E0106].
  [[noreturn]] void not_supported(std::uint64_t offset, const std::string& summary,
                                  std::string_view hint) const;

 private:
  std::uint64_t little_endian(std::uint64_t offset, int count) const;
  [[noreturn]] void refuse(ErrorCode code, std::uint64_t offset, const std::string& summary,
                           std::string_view hint) const;

  std::string_view operation_, name_;
  std::span<const std::uint8_t> bytes_;
};

// The whole text is well-formed UTF-8 (no overlong forms, no surrogates). Gives the first bad byte, or npos.
std::size_t find_invalid_utf8(std::string_view text);
// Text from a file as it may stand in a message: control and non-ASCII bytes escaped, at most 60 characters.
std::string printable(std::string_view text);

}  // namespace phlox::io
