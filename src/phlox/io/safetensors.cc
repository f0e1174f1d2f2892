#include "phlox/io/safetensors.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <set>

#include "phlox/io/atomic_file.h"
#include "phlox/io/file.h"
#include "phlox/io/json.h"
#include "phlox/io/tensor_bytes.h"

namespace phlox {
namespace {

constexpr std::uint64_t largest_header = 100'000'000;  // the limit of the format's own reader
constexpr std::uint64_t data_alignment = 64;
constexpr const char* metadata_key = "__metadata__";

struct NamedDType {
  std::string_view name;
  DType dtype;
};
constexpr NamedDType file_dtypes[] = {
    {"BOOL", DType::bool_},
    {"U8", DType::uint8},
    {"I8", DType::int8},
    {"U16", DType::uint16},
    {"I16", DType::int16},
    {"U32", DType::uint32},
    {"I32", DType::int32},
    {"U64", DType::uint64},
    {"I64", DType::int64},
    {"F16", DType::float16},
    {"BF16", DType::bfloat16},
    {"F32", DType::float32},
    {"F64", DType::float64},
    {"C64", DType::complex64},
    {"F8_E4M3", DType::float8_e4m3fn},
    {"F8_E5M2", DType::float8_e5m2},
    {"F8_E8M0", DType::float8_e8m0fnu},
};

struct Entry {
  std::string name;
  DType dtype;
  Shape shape;
  std::uint64_t begin, end;  // in the data
  std::uint64_t where;       // of the entry in the file, for messages
};

struct Header {
  std::vector<Entry> entries;
  Metadata metadata;
  std::uint64_t data_start;
};

// Calls read_member(key, byte of the key) for each member. Throws on a key that comes twice.
template <class F>
void read_object(const io::FileView& file, io::JsonReader& json, const F& read_member) {
  std::set<std::string> keys;
  json.expect('{');
  if (json.take('}')) return;
  do {
    const std::uint64_t where = json.offset();
    std::string key = json.string();
    json.expect(':');
    if (!keys.insert(key).second) file.malformed(where, "the key \"{}\" comes twice", io::printable(key));
    read_member(key, where);
  } while (json.take(','));
  json.expect('}');
}

DType read_dtype(const io::FileView& file, io::JsonReader& json) {
  const std::uint64_t where = json.offset();
  const std::string name = json.string();
  for (const auto& known : file_dtypes) {
    if (known.name == name) return known.dtype;
  }
  file.malformed(where, "the dtype \"{}\" is not known", io::printable(name));
}

Shape read_shape(const io::FileView& file, io::JsonReader& json) {
  const std::uint64_t where = json.offset();
  Shape shape;
  json.expect('[');
  if (json.take(']')) return shape;
  do {
    const std::uint64_t size = json.unsigned_integer();
    if (size > INT64_MAX) file.malformed(where, "a size of a tensor is too large");
    if (shape.rank() == max_rank) file.malformed(where, "a tensor has more than {} dimensions", max_rank);
    shape.push_back(static_cast<std::int64_t>(size));
  } while (json.take(','));
  json.expect(']');
  return shape;
}

// Bytes of the tensor. Refuses what does not fit 63 bits, also where another size is zero.
std::uint64_t byte_count(const io::FileView& file, const Entry& entry) {
  auto bytes = static_cast<std::uint64_t>(element_size(entry.dtype));
  for (std::int64_t size : entry.shape) {
    const auto factor = static_cast<std::uint64_t>(std::max<std::int64_t>(size, 1));
    if (bytes > static_cast<std::uint64_t>(INT64_MAX) / factor) {
      file.malformed(entry.where, "the shape of \"{}\" has too many elements", io::printable(entry.name));
    }
    bytes *= factor;
  }
  return entry.shape.contains(0) ? 0 : bytes;
}

Entry read_entry(const io::FileView& file, io::JsonReader& json, std::string name, std::uint64_t where) {
  Entry entry{std::move(name), DType::float32, {}, 0, 0, where};
  int seen = 0;
  read_object(file, json, [&](const std::string& key, std::uint64_t key_at) {
    if (key == "dtype") {
      entry.dtype = read_dtype(file, json);
    } else if (key == "shape") {
      entry.shape = read_shape(file, json);
    } else if (key == "data_offsets") {
      json.expect('[');
      entry.begin = json.unsigned_integer();
      json.expect(',');
      entry.end = json.unsigned_integer();
      json.expect(']');
    } else {
      file.malformed(key_at, "the key \"{}\" does not belong to a tensor", io::printable(key));
    }
    ++seen;
  });
  if (seen != 3) {
    file.malformed(where, "\"{}\" needs dtype, shape and data_offsets", io::printable(entry.name));
  }
  if (entry.begin > entry.end || entry.end - entry.begin != byte_count(file, entry)) {
    file.malformed(where, "\"{}\" has {}[{}] but the data offsets {} to {}", io::printable(entry.name),
                   info(entry.dtype).short_name, to_string(entry.shape), entry.begin, entry.end);
  }
  return entry;
}

// The data must be covered once, without gaps: nothing can hide in a file, and no two tensors share bytes.
void check_coverage(const io::FileView& file, const Header& header) {
  std::vector<const Entry*> order;
  for (const Entry& entry : header.entries) order.push_back(&entry);
  std::sort(order.begin(), order.end(), [](const Entry* a, const Entry* b) {
    return std::pair(a->begin, a->end) < std::pair(b->begin, b->end);
  });
  const std::uint64_t data_bytes = file.size() - header.data_start;
  std::uint64_t reached = 0;
  for (const Entry* entry : order) {
    const std::string name = io::printable(entry->name);
    if (entry->begin < reached) file.malformed(entry->where, "\"{}\" overlaps another tensor", name);
    if (entry->begin > reached) {
      file.malformed(header.data_start + reached, "no tensor uses the {} bytes before \"{}\"",
                     entry->begin - reached, name);
    }
    reached = entry->end;
  }
  if (reached > data_bytes) file.bytes(header.data_start, reached);  // throws: truncated
  if (reached < data_bytes) {
    file.malformed(header.data_start + reached, "no tensor uses the last {} bytes", data_bytes - reached);
  }
}

// Files of other kinds under a wrong name are told by their first bytes.
void check_kind(const io::FileView& file) {
  struct Kind {
    std::string_view start, what;
  };
  constexpr Kind kinds[] = {{"PK\x03\x04", "a zip archive, such as .npz, or .pt of torch.save"},
                            {"\x80\x02", "a Python pickle"},
                            {"\x80\x03", "a Python pickle"},
                            {"\x80\x04", "a Python pickle"},
                            {"\x80\x05", "a Python pickle"},
                            {"\x93NUMPY", "a NumPy array, .npy"},
                            {"\x89HDF", "an HDF5 file"},
                            {"\x1f\x8b", "a gzip file"},
                            {"<!DOCTYPE", "a web page"},
                            {"<html", "a web page"},
                            {"version https://git-lfs", "a pointer of Git LFS in place of the file"}};
  for (const Kind& kind : kinds) {
    // A header that happens to have such a length begins with a brace all the same.
    if (file.size() < 9 || !file.text(0, std::min<std::uint64_t>(file.size(), 32)).starts_with(kind.start))
      continue;
    if (file.text(8, 1) != "{") file.malformed(0, "this is no safetensors file but {}", kind.what);
  }
}

Header read_header(const io::FileView& file) {
  check_kind(file);
  const std::uint64_t length = file.u64(0);
  if (length > largest_header)
    file.malformed(0, "the header would have {} bytes; at most {} are allowed", length, largest_header);
  Header header;
  header.data_start = 8 + length;
  io::JsonReader json(file, 8, file.text(8, length));
  read_object(file, json, [&](std::string key, std::uint64_t where) {
    if (key != metadata_key) {
      header.entries.push_back(read_entry(file, json, std::move(key), where));
      return;
    }
    read_object(file, json,
                [&](const std::string& name, std::uint64_t) { header.metadata[name] = json.string(); });
  });
  json.expect_end();
  check_coverage(file, header);
  return header;
}

void check_truth_values(const io::FileView& file, const Header& header, const Entry& entry,
                        const Tensor& tensor) {
  if (entry.dtype != DType::bool_ || entry.begin == entry.end) return;
  const auto* first = static_cast<const std::uint8_t*>(tensor.data_pointer());
  const auto* last = first + (entry.end - entry.begin);
  const auto* bad = std::find_if(first, last, [](std::uint8_t byte) { return byte > 1; });
  if (bad != last) {
    file.malformed(header.data_start + entry.begin + static_cast<std::uint64_t>(bad - first),
                   "a truth value of \"{}\" is neither 0 nor 1", io::printable(entry.name));
  }
}

Tensor copied(const Entry& entry, const std::uint8_t* source) {
  Tensor tensor = make_tensor(entry.shape, entry.dtype, Device{});
  if (entry.end > entry.begin) std::memcpy(tensor.data_pointer(), source, entry.end - entry.begin);
  return tensor;
}

Tensor read(const Entry& entry, std::uint64_t data_start, const io::MappedFile& file) {
  Tensor tensor = make_tensor(entry.shape, entry.dtype, Device{});
  if (entry.end > entry.begin) {
    file.read(data_start + entry.begin, tensor.data_pointer(), entry.end - entry.begin);
  }
  return tensor;
}

Tensor mapped(const Entry& entry, std::uint8_t* source, const std::shared_ptr<io::MappedFile>& file) {
  // Files of other writers may lack alignment.
  const auto alignment = static_cast<std::uintptr_t>(element_size(info(entry.dtype).real));
  if (entry.begin == entry.end || reinterpret_cast<std::uintptr_t>(source) % alignment != 0) {
    return copied(entry, source);
  }
  auto owner = std::make_unique<std::shared_ptr<io::MappedFile>>(file);
  Tensor tensor = wrap_memory(
      source, entry.shape, contiguous_strides(entry.shape), entry.dtype,
      [](void* held) { delete static_cast<std::shared_ptr<io::MappedFile>*>(held); }, owner.get());
  owner.release();
  return tensor;
}

std::string_view file_name_of(DType dtype, const std::string& tensor) {
  for (const auto& known : file_dtypes) {
    if (known.dtype == dtype) return known.name;
  }
  fail<NotSupportedError>(ErrorCode::not_supported, "save_safetensors: the format has no {}",
                          info(dtype).name)
      .detail("tensor", tensor)
      .hint(is_complex(dtype) ? "view_as_real(x), and view_as_complex(x) after loading" : "another dtype")
      .raise();
}

void check_utf8(const std::string& text) {
  if (io::find_invalid_utf8(text) == std::string_view::npos) return;
  fail<ValueError>(ErrorCode::invalid_value, "save_safetensors: \"{}\" is not UTF-8", io::printable(text))
      .raise();
}

void check_name(const std::string& name) {
  check_utf8(name);
  if (name != metadata_key) return;
  fail<ValueError>(ErrorCode::invalid_value, "save_safetensors: a tensor cannot be called \"{}\"", name)
      .hint("the format keeps this name for its metadata")
      .raise();
}

std::string compose_header(const std::vector<const StateDict::Entry*>& in_file_order,
                           const StateDict& tensors, const Metadata& metadata) {
  std::map<const Tensor*, std::uint64_t> offsets;
  std::uint64_t next = 0;
  for (const auto* entry : in_file_order) {
    offsets[&entry->second] = next;
    next += static_cast<std::uint64_t>(entry->second.numel()) *
            static_cast<std::uint64_t>(element_size(entry->second.dtype()));
  }
  std::string header = "{";
  const auto add_key = [&](const std::string& key) {
    if (header.size() > 1) header += ',';
    header += io::json_string(key) + ':';
  };
  if (!metadata.empty()) {
    add_key(metadata_key);
    std::string separator = "{";
    for (const auto& [key, value] : metadata) {
      check_utf8(key);
      check_utf8(value);
      header += separator + io::json_string(key) + ':' + io::json_string(value);
      separator = ",";
    }
    header += '}';
  }
  for (const auto& [name, tensor] : tensors) {
    check_name(name);
    add_key(name);
    const std::uint64_t begin = offsets.at(&tensor);
    const std::uint64_t end = begin + static_cast<std::uint64_t>(tensor.numel()) *
                                          static_cast<std::uint64_t>(element_size(tensor.dtype()));
    header += fmt::format(R"({{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})",
                          file_name_of(tensor.dtype(), name), to_string(tensor.shape()), begin, end);
  }
  header += '}';
  while ((8 + header.size()) % data_alignment != 0) header += ' ';
  if (header.size() > largest_header) {
    fail<ValueError>(ErrorCode::invalid_value,
                     "save_safetensors: names and metadata need {} bytes; at most {} fit", header.size(),
                     largest_header)
        .raise();
  }
  return header;
}

}  // namespace

void save_safetensors(const std::filesystem::path& path, const StateDict& tensors, const Metadata& metadata) {
  std::vector<const StateDict::Entry*> order;
  for (const auto& entry : tensors) order.push_back(&entry);
  std::stable_sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return element_size(a->second.dtype()) > element_size(b->second.dtype());
  });
  const std::string header = compose_header(order, tensors, metadata);

  io::AtomicFile file(path, "save_safetensors");
  const auto length = static_cast<std::uint64_t>(header.size());
  file.write(&length, sizeof length);
  file.write(header);
  for (const auto* entry : order) {
    const io::TensorBytes bytes(entry->second);
    file.write(bytes.data(), bytes.size());
  }
  file.commit();
}

