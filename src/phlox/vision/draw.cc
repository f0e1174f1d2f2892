#include "phlox/vision/draw.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "phlox/metrics/classification.h"
#include "phlox/ops/functions.h"

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

constexpr Color dark_blue{8, 48, 107}, dark_red{165, 15, 21}, faint{244, 245, 247};
constexpr int text_scale = 2;
constexpr std::int64_t gap = 10, line_height = Canvas::text_height(text_scale) + gap;

// From faint for 0 to `dark` for 1.
Color shade(double share, Color dark) {
  const auto mix = [&](std::uint8_t from, std::uint8_t to) {
    return static_cast<std::uint8_t>(std::lround(from + (to - from) * share));
  };
  return {mix(faint.red, dark.red), mix(faint.green, dark.green), mix(faint.blue, dark.blue)};
}

struct Caption {
  std::string text;
  Color color = black;
};

// Images side by side, each above its caption, below a title unless it is empty.
Tensor draw_grid(const Tensor& images, const std::vector<Caption>& captions, int columns, int scale,
                 const std::string& title) {
  const std::int64_t count = images.size(0), height = images.size(2), width = images.size(3);
  std::int64_t cell_width = width * scale;
  for (const Caption& caption : captions)
    cell_width = std::max(cell_width, Canvas::text_width(caption.text, text_scale));
  cell_width += 2 * gap;
  const std::int64_t cell_height = height * scale + line_height + gap,
                     top = title.empty() ? gap : gap + line_height;
  const std::int64_t across = std::min<std::int64_t>(columns, count), down = (count + columns - 1) / columns;
  Canvas canvas(std::max(across * cell_width, Canvas::text_width(title, text_scale) + 2 * gap),
                top + down * cell_height);
  canvas.text(gap, gap, title, grey, text_scale);
  for (std::int64_t i = 0; i < count; ++i) {
    const Caption& caption = captions[static_cast<std::size_t>(i)];
    const std::int64_t middle = i % columns * cell_width + cell_width / 2,
                       y = top + i / columns * cell_height;
    canvas.image(middle - width * scale / 2, y, select(select(images, 0, i), 0, 0), scale);
    canvas.text(middle - Canvas::text_width(caption.text, text_scale) / 2, y + height * scale + gap / 2,
                caption.text, caption.color, text_scale);
  }
  return canvas.to_tensor();
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
  constexpr std::int64_t cell = 48;
  const auto classes = static_cast<std::size_t>(counts.size(0));
  std::vector<std::string> labels = names;
  for (std::size_t i = labels.size(); i < classes; ++i) labels.push_back(fmt::to_string(i));
  std::int64_t widest = 0;
  for (const std::string& label : labels) widest = std::max(widest, Canvas::text_width(label, text_scale));

  const std::int64_t left = widest + 2 * gap, top = 2 * line_height + gap;
  const std::int64_t side = static_cast<std::int64_t>(classes) * cell;
  const std::string title = "predicted (across), true (down)";
  Canvas canvas(std::max(left + side, Canvas::text_width(title, text_scale) + gap) + gap, top + side + gap);
  canvas.text(gap, gap, title, grey, text_scale);
  const auto values = counts.to_vector<std::int64_t>();
  const auto centred = [&](std::int64_t x, std::int64_t y, const std::string& text, Color color) {
    canvas.text(x - Canvas::text_width(text, text_scale) / 2, y - Canvas::text_height(text_scale) / 2, text,
                color, text_scale);
  };
  for (std::size_t row = 0; row < classes; ++row) {
    std::int64_t total = 0;
    for (std::size_t column = 0; column < classes; ++column) total += values[row * classes + column];
    const std::int64_t y = top + static_cast<std::int64_t>(row) * cell;
    canvas.text(left - gap - Canvas::text_width(labels[row], text_scale),
                y + (cell - Canvas::text_height(text_scale)) / 2, labels[row], black, text_scale);
    for (std::size_t column = 0; column < classes; ++column) {
      const std::int64_t value = values[row * classes + column],
                         x = left + static_cast<std::int64_t>(column) * cell;
      const double share = total > 0 ? static_cast<double>(value) / static_cast<double>(total) : 0;
      const Color dark = row == column ? dark_blue : dark_red;
      canvas.rectangle(x, y, cell - 1, cell - 1,
                       shade(std::sqrt(share), dark));  // the root shows rare mistakes
      if (value > 0) centred(x + cell / 2, y + cell / 2, fmt::to_string(value), share > 0.2 ? white : black);
      if (row == 0) centred(x + cell / 2, top - line_height / 2, labels[column], black);
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
  const std::int64_t count = images.size(0);
  if (static_cast<std::int64_t>(captions.size()) != count) {
    fail<ValueError>(ErrorCode::invalid_value, "draw_images: there are {} captions for {} images",
                     captions.size(), count)
        .raise();
  }
  std::vector<Caption> plain;
  for (const std::string& caption : captions) plain.push_back({caption});
  return draw_grid(images, plain, columns, scale, "");
}

Tensor beside(const std::vector<Tensor>& pictures) {
  std::int64_t height = 0, width = 0;
  for (const Tensor& picture : pictures) {
    if (picture.rank() != 3 || picture.size(2) != 3 || picture.dtype() != DType::uint8) {
      fail<ShapeError>(ErrorCode::wrong_rank, "beside: pictures u8[height, width, 3] are needed")
          .detail("picture", describe(picture))
          .raise();
    }
    height = std::max(height, picture.size(0));
    width += picture.size(1);
  }
  const Tensor whole = full({height, width, 3}, 255, DType::uint8);
  std::int64_t left = 0;
  for (const Tensor& picture : pictures) {
    copy_(narrow(narrow(whole, 0, 0, picture.size(0)), 1, left, picture.size(1)), picture);
    left += picture.size(1);
  }
  return whole;
}

Tensor draw_predictions(const Tensor& images, const Tensor& labels, const Tensor& scores, int hardest) {
  const bool fits = images.rank() == 4 && labels.rank() == 1 && scores.rank() == 2 &&
                    images.size(0) == labels.size(0) && labels.size(0) == scores.size(0) &&
                    images.size(0) > 0 && hardest > 0;
  if (!fits) {
    fail<ShapeError>(ErrorCode::sizes_differ,
                     "draw_predictions: images [N, 1, H, W], labels [N] and scores [N, classes] are needed")
        .detail("images", describe(images))
        .detail("labels", describe(labels))
        .detail("scores", describe(scores))
        .raise();
  }
  const NoGrad no_grad;
  metrics::ConfusionMatrix confusion(scores.size(1));
  confusion.update(scores, labels);

  const std::int64_t count = std::min<std::int64_t>(hardest, images.size(0));
  const Tensor truths = unsqueeze(labels, 1), others = scatter(scores, 1, truths, -HUGE_VAL);
  const Tensor leads = sub(flatten(gather(scores, 1, truths)), amax(others, 1));
  const Tensor chosen = narrow(argsort(leads), 0, 0, count);
  const auto truth = index_select(labels, 0, chosen).to_vector<std::int64_t>();
  const auto found = index_select(argmax(scores, 1), 0, chosen).to_vector<std::int64_t>();
  std::vector<Caption> captions;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    captions.push_back(truth[i] == found[i] ? Caption{fmt::to_string(truth[i])}
                                            : Caption{fmt::format("{} as {}", truth[i], found[i]), dark_red});
  }
  const int scale = static_cast<int>(std::max<std::int64_t>(1, 64 / images.size(3)));
  return beside({draw_confusion(confusion.to_tensor()),
                 draw_grid(index_select(images, 0, chosen), captions, 5, scale, "hardest")});
}

}  // namespace phlox::vision
