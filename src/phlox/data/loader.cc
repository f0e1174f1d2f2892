#include "phlox/data/loader.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>

#include "phlox/core/mode.h"
#include "phlox/core/random.h"

namespace phlox::data {

// The batches of one epoch. Threads take the next batch that nobody has taken, as long as it is not too far ahead of
// what has been handed out, and put it into its place; next() waits for the places in order.
class Loader::Epoch {
 public:
  Epoch(SharedDataset dataset, const LoaderOptions& options, std::vector<std::vector<std::int64_t>> plan,
        std::int64_t first)
      : dataset_(std::move(dataset)),
        collate_(options.collate),
        plan_(std::move(plan)),
        results_(plan_.size()),
        ahead_(static_cast<std::size_t>(std::int64_t{options.num_workers} * options.prefetch)),
        taken_(static_cast<std::size_t>(first)),
        handed_out_(static_cast<std::size_t>(first)) {
    std::lock_guard lock(mutex_);
    has_threads_ = start_thread(static_cast<std::size_t>(options.num_workers));
  }

  ~Epoch() {
    {
      std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    room_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  // The next batch; nothing at the end.
  std::optional<Fields> next() {
    if (handed_out_ >= plan_.size()) return {};
    const std::size_t index = handed_out_;
    Result result;
    if (!has_threads_) {
      result = load(index);
      ++handed_out_;
    } else {
      std::unique_lock lock(mutex_);
      ready_.wait(lock, [&] { return results_[index].has_value(); });
      result = std::move(*results_[index]);
      results_[index].reset();
      ++handed_out_;
      lock.unlock();
      room_.notify_all();
    }
    if (result.error) std::rethrow_exception(result.error);
    return std::move(result.fields);
  }

 private:
  struct Result {
    Fields fields;
    std::exception_ptr error;
  };

  Result load(std::size_t index) const {
    Result result;
    try {
      NoGrad guard;
      if (collate_) {
        std::vector<Fields> examples;
        for (std::int64_t i : plan_[index]) examples.push_back(dataset_->get(i));
        result.fields = collate_(examples);
      } else {
        result.fields = dataset_->get_batch(plan_[index]);
      }
    } catch (...) {
      result.error = std::current_exception();
    }
    return result;
  }

  // Starts a thread, which starts the next until there are `wanted`: one that runs has got all its memory, also that
  // of thread-local variables, before another takes more. To be called with the lock. False when there is none to start.
  bool start_thread(std::size_t wanted) {
    // A thread without a batch would have nothing to do.
    if (stopped_ || threads_.size() >= wanted || taken_ + threads_.size() >= plan_.size()) return false;
    try {
      threads_.emplace_back([this, wanted] { work(wanted); });
      return true;
    } catch (const std::system_error&) {
      // The system gives no more threads or no memory for them. Those that run are enough, and without any next()
      // makes the batches itself.
    } catch (const std::bad_alloc&) {
    }
    return false;
  }

  void work(std::size_t wanted) {
    const NoGrad guard;  // the first use of a thread-local variable
    std::unique_lock lock(mutex_);
    start_thread(wanted);
    for (;;) {
      room_.wait(lock, [&] { return stopped_ || taken_ >= plan_.size() || taken_ < handed_out_ + ahead_; });
      if (stopped_ || taken_ >= plan_.size()) return;
      const std::size_t index = taken_++;
      lock.unlock();
      Result result = load(index);
      lock.lock();
      results_[index] = std::move(result);
      ready_.notify_all();
    }
  }

  SharedDataset dataset_;
  std::function<Fields(const std::vector<Fields>&)> collate_;
  const std::vector<std::vector<std::int64_t>> plan_;
  std::vector<std::optional<Result>> results_;
  const std::size_t ahead_;
  std::mutex mutex_;
  std::condition_variable room_, ready_;
  std::size_t taken_, handed_out_;
  bool stopped_ = false, has_threads_ = false;
  std::vector<std::thread> threads_;
};

Loader::Loader(SharedDataset dataset, LoaderOptions options)
    : dataset_(std::move(dataset)), options_(std::move(options)) {
  if (options_.batch_size < 1 || options_.num_workers < 0 || options_.prefetch < 1) {
    fail<ValueError>(ErrorCode::data_misuse,
                     "loader: batch_size {} and prefetch {} must be positive, num_workers {} not negative",
                     options_.batch_size, options_.prefetch, options_.num_workers)
        .raise();
  }
  seed_ = options_.seed ? *options_.seed : options_.shuffle ? draw_seed(default_generator()) : 0;
}

std::vector<std::vector<std::int64_t>> Loader::plan() const {
  const std::int64_t count = dataset_->size();
  std::vector<std::int64_t> order = options_.sampler   ? options_.sampler->indices(epoch_)
                                    : options_.shuffle ? RandomSampler(count, seed_).indices(epoch_)
                                                       : SequentialSampler(count).indices(epoch_);
  return batches(order, options_.batch_size, options_.drop_last);
}

std::int64_t Loader::size() const {
  if (options_.sampler) return static_cast<std::int64_t>(plan().size());
  const std::int64_t count = dataset_->size(), extra = options_.drop_last ? 0 : options_.batch_size - 1;
  return (count + extra) / options_.batch_size;
}

Loader::Iterator Loader::begin() {
  if (!restored_ && position_ > 0) {  // the last loop was left early
    ++epoch_;
    position_ = 0;
  }
  restored_ = false;
  auto order = plan();
  const std::int64_t first = std::min(position_, static_cast<std::int64_t>(order.size()));
  Iterator iterator(this, std::make_shared<Epoch>(dataset_, options_, std::move(order), first));
  ++iterator;
  return iterator;
}

Loader::Iterator& Loader::Iterator::operator++() {
  std::optional<Fields> fields = epoch_->next();
  if (fields) {
    batch_ = Batch(std::move(*fields));
    ++loader_->position_;
  } else {
    batch_ = {};
    epoch_.reset();
    ++loader_->epoch_;
    loader_->position_ = 0;
  }
  return *this;
}

StateDict Loader::state_dict() const {
  StateDict state;
  state.set_integer("epoch", epoch_);
  state.set_integer("position", position_);
  state.set_integer("seed", static_cast<std::int64_t>(seed_));
  return state;
}

void Loader::load_state_dict(const StateDict& state) {
  const std::int64_t epoch = state.integer("epoch"), position = state.integer("position");
  if (epoch < 0 || position < 0) {
    fail<StateError>(ErrorCode::data_misuse, "loader: the stored epoch {} and position {} are negative",
                     epoch, position)
        .raise();
  }
  if (const std::int64_t batches = size(); position > batches) {
    fail<StateError>(ErrorCode::data_misuse,
                     "loader: the stored position {} lies behind the {} batches of an epoch", position,
                     batches)
        .raise();
  }
  seed_ = static_cast<std::uint64_t>(state.integer("seed"));
  epoch_ = epoch;
  position_ = position;
  restored_ = true;
}

}  // namespace phlox::data
