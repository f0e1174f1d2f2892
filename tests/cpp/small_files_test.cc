// IDX, CSV and PNG.
#include <gtest/gtest.h>
#include <png.h>
#include <zlib.h>

#include "error_matching.h"
#include "phlox/io/csv.h"
#include "phlox/io/deflate.h"
#include "phlox/io/idx.h"
#include "phlox/io/png.h"
#include "temporary_folder.h"

namespace phlox {
namespace {

using Bytes = std::vector<std::uint8_t>;

void write_gzip(const std::filesystem::path& path, const Bytes& bytes) {
  gzFile file = gzopen(path.c_str(), "wb");
  ASSERT_NE(file, nullptr);
  gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
  gzclose(file);
}

TEST(IdxTest, ReadsPlainAndCompressedFiles) {
  TemporaryFolder folder;
  const Bytes bytes = {0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 255};
  write_bytes(folder / "a", bytes);
  write_gzip(folder / "a.gz", bytes);
  for (const char* name : {"a", "a.gz"}) {
    const Tensor x = load_idx(folder / name);
    EXPECT_EQ(x.dtype(), DType::uint8);
    EXPECT_EQ(x.shape(), (Shape{2, 3}));
    EXPECT_EQ(x.to_vector<int>(), (std::vector<int>{1, 2, 3, 4, 5, 255}));
  }
  const Tensor wide = load_idx_bytes(Bytes{0, 0, 11, 1, 0, 0, 0, 2, 0xFF, 0xFE, 1, 0});
  EXPECT_EQ(wide.dtype(), DType::int16);
  EXPECT_EQ(wide.to_vector<int>(), (std::vector<int>{-2, 256}));
}

TEST(IdxTest, RefusesMalformedFiles) {
  EXPECT_ERROR(load_idx_bytes(Bytes{1, 0, 8, 0, 0}), FormatError, "no IDX file");
  EXPECT_ERROR(load_idx_bytes(Bytes{0, 0, 7, 0, 0}), FormatError, "0x07");
  EXPECT_ERROR(load_idx_bytes(Bytes{0, 0, 8, 33}), FormatError, "33 dimensions");
  EXPECT_ERROR(load_idx_bytes(Bytes{0, 0, 8, 1, 0, 0, 0, 2, 1}), FormatError, "[E0802]");
  EXPECT_ERROR(load_idx_bytes(Bytes{0, 0, 8, 1, 0, 0, 0, 2, 1, 2, 3}), FormatError, "1 bytes follow");
  EXPECT_ERROR(load_idx_bytes(Bytes{0, 0, 14, 2, 255, 255, 255, 255, 255, 255, 255, 255}), FormatError,
               "too many");
}

TEST(GzipTest, RefusesDamageTruncationAndBombs) {
  TemporaryFolder folder;
  write_gzip(folder / "zeros.gz", Bytes(1 << 20));
  EXPECT_EQ(io::read_expanded(folder / "zeros.gz", "load").size(), 1u << 20);
  EXPECT_ERROR(io::read_expanded(folder / "zeros.gz", "load", 1 << 19), FormatError, "[E0804]");
  Bytes bytes = read_bytes(folder / "zeros.gz");
  write_bytes(folder / "twice.gz", [&] {
    Bytes twice = bytes;
    twice.insert(twice.end(), bytes.begin(), bytes.end());
    return twice;
  }());
  EXPECT_EQ(io::read_expanded(folder / "twice.gz", "load").size(), 2u << 20);
  write_bytes(folder / "cut.gz", std::span(bytes).first(bytes.size() - 9));
  EXPECT_ERROR(io::read_expanded(folder / "cut.gz", "load"), FormatError, "[E0802]");
  bytes[bytes.size() - 6] ^= 1;
  write_bytes(folder / "damaged.gz", bytes);
  EXPECT_ERROR(io::read_expanded(folder / "damaged.gz", "load"), FormatError, "damaged");
}

TEST(CsvTest, ReadsTables) {
  TemporaryFolder folder;
  write_text(folder / "a.csv", "x;y\n 1;+2.5\r\n\n-3e2; 4 \n");
  const Tensor x = load_csv(folder / "a.csv", {.delimiter = ';', .skip_rows = 1});
  EXPECT_EQ(x.dtype(), DType::float64);
  EXPECT_EQ(x.shape(), (Shape{2, 2}));
  EXPECT_EQ(x.to_vector<double>(), (std::vector<double>{1, 2.5, -300, 4}));
  write_text(folder / "empty.csv", "");
  EXPECT_EQ(load_csv(folder / "empty.csv").shape(), (Shape{0, 0}));
}

TEST(CsvTest, ErrorsNameTheLine) {
  TemporaryFolder folder;
  write_text(folder / "a.csv", "1,2\n3,four\n");
  EXPECT_ERROR(load_csv(folder / "a.csv"), FormatError, "line 2: \"four\" is no number\n  file");
  EXPECT_ERROR(load_csv(folder / "a.csv"), FormatError, "byte  6");
  write_text(folder / "a.csv", "1,2\n3\n");
  EXPECT_ERROR(load_csv(folder / "a.csv"), FormatError, "line 2 has 1 fields");
  write_text(folder / "a.csv", "1,\n");
  EXPECT_ERROR(load_csv(folder / "a.csv"), FormatError, "line 1");
}

TEST(PngTest, WritesWhatLibpngReads) {
  TemporaryFolder folder;
  const std::vector<std::uint8_t> pixels = {255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 8, 7, 1, 2, 3, 4, 5, 6};
  save_png(folder / "a.png", from_values<std::uint8_t>(pixels, {2, 3, 3}));
  png_image image = {};
  image.version = PNG_IMAGE_VERSION;
  ASSERT_TRUE(png_image_begin_read_from_file(&image, (folder / "a.png").c_str()));
  EXPECT_EQ(image.width, 3u);
  EXPECT_EQ(image.height, 2u);
  image.format = PNG_FORMAT_RGB;
  std::vector<std::uint8_t> read(PNG_IMAGE_SIZE(image));
  ASSERT_TRUE(png_image_finish_read(&image, nullptr, read.data(), 0, nullptr));
  EXPECT_EQ(read, pixels);
  EXPECT_THROW(save_png(folder / "b.png", make_tensor({2, 2}, DType::float32)), DTypeError);
  EXPECT_THROW(save_png(folder / "b.png", make_tensor({2, 2, 2}, DType::uint8)), ShapeError);
  EXPECT_THROW(save_png(folder / "b.png", make_tensor({0, 2}, DType::uint8)), ShapeError);
  EXPECT_ERROR(save_png(folder / "no/b.png", make_tensor({2, 2}, DType::uint8)), FileError, "[E0805]");
}

}  // namespace
}  // namespace phlox
