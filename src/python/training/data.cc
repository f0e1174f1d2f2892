// phlox.data: datasets and loaders of C++.

#include "python/training/data.h"

#include <fmt/format.h>
#include <nanobind/nanobind.h>
#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <mutex>
#include <optional>

#include "python/caster.h"
#include "phlox/core/random.h"
#include "phlox/data/data.h"
#include "phlox/train/progress.h"
#include "python/training/state_dict.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace phlox::python {

namespace {

nb::tuple fields_to_python(const data::Fields& fields) {
  nb::list list;
  for (const Tensor& field : fields) list.append(nb::cast(field));
  return nb::tuple(list);
}

// One pass over a loader. Threads that share it take turns, and each batch goes to one of them.
class Epoch {
 public:
  explicit Epoch(data::Loader* loader) : loader_(loader) {}

  nb::tuple next() {
    std::optional<data::Fields> fields;
    {
      nb::gil_scoped_release release;
      std::lock_guard lock(mutex_);
      if (!position_) position_.emplace(loader_->begin());
      else if (*position_ != loader_->end()) ++*position_;
      if (*position_ != loader_->end()) fields = (**position_).fields();
    }
    if (!fields) throw nb::stop_iteration();
    return fields_to_python(*fields);
  }

 private:
  data::Loader* loader_;
  std::mutex mutex_;
  std::optional<data::Loader::Iterator> position_;
};

}  // namespace

