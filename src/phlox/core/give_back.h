// Memory that is not worth keeping.
#pragma once

#include <cstddef>

namespace phlox {

// deallocate(), but the memory goes to the system and is not kept for reuse, unless the block is a small one.
void give_back(void* block, std::size_t bytes);

}  // namespace phlox
