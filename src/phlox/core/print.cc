#include "phlox/core/print.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <mutex>
#include <ostream>
#include <vector>

#include "phlox/core/tensor.h"

namespace phlox {

namespace {

std::mutex options_mutex;
PrintOptions shared_options;

// How all floating numbers of one tensor are written, so that columns line up.
struct FloatFormat {
  bool integral = true;  // "3." instead of "3.0000"
  bool scientific = false;
  int precision = 4;

  std::string operator()(double value) const {
    if (std::isnan(value)) return "nan";
    if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
    if (scientific) return fmt::format("{:.{}e}", value, precision);
    if (integral) return fmt::format("{:.0f}.", value);
    return fmt::format("{:.{}f}", value, precision);
  }
};

FloatFormat choose_format(const std::vector<double>& values, const PrintOptions& options) {
  FloatFormat format;
  format.precision = options.precision;
  double largest = 0, smallest = std::numeric_limits<double>::infinity();
  for (double value : values) {
    if (!std::isfinite(value)) continue;
    if (value != std::floor(value)) format.integral = false;
    double magnitude = std::fabs(value);
    if (magnitude == 0) continue;
    largest = std::max(largest, magnitude);
    smallest = std::min(smallest, magnitude);
  }
  bool wide_range = largest > 0 && largest / smallest > 1000;
  bool asks = format.integral ? largest > 1e8 : largest > 1e8 || smallest < 1e-4 || wide_range;
  format.scientific = options.scientific.value_or(largest > 0 && asks);
  return format;
}

class Printer {
 public:
  Printer(const Tensor& tensor, const PrintOptions& options)
      : tensor_(*tensor.impl()), options_(options), summarise_(tensor.numel() > options.threshold) {}

  std::string body(std::size_t indent) {
    collect(0, tensor_.address());
    format_elements();
    next_ = 0;
    std::string text;
    write(0, indent, text);
    return text;
  }

 private:
  // Calls f(index) for each shown index of a dimension, and gap() where some are left out.
  template <class F, class G>
  void shown(std::int64_t size, F f, G gap) {
    std::int64_t edge = options_.edge_items;
    if (!summarise_ || size <= 2 * edge) {
      for (std::int64_t i = 0; i < size; ++i) f(i);
      return;
    }
    for (std::int64_t i = 0; i < edge; ++i) f(i);
    gap();
    for (std::int64_t i = size - edge; i < size; ++i) f(i);
  }

  void collect(int dim, const void* address) {
    if (dim == tensor_.rank) {
      elements_.push_back(Scalar::load(tensor_.dtype, address));
      return;
    }
    shown(
        tensor_.sizes[dim],
        [&](std::int64_t i) {
          collect(dim + 1,
                  static_cast<const char*>(address) + i * tensor_.strides[dim] * element_size(tensor_.dtype));
        },
        [] {});
  }

  void format_elements() {
    if (is_complex(tensor_.dtype)) {
      std::vector<double> real, imaginary;
      for (const Scalar& s : elements_) {
        real.push_back(s.real());
        imaginary.push_back(s.imaginary());
      }
      FloatFormat real_format = choose_format(real, options_),
                  imaginary_format = choose_format(imaginary, options_);
      for (const Scalar& s : elements_) {
        std::string part = imaginary_format(s.imaginary());
        texts_.push_back(real_format(s.real()) + (part[0] == '-' ? "" : "+") + part + "j");
      }
    } else if (is_floating(tensor_.dtype)) {
      std::vector<double> values;
      for (const Scalar& s : elements_) values.push_back(s.real());
      FloatFormat format = choose_format(values, options_);
      for (double value : values) texts_.push_back(format(value));
    } else {
      for (const Scalar& s : elements_) {
        if (is_boolean(tensor_.dtype)) texts_.push_back(s.boolean() ? "True" : "False");
        else if (tensor_.dtype == DType::uint64)
          texts_.push_back(fmt::format("{}", static_cast<std::uint64_t>(s.integer())));
        else texts_.push_back(fmt::format("{}", s.integer()));
      }
    }
    if (tensor_.rank == 0) return;
    std::size_t width = 0;
    for (const std::string& text : texts_) width = std::max(width, text.size());
    for (std::string& text : texts_) text.insert(0, width - text.size(), ' ');
  }

