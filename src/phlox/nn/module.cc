#include "phlox/nn/module.h"

#include <cxxabi.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <typeinfo>
#include <unordered_map>
#include <unordered_set>

#include "phlox/core/mode.h"
#include "phlox/nn/running_module.h"
#include "phlox/nn/utils.h"
#include "phlox/ops/functions.h"

namespace phlox::nn {
namespace {

std::string joined(const std::vector<std::string>& names) {
  constexpr std::size_t most = 8;
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), most); ++i) text += (i ? ", " : "") + names[i];
  if (names.size() > most) text += fmt::format(", and {} more", names.size() - most);
  return text;
}

// Puts the data of `source` under the handle of `target`, which others hold as well.
void replace_data(const Tensor& target, const Tensor& source) {
  TensorImpl& to = *target.impl();
  const TensorImpl& from = *source.impl();
  from.storage->references.acquire();
  Storage* old = std::exchange(to.storage, from.storage);
  if (old->references.release()) destroy(old);
  to.dtype = from.dtype;
  to.device = from.device;
  to.offset = from.offset;
  std::copy_n(from.sizes, from.rank, to.sizes);
  std::copy_n(from.strides, from.rank, to.strides);
  to.update_layout();
}

template <class Hook>
std::int64_t add_hook(std::vector<std::pair<std::int64_t, Hook>>& hooks, Hook hook, bool prepend) {
  const std::int64_t number = next_hook_number();
  hooks.emplace(prepend ? hooks.begin() : hooks.end(), number, std::move(hook));
  return number;
}

// A module may be a part of its parent under several names.
void erase_one(std::vector<Module*>& parents, const Module* parent) {
  if (auto found = std::find(parents.begin(), parents.end(), parent); found != parents.end())
    parents.erase(found);
}

template <class Slots>
auto find_named(Slots& slots, const std::string& name) {
  return std::find_if(slots.begin(), slots.end(), [&](const auto& slot) { return slot.name == name; });
}

[[noreturn]] void raise_unknown(const Module& module, const std::string& name) {
  fail<StateError>(ErrorCode::module_misuse, "{}: nothing is registered under \"{}\"", module.type_name(),
                   name)
      .raise();
}

}  // namespace

Tensor make_parameter(const Tensor& value, bool requires_grad) {
  Tensor parameter = value.detach();
  if (requires_grad) parameter.set_requires_grad();
  return parameter;
}

namespace {
std::atomic<std::uint64_t> tree_version{1};  // changes when a module gets another name, or goes
}

Module::Module(Module* parent, const std::string& name) { parent->register_module(name, *this); }

Module::~Module() {
  ++tree_version;
  for (Module* parent : parents_) parent->forget(this);
  for (const Part& part : parts_) {
    if (!part.owner) std::erase(part.module->parents_, this);
  }
}

void Module::forget(const Module* part) {
  configuration_.renew();
  std::erase_if(parts_, [&](const Part& known) { return known.module == part && !known.owner; });
}

Tensor Module::forward(Tensor) {
  fail<StateError>(ErrorCode::module_misuse, "{}: the class does not define forward", type_name())
      .hint("forward(self, x) in Python, Tensor forward(Tensor x) in C++: what the module computes")
      .raise();
}

namespace {

const Module& module_of(const RunningPart& part) { return *static_cast<const Module*>(part.part); }

// `Linear "head"` for the innermost module that runs, by its name in the outermost that has it.
std::string name_of_running(const RunningPart& innermost) {
  // Asked for with each recorded operation while results are watched.
  struct Known {
    const Module* outermost;
    std::uint64_t version;
    std::string name;
  };
  thread_local std::unordered_map<const Module*, Known> known;
  const Module& module = module_of(innermost);
  const RunningPart* outermost = &innermost;
  while (outermost->outer) outermost = outermost->outer;
  const std::uint64_t version = tree_version.load(std::memory_order_relaxed);
  Known& found = known[&module];
  if (found.outermost == &module_of(*outermost) && found.version == version) return found.name;
  std::string name;
  for (const RunningPart* part = &innermost; part; part = part->outer)
    for (const auto& [path, candidate] : const_cast<Module&>(module_of(*part)).named_modules())
      if (candidate == &module && !path.empty()) name = path;
  name = name.empty() ? module.type_name() : fmt::format("{} \"{}\"", module.type_name(), name);
  found = {&module_of(*outermost), version, name};
  return name;
}

}  // namespace

