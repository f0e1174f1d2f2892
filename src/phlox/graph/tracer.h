// The interpreter that notes what a program does with tensors as nodes of a graph.
//
// Tensors keep their storages, strides and gradient records while a program is captured, but no data. For each storage
// the tracer knows the value of the whole, and which value each look at it (a layout) is. A write in place gives the
// whole a new value, so that later looks are taken anew: nodes never see memory.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "phlox/autograd/gradient_presence.h"
#include "phlox/graph/captured.h"
#include "phlox/ops/primitives/generator_state.h"
#include "phlox/ops/view.h"

namespace phlox::graph {

// All elements of a tensor's memory in their order there.
Tensor flat_view(const Tensor& tensor);

// The hooks that a leaf's gradient passes; null if there never were any.
const GradientNode::Hooks* existing_hooks(const Tensor& leaf);
// A number for them, unlike for others; 0 without any.
std::uint64_t number_of_hooks(const Tensor& leaf);

// What frees objects of the host language that refer to each other and that nothing else reaches: it is called before a
// tensor is said to be kept.
void set_garbage_collector(void (*collect)());

// Of the input for a state: that of a generator, or the count of effects.
Type state_type(const Source& source);

class Tracer final : public Interpreter, public GeneratorStates {
 public:
  // `parent` captures the program around the branch or loop that this one captures.
  explicit Tracer(const TensorList& examples, Tracer* parent = nullptr, bool linked = false);
  ~Tracer() override;

  // What to call the function with. The tracer must be active (InterpreterScope).
  const TensorList& arguments() const { return arguments_; }
  // What thread_mode.capture is to be while the function runs.
  std::uint32_t number() const { return number_; }
  // Where results come out of vmap(), whose gradients the tape knows and the graph does not, captures these too. The
  // last thing that the function does; only once.
  void follow_back(const TensorList& results);
  // Ends the capture; the tracer must not be active any more. Gradients and versions of the tensors around are as
  // they were before it.
  // With `by_value`, results are outputs even where they look at memory around the function.
  Captured finish(const TensorList& results, bool by_value = false);
  // Eagerly `copy` may be (a view of) `original` itself: who reads one of them after a write into the other is refused.
  // With `again`, which gives the copy anew, only who reads the original is.
  void note_alias(const Tensor& copy, const Tensor& original, std::function<Tensor()> again = nullptr);
  // The program has asked how the tensor lies, or whether it requires gradients, and goes on by the answer.
  void note_layout_read(const Tensor& tensor, bool offset = false);
  void note_flag_read(const Tensor& tensor);
  // The program goes on with this gradient: each run throws AssertionError where eagerly there is none.
  void require_present(const Tensor& gradient, const std::string& what);
  // Throws GraphError when tensors without values are still held by the program.
  void check_nothing_escaped() const;

  // Each run throws AssertionError with this message where the condition, bool[], does not hold.
  void require(const Tensor& condition, const std::string& message);

  // Branches and loops (graph/control_flow.h). A function that one of them runs is captured by itself first.
  // With `linked`, gradients flow to all of its arguments.
  Captured capture_part(const TensorList& arguments,
                        const std::function<TensorList(const TensorList&)>& function, bool linked = false);
  // A turn of a loop; with gradients to the whole state if they flow to any of it, or to what is around.
  Captured capture_turn(const TensorList& arguments,
                        const std::function<TensorList(const TensorList&)>& function);
  // The types of what it gives then.
  std::vector<Type> result_types(const TensorList& arguments,
                                 const std::function<TensorList(const TensorList&)>& function);
  // What stands for one result of a branch: the result of this number, or anything of the other side's type (-1). A
  // weak one, a number of the program, takes the dtype and shape of the other side.
  struct Choice {
    int result = -1;
    bool weak = false;
  };
  // The branch itself; both sides have as many choices.
  TensorList add_cond(const Tensor& condition, const Captured& yes, std::span<const Choice> of_yes,
                      const Captured& no, std::span<const Choice> of_no);
  TensorList trace_cond(const Tensor& condition, const std::function<TensorList()>& if_true,
                        const std::function<TensorList()>& if_false);
  TensorList trace_while(const std::function<Tensor(const TensorList&)>& test,
                         const std::function<TensorList(const TensorList&)>& body, const TensorList& state);
  TensorList trace_for(const Tensor& count,
                       const std::function<TensorList(const Tensor&, const TensorList&)>& body,
                       const TensorList& state);

  TensorList run(const Primitive& primitive, std::span<const Operand> inputs,
                 const void* attributes) override;
  void write(const Tensor& target, const Tensor& source) override;
  Tensor draw(Generator& generator, std::int64_t blocks) override;
  Tensor generator_state(Generator& generator) override;
  void set_generator_state(Generator& generator, const Tensor& state) override;
  void gradient_access(const Tensor& leaf, bool reads) override;
  void layout_decided(const Tensor& input, const Tensor& result) override;
  void meet(const Tensor& tensor) override;

