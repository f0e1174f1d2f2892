#include "phlox/autograd/batched_storage.h"

#include <algorithm>
#include <atomic>
#include <memory>

#include "phlox/core/recording.h"
#include "phlox/ops/primitives/batching.h"
#include "phlox/ops/primitives/convert.h"
#include "phlox/ops/view.h"

namespace phlox::autograd {
namespace {

// The dimensions from the outermost in memory to the innermost.
IntList memory_order(const TensorImpl& t) {
  IntList order(t.rank, 0);
  for (int d = 0; d < t.rank; ++d) order[static_cast<std::size_t>(d)] = d;
  std::stable_sort(order.begin(), order.end(),
                   [&](std::int64_t a, std::int64_t b) { return t.strides[a] > t.strides[b]; });
  return order;
}

bool same_strides(const TensorImpl& sample, const TensorImpl& real) {
  for (int d = 0; d < sample.rank; ++d)
    if (sample.sizes[d] != 1 && sample.strides[d] != real.strides[d + 1]) return false;
  return true;
}

// The real tensor with the strides of the sample, which was made by a primitive and has no gaps.
Tensor with_strides(const Tensor& real, const Tensor& sample) {
  if (sample.numel() == 0 || same_strides(*sample.impl(), *real.impl())) return real;
  const IntList order = with_batch(0, behind_batch(memory_order(*sample.impl())));
  IntList back = order;
  for (std::size_t d = 0; d < order.size(); ++d)
    back[static_cast<std::size_t>(order[d])] = static_cast<std::int64_t>(d);
  const Tensor ordered = apply_view(real, {ViewKind::permute, order});
  return apply_view(apply_convert(ordered, real.dtype(), MemoryOrder::row_major), {ViewKind::permute, back});
}

// The first and the last element that a tensor reaches.
std::pair<std::int64_t, std::int64_t> reach(std::int64_t offset, const Shape& sizes, const Strides& strides) {
  std::pair<std::int64_t, std::int64_t> result{offset, offset};
  for (std::size_t d = 0; d < sizes.size(); ++d)
    (strides[d] < 0 ? result.first : result.second) += strides[d] * (sizes[d] - 1);
  return result;
}

}  // namespace

BatchedStorage::Layout::Layout(const TensorImpl& impl)
    : dtype(impl.dtype),
      offset(impl.count ? impl.offset : 0),
      sizes(std::span<const std::int64_t>(impl.sizes, impl.rank)),
      strides(std::span<const std::int64_t>(impl.strides, impl.rank)) {
  // Strides that are never stepped along mean nothing.
  for (std::size_t d = 0; d < sizes.size(); ++d)
    if (sizes[d] == 1 || impl.count == 0) strides[d] = 0;
}

std::uint64_t BatchedStorage::new_level() {
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}

void BatchedStorage::release(void* owner) {
  const std::unique_ptr<BatchedStorage> self(static_cast<BatchedStorage*>(owner));
  if (self->data_before_) self->storage_->data = self->data_before_;
  if (self->release_before_) self->release_before_(self->owner_before_);
}

BatchedStorage* BatchedStorage::find(const Tensor& tensor, std::uint64_t level) {
  const Storage& storage = *tensor.impl()->storage;
  auto* release_function = storage.release;
  void* owner = storage.owner;
  while (release_function == &BatchedStorage::release) {
    auto* record = static_cast<BatchedStorage*>(owner);
    if (record->level_ == level) return record;
    release_function = record->release_before_;
    owner = record->owner_before_;
  }
  return nullptr;
}

BatchedStorage& BatchedStorage::attach(const Tensor& tensor, std::uint64_t level) {
  Storage& storage = *tensor.impl()->storage;
  auto record = std::make_unique<BatchedStorage>();
  record->level_ = level;
  record->storage_ = &storage;
  record->release_before_ = std::exchange(storage.release, &BatchedStorage::release);
  record->owner_before_ = std::exchange(storage.owner, record.get());
  return *record.release();
}

void BatchedStorage::argument(const Tensor& sample) {
  static_cast<BatchedStorage*>(sample.impl()->storage->owner)->is_argument = true;
}

void BatchedStorage::separate(const Tensor& result, std::span<const Operand> inputs) {
  TensorImpl* impl = result.impl();
  const bool shared = std::any_of(inputs.begin(), inputs.end(), [&](const Operand& input) {
    return input.is_tensor() && input.tensor().defined() && input.tensor().shares_storage_with(result);
  });
  if (!shared) return;
  Storage* own = wrap_storage(nullptr, impl->storage->bytes, nullptr, nullptr, false);
  own->device = impl->storage->device;
  impl->forget_base();
  if (impl->storage->references.release()) destroy(impl->storage);
  impl->storage = own;
  impl->history = 0;
}

Tensor BatchedStorage::real(const Tensor& sample) {
  const Layout layout(*sample.impl());
  for (const Look& look : looks_)
    if (look.layout == layout) return look.real;
  // Not made by a view that was seen (an alias, as_strided): strides are those of the whole.
  const Look& whole = looks_[0];
  const auto known = reach(whole.layout.offset, whole.layout.sizes, whole.layout.strides);
  const auto asked = reach(layout.offset, layout.sizes, layout.strides);
  if (layout.dtype != whole.layout.dtype || asked.first < known.first || asked.second > known.second)
    fail<NotSupportedError>(ErrorCode::not_supported,
                            "vmap: a view of memory is used that cannot be told from it")
        .detail("tensor", describe(sample))
        .raise();
  const ViewAttributes view{ViewKind::strided,
                            with_batch(whole.real.size(0), layout.sizes),
                            with_batch(whole.real.stride(0), layout.strides),
                            {},
                            whole.real.storage_offset() + layout.offset - whole.layout.offset};
  looks_.push_back({layout, apply_view(whole.real, view)});
  return looks_.back().real;
}

void BatchedStorage::add(const Tensor& sample, const Tensor& real) {
  const Layout layout(*sample.impl());
  for (Look& look : looks_)
    if (look.layout == layout) {
      look.real = real;
      return;
    }
  looks_.push_back({layout, looks_.empty() ? with_strides(real, sample) : real});
}

void BatchedStorage::spread(const Tensor& tensor, std::int64_t batch) {
  TensorImpl* impl = tensor.impl();
  const auto elements = static_cast<std::int64_t>(storage_->bytes) / element_size(impl->dtype);
  // All elements of the storage in their order there.
  Tensor flat = make_view(tensor.detach(), {elements}, {1}, 0);
  flat.impl()->forget_base();
  const Tensor copies = apply_view(flat, {ViewKind::expand, {batch, elements}});
  const Tensor real = apply_convert(copies, copies.dtype(), MemoryOrder::row_major);
  looks_.push_back({Layout(*flat.impl()), real});
  data_before_ = std::exchange(storage_->data, nullptr);
}

}  // namespace phlox::autograd
