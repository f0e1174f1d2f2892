#include "phlox/io/zip.h"

#include <zlib.h>

#include <algorithm>
#include <climits>
#include <cstring>
#include <set>
#include <utility>

#include "phlox/io/deflate.h"

namespace phlox::io {
namespace {

constexpr std::uint32_t local_signature = 0x04034B50;
constexpr std::uint32_t directory_signature = 0x02014B50;
constexpr std::uint32_t end_signature = 0x06054B50;
constexpr std::uint32_t end64_signature = 0x06064B50;
constexpr std::uint32_t locator64_signature = 0x07064B50;
constexpr std::uint64_t local_bytes = 30, directory_bytes = 46, end_bytes = 22, end64_bytes = 56,
                        locator64_bytes = 20;
constexpr std::uint16_t stored = 0, deflated = 8;
constexpr std::uint16_t encrypted_flag = 1, utf8_flag = 1 << 11;
constexpr std::uint32_t in_zip64 = 0xFFFFFFFF;
constexpr std::uint16_t zip64_field = 1;

struct Directory {
  std::uint64_t offset, bytes, entries;
};

Directory find_directory(const FileView& file) {
  // The end record is followed by a comment of up to 64 KiB.
  if (file.size() < end_bytes) file.bytes(0, end_bytes);  // throws: truncated
  const std::uint64_t first = file.size() - std::min<std::uint64_t>(file.size(), end_bytes + 0xFFFF);
  std::uint64_t end = file.size() - end_bytes;
  while (file.u32(end) != end_signature || file.u16(end + 20) != file.size() - end - end_bytes) {
    if (end == first)
      file.malformed(file.size(), "this is no zip archive, or it is truncated: it has no end record");
    --end;
  }
  Directory directory{file.u32(end + 16), file.u32(end + 12), file.u16(end + 10)};
  if (directory.offset == in_zip64 || directory.bytes == in_zip64 || directory.entries == 0xFFFF) {
    if (end < locator64_bytes || file.u32(end - locator64_bytes) != locator64_signature) {
      file.malformed(end, "the end record of the archive promises a larger one that is missing");
    }
    const std::uint64_t end64 = file.u64(end - locator64_bytes + 8);
    if (file.u32(end64) != end64_signature) file.malformed(end64, "the zip64 end record is missing");
    directory = {file.u64(end64 + 48), file.u64(end64 + 40), file.u64(end64 + 32)};
  }
  if (directory.offset > end || directory.bytes > end - directory.offset) {
    file.malformed(end, "the archive's directory would lie outside of the file");
  }
  if (directory.entries > directory.bytes / directory_bytes) {
    file.malformed(end, "the archive's directory is too small for {} entries", directory.entries);
  }
  return directory;
}

// Sizes that need more than 32 bits stand in an extra field, in this order, each only where it is needed.
void read_zip64(const FileView& file, std::uint64_t offset, std::uint64_t count,
                std::initializer_list<std::uint64_t*> values) {
  const bool needed =
      std::any_of(values.begin(), values.end(), [](auto* value) { return *value == in_zip64; });
  if (!needed) return;
  const std::uint64_t end = offset + count;
  while (end - offset >= 4) {
    const std::uint16_t kind = file.u16(offset), length = file.u16(offset + 2);
    offset += 4;
    if (length > end - offset) break;
    if (kind == zip64_field) {
      std::uint64_t next = offset;
      for (std::uint64_t* value : values) {
        if (*value != in_zip64) continue;
        if (offset + length - next < 8) file.malformed(next, "a zip64 field is too short");
        *value = file.u64(next);
        next += 8;
      }
      return;
    }
    offset += length;
  }
  file.malformed(offset, "a zip64 field is missing");
}

void check_name(const FileView& file, std::uint64_t where, std::string_view name) {
  if (name.empty() || find_invalid_utf8(name) != std::string_view::npos || name.find('\0') != name.npos) {
    file.malformed(where, "the archive has an entry with a bad name, \"{}\"", printable(name));
  }
  const bool escapes = name.front() == '/' || name.find('\\') != name.npos || name == ".." ||
                       name.starts_with("../") || name.find("/../") != name.npos || name.ends_with("/..") ||
                       (name.size() > 1 && name[1] == ':');
  if (escapes) {
    file.unsafe(where, "do not trust this file", "the entry \"{}\" points out of the archive",
                printable(name));
  }
}

}  // namespace

std::vector<ZipEntry> read_zip_directory(const FileView& file) {
  const Directory directory = find_directory(file);
  std::vector<ZipEntry> entries;
  std::set<std::string_view> names;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> used;  // bytes of the file
  std::uint64_t at = directory.offset;
  const std::uint64_t directory_end = directory.offset + directory.bytes;
  for (std::uint64_t i = 0; i < directory.entries; ++i) {
    if (directory_end - at < directory_bytes || file.u32(at) != directory_signature) {
      file.malformed(at, "an entry of the archive's directory is missing");
    }
    const std::uint16_t flags = file.u16(at + 8), method = file.u16(at + 10);
    const std::uint64_t name_bytes = file.u16(at + 28), extra_bytes = file.u16(at + 30);
    const std::uint64_t entry_bytes = directory_bytes + name_bytes + extra_bytes + file.u16(at + 32);
    if (entry_bytes > directory_end - at)
      file.malformed(at, "an entry of the archive's directory is cut off");
    const std::string_view name = file.text(at + directory_bytes, name_bytes);
    check_name(file, at, name);
    if (!names.insert(name).second) file.malformed(at, "the archive has two entries \"{}\"", printable(name));
    if (flags & encrypted_flag) {
      file.not_supported(at, fmt::format("the entry \"{}\" is encrypted", printable(name)),
                         "an archive without a password");
    }
    if (method != stored && method != deflated) {
      file.not_supported(at,
                         fmt::format("the entry \"{}\" is compressed by method {}", printable(name), method),
                         "np.savez or np.savez_compressed");
    }
    ZipEntry entry{std::string(name), method == deflated, file.u32(at + 16),
                   file.u32(at + 20), file.u32(at + 24),  0};
    std::uint64_t header = file.u32(at + 42);
    read_zip64(file, at + directory_bytes + name_bytes, extra_bytes,
               {&entry.bytes, &entry.packed_bytes, &header});

    if (file.u32(header) != local_signature)
      file.malformed(header, "the entry \"{}\" is not there", printable(name));
    const std::uint64_t local_name_bytes = file.u16(header + 26);
    if (file.text(header + local_bytes, local_name_bytes) != name) {
      file.malformed(header, "the entry \"{}\" has another name in the archive's directory", printable(name));
    }
    entry.data_offset = header + local_bytes + local_name_bytes + file.u16(header + 28);
    file.bytes(entry.data_offset, entry.packed_bytes);  // throws when it is not there
    const bool sizes_fit = entry.deflated ? entry.bytes / largest_expansion <= entry.packed_bytes
                                          : entry.bytes == entry.packed_bytes;
    if (!sizes_fit) {
      file.malformed(at, "the entry \"{}\" cannot expand from {} to {} bytes", printable(name),
                     entry.packed_bytes, entry.bytes);
    }
    used.emplace_back(header, entry.data_offset + entry.packed_bytes);
    entries.push_back(std::move(entry));
    at += entry_bytes;
  }
  std::sort(used.begin(), used.end());
  for (std::size_t i = 0; i < used.size(); ++i) {
    const std::uint64_t next = i + 1 < used.size() ? used[i + 1].first : directory.offset;
    if (used[i].second > next) {
      file.unsafe(used[i].first, "do not trust this file", "two entries of the archive share bytes");
    }
  }
  return entries;
}

void read_zip_entry(const FileView& file, const ZipEntry& entry, std::span<std::uint8_t> target) {
  if (entry.deflated) {
    inflate_exactly(file, entry.data_offset, entry.packed_bytes, target);
  } else if (!target.empty()) {
    std::memcpy(target.data(), file.bytes(entry.data_offset, entry.bytes).data(), target.size());
  }
  if (crc32_z(0, target.data(), target.size()) != entry.checksum) {
    file.malformed(entry.data_offset, "the checksum of the entry \"{}\" is wrong", printable(entry.name));
  }
}

namespace {

// Numbers in a row, little-endian.
class Record {
 public:
  Record& u16(std::uint64_t value) { return add(value, 2); }
  Record& u32(std::uint64_t value) { return add(value, 4); }
  Record& u64(std::uint64_t value) { return add(value, 8); }
  Record& text(const std::string& text) {
    text_ += text;
    return *this;
  }
  void write(AtomicFile& file) const { file.write(text_); }

