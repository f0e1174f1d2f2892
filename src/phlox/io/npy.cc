#include "phlox/io/npy.h"

#include <algorithm>
#include <cstring>

#include "phlox/io/atomic_file.h"
#include "phlox/io/file.h"
#include "phlox/io/tensor_bytes.h"
#include "phlox/io/zip.h"

namespace phlox {
namespace {

constexpr std::string_view magic = "\x93NUMPY";
constexpr std::uint64_t largest_header = 1 << 20;
constexpr std::size_t header_alignment = 64;

struct NumpyType {
  std::string_view name;  // without byte order
  DType dtype;
};
constexpr NumpyType numpy_types[] = {
    {"b1", DType::bool_},     {"u1", DType::uint8},       {"u2", DType::uint16},  {"u4", DType::uint32},
    {"u8", DType::uint64},    {"i1", DType::int8},        {"i2", DType::int16},   {"i4", DType::int32},
    {"i8", DType::int64},     {"f2", DType::float16},     {"f4", DType::float32}, {"f8", DType::float64},
    {"c8", DType::complex64}, {"c16", DType::complex128},
};

struct Header {
  DType dtype = DType::float32;
  bool big_endian = false;
  bool fortran_order = false;
  Shape shape;
  std::uint64_t data_start = 0;
  std::uint64_t data_bytes = 0;
};

// Reads the header, which is a Python dictionary such as
// {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
class HeaderReader {
 public:
  HeaderReader(const io::FileView& file, std::uint64_t base, std::string_view text)
      : file_(file), base_(base), text_(text) {}

  Header read() {
    Header header;
    unsigned seen = 0;
    expect('{');
    while (!take('}')) {
      const std::uint64_t where = offset();
      const std::string_view key = string();
      expect(':');
      unsigned bit = 0;
      if (key == "descr") {
        bit = 1;
        read_type(header);
      } else if (key == "fortran_order") {
        bit = 2;
        header.fortran_order = boolean();
      } else if (key == "shape") {
        bit = 4;
        read_shape(header);
      }
      if (bit == 0) file_.malformed(where, "the header has an unknown key '{}'", io::printable(key));
      if (seen & bit) file_.malformed(where, "the header has the key '{}' twice", key);
      seen |= bit;
      if (take('}')) break;
      expect(',');
    }
    if (seen != 7) file_.malformed(base_, "the header lacks descr, fortran_order or shape");
    skip_space();
    if (position_ < text_.size()) file_.malformed(offset(), "something follows the header's dictionary");
    return header;
  }

 private:
  std::uint64_t offset() const { return base_ + position_; }
  void skip_space() {
    while (position_ < text_.size() && (text_[position_] == ' ' || text_[position_] == '\n')) ++position_;
  }
  bool take(char c) {
    skip_space();
    if (position_ >= text_.size() || text_[position_] != c) return false;
    ++position_;
    return true;
  }
  void expect(char c) {
    if (!take(c)) file_.malformed(offset(), "'{}' was expected in the header", c);
  }
  std::string_view string() {
    skip_space();
    const char quote = position_ < text_.size() ? text_[position_] : '\0';
    if (quote != '\'' && quote != '"') file_.malformed(offset(), "a string was expected in the header");
    const auto end = text_.find(quote, position_ + 1);
    if (end == text_.npos) file_.malformed(offset(), "a string in the header does not end");
    const auto result = text_.substr(position_ + 1, end - position_ - 1);
    position_ = end + 1;
    return result;
  }
  bool boolean() {
    skip_space();
    for (const auto& [word, value] : {std::pair(std::string_view("False"), false), {"True", true}}) {
      if (!text_.substr(position_).starts_with(word)) continue;
      position_ += word.size();
      return value;
    }
    file_.malformed(offset(), "True or False was expected in the header");
  }

  void read_type(Header& header) {
    skip_space();
    const std::uint64_t where = offset();
    if (position_ < text_.size() && text_[position_] == '[') {
      file_.not_supported(where, "the file holds a structured array", "save each field as an array");
    }
    const std::string_view type = string();
    const std::string_view kind =
        type.substr(!type.empty() && std::string_view("<>=|").find(type[0]) != type.npos);
    if (kind.starts_with('O')) {
      file_.unsafe(where, "np.save an array of numbers",
                   "the file holds Python objects, and reading them could run any code");
    }
    for (const auto& known : numpy_types) {
      if (known.name != kind) continue;
      header.dtype = known.dtype;
      header.big_endian = type[0] == '>';
      return;
    }
    if (!kind.empty() && std::string_view("SUVMma").find(kind[0]) != kind.npos) {
      file_.not_supported(where, fmt::format("the file holds an array of dtype '{}'", io::printable(type)),
                          "an array of numbers");
    }
    file_.malformed(where, "the dtype '{}' is not known", io::printable(type));
  }

