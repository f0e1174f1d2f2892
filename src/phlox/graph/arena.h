// Where in one block of memory intermediate values lie.
#pragma once

#include <cstddef>
#include <iterator>
#include <map>

namespace phlox::graph {

// Places of memory in one block: what is not used at the same time may share one.
class Arena {
 public:
  std::size_t take(std::size_t bytes) {
    bytes = (bytes + 63) / 64 * 64;
    auto best = free_.end();
    for (auto hole = free_.begin(); hole != free_.end(); ++hole)
      if (hole->second >= bytes && (best == free_.end() || hole->second < best->second)) best = hole;
    if (best == free_.end()) {
      // The last hole may grow.
      if (!free_.empty() && free_.rbegin()->first + free_.rbegin()->second == size_) {
        const std::size_t place = free_.rbegin()->first;
        free_.erase(std::prev(free_.end()));
        size_ = place + bytes;
        return place;
      }
      size_ += bytes;
      return size_ - bytes;
    }
    const auto [place, room] = *best;
    free_.erase(best);
    if (room > bytes) free_[place + bytes] = room - bytes;
    return place;
  }
  void give_back(std::size_t place, std::size_t bytes) {
    bytes = (bytes + 63) / 64 * 64;
    auto [hole, is_new] = free_.emplace(place, bytes);
    if (const auto next = std::next(hole); next != free_.end() && place + bytes == next->first) {
      hole->second += next->second;
      free_.erase(next);
    }
    if (hole != free_.begin()) {
      const auto before = std::prev(hole);
      if (before->first + before->second == place) {
        before->second += hole->second;
        free_.erase(hole);
      }
    }
  }
  std::size_t size() const { return size_; }

 private:
  std::map<std::size_t, std::size_t> free_;  // place and bytes of holes
  std::size_t size_ = 0;
};

}  // namespace phlox::graph