 private:
  Record& add(std::uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) text_ += static_cast<char>(value >> (8 * i) & 0xFF);
    return *this;
  }
  std::string text_;
};

constexpr std::uint16_t version_needed = 45;         // zip64
constexpr std::uint16_t earliest_date = 1 << 5 | 1;  // 1 January 1980: equal data give equal files

std::uint64_t low32(std::uint64_t value) { return std::min<std::uint64_t>(value, in_zip64); }

}  // namespace

void ZipWriter::add(const std::string& name, std::span<const std::span<const std::uint8_t>> parts,
                    bool compress) {
  ZipEntry entry{.name = name, .deflated = compress};
  uLong checksum = crc32_z(0, nullptr, 0);
  std::vector<std::uint8_t> packed;
  for (auto part : parts) {
    checksum = crc32_z(checksum, part.data(), part.size());
    entry.bytes += part.size();
    if (compress) packed.insert(packed.end(), part.begin(), part.end());
  }
  entry.checksum = static_cast<std::uint32_t>(checksum);
  if (compress) packed = deflate(packed);
  entry.packed_bytes = compress ? packed.size() : entry.bytes;

  const std::uint64_t header_offset = file_.position();
  const bool large = entry.bytes >= in_zip64 || entry.packed_bytes >= in_zip64;
  Record header;
  header.u32(local_signature).u16(version_needed).u16(utf8_flag).u16(compress ? deflated : stored);
  header.u16(0).u16(earliest_date).u32(entry.checksum);
  header.u32(large ? in_zip64 : entry.packed_bytes).u32(large ? in_zip64 : entry.bytes);
  header.u16(name.size()).u16(large ? 20 : 0).text(name);
  if (large) header.u16(zip64_field).u16(16).u64(entry.bytes).u64(entry.packed_bytes);
  header.write(file_);
  if (compress) {
    file_.write(packed.data(), packed.size());
  } else {
    for (auto part : parts) file_.write(part.data(), part.size());
  }
  written_.push_back({std::move(entry), header_offset});
}