  void read_shape(Header& header) {
    expect('(');
    while (!take(')')) {
      skip_space();
      const std::uint64_t where = offset();
      std::uint64_t size = 0;
      std::size_t digits = 0;
      for (; position_ < text_.size() && text_[position_] >= '0' && text_[position_] <= '9';
           ++position_, ++digits) {
        if (digits == 18) file_.malformed(where, "a size of the array is too large");
        size = size * 10 + static_cast<std::uint64_t>(text_[position_] - '0');
      }
      if (digits == 0) file_.malformed(where, "a size was expected in the header");
      if (header.shape.rank() == max_rank) {
        file_.malformed(where, "the array has more than {} dimensions", max_rank);
      }
      header.shape.push_back(static_cast<std::int64_t>(size));
      if (take(')')) return;
      expect(',');
    }
  }

  const io::FileView& file_;
  std::uint64_t base_;
  std::string_view text_;
  std::size_t position_ = 0;
};

// Reads and checks everything before the data. `total` bytes are promised to follow from `file`'s start on.
Header read_header(const io::FileView& file, std::uint64_t total) {
  if (file.text(0, magic.size()) != magic) file.malformed(0, "this is no .npy file");
  const int version = file.bytes(magic.size(), 1)[0];
  if (version < 1 || version > 3)
    file.malformed(magic.size(), "version {} of the format is not known", version);
  const std::uint64_t start = version == 1 ? 10 : 12;
  const std::uint64_t length = version == 1 ? file.u16(8) : file.u32(8);
  if (length > largest_header) {
    file.malformed(8, "the header would have {} bytes; at most {} are allowed", length, largest_header);
  }
  Header header = HeaderReader(file, start, file.text(start, length)).read();
  header.data_start = start + length;
  auto bytes = static_cast<std::uint64_t>(element_size(header.dtype));
  for (std::int64_t size : header.shape) {
    const auto factor = static_cast<std::uint64_t>(std::max<std::int64_t>(size, 1));
    if (bytes > static_cast<std::uint64_t>(INT64_MAX) / factor)
      file.malformed(start, "the array has too many elements");
    bytes *= factor;
  }
  header.data_bytes = header.shape.contains(0) ? 0 : bytes;
  const std::uint64_t present = total - header.data_start;
  if (present < header.data_bytes) file.bytes(file.size(), header.data_bytes - present);  // throws: truncated
  if (present > header.data_bytes) {
    file.malformed(header.data_start + header.data_bytes, "{} bytes follow the array",
                   present - header.data_bytes);
  }
  return header;
}

void swap_bytes(std::uint8_t* data, std::uint64_t bytes, std::size_t width) {
  for (std::uint64_t at = 0; at + width <= bytes; at += width) std::reverse(data + at, data + at + width);
}

Tensor make_array(const Header& header, const std::uint8_t* data) {
  Shape stored = header.shape;
  if (header.fortran_order) std::reverse(stored.begin(), stored.end());
  Tensor tensor = make_tensor(stored, header.dtype, Device{});
  auto* target = static_cast<std::uint8_t*>(tensor.data_pointer());
  if (header.data_bytes > 0) std::memcpy(target, data, header.data_bytes);
  if (header.big_endian) {
    swap_bytes(target, header.data_bytes, static_cast<std::size_t>(element_size(info(header.dtype).real)));
  }
  if (header.dtype == DType::bool_) {
    for (std::uint64_t i = 0; i < header.data_bytes; ++i) target[i] = target[i] != 0;
  }
  if (!header.fortran_order || header.shape.rank() < 2) return tensor;
  Strides strides = contiguous_strides(stored);
  std::reverse(strides.begin(), strides.end());
  return make_view(tensor, header.shape, strides, 0);
}

std::string compose_header(const Tensor& tensor, std::string_view operation) {
  std::string_view type;
  for (const auto& known : numpy_types) {
    if (known.dtype == tensor.dtype()) type = known.name;
  }
  if (type.empty()) {
    fail<NotSupportedError>(ErrorCode::not_supported, "{}: NumPy has no {}", operation,
                            info(tensor.dtype()).name)
        .hint("x.to(DType::float32)")
        .raise();
  }
  std::string shape = to_string(tensor.shape());
  for (std::size_t at = 0; (at = shape.find(',', at)) != shape.npos; at += 2) shape.insert(at + 1, " ");
  if (tensor.rank() == 1) shape += ',';
  const char order = element_size(tensor.dtype()) == 1 ? '|' : '<';
  std::string text =
      fmt::format("{{'descr': '{}{}', 'fortran_order': False, 'shape': ({}), }}", order, type, shape);
  const std::size_t unpadded = magic.size() + 4 + text.size() + 1;
  text.append((header_alignment - unpadded % header_alignment) % header_alignment, ' ');
  text += '\n';
  std::string header(magic);
  header += '\x01';
  header += '\0';
  header += static_cast<char>(text.size() & 0xFF);
  header += static_cast<char>(text.size() >> 8);
  return header + text;
}

std::span<const std::uint8_t> as_bytes(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

StateDict read_npz(const io::FileView& file, NpzLoadOptions options) {
  constexpr std::uint64_t usual_limit = 1 << 30;
  const std::uint64_t limit =
      options.max_bytes ? options.max_bytes : std::max(usual_limit, 100 * file.size());
  StateDict arrays;
  std::uint64_t total = 0;
  for (const io::ZipEntry& entry : io::read_zip_directory(file)) {
    if (!entry.name.ends_with(".npy")) {
      file.malformed(entry.data_offset, "the entry \"{}\" is no .npy array", io::printable(entry.name));
    }
    if (entry.bytes > limit - total) {
      file.unsafe(entry.data_offset, "a larger max_bytes, if the file is meant to be that large",
                  "the arrays expand to more than {} bytes", limit);
    }
    total += entry.bytes;
    const std::string name = fmt::format("{}, entry {}", file.name(), io::printable(entry.name));
    std::vector<std::uint8_t> bytes(entry.bytes);
    io::read_zip_entry(file, entry, bytes);
    const io::FileView array(file.operation(), name, bytes);
    const Header header = read_header(array, array.size());
    arrays.set(entry.name.substr(0, entry.name.size() - 4),
               make_array(header, bytes.data() + header.data_start));
  }
  return arrays;
}

}  // namespace

void save_npy(const std::filesystem::path& path, const Tensor& tensor) {
  const std::string header = compose_header(tensor, "save_npy");
  const io::TensorBytes bytes(tensor);
  io::AtomicFile file(path, "save_npy");
  file.write(header);
  file.write(bytes.data(), bytes.size());
  file.commit();
}

void save_npz(const std::filesystem::path& path, const StateDict& tensors, NpzSaveOptions options) {
  for (const auto& [name, tensor] : tensors) {
    if (name.empty() || name.size() > 60000 || name.find('\\') != name.npos || name.front() == '/' ||
        io::find_invalid_utf8(name) != std::string::npos) {
      fail<ValueError>(ErrorCode::invalid_value, "save_npz: an array cannot be called \"{}\"",
                       io::printable(name))
          .raise();
    }
  }
  io::AtomicFile file(path, "save_npz");
  io::ZipWriter archive(file);
  for (const auto& [name, tensor] : tensors) {
    const std::string header = compose_header(tensor, "save_npz");
    const io::TensorBytes bytes(tensor);
    const std::span<const std::uint8_t> parts[] = {as_bytes(header), {bytes.data(), bytes.size()}};
    archive.add(name + ".npy", parts, options.compress);
  }
  archive.finish();
  file.commit();
}

Tensor load_npy(const std::filesystem::path& path) {
  const io::MappedFile mapped(path, "load_npy");
  const io::FileView file("load_npy", mapped);
  const Header header = read_header(file, file.size());
  return make_array(header, mapped.data() + header.data_start);
}

Tensor load_npy_bytes(std::span<const std::uint8_t> bytes, std::string_view name) {
  const io::FileView file("load_npy", name, bytes);
  const Header header = read_header(file, file.size());
  return make_array(header, bytes.data() + header.data_start);
}

StateDict load_npz(const std::filesystem::path& path, NpzLoadOptions options) {
  const io::MappedFile mapped(path, "load_npz");
  return read_npz(io::FileView("load_npz", mapped), options);
}

StateDict load_npz_bytes(std::span<const std::uint8_t> bytes, std::string_view name, NpzLoadOptions options) {
  return read_npz(io::FileView("load_npz", name, bytes), options);
}

}  // namespace phlox
