// An intrusive reference count and the pointer that uses it.
#pragma once

#include <atomic>
#include <utility>

namespace phlox {

class ReferenceCount {
 public:
  void acquire() const { count_.fetch_add(1, std::memory_order_relaxed); }
  // True when the last reference has gone. The sole owner needs no atomic read-modify-write.
  bool release() const {
    if (count_.load(std::memory_order_acquire) == 1) return true;
    return count_.fetch_sub(1, std::memory_order_acq_rel) == 1;
  }
  bool unique() const { return count_.load(std::memory_order_acquire) == 1; }
  int value() const { return count_.load(std::memory_order_relaxed); }

 private:
  mutable std::atomic<int> count_{1};
};

// Holds one reference to a T, which has a member `references` and a free function `destroy(T*)`.
template <class T>
class Reference {
 public:
  Reference() = default;
  // Takes over the reference that the caller holds.
  static Reference adopt(T* object) {
    Reference r;
    r.object_ = object;
    return r;
  }
  static Reference share(T* object) {
    if (object) object->references.acquire();
    return adopt(object);
  }

  Reference(const Reference& other) : object_(other.object_) {
    if (object_) object_->references.acquire();
  }
  Reference(Reference&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Reference& operator=(Reference other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Reference() {
    if (object_ && object_->references.release()) destroy(object_);
  }

  T* get() const { return object_; }
  T* operator->() const { return object_; }
  T& operator*() const { return *object_; }
  explicit operator bool() const { return object_ != nullptr; }
  // Gives the reference away without releasing it.
  T* detach() { return std::exchange(object_, nullptr); }

 private:
  T* object_ = nullptr;
};

}  // namespace phlox
