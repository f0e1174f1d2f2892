#include "python/graph.h"

#include <fmt/format.h>
#include <nanobind/nanobind.h>
#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/function.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "phlox/base/debug.h"
#include "phlox/core/charged_bytes.h"
#include "phlox/graph/captured.h"
#include "phlox/graph/compare.h"
#include "phlox/graph/control_flow.h"
#include "phlox/graph/graph.h"
#include "phlox/graph/tracer.h"
#include "phlox/graph/passes/passes.h"
#include "phlox/graph/passes/pipeline.h"
#include "phlox/graph/symbolic.h"
#include "phlox/graph/workspace.h"
#include "phlox/io/tensorboard.h"
#include "phlox/ops/effects.h"
#include "python/caster.h"
#include "python/shared_object.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace phlox::python {
namespace {

// A graph of its own or of a captured function; nanobind wants a class that is not const.
struct GraphHandle {
  graph::GraphPointer graph;
};

graph::Pipeline pipeline_of(const std::optional<std::vector<std::string>>& passes) {
  return passes ? graph::named_pipeline(*passes) : graph::default_pipeline();
}

// debug.level(n) in a `with` statement.
struct DebugLevel {
  explicit DebugLevel(int wanted) : level(wanted) { const DebugScope checked(wanted); }
  int level;
  std::optional<DebugScope> scope;
};

TensorList run_graph(const GraphHandle& self, const TensorList& inputs) {
  const auto types = self.graph->inputs();
  bool fits = inputs.size() == types.size();
  for (std::size_t i = 0; i < types.size() && fits; ++i)
    fits = inputs[i].defined() && graph::type_of(inputs[i]) == types[i].type();
  if (!fits) {
    auto error =
        fail<ValueError>(ErrorCode::invalid_value, "run: the tensors are not like the inputs of the graph");
    for (std::size_t i = 0; i < types.size(); ++i)
      error.detail("input", fmt::format("{}: {}", self.graph->input_name(static_cast<int>(i)),
                                        graph::to_string(types[i].type())));
    error.raise();
  }
  nb::gil_scoped_release release;
  return graph::execute(*self.graph, inputs);
}

graph::Tracer& tracer_or_throw() {
  if (graph::Tracer* tracer = graph::active_tracer()) return *tracer;
  fail<StateError>(ErrorCode::not_capturable, "no function is being captured").raise();
}

}  // namespace

