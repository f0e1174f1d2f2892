// The interpreter that notes what a program does with tensors as nodes of a graph.
//
// Tensors keep their storages, strides and gradient records while a program is captured, but no data. For each storage
// the tracer knows the value of the whole, and which value each look at it (a layout) is. A write in place gives the
// whole a new value, so that later looks are taken anew: nodes never see memory.
#pragma once

#include <map>
#include <memory>
#include <unordered_map>

#include "phlox/graph/captured.h"
#include "phlox/ops/view.h"

namespace phlox::graph {

class Tracer final : public Interpreter {
 public:
  explicit Tracer(const TensorList& examples);
  ~Tracer() override;

  // What to call the function with. The tracer must be active (InterpreterScope).
  const TensorList& arguments() const { return arguments_; }
  // Ends the capture; the tracer must not be active any more. Gradients and versions of the tensors around are as
  // they were before it.
  Captured finish(const TensorList& results);
  // Throws GraphError when tensors without values are still held by the program.
  void check_nothing_escaped() const;

  TensorList run(const Primitive& primitive, std::span<const Operand> inputs,
                 const void* attributes) override;
  void write(const Tensor& target, const Tensor& source) override;
  Tensor draw(Generator& generator, std::int64_t blocks) override;
  void gradient_access(const Tensor& leaf) override;

 private:
  // How a tensor looks at its storage.
  struct Layout {
    explicit Layout(const TensorImpl& impl);
    DType dtype;
    std::int64_t offset;
    Shape sizes;
    Strides strides;
    friend bool operator==(const Layout&, const Layout&) = default;
  };
  // A look at a storage, made from the whole (parent -1) or from another look.
  struct Look {
    Layout layout;
    Value value;
    int parent = -1;
    ViewAttributes view;
    std::uint32_t written = 0;  // how often the storage had been written when the value was taken
  };
  struct Memory {
    Reference<TensorImpl> holder;  // keeps the storage alive
    std::vector<Look> looks;       // the first is the whole
    std::uint32_t written = 0;
    int source = -1;            // of memory around the program,
    Value input;                // and its value in the beginning
    std::uint32_t version = 0;  // of the storage before the capture
  };
  struct GradientSlot {
    Tensor leaf, before;
  };

  // A new input of the graph.
  Value add_source(Source source, const Type& type);
  Memory& memory_of(const Tensor& tensor);
  Memory& add_memory(const Tensor& whole, const Value& value);
  int look_of(Memory& memory, const Tensor& tensor);
  int add_look(Memory& memory, const Layout& layout, int parent, const ViewAttributes& view);
  Value current(Memory& memory, int look);
  Value value_of(const Tensor& tensor);
  void assign(Memory& memory, int look, const Value& value);
  Value view(const Value& input, const ViewAttributes& attributes);
  Value node(const char* primitive, std::vector<Input> inputs, const void* attributes);
  void turn_literals_into_constants();
  void restore();

  GraphBuilder builder_;
  TensorList arguments_;
  std::vector<Captured::Argument> argument_looks_;
  std::vector<Source> sources_;
  std::unordered_map<const Storage*, std::unique_ptr<Memory>> memories_;
  std::vector<GradientSlot> gradients_;
  struct Stream {
    Generator* generator;
    int source;
    Value state;  // after what has been drawn so far
  };
  std::vector<Stream> streams_;
  TensorList literals_;  // hold the memory of constants
  bool restored_ = false;
};

}  // namespace phlox::graph