  void write(int dim, std::size_t indent, std::string& text) {
    if (dim == tensor_.rank) {
      text += texts_[next_++];
      return;
    }
    text += '[';
    bool innermost = dim == tensor_.rank - 1;
    std::size_t room = std::max<std::int64_t>(options_.line_width - static_cast<std::int64_t>(indent), 1);
    std::size_t column = 0;
    bool first = true;
    auto separate = [&](std::size_t width) {
      if (!first) {
        text += ',';
        bool wraps = innermost && column + width + 2 > room;
        if (innermost && !wraps) {
          text += ' ';
        } else {
          text.append(innermost ? 1 : static_cast<std::size_t>(tensor_.rank - 1 - dim), '\n');
          text.append(indent + 1, ' ');
          column = 0;
        }
      }
      first = false;
      column += width + 2;
    };
    shown(
        tensor_.sizes[dim],
        [&](std::int64_t) {
          separate(innermost ? texts_[next_].size() : 0);
          write(dim + 1, indent + 1, text);
        },
        [&] {
          separate(3);
          text += "...";
        });
    text += ']';
  }

  const TensorImpl& tensor_;
  const PrintOptions& options_;
  bool summarise_;
  std::vector<Scalar> elements_;
  std::vector<std::string> texts_;
  std::size_t next_ = 0;
};

// Literals such as [1., 2.], [1, 2], [True] and [1.+2.j] give these by themselves.
bool is_implied(DType dtype) {
  DType floating = default_dtype();
  return dtype == DType::bool_ || dtype == DType::int64 || dtype == floating ||
         dtype == (floating == DType::float64 ? DType::complex128 : DType::complex64);
}

}  // namespace

PrintOptions print_options() {
  std::lock_guard lock(options_mutex);
  return shared_options;
}

void set_print_options(const PrintOptions& options) {
  std::lock_guard lock(options_mutex);
  shared_options = options;
}

std::string to_string(const Tensor& tensor, const PrintOptions& options) {
  if (!tensor.defined()) return "tensor(undefined)";
  const bool few_bits = tensor.dtype() >= DType::float8_e4m3fn && tensor.dtype() <= DType::uint2;
  if (!(is_computable(tensor.dtype()) || few_bits) || tensor.device().type != DeviceType::cpu)
    return fmt::format("tensor({})", describe(tensor));
  std::string text = "tensor(";
  if (tensor.numel() == 0) {
    text += "[]";
    if (tensor.rank() != 1) text += fmt::format(", shape=({})", to_string(tensor.shape()));
  } else {
    const DType shown = tensor.dtype() >= DType::int4 ? DType::int64 : DType::float32;
    text += Printer(few_bits ? tensor.to(shown) : tensor, options).body(text.size());
  }
  if (!is_implied(tensor.dtype()) || (tensor.numel() == 0 && tensor.dtype() != default_dtype()))
    text += fmt::format(", dtype={}", info(tensor.dtype()).name);
  if (tensor.requires_grad()) text += ", requires_grad=True";
  return text + ")";
}

std::string Tensor::to_string() const { return phlox::to_string(*this, print_options()); }

std::ostream& operator<<(std::ostream& stream, const Tensor& tensor) { return stream << tensor.to_string(); }

std::ostream& operator<<(std::ostream& stream, const IntList& sizes) {
  return stream << '[' << to_string(sizes) << ']';
}

std::ostream& operator<<(std::ostream& stream, DType dtype) { return stream << info(dtype).name; }

}  // namespace phlox
