#include "phlox/io/safetensors.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <cstring>

#include "error_matching.h"
#include "temporary_folder.h"

namespace phlox {
namespace {

Tensor numbers(const Shape& shape) {
  std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i) + 0.5f;
  return from_values<float>(values, shape);
}

// A file with this header and so many bytes of data.
std::vector<std::uint8_t> file_of(const std::string& header, std::size_t data_bytes) {
  std::vector<std::uint8_t> bytes(8 + header.size() + data_bytes);
  const std::uint64_t length = header.size();
  std::memcpy(bytes.data(), &length, 8);
  std::memcpy(bytes.data() + 8, header.data(), header.size());
  return bytes;
}

void expect_malformed(const std::string& header, std::size_t data_bytes, const std::string& part) {
  SCOPED_TRACE(header);
  const auto bytes = file_of(header, data_bytes);
  EXPECT_ERROR(load_safetensors_bytes(bytes, "bad.safetensors"), FormatError, part);
  EXPECT_ERROR(load_safetensors_bytes(bytes, "bad.safetensors"), FormatError, "bad.safetensors");
}

TEST(SafetensorsTest, GivesBackWhatWasSaved) {
  TemporaryFolder folder;
  StateDict state;
  state.set("flags", from_values<bool>(std::array{true, false, true}, {3}));
  state.set("conv.weight", numbers({2, 3, 4}));
  state.set("steps", from_values<std::int64_t>(std::array<std::int64_t, 1>{42}, {}));
  state.set("empty", numbers({2, 0}));
  state.set("name with \"quotes\", \\ and \n and \xc3\xa9", numbers({1}));
  save_safetensors(folder / "a.safetensors", state, {{"epoch", "10"}, {"note", "tab\tand \x01"}});

  for (const bool memory_map : {true, false}) {
    const SafetensorsFile file = load_safetensors(folder / "a.safetensors", {.memory_map = memory_map});
    EXPECT_EQ(file.metadata, (Metadata{{"epoch", "10"}, {"note", "tab\tand \x01"}}));
    ASSERT_EQ(file.tensors.size(), state.size());
    auto expected = state.begin();
    for (const auto& [name, tensor] : file.tensors) {
      EXPECT_EQ(name, expected->first);
      EXPECT_EQ(tensor.dtype(), expected->second.dtype());
      EXPECT_EQ(tensor.shape(), expected->second.shape());
      EXPECT_EQ(tensor.to_vector<double>(), expected->second.to_vector<double>());
      ++expected;
    }
  }
}

TEST(SafetensorsTest, KeepsEveryDTypeThatTheFormatHas) {
  TemporaryFolder folder;
  StateDict state;
  for (DType dtype :
       {DType::bool_, DType::uint8, DType::uint16, DType::uint32, DType::uint64, DType::int8, DType::int16,
        DType::int32, DType::int64, DType::float16, DType::bfloat16, DType::float32, DType::float64,
        DType::complex64, DType::float8_e4m3fn, DType::float8_e5m2, DType::float8_e8m0fnu}) {
    Tensor tensor = make_tensor({3}, dtype);
    std::memset(tensor.data_pointer(), 1, static_cast<std::size_t>(3 * element_size(dtype)));
    state.set(std::string(info(dtype).name), tensor);
  }
  save_safetensors(folder / "all.safetensors", state);
  const SafetensorsFile file = load_safetensors(folder / "all.safetensors");
  for (const auto& [name, tensor] : state) {
    const Tensor& loaded = file.tensors.at(name);
    EXPECT_EQ(loaded.dtype(), tensor.dtype());
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(loaded.data_pointer()) %
                  static_cast<unsigned>(element_size(tensor.dtype())),
              0u);
    EXPECT_EQ(std::memcmp(loaded.data_pointer(), tensor.data_pointer(),
                          static_cast<std::size_t>(3 * element_size(tensor.dtype()))),
              0);
  }
  EXPECT_ERROR(save_safetensors(folder / "no.safetensors", {{"z", make_tensor({2}, DType::complex128)}}),
               NotSupportedError, "view_as_real");
  EXPECT_FALSE(std::filesystem::exists(folder / "no.safetensors"));
}

