#include "phlox/data/dataset.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "phlox/data/sampler.h"
#include "phlox/ops/functions.h"

namespace phlox::data {
namespace {

template <class... Arguments>
[[noreturn]] void misuse(fmt::format_string<Arguments...> text, Arguments&&... arguments) {
  fail<ValueError>(ErrorCode::data_misuse, text, std::forward<Arguments>(arguments)...).raise();
}

void check_index(const char* dataset, std::int64_t index, std::int64_t size) {
  if (index >= 0 && index < size) return;
  fail<IndexError>(ErrorCode::index_out_of_range, "{}: there is no example {} among {}", dataset, index, size)
      .raise();
}

}  // namespace

Fields Dataset::get_batch(std::span<const std::int64_t> indices) const {
  std::vector<Fields> examples;
  for (std::int64_t index : indices) examples.push_back(get(index));
  return collate(examples);
}

Fields collate(const std::vector<Fields>& examples) {
  if (examples.empty()) misuse("collate: there are no examples");
  Fields batch;
  for (std::size_t field = 0; field < examples[0].size(); ++field) {
    TensorList column;
    for (const Fields& example : examples) {
      if (example.size() != examples[0].size()) {
        misuse("collate: one example has {} fields and another {}", examples[0].size(), example.size());
      }
      column.push_back(example[field]);
    }
    batch.push_back(stack(column));
  }
  return batch;
}

TensorDataset::TensorDataset(Fields fields) : fields_(std::move(fields)) {
  if (fields_.empty()) misuse("TensorDataset: there are no tensors");
  for (const Tensor& field : fields_) {
    if (field.rank() == 0 || field.size(0) != fields_[0].size(0)) {
      fail<ValueError>(ErrorCode::data_misuse,
                       "TensorDataset: the tensors have different numbers of examples")
          .detail("first", describe(fields_[0]))
          .detail("other", describe(field))
          .raise();
    }
  }
}

Fields TensorDataset::get(std::int64_t index) const {
  check_index("TensorDataset", index, size());
  Fields example;
  for (const Tensor& field : fields_) example.push_back(select(field, 0, index));
  return example;
}

Fields TensorDataset::get_batch(std::span<const std::int64_t> indices) const {
  const Tensor positions = from_values<std::int64_t>(indices, {static_cast<std::int64_t>(indices.size())});
  Fields batch;
  for (const Tensor& field : fields_) batch.push_back(index_select(field, 0, positions));
  return batch;
}

std::pair<Subset, Subset> TensorDataset::split(double fraction, SplitOptions options) const {
  const bool has_labels = fields_.size() > 1 && fields_[1].rank() == 1 && is_integer(fields_[1].dtype());
  std::vector<std::int64_t> labels(static_cast<std::size_t>(size()), 0);
  if (options.stratified && has_labels) labels = fields_[1].to_vector<std::int64_t>();
  return stratified_split(share(*this), labels, fraction, options.seed);
}

Subset::Subset(SharedDataset dataset, std::vector<std::int64_t> indices)
    : dataset_(std::move(dataset)), indices_(std::move(indices)) {
  for (std::int64_t index : indices_) check_index("Subset", index, dataset_->size());
}

Fields Subset::get(std::int64_t index) const {
  check_index("Subset", index, size());
  return dataset_->get(indices_[static_cast<std::size_t>(index)]);
}

Fields Subset::get_batch(std::span<const std::int64_t> indices) const {
  std::vector<std::int64_t> there;
  for (std::int64_t index : indices) {
    check_index("Subset", index, size());
    there.push_back(indices_[static_cast<std::size_t>(index)]);
  }
  return dataset_->get_batch(there);
}

ConcatDataset::ConcatDataset(std::vector<SharedDataset> datasets) : datasets_(std::move(datasets)) {
  std::int64_t end = 0;
  for (const auto& dataset : datasets_) ends_.push_back(end += dataset->size());
}

Fields ConcatDataset::get(std::int64_t index) const {
  check_index("ConcatDataset", index, size());
  const auto part =
      static_cast<std::size_t>(std::upper_bound(ends_.begin(), ends_.end(), index) - ends_.begin());
  return datasets_[part]->get(part == 0 ? index : index - ends_[part - 1]);
}

std::vector<Subset> random_split(const SharedDataset& dataset, const std::vector<std::int64_t>& lengths,
                                 std::uint64_t seed) {
  std::int64_t total = 0;
  for (std::int64_t length : lengths) {
    if (length < 0) misuse("random_split: the length {} is negative", length);
    total += length;
  }
  if (total != dataset->size()) {
    misuse("random_split: the lengths add up to {}, and the dataset has {} examples", total, dataset->size());
  }
  const std::vector<std::int64_t> order = random_permutation(total, seed);
  std::vector<Subset> parts;
  auto next = order.begin();
  for (std::int64_t length : lengths) {
    parts.emplace_back(dataset, std::vector(next, next + length));
    next += length;
  }
  return parts;
}

std::pair<Subset, Subset> stratified_split(const SharedDataset& dataset,
                                           const std::vector<std::int64_t>& labels, double fraction,
                                           std::uint64_t seed) {
  if (!(fraction >= 0 && fraction <= 1))
    misuse("split: the fraction {} does not lie between 0 and 1", fraction);
  if (static_cast<std::int64_t>(labels.size()) != dataset->size()) {
    misuse("split: there are {} labels for {} examples", labels.size(), dataset->size());
  }
  std::map<std::int64_t, std::vector<std::int64_t>> classes;
  for (std::int64_t index : random_permutation(dataset->size(), seed)) {
    classes[labels[static_cast<std::size_t>(index)]].push_back(index);
  }
  std::vector<std::int64_t> first, second;
  for (const auto& [label, members] : classes) {
    const auto count = std::lround(fraction * static_cast<double>(members.size()));
    first.insert(first.end(), members.begin(), members.begin() + count);
    second.insert(second.end(), members.begin() + count, members.end());
  }
  std::sort(first.begin(), first.end());
  std::sort(second.begin(), second.end());
  return {Subset(dataset, std::move(first)), Subset(dataset, std::move(second))};
}

}  // namespace phlox::data
