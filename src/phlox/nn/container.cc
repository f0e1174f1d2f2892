#include "phlox/nn/container.h"

namespace phlox::nn {
namespace {

Module& part_at(const char* container, const std::vector<std::shared_ptr<Module>>& parts,
                std::int64_t index) {
  const auto count = static_cast<std::int64_t>(parts.size());
  if (index < -count || index >= count) {
    fail<IndexError>(ErrorCode::index_out_of_range, "{}: there is no part {} among {}", container, index,
                     count)
        .raise();
  }
  return *parts[static_cast<std::size_t>(index < 0 ? index + count : index)];
}

}  // namespace

Sequential::Sequential(const std::vector<std::shared_ptr<Module>>& parts) {
  for (const auto& part : parts) append(part);
}

Sequential::Sequential(Module* parent, const std::string& name,
                       const std::vector<std::shared_ptr<Module>>& parts)
    : Sequential(parts) {
  parent->register_module(name, *this);
}

Sequential& Sequential::append(std::shared_ptr<Module> part) {
  register_module(std::to_string(parts_.size()), part);
  parts_.push_back(std::move(part));
  return *this;
}

Tensor Sequential::forward(Tensor input) {
  for (std::size_t i = 0; i < parts_.size(); ++i) {  // a hook may append
    const std::shared_ptr<Module> part = parts_[i];
    input = (*part)(input);
  }
  return input;
}

Module& Sequential::operator[](std::int64_t index) const { return part_at("Sequential", parts_, index); }

ModuleList::ModuleList(const std::vector<std::shared_ptr<Module>>& parts) {
  for (const auto& part : parts) append(part);
}

ModuleList::ModuleList(Module* parent, const std::string& name,
                       const std::vector<std::shared_ptr<Module>>& parts)
    : ModuleList(parts) {
  parent->register_module(name, *this);
}

ModuleList& ModuleList::append(std::shared_ptr<Module> part) {
  register_module(std::to_string(parts_.size()), part);
  parts_.push_back(std::move(part));
  return *this;
}

Module& ModuleList::operator[](std::int64_t index) const { return part_at("ModuleList", parts_, index); }

bool ModuleDict::contains(const std::string& name) const {
  for (const auto& [known, module] : parts()) {
    if (known == name) return true;
  }
  return false;
}

ModuleDict& ModuleDict::set(const std::string& name, std::shared_ptr<Module> part) {
  if (contains(name)) unregister(name);
  register_module(name, std::move(part));
  return *this;
}

Module& ModuleDict::operator[](const std::string& name) const {
  for (const auto& [known, module] : parts()) {
    if (known == name) return *module;
  }
  fail<StateError>(ErrorCode::module_misuse, "ModuleDict: there is no part \"{}\"", name).raise();
}

}  // namespace phlox::nn
