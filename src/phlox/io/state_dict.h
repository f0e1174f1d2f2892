// StateDict: tensors by name, in the order in which they were added. It is what modules, optimisers,
// schedules and loaders give as their state, and what files hold.
//
//   StateDict state = net.state_dict();
//   save_safetensors("net.safetensors", state);
//   for (const auto& [name, tensor] : state) fmt::print("{} {}\n", name, describe(tensor));
#pragma once

#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "phlox/core/tensor.h"

namespace phlox {

// Tensors by name; see the top of this file.
class StateDict {
 public:
  // A name and its tensor.
  using Entry = std::pair<std::string, Tensor>;

  // An empty one.
  StateDict() = default;
  // From what is written: {{"w", w}, {"b", b}}.
  StateDict(std::initializer_list<Entry> entries) {
    for (const auto& [name, tensor] : entries) set(name, tensor);
  }

  // The number of tensors.
  std::size_t size() const { return entries_.size(); }
  // Whether there are none.
  bool empty() const { return entries_.empty(); }
  // Entries in their order, for loops.
  auto begin() const { return entries_.begin(); }
  // The end of these.
  auto end() const { return entries_.end(); }

  // Whether there is a tensor of this name.
  bool contains(std::string_view name) const { return find(name) != nullptr; }
  // Null when there is none of this name.
  const Tensor* find(std::string_view name) const;
  // Throws StateError.
  const Tensor& at(std::string_view name) const;
  // Adds a tensor, or replaces the one of this name at its place.
  void set(std::string name, Tensor tensor);
  // Numbers are kept as 0-d tensors, f64 or i64, so that one kind of file holds everything.
  void set_number(std::string name, double value);
  // The same for an integer.
  void set_integer(std::string name, std::int64_t value);
  // A number again. Throws StateError when there is none of this name.
  double number(std::string_view name) const { return at(name).item<double>(); }
  // An integer again, likewise.
  std::int64_t integer(std::string_view name) const { return at(name).item<std::int64_t>(); }

  // All entries of `other` under "prefix" + their names.
  void merge(const std::string& prefix, const StateDict& other);
  // The entries whose names begin with "prefix", without it.
  StateDict extract(std::string_view prefix) const;

 private:
  std::vector<Entry> entries_;
  std::unordered_map<std::string, std::size_t> positions_;
};

}  // namespace phlox