void add_graph(PyObject* module) {
  nb::module_ m = nb::borrow<nb::module_>(module);
  nb::class_<GraphHandle>(m, "Graph",
                          "A captured function as a graph: what is looked at, optimised, saved and run.\n\n"
                          "`print(graph)` shows one node a line; `Graph.parse` reads that back.")
      .def_static(
          "parse",
          [](const std::string& text, const TensorList& constants) {
            return GraphHandle{graph::parse(text, constants)};
          },
          "text"_a, "constants"_a = nb::list(),
          "Reads the text form. `constants` are the large ones, which the text only names: see `constants`.\n\n"
          "Raises GraphError for a text that is not a graph, with the line.")
      .def("__str__", [](const GraphHandle& self) { return graph::to_string(*self.graph); })
      .def("__repr__",
           [](const GraphHandle& self) {
             return fmt::format("<phlox.Graph of {} nodes, {} inputs, {} outputs>",
                                self.graph->nodes().size(), self.graph->inputs().size(),
                                self.graph->outputs().size());
           })
      .def(
          "to_text",
          [](const GraphHandle& self, bool locations) {
            return graph::to_string(*self.graph, {.locations = locations});
          },
          nb::kw_only(), "locations"_a = false,
          "The text form; with `locations` each line ends with the place in the program that it comes from.")
      .def(
          "to_dot", [](const GraphHandle& self) { return graph::to_dot(*self.graph); },
          "A picture in the DOT language of Graphviz.")
      .def(
          "verify", [](const GraphHandle& self) { graph::verify(*self.graph); },
          "Raises GraphError where the graph breaks a rule of graphs.")
      .def("run", run_graph, "inputs"_a,
           "Runs the graph on a list of tensors with the types of its inputs; gives a list of tensors.")
      .def(
          "optimize",
          [](const GraphHandle& self, const std::optional<std::vector<std::string>>& passes) {
            nb::gil_scoped_release release;
            return GraphHandle{graph::run_pipeline(self.graph, pipeline_of(passes))};
          },
          "passes"_a = nb::none(),
          "The graph after these passes, by name, in order; by default after those that keep every bit of what it "
          "gives.\n\nPHLOX_DEBUG=1 says what each pass changed. Raises ValueError for an unknown name.")
      .def_static(
          "passes",
          [] {
            nb::dict found;
            for (const graph::Pass& pass : graph::passes()) found[pass.name] = pass.doc;
            return found;
          },
          "The passes that there are: their names, and what each does.")
      .def(
          "rematerialize",
          [](const GraphHandle& self, std::int64_t memory_budget) {
            const graph::GraphPointer made = [&] {
              nb::gil_scoped_release release;
              return graph::rematerialize(self.graph, memory_budget);
            }();
            const std::int64_t missed = graph::estimate_peak(*made) - memory_budget;
            if (missed > 0 &&
                PyErr_WarnFormat(
                    PyExc_UserWarning, 1,
                    "rematerialize: peak_bytes is %s above the budget, and no value that is cheap "
                    "to compute again is left; a smaller batch, or px.checkpoint()",
                    readable_bytes(static_cast<std::size_t>(missed)).c_str()) < 0)
              throw nb::python_error();
            return GraphHandle{made};
          },
          "memory_budget"_a,
          "The graph with cheap values computed again near their later uses in place of being kept, until "
          "`peak_bytes` is within the budget or nothing helps any more, of which a UserWarning tells.\n\nComes "
          "after other passes, which would undo it.")
      .def_prop_ro(
          "peak_bytes", [](const GraphHandle& self) { return graph::estimate_peak(*self.graph); },
          "An estimate of the memory for values between inputs and outputs, in bytes.")
      .def_prop_ro(
          "input_names",
          [](const GraphHandle& self) {
            std::vector<std::string> names;
            for (std::size_t i = 0; i < self.graph->inputs().size(); ++i)
              names.push_back(self.graph->input_name(static_cast<int>(i)));
            return names;
          },
          "The names of the inputs, in order.")
      .def(
          "random_inputs",
          [](const GraphHandle& self, std::uint64_t seed) { return graph::random_inputs(*self.graph, seed); },
          "seed"_a = 0,
          "Tensors for the inputs: normal random numbers where the dtype is floating, and zeros elsewhere.")
      .def_prop_ro(
          "constants", [](const GraphHandle& self) { return graph::named_constants(*self.graph); },
          "The constants that the text names as @0, @1, ...")
      .def_prop_ro(
          "operations",
          [](const GraphHandle& self) {
            std::vector<std::string> names;
            for (const auto& node : self.graph->nodes())
              if (node->kind() == graph::NodeKind::operation) names.push_back(node->name());
            return names;
          },
          "The names of the operations, in order.");

  nb::class_<graph::SymbolicGraph>(
      m, "SymbolicGraph",
      "What the captures of one function at several sizes have in common: one graph for all sizes.\n\n"
      "`print(graph)` shows it with names (b, s, t, ...) in the place of the sizes that differ.")
      .def(
          "__init__",
          [](graph::SymbolicGraph* self, const GraphHandle& first) {
            new (self) graph::SymbolicGraph(*first.graph);
          },
          "first"_a)
      .def(
          "admit",
          [](graph::SymbolicGraph& self, const GraphHandle& other) { return self.admit(*other.graph); },
          "other"_a,
          "Takes in the graph of the function at other sizes. False where it differs in more than sizes; `refusal` "
          "says in what.")
      .def_prop_ro("refusal", &graph::SymbolicGraph::refusal, "Why the last graph was not taken in.")
      .def_prop_ro("sizes", &graph::SymbolicGraph::sizes, "The names of the sizes that differ.")
      .def_prop_ro("admitted", &graph::SymbolicGraph::admitted, "How many different sizes were taken in.")
      .def(
          "at",
          [](const graph::SymbolicGraph& self, const std::vector<std::int64_t>& values) {
            return GraphHandle{self.at(values)};
          },
          "values"_a,
          "The graph at these sizes, in the order of `sizes`. Raises ValueError for another number of them.")
      .def("__str__", &graph::SymbolicGraph::to_string);

  nb::class_<DebugLevel>(m, "_DebugLevel")
      .def(nb::init<int>())
      .def("__enter__", [](DebugLevel& self) { self.scope.emplace(self.level); })
      .def("__exit__", [](DebugLevel& self, const nb::args&) { self.scope.reset(); });
  nb::class_<graph::Finding>(m, "Finding",
                             "Where the values of two graphs differ first; `print` shows all of it.")
      .def_prop_ro(
          "after", [](const graph::Finding& self) { return self.pass; },
          "The pass after which they do, or \"plan\"; empty where no passes were compared.")
      .def_ro("node", &graph::Finding::node, "The line of the node in the text of the graph.")
      .def_ro("location", &graph::Finding::location, "Where the node comes from in the program.")
      .def_ro("largest_error", &graph::Finding::largest_error, "The largest difference of two elements.")
      .def("__str__", [](const graph::Finding& self) { return self.text; })
      .def("__repr__", [](const graph::Finding& self) { return "<phlox.Finding: " + self.node + ">"; });
  m.def("_save_tensorboard_graph", [](const std::filesystem::path& folder, const GraphHandle& graph) {
    return save_tensorboard_graph(folder, *graph.graph).string();
  });
  m.def("_diff", [](const GraphHandle& a, const GraphHandle& b) { return graph::diff(*a.graph, *b.graph); });
  m.def("_first_difference",
        [](const GraphHandle& a, const GraphHandle& b, const TensorList& inputs, double tolerance) {
          return graph::first_difference(*a.graph, *b.graph, inputs, tolerance);
        });
  m.def("_bisect", [](const GraphHandle& self, const TensorList& inputs,
                      const std::optional<std::vector<std::string>>& passes, double tolerance) {
    std::optional<graph::Finding> found = graph::bisect_plan(self.graph, inputs, tolerance);
    return found ? found : graph::bisect_passes(self.graph, inputs, pipeline_of(passes), tolerance);
  });
  m.def("_debug_level", debug_level);
  m.def("_debug_print", debug_print);
  m.def("_debug_callback", [](nb::callable function, const TensorList& tensors, std::string name) {
    // Graphs may end in threads that do not hold the interpreter's lock.
    const std::shared_ptr<nb::callable> held(new nb::callable(std::move(function)), [](nb::callable* object) {
      const nb::gil_scoped_acquire lock;
      delete object;
    });
    debug_callback(
        [held](const TensorList& given) {
          const nb::gil_scoped_acquire lock;
          (*held)(*nb::list(nb::cast(given)));
        },
        tensors, std::move(name));
  });
  // Where Python's own print() writes.
  set_print_handler([](std::string_view text) {
    const nb::gil_scoped_acquire lock;
    nb::module_::import_("sys").attr("stdout").attr("write")(nb::str(text.data(), text.size()));
  });
  nb::class_<graph::Workspace>(m, "_Workspace")
      .def(nb::init<>())
      .def_prop_ro("block_sizes", &graph::Workspace::block_sizes);
  nb::class_<graph::Captured>(m, "_Captured")
      .def("run",
           [](const graph::Captured& self, const TensorList& arguments) {
             nb::gil_scoped_release release;
             return self.run(arguments);
           })
      .def("inputs_for", &graph::Captured::inputs_for)
      .def("misfit",
           [](const graph::Captured& self, const TensorList& given) -> std::optional<std::string> {
             const auto found = self.misfit(given);
             if (!found) return {};
             return fmt::format("captured for {}, called with {}", found->captured, found->called);
           })
      .def("what_changed", &graph::Captured::what_changed)
      .def("with_graph",
           [](const graph::Captured& self, const GraphHandle& other) { return self.with_graph(other.graph); })
      .def("optimize",
           [](const graph::Captured& self, const std::optional<std::vector<std::string>>& passes) {
             return self.with_graph(graph::run_pipeline(self.graph, pipeline_of(passes)));
           })
      .def("use_workspace", &graph::Captured::use_workspace)
      .def_prop_ro("graph", [](const graph::Captured& self) { return GraphHandle{self.graph}; });
  m.def(
      "_trace",
      [](nb::callable function, const TensorList& examples) {
        return graph::trace(
            [&](const TensorList& arguments) { return nb::cast<TensorList>(function(nb::cast(arguments))); },
            examples);
      },
      "function"_a, "examples"_a);

  // For functions that are watched: it runs code of theirs.
  m.def("_follow_back", [](const TensorList& results) { tracer_or_throw().follow_back(results); });

  // Control flow. A function that is captured by itself takes and gives lists of tensors.
  const auto list_function = [](nb::callable f) {
    return [f](const TensorList& tensors) { return nb::cast<TensorList>(f(nb::cast(tensors))); };
  };
  graph::set_garbage_collector([] {
    const nb::gil_scoped_acquire gil;
    PyGC_Collect();
  });
  m.def("_require", [](const Tensor& condition, const std::string& message) { require(condition, message); });
  m.def("_is_capturing", [] { return graph::active_tracer() != nullptr; });
  // Whether it was there before the capture, and is no argument.
  m.def("_is_around", [](const Tensor& tensor) {
    return tensor.impl()->has_data() && tensor.impl()->storage->capture != thread_mode.capture;
  });
  // What a captured function can know of shapes and constants is computed at once, not captured.
  m.def("_outside_capture", [](nb::callable function) {
    OutsideCapture scope;
    return function();
  });
  m.def("_capture_part", [list_function](nb::callable f, const TensorList& arguments) {
    return tracer_or_throw().capture_part(arguments, list_function(f));
  });
  m.def("_note_view", [](const Tensor& copy, const Tensor& original, nb::callable again) {
    tracer_or_throw().note_alias(copy, original, [again] { return nb::cast<Tensor>(again()); });
  });
  m.def("_add_cond", [](const Tensor& condition, const graph::Captured& yes,
                        const std::vector<std::pair<int, bool>>& of_yes, const graph::Captured& no,
                        const std::vector<std::pair<int, bool>>& of_no) {
    const auto choices = [](const std::vector<std::pair<int, bool>>& pairs) {
      std::vector<graph::Tracer::Choice> result;
      for (const auto& [number, weak] : pairs) result.push_back({number, weak});
      return result;
    };
    return tracer_or_throw().add_cond(condition, yes, choices(of_yes), no, choices(of_no));
  });
  m.def("_cond", [](const Tensor& condition, nb::callable yes, nb::callable no) {
    const auto run = [](nb::callable f) { return [f] { return nb::cast<TensorList>(f()); }; };
    return cond(condition, run(yes), run(no));
  });
  m.def("_while_loop", [list_function](nb::callable test, nb::callable body, const TensorList& state) {
    return while_loop([&](const TensorList& s) { return nb::cast<Tensor>(test(nb::cast(s))); },
                      list_function(body), state);
  });
  m.def("_scan", [](nb::callable body, const TensorList& carry, const TensorList& inputs, bool reverse) {
    const ScanResult result = scan(
        [&](const TensorList& c, const TensorList& row) {
          auto [next, outputs] =
              nb::cast<std::pair<TensorList, TensorList>>(body(nb::cast(c), nb::cast(row)));
          return ScanResult{std::move(next), std::move(outputs)};
        },
        carry, inputs, reverse);
    return std::pair(result.carry, result.outputs);
  });
  m.def("_for_loop", [](const Tensor& count, nb::callable body, const TensorList& state) {
    return for_loop(
        count,
        [&](const Tensor& i, const TensorList& s) {
          return nb::cast<TensorList>(body(nb::cast(i), nb::cast(s)));
        },
        state);
  });
}

}  // namespace phlox::python