 private:
  // How a tensor looks at its storage.
  struct Layout {
    explicit Layout(const TensorImpl& impl);
    DType dtype;
    std::int64_t offset;
    Shape sizes;
    Strides strides;
    bool overlaps() const;
    friend bool operator==(const Layout&, const Layout&) = default;
  };
  // A look at a storage, made from the whole (parent -1) or from another look.
  struct Look {
    Layout layout;
    Value value;
    int parent = -1;
    ViewAttributes view = {};
    std::uint32_t written = 0;  // how often the storage had been written when the value was taken
    int source = -1;            // that it is, of memory around the program
  };
  // What a tensor that stands for a view is taken from.
  struct Taken {
    Tensor original;
    std::uint32_t written;  // how often the original had been when it was
    std::function<Tensor()> again;
  };
  struct Memory {
    Reference<TensorImpl> holder;  // keeps the storage alive
    std::unique_ptr<Taken> taken;  // if it is a copy of a part that eagerly is a view
    std::vector<Look> looks;       // the first is the whole
    std::uint32_t written = 0;
    int source = -1;            // of memory around the program,
    Value input;                // and its value in the beginning
    std::uint32_t version = 0;  // of the storage before the capture
    bool several = false;       // several looks are inputs by themselves
    // The tensor, or its base, through which values were written that gradients flow to, and whether it was several.
    Reference<TensorImpl> recorded;
    bool several_recorded = false;
    bool guessed = false;  // the layout follows eagerly from the way that control flow takes
  };
  struct GradientSlot {
    Tensor leaf, before;
    bool read;  // not replaced unseen
  };

  // That a tensor was copied or not has shown where one of the two was written later.
  struct LayoutDecision {
    Memory* input;
    Memory* result;
    std::uint32_t input_written, result_written;  // how often by then
  };

  class Ending;  // in tracer_finish.cc

  // Of random numbers, or of effects (without a generator).
  struct Stream {
    Generator* generator;
    int source;
    Value state;  // after what has been drawn, or has happened, so far
  };
  // When a gradient is there; throws GraphError where that is not known.
  autograd::GradientPresence::When presence_of(const Tensor& gradient) const;
  // Tensors that may be others, in tracer_aliases.cc.
  using Origins = std::set<const Storage*>;
  Origins origins_of(const Storage* storage) const;
  void add_origins(const Tensor& tensor, const Origins& origins);
  // After a write; `copied_` has the same values.
  void mark_stale_aliases(const Memory& written);
  void mark_stale(const Tensor& tensor, const std::string& where);
  // The memory for one who reads it now.
  Memory& fresh_memory_of(const Tensor& tensor);
  void take_again(Memory& memory);
  Tensor holder_of(const Storage* storage) const;
  std::vector<Captured::Stale> stale_around() const;
  // Of the results of a branch, or of the variables of a loop, of which the first `skipped` arguments are none.
  void note_aliases_of_branch(const TensorList& results, const Captured& part,
                              std::span<const Choice> choices);
  void note_aliases_of_loop(const TensorList& results, const TensorList& state, const Captured& turn,
                            std::span<const Source> around, int skipped);
  Stream& stream_of(Generator* generator);
  TensorList add_effect(const Primitive& primitive, std::span<const Operand> inputs, const void* attributes);
  // The tensor has a new value; it looks at a whole.
  void assign_whole(const Tensor& target, const Value& value);
  // The same with the value and the history of a result.
  void replace_value(const Tensor& target, const Tensor& result);
  // A tensor of its own that has this value.
  Tensor stand_for(const Value& value);
  TensorList region_operands(const TensorList& state, std::span<const Source> around);
  // A node of control flow with inputs (leading..., state..., around...), of which the first `written` of those around
  // get new values.
  // The last `required` outputs are computed for the checks in them.
  TensorList add_region_node(const char* primitive, const TensorList& leading, const TensorList& state,
                             std::span<const Source> around, std::size_t written, std::size_t required,
                             std::vector<GraphPointer> regions, const std::string& own_gradient);
  // The state of a loop, and of the checks in its body.
  TensorList with_checks(const TensorList& state, Captured& body);
  // Gives variables of a loop that are written in place their last values; these are the results then,
  // without the checks.
  TensorList keep_in_place(const TensorList& state, const std::vector<bool>& in_place, TensorList results);
  // Marks the source that this is, or all, as values in between lie as follows from how those around do.
  void require_layout(const Memory& memory, bool offset = false);
  // Marks sources whose layout has decided what shares memory, where that shows.
  void require_decisive_layouts(const TensorList& results);
  void refuse_shared_history(const Memory& memory) const;
  // Gradients do not flow to what the memory holds now.
  void cut_off(Memory& memory);
  void refuse_detached_write(const Memory& memory, const Tensor& read) const;
  std::vector<Type> types_around(std::span<const Source> sources);
  bool knows(const Tensor& tensor) const;

