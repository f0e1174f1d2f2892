// The extension module phlox._phlox.

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>

#include "python/tensor/argument_errors.h"
#include "python/autograd.h"
#include "python/captured_call.h"
#include "python/tensor/convert.h"
#include "python/tensor/creation.h"
#include "python/training/data.h"
#include "python/errors.h"
#include "python/debugging.h"
#include "python/extension.h"
#include "python/graph.h"
#include "python/ragged.h"
#include "python/sparse.h"
#include "python/training/files.h"
#include "python/training/metrics.h"
#include "python/training/nn.h"
#include "python/tensor/operations.h"
#include "python/training/optim.h"
#include "phlox/base/error.h"
#include "phlox/base/version.h"
#include "phlox/cli/pages.h"
#include "phlox/core/allocator.h"
#include "phlox/core/deterministic.h"
#include "phlox/core/parallel.h"
#include "phlox/core/print.h"
#include "python/tensor/random.h"
#include "python/tensor/tensor_object.h"
#include "python/training/vision.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace phlox::python {
namespace {

void add_process_functions(nb::module_& m) {
  m.def("get_num_threads", thread_count, "The number of threads that one operation may use.");
  m.def("set_num_threads", set_thread_count, "count"_a,
        "Sets the number of threads that one operation may use.");
  m.def("_is_deterministic", is_deterministic);
  m.def("_set_deterministic", set_deterministic, "on"_a);
  m.def(
      "_memory_statistics",
      [] {
        const MemoryStatistics s = memory_statistics();
        nb::dict d;
        d["allocated_bytes"] = s.allocated_bytes;
        d["peak_allocated_bytes"] = s.peak_allocated_bytes;
        d["cached_bytes"] = s.cached_bytes;
        d["allocation_count"] = s.allocation_count;
        d["cache_hits"] = s.cache_hits;
        d["limit_bytes"] = s.limit_bytes;
        return d;
      },
      nb::sig("def _memory_statistics() -> dict[str, int]"),
      "Bytes allocated, their peak, bytes kept, allocations, how many were served from kept blocks, and the limit.");
  m.def("_empty_cache", empty_cache, "Gives kept blocks that no tensor uses back to the system.");
  m.def(
      "_add_form",
      [](const std::string& name, nb::handle function, nb::handle keyword, std::int64_t position) {
        add_form(name, function.ptr(), keyword.is_none() ? nullptr : keyword.ptr(), position);
      },
      "name"_a, "function"_a, "keyword"_a.none(), "position"_a);
  m.def("_reset_peak_memory", reset_peak_memory,
        "Lets the peak of the statistics start again from what is allocated now.");
  m.def("_set_memory_limit", set_memory_limit, "bytes"_a,
        "The most bytes that tensors may have; more raises OutOfMemoryError.");
  m.def("_set_cache_limit", set_cache_limit, "bytes"_a, "The most bytes that are kept for tensors to come.");
  m.def("_get_print_options", [] {
    const PrintOptions o = print_options();
    nb::dict d;
    d["precision"] = o.precision;
    d["threshold"] = o.threshold;
    d["edgeitems"] = o.edge_items;
    d["linewidth"] = o.line_width;
    d["sci_mode"] = o.scientific;
    return d;
  });
  m.def(
      "_set_print_options",
      [](int precision, std::int64_t threshold, int edge, int width, std::optional<bool> sci) {
        set_print_options({precision, threshold, edge, width, sci});
      },
      "precision"_a, "threshold"_a, "edgeitems"_a, "linewidth"_a, "sci_mode"_a.none());
  m.def("_error_catalog", [] {
    nb::list list;
    for (const ErrorEntry& e : error_catalog())
      list.append(nb::make_tuple(static_cast<int>(e.code), nb::str(e.name.data(), e.name.size()),
                                 nb::str(e.title.data(), e.title.size())));
    return list;
  });
  m.def("_explain_error", cli::explain_error, "code"_a);
}

}  // namespace
}  // namespace phlox::python

NB_MODULE(_phlox, m) {
  using namespace phlox::python;
  nb::set_leak_warnings(false);  // the dtypes and the operations live as long as the process
  m.attr("__version__") = PHLOX_VERSION;
  add_error_classes(m.ptr());
  add_conversions(m.ptr());
  add_tensor_type(m.ptr());
  add_random(m.ptr());
  add_creation(m.ptr());
  add_autograd(m.ptr());
  add_graph(m.ptr());
  add_captured_call(m.ptr());
  add_debugging(m.ptr());
  add_process_functions(m);
  add_operations(m.ptr());
  add_extensions(m.ptr());
  add_module_class(m.ptr());
  add_layers(m.ptr());
  add_activations_and_losses(m.ptr());
  add_initialisers(m.ptr());
  add_nn_utils(m.ptr());
  add_metrics(m.ptr());
  add_data(m.ptr());
  add_files(m.ptr());
  add_sparse(m.ptr());
  add_ragged(m.ptr());
  add_vision(m.ptr());
  add_optimizers(m.ptr());
  explain_argument_errors(m.ptr());
}
