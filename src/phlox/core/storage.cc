#include "phlox/core/storage.h"

#include <new>

#include "phlox/base/error.h"
#include "phlox/core/allocator.h"
#include "phlox/core/mode.h"

namespace phlox {

namespace {

// The header stands before the data in one block.
constexpr std::size_t header_bytes = 64;
static_assert(sizeof(Storage) <= header_bytes);

void release_data(void* owner) {
  auto* storage = static_cast<Storage*>(owner);
  deallocate(storage->data, storage->bytes);
}

}  // namespace

Storage* make_storage(std::size_t bytes) {
  if (thread_mode.abstract) [[unlikely]]
    return wrap_storage(nullptr, bytes, nullptr, nullptr, false);
  if (bytes > detail::small_limit) {
    // A large block of its own: with a header in it, a power of two would need the next size of block.
    void* data = allocate(bytes);
    Storage* storage = wrap_storage(data, bytes, release_data, nullptr, false);
    storage->owner = storage;
    return storage;
  }
  std::size_t block_bytes = header_bytes + bytes;
  void* block = allocate(block_bytes);
  auto* storage = new (block) Storage;
  storage->data = static_cast<char*>(block) + header_bytes;
  storage->bytes = bytes;
  storage->block_bytes = block_bytes;
  return storage;
}

Storage* wrap_storage(void* data, std::size_t bytes, void (*release)(void*), void* owner, bool read_only) {
  auto* storage = new (allocate(header_bytes)) Storage;
  storage->data = data;
  storage->bytes = bytes;
  storage->block_bytes = header_bytes;
  storage->release = release;
  storage->owner = owner;
  storage->read_only = read_only;
  return storage;
}

void destroy(Storage* storage) {
  if (storage->release) [[unlikely]]
    storage->release(storage->owner);
  deallocate(storage, storage->block_bytes);
}

}  // namespace phlox