RunningModule::RunningModule(const Module& module) : part_{running_part, &module, name_of_running} {
  running_part = &part_;
  module.configuration().note_use("a module");
}
RunningModule::~RunningModule() { running_part = part_.outer; }

Tensor Module::operator()(const Tensor& input) {
  const RunningModule running(*this);
  try {
    if (!has_hooks()) [[likely]]
      return forward(input);
    return forward_with_hooks(input);
  } catch (Error& error) {
    name_parameters(error);
    throw;
  }
}

void Module::name_parameters(Error& error) const {
  for (const auto& [prefix, module] : const_cast<Module*>(this)->named_modules()) {
    for (const auto& [name, parameter] : module->named_parameters(prefix, false))
      error.set_note(parameter.unsafe_impl(), fmt::format("{} \"{}\"", module->type_name(), name));
  }
}

Tensor Module::forward_with_hooks(const Tensor& input) {
  Tensor x = input;
  if (const auto hooks = this->hooks()) {
    for (const auto& [number, hook] : hooks->before) {
      if (Tensor changed = hook(*this, x); changed.defined()) x = changed;
    }
  }
  Tensor y = forward(x);
  if (const auto hooks = this->hooks()) {  // those that forward() has added too
    for (const auto& [number, hook] : hooks->after) {
      if (Tensor changed = hook(*this, x, y); changed.defined()) y = changed;
    }
  }
  return y;
}

// --- registration

void Module::check_new_name(const std::string& name) const {
  const auto refuse = [&](std::string_view why) {
    fail<ValueError>(ErrorCode::module_misuse, "{}: nothing can be registered under \"{}\", {}", type_name(),
                     name, why)
        .raise();
  };
  if (name.empty()) refuse("the name is empty");
  if (name.find('.') != name.npos) refuse("the name holds a dot");
  if (find_named(parameters_, name) != parameters_.end() || find_named(buffers_, name) != buffers_.end() ||
      find_named(parts_, name) != parts_.end()) {
    refuse("the name is taken");
  }
}

void Module::check_part(const std::string& name, const Module& part) const {
  ++tree_version;
  if (!part.contains(*this)) return;
  fail<ValueError>(ErrorCode::module_misuse, "{}: the part \"{}\" is the module itself or contains it",
                   type_name(), name)
      .hint("a list, self.parent = [parent], keeps a module without making it a part")
      .raise();
}

void Module::register_parameter(const std::string& name, Tensor* member) {
  check_new_name(name);
  configuration_.change();
  parameters_.push_back({name, member, {}});
}

void Module::register_parameter(const std::string& name, const Tensor& value) {
  check_new_name(name);
  configuration_.change();
  parameters_.push_back({name, nullptr, value});
}

void Module::register_buffer(const std::string& name, Tensor* member, bool persistent) {
  check_new_name(name);
  configuration_.change();
  buffers_.push_back({name, member, {}, persistent});
}

void Module::register_buffer(const std::string& name, const Tensor& value, bool persistent) {
  check_new_name(name);
  configuration_.change();
  buffers_.push_back({name, nullptr, value, persistent});
}

void Module::register_module(const std::string& name, Module& part) {
  check_new_name(name);
  check_part(name, part);
  configuration_.change();
  parts_.push_back({name, &part, nullptr});
  part.parents_.push_back(this);
}

void Module::register_module(const std::string& name, std::shared_ptr<Module> part) {
  check_new_name(name);
  Module* module = part.get();
  if (!module)
    fail<ValueError>(ErrorCode::module_misuse, "{}: the part \"{}\" is null", type_name(), name).raise();
  check_part(name, *module);
  configuration_.change();
  parts_.push_back({name, module, std::move(part)});
}

void Module::set_parameter(const std::string& name, const Tensor& value) {
  auto slot = find_named(parameters_, name);
  if (slot == parameters_.end()) raise_unknown(*this, name);
  if (slot->tensor().unsafe_impl() == value.unsafe_impl()) return;  // self.count += 1
  configuration_.change();
  slot->tensor() = value;
}

void Module::set_buffer(const std::string& name, const Tensor& value) {
  auto slot = find_named(buffers_, name);
  if (slot == buffers_.end()) raise_unknown(*this, name);
  if (slot->tensor().unsafe_impl() == value.unsafe_impl()) return;  // self.count += 1
  configuration_.change();
  slot->tensor() = value;
}