void ZipWriter::finish() {
  const std::uint64_t start = file_.position();
  for (const auto& [entry, header_offset] : written_) {
    const bool large = entry.bytes >= in_zip64 || entry.packed_bytes >= in_zip64 || header_offset >= in_zip64;
    Record record;
    record.u32(directory_signature).u16(version_needed).u16(version_needed).u16(utf8_flag);
    record.u16(entry.deflated ? deflated : stored).u16(0).u16(earliest_date).u32(entry.checksum);
    record.u32(large ? in_zip64 : entry.packed_bytes).u32(large ? in_zip64 : entry.bytes);
    record.u16(entry.name.size()).u16(large ? 28 : 0).u16(0).u16(0).u16(0).u32(0);
    record.u32(large ? in_zip64 : header_offset).text(entry.name);
    if (large) {
      record.u16(zip64_field).u16(24).u64(entry.bytes).u64(entry.packed_bytes).u64(header_offset);
    }
    record.write(file_);
  }
  const std::uint64_t end = file_.position(), bytes = end - start, count = written_.size();
  if (start >= in_zip64 || count >= 0xFFFF) {
    Record record;
    record.u32(end64_signature).u64(end64_bytes - 12).u16(version_needed).u16(version_needed).u32(0).u32(0);
    record.u64(count).u64(count).u64(bytes).u64(start);
    record.u32(locator64_signature).u32(0).u64(end).u32(1);
    record.write(file_);
  }
  const std::uint64_t shown = std::min<std::uint64_t>(count, 0xFFFF);
  Record record;
  record.u32(end_signature).u16(0).u16(0).u16(shown).u16(shown).u32(low32(bytes)).u32(low32(start)).u16(0);
  record.write(file_);
}

}  // namespace phlox::io
