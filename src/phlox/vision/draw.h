// Simple pictures of results: rectangles, small images and text on a canvas of pixels.
//
//   save_png("confusion.png", vision::draw_confusion(confusion.to_tensor()));
//   save_png("misread.png", vision::draw_images(images, {"3 as 8", "1 as 7"}));
//   save_png("both.png", vision::beside({vision::draw_confusion(counts), vision::draw_images(images, captions)}));
//   save_png("digits.png", vision::draw_predictions(images, labels, predict(net, images)));
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "phlox/core/tensor.h"

namespace phlox::vision {

struct Color {
  std::uint8_t red, green, blue;
};
inline constexpr Color black{0, 0, 0}, white{255, 255, 255}, grey{140, 140, 140};

// What lies outside of the canvas is left out.
class Canvas {
 public:
  // Throws ValueError for sizes that are not positive.
  Canvas(std::int64_t width, std::int64_t height, Color background = white);

  void rectangle(std::int64_t x, std::int64_t y, std::int64_t width, std::int64_t height, Color color);
  // Letters of 5 x 7 dots, each `scale` pixels wide, from the upper left corner. Small letters look like capitals.
  void text(std::int64_t x, std::int64_t y, std::string_view text, Color color = black, int scale = 1);
  // f32[H, W] from 0 (white) to 1 (black), each value a square of `scale` pixels.
  void image(std::int64_t x, std::int64_t y, const Tensor& values, int scale = 1);
  // u8[height, width, 3].
  Tensor to_tensor() const;

  static std::int64_t text_width(std::string_view text, int scale = 1);
  static constexpr std::int64_t text_height(int scale = 1) { return 7 * scale; }

 private:
  std::int64_t width_, height_;
  std::vector<std::uint8_t> pixels_;
};

// A picture of a confusion matrix i64[classes, classes], true classes downwards; darker means a larger share of the
// row, blue where it is right and red where it is wrong. Without names the classes are numbered. Throws ShapeError for another shape.
Tensor draw_confusion(const Tensor& counts, const std::vector<std::string>& names = {});

// Images f32[N, 1, H, W] from 0 to 1 side by side, each above its caption. Throws ShapeError for another shape and
// ValueError for another number of captions.
Tensor draw_images(const Tensor& images, const std::vector<std::string>& captions, int columns = 6,
                   int scale = 8);

// Pictures u8[H, W, 3] from left to right on white, level at their upper edges. Throws ShapeError for another shape.
Tensor beside(const std::vector<Tensor>& pictures);

// How a classifier does: the confusion matrix, and beside it the `hardest` images, those whose true class leads least or
// falls behind; a caption is the true class, or "3 as 8" in red. Images f32[N, 1, H, W] from 0 to 1, labels i64[N],
// scores f32[N, classes]. Throws ShapeError for other shapes and IndexError for labels out of range.
Tensor draw_predictions(const Tensor& images, const Tensor& labels, const Tensor& scores, int hardest = 30);

}  // namespace phlox::vision
