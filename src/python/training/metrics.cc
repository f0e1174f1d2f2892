// phlox.metrics: how well a model predicts.

#include "python/training/metrics.h"

#include <nanobind/nanobind.h>
#include <nanobind/stl/vector.h>

#include "python/caster.h"
#include "phlox/metrics/classification.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace phlox::python {

void add_metrics(PyObject* module) {
  nb::module_ m = nb::borrow<nb::module_>(module).def_submodule("_metrics");
  m.def("accuracy", metrics::accuracy, nb::call_guard<nb::gil_scoped_release>(), "output"_a, "target"_a,
        "The share of rows whose class is right, from 0 to 1; NaN for no rows.\n\n"
        "`output` has scores [N, C] or classes int64[N], `target` classes int64[N]. Raises ShapeError "
        "when the numbers "
        "of rows differ.\n\n"
        "Example:\n    px.metrics.accuracy(model(images), labels)");
  m.def("top_k_accuracy", metrics::top_k_accuracy, nb::call_guard<nb::gil_scoped_release>(), "output"_a,
        "target"_a, "k"_a = 5,
        "The share of rows whose class is among the k best scored; NaN for no rows.\n\n"
        "`output` has scores [N, C], `target` classes int64[N]. Raises ShapeError when they do not fit, "
        "ValueError "
        "unless k is positive.\n\n"
        "Example:\n    px.metrics.top_k_accuracy(model(images), labels, k=5)");
  m.def("predicted_classes", metrics::predicted_classes, nb::call_guard<nb::gil_scoped_release>(), "output"_a,
        "The class of each row, as a list: of scores [N, C] the position of the largest; classes [N] as "
        "they are.\n\n"
        "Example:\n    px.metrics.predicted_classes(model(images))");
  nb::class_<metrics::ConfusionMatrix> type(
      m, "ConfusionMatrix",
      "Counts pairs of a true class (row) and a predicted class (column). Raises ValueError unless "
      "there is a class.\n\n"
      "Example:\n"
      "    confusion = px.metrics.ConfusionMatrix(10)\n"
      "    for x, y in batches:\n"
      "        confusion.update(model(x), y)\n"
      "    print(confusion.accuracy())");
  type.attr("__module__") = "phlox.metrics";
  using Matrix = metrics::ConfusionMatrix;
  type.def(nb::init<std::int64_t>(), "classes"_a)
      .def("update", &Matrix::update, "output"_a, "target"_a,
           "Counts a batch: `output` has scores [N, C] or classes [N], `target` classes int64[N].\n\n"
           "Raises ShapeError when the numbers of rows differ, IndexError for classes out of range.")
      .def("count", &Matrix::count, "target"_a, "predicted"_a,
           "How often the class `target` was taken for `predicted`.")
      .def_prop_ro("classes", &Matrix::classes, "The number of classes.")
      .def("total", &Matrix::total, "The number of pairs counted.")
      .def("accuracy", &Matrix::accuracy, "The share of pairs on the diagonal; NaN for no pairs.")
      .def(
          "precision", &Matrix::precision,
          "Of each predicted class, the share that is right: float64[classes]; 0 where nothing is predicted.")
      .def("recall", &Matrix::recall,
           "Of each true class, the share that is found: float64[classes]; 0 where there is nothing to find.")
      .def("f1", &Matrix::f1,
           "The harmonic mean of precision and recall of each class: float64[classes]; 0 where both are.")
      .def("to_tensor", &Matrix::to_tensor, "The counts, int64[classes, classes].")
      .def("reset", &Matrix::reset, "Forgets all counts.")
      .def("__repr__", [](nb::handle self) {
        return nb::str("ConfusionMatrix({} classes, {} pairs, accuracy {:.4f})")
            .attr("format")(self.attr("classes"), self.attr("total")(), self.attr("accuracy")());
      });
}

}  // namespace phlox::python
