// Notes which histories of gradients are replaced while a function is captured, and puts them back: a capture leaves the
// tensors around it as they were.
#pragma once

#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "phlox/core/gradient_node.h"
#include "phlox/core/tensor.h"

namespace phlox {

class HistoryJournal {
 public:
  HistoryJournal();
  ~HistoryJournal();
  HistoryJournal(const HistoryJournal&) = delete;
  HistoryJournal& operator=(const HistoryJournal&) = delete;

  // The journal of this thread, or null.
  static HistoryJournal* current();
  // Keeps the history that the tensor had when it was replaced first.
  void keep(const Tensor& tensor, std::unique_ptr<AutogradRecord> record);
  // The tensors whose history was replaced, in no order.
  std::vector<Tensor> tensors() const;
  // Whether the tensor required gradients before its history was replaced.
  bool required_grad(const Tensor& tensor) const;

 private:
  struct Entry {
    Tensor tensor;
    std::unique_ptr<AutogradRecord> record;
    // Of a view that was behind its base: it is so again afterwards, as what it was brought up to is gone.
    std::optional<std::uint32_t> history = {};
  };
  std::unordered_map<const TensorImpl*, Entry> entries_;
  HistoryJournal* outer_;
};

}  // namespace phlox
