#include "phlox/vision/draw.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace phlox::vision {
namespace {

constexpr int glyph_width = 5, glyph_height = 7;

// Rows from the top, the lowest bit is the right dot.
struct Glyph {
  char letter;
  std::uint8_t rows[glyph_height];
};
constexpr Glyph font[] = {
    {' ', {0, 0, 0, 0, 0, 0, 0}},
    {'0', {0x0E, 0x11, 0x13, 0x15, 0x19, 0x11, 0x0E}},
    {'1', {0x04, 0x0C, 0x04, 0x04, 0x04, 0x04, 0x0E}},
    {'2', {0x0E, 0x11, 0x01, 0x02, 0x04, 0x08, 0x1F}},
    {'3', {0x1F, 0x02, 0x04, 0x02, 0x01, 0x11, 0x0E}},
    {'4', {0x02, 0x06, 0x0A, 0x12, 0x1F, 0x02, 0x02}},
    {'5', {0x1F, 0x10, 0x1E, 0x01, 0x01, 0x11, 0x0E}},
    {'6', {0x06, 0x08, 0x10, 0x1E, 0x11, 0x11, 0x0E}},
    {'7', {0x1F, 0x01, 0x02, 0x04, 0x08, 0x08, 0x08}},
    {'8', {0x0E, 0x11, 0x11, 0x0E, 0x11, 0x11, 0x0E}},
    {'9', {0x0E, 0x11, 0x11, 0x0F, 0x01, 0x02, 0x0C}},
    {'A', {0x0E, 0x11, 0x11, 0x1F, 0x11, 0x11, 0x11}},
    {'B', {0x1E, 0x11, 0x11, 0x1E, 0x11, 0x11, 0x1E}},
    {'C', {0x0E, 0x11, 0x10, 0x10, 0x10, 0x11, 0x0E}},
    {'D', {0x1C, 0x12, 0x11, 0x11, 0x11, 0x12, 0x1C}},
    {'E', {0x1F, 0x10, 0x10, 0x1E, 0x10, 0x10, 0x1F}},
    {'F', {0x1F, 0x10, 0x10, 0x1E, 0x10, 0x10, 0x10}},
    {'G', {0x0E, 0x11, 0x10, 0x17, 0x11, 0x11, 0x0F}},
    {'H', {0x11, 0x11, 0x11, 0x1F, 0x11, 0x11, 0x11}},
    {'I', {0x0E, 0x04, 0x04, 0x04, 0x04, 0x04, 0x0E}},
    {'J', {0x07, 0x02, 0x02, 0x02, 0x02, 0x12, 0x0C}},
    {'K', {0x11, 0x12, 0x14, 0x18, 0x14, 0x12, 0x11}},
    {'L', {0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x1F}},
    {'M', {0x11, 0x1B, 0x15, 0x15, 0x11, 0x11, 0x11}},
    {'N', {0x11, 0x11, 0x19, 0x15, 0x13, 0x11, 0x11}},
    {'O', {0x0E, 0x11, 0x11, 0x11, 0x11, 0x11, 0x0E}},
    {'P', {0x1E, 0x11, 0x11, 0x1E, 0x10, 0x10, 0x10}},
    {'Q', {0x0E, 0x11, 0x11, 0x11, 0x15, 0x12, 0x0D}},
    {'R', {0x1E, 0x11, 0x11, 0x1E, 0x14, 0x12, 0x11}},
    {'S', {0x0F, 0x10, 0x10, 0x0E, 0x01, 0x01, 0x1E}},
    {'T', {0x1F, 0x04, 0x04, 0x04, 0x04, 0x04, 0x04}},
    {'U', {0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x0E}},
    {'V', {0x11, 0x11, 0x11, 0x11, 0x11, 0x0A, 0x04}},
    {'W', {0x11, 0x11, 0x11, 0x15, 0x15, 0x15, 0x0A}},
    {'X', {0x11, 0x11, 0x0A, 0x04, 0x0A, 0x11, 0x11}},
    {'Y', {0x11, 0x11, 0x11, 0x0A, 0x04, 0x04, 0x04}},
    {'Z', {0x1F, 0x01, 0x02, 0x04, 0x08, 0x10, 0x1F}},
    {'.', {0x00, 0x00, 0x00, 0x00, 0x00, 0x0C, 0x0C}},
    {',', {0x00, 0x00, 0x00, 0x00, 0x0C, 0x04, 0x08}},
    {':', {0x00, 0x0C, 0x0C, 0x00, 0x0C, 0x0C, 0x00}},
    {'%', {0x18, 0x19, 0x02, 0x04, 0x08, 0x13, 0x03}},
    {'-', {0x00, 0x00, 0x00, 0x1F, 0x00, 0x00, 0x00}},
    {'+', {0x00, 0x04, 0x04, 0x1F, 0x04, 0x04, 0x00}},
    {'/', {0x00, 0x01, 0x02, 0x04, 0x08, 0x10, 0x00}},
    {'=', {0x00, 0x00, 0x1F, 0x00, 0x1F, 0x00, 0x00}},
    {'(', {0x02, 0x04, 0x08, 0x08, 0x08, 0x04, 0x02}},
    {')', {0x08, 0x04, 0x02, 0x02, 0x02, 0x04, 0x08}},
    {'<', {0x02, 0x04, 0x08, 0x10, 0x08, 0x04, 0x02}},
    {'>', {0x08, 0x04, 0x02, 0x01, 0x02, 0x04, 0x08}},
};
constexpr Glyph unknown_glyph = {'?', {0x1F, 0x11, 0x11, 0x11, 0x11, 0x11, 0x1F}};

const Glyph& glyph_of(char letter) {
  if (letter >= 'a' && letter <= 'z') letter = static_cast<char>(letter - 'a' + 'A');
  for (const Glyph& glyph : font) {
    if (glyph.letter == letter) return glyph;
  }
  return unknown_glyph;
}

// White for 0, a dark blue for 1.
Color shade(double share) {
  const auto mix = [&](double dark) {
    return static_cast<std::uint8_t>(std::lround(255 + (dark - 255) * share));
  };
  return {mix(8), mix(48), mix(107)};
}

}  // namespace

