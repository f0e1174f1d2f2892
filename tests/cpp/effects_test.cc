// Printing and callbacks from C++.
#include "phlox/ops/effects.h"

#include <gtest/gtest.h>

#include "error_matching.h"
#include "phlox/graph/control_flow.h"
#include "phlox/graph/jit.h"
#include "phlox/ops/creation.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/operators.h"

namespace phlox {
namespace {

// Gathers lines in place of printing them.
class Effects : public testing::Test {
 protected:
  Effects() {
    set_print_handler([this](std::string_view text) { lines += text; });
  }
  ~Effects() override { set_print_handler({}); }
  std::string lines;
};

TEST_F(Effects, HappenAtEachCall) {
  auto step = jit([](const Tensor& x) {
    debug_print("{:.1f} and {}", {sum(x), x});
    return x * 2;
  });
  step(tensor({1.0, 2.0}));
  step(tensor({3.0, 4.0}));
  EXPECT_EQ(lines, "3.0 and tensor([1., 2.])\n7.0 and tensor([3., 4.])\n");
}

TEST_F(Effects, KeepTheirOrderInBranchesAndLoops) {
  const auto program = [](const Tensor& x) {
    debug_print("begin");
    const TensorList y = cond(
        gt(x, 0),
        [&] {
          debug_print("positive");
          return TensorList{x};
        },
        [&] {
          debug_print("negative");
          return TensorList{-x};
        });
    const TensorList z = while_loop([](const TensorList& s) { return lt(s[0], 4); },
                                    [](const TensorList& s) -> TensorList {
                                      debug_print("turn {}", {s[0]});
                                      return {s[0] + 2};
                                    },
                                    y);
    debug_callback([](const TensorList& t) { debug_print("last {}", t); }, z);
    return z[0];
  };
  auto step = jit(program);
  for (const std::int64_t value : {1, -2, 5}) {
    lines.clear();
    program(Tensor(Scalar(value)));
    const std::string eager = std::exchange(lines, "");
    step(Tensor(Scalar(value)));
    EXPECT_EQ(lines, eager);
    EXPECT_TRUE(eager.starts_with("begin\n") && eager.find("last") != std::string::npos) << eager;
  }
}

TEST_F(Effects, AreWithoutEffectInAScope) {
  const WithoutEffects silent;
  debug_print("nothing");
  EXPECT_EQ(lines, "");
}

TEST_F(Effects, RefuseFormatsThatDoNotFit) {
  EXPECT_ERROR(debug_print("{}"), ValueError, "asks for tensor 0, and there are 0");
  EXPECT_ERROR(debug_print("{"), ValueError, "a brace stands alone");
  EXPECT_ERROR(debug_print("{x}", {ones({})}), ValueError, "not the number of a tensor");
  EXPECT_ERROR(debug_print("", {ones({})}), ValueError, "nothing in the format stands for tensor 0");
  EXPECT_ERROR(debug_print("{:.2f}", {ones({2})}), ValueError, "has 2 elements");
  EXPECT_ERROR(debug_print("{:q}", {ones({})}), ValueError, "no format of float32");
}

}  // namespace
}  // namespace phlox
