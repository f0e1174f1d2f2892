// One graph for all sizes, from captures at several.
#include <gtest/gtest.h>

#include "phlox/phlox.h"

namespace phlox::graph {
namespace {

using Function = std::function<TensorList(const TensorList&)>;

GraphPointer captured(const Function& function, const std::vector<Shape>& shapes) {
  TensorList arguments;
  for (const Shape& shape : shapes) arguments.push_back(ones(shape));
  return trace(function, arguments).graph;
}

TEST(SymbolicGraphTest, NamesTheSizesThatDiffer) {
  const Function function = [](const TensorList& x) -> TensorList {
    return {reshape(relu(matmul(x[0], x[1])), {-1, 5}), mean(x[0])};
  };
  SymbolicGraph graph(*captured(function, {{4, 6}, {6, 10}}));
  EXPECT_TRUE(graph.sizes().empty());
  for (std::int64_t size : {7, 1, 64, 31}) {
    const GraphPointer other = captured(function, {{size, 6}, {6, 10}});
    ASSERT_TRUE(graph.admit(*other)) << graph.refusal();
    EXPECT_EQ(to_string(*graph.at({size})), to_string(*other));
  }
  EXPECT_EQ(graph.sizes(), std::vector<std::string>{"b"});
  EXPECT_EQ(graph.admitted(), 5);
  const std::string text = graph.to_string();
  EXPECT_NE(text.find("%x0: f32[b,6]"), std::string::npos) << text;
  EXPECT_NE(text.find("f32[2*b,5]"), std::string::npos) << text;
  EXPECT_EQ(to_string(*graph.at({100})), to_string(*captured(function, {{100, 6}, {6, 10}})));
  EXPECT_THROW(graph.at({}), ValueError);
}

TEST(SymbolicGraphTest, KnowsProductsRootsAndWindows) {
  const Function function = [](const TensorList& x) -> TensorList {
    const Tensor flat = flatten(x[0], 1);
    const Tensor windows = max_pool2d(x[0], {3}, Integers{2}, {1});
    return {flat, mul(flat, 1.0 / static_cast<double>(flat.numel())),
            mul(flat, 1.0 / std::sqrt(static_cast<double>(x[0].size(3)))), windows,
            slice(x[0], 3, 1, x[0].size(3) - 1)};
  };
  const auto at = [&](std::int64_t b, std::int64_t s, std::int64_t t) {
    return captured(function, {{b, 3, s, t}});
  };
  SymbolicGraph graph(*at(2, 8, 9));
  for (const auto& [b, s, t] : std::vector<std::array<std::int64_t, 3>>{
           {3, 12, 31}, {5, 10, 16}, {4, 15, 21}, {2, 33, 40}, {1, 64, 64}, {9, 5, 5}}) {
    ASSERT_TRUE(graph.admit(*at(b, s, t))) << graph.refusal() << "\n" << graph.to_string();
  }
  EXPECT_EQ(graph.sizes(), (std::vector<std::string>{"b", "s", "t"}));
  EXPECT_EQ(to_string(*graph.at({6, 100, 77})), to_string(*at(6, 100, 77))) << graph.to_string();
}

TEST(SymbolicGraphTest, RefusesWhatIsAnotherProgram) {
  const Function function = [](const TensorList& x) -> TensorList {
    return {x[0].size(0) > 10 ? relu(x[0]) : neg(x[0])};
  };
  SymbolicGraph graph(*captured(function, {{4}}));
  ASSERT_TRUE(graph.admit(*captured(function, {{5}})));
  EXPECT_FALSE(graph.admit(*captured(function, {{11}})));
  EXPECT_EQ(graph.refusal(), "the operations differ from `%0: f32[11] = relu(%x0)` on");
  EXPECT_TRUE(graph.admit(*captured(function, {{6}})));

  const Function arbitrary = [](const TensorList& x) -> TensorList {
    constexpr double factors[] = {0.3, 0.7, 0.1, 0.9, 0.2};
    return {mul(x[0], factors[x[0].size(0) % 5])};
  };
  SymbolicGraph other(*captured(arbitrary, {{4}}));
  EXPECT_FALSE(other.admit(*captured(arbitrary, {{5}})));
  EXPECT_EQ(other.refusal(), "0.3 follows from no size in `%0: f32[5] = mul(%x0, 0.3)`");
}

TEST(SymbolicGraphTest, FindsBetterRulesWhenAGuessFails) {
  // At the first two sizes b + s and 2 * b are the same.
  const Function function = [](const TensorList& x) -> TensorList { return {cat({x[0], x[1]})}; };
  SymbolicGraph graph(*captured(function, {{4}, {4}}));
  ASSERT_TRUE(graph.admit(*captured(function, {{6}, {6}})));
  EXPECT_EQ(graph.sizes().size(), 1u);
  ASSERT_TRUE(graph.admit(*captured(function, {{6}, {9}}))) << graph.refusal();
  EXPECT_EQ(graph.sizes().size(), 2u);
  EXPECT_EQ(to_string(*graph.at({10, 3})), to_string(*captured(function, {{10}, {3}})));
}

TEST(SymbolicGraphTest, ConstantsAreCompared) {
  const auto function = [](double value) -> Function {
    return [value](const TensorList& x) -> TensorList {
      return {add(sum(x[0]), Tensor(std::initializer_list<NestedValues>{value, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
                                                                        11, 12, 13, 14, 15, 16, 17}))};
    };
  };
  SymbolicGraph graph(*captured(function(1), {{4}}));
  EXPECT_TRUE(graph.admit(*captured(function(1), {{5}})));
  EXPECT_FALSE(graph.admit(*captured(function(2), {{5}})));
}

}  // namespace
}  // namespace phlox::graph
