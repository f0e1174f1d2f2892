#include "phlox/io/state_dict.h"

namespace phlox {

const Tensor* StateDict::find(std::string_view name) const {
  auto found = positions_.find(std::string(name));
  return found == positions_.end() ? nullptr : &entries_[found->second].second;
}

const Tensor& StateDict::at(std::string_view name) const {
  if (const Tensor* tensor = find(name)) return *tensor;
  fail<StateError>(ErrorCode::state_keys_differ, "state_dict: there is no entry \"{}\"", name).raise();
}

void StateDict::set(std::string name, Tensor tensor) {
  auto [place, added] = positions_.try_emplace(name, entries_.size());
  if (added) {
    entries_.emplace_back(std::move(name), std::move(tensor));
  } else {
    entries_[place->second].second = std::move(tensor);
  }
}

void StateDict::set_number(std::string name, double value) {
  set(std::move(name), from_values<double>(std::span(&value, 1), {}));
}

void StateDict::set_integer(std::string name, std::int64_t value) {
  set(std::move(name), from_values<std::int64_t>(std::span(&value, 1), {}));
}

void StateDict::merge(const std::string& prefix, const StateDict& other) {
  for (const auto& [name, tensor] : other) set(prefix + name, tensor);
}

StateDict StateDict::extract(std::string_view prefix) const {
  StateDict part;
  for (const auto& [name, tensor] : entries_) {
    if (name.starts_with(prefix)) part.set(name.substr(prefix.size()), tensor);
  }
  return part;
}

}  // namespace phlox
