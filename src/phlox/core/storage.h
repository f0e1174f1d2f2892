// The memory behind one or more tensors.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "phlox/base/reference_count.h"
#include "phlox/core/device.h"
#include "phlox/core/mode.h"

namespace phlox {

struct Storage {
  ReferenceCount references;
  // Counts in-place writes, so that a gradient notices when what it saved has changed.
  std::atomic<std::uint32_t> version{0};
  // Counts in-place writes that gradients flow through: views made before one must renew their history.
  std::atomic<std::uint32_t> history{0};
  Device device;
  void* data = nullptr;  // null in a tensor that was made in an AbstractScope
  std::size_t bytes = 0;
  // Size of the block that holds this header and the data, or of the header alone when the data are elsewhere.
  std::size_t block_bytes = 0;
  // Data elsewhere: called with `owner` when the last reference goes.
  void (*release)(void* owner) = nullptr;
  void* owner = nullptr;
  bool read_only = false;
  std::uint32_t capture = thread_mode.capture;  // during which it was made; 0 outside of all
};

// Uninitialised memory on the CPU, aligned to 64 bytes; none in an AbstractScope.
Storage* make_storage(std::size_t bytes);
// Wraps memory that somebody else owns.
Storage* wrap_storage(void* data, std::size_t bytes, void (*release)(void*), void* owner, bool read_only);
void destroy(Storage* storage);

}  // namespace phlox
