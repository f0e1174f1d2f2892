#include "python/debugging.h"

#include <nanobind/nanobind.h>
#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "phlox/core/charged_bytes.h"
#include "phlox/graph/captured.h"
#include "phlox/graph/memory_plan.h"
#include "phlox/graph/plan.h"
#include "phlox/train/trap_nonfinite.h"
#include "python/caster.h"

namespace nb = nanobind;

namespace phlox::python {

void add_debugging(PyObject* module) {
  nb::module_ m = nb::borrow<nb::module_>(module);
  m.def("_trap_folder", [] { return trap_folder().string(); });
  m.def("_set_trap_folder", set_trap_folder);
  m.def("_replay", replay);
  nb::class_<graph::MemoryPlan>(
      m, "MemoryPlan",
      "The memory that a call of a captured function takes, in bytes as "
      "px.memory.statistics() counts them, and small ones too; `print` shows the largest tensors as well.")
      .def_prop_ro("peak", &graph::MemoryPlan::peak, "The sum of all.")
      .def_ro("inputs", &graph::MemoryPlan::inputs,
              "What is there before: arguments, parameters, other state.")
      .def_ro("constants", &graph::MemoryPlan::constants, "What is there before: constants of the graph.")
      .def_prop_ro("intermediate", &graph::MemoryPlan::intermediate,
                   "What lives in between, in branches and loops too; it is kept for the next call.")
      .def_ro(
          "evaluated", &graph::MemoryPlan::evaluated,
          "Results of operations that look at values, such as embeddings and random numbers, of branches and "
          "of turns of loops.")
      .def_ro("kept", &graph::MemoryPlan::kept, "What loops remember for their gradients.")
      .def_ro(
          "kept_by_turn", &graph::MemoryPlan::kept_by_turn,
          "What each further turn of loops adds to that, where their number of turns follows from values; one "
          "turn is counted in `kept`.")
      .def_ro("outputs", &graph::MemoryPlan::outputs, "Results, and what is written back.")
      .def_prop_ro(
          "largest",
          [](const graph::MemoryPlan& self) {
            nb::list found;
            for (const auto& value : self.largest)
              found.append(nb::make_tuple(value.bytes, value.node, value.location));
            return found;
          },
          "The ten largest tensors that a call makes: bytes, the node, and its place in the program.")
      .def("__str__", [](const graph::MemoryPlan& self) { return graph::to_string(self); })
      .def("__repr__", [](const graph::MemoryPlan& self) {
        return "<phlox.MemoryPlan: peak " + readable_bytes(self.peak()) + ">";
      });
  m.def("_memory_plan", [](const graph::Captured& captured, const TensorList& tensors) {
    return captured.memory_plan(tensors);
  });
  m.def(
      "_largest_batch",
      [](nb::callable capture, const TensorList& tensors, std::optional<std::size_t> limit) {
        return graph::largest_batch(
            [&](const TensorList& examples) {
              return nb::cast<graph::Captured>(capture(nb::cast(examples)));
            },
            tensors, limit);
      },
      nb::arg("capture"), nb::arg("tensors"), nb::arg("limit") = nb::none());
  m.def("_replay_text", [](const std::filesystem::path& path) {
    const ReplayFile file = load_replay(path);
    return nb::make_tuple(file.operation, file.origin, graph::to_string(*file.graph, {.locations = true}));
  });
}

}  // namespace phlox::python
