#include "phlox/io/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include "phlox/base/error.h"

namespace phlox::io {
namespace {

constexpr std::size_t buffer_bytes = 1 << 16;
constexpr std::size_t largest_write = 1 << 30;  // Linux writes at most about 2 GiB in one call

// Names of temporary files must differ between threads and between processes.
std::string temporary_name(const std::filesystem::path& path) {
  static std::atomic<std::uint64_t> counter{0};
  const auto name = fmt::format(".{}.{}-{}.part", path.filename().string(), ::getpid(), counter++);
  return (path.parent_path() / name).string();
}

template <class E>
[[noreturn]] void raise_cannot_write(const std::string& operation, const std::filesystem::path& path,
                                     int error) {
  fail<E>(ErrorCode::file_write_failed, "{}: cannot write the file, {}", operation, std::strerror(error))
      .detail("file", path.string())
      .detail("note", "an older file of this name is unchanged")
      .raise();
}

}  // namespace

AtomicFile::AtomicFile(const std::filesystem::path& path, std::string_view operation)
    : path_(path), operation_(operation) {
  // A link stays a link: what it points to is replaced.
  std::error_code ignored;
  if (std::filesystem::is_symlink(path_, ignored)) {
    const auto target = std::filesystem::weakly_canonical(path_, ignored);
    if (!target.empty()) path_ = target;
  }
  if (std::filesystem::is_directory(path_, ignored)) raise(EISDIR);
  do {
    temporary_ = temporary_name(path_);
    file_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  } while (file_ < 0 && errno == EEXIST);
  if (file_ < 0) raise(errno);
  struct stat old;
  if (::stat(path_.c_str(), &old) == 0) ::fchmod(file_, old.st_mode & 07777u);
  buffer_.reserve(buffer_bytes);
}

AtomicFile::~AtomicFile() {
  if (file_ < 0) return;
  ::close(file_);
  ::unlink(temporary_.c_str());
}

void AtomicFile::raise(int error) {
  if (error == ENOENT) raise_cannot_write<FileNotFoundError>(operation_, path_, error);
  raise_cannot_write<FileError>(operation_, path_, error);
}

void AtomicFile::write(const void* data, std::size_t bytes) {
  if (buffer_.size() + bytes > buffer_bytes) flush();
  if (bytes >= buffer_bytes) {
    write_through(data, bytes);
  } else {
    buffer_.insert(buffer_.end(), static_cast<const char*>(data), static_cast<const char*>(data) + bytes);
  }
}

void AtomicFile::flush() {
  write_through(buffer_.data(), buffer_.size());
  buffer_.clear();
}

void AtomicFile::write_through(const void* data, std::size_t bytes) {
  const char* next = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t written = ::write(file_, next, std::min(bytes, largest_write));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) raise(errno);
    next += written;
    bytes -= static_cast<std::size_t>(written);
    flushed_ += static_cast<std::uint64_t>(written);
  }
}

void AtomicFile::commit() {
  flush();
  if (::fsync(file_) != 0) raise(errno);
  const int file = std::exchange(file_, -1);
  int error = ::close(file) == 0 ? 0 : errno;
  if (error == 0 && ::rename(temporary_.c_str(), path_.c_str()) != 0) error = errno;
  if (error != 0) {
    ::unlink(temporary_.c_str());
    raise(error);
  }
  // The name itself is safe only when the folder has been written. Not every file system can do that.
  const auto folder = path_.has_parent_path() ? path_.parent_path() : std::filesystem::path(".");
  const int directory = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory >= 0) {
    ::fsync(directory);
    ::close(directory);
  }
}

}  // namespace phlox::io
