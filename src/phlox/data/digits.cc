#include "phlox/data/digits.h"

#include "phlox/data/embedded.h"
#include "phlox/data/sampler.h"
#include "phlox/io/csv.h"
#include "phlox/io/idx.h"
#include "phlox/ops/functions.h"

namespace phlox::data {
namespace {

constexpr std::int64_t side = 8;
constexpr double brightest = 16;

Tensor load_idx_file(const std::filesystem::path& folder, const std::string& name) {
  for (const char* suffix : {"", ".gz"}) {
    if (std::filesystem::exists(folder / (name + suffix))) return load_idx(folder / (name + suffix));
  }
  return load_idx(folder / name);  // throws: not found
}

Subset load_part(const std::filesystem::path& folder, const std::string& part) {
  const Tensor images = load_idx_file(folder, part + "-images-idx3-ubyte");
  const Tensor labels = load_idx_file(folder, part + "-labels-idx1-ubyte");
  if (images.rank() != 3 || labels.rank() != 1) {
    fail<FormatError>(ErrorCode::file_malformed,
                      "digits_from_idx: images have 3 dimensions and labels 1, not {} and {}", images.rank(),
                      labels.rank())
        .detail("folder", folder.string())
        .raise();
  }
  const TensorDataset whole({div(unsqueeze(images, 1).to(DType::float32), 255.0), labels.to(DType::int64)});
  return Subset(share(whole), SequentialSampler(whole.size()).indices(0));
}

}  // namespace

TensorDataset digits() {
  const Tensor table = load_csv_bytes(embedded_digits(), "digits.csv.gz");
  const Tensor pixels = narrow(table, 1, 0, side * side).to(DType::float32);
  return TensorDataset(
      {reshape(div(pixels, brightest), {-1, 1, side, side}), select(table, 1, side * side).to(DType::int64)});
}

std::pair<Subset, Subset> digits_from_idx(const std::filesystem::path& folder) {
  return {load_part(folder, "train"), load_part(folder, "t10k")};
}

}  // namespace phlox::data
