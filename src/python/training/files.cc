#include "python/training/files.h"

#include <nanobind/nanobind.h>
#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/string.h>

#include <span>
#include <string_view>

#include "python/caster.h"
#include "phlox/io/csv.h"
#include "phlox/io/idx.h"
#include "phlox/io/npy.h"
#include "phlox/io/png.h"
#include "phlox/io/safetensors.h"
#include "python/training/state_dict.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace phlox::python {

namespace {

// px.load() and px.save() choose among formats: errors carry the name that was called.
template <class F>
auto named(const char* name, const F& function) {
  try {
    return function();
  } catch (Error& error) {
    error.set_operation(name);
    throw;
  }
}

nb::object load_by_name(const std::filesystem::path& path, bool mmap) {
  return named("load", [&]() -> nb::object {
    if (path.extension() == ".npy") return nb::cast(load_npy(path));
    return state_to_python(path.extension() == ".npz" ? load_npz(path)
                                                      : load_safetensors(path, {mmap}).tensors);
  });
}

// The kind of file is told by its first bytes. What metadata there is comes second.
nb::object load_from_bytes(const nb::bytes& given, const std::string& name) {
  const std::span bytes(static_cast<const std::uint8_t*>(given.data()), given.size());
  const std::string_view text(given.c_str(), given.size());
  return named("load", [&]() -> nb::object {
    if (text.starts_with("\x93NUMPY")) return nb::make_tuple(load_npy_bytes(bytes, name), Metadata{});
    if (text.starts_with("PK"))
      return nb::make_tuple(state_to_python(load_npz_bytes(bytes, name)), Metadata{});
    const SafetensorsFile file = load_safetensors_bytes(bytes, name);
    return nb::make_tuple(state_to_python(file.tensors), file.metadata);
  });
}

void save_by_name(nb::handle tensors, const std::filesystem::path& path, const Metadata& metadata) {
  const StateDict state = state_from_python(tensors, "save");
  nb::gil_scoped_release release;
  named("save", [&] {
    path.extension() == ".npz" ? save_npz(path, state) : save_safetensors(path, state, metadata);
  });
}

}  // namespace

void add_files(PyObject* module) {
  nb::module_ m = nb::borrow<nb::module_>(module).def_submodule("_files");
  using Path = std::filesystem::path;
  m.def("_load", load_by_name, "path"_a, "mmap"_a = false);
  m.def("_load_bytes", load_from_bytes, "bytes"_a, "name"_a);
  m.def("_save", save_by_name, "tensors"_a, "path"_a, "metadata"_a = Metadata{});
  m.def(
      "save_safetensors",
      [](nb::handle tensors, const Path& path, const Metadata& metadata) {
        const StateDict state = state_from_python(tensors, "save_safetensors");
        nb::gil_scoped_release release;
        save_safetensors(path, state, metadata);
      },
      "tensors"_a, "path"_a, "metadata"_a = Metadata{},
      "Writes a dict of tensors as one .safetensors file. A failed save leaves the old file.");
  m.def(
      "load_safetensors",
      [](const Path& path, bool memory_map) {
        return state_to_python(load_safetensors(path, {memory_map}).tensors);
      },
      "path"_a, "memory_map"_a = false,
      "The tensors of a .safetensors file by name. With `memory_map` they use the file itself, which must then stay as "
      "it is.");
  m.def(
      "load_metadata", [](const Path& path) { return load_safetensors(path, {.memory_map = true}).metadata; },
      "path"_a, "The texts that a .safetensors file carries.");
  m.def(
      "save_npz",
      [](nb::handle tensors, const Path& path, bool compress) {
        const StateDict state = state_from_python(tensors, "save_npz");
        nb::gil_scoped_release release;
        save_npz(path, state, {compress});
      },
      "tensors"_a, "path"_a, "compress"_a = false,
      "Writes a dict of tensors as an .npz file, which NumPy reads.");
  m.def(
      "load_npz", [](const Path& path) { return state_to_python(load_npz(path)); }, "path"_a,
      "The arrays of an .npz file by name. Files with Python objects are refused.");
  m.def(
      "save_npy", [](const Tensor& tensor, const Path& path) { save_npy(path, tensor); }, "tensor"_a,
      "path"_a, "Writes a tensor as an .npy file.");
  m.def("load_npy", [](const Path& path) { return load_npy(path); }, "path"_a, "The array of an .npy file.");
  m.def(
      "load_idx", [](const Path& path) { return load_idx(path); }, "path"_a,
      "The tensor of an IDX file, as MNIST has them, plain or .gz.");
  m.def(
      "load_csv",
      [](const Path& path, const std::string& delimiter, std::int64_t skip_rows) {
        if (delimiter.size() != 1)
          fail<ValueError>(ErrorCode::invalid_value, "load_csv: delimiter must be one character, not \"{}\"",
                           delimiter)
              .raise();
        return load_csv(path, {delimiter[0], skip_rows});
      },
      "path"_a, "delimiter"_a = ",", "skip_rows"_a = 0,
      "The numbers of a text file as float64[rows, columns], plain or .gz.");
  m.def(
      "save_png", [](const Tensor& image, const Path& path) { save_png(path, image); }, "image"_a, "path"_a,
      "Writes uint8[height, width], or with 3 or 4 channels last, as a picture.");
}

}  // namespace phlox::python
