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

class StateDict {
 public:
  using Entry = std::pair<std::string, Tensor>;

  StateDict() = default;
  StateDict(std::initializer_list<Entry> entries) {
    for (const auto& [name, tensor] : entries) set(name, tensor);
  }

  std::size_t size() const { return entries_.size(); }
  bool empty() const { return entries_.empty(); }
  auto begin() const { return entries_.begin(); }
  auto end() const { return entries_.end(); }

  bool contains(std::string_view name) const { return find(name) != nullptr; }
  // Null when there is none of this name.
  const Tensor* find(std::string_view name) const;
  // Throws StateError.
  const Tensor& at(std::string_view name) const;
  // Adds a tensor, or replaces the one of this name at its place.
  void set(std::string name, Tensor tensor);
  // Numbers are kept as 0-d tensors, f64 or i64, so that one kind of file holds everything.
  void set_number(std::string name, double value);
  void set_integer(std::string name, std::int64_t value);
  double number(std::string_view name) const { return at(name).item<double>(); }
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