TEST(SafetensorsTest, DataBeginAtAMultipleOf64Bytes) {
  TemporaryFolder folder;
  save_safetensors(folder / "a.safetensors", {{"flag", make_tensor({0}, DType::bool_)}, {"x", numbers({7})}});
  const auto bytes = read_bytes(folder / "a.safetensors");
  std::uint64_t header = 0;
  std::memcpy(&header, bytes.data(), 8);
  EXPECT_EQ((8 + header) % 64, 0u);
  EXPECT_EQ(bytes.size(), 8 + header + 7 * sizeof(float));
}

TEST(SafetensorsTest, ViewsAreSavedAsWhatTheyShow) {
  TemporaryFolder folder;
  Tensor x = numbers({2, 3});
  save_safetensors(folder / "a.safetensors",
                   {{"t", make_view(x, {3, 2}, {1, 3}, 0)}, {"last", make_view(x, {2}, {-3}, 5)}});
  const StateDict loaded = load_safetensors(folder / "a.safetensors").tensors;
  EXPECT_EQ(loaded.at("t").to_vector<float>(), (std::vector<float>{0.5f, 3.5f, 1.5f, 4.5f, 2.5f, 5.5f}));
  EXPECT_EQ(loaded.at("last").to_vector<float>(), (std::vector<float>{5.5f, 2.5f}));
}

TEST(SafetensorsTest, MappedTensorsOutliveTheFileAndDoNotWriteToIt) {
  TemporaryFolder folder;
  save_safetensors(folder / "a.safetensors", {{"x", numbers({4})}});
  Tensor x = load_safetensors(folder / "a.safetensors", {.memory_map = true}).tensors.at("x");
  const auto before = read_bytes(folder / "a.safetensors");
  x.data<float>()[0] = 100;
  EXPECT_EQ(read_bytes(folder / "a.safetensors"), before);
  // Saving over the file that is mapped.
  save_safetensors(folder / "a.safetensors", {{"x", x}});
  EXPECT_EQ(x.to_vector<float>(), (std::vector<float>{100, 1.5f, 2.5f, 3.5f}));
  std::filesystem::remove(folder / "a.safetensors");
  EXPECT_EQ(x.to_vector<float>(), (std::vector<float>{100, 1.5f, 2.5f, 3.5f}));
}

TEST(SafetensorsTest, LoadedTensorsDoNotDependOnTheFile) {
  TemporaryFolder folder;
  const Tensor written = numbers({3, 1 << 20});  // more than one thread reads at once
  save_safetensors(folder / "a.safetensors", {{"x", written}});
  const Tensor x = load_safetensors(folder / "a.safetensors").tensors.at("x");
  std::filesystem::resize_file(folder / "a.safetensors", 0);
  EXPECT_EQ(x.to_vector<float>(), written.to_vector<float>());
}

TEST(SafetensorsTest, UnalignedTensorsOfOtherWritersAreCopied) {
  TemporaryFolder folder;
  std::string header = R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  while ((8 + header.size()) % 4 != 1) header += ' ';
  auto bytes = file_of(header, 8);
  const float values[] = {1, 2};
  std::memcpy(bytes.data() + 8 + header.size(), values, 8);
  write_bytes(folder / "a.safetensors", bytes);
  const Tensor x = load_safetensors(folder / "a.safetensors", {.memory_map = true}).tensors.at("x");
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(x.data_pointer()) % 4, 0u);
  EXPECT_EQ(x.to_vector<float>(), (std::vector<float>{1, 2}));
}

