#include "phlox/io/deflate.h"

#include <zlib.h>

#include <algorithm>
#include <climits>
#include <new>

namespace phlox::io {
namespace {

constexpr int raw_deflate = -MAX_WBITS;
constexpr int gzip = MAX_WBITS + 16;

class Inflater {
 public:
  explicit Inflater(int window_bits) {
    if (inflateInit2(&stream_, window_bits) != Z_OK) throw std::bad_alloc();
  }
  ~Inflater() { inflateEnd(&stream_); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  // Expands into `target` until it is full or the stream ends or fails. zlib counts in 32 bits, hence the
  // pieces. Returns the bytes written.
  std::size_t expand(std::span<const std::uint8_t> input, std::span<std::uint8_t> target) {
    std::size_t written = 0;
    for (;;) {
      const auto available = input.size() - consumed;
      const auto room = target.size() - written;
      stream_.next_in = const_cast<Bytef*>(input.data() + consumed);
      stream_.avail_in = static_cast<uInt>(std::min<std::size_t>(available, UINT_MAX));
      stream_.next_out = target.data() + written;
      stream_.avail_out = static_cast<uInt>(std::min<std::size_t>(room, UINT_MAX));
      const uInt in_before = stream_.avail_in, out_before = stream_.avail_out;
      status = inflate(&stream_, Z_NO_FLUSH);
      consumed += in_before - stream_.avail_in;
      written += out_before - stream_.avail_out;
      const bool stuck = stream_.avail_in == in_before && stream_.avail_out == out_before;
      if (status != Z_OK || stuck) return written;
    }
  }
  bool ended() const { return status == Z_STREAM_END; }
  bool broken() const { return status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR; }
  void restart() { inflateReset(&stream_); }

  std::size_t consumed = 0;
  int status = Z_OK;

 private:
  z_stream stream_ = {};
};

}  // namespace

void inflate_exactly(const FileView& file, std::uint64_t offset, std::uint64_t count,
                     std::span<std::uint8_t> target) {
  const auto input = file.bytes(offset, count);
  Inflater inflater(raw_deflate);
  const std::size_t written = inflater.expand(input, target);
  if (inflater.broken()) file.malformed(offset + inflater.consumed, "the compressed data are damaged");
  std::uint8_t spare;
  const bool more = !inflater.ended() && inflater.expand(input, std::span(&spare, 1)) > 0;
  if (written != target.size() || more || !inflater.ended()) {
    file.malformed(offset + inflater.consumed,
                   "the compressed data do not give the {} bytes that are announced", target.size());
  }
  if (inflater.consumed != count)
    file.malformed(offset + inflater.consumed, "bytes follow the compressed data");
}

std::vector<std::uint8_t> deflate(std::span<const std::uint8_t> bytes) {
  z_stream stream = {};
  if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, raw_deflate, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
    throw std::bad_alloc();
  }
  std::vector<std::uint8_t> result(bytes.size() / 2 + 64);
  std::size_t consumed = 0, written = 0;
  int status = Z_OK;
  while (status != Z_STREAM_END) {
    if (written == result.size()) result.resize(2 * result.size());
    stream.next_in = const_cast<Bytef*>(bytes.data() + consumed);
    stream.avail_in = static_cast<uInt>(std::min<std::size_t>(bytes.size() - consumed, UINT_MAX));
    stream.next_out = result.data() + written;
    stream.avail_out = static_cast<uInt>(std::min<std::size_t>(result.size() - written, UINT_MAX));
    const uInt in_before = stream.avail_in, out_before = stream.avail_out;
    const bool last = consumed + in_before == bytes.size();
    status = ::deflate(&stream, last ? Z_FINISH : Z_NO_FLUSH);
    consumed += in_before - stream.avail_in;
    written += out_before - stream.avail_out;
  }
  deflateEnd(&stream);
  result.resize(written);
  return result;
}

std::vector<std::uint8_t> read_expanded(const std::filesystem::path& path, std::string_view operation,
                                        std::uint64_t limit) {
  const MappedFile mapped(path, operation);
  return expand_gzip(FileView(operation, mapped), limit);
}

std::vector<std::uint8_t> expand_gzip(const FileView& file, std::uint64_t limit) {
  const auto input = file.bytes(0, file.size());
  if (input.size() < 2 || input[0] != 0x1F || input[1] != 0x8B) return {input.begin(), input.end()};

  std::vector<std::uint8_t> result;
  Inflater inflater(gzip);
  std::uint8_t piece[1 << 14];
  for (;;) {
    const std::size_t written = inflater.expand(input, piece);
    if (inflater.broken()) file.malformed(inflater.consumed, "the gzip data are damaged");
    if (result.size() + written > limit) {
      file.unsafe(inflater.consumed, "expand the file first, if it is meant to be that large",
                  "the gzip data expand to more than {} bytes", limit);
    }
    result.insert(result.end(), piece, piece + written);
    if (inflater.ended()) {
      if (inflater.consumed == input.size()) return result;
      inflater.restart();  // gzip files may be joined
    } else if (written == 0) {
      file.bytes(file.size(), 1);  // throws: truncated
    }
  }
}

}  // namespace phlox::io
