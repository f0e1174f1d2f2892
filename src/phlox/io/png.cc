#include "phlox/io/png.h"

#include <png.h>

#include <vector>

#include "phlox/io/atomic_file.h"
#include "phlox/io/tensor_bytes.h"

namespace phlox {

void save_png(const std::filesystem::path& path, const Tensor& image) {
  if (image.dtype() != DType::uint8) {
    fail<DTypeError>(ErrorCode::wrong_dtype, "save_png: an image of u8 is needed, not {}",
                     info(image.dtype()).short_name)
        .detail("image", describe(image))
        .hint("(x * 255).to(uint8) for values from 0 to 1")
        .raise();
  }
  const std::int64_t channels = image.rank() == 3 ? image.size(2) : 1;
  const bool fits = (image.rank() == 2 || (image.rank() == 3 && (channels == 3 || channels == 4))) &&
                    image.size(0) > 0 && image.size(1) > 0 && image.size(0) < 65536 && image.size(1) < 65536;
  if (!fits) {
    fail<ShapeError>(ErrorCode::wrong_rank, "save_png: the shape is not that of an image")
        .detail("image", describe(image))
        .hint("[height, width], [height, width, 3] or [height, width, 4], each size from 1 to 65535")
        .raise();
  }
  const io::TensorBytes pixels(image);

  // libpng's simple interface works in memory and reports errors without longjmp.
  png_image picture = {};
  picture.version = PNG_IMAGE_VERSION;
  picture.width = static_cast<png_uint_32>(image.size(1));
  picture.height = static_cast<png_uint_32>(image.size(0));
  picture.format = channels == 4 ? PNG_FORMAT_RGBA : channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  png_alloc_size_t bytes = PNG_IMAGE_PNG_SIZE_MAX(picture);
  std::vector<std::uint8_t> encoded(bytes);
  if (!png_image_write_to_memory(&picture, encoded.data(), &bytes, 0, pixels.data(), 0, nullptr)) {
    const std::string message = picture.message;
    png_image_free(&picture);
    fail<FileError>(ErrorCode::file_write_failed, "save_png: {}", message)
        .detail("file", path.string())
        .raise();
  }
  io::AtomicFile file(path, "save_png");
  file.write(encoded.data(), bytes);
  file.commit();
}

}  // namespace phlox
