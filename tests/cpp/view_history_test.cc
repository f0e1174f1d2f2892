// Writes in place through views, seen from C++; tests/python/test_in_place_views.py compares many programs with finite
// differences.
#include <gtest/gtest.h>

#include "error_matching.h"
#include "phlox/core/recording.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/operators.h"

namespace phlox {
namespace {

using Floats = std::vector<float>;

Tensor leaf(Floats values) {
  const auto size = static_cast<std::int64_t>(values.size());
  return from_values<float>(values, {size}).set_requires_grad();
}

Floats values(const Tensor& x) { return x.to_vector<float>(); }

TEST(ViewHistoryTest, AWriteThroughAViewIsANewValueOfItsBase) {
  const Tensor x = leaf({1, 2, 3}), y = x * 1.0;
  y[0].mul_(2);
  EXPECT_EQ(values(y), (Floats{2, 2, 3}));
  y.sum().backward();
  EXPECT_EQ(values(x.grad()), (Floats{2, 1, 1}));
}

TEST(ViewHistoryTest, WhatIsWrittenGetsTheGradientOfItsPlace) {
  const Tensor w = leaf({5, 7}), buffer = zeros({4});
  const Tensor end = buffer[{Slice{2, 4}}], start = buffer[{Slice{0, 2}}];
  end.copy_(w * w);
  EXPECT_TRUE(buffer.requires_grad());
  EXPECT_TRUE(start.requires_grad()) << "a view follows its base";
  (buffer * from_values<float>(Floats{1, 1, 2, 3}, {4})).sum().backward();
  EXPECT_EQ(values(w.grad()), (Floats{20, 42}));
}

TEST(ViewHistoryTest, AViewThatIsOutOfDateLooksAtTheNewValue) {
  const Tensor x = leaf({1, 2, 3}), y = x * 1.0, first = y[0], all = y.reshape({3, 1});
  y.mul_(4);
  first.mul_(10);
  EXPECT_EQ(values(all), (Floats{40, 8, 12}));
  all.sum().backward();
  EXPECT_EQ(values(x.grad()), (Floats{40, 4, 4}));
}

TEST(ViewHistoryTest, RefusesWhatGradientsCannotFollow) {
  const Tensor x = leaf({1, 2, 3});
  EXPECT_ERROR(x[0].mul_(2), GradientError, "[E0603] mul: a leaf that requires gradients");
  const Tensor y = x * 1.0;
  EXPECT_ERROR(y.reshape({3, 1}).expand({3, 2}).mul_(2), StateError, "[E0101]");
  Tensor cut_off;
  {
    NoGrad no_grad;
    cut_off = y[0];
    x[0].mul_(2);  // allowed here
  }
  EXPECT_ERROR(cut_off.copy_(x[1]), GradientError, "made under no_grad()");
  EXPECT_EQ(values(x), (Floats{2, 2, 3}));
}

TEST(ViewHistoryTest, AViewKeepsItsBaseAndNothingLonger) {
  const std::size_t before = memory_statistics().allocated_bytes;
  {
    Tensor view;
    {
      const Tensor x = leaf({1, 2, 3});
      view = (x * 1.0)[{Slice{1, 3}}];
    }
    view.mul_(3);
    view.sum().backward();
    EXPECT_EQ(values(view), (Floats{6, 9}));
  }
  EXPECT_EQ(memory_statistics().allocated_bytes, before);
}

}  // namespace
}  // namespace phlox
