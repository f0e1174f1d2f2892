// Module: a part of a network, with parameters, buffers and parts of its own. Members register themselves
// under their names, so that a whole network can be listed, saved, moved and trained:
//
//   struct Net : nn::Module {
//     nn::Conv2d conv{this, "conv", 1, 16, {.kernel = 3, .padding = 1}};
//     nn::Linear head{this, "head", 16 * 4 * 4, 10};
//     Tensor forward(Tensor x) override {
//       x = max_pool2d(relu(conv(x)), 2);
//       return head(x.flatten(1));
//     }
//   };
//   Net net;
//   Tensor scores = net(images);                       // runs forward() and the hooks
//   for (auto& [name, p] : net.named_parameters()) ...  // "conv.weight", "conv.bias", "head.weight",
//   "head.bias"
//
// A module stays where it was made: it is neither copied nor moved.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "phlox/core/tensor.h"
#include "phlox/graph/configuration.h"
#include "phlox/io/state_dict.h"

namespace phlox::nn {

class Module;

// Tensors in the order of registration, by names with dots.
using NamedTensors = std::vector<std::pair<std::string, Tensor>>;
// Modules, likewise.
using NamedModules = std::vector<std::pair<std::string, Module*>>;

// What load_state_dict() found to differ.
struct StateDifference {
  std::vector<std::string> missing;     // in the module only
  std::vector<std::string> unexpected;  // in the state only
  // Whether nothing differed.
  bool empty() const { return missing.empty() && unexpected.empty(); }
};

// A part of a network; see the top of this file for how one is written.
class Module {
 public:
  // A network of its own, part of nothing yet.
  Module() = default;
  // A part of `parent` under a name without dots. Throws ValueError for a name that is taken.
  Module(Module* parent, const std::string& name);
  virtual ~Module();
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  // What the module computes. Throws StateError unless a subclass defines it.
  virtual Tensor forward(Tensor input);
  // Runs forward() between the hooks.
  Tensor operator()(const Tensor& input);

  // --- what it consists of; names of parts are joined by dots, and a tensor that appears twice is listed
  // once, unless remove_duplicate is false
  std::vector<Tensor> parameters(bool recurse = true) const;
  // Parameters with their names, each behind `prefix`.
  NamedTensors named_parameters(const std::string& prefix = "", bool recurse = true,
                                bool remove_duplicate = true) const;
  // Tensors that belong to the state but are not trained, such as running means.
  std::vector<Tensor> buffers(bool recurse = true) const;
  // Buffers with their names.
  NamedTensors named_buffers(const std::string& prefix = "", bool recurse = true,
                             bool remove_duplicate = true) const;
  // What is registered with the module itself, including the places of absent tensors.
  std::vector<std::string> parameter_names() const;
  // The same of buffers.
  std::vector<std::string> buffer_names() const;
  // The direct parts, each once, under its first name; parts() has those that are there under several names as often.
  std::vector<Module*> children() const;
  // The direct parts with their names.
  NamedModules named_children() const;
  // The direct parts, as often as they are registered.
  NamedModules parts() const;
  // Whether `other` is the module itself or somewhere below it.
  bool contains(const Module& other) const;
  // The module itself, under `prefix`, and all below it.
  NamedModules named_modules(const std::string& prefix = "");
  // The same without names.
  std::vector<Module*> modules();
  // By a name with dots; null when there is none.
  Module* find_module(const std::string& name);

  // --- saving and loading
  // Parameters and persistent buffers, sharing their memory with the module.
  StateDict state_dict(const std::string& prefix = "") const;
  // Copies the tensors of `state` into those of the module. Nothing is written unless everything fits. Throws
  // StateError: keys that differ, when `strict` [E0701], and shapes that differ [E0702].
  StateDifference load_state_dict(const StateDict& state, bool strict = true);

  // --- settings of the module and all its parts
  bool training() const { return training_; }
  // Of this module alone; train() is what one usually wants.
  void set_training(bool on) {
    training_ = on;
    configuration_.set_mode(on);
  }
  // Modules such as Dropout and BatchNorm behave differently in training.
  virtual void train(bool on = true);
  // Leaves training: Dropout does nothing, BatchNorm uses what it has learned.
  void eval() { train(false); }
  // Converts floating parameters and buffers in place, so that an optimiser that holds them sees it.
  Module& to(DType dtype);
  // Moves parameters and buffers to a device, likewise.
  Module& to(Device device);
  // Calls function on each part, then on the module itself.
  void apply(const std::function<void(Module&)>& function);
  // Drops the gradients, or fills them with zeros in place.
  void zero_grad(bool set_to_none = true);
  // Whether gradients of all parameters are kept; false freezes the module.
  void requires_grad_(bool on = true);