TEST(SafetensorsTest, RefusesMalformedHeaders) {
  const std::string f32 = R"("x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]})";
  expect_malformed("", 0, "'{' was expected");
  expect_malformed("[]", 0, "'{' was expected");
  expect_malformed("{", 0, "ends where");
  expect_malformed("{" + f32 + "}x", 8, "something follows");
  expect_malformed("{" + f32 + "," + f32 + "}", 8, "comes twice");
  expect_malformed(R"({"x":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 8,
                   "comes twice");
  expect_malformed(R"({"x":{"dtype":"F99","shape":[2],"data_offsets":[0,8]}})", 8, "F99");
  expect_malformed(R"({"x":{"dtype":"F32","shape":[2]}})", 8, "needs dtype, shape and data_offsets");
  expect_malformed(R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"more":1}})", 8, "more");
  expect_malformed(R"({"x":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})", 8, "whole number");
  expect_malformed(R"({"x":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}})", 8, "whole number");
  expect_malformed(R"({"x":{"dtype":"F32","shape":[02],"data_offsets":[0,8]}})", 8, "whole number");
  expect_malformed(R"({"x":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,8]}})", 8,
                   "too large");
  expect_malformed(
      R"({"x":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,2],"data_offsets":[0,8]}})",
      8, "dimensions");
  expect_malformed("{\"\xff\":1}", 0, "not UTF-8");
  expect_malformed("{\"\xed\xa0\x80\":1}", 0, "not UTF-8");
  expect_malformed(R"({"\ud800":1})", 0, "surrogate");
  expect_malformed(R"({"\q":1})", 0, "escape");
  expect_malformed("{\"a\nb\":1}", 0, "control character");
  expect_malformed(R"({"__metadata__":{"a":1}})", 0, "'\"' was expected");
  expect_malformed(R"({"b":{"dtype":"BOOL","shape":[1],"data_offsets":[0,1]}})", 2, "the last 1 bytes");
}

TEST(SafetensorsTest, RefusesOffsetsThatDoNotFitTheData) {
  const auto two = [](const std::string& a, const std::string& b) {
    return R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[)" + a +
           R"(]},"y":{"dtype":"F32","shape":[2],"data_offsets":[)" + b + "]}}";
  };
  expect_malformed(two("0,8", "4,12"), 12, "overlaps");
  expect_malformed(two("0,8", "0,8"), 8, "overlaps");
  expect_malformed(two("0,8", "12,20"), 20, "no tensor uses the 4 bytes");
  expect_malformed(two("0,8", "8,16"), 20, "no tensor uses the last 4 bytes");
  expect_malformed(two("0,8", "8,12"), 12, "f32[2] but the data offsets 8 to 12");
  expect_malformed(two("8,0", "8,16"), 16, "data offsets 8 to 0");
  expect_malformed(two("0,8", "8,16"), 12, "[E0802]");
  expect_malformed(two("0,8", "18446744073709551608,18446744073709551615"), 16, "data offsets");
  expect_malformed(R"({"x":{"dtype":"F64","shape":[4611686018427387904,4],"data_offsets":[0,0]}})", 0,
                   "too many elements");
  expect_malformed(R"({"x":{"dtype":"F64","shape":[0,4611686018427387904,4],"data_offsets":[0,0]}})", 0,
                   "too many elements");
}

TEST(SafetensorsTest, RefusesTruthValuesThatAreNeither) {
  auto bytes = file_of(R"({"b":{"dtype":"BOOL","shape":[2],"data_offsets":[0,2]}})", 2);
  bytes.back() = 2;
  EXPECT_ERROR(load_safetensors_bytes(bytes), FormatError, "neither 0 nor 1");
}

TEST(SafetensorsTest, RefusesTruncatedFilesAtEveryLength) {
  TemporaryFolder folder;
  save_safetensors(folder / "a.safetensors", {{"x", numbers({3})}, {"y", numbers({2, 2})}}, {{"k", "v"}});
  const auto bytes = read_bytes(folder / "a.safetensors");
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_THROW(load_safetensors_bytes(std::span(bytes).first(length)), FormatError) << length;
  }
}

TEST(SafetensorsTest, RefusesHeadersBeyondTheLimit) {
  std::vector<std::uint8_t> bytes(16);
  const std::uint64_t length = 100'000'001;
  std::memcpy(bytes.data(), &length, 8);
  EXPECT_ERROR(load_safetensors_bytes(bytes), FormatError, "at most 100000000");
  std::memset(bytes.data(), 0xFF, 8);
  EXPECT_THROW(load_safetensors_bytes(bytes), FormatError);
}

