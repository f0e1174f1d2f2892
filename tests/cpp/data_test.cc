#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <set>

#include "error_matching.h"
#include "phlox/core/random.h"
#include "phlox/data/data.h"
#include "phlox/ops/functions.h"
#include "temporary_folder.h"

namespace phlox {
namespace {

using Order = std::vector<std::int64_t>;

// Example i is (i, i * i).
class Squares : public data::Dataset {
 public:
  explicit Squares(std::int64_t count) : count_(count) {}
  std::int64_t size() const override { return count_; }
  data::Fields get(std::int64_t i) const override { return {Tensor(i), Tensor(i * i)}; }

 private:
  std::int64_t count_;
};

data::TensorDataset numbered(std::int64_t count, std::int64_t classes = 3) {
  Order values(static_cast<std::size_t>(count)), labels(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<std::int64_t>(i);
    labels[i] = static_cast<std::int64_t>(i) % classes;
  }
  return data::TensorDataset(
      {from_values<std::int64_t>(values, {count}), from_values<std::int64_t>(labels, {count})});
}

Order order_of(data::Loader& loader) {
  Order order;
  for (auto [x, y] : loader) {
    for (std::int64_t value : x.to_vector<std::int64_t>()) order.push_back(value);
  }
  return order;
}

TEST(DatasetTest, StacksExamples) {
  Squares squares(10);
  const data::Fields batch = squares.get_batch(Order{3, 1, 2});
  EXPECT_EQ(batch[0].to_vector<int>(), (std::vector<int>{3, 1, 2}));
  EXPECT_EQ(batch[1].to_vector<int>(), (std::vector<int>{9, 1, 4}));
  EXPECT_ERROR(data::collate({}), ValueError, "no examples");
  EXPECT_ERROR(data::collate({{Tensor(1)}, {Tensor(1), Tensor(2)}}), ValueError, "fields");
}

TEST(DatasetTest, TensorsGiveRows) {
  const data::TensorDataset dataset = numbered(6);
  EXPECT_EQ(dataset.size(), 6);
  EXPECT_EQ(dataset.get(4)[1].item<int>(), 1);
  EXPECT_EQ(dataset.get_batch(Order{5, 0})[0].to_vector<int>(), (std::vector<int>{5, 0}));
  EXPECT_ERROR(dataset.get(6), IndexError, "no example 6");
  EXPECT_ERROR(data::TensorDataset({zeros({2}), zeros({3})}), ValueError, "different numbers");
  EXPECT_ERROR(data::TensorDataset({}), ValueError, "no tensors");
}

TEST(DatasetTest, SubsetsAndConcatenation) {
  const auto shared = data::share(numbered(6));
  const data::Subset subset(shared, {4, 2});
  EXPECT_EQ(subset.get(0)[0].item<int>(), 4);
  EXPECT_EQ(subset.get_batch(Order{1, 0})[0].to_vector<int>(), (std::vector<int>{2, 4}));
  EXPECT_ERROR(data::Subset(shared, {6}), IndexError, "no example 6");
  const data::ConcatDataset both({data::share(subset), shared});
  EXPECT_EQ(both.size(), 8);
  EXPECT_EQ(both.get(1)[0].item<int>(), 2);
  EXPECT_EQ(both.get(2)[0].item<int>(), 0);
  EXPECT_EQ(both.get(7)[0].item<int>(), 5);
}

TEST(DatasetTest, SplitsKeepProportionsAndCoverEverythingOnce) {
  const auto [train, test] = numbered(100, 4).split(0.8);
  EXPECT_EQ(train.size(), 80);
  EXPECT_EQ(test.size(), 20);
  std::map<std::int64_t, int> classes;
  for (std::int64_t i : test.indices()) ++classes[i % 4];
  for (const auto& [label, count] : classes) EXPECT_EQ(count, 5) << label;
  std::set<std::int64_t> all(train.indices().begin(), train.indices().end());
  all.insert(test.indices().begin(), test.indices().end());
  EXPECT_EQ(all.size(), 100u);
  EXPECT_EQ(numbered(100, 4).split(0.8).second.indices(), test.indices());
  EXPECT_NE(numbered(100, 4).split(0.8, {.seed = 1}).second.indices(), test.indices());
  EXPECT_ERROR(numbered(4).split(1.5), ValueError, "between 0 and 1");

  const auto parts = data::random_split(data::share(numbered(10)), {7, 3}, 5);
  EXPECT_EQ(parts[0].size(), 7);
  EXPECT_EQ(parts[1].size(), 3);
  EXPECT_ERROR(data::random_split(data::share(numbered(10)), {7, 4}), ValueError, "add up to 11");
}

TEST(SamplerTest, PermutationsAreUniform) {
  std::map<Order, int> seen;
  for (std::uint64_t seed = 0; seed < 6000; ++seed) ++seen[data::random_permutation(3, seed)];
  EXPECT_EQ(seen.size(), 6u);
  for (const auto& [order, count] : seen) EXPECT_NEAR(count, 1000, 130);
}

TEST(SamplerTest, WeightsSteerTheDraw) {
  const data::WeightedSampler sampler({1, 0, 3}, 8000, 7);
  std::map<std::int64_t, int> seen;
  for (std::int64_t i : sampler.indices(0)) ++seen[i];
  EXPECT_NEAR(seen[0], 2000, 200);
  EXPECT_EQ(seen[1], 0);
  EXPECT_NE(sampler.indices(0), sampler.indices(1));
  EXPECT_ERROR(data::WeightedSampler({1, -1}, 1, 0), ValueError, "-1");
  EXPECT_ERROR(data::WeightedSampler({0, 0}, 1, 0), ValueError, "zero");
}

TEST(LoaderTest, BatchesInOrder) {
  auto loader = data::loader(numbered(7), {.batch_size = 3});
  EXPECT_EQ(loader.size(), 3);
  std::vector<std::int64_t> sizes;
  for (auto [x, y] : loader) sizes.push_back(x.size(0));
  EXPECT_EQ(sizes, (Order{3, 3, 1}));
  auto even = data::loader(numbered(7), {.batch_size = 3, .drop_last = true});
  EXPECT_EQ(even.size(), 2);
  EXPECT_EQ(order_of(even), (Order{0, 1, 2, 3, 4, 5}));
  auto own = data::loader(Squares(3), {.batch_size = 2});
  for (const data::Batch& batch : own) EXPECT_EQ(batch.size(), 2u);
  auto empty = data::loader(Squares(0), {.batch_size = 2, .num_workers = 2});
  EXPECT_EQ(order_of(empty), Order{});
}

TEST(LoaderTest, TheOrderIsTheSameForAnyNumberOfThreads) {
  Order expected[2];
  for (int workers : {0, 1, 2, 5}) {
    auto loader =
        data::loader(numbered(101), {.batch_size = 4, .shuffle = true, .num_workers = workers, .seed = 9});
    for (Order& epoch : expected) {
      const Order order = order_of(loader);
      if (workers == 0) epoch = order;
      EXPECT_EQ(order, epoch) << workers << " workers";
    }
  }
  EXPECT_NE(expected[0], expected[1]);
  Order sorted = expected[0];
  std::sort(sorted.begin(), sorted.end());
  for (std::size_t i = 0; i < sorted.size(); ++i) EXPECT_EQ(sorted[i], static_cast<std::int64_t>(i));
}

TEST(LoaderTest, TheSeedComesFromTheDefaultGenerator) {
  const auto shuffled = [] {
    auto loader = data::loader(numbered(50), {.batch_size = 50, .shuffle = true});
    return order_of(loader);
  };
  manual_seed(4);
  const Order first = shuffled(), second = shuffled();
  EXPECT_NE(first, second);
  manual_seed(4);
  EXPECT_EQ(shuffled(), first);
}

TEST(LoaderTest, GoesOnWhereItWas) {
  for (int workers : {0, 3}) {
    const data::LoaderOptions options{.batch_size = 5, .shuffle = true, .num_workers = workers, .seed = 2};
    auto whole = data::loader(numbered(40), options);
    Order expected = order_of(whole);
    for (std::int64_t value : order_of(whole)) expected.push_back(value);

    auto first = data::loader(numbered(40), options);
    Order order = order_of(first);
    StateDict state;
    int batches = 0;
    for (auto [x, y] : first) {
      for (std::int64_t value : x.to_vector<std::int64_t>()) order.push_back(value);
      if (++batches == 3) {
        state = first.state_dict();
        break;
      }
    }
    auto second =
        data::loader(numbered(40), {.batch_size = 5, .shuffle = true, .num_workers = workers, .seed = 77});
    second.load_state_dict(state);
    for (std::int64_t value : order_of(second)) order.push_back(value);
    EXPECT_EQ(order, expected);
    EXPECT_EQ(second.epoch(), 2);
    EXPECT_ERROR(second.load_state_dict({}), StateError, "epoch");
  }
}

TEST(LoaderTest, AnEpochLeftEarlyIsOver) {
  auto loader = data::loader(numbered(20), {.batch_size = 5, .shuffle = true, .num_workers = 2, .seed = 2});
  for (auto batch : loader) break;
  auto other = data::loader(numbered(20), {.batch_size = 5, .shuffle = true, .seed = 2});
  order_of(other);
  EXPECT_EQ(order_of(loader), order_of(other));
}

struct Failing : data::Dataset {
  std::int64_t size() const override { return 10; }
  data::Fields get(std::int64_t i) const override {
    if (i == 5) fail<ValueError>(ErrorCode::invalid_value, "example 5 is broken").raise();
    return {Tensor(i)};
  }
};

TEST(LoaderTest, ErrorsReachTheLoop) {
  for (int workers : {0, 2}) {
    auto loader = data::loader(Failing(), {.batch_size = 2, .num_workers = workers});
    int batches = 0;
    EXPECT_ERROR(({
                   for (auto batch : loader) ++batches;
                 }),
                 ValueError, "example 5 is broken");
    EXPECT_EQ(batches, 2 * 2);  // the statement runs twice
  }
  EXPECT_ERROR(data::loader(Failing(), {.batch_size = 0}), ValueError, "batch_size 0");
  EXPECT_ERROR(data::loader(Failing(), {.num_workers = -1}), ValueError, "num_workers -1");
}

TEST(LoaderTest, ThreadsDoNotRunFarAhead) {
  struct Counting : data::Dataset {
    explicit Counting(std::atomic<int>& counter) : loaded(counter) {}
    std::int64_t size() const override { return 1000; }
    data::Fields get(std::int64_t i) const override {
      ++loaded;
      return {Tensor(i)};
    }
    std::atomic<int>& loaded;
  };
  std::atomic<int> loaded = 0;
  auto loader = data::loader(data::SharedDataset(std::make_shared<Counting>(loaded)),
                             {.num_workers = 2, .prefetch = 3});
  int batches = 0;
  for (auto batch : loader) {
    EXPECT_LE(loaded, ++batches + 2 * 3 + 1);
    if (batches == 20) break;
  }
}

TEST(LoaderTest, RefusesStatesThatCannotBe) {
  auto loader = data::loader(Squares(10), {.batch_size = 4});
  StateDict state = loader.state_dict();
  state.set_integer("position", 3);
  loader.load_state_dict(state);
  EXPECT_EQ(order_of(loader), Order{});
  state.set_integer("position", 4);
  EXPECT_ERROR(loader.load_state_dict(state), StateError, "3 batches");
  EXPECT_THROW(loader.load_state_dict({}), StateError);
}

TEST(LoaderTest, CollateAndSamplerOfOnesOwn) {
  auto loader = data::loader(
      Squares(10), {.batch_size = 4,
                    .num_workers = 1,
                    .sampler = std::make_shared<data::WeightedSampler>(std::vector<double>{0, 0, 1}, 6, 1),
                    .collate = [](const std::vector<data::Fields>& examples) {
                      return data::Fields{Tensor(static_cast<std::int64_t>(examples.size())), examples[0][1]};
                    }});
  EXPECT_EQ(loader.size(), 2);
  std::string seen;
  for (auto [count, square] : loader)
    seen += std::to_string(count.item<int>()) + ":" + std::to_string(square.item<int>()) + " ";
  EXPECT_EQ(seen, "4:4 2:4 ");
}

TEST(DigitsTest, AreThere) {
  const data::TensorDataset digits = data::digits();
  EXPECT_EQ(digits.fields()[0].shape(), (Shape{1797, 1, 8, 8}));
  EXPECT_EQ(digits.fields()[0].dtype(), DType::float32);
  EXPECT_EQ(digits.fields()[1].dtype(), DType::int64);
  const data::Fields first = digits.get(0);
  EXPECT_EQ(first[0].to_vector<float>()[2], 5 / 16.0f);
  EXPECT_EQ(first[1].item<int>(), 0);
  const auto [train, test] = digits.split(0.8);
  EXPECT_EQ(train.size() + test.size(), 1797);
  EXPECT_NEAR(static_cast<double>(test.size()), 359, 3);
}

TEST(DigitsTest, FromIdxFiles) {
  TemporaryFolder folder;
  for (const std::string part : {"train", "t10k"}) {
    write_bytes(folder / (part + "-images-idx3-ubyte"),
                std::vector<std::uint8_t>{0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 255, 51, 102});
    write_bytes(folder / (part + "-labels-idx1-ubyte"),
                std::vector<std::uint8_t>{0, 0, 8, 1, 0, 0, 0, 2, 7, 9});
  }
  const auto [train, test] = data::digits_from_idx(folder.path());
  const data::Fields both = train.get_batch(Order{0, 1});
  EXPECT_EQ(both[0].shape(), (Shape{2, 1, 1, 2}));
  EXPECT_EQ(both[0].to_vector<float>(), (std::vector<float>{0, 1, 0.2f, 0.4f}));
  EXPECT_EQ(test.get_batch(Order{0, 1})[1].to_vector<int>(), (std::vector<int>{7, 9}));
  EXPECT_ERROR(data::digits_from_idx(folder / "none"), FileError, "train-images-idx3-ubyte");
}

}  // namespace
}  // namespace phlox