void add_data(PyObject* module) {
  nb::module_ m = nb::borrow<nb::module_>(module).def_submodule("_data");
  nb::class_<data::Dataset>(m, "NativeDataset", "A dataset written in C++.")
      .def("__len__", &data::Dataset::size, "The number of examples.")
      .def(
          "get_batch",
          [](const data::Dataset& self, const std::vector<std::int64_t>& indices) {
            data::Fields fields;
            {
              nb::gil_scoped_release release;
              fields = self.get_batch(indices);
            }
            return fields_to_python(fields);
          },
          nb::sig("def get_batch(self, indices: Sequence[int]) -> tuple[Tensor, ...]"), "indices"_a,
          "Several examples, each field with a new first dimension.")
      .def(
          "__getitem__",
          [](const data::Dataset& self, std::int64_t index) {
            const std::int64_t size = self.size();
            if (index < -size || index >= size)
              fail<IndexError>(ErrorCode::index_out_of_range, "dataset: there is no example {} among {}",
                               index, size)
                  .raise();
            return fields_to_python(self.get(index < 0 ? index + size : index));
          },
          nb::sig("def __getitem__(self, index: int) -> tuple[Tensor, ...]"), "index"_a,
          "The fields of an example. Raises IndexError.")
      .def(
          "__getitem__",
          [](const data::Dataset& self, const nb::slice& slice) {
            auto [index, stop, step, count] = slice.compute(static_cast<std::size_t>(self.size()));
            std::vector<std::int64_t> indices;
            for (std::size_t i = 0; i < count; ++i, index += step) indices.push_back(index);
            return fields_to_python(self.get_batch(indices));
          },
          nb::sig("def __getitem__(self, index: builtins.slice) -> tuple[Tensor, ...]"), "index"_a,
          "The fields of several examples, as get_batch() gives them.")
      .def(
          "__add__",
          [](nb::handle self, nb::handle other) {
            nb::list both;
            both.append(self);
            both.append(other);
            return nb::module_::import_("phlox.data").attr("ConcatDataset")(both);
          },
          nb::sig("def __add__(self, other: Any) -> Any"), "other"_a,
          "This dataset and another behind it: ConcatDataset([self, other]).")
      .def("__repr__", [](nb::handle self) {
        const auto size = nb::cast<const data::Dataset&>(self).size();
        return fmt::format("{}({} examples)", nb::cast<std::string>(self.type().attr("__name__")), size);
      });
  nb::class_<data::Subset, data::Dataset>(m, "NativeSubset", "Some examples of a dataset.")
      .def_prop_ro("indices", &data::Subset::indices, "Their numbers in the dataset.");
  nb::class_<data::TensorDataset, data::Dataset>(
      m, "TensorDataset",
      "Tensors whose first dimension counts the examples.\n\n"
      "Raises ValueError when there is none or the numbers differ.\n\n"
      "Example:\n    train = TensorDataset(images, labels)")
      .def(
          "__init__",
          [](data::TensorDataset* self, nb::args tensors) {
            data::Fields fields;
            for (nb::handle tensor : tensors) fields.push_back(nb::cast<Tensor>(tensor));
            new (self) data::TensorDataset(std::move(fields));
          },
          nb::sig("def __init__(self, *tensors: Tensor) -> None"))
      .def_prop_ro(
          "tensors", [](const data::TensorDataset& self) { return fields_to_python(self.fields()); },
          nb::sig("def tensors(self) -> tuple[Tensor, ...]"), "The tensors, examples first.")
      .def("__reduce__",  // for pickle and copy
           [](nb::handle self) { return nb::make_tuple(self.type(), self.attr("tensors")); })
      .def("__repr__",
           [](const data::TensorDataset& self) {
             std::string fields;
             for (const Tensor& field : self.fields())
               fields += (fields.empty() ? "" : ", ") + describe(field, false);
             return "TensorDataset(" + fields + ")";
           })
      .def(
          "split",
          [](const data::TensorDataset& self, double fraction, std::uint64_t seed, bool stratified) {
            return self.split(fraction, {seed, stratified});
          },
          "fraction"_a, "seed"_a = 0, "stratified"_a = true,
          "Two parts, the first with `fraction` of the examples, each class in the same proportion.");
  m.def(
      "digits", data::digits,
      "1,797 handwritten digits: images float32[1797,1,8,8] from 0 to 1, classes int64[1797].\n\n"
      "Example:\n    train, test = px.data.digits().split(0.8)\n\n"
      "Source: Alpaydin, Kaynak 1998, Optical Recognition of Handwritten Digits, UCI, doi:10.24432/C50P49.");
  m.def("digits_from_idx", &data::digits_from_idx, "folder"_a,
        "MNIST and its kin from a folder of IDX files: (train, test). Raises FileError and FormatError.\n\n"
        "Example:\n    train, test = px.data.digits_from_idx(\"mnist\")");
  m.def(
      "random_permutation",
      [](std::int64_t count, std::uint64_t seed, std::uint64_t epoch) {
        return data::random_permutation(count, seed, epoch);
      },
      "count"_a, "seed"_a, "epoch"_a);
  m.def(
      "draw_seed",
      [](nb::handle generator) {
        return data::draw_seed(generator.is_none() ? default_generator() : *nb::cast<Generator*>(generator));
      },
      "generator"_a.none());

  nb::class_<Epoch>(m, "Epoch")
      .def("__iter__", [](nb::handle self) { return nb::borrow(self); })
      .def("__next__", &Epoch::next);
  nb::class_<data::Loader>(m, "Loader", "Batches of a C++ dataset, made ahead of time by threads.")
      .def(
          "__init__",
          [](data::Loader* self, std::shared_ptr<data::Dataset> dataset, std::int64_t batch_size,
             bool shuffle, int num_workers, bool drop_last, int prefetch, std::optional<std::uint64_t> seed) {
            data::LoaderOptions options;
            options.batch_size = batch_size;
            options.shuffle = shuffle;
            options.num_workers = num_workers;
            options.drop_last = drop_last;
            options.prefetch = prefetch;
            options.seed = seed;
            new (self) data::Loader(std::move(dataset), std::move(options));
          },
          "dataset"_a, "batch_size"_a, "shuffle"_a, "num_workers"_a, "drop_last"_a, "prefetch"_a,
          "seed"_a.none())
      .def("__len__", &data::Loader::size)
      .def(
          "__iter__", [](data::Loader& self) { return new Epoch(&self); }, nb::keep_alive<0, 1>())
      .def("state_dict", [](const data::Loader& self) { return state_to_python(self.state_dict()); })
      .def(
          "load_state_dict",
          [](data::Loader& self, nb::handle state) {
            self.load_state_dict(state_from_python(state, "load_state_dict"));
          },
          "state_dict"_a);

  nb::class_<Progress>(m, "Progress", "A progress bar in text.")
      .def(
          "__init__",
          [](Progress* self, std::int64_t total, std::string label, std::string unit) {
            new (self) Progress(total, {.label = std::move(label), .unit = std::move(unit)});
          },
          "total"_a, "label"_a = "epoch", "unit"_a = "")
      .def("count", &Progress::count, "amount"_a, "Says that so many things of the unit have been done.")
      .def("set", &Progress::set, "name"_a, "value"_a, "Shows a value until it is set again.")
      .def("advance", &Progress::advance, "One step more.")
      .def("close", &Progress::close, "Draws the last state and ends the line.")
      .def("__str__", &Progress::line);
}

}  // namespace phlox::python
