// Zip archives as NumPy's .npz files need them: entries stored or deflated, also beyond 4 GiB.
// Written here because each library for zip brings a dozen methods, encryption and extraction to disk, all of
// which a reader of foreign files must then keep switched off; zlib is all that is needed. Source: PKWARE,
// APPNOTE.TXT - .ZIP File Format Specification 6.3
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "phlox/io/atomic_file.h"
#include "phlox/io/file.h"

namespace phlox::io {

struct ZipEntry {
  std::string name;
  bool deflated = false;
  std::uint32_t checksum = 0;  // CRC-32 of the expanded data
  std::uint64_t packed_bytes = 0;
  std::uint64_t bytes = 0;        // expanded
  std::uint64_t data_offset = 0;  // in the file
};

// The entries of an archive, checked: no two share bytes, none is encrypted, none has a name that points
// elsewhere. Throws FormatError: [E0802] truncated, [E0803] malformed, [E0804] unsafe.
std::vector<ZipEntry> read_zip_directory(const FileView& file);

// The expanded data of an entry, checked against its checksum. `target` must have `entry.bytes`.
void read_zip_entry(const FileView& file, const ZipEntry& entry, std::span<std::uint8_t> target);

// Writes an archive into a file that is being saved.
class ZipWriter {
 public:
  explicit ZipWriter(AtomicFile& file) : file_(file) {}
  // Adds an entry whose data are the parts in a row.
  void add(const std::string& name, std::span<const std::span<const std::uint8_t>> parts, bool compress);
  // Writes the directory. Nothing can be added afterwards.
  void finish();

 private:
  struct Written {
    ZipEntry entry;
    std::uint64_t header_offset;
  };
  AtomicFile& file_;
  std::vector<Written> written_;
};

}  // namespace phlox::io
