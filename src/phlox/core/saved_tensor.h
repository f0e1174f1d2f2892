// A tensor that a recorded operation keeps for its gradient.
//
//   struct ExpBackward : GradientNode {
//     SavedTensor result;   // = SavedTensor(result, this, true), after set_history(result, node)
//     void backward(std::span<const Tensor> gradients, std::span<Tensor> inputs) override {
//       inputs[0] = gradients[0] * result.get(*this);
//     }
//     void release_saved() override { result.release(); }
//     bool released() const override { return result.released(); }
//   };
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "phlox/base/macros.h"
#include "phlox/core/gradient_node.h"
#include "phlox/core/tensor.h"

namespace phlox {

// What stands for a tensor that SavedTensorHooks took away.
struct PackedTensor {
  virtual ~PackedTensor() = default;
  // The tensor again, with the same values; its gradient record is not used.
  virtual Tensor unpack() = 0;
};

// Sees the tensors that are saved in a thread, and may keep something smaller in their place (checkpointing,
// offloading). `pack` returns null to let the tensor be saved as usual.
class SavedTensorHooks {
 public:
  virtual ~SavedTensorHooks() = default;
  virtual std::unique_ptr<PackedTensor> pack(const Tensor& tensor) = 0;

  static SavedTensorHooks* current();
  // Returns the hooks that were in force.
  static SavedTensorHooks* set_current(SavedTensorHooks* hooks);
};

class SavedTensor {
 public:
  SavedTensor() = default;
  // `owner` is the node that saves. A result of that very node (`is_result`, after set_history) is kept without its
  // history, since that would be a cycle of references. Undefined tensors are allowed.
  SavedTensor(const Tensor& tensor, const GradientNode* owner, bool is_result = false);
  SavedTensor(SavedTensor&& other) noexcept
      : tensor_(std::move(other.tensor_)),
        packed_(std::exchange(other.packed_, nullptr)),
        version_(other.version_),
        output_(other.output_),
        state_(std::exchange(other.state_, State::empty)) {}
  SavedTensor& operator=(SavedTensor&& other) noexcept {
    std::swap(tensor_, other.tensor_);
    std::swap(packed_, other.packed_);
    std::swap(version_, other.version_);
    std::swap(output_, other.output_);
    std::swap(state_, other.state_);
    return *this;
  }
  ~SavedTensor() {
    if (packed_) [[unlikely]]
      drop_packed();
  }

  // The tensor. Throws GradientError when it was modified in place since (E0601) or has been released (E0602).
  Tensor get(GradientNode& owner) const;
  bool saved() const { return state_ == State::input || state_ == State::result; }
  void release();
  bool released() const { return state_ == State::released; }

 private:
  enum class State : std::uint8_t { empty, input, result, released };
  struct Packed;
  void drop_packed();

  Tensor tensor_;
  Packed* packed_ = nullptr;  // owned; rare, so not in line
  std::uint32_t version_ = 0;
  std::uint16_t output_ = 0;
  State state_ = State::empty;
};

}  // namespace phlox
