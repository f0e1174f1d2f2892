// Sizes as the allocator counts and shows them.
#pragma once

#include <cstddef>
#include <string>

namespace phlox {

// What a block of so many bytes takes. That of a large one, rounded, is what it adds to memory_statistics(), which leave
// small ones out.
std::size_t charged_bytes(std::size_t bytes);
// "1.5 GiB"
std::string readable_bytes(std::size_t bytes);
// The most that large blocks may take together: the limit that was set, or the memory of the machine.
std::size_t memory_limit();

}  // namespace phlox
