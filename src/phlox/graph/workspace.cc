#include "phlox/graph/workspace.h"

#include <algorithm>

#include "phlox/core/allocator.h"
#include "phlox/core/give_back.h"

namespace phlox::graph {

Workspace::~Workspace() {
  for (const Block& block : blocks_)
    if (block.data) deallocate(block.data, block.bytes);
}

std::vector<std::size_t> Workspace::block_sizes() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::size_t> sizes;
  for (const Block& block : blocks_) sizes.push_back(block.bytes);
  return sizes;
}

Workspace::Loan::Loan(Workspace& workspace, std::size_t bytes) : workspace_(workspace) {
  const std::lock_guard lock(workspace.mutex_);
  auto& blocks = workspace.blocks_;
  // The first that is free, even where another one is large enough: so each level of plans within plans keeps its own.
  auto block = std::find_if(blocks.begin(), blocks.end(), [](const Block& b) { return !b.is_lent; });
  if (block == blocks.end()) block = blocks.insert(blocks.end(), Block{});
  if (block->bytes < bytes) {
    // The old one is of no use to anybody else: sizes that grow would leave one behind for each.
    if (block->data) give_back(block->data, block->bytes);
    *block = {};
    block->data = static_cast<char*>(allocate(bytes));
    block->bytes = bytes;
  }
  block->is_lent = true;
  data_ = block->data;
  number_ = static_cast<std::size_t>(block - blocks.begin());
}

Workspace::Loan::~Loan() {
  const std::lock_guard lock(workspace_.mutex_);
  workspace_.blocks_[number_].is_lent = false;
}

}  // namespace phlox::graph
