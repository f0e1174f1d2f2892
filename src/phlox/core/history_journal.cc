#include "phlox/core/history_journal.h"

namespace phlox {
namespace {

thread_local HistoryJournal* current_journal = nullptr;

}  // namespace

HistoryJournal::HistoryJournal() : outer_(std::exchange(current_journal, this)) {}

HistoryJournal::~HistoryJournal() {
  current_journal = outer_;
  for (auto& [impl, entry] : entries_) {
    const std::unique_ptr<AutogradRecord> replaced(
        std::exchange(entry.tensor.impl()->autograd, entry.record.release()));
    if (entry.history) entry.tensor.impl()->history = *entry.history;
  }
}

HistoryJournal* HistoryJournal::current() { return current_journal; }

void HistoryJournal::keep(const Tensor& tensor, std::unique_ptr<AutogradRecord> record) {
  const TensorImpl& impl = *tensor.impl();
  const bool is_behind =
      impl.is_view && impl.history != impl.storage->history.load(std::memory_order_relaxed);
  entries_.try_emplace(tensor.impl(), Entry{tensor, std::move(record),
                                            is_behind ? std::optional(impl.history) : std::nullopt});
}

bool HistoryJournal::required_grad(const Tensor& tensor) const {
  const auto entry = entries_.find(tensor.impl());
  if (entry == entries_.end()) return tensor.requires_grad();
  return entry->second.record && entry->second.record->requires_grad;
}

std::vector<Tensor> HistoryJournal::tensors() const {
  std::vector<Tensor> found;
  for (const auto& [impl, entry] : entries_) found.push_back(entry.tensor);
  return found;
}

}  // namespace phlox
