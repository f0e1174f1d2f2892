#include "phlox/vision/draw.h"

#include <gtest/gtest.h>

#include "error_matching.h"

namespace phlox {
namespace {

TEST(DrawTest, TextIsDots) {
  vision::Canvas canvas(13, 7);
  canvas.text(0, 0, "T-");
  const auto pixels = canvas.to_tensor().to_vector<int>();
  std::string picture;
  for (std::size_t i = 0; i < pixels.size(); i += 3) picture += pixels[i] ? '.' : '#';
  EXPECT_EQ(picture,
            "#####........"
            "..#.........."
            "..#.........."
            "..#...#####.."
            "..#.........."
            "..#.........."
            "..#..........");
  EXPECT_EQ(vision::Canvas::text_width("T-", 2), 22);
}

TEST(DrawTest, WhatLiesOutsideIsLeftOut) {
  vision::Canvas canvas(2, 2);
  canvas.rectangle(-5, -5, 6, 6, vision::black);
  canvas.text(1, 1, "8", vision::grey, 3);
  EXPECT_EQ(canvas.to_tensor().to_vector<int>()[0], 0);
  EXPECT_EQ(canvas.to_tensor().to_vector<int>()[3], 255);
  EXPECT_ERROR(vision::Canvas(0, 1), ValueError, "0 x 1");
}

TEST(DrawTest, ImagesAreDarkWhereTheyAreLarge) {
  const Tensor images = from_values<float>(std::array<float, 8>{0, 1, 0.5f, 2, -1, 0, 0, 0}, {2, 1, 2, 2});
  const Tensor picture = vision::draw_images(images, {"a", "b"}, 6, 1);
  EXPECT_EQ(picture.size(2), 3);
  const auto at = [&](std::int64_t x, std::int64_t y) {
    return picture.to_vector<int>()[static_cast<std::size_t>(3 * (y * picture.size(1) + x))];
  };
  EXPECT_EQ(at(10, 10), 255);
  EXPECT_EQ(at(11, 10), 0);
  EXPECT_EQ(at(10, 11), 128);
  EXPECT_EQ(at(11, 11), 0);
  EXPECT_ERROR(vision::draw_images(images, {"a"}), ValueError, "1 captions for 2 images");
}

TEST(DrawTest, ConfusionsAreShadedByTheShareOfTheirRow) {
  const Tensor counts = from_values<std::int64_t>(std::array<std::int64_t, 4>{9, 0, 5, 5}, {2, 2});
  const Tensor picture = vision::draw_confusion(counts);
  int dark = 0;
  const auto pixels = picture.to_vector<int>();
  for (std::size_t i = 0; i < pixels.size(); i += 3)
    dark += pixels[i] == 8 && pixels[i + 1] == 48 && pixels[i + 2] == 107;
  EXPECT_GT(dark, 47 * 47 / 2);  // the cell of 9 out of 9, but for its number
  EXPECT_LT(dark, 47 * 47);
  EXPECT_ERROR(vision::draw_confusion(make_tensor({2, 3}, DType::int64)), ShapeError, "square");
}

}  // namespace
}  // namespace phlox
