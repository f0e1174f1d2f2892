// Writes a file so that it is either the old one or the new one, whole, whenever the program or the machine
// stops.
//
//   AtomicFile file("net.safetensors", "save_safetensors");
//   file.write(bytes.data(), bytes.size());
//   file.commit();      // without this the old file stays
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace phlox::io {

class AtomicFile {
 public:
  // Opens a temporary file beside `path`. Throws FileError [E0805], as do write() and commit().
  AtomicFile(const std::filesystem::path& path, std::string_view operation);
  // Removes the temporary file unless commit() has been reached.
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* data, std::size_t bytes);
  void write(std::string_view text) { write(text.data(), text.size()); }
  // Bytes written so far.
  std::uint64_t position() const { return flushed_ + buffer_.size(); }
  // Flushes to the disk, takes the place of the old file, and flushes the folder.
  void commit();

 private:
  [[noreturn]] void raise(int error);
  void flush();
  void write_through(const void* data, std::size_t bytes);

  std::filesystem::path path_;
  std::string temporary_;
  std::string operation_;
  int file_ = -1;
  std::uint64_t flushed_ = 0;
  std::vector<char> buffer_;
};

}  // namespace phlox::io