  // --- hooks, called in the order of registration, or before all others with `prepend`; the number returned removes
  // the hook again. They may be added and removed while other threads run the module, which keep to the hooks that
  // were there when they came to them.
  // A function that is called before forward().
  using PreHook = std::function<Tensor(Module&, const Tensor& input)>;
  // A function that is called after forward().
  using Hook = std::function<Tensor(Module&, const Tensor& input, const Tensor& output)>;
  // Before forward(); a defined result takes the place of the input.
  std::int64_t register_forward_pre_hook(PreHook hook, bool prepend = false);
  // After forward(); a defined result takes the place of the output.
  std::int64_t register_forward_hook(Hook hook, bool prepend = false);
  // Removes a hook by its number; without effect when it is gone.
  void remove_hook(std::int64_t number);
  // Whether any hook is registered.
  bool has_hooks() const { return has_hooks_.load(std::memory_order_acquire); }

  // What captured functions notice of the module: what is registered, hooks, and whether it is in training.
  graph::Configuration& configuration() { return configuration_; }
  // The same, to look at.
  const graph::Configuration& configuration() const { return configuration_; }

  // --- text
  // The name of the class.
  virtual std::string type_name() const;
  // Settings for the text form, such as "1, 16, kernel=3".
  virtual std::string settings() const { return {}; }
  // The tree of modules, one a line.
  std::string to_string() const;
  // A table of modules with the shapes and numbers of their parameters, and with the shapes of their outputs
  // when an input is given; it is run without gradients.
  std::string summary(const Tensor& input = {});

  // --- registration, for subclasses and containers. Names hold no dots; an undefined tensor keeps the place
  // of one that a variant of the module lacks. A member of the class: the module keeps to it, also when it is
  // replaced.
  void register_parameter(const std::string& name, Tensor* member);
  // Or a tensor that the module holds.
  void register_parameter(const std::string& name, const Tensor& value);
  // A member that is no parameter. It is part of the state dictionary if `persistent`.
  void register_buffer(const std::string& name, Tensor* member, bool persistent = true);
  // Or a tensor that the module holds.
  void register_buffer(const std::string& name, const Tensor& value, bool persistent = true);
  // A part that someone else owns, such as a member, and one that is shared. Throws ValueError for a part that
  // contains this module, as set_module() does.
  void register_module(const std::string& name, Module& part);
  // A part that the module keeps alive.
  void register_module(const std::string& name, std::shared_ptr<Module> part);
  // Replaces or removes what is registered under a name. Throw StateError when there is nothing.
  void set_parameter(const std::string& name, const Tensor& value);
  // The same of a buffer.
  void set_buffer(const std::string& name, const Tensor& value);
  // Puts another tensor in the place of a parameter or buffer for some calls, also while a function is captured. Who does
  // so puts the first one back in the end, and with it the state of configuration().
  void exchange_tensor(const std::string& name, const Tensor& value);
  // The same as set_parameter() of a part.
  void set_module(const std::string& name, Module& part);
  // Removes a parameter, buffer or part. The member itself stays what it is.
  void unregister(const std::string& name);

 private:
  struct Slot {
    std::string name;
    Tensor* member;  // null: the module holds `value`
    Tensor value;
    bool persistent = true;
    Tensor& tensor() { return member ? *member : value; }
    const Tensor& tensor() const { return member ? *member : value; }
  };
  struct Part {
    std::string name;
    Module* module;
    std::shared_ptr<Module> owner;  // null: someone else owns it
  };

  // The hooks at one time. A list that may be running is never changed; a new one takes its place.
  struct Hooks {
    std::vector<std::pair<std::int64_t, PreHook>> before;
    std::vector<std::pair<std::int64_t, Hook>> after;
  };

  void check_new_name(const std::string& name) const;
  void check_part(const std::string& name, const Module& part) const;
  std::shared_ptr<const Hooks> hooks() const;
  void change_hooks(const std::function<void(Hooks&)>& change);
  Tensor forward_with_hooks(const Tensor& input);
  // Says of the parameters in an error what they are: Linear "mlp.0.weight".
  void name_parameters(Error& error) const;
  void forget(const Module* part);
  void collect(const std::string& prefix, bool recurse, std::vector<Slot> Module::* slots,
               NamedTensors& found) const;
  // Calls function(name, slot) for parameters and persistent buffers, in the order of state dictionaries.
  template <class Self, class F>
  static void for_each_state(Self& self, const std::string& prefix, const F& function);
  void replace_tensors(const std::function<Tensor(const Tensor&)>& convert);
  void write_tree(std::string& text, const std::string& indent) const;

  std::vector<Slot> parameters_;
  std::vector<Slot> buffers_;
  std::vector<Part> parts_;
  std::vector<Module*> parents_;  // of which this is a part that they do not own
  mutable std::mutex hooks_mutex_;
  std::shared_ptr<const Hooks> hooks_;  // null when there are none
  std::atomic<bool> has_hooks_ = false;
  bool training_ = true;
  graph::Configuration configuration_{true};
};

// A parameter: a tensor that requires gradients and shares no history.
Tensor make_parameter(const Tensor& value, bool requires_grad = true);

}  // namespace phlox::nn
