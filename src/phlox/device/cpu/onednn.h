// oneDNN behind a cache: building one of its primitives costs a hundred times more than running a small one.
// Only files that are compiled with PHLOX_ONEDNN include this.
#pragma once

#include <oneapi/dnnl/dnnl.hpp>

#include <array>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <list>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "phlox/core/int_list.h"
#include "phlox/core/tensor.h"

namespace phlox::cpu::onednn {

using Memory = dnnl::memory;
using Description = dnnl::memory::desc;

const dnnl::engine& engine();
// True when this processor multiplies bfloat16 numbers without going through float32.
bool has_bfloat16();
// float32 or bfloat16.
Memory::data_type data_type(DType dtype);

// What tells one primitive from another: a kind and then sizes, strides, dtypes, attributes, number of threads.
class Key {
 public:
  Key(std::initializer_list<std::int64_t> values) { add(values); }
  void add(std::int64_t value) { values_[size_++] = value; }
  void add(std::span<const std::int64_t> values) {
    add(static_cast<std::int64_t>(values.size()));
    for (std::int64_t value : values) add(value);
  }
  void add(std::initializer_list<std::int64_t> values) { add(std::span(values.begin(), values.size())); }
  std::uint64_t hash() const;
  friend bool operator==(const Key& a, const Key& b) {
    return a.size_ == b.size_ &&
           std::equal(a.values_.begin(), a.values_.begin() + a.size_, b.values_.begin());
  }

 private:
  std::array<std::int64_t, 64> values_;  // the longest, of a 3-d convolution, has 40
  int size_ = 0;
};

// A primitive that is ready to run. It owns its memory objects, whose addresses are set for each run, so a thread
// must not share it with another.
class Executable {
 public:
  // Arguments are pairs of a DNNL_ARG_ number and what the primitive expects there.
  Executable(const dnnl::primitive& primitive, const Description& scratchpad,
             std::initializer_list<std::pair<int, Description>> arguments);
  // Addresses in the order of the arguments. Scratch memory comes from the allocator of Phlox.
  void run(std::initializer_list<const void*> addresses);
  const Description& argument(int position) const { return descriptions_[position]; }

 private:
  dnnl::primitive primitive_;
  std::vector<Description> descriptions_;
  std::vector<Memory> memories_;
  std::vector<dnnl_exec_arg_t> arguments_;
  std::size_t scratchpad_bytes_;
};

// The plan of this key (an Executable, or a struct of several) in the cache of the calling thread, built when it is
// not there. The least recently used plan makes room for a new one; the reference holds until the next call.
template <class Plan, class Build>
Plan& cached(const Key& key, Build&& build) {
  struct Hash {
    std::size_t operator()(const Key& k) const { return k.hash(); }
  };
  struct Cache {
    std::list<std::pair<Key, Plan>> entries;  // the most recently used one first
    std::unordered_map<Key, typename std::list<std::pair<Key, Plan>>::iterator, Hash> index;
  };
  constexpr std::size_t capacity = 512;
  static thread_local Cache cache;
  if (auto found = cache.index.find(key); found != cache.index.end()) {
    cache.entries.splice(cache.entries.begin(), cache.entries, found->second);
    return found->second->second;
  }
  cache.entries.emplace_front(key, build());
  cache.index.emplace(key, cache.entries.begin());
  if (cache.entries.size() > capacity) {
    cache.index.erase(cache.entries.back().first);
    cache.entries.pop_back();
  }
  return cache.entries.front().second;
}

// Runs `body` and turns oneDNN's exceptions into errors of Phlox that name `operation`.
void guard(const char* operation, const std::function<void()>& body);

}  // namespace phlox::cpu::onednn