Canvas::Canvas(std::int64_t width, std::int64_t height, Color background) : width_(width), height_(height) {
  if (width < 1 || height < 1 || width > 65535 || height > 65535) {
    fail<ValueError>(ErrorCode::invalid_value, "Canvas: {} x {} pixels are not possible", width, height)
        .raise();
  }
  pixels_.resize(static_cast<std::size_t>(3 * width * height));
  rectangle(0, 0, width, height, background);
}

void Canvas::rectangle(std::int64_t x, std::int64_t y, std::int64_t width, std::int64_t height, Color color) {
  const std::int64_t right = std::min(x + width, width_), bottom = std::min(y + height, height_);
  for (std::int64_t row = std::max<std::int64_t>(y, 0); row < bottom; ++row) {
    for (std::int64_t column = std::max<std::int64_t>(x, 0); column < right; ++column) {
      std::uint8_t* pixel = pixels_.data() + 3 * (row * width_ + column);
      pixel[0] = color.red;
      pixel[1] = color.green;
      pixel[2] = color.blue;
    }
  }
}

void Canvas::text(std::int64_t x, std::int64_t y, std::string_view text, Color color, int scale) {
  for (char letter : text) {
    const Glyph& glyph = glyph_of(letter);
    for (int row = 0; row < glyph_height; ++row) {
      for (int column = 0; column < glyph_width; ++column) {
        if (glyph.rows[row] >> (glyph_width - 1 - column) & 1) {
          rectangle(x + column * scale, y + row * scale, scale, scale, color);
        }
      }
    }
    x += (glyph_width + 1) * scale;
  }
}

void Canvas::image(std::int64_t x, std::int64_t y, const Tensor& values, int scale) {
  if (values.rank() != 2) {
    fail<ShapeError>(ErrorCode::wrong_rank, "Canvas: an image has 2 dimensions, not {}", values.rank())
        .detail("image", describe(values))
        .raise();
  }
  const auto numbers = values.to_vector<double>();
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const auto row = static_cast<std::int64_t>(i) / values.size(1),
               column = static_cast<std::int64_t>(i) % values.size(1);
    const double clipped = numbers[i] >= 0 ? std::min(numbers[i], 1.0) : 0.0;  // NaN is white
    const auto level = static_cast<std::uint8_t>(std::lround(255 * (1 - clipped)));
    rectangle(x + column * scale, y + row * scale, scale, scale, {level, level, level});
  }
}

Tensor Canvas::to_tensor() const { return from_values<std::uint8_t>(pixels_, {height_, width_, 3}); }

std::int64_t Canvas::text_width(std::string_view text, int scale) {
  const auto letters = static_cast<std::int64_t>(text.size());
  return letters == 0 ? 0 : (letters * (glyph_width + 1) - 1) * scale;
}

