#include "python/training/vision.h"

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "python/caster.h"
#include "phlox/vision/draw.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace phlox::python {

void add_vision(PyObject* module) {
  nb::module_ m = nb::borrow<nb::module_>(module).def_submodule("_vision");
  m.def("draw_confusion", &vision::draw_confusion, "counts"_a, "names"_a = std::vector<std::string>(),
        "A picture uint8[H, W, 3] of a confusion matrix int64[classes, classes], true classes downwards.\n\n"
        "Darker means a larger share of the row, blue where it is right and red where it is wrong. "
        "Without names the classes are numbered. Raises ShapeError.");
  m.def("draw_images", &vision::draw_images, "images"_a, "captions"_a, "columns"_a = 6, "scale"_a = 8,
        "A picture uint8[H, W, 3] of images float32[N, 1, h, w] from 0 to 1, each above its caption.\n\n"
        "Each value becomes a square of `scale` pixels. Raises ShapeError, and ValueError for another "
        "number of "
        "captions.");
  m.def("beside", &vision::beside, "pictures"_a,
        "Pictures uint8[H, W, 3] from left to right on white, as one. Raises ShapeError.");
  m.def("draw_predictions", &vision::draw_predictions, "images"_a, "labels"_a, "scores"_a, "hardest"_a = 30,
        "How a classifier does: its confusion matrix, and beside it the images that it finds hardest.\n\n"
        "Those are the images whose true class leads least or falls behind; misread ones read \"3 as 8\" "
        "in red.\n"
        "Images float32[N, 1, h, w] from 0 to 1, labels int64[N], scores float32[N, classes]. Raises "
        "ShapeError for\n"
        "other shapes and IndexError for labels out of range.");
}

}  // namespace phlox::python
