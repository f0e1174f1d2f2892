#include "phlox/io/tensor_bytes.h"

#include <bit>
#include <cstring>

#include "phlox/core/strided.h"

namespace phlox::io {

static_assert(std::endian::native == std::endian::little, "files are written as memory holds numbers");

TensorBytes::TensorBytes(const Tensor& tensor)
    : tensor_(tensor.device() == Device{} ? tensor : tensor.to(Device{})) {
  const TensorImpl& impl = *tensor_.impl();
  const auto width = static_cast<std::size_t>(element_size(impl.dtype));
  size_ = static_cast<std::size_t>(impl.count) * width;
  const auto* source = static_cast<const std::uint8_t*>(impl.address());
  if (impl.contiguous) {
    data_ = source;
    return;
  }
  copy_.reserve(size_);
  for_each_offset(impl, [&](std::int64_t offset) {
    const std::uint8_t* element = source + offset * static_cast<std::int64_t>(width);
    copy_.insert(copy_.end(), element, element + width);
  });
  data_ = copy_.data();
}

}  // namespace phlox::io
