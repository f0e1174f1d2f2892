// What vmap hangs on the storage of the tensors that a function of a sample sees.
#pragma once

#include <span>
#include <vector>

#include "phlox/core/tensor.h"

namespace phlox::autograd {

// Of one vmap (its level) for one storage. A batched storage has no data; each way in which the tensors of a sample look
// at it goes with a real tensor that has the batch dimension in front. These are views of one memory, so that writes
// in place are seen by all. One that is not batched says that the storage was made inside of the function.
class BatchedStorage {
 public:
  static std::uint64_t new_level();
  // Null when the vmap of this level knows nothing of the storage.
  static BatchedStorage* find(const Tensor& tensor, std::uint64_t level);
  static BatchedStorage& attach(const Tensor& tensor, std::uint64_t level);
  // Marks the tensor of a sample as an argument, whose memory belongs to the caller.
  static void argument(const Tensor& sample);
  // Gives a result that lies in the memory of an input (a check hands its input on) a storage of its own.
  static void separate(const Tensor& result, std::span<const Operand> inputs);

  bool is_batched() const { return !looks_.empty(); }
  // The real tensor for what looks at the storage as `sample` does. Throws NotSupportedError for a look that cannot be
  // told from those that are known.
  Tensor real(const Tensor& sample);
  void add(const Tensor& sample, const Tensor& real);
  // Gives each sample a copy of what all share, before something is written into it.
  void spread(const Tensor& tensor, std::int64_t batch);

  bool is_argument = false;
  // For states of a generator: see BatchedCall.
  Tensor first_state;
  std::int64_t blocks = 0;

 private:
  struct Layout {
    explicit Layout(const TensorImpl& impl);
    DType dtype;
    std::int64_t offset;
    Shape sizes;
    Strides strides;
    friend bool operator==(const Layout&, const Layout&) = default;
  };
  struct Look {
    Layout layout;
    Tensor real;
  };
  static void release(void* owner);

  std::uint64_t level_ = 0;
  std::vector<Look> looks_;  // the first is the whole, whose real tensor has the same strides
  Storage* storage_ = nullptr;
  // What the storage had before.
  void (*release_before_)(void*) = nullptr;
  void* owner_before_ = nullptr;
  void* data_before_ = nullptr;
};

}  // namespace phlox::autograd
