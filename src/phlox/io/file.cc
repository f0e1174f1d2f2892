#include "phlox/io/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "phlox/core/parallel.h"

namespace phlox::io {
namespace {

template <class E>
[[noreturn]] void raise_cannot_open_as(std::string_view operation, const std::string& name, int error) {
  auto builder =
      fail<E>(ErrorCode::file_not_found, "{}: cannot open the file, {}", operation, std::strerror(error));
  builder.detail("file", name);
  std::error_code ignored;
  const std::string folder = std::filesystem::current_path(ignored).string();
  if (error == ENOENT && !name.starts_with('/')) builder.detail("in", folder);
  builder.raise();
}

[[noreturn]] void raise_cannot_open(std::string_view operation, const std::string& name, int error) {
  if (error == ENOENT) raise_cannot_open_as<FileNotFoundError>(operation, name, error);
  raise_cannot_open_as<FileError>(operation, name, error);
}

}  // namespace

MappedFile::MappedFile(const std::filesystem::path& path, std::string_view operation)
    : operation_(operation), name_(path.string()), file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
  if (file_ < 0) raise_cannot_open(operation, name_, errno);
  struct stat status;
  int error = ::fstat(file_, &status) == 0 ? 0 : errno;
  if (error == 0 && S_ISDIR(status.st_mode)) error = EISDIR;
  if (error == 0 && !S_ISREG(status.st_mode)) error = EINVAL;
  if (error == 0 && status.st_size > 0) {
    size_ = static_cast<std::size_t>(status.st_size);
    void* mapped = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE, file_, 0);
    if (mapped == MAP_FAILED) {
      error = errno;
    } else {
      data_ = static_cast<std::uint8_t*>(mapped);
    }
  }
  if (error != 0) {
    close();
    raise_cannot_open(operation, name_, error);
  }
}

MappedFile::~MappedFile() {
  close();
  if (data_) ::munmap(data_, size_);
}

void MappedFile::close() {
  if (file_ >= 0) ::close(file_);
  file_ = -1;
}

void MappedFile::read(std::uint64_t offset, void* target, std::size_t bytes) const {
  constexpr std::int64_t piece = 8 << 20;
  parallel_for(0, static_cast<std::int64_t>(bytes), piece, [&](std::int64_t first, std::int64_t last) {
    while (first < last) {
      const ssize_t got = ::pread(file_, static_cast<char*>(target) + first,
                                  static_cast<std::size_t>(last - first), static_cast<off_t>(offset) + first);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) raise_cannot_open(operation_, name_, errno);
      if (got == 0) {
        fail<FormatError>(ErrorCode::file_truncated, "{}: the file has become shorter while it is read",
                          operation_)
            .detail("file", name_)
            .raise();
      }
      first += got;
    }
  });
}

std::span<const std::uint8_t> FileView::bytes(std::uint64_t offset, std::uint64_t count) const {
  if (offset > size() || count > size() - offset) {
    refuse(ErrorCode::file_truncated, size(),
           fmt::format("the file ends too early, {} bytes are wanted at byte {}", count, offset), {});
  }
  return bytes_.subspan(offset, count);
}

std::string_view FileView::text(std::uint64_t offset, std::uint64_t count) const {
  const auto part = bytes(offset, count);
  return {reinterpret_cast<const char*>(part.data()), part.size()};
}

std::uint64_t FileView::little_endian(std::uint64_t offset, int count) const {
  const auto part = bytes(offset, static_cast<std::uint64_t>(count));
  std::uint64_t value = 0;
  for (int i = count - 1; i >= 0; --i) value = value << 8 | part[static_cast<std::size_t>(i)];
  return value;
}

void FileView::refuse(ErrorCode code, std::uint64_t offset, const std::string& summary,
                      std::string_view hint) const {
  auto builder = fail<FormatError>(code, "{}: {}", operation_, summary);
  builder.detail("file", fmt::format("{}, {} bytes", name_, size())).detail("byte", fmt::to_string(offset));
  if (!hint.empty()) builder.hint(hint);
  builder.raise();
}

void FileView::not_supported(std::uint64_t offset, const std::string& summary, std::string_view hint) const {
  fail<NotSupportedError>(ErrorCode::not_supported, "{}: {}", operation_, summary)
      .detail("file", name_)
      .detail("byte", fmt::to_string(offset))
      .hint(hint)
      .raise();
}

std::size_t find_invalid_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto first = static_cast<unsigned char>(text[i]);
    if (first < 0x80) {
      ++i;
      continue;
    }
    const int length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4 || text.size() - i < static_cast<std::size_t>(length)) return i;
    std::uint32_t code = first & (0x7Fu >> length);
    for (int k = 1; k < length; ++k) {
      const auto next = static_cast<unsigned char>(text[i + static_cast<std::size_t>(k)]);
      if ((next & 0xC0u) != 0x80u) return i;
      code = code << 6 | (next & 0x3Fu);
    }
    const bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
    if (overlong || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) return i;
    i += static_cast<std::size_t>(length);
  }
  return std::string_view::npos;
}

std::string printable(std::string_view text) {
  std::string result;
  for (char c : text.substr(0, 60)) {
    if (c >= ' ' && c < 0x7F) {
      result += c;
    } else {
      result += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  return text.size() > 60 ? result + "..." : result;
}

}  // namespace phlox::io
