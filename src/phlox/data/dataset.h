// Datasets: numbered examples, each a few tensors such as an image and its class.
//
//   auto [train, test] = data::digits().split(0.8);
//   for (auto [x, y] : data::loader(train, {.batch_size = 64, .shuffle = true})) step(x, y);
//
// A dataset of one's own says how many examples it has and what example i is:
//
//   struct Squares : data::Dataset {
//     std::int64_t size() const override { return 100; }
//     data::Fields get(std::int64_t i) const override { return {Tensor(double(i)), Tensor(double(i * i))}; }
//   };
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

#include "phlox/core/tensor.h"

namespace phlox::data {

// The tensors of one example or of a batch.
using Fields = std::vector<Tensor>;

// Numbered examples; see the top of this file for one of one's own.
class Dataset {
 public:
  virtual ~Dataset() = default;
  // The number of examples.
  virtual std::int64_t size() const = 0;
  // Example `index`, from 0 on. Called from several threads at once.
  virtual Fields get(std::int64_t index) const = 0;
  // Several examples with a new first dimension. The default stacks what get() gives.
  virtual Fields get_batch(std::span<const std::int64_t> indices) const;
};
// A dataset that loaders and subsets share.
using SharedDataset = std::shared_ptr<const Dataset>;

// Stacks each field of the examples. Throws ValueError [E0901] when examples have different numbers of fields.
Fields collate(const std::vector<Fields>& examples);

// Some examples of another dataset.
class Subset : public Dataset {
 public:
  // Throws IndexError for an index that the dataset does not have.
  Subset(SharedDataset dataset, std::vector<std::int64_t> indices);
  std::int64_t size() const override { return static_cast<std::int64_t>(indices_.size()); }
  Fields get(std::int64_t index) const override;
  Fields get_batch(std::span<const std::int64_t> indices) const override;
  // Which examples these are.
  const std::vector<std::int64_t>& indices() const { return indices_; }

 private:
  SharedDataset dataset_;
  std::vector<std::int64_t> indices_;
};

// Settings of split().
struct SplitOptions {
  std::uint64_t seed = 0;  // of the order in which examples are drawn
  bool stratified = true;  // each class is split in the same proportion
};

// Tensors whose first dimension counts the examples.
class TensorDataset : public Dataset {
 public:
  // Throws ValueError [E0901] when there is no tensor or the numbers of examples differ.
  explicit TensorDataset(Fields fields);
  std::int64_t size() const override { return fields_[0].size(0); }
  Fields get(std::int64_t index) const override;
  Fields get_batch(std::span<const std::int64_t> indices) const override;
  // The tensors it was made from.
  const Fields& fields() const { return fields_; }

  // Two parts, the first with `fraction` of the examples; the same for the same seed. Stratified by the second field,
  // where it has integers. Throws ValueError unless 0 <= fraction <= 1.
  std::pair<Subset, Subset> split(double fraction, SplitOptions options = {}) const;

 private:
  Fields fields_;
};

// Several datasets one after the other.
class ConcatDataset : public Dataset {
 public:
  // Their sizes are asked for when it is made.
  explicit ConcatDataset(std::vector<SharedDataset> datasets);
  std::int64_t size() const override { return ends_.empty() ? 0 : ends_.back(); }
  Fields get(std::int64_t index) const override;

 private:
  std::vector<SharedDataset> datasets_;
  std::vector<std::int64_t> ends_;
};

// A dataset value as a shared one.
template <std::derived_from<Dataset> D>
SharedDataset share(const D& dataset) {
  return std::make_shared<const D>(dataset);
}

// Parts of the given lengths, drawn at random. Throws ValueError [E0901] unless they add up to the dataset's size.
std::vector<Subset> random_split(const SharedDataset& dataset, const std::vector<std::int64_t>& lengths,
                                 std::uint64_t seed = 0);
// Two parts in which each label has the same proportion, up to rounding. `labels` has one integer for each example.
std::pair<Subset, Subset> stratified_split(const SharedDataset& dataset,
                                           const std::vector<std::int64_t>& labels, double fraction,
                                           std::uint64_t seed = 0);

}  // namespace phlox::data
