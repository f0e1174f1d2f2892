#include <gtest/gtest.h>

#include <cstring>

#include "error_matching.h"
#include "phlox/io/npy.h"
#include "temporary_folder.h"

namespace phlox {
namespace {

using Bytes = std::vector<std::uint8_t>;

std::filesystem::path data_file(const std::string& name) {
  return std::filesystem::path(PHLOX_SOURCE_DIR) / "tests/data" / name;
}

Tensor numbers(const Shape& shape) {
  std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i) + 0.5f;
  return from_values<float>(values, shape);
}

Bytes npy_with(const std::string& header, std::size_t data_bytes) {
  const std::string magic("\x93NUMPY\x01\x00", 8);
  const std::string text =
      magic + static_cast<char>(header.size() & 0xFF) + static_cast<char>(header.size() >> 8) + header;
  Bytes bytes(text.begin(), text.end());
  bytes.resize(bytes.size() + data_bytes);
  return bytes;
}

// Where the entries of the archive's directory stand.
std::vector<std::size_t> directory_entries(const Bytes& bytes) {
  std::vector<std::size_t> found;
  for (std::size_t at = 0; at + 4 <= bytes.size(); ++at) {
    if (std::memcmp(bytes.data() + at, "PK\x01\x02", 4) == 0) found.push_back(at);
  }
  return found;
}

TEST(NpyTest, ReadsWhatNumpyWrites) {
  const StateDict arrays = load_npz(data_file("numpy.npz"));
  ASSERT_EQ(arrays.size(), 8u);
  EXPECT_EQ(arrays.at("matrix").dtype(), DType::float32);
  EXPECT_EQ(arrays.at("matrix").shape(), (Shape{2, 3}));
  EXPECT_EQ(arrays.at("matrix").to_vector<float>(), (std::vector<float>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(arrays.at("fortran").dtype(), DType::int64);
  EXPECT_EQ(arrays.at("fortran").to_vector<int>(), (std::vector<int>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(arrays.at("big_endian").dtype(), DType::int32);
  EXPECT_EQ(arrays.at("big_endian").to_vector<int>(), (std::vector<int>{1, -2, 300}));
  EXPECT_EQ(arrays.at("scalar").rank(), 0);
  EXPECT_EQ(arrays.at("scalar").item<double>(), 2.5);
  EXPECT_EQ(arrays.at("flags").dtype(), DType::bool_);
  EXPECT_EQ(arrays.at("complex").item().complex(), std::complex<double>(1, 2));
  EXPECT_EQ(arrays.at("empty").shape(), (Shape{0, 3}));
  EXPECT_EQ(arrays.at("empty").dtype(), DType::float16);
  const auto cube = arrays.at("cube").to_vector<int>();
  EXPECT_EQ(arrays.at("cube").shape(), (Shape{2, 3, 4}));
  for (std::size_t i = 0; i < cube.size(); ++i) EXPECT_EQ(cube[i], static_cast<int>(i));

  const StateDict compressed = load_npz(data_file("numpy_compressed.npz"));
  EXPECT_EQ(compressed.at("zeros").shape(), (Shape{100, 100}));
  EXPECT_EQ(compressed.at("zeros").to_vector<double>(), std::vector<double>(10000));
  EXPECT_EQ(compressed.at("count").to_vector<int>()[999], 999);
}

TEST(NpyTest, WritesTheBytesThatNumpyWrites) {
  TemporaryFolder folder;
  save_npy(folder / "x.npy", numbers({2, 3}));
  const Bytes bytes = read_bytes(folder / "x.npy");
  std::string header = "\x93NUMPY\x01";
  header += '\0';
  header += "v";  // 118, the length of the rest
  header += '\0';
  header += "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
  header.resize(127, ' ');
  header += '\n';
  ASSERT_EQ(bytes.size(), 128u + 24u);
  EXPECT_EQ(std::string(bytes.begin(), bytes.begin() + 128), header);
}

TEST(NpyTest, GivesBackWhatWasSaved) {
  TemporaryFolder folder;
  for (DType dtype : {DType::bool_, DType::uint8, DType::int16, DType::uint32, DType::int64, DType::float16,
                      DType::float32, DType::float64, DType::complex64, DType::complex128}) {
    for (const Shape& shape : {Shape{}, Shape{5}, Shape{2, 3}, Shape{3, 0, 2}}) {
      Tensor x = make_tensor(shape, dtype);
      std::memset(x.data_pointer(), 1, static_cast<std::size_t>(x.numel() * element_size(dtype)));
      save_npy(folder / "x.npy", x);
      const Tensor loaded = load_npy(folder / "x.npy");
      EXPECT_EQ(loaded.dtype(), dtype);
      EXPECT_EQ(loaded.shape(), shape);
      EXPECT_EQ(std::memcmp(loaded.data_pointer(), x.data_pointer(),
                            static_cast<std::size_t>(x.numel() * element_size(dtype))),
                0);
    }
  }
  EXPECT_ERROR(save_npy(folder / "x.npy", make_tensor({1}, DType::bfloat16)), NotSupportedError,
               "NumPy has no bfloat16");
}

TEST(NpyTest, RefusesPythonObjects) {
  EXPECT_ERROR(load_npy(data_file("objects.npy")), FormatError, "[E0804]");
  EXPECT_ERROR(load_npz(data_file("objects.npz")), FormatError, "[E0804]");
  EXPECT_ERROR(load_npz(data_file("objects.npz")), FormatError, "entry bad.npy");
}

TEST(NpyTest, RefusesBadHeaders) {
  const auto refused = [](const std::string& header, std::size_t data, const std::string& part) {
    SCOPED_TRACE(header);
    const Bytes bytes = npy_with(header, data);
    EXPECT_ERROR(load_npy_bytes(bytes), Error, part);
  };
  const std::string rest = ", 'fortran_order': False, 'shape': (2,)}";
  EXPECT_EQ(load_npy_bytes(npy_with("{'descr': '<f4'" + rest, 8)).shape(), Shape{2});
  refused("{'descr': '<f4'" + rest, 7, "[E0802]");
  refused("{'descr': '<f4'" + rest, 9, "1 bytes follow");
  refused("{'descr': '<f3'" + rest, 8, "dtype '<f3' is not known");
  refused("{'descr': '<U2'" + rest, 16, "[E0106]");
  refused("{'descr': [('a', '<f4')]" + rest, 8, "structured");
  refused("{'descr': '|O'" + rest, 16, "[E0804]");
  refused("{'descr': '<f4', 'descr': '<f4'" + rest, 8, "twice");
  refused("{'descr': '<f4', 'more': 1" + rest, 8, "unknown key");
  refused("{'descr': '<f4', 'shape': (2,)}", 8, "lacks");
  refused("{'descr': '<f4', 'fortran_order': 1, 'shape': (2,)}", 8, "True or False");
  refused("{'descr': '<f4', 'fortran_order': False, 'shape': (-2,)}", 8, "a size was expected");
  refused("{'descr': '<f4', 'fortran_order': False, 'shape': (2000000000000000000,)}", 8, "too large");
  refused("{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999, 9999999999)}", 8,
          "too many elements");
  refused("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 9999999999, 9999999999)}", 0,
          "too many elements");
  refused("{'descr': '<f4" + rest, 8, "is not known");
  refused("__import__('os')", 8, "'{' was expected");
  refused("{'descr': '<f4'" + rest + "x", 8, "something follows");
  Bytes unknown = npy_with("{}", 0);
  unknown[6] = 9;
  EXPECT_ERROR(load_npy_bytes(unknown), FormatError, "version 9");
  EXPECT_ERROR(load_npy_bytes(Bytes{1, 2, 3, 4, 5, 6, 7}), FormatError, "no .npy file");
}

class NpzTest : public ::testing::Test {
 protected:
  Bytes archive(bool compress = false) {
    save_npz(folder / "a.npz", {{"one", numbers({3})}, {"two", numbers({2, 2})}}, {.compress = compress});
    return read_bytes(folder / "a.npz");
  }
  TemporaryFolder folder;
};

TEST_F(NpzTest, GivesBackWhatWasSaved) {
  for (const bool compress : {false, true}) {
    const Bytes bytes = archive(compress);
    const StateDict loaded = load_npz(folder / "a.npz");
    EXPECT_EQ(loaded.size(), 2u);
    EXPECT_EQ(loaded.begin()->first, "one");
    EXPECT_EQ(loaded.at("two").to_vector<float>(), (std::vector<float>{0.5f, 1.5f, 2.5f, 3.5f}));
    EXPECT_EQ(archive(compress), bytes);  // equal arrays give equal files
  }
  save_npz(folder / "empty.npz", {});
  EXPECT_TRUE(load_npz(folder / "empty.npz").empty());
}

TEST_F(NpzTest, CompressionCompresses) {
  save_npz(folder / "a.npz", {{"x", from_values<float>(std::vector<float>(100000), {100000})}},
           {.compress = true});
  EXPECT_LT(std::filesystem::file_size(folder / "a.npz"), 2000u);
  EXPECT_EQ(load_npz(folder / "a.npz").at("x").numel(), 100000);
}

TEST_F(NpzTest, RefusesTruncatedFilesAtEveryLength) {
  const Bytes bytes = archive();
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_THROW(load_npz_bytes(std::span(bytes).first(length)), FormatError) << length;
  }
}

TEST_F(NpzTest, FindsDamagedData) {
  for (const bool compress : {false, true}) {
    Bytes bytes = archive(compress);
    bytes[directory_entries(bytes)[0] - 6] ^= 0x40;
    EXPECT_THROW(load_npz_bytes(bytes), FormatError);
  }
  Bytes bytes = archive();
  bytes[directory_entries(bytes)[0] - 6] ^= 0x40;
  EXPECT_ERROR(load_npz_bytes(bytes), FormatError, "checksum");
}

TEST_F(NpzTest, RefusesNamesThatPointOutOfTheArchive) {
  for (const std::string& name : {std::string("../one.npy"), std::string("/abs/x.npy"),
                                  std::string("a/../..npy"), std::string("C:\\abc.npy")}) {
    TemporaryFolder other;
    std::string harmless = "x" + std::string(name.size() - 5, 'y');
    save_npz(other / "a.npz", {{harmless, numbers({3})}});
    Bytes bytes = read_bytes(other / "a.npz");
    harmless += ".npy";
    for (std::size_t at = 0; at + harmless.size() <= bytes.size(); ++at) {
      if (std::memcmp(bytes.data() + at, harmless.data(), harmless.size()) == 0) {
        std::memcpy(bytes.data() + at, name.data(), name.size());
      }
    }
    SCOPED_TRACE(name);
    EXPECT_ERROR(load_npz_bytes(bytes), FormatError, "[E0804]");
  }
}

TEST_F(NpzTest, RefusesEntriesThatShareBytes) {
  Bytes bytes = archive();
  // The second entry of the directory is made a copy of the first but for its name: both use the same data.
  const std::size_t first = directory_entries(bytes)[0], second = directory_entries(bytes)[1];
  std::memcpy(bytes.data() + second, bytes.data() + first, 46);
  EXPECT_ERROR(load_npz_bytes(bytes), FormatError, "another name");
  std::memcpy(bytes.data() + second + 46, bytes.data() + first + 46, 7);
  EXPECT_ERROR(load_npz_bytes(bytes), FormatError, "two entries \"one.npy\"");
}

TEST_F(NpzTest, RefusesSizesThatCannotBe) {
  Bytes bytes = archive(true);
  const std::size_t entry = directory_entries(bytes)[1];
  bytes[entry + 24 + 3] = 0x7F;  // nearly 2 GiB from a few bytes
  EXPECT_ERROR(load_npz_bytes(bytes), FormatError, "cannot expand");
}

TEST_F(NpzTest, RefusesToExpandBeyondTheLimit) {
  save_npz(folder / "a.npz", {{"x", from_values<float>(std::vector<float>(100000), {100000})}},
           {.compress = true});
  EXPECT_ERROR(load_npz(folder / "a.npz", {.max_bytes = 100000}), FormatError, "[E0804]");
  EXPECT_EQ(load_npz(folder / "a.npz", {.max_bytes = 500000}).size(), 1u);
}

TEST_F(NpzTest, RefusesEncryptionAndUnknownMethods) {
  Bytes bytes = archive();
  const std::size_t entry = directory_entries(bytes)[1];
  bytes[entry + 8] |= 1;
  EXPECT_ERROR(load_npz_bytes(bytes), NotSupportedError, "encrypted");
  bytes[entry + 8] &= 0xFE;
  bytes[entry + 10] = 12;
  EXPECT_ERROR(load_npz_bytes(bytes), NotSupportedError, "method 12");
}

TEST_F(NpzTest, RefusesNamesThatCannotBeSaved) {
  EXPECT_ERROR(save_npz(folder / "a.npz", {{"/x", numbers({1})}}), ValueError, "/x");
  EXPECT_ERROR(save_npz(folder / "a.npz", {{"", numbers({1})}}), ValueError, "cannot be called");
  EXPECT_EQ(folder.file_count(), 0u);
}

}  // namespace
}  // namespace phlox