void Module::exchange_tensor(const std::string& name, const Tensor& value) {
  const auto parameter = find_named(parameters_, name);
  const auto buffer = find_named(buffers_, name);
  if (parameter == parameters_.end() && buffer == buffers_.end()) raise_unknown(*this, name);
  Tensor& tensor = parameter != parameters_.end() ? parameter->tensor() : buffer->tensor();
  if (tensor.unsafe_impl() == value.unsafe_impl()) return;
  configuration_.renew();
  tensor = value;
}

void Module::set_module(const std::string& name, Module& part) {
  auto known = find_named(parts_, name);
  if (known == parts_.end()) raise_unknown(*this, name);
  if (known->module == &part) return;
  check_part(name, part);
  configuration_.change();
  if (!known->owner) erase_one(known->module->parents_, this);
  *known = {name, &part, nullptr};
  part.parents_.push_back(this);
}

void Module::unregister(const std::string& name) {
  configuration_.change();
  const auto named = [&](const auto& slot) { return slot.name == name; };
  if (auto part = find_named(parts_, name); part != parts_.end()) {
    if (!part->owner) erase_one(part->module->parents_, this);
    ++tree_version;
    parts_.erase(part);
  } else if (std::erase_if(parameters_, named) + std::erase_if(buffers_, named) == 0) {
    raise_unknown(*this, name);
  }
}

// --- listing

void Module::collect(const std::string& prefix, bool recurse, std::vector<Slot> Module::* slots,
                     NamedTensors& found) const {
  for (const Slot& slot : this->*slots) {
    if (slot.tensor().defined()) found.emplace_back(prefix + slot.name, slot.tensor());
  }
  if (!recurse) return;
  for (const Part& part : parts_) part.module->collect(prefix + part.name + '.', true, slots, found);
}

namespace {

NamedTensors without_repetition(NamedTensors all) {
  std::unordered_set<const TensorImpl*> seen;
  std::erase_if(all, [&](const auto& entry) { return !seen.insert(entry.second.unsafe_impl()).second; });
  return all;
}

std::vector<Tensor> without_names(NamedTensors named) {
  std::vector<Tensor> tensors;
  for (auto& [name, tensor] : named) tensors.push_back(std::move(tensor));
  return tensors;
}

std::string dotted(const std::string& prefix) { return prefix.empty() ? prefix : prefix + '.'; }

}  // namespace

NamedTensors Module::named_parameters(const std::string& prefix, bool recurse, bool remove_duplicate) const {
  NamedTensors found;
  collect(dotted(prefix), recurse, &Module::parameters_, found);
  return remove_duplicate ? without_repetition(std::move(found)) : found;
}

NamedTensors Module::named_buffers(const std::string& prefix, bool recurse, bool remove_duplicate) const {
  NamedTensors found;
  collect(dotted(prefix), recurse, &Module::buffers_, found);
  return remove_duplicate ? without_repetition(std::move(found)) : found;
}

std::vector<Tensor> Module::parameters(bool recurse) const {
  return without_names(named_parameters("", recurse));
}
std::vector<Tensor> Module::buffers(bool recurse) const { return without_names(named_buffers("", recurse)); }

std::vector<std::string> Module::parameter_names() const {
  std::vector<std::string> names;
  for (const Slot& slot : parameters_) names.push_back(slot.name);
  return names;
}
std::vector<std::string> Module::buffer_names() const {
  std::vector<std::string> names;
  for (const Slot& slot : buffers_) names.push_back(slot.name);
  return names;
}

NamedModules Module::parts() const {
  NamedModules found;
  for (const Part& part : parts_) found.emplace_back(part.name, part.module);
  return found;
}

NamedModules Module::named_children() const {
  NamedModules found = parts();
  std::unordered_set<const Module*> seen;
  std::erase_if(found, [&](const auto& entry) { return !seen.insert(entry.second).second; });
  return found;
}

std::vector<Module*> Module::children() const {
  std::vector<Module*> found;
  for (const auto& [name, module] : named_children()) found.push_back(module);
  return found;
}

bool Module::contains(const Module& other) const {
  std::unordered_set<const Module*> seen;
  const auto search = [&](const auto& self, const Module& module) -> bool {
    if (&module == &other) return true;
    if (!seen.insert(&module).second) return false;
    return std::any_of(module.parts_.begin(), module.parts_.end(),
                       [&](const Part& part) { return self(self, *part.module); });
  };
  return search(search, *this);
}

NamedModules Module::named_modules(const std::string& prefix) {
  NamedModules found;
  std::unordered_set<const Module*> seen;
  const auto collect_below = [&](const auto& self, Module& module, const std::string& name) -> void {
    if (!seen.insert(&module).second) return;
    found.emplace_back(name, &module);
    for (const Part& part : module.parts_) self(self, *part.module, dotted(name) + part.name);
  };
  collect_below(collect_below, *this, prefix);
  return found;
}