  // The number of the argument that is this tensor, or -1.
  int argument_of(const Tensor& tensor) const;
  // A new input of the graph.
  Value add_source(Source source, const Type& type);
  Memory& memory_of(const Tensor& tensor);
  Memory& add_memory(const Tensor& whole, const Value& value);
  // Notes that the layout of tensors is not what it is eagerly, where it can differ at all.
  void mark_guessed(const TensorList& tensors);
  bool any_guessed(std::span<const Operand> inputs) const;
  int look_of(Memory& memory, const Tensor& tensor);
  int add_strided_look(Memory& memory, const Layout& layout);
  std::pair<int, ViewAttributes> strided_view(Memory& memory, const Layout& layout);
  int add_look(Memory& memory, const Layout& layout, int parent, const ViewAttributes& view);
  Value current(Memory& memory, int look);
  Value value_of(const Tensor& tensor);
  // The value of a tensor for an operation that takes it now: what gradients flow through eagerly, they flow through
  // when the graph is followed backwards, and no further.
  Value used(const Tensor& tensor);
  bool is_linked(const Tensor& tensor);
  // Whether the history of a tensor with gradients is from before the capture, or that of a leaf.
  bool is_around(const Tensor& tensor) const;
  // Whether gradients could flow through a value; more is known when the capture ends.
  bool may_carry(const Value& value);
  // A write that is not `recorded` leaves the gradients of what was there before.
  void assign(Memory& memory, int look, const Value& value, bool recorded);
  Value view(const Value& input, const ViewAttributes& attributes);
  Value node(const char* primitive, std::vector<Input> inputs, const void* attributes);
  // Tensors around the function that are written so that gradients flow through them from then on. Those that are views
  // of others follow these.
  TensorList find_new_histories() const;
  // What this capture recorded on the way to some tensors, that of functions under vmap() included: visits its nodes.
  void walk_tape(const TensorList& to, const std::function<void(GradientNode&)>& visit) const;
  // What gradients of these meet that belongs to the program itself, and not to its operations.
  std::string find_own_gradient(const TensorList& differentiable) const;
  // Refuses leaves that the graph cannot tell from others in the same memory.
  void refuse_hidden_leaves(const TensorList& differentiable);
  bool has_history(const Tensor& result);
  // Adds inputs for the gradients of these, and computes those of the sources from them.
  void run_backwards(const TensorList& followed);
  std::vector<Value> current_values_around() const;
  void turn_literals_into_constants();
  void restore();

  GraphBuilder builder_;
  TensorList arguments_;
  std::vector<Captured::Argument> argument_looks_;
  std::vector<Source> sources_;
  int source_names_ = 0;                              // given so far
  std::unordered_set<const TensorImpl*> flags_read_;  // of tensors around: whether they require gradients
  std::unordered_map<const Storage*, std::unique_ptr<Memory>> memories_;
  std::vector<GradientSlot> gradients_;
  std::vector<Stream> streams_;
  std::map<const Storage*, Origins> origins_;  // where a tensor may be one that was there before
  Origins views_;                              // of these, those that would be views of another order or part
  std::map<const Storage*, std::string> stale_;  // and the line of the write
  const Storage* copied_ = nullptr;              // into what is written now
  std::vector<LayoutDecision> layout_decisions_;
  std::vector<Captured::ExpectedFlag> expected_flags_;
  std::vector<Value> required_;
  std::unordered_map<const Node*, bool> carries_;
  std::uint64_t first_sequence_;  // of nodes in the tape that the function makes
  Tracer* parent_;
  std::uint32_t number_;
  bool restored_ = false;
  // Gradients of sources, where those of these results are given.
  struct OwnGradients {
    std::vector<bool> given;
    std::vector<Value> values;
    std::vector<int> sources;
  };
  std::vector<OwnGradients> own_gradients_;
  bool followed_back_ = false;
};

// Throws the GraphError of what cannot be captured.
[[noreturn]] void fail_capture(const std::string& why, const char* hint);

// The one that captures what this thread does now; null if none does.
Tracer* active_tracer();

// For those who show tensors to a program: it has asked how this one lies, or whether it requires gradients.
inline void note_layout_read(const Tensor& tensor, bool offset = false) {
  if (Tracer* tracer = active_tracer()) [[unlikely]]
    tracer->note_layout_read(tensor, offset);
}
inline void note_flag_read(const Tensor& tensor) {
  if (Tracer* tracer = active_tracer()) [[unlikely]]
    tracer->note_flag_read(tensor);
}

}  // namespace phlox::graph
