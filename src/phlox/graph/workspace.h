// Memory for what plans compute on the way. The plans of one function, for all of its sizes and for the regions in it, take
// it from one workspace: those that do not run at the same time share a block, as large as the largest of them needs.
#pragma once

#include <cstddef>
#include <mutex>
#include <vector>

namespace phlox::graph {

class Workspace {
 public:
  Workspace() = default;
  ~Workspace();
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;

  // A block of at least so many bytes while this lives; it holds what its last user left. Throws OutOfMemoryError.
  class Loan {
   public:
    Loan(Workspace& workspace, std::size_t bytes);
    ~Loan();
    Loan(const Loan&) = delete;
    Loan& operator=(const Loan&) = delete;
    char* data() const { return data_; }

   private:
    Workspace& workspace_;
    std::size_t number_;
    char* data_;
  };

  // The sizes of all blocks: the first is that of plans that run alone, the next that of plans within these, and so on.
  std::vector<std::size_t> block_sizes() const;

 private:
  struct Block {
    char* data = nullptr;
    std::size_t bytes = 0;
    bool is_lent = false;
  };

  mutable std::mutex mutex_;
  std::vector<Block> blocks_;
};

}  // namespace phlox::graph
