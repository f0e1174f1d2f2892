// Changes valid files at random and loads them: every outcome but a tensor or a typed error is a fault. The
// fuzz targets in tests/fuzz do the same with guidance where clang is at hand; this runs everywhere.
#include <gtest/gtest.h>

#include <functional>
#include <random>

#include "phlox/io/checkpoint.h"
#include "phlox/io/idx.h"
#include "phlox/io/npy.h"
#include "temporary_folder.h"

namespace phlox {
namespace {

using Bytes = std::vector<std::uint8_t>;
using Load = std::function<void(std::span<const std::uint8_t>)>;
constexpr int mutations = 2500;  // of each format

void mutate(Bytes& bytes, std::mt19937& random) {
  const auto below = [&](std::size_t limit) { return random() % std::max<std::size_t>(limit, 1); };
  for (std::size_t changes = 1 + below(4); changes > 0 && !bytes.empty(); --changes) {
    const std::size_t at = below(bytes.size());
    switch (below(7)) {
      case 0: bytes[at] ^= static_cast<std::uint8_t>(1u << below(8)); break;
      case 1: bytes[at] = static_cast<std::uint8_t>(random()); break;
      case 2: bytes[at] = std::array<std::uint8_t, 6>{0, 0xFF, 0x7F, '"', '9', '}'}[below(6)]; break;
      case 3: bytes.resize(at); break;
      case 4:
        bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(at), static_cast<std::uint8_t>(random()));
        break;
      case 5: bytes.erase(bytes.begin() + static_cast<std::ptrdiff_t>(at)); break;
      default: {  // a piece copied elsewhere
        const std::size_t to = below(bytes.size());
        const std::size_t count = below(std::min<std::size_t>(24, bytes.size() - std::max(at, to)));
        std::copy_n(Bytes(bytes).begin() + static_cast<std::ptrdiff_t>(at), count,
                    bytes.begin() + static_cast<std::ptrdiff_t>(to));
      }
    }
  }
}

void run(const Bytes& valid, const Load& load) {
  load(valid);
  std::mt19937 random(20240);
  int refused = 0;
  for (int i = 0; i < mutations; ++i) {
    Bytes bytes = valid;
    mutate(bytes, random);
    try {
      load(bytes);
    } catch (const Error&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, mutations / 4);  // the changes do reach the checks
}

Tensor numbers(std::int64_t count) {
  std::vector<float> values(static_cast<std::size_t>(count), 1.5f);
  return from_values<float>(values, {count});
}

// Touches every element, so that a wrong extent is seen by the sanitizer.
void use(const StateDict& tensors) {
  for (const auto& [name, tensor] : tensors) {
    if (is_computable(tensor.dtype()) && !is_complex(tensor.dtype())) tensor.to_vector<double>();
  }
}

TEST(FileMutationTest, Safetensors) {
  TemporaryFolder folder;
  save_safetensors(folder / "a", {{"x", numbers(4)}, {"flag", from_values<bool>(std::array{true}, {1})}},
                   {{"k", "v"}});
  run(read_bytes(folder / "a"), [](auto bytes) { use(load_safetensors_bytes(bytes).tensors); });
}

TEST(FileMutationTest, Checkpoint) {
  TemporaryFolder folder;
  Checkpoint checkpoint;
  checkpoint["model"] = {{"x", numbers(2)}};
  checkpoint["random"] = random_state();
  const auto path = save_checkpoint(folder.path(), checkpoint);
  run(read_bytes(path), [](auto bytes) {
    for (const auto& [name, part] : load_checkpoint_bytes(bytes).parts) use(part);
  });
}

TEST(FileMutationTest, Npz) {
  TemporaryFolder folder;
  for (const bool compress : {false, true}) {
    save_npz(folder / "a", {{"x", numbers(4)}, {"y", numbers(0)}}, {.compress = compress});
    run(read_bytes(folder / "a"),
        [](auto bytes) { use(load_npz_bytes(bytes, "a.npz", {.max_bytes = 1 << 20})); });
  }
}

TEST(FileMutationTest, Npy) {
  TemporaryFolder folder;
  save_npy(folder / "a", numbers(4));
  run(read_bytes(folder / "a"), [](auto bytes) { use({{"x", load_npy_bytes(bytes)}}); });
}

TEST(FileMutationTest, Idx) {
  run({0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6},
      [](auto bytes) { use({{"x", load_idx_bytes(bytes)}}); });
}

}  // namespace
}  // namespace phlox