std::vector<Module*> Module::modules() {
  std::vector<Module*> found;
  for (const auto& [name, module] : named_modules()) found.push_back(module);
  return found;
}

Module* Module::find_module(const std::string& name) {
  Module* module = this;
  for (std::size_t start = 0; start < name.size();) {
    const std::size_t end = std::min(name.find('.', start), name.size());
    auto part = find_named(module->parts_, name.substr(start, end - start));
    if (part == module->parts_.end()) return nullptr;
    module = part->module;
    start = end + 1;
  }
  return module;
}

// --- state

template <class Self, class F>
void Module::for_each_state(Self& self, const std::string& prefix, const F& function) {
  for (auto& slot : self.parameters_) {
    if (slot.tensor().defined()) function(prefix + slot.name, slot.tensor());
  }
  for (auto& slot : self.buffers_) {
    if (slot.persistent && slot.tensor().defined()) function(prefix + slot.name, slot.tensor());
  }
  for (auto& part : self.parts_) for_each_state(*part.module, prefix + part.name + '.', function);
}

StateDict Module::state_dict(const std::string& prefix) const {
  StateDict state;
  for_each_state(*this, prefix,
                 [&](const std::string& name, const Tensor& tensor) { state.set(name, tensor.detach()); });
  return state;
}

StateDifference Module::load_state_dict(const StateDict& state, bool strict) {
  StateDifference difference;
  std::unordered_set<std::string> known;
  std::vector<std::pair<Tensor, Tensor>> copies;
  std::vector<std::string> wrong_shapes;
  for_each_state(*this, "", [&](const std::string& name, const Tensor& tensor) {
    known.insert(name);
    const Tensor* stored = state.find(name);
    if (!stored) {
      difference.missing.push_back(name);
    } else if (stored->shape() != tensor.shape()) {
      wrong_shapes.push_back(fmt::format("{}: stored is [{}], the module has [{}]", name,
                                         phlox::to_string(stored->shape()),
                                         phlox::to_string(tensor.shape())));
    } else {
      copies.emplace_back(tensor, *stored);
    }
  });
  for (const auto& [name, tensor] : state) {
    if (!known.contains(name)) difference.unexpected.push_back(name);
  }
  if (strict && !difference.empty()) {
    auto error = fail<StateError>(
        ErrorCode::state_keys_differ,
        "load_state_dict: the keys differ from those of {}, {} are missing and {} unexpected", type_name(),
        difference.missing.size(), difference.unexpected.size());
    if (!difference.missing.empty()) error.detail("missing", joined(difference.missing));
    if (!difference.unexpected.empty()) error.detail("unexpected", joined(difference.unexpected));
    error.hint("strict=False loads what fits and returns the names of the rest").raise();
  }
  if (!wrong_shapes.empty()) {
    auto error =
        fail<StateError>(ErrorCode::state_shape_differs, "load_state_dict: {} shapes differ from those of {}",
                         wrong_shapes.size(), type_name());
    for (const std::string& line : wrong_shapes) error.detail("shape", line);
    error.raise();
  }
  NoGrad guard;
  for (const auto& [target, source] : copies) copy_(target, source);
  return difference;
}

// --- settings

void Module::train(bool on) {
  set_training(on);
  for (const Part& part : parts_) part.module->train(on);
}

void Module::replace_tensors(const std::function<Tensor(const Tensor&)>& convert) {
  NoGrad guard;
  NamedTensors all = named_parameters(), buffers = named_buffers();
  all.insert(all.end(), buffers.begin(), buffers.end());
  for (const auto& [name, tensor] : all) {
    const Tensor converted = convert(tensor);
    if (converted.unsafe_impl() == tensor.unsafe_impl()) continue;
    const Tensor gradient = tensor.grad();
    if (gradient.defined()) tensor.set_grad({});
    replace_data(tensor, converted);
    if (gradient.defined()) tensor.set_grad(convert(gradient));
  }
}

Module& Module::to(DType dtype) {
  replace_tensors(
      [&](const Tensor& tensor) { return is_floating(tensor.dtype()) ? tensor.to(dtype) : tensor; });
  return *this;
}

Module& Module::to(Device device) {
  replace_tensors([&](const Tensor& tensor) { return tensor.to(device); });
  return *this;
}