Tensor draw_confusion(const Tensor& counts, const std::vector<std::string>& names) {
  const bool fits = counts.rank() == 2 && counts.size(0) == counts.size(1) && counts.size(0) > 0 &&
                    (names.empty() || static_cast<std::int64_t>(names.size()) == counts.size(0));
  if (!fits) {
    fail<ShapeError>(ErrorCode::sizes_differ,
                     "draw_confusion: a square matrix is needed, and a name for each class")
        .detail("counts", describe(counts))
        .detail("names", fmt::to_string(names.size()))
        .raise();
  }
  constexpr int scale = 2;
  constexpr std::int64_t cell = 48, gap = 10;
  const auto classes = static_cast<std::size_t>(counts.size(0));
  std::vector<std::string> labels = names;
  for (std::size_t i = labels.size(); i < classes; ++i) labels.push_back(fmt::to_string(i));
  std::int64_t widest = 0;
  for (const std::string& label : labels) widest = std::max(widest, Canvas::text_width(label, scale));

  const std::int64_t line = Canvas::text_height(scale) + gap;
  const std::int64_t left = widest + 2 * gap, top = 2 * line + gap;
  const std::int64_t side = static_cast<std::int64_t>(classes) * cell;
  const std::string title = "predicted (across), true (down)";
  Canvas canvas(std::max(left + side, Canvas::text_width(title, scale) + gap) + gap, top + side + gap);
  canvas.text(gap, gap, title, grey, scale);
  const auto values = counts.to_vector<std::int64_t>();
  const auto centred = [&](std::int64_t x, std::int64_t y, const std::string& text, Color color) {
    canvas.text(x - Canvas::text_width(text, scale) / 2, y - Canvas::text_height(scale) / 2, text, color,
                scale);
  };
  for (std::size_t row = 0; row < classes; ++row) {
    std::int64_t total = 0;
    for (std::size_t column = 0; column < classes; ++column) total += values[row * classes + column];
    const std::int64_t y = top + static_cast<std::int64_t>(row) * cell;
    canvas.text(left - gap - Canvas::text_width(labels[row], scale),
                y + (cell - Canvas::text_height(scale)) / 2, labels[row], black, scale);
    for (std::size_t column = 0; column < classes; ++column) {
      const std::int64_t value = values[row * classes + column],
                         x = left + static_cast<std::int64_t>(column) * cell;
      const double share = total > 0 ? static_cast<double>(value) / static_cast<double>(total) : 0;
      canvas.rectangle(x, y, cell - 1, cell - 1, shade(std::sqrt(share)));  // the root shows rare mistakes
      if (value > 0) centred(x + cell / 2, y + cell / 2, fmt::to_string(value), share > 0.2 ? white : black);
      if (row == 0) centred(x + cell / 2, top - line / 2, labels[column], black);
    }
  }
  return canvas.to_tensor();
}

Tensor draw_images(const Tensor& images, const std::vector<std::string>& captions, int columns, int scale) {
  if (images.rank() != 4 || images.size(1) != 1 || images.size(0) == 0 || columns < 1 || scale < 1) {
    fail<ShapeError>(ErrorCode::wrong_rank, "draw_images: images [N, 1, H, W] are needed")
        .detail("images", describe(images))
        .raise();
  }
  const std::int64_t count = images.size(0), height = images.size(2), width = images.size(3);
  if (static_cast<std::int64_t>(captions.size()) != count) {
    fail<ValueError>(ErrorCode::invalid_value, "draw_images: there are {} captions for {} images",
                     captions.size(), count)
        .raise();
  }
  constexpr std::int64_t gap = 10;
  constexpr int text_scale = 2;
  std::int64_t cell_width = width * scale;
  for (const std::string& caption : captions)
    cell_width = std::max(cell_width, Canvas::text_width(caption, text_scale));
  cell_width += gap;
  const std::int64_t cell_height = height * scale + Canvas::text_height(text_scale) + 2 * gap;
  const std::int64_t across = std::min<std::int64_t>(columns, count), down = (count + columns - 1) / columns;
  Canvas canvas(across * cell_width + gap, down * cell_height + gap);
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t x = gap + i % columns * cell_width, y = gap + i / columns * cell_height;
    const Tensor picture = make_view(images, {height, width}, {images.stride(2), images.stride(3)},
                                     images.storage_offset() + i * images.stride(0));
    canvas.image(x, y, picture, scale);
    canvas.text(x, y + height * scale + gap / 2, captions[static_cast<std::size_t>(i)], black, text_scale);
  }
  return canvas.to_tensor();
}

}  // namespace phlox::vision
