// Handwritten digits.
#pragma once

#include <filesystem>
#include <utility>

#include "phlox/data/dataset.h"

namespace phlox::data {

// 1,797 digits of 8 x 8 pixels, which come with the library: images f32[1797,1,8,8] from 0 to 1, classes i64[1797].
// Source: E. Alpaydin, C. Kaynak 1998, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository,
// CC BY 4.0.
TensorDataset digits();

// MNIST and its kin from a folder with train-images-idx3-ubyte, train-labels-idx1-ubyte and t10k-..., plain or with
// .gz, to train and to test: images f32[N,1,H,W] from 0 to 1, classes i64[N]. Throws FileError [E0801] and FormatError.
std::pair<Subset, Subset> digits_from_idx(const std::filesystem::path& folder);

}  // namespace phlox::data
