// Loader: batches of a dataset, made ahead of time by threads.
//
//   data::Loader loader = data::loader(train, {.batch_size = 64, .shuffle = true, .num_workers = 2});
//   for (int epoch = 0; epoch < 10; ++epoch)
//     for (auto [x, y] : loader) step(x, y);
//
// Batches come in the same order for any number of threads. state_dict() taken in the loop's body tells which batches
// have been handed out; after load_state_dict() the next loop goes on behind them.
#pragma once

#include <functional>
#include <iterator>
#include <memory>
#include <optional>

#include "phlox/data/dataset.h"
#include "phlox/data/sampler.h"
#include "phlox/io/state_dict.h"

namespace phlox::data {

// The fields of a batch. `auto [x, y] = batch` takes the first two; an absent one is undefined.
class Batch {
 public:
  Batch() = default;
  // A batch of these tensors.
  explicit Batch(Fields fields) : fields_(std::move(fields)) {}
  // All tensors of it.
  const Fields& fields() const { return fields_; }
  // The number of fields.
  std::size_t size() const { return fields_.size(); }
  // A field, which is not checked.
  const Tensor& operator[](std::size_t field) const { return fields_[field]; }
  // What structured bindings take.
  template <std::size_t field>
  Tensor get() const {
    return field < fields_.size() ? fields_[field] : Tensor();
  }

 private:
  Fields fields_;
};

// Settings of a loader, by PyTorch's names where it has them.
struct LoaderOptions {
  std::int64_t batch_size = 1;  // examples in a batch
  bool shuffle = false;         // another order in each epoch
  int num_workers =
      0;  // threads besides the caller's, as far as the system gives them; 0 makes each batch when
          // it is asked for
  bool drop_last = false;                       // leaves out a last batch that is smaller
  int prefetch = 2;                             // batches that each thread keeps ready
  std::optional<std::uint64_t> seed = {};       // of the order; without one, drawn from the default generator
  std::shared_ptr<const Sampler> sampler = {};  // in place of shuffle
  std::function<Fields(const std::vector<Fields>&)> collate = {};  // in place of stacking
};

// Batches of a dataset, one epoch for each loop over it.
class Loader {
  class Epoch;

 public:
  // Throws ValueError [E0901] for options out of range.
  Loader(SharedDataset dataset, LoaderOptions options = {});

  // One pass; it is moved on by a loop.
  class Iterator {
   public:
    using value_type = Batch;
    using difference_type = std::ptrdiff_t;
    const Batch& operator*() const { return batch_; }
    Iterator& operator++();
    void operator++(int) { ++*this; }
    friend bool operator==(const Iterator& iterator, std::default_sentinel_t) { return !iterator.epoch_; }

   private:
    friend class Loader;
    Iterator(Loader* loader, std::shared_ptr<Epoch> epoch) : loader_(loader), epoch_(std::move(epoch)) {}
    Loader* loader_;
    std::shared_ptr<Epoch> epoch_;
    Batch batch_;
  };

  // Starts the next epoch, or goes on with the one that load_state_dict() has restored. What a batch's loading throws
  // is thrown here or by ++.
  Iterator begin();
  // What a loop compares with.
  std::default_sentinel_t end() const { return {}; }
  // The number of batches of an epoch.
  std::int64_t size() const;
  // How many epochs have ended.
  std::int64_t epoch() const { return epoch_; }

  // Epoch, number of batches handed out, and seed.
  StateDict state_dict() const;
  // Throws StateError for entries that are missing and for a position that an epoch does not have.
  void load_state_dict(const StateDict& state);

 private:
  std::vector<std::vector<std::int64_t>> plan() const;

  SharedDataset dataset_;
  LoaderOptions options_;
  std::uint64_t seed_;
  std::int64_t epoch_ = 0;
  std::int64_t position_ = 0;  // batches of this epoch that have been handed out
  bool restored_ = false;
};

// A loader of a dataset value, which is copied, or of a shared one.
template <std::derived_from<Dataset> D>
Loader loader(const D& dataset, LoaderOptions options = {}) {
  return Loader(share(dataset), std::move(options));
}
// The same for a dataset that is shared.
inline Loader loader(SharedDataset dataset, LoaderOptions options = {}) {
  return Loader(std::move(dataset), std::move(options));
}

}  // namespace phlox::data

template <>
struct std::tuple_size<phlox::data::Batch> : std::integral_constant<std::size_t, 2> {};
template <std::size_t field>
struct std::tuple_element<field, phlox::data::Batch> {
  using type = phlox::Tensor;
};
