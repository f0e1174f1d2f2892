#include "phlox/vision/draw.h"

#include <gtest/gtest.h>

#include "error_matching.h"
#include "phlox/ops/functions.h"

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
  EXPECT_EQ(at(14, 10), 255);
  EXPECT_EQ(at(15, 10), 0);
  EXPECT_EQ(at(14, 11), 128);
  EXPECT_EQ(at(15, 11), 0);
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

TEST(DrawTest, PicturesStandBesideEachOther) {
  const Tensor black = zeros({2, 1, 3}, DType::uint8), grey = full({1, 2, 3}, 100, DType::uint8);
  const Tensor both = vision::beside({black, grey});
  EXPECT_EQ(both.shape(), (Shape{2, 3, 3}));
  const Tensor levels = select(both, 2, 0);
  EXPECT_EQ(levels.to_vector<int>(), (std::vector<int>{0, 100, 100, 0, 255, 255}));
  EXPECT_ERROR(vision::beside({zeros({2, 2}, DType::uint8)}), ShapeError, "u8[2,2]");
}

TEST(DrawTest, PredictionsBringTheHardestImagesFirst) {
  // Image 1, which is all black, is the one that is misread.
  const Tensor images = cat({zeros({1, 1, 8, 8}), ones({1, 1, 8, 8})});
  const Tensor labels = from_values<std::int64_t>(std::array<std::int64_t, 2>{0, 1}, {2});
  const Tensor scores = from_values<float>(std::array<float, 4>{2, 0, 2, 0}, {2, 2});
  const Tensor picture = vision::draw_predictions(images, labels, scores, 1);
  const std::int64_t confusion_width =
      vision::draw_confusion(from_values<std::int64_t>(std::array<std::int64_t, 4>{1, 0, 1, 0}, {2, 2}))
          .size(1);
  const Tensor right = narrow(select(picture, 2, 0), 1, confusion_width, picture.size(1) - confusion_width);
  int dark = 0;
  for (int level : right.to_vector<int>()) dark += level == 0;
  EXPECT_EQ(dark, 64 * 64);
  EXPECT_ERROR(vision::draw_predictions(images, labels, ones({3, 2})), ShapeError, "f32[3,2]");
  EXPECT_ERROR(vision::draw_predictions(images, add(labels, 1), scores), IndexError, "2");
}

}  // namespace
}  // namespace phlox