TEST(SafetensorsTest, ErrorsNameFileByteAndCode) {
  auto bytes = file_of(R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[0,12]}})", 12);
  EXPECT_EQ(error_text([&] { load_safetensors_bytes(bytes, "net.safetensors"); }),
            "[E0803] load_safetensors: \"x\" has f32[2] but the data offsets 0 to 12\n"
            "  file  net.safetensors, 75 bytes\n"
            "  byte  9");
}

TEST(SafetensorsTest, MissingFilesAndFoldersAreNamed) {
  TemporaryFolder folder;
  EXPECT_ERROR(load_safetensors(folder / "absent.safetensors"), FileError, "[E0801]");
  EXPECT_ERROR(load_safetensors(folder / "absent.safetensors"), FileError, "absent.safetensors");
  EXPECT_ERROR(load_safetensors(folder.path()), FileError, "[E0801]");
  EXPECT_ERROR(save_safetensors(folder / "no/such/place.safetensors", {{"x", numbers({1})}}), FileError,
               "[E0805]");
  EXPECT_ERROR(save_safetensors(folder.path(), {{"x", numbers({1})}}), FileError, "[E0805]");
}

TEST(SafetensorsTest, RefusesNamesThatTheFormatCannotHold) {
  TemporaryFolder folder;
  EXPECT_ERROR(save_safetensors(folder / "a", {{"__metadata__", numbers({1})}}), ValueError, "metadata");
  EXPECT_ERROR(save_safetensors(folder / "a", {{"\xff", numbers({1})}}), ValueError, "UTF-8");
  EXPECT_EQ(folder.file_count(), 0u);
}

TEST(SafetensorsTest, AFailedSaveLeavesTheOldFile) {
  TemporaryFolder folder;
  save_safetensors(folder / "a.safetensors", {{"x", numbers({3})}});
  const auto before = read_bytes(folder / "a.safetensors");
  // A disk that is full looks like this: no file may grow beyond 64 KiB.
  rlimit old;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
  rlimit small = old;
  small.rlim_cur = 1 << 16;
  auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const std::string text =
      error_text([&] { save_safetensors(folder / "a.safetensors", {{"x", numbers({100000})}}); });
  setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_NE(text.find("[E0805]"), std::string::npos) << text;
  EXPECT_EQ(read_bytes(folder / "a.safetensors"), before);
  EXPECT_EQ(folder.file_count(), 1u);  // nothing is left lying about
}

TEST(SafetensorsTest, SavingKeepsTheModeOfTheFileAndFollowsLinks) {
  namespace fs = std::filesystem;
  TemporaryFolder folder;
  save_safetensors(folder / "real.safetensors", {{"x", numbers({1})}});
  fs::permissions(folder / "real.safetensors", fs::perms::owner_read | fs::perms::owner_write);
  fs::create_symlink(folder / "real.safetensors", folder / "link.safetensors");
  save_safetensors(folder / "link.safetensors", {{"x", numbers({2})}});
  EXPECT_TRUE(fs::is_symlink(folder / "link.safetensors"));
  EXPECT_EQ(fs::status(folder / "real.safetensors").permissions(),
            fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_EQ(load_safetensors(folder / "real.safetensors").tensors.at("x").numel(), 2);
}

TEST(StateDictTest, KeepsOrderAndReplacesInPlace) {
  StateDict state{{"b", numbers({1})}, {"a", numbers({2})}};
  state.set("b", numbers({3}));
  state.set_number("rate", 0.25);
  state.set_integer("step", 7);
  std::string names;
  for (const auto& [name, tensor] : state) names += name + ' ';
  EXPECT_EQ(names, "b a rate step ");
  EXPECT_EQ(state.at("b").numel(), 3);
  EXPECT_EQ(state.number("rate"), 0.25);
  EXPECT_EQ(state.integer("step"), 7);
  EXPECT_ERROR(state.at("c"), StateError, "\"c\"");
  StateDict all;
  all.merge("net.", state);
  EXPECT_EQ(all.extract("net.").size(), 4u);
  EXPECT_EQ(all.extract("net.").at("a").numel(), 2);
}

}  // namespace
}  // namespace phlox
