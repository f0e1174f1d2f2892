// Modules that hold others.
#pragma once

#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "phlox/nn/module.h"

namespace phlox::nn {

// Runs its parts one after the other. They are named "0", "1", ...
//
//   nn::Sequential net;
//   net.add<nn::Linear>(64, 32).add<nn::ReLU>().add<nn::Linear>(32, 10);
//   nn::Sequential same({std::make_shared<nn::Linear>(64, 32), std::make_shared<nn::ReLU>()});
class Sequential : public Module {
 public:
  Sequential() = default;
  // Shares its parts with whoever made them.
  explicit Sequential(const std::vector<std::shared_ptr<Module>>& parts);
  Sequential(Module* parent, const std::string& name, const std::vector<std::shared_ptr<Module>>& parts = {});

  // Adds a part at the end.
  Sequential& append(std::shared_ptr<Module> part);
  // Makes a part from its arguments and appends it. Options in braces need their type:
  // nn::ConvOptions{.kernel = 3}.
  template <class Part, class... Arguments>
  Sequential& add(Arguments&&... arguments) {
    return append(std::make_shared<Part>(std::forward<Arguments>(arguments)...));
  }

  Tensor forward(Tensor input) override;
  // The number of parts.
  std::size_t size() const { return parts_.size(); }
  // Negative indices count from the end. Throws IndexError.
  Module& operator[](std::int64_t index) const;

 private:
  std::vector<std::shared_ptr<Module>> parts_;
};

// A list of modules, named "0", "1", ...; it runs nothing by itself.
class ModuleList : public Module {
 public:
  ModuleList() = default;
  // Shares its parts with whoever made them.
  explicit ModuleList(const std::vector<std::shared_ptr<Module>>& parts);
  ModuleList(Module* parent, const std::string& name, const std::vector<std::shared_ptr<Module>>& parts = {});

  // Adds a part at the end.
  ModuleList& append(std::shared_ptr<Module> part);
  // Makes a part from its arguments and appends it.
  template <class Part, class... Arguments>
  ModuleList& add(Arguments&&... arguments) {
    return append(std::make_shared<Part>(std::forward<Arguments>(arguments)...));
  }
  // The number of parts.
  std::size_t size() const { return parts_.size(); }
  // Negative indices count from the end. Throws IndexError.
  Module& operator[](std::int64_t index) const;
  // Shared pointers to the parts, for loops.
  auto begin() const { return parts_.begin(); }
  // The end of these.
  auto end() const { return parts_.end(); }

 private:
  std::vector<std::shared_ptr<Module>> parts_;
};

// Modules under names of one's choice; it runs nothing by itself.
class ModuleDict : public Module {
 public:
  // An empty one.
  ModuleDict() = default;
  ModuleDict(Module* parent, const std::string& name) : Module(parent, name) {}

  // Adds a part or replaces the one of this name.
  ModuleDict& set(const std::string& name, std::shared_ptr<Module> part);
  // Makes a part from its arguments and adds it under a name.
  template <class Part, class... Arguments>
  ModuleDict& add(const std::string& name, Arguments&&... arguments) {
    return set(name, std::make_shared<Part>(std::forward<Arguments>(arguments)...));
  }
  // The number of parts.
  std::size_t size() const { return parts().size(); }
  // Whether there is a part of this name.
  bool contains(const std::string& name) const;
  // Throws StateError when there is none.
  Module& operator[](const std::string& name) const;
};

}  // namespace phlox::nn