void Module::apply(const std::function<void(Module&)>& function) {
  for (Module* part : children()) part->apply(function);
  function(*this);
}

void Module::zero_grad(bool set_to_none) { zero_gradients(parameters(), set_to_none); }

void Module::requires_grad_(bool on) {
  for (const Tensor& parameter : parameters()) parameter.set_requires_grad(on);
}

// --- hooks

std::shared_ptr<const Module::Hooks> Module::hooks() const {
  std::lock_guard lock(hooks_mutex_);
  return hooks_;
}

void Module::change_hooks(const std::function<void(Hooks&)>& change) {
  std::shared_ptr<const Hooks> old;  // released after the lock, as hooks may own anything
  std::lock_guard lock(hooks_mutex_);
  auto changed = hooks_ ? std::make_shared<Hooks>(*hooks_) : std::make_shared<Hooks>();
  change(*changed);
  const bool any = !changed->before.empty() || !changed->after.empty();
  old = std::exchange(hooks_, any ? std::move(changed) : nullptr);
  has_hooks_.store(any, std::memory_order_release);
  configuration_.change();
}

std::int64_t Module::register_forward_pre_hook(PreHook hook, bool prepend) {
  std::int64_t number = 0;
  change_hooks([&](Hooks& hooks) { number = add_hook(hooks.before, std::move(hook), prepend); });
  return number;
}

std::int64_t Module::register_forward_hook(Hook hook, bool prepend) {
  std::int64_t number = 0;
  change_hooks([&](Hooks& hooks) { number = add_hook(hooks.after, std::move(hook), prepend); });
  return number;
}

void Module::remove_hook(std::int64_t number) {
  change_hooks([&](Hooks& hooks) {
    const auto same = [&](const auto& entry) { return entry.first == number; };
    std::erase_if(hooks.before, same);
    std::erase_if(hooks.after, same);
  });
}

// --- text

std::string Module::type_name() const {
  const char* mangled = typeid(*this).name();
  int status = 0;
  std::unique_ptr<char, void (*)(void*)> demangled(abi::__cxa_demangle(mangled, nullptr, nullptr, &status),
                                                   std::free);
  std::string name = status == 0 ? demangled.get() : mangled;
  const std::size_t arguments = std::min(name.find('<'), name.size());
  const std::size_t colon = name.rfind("::", arguments);
  return colon == name.npos ? name : name.substr(colon + 2);
}

void Module::write_tree(std::string& text, const std::string& indent) const {
  text += type_name() + '(' + settings();
  for (const Part& part : parts_) {
    text += '\n' + indent + "  (" + part.name + "): ";
    part.module->write_tree(text, indent + "  ");
  }
  if (!parts_.empty()) text += '\n' + indent;
  text += ')';
}

std::string Module::to_string() const {
  std::string text;
  write_tree(text, "");
  return text;
}

std::string Module::summary(const Tensor& input) {
  const NamedModules all = named_modules();
  std::vector<std::string> outputs(all.size());
  if (input.defined()) {
    NoGrad guard;
    std::vector<std::int64_t> hooks;
    for (std::size_t i = 0; i < all.size(); ++i) {
      hooks.push_back(
          all[i].second->register_forward_hook([&outputs, i](Module&, const Tensor&, const Tensor& output) {
            outputs[i] = fmt::format("[{}]", phlox::to_string(output.shape()));
            return Tensor();
          }));
    }
    const auto remove_hooks = [&] {
      for (std::size_t i = 0; i < all.size(); ++i) all[i].second->remove_hook(hooks[i]);
    };
    try {
      (*this)(input);
    } catch (...) {
      remove_hooks();
      throw;
    }
    remove_hooks();
  }
  std::string text = fmt::format("{:<28} {:<20} {:<20} {:>12}\n", "module", "type", "output", "parameters");
  const auto count = [](const std::vector<Tensor>& tensors) {
    std::int64_t total = 0;
    for (const Tensor& tensor : tensors) total += tensor.numel();
    return total;
  };
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto& [name, module] = all[i];
    text += fmt::format("{:<28} {:<20} {:<20} {:>12}\n", name.empty() ? "(whole)" : name, module->type_name(),
                        outputs[i], count(module->parameters(false)));
  }
  std::int64_t trainable = 0;
  for (const Tensor& parameter : parameters()) trainable += parameter.requires_grad() ? parameter.numel() : 0;
  return text + fmt::format("{} parameters, {} of them trainable\n", count(parameters()), trainable);
}

}  // namespace phlox::nn