SafetensorsFile load_safetensors(const std::filesystem::path& path, SafetensorsOptions options) {
  auto file = std::make_shared<io::MappedFile>(path, "load_safetensors");
  const io::FileView view("load_safetensors", *file);
  Header header = read_header(view);
  SafetensorsFile result{.tensors = {}, .metadata = std::move(header.metadata)};
  for (Entry& entry : header.entries) {
    Tensor tensor = options.memory_map ? mapped(entry, file->data() + header.data_start + entry.begin, file)
                                       : read(entry, header.data_start, *file);
    check_truth_values(view, header, entry, tensor);
    result.tensors.set(std::move(entry.name), std::move(tensor));
  }
  file->close();
  return result;
}

SafetensorsFile load_safetensors_bytes(std::span<const std::uint8_t> bytes, std::string_view name) {
  const io::FileView view("load_safetensors", name, bytes);
  Header header = read_header(view);
  SafetensorsFile result{.tensors = {}, .metadata = std::move(header.metadata)};
  for (Entry& entry : header.entries) {
    Tensor tensor = copied(entry, bytes.data() + header.data_start + entry.begin);
    check_truth_values(view, header, entry, tensor);
    result.tensors.set(std::move(entry.name), std::move(tensor));
  }
  return result;
}

}  // namespace phlox
