#include "phlox/graph/graph.h"

#include <gtest/gtest.h>

#include "error_matching.h"
#include "phlox/graph/captured.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/operators.h"

namespace phlox::graph {
namespace {

using Function = std::function<TensorList(const TensorList&)>;

TEST(Graph, ATracedFunctionGivesTheBitsOfTheFunction) {
  const Tensor weight = randn({4, 2});
  weight.set_requires_grad();
  const Function function = [&](const TensorList& x) -> TensorList {
    const Tensor y = relu(matmul(x[0], weight));
    y.add_(1);
    return {y, sum(y)};
  };
  const Tensor x = randn({3, 4});
  const Captured captured = trace(function, {x});
  EXPECT_NO_THROW(verify(*captured.graph));
  const Tensor other = randn({3, 4});
  const TensorList eager = function({other}), traced = captured.run({other});
  ASSERT_EQ(traced.size(), 2u);
  EXPECT_EQ(eager[0].to_vector<float>(), traced[0].to_vector<float>());
  EXPECT_EQ(eager[1].item<float>(), traced[1].item<float>());
}

TEST(Graph, TheTextReadsBack) {
  const Captured captured = trace(
      [](const TensorList& x) -> TensorList {
        auto [values, indices] = sort(x[0], -1, true);
        return {values * 2.5, indices, conj(x[1]) * std::complex<double>(0, 1)};
      },
      {randn({3, 4}), ones({2}, DType::complex64)});
  const std::string text = to_string(*captured.graph);
  EXPECT_EQ(text, to_string(*parse(text)));
  EXPECT_NE(text.find("sort(%x0, dim=1, descending=true, count=4)"), std::string::npos) << text;
}

TEST(Graph, GradientsOfLeavesAndTheirAbsenceAreOutputs) {
  const Tensor w = ones({3});
  w.set_requires_grad();
  const Captured captured = trace(
      [&](const TensorList& x) -> TensorList {
        w.set_grad({});
        sum(w * x[0]).backward();
        return {};
      },
      {ones({3})});
  EXPECT_FALSE(w.grad().defined());
  const Tensor x = randn({3});
  captured.run({x});
  EXPECT_EQ(w.grad().to_vector<float>(), x.to_vector<float>());
}

TEST(Graph, AGraphThatBreaksARuleIsRefused) {
  EXPECT_EQ(find_primitive("no such primitive"), nullptr);
  GraphBuilder builder;
  const Value x = builder.input({DType::float32, {3}, {}}, "x");
  const Primitive& softmax = *find_primitive("softmax");
  const Node& wrong =
      builder.add(softmax, {x}, Attributes::defaults(softmax), {{DType::float64, {3}, {}}}, "here.py:3");
  const GraphPointer graph = builder.finish({{&wrong, 0}});
  EXPECT_ERROR(verify(*graph), GraphError, "here.py:3");
  const GraphPointer missing = [&] {
    GraphBuilder again;
    const Value y = again.input({DType::float32, {3}, {}}, "x");
    return again.finish({{y.node, 1}});
  }();
  EXPECT_ERROR(verify(*missing), GraphError, "does not have");
}

TEST(Graph, ValuesCannotBeReadWhileCapturing) {
  const Tensor outside = ones({1});
  for (const Function& function :
       {Function([](const TensorList& x) -> TensorList { return {x[0] * x[0].item<float>()}; }),
        Function([&](const TensorList& x) -> TensorList { return {x[0] * outside.to_vector<float>()[0]}; }),
        Function([](const TensorList& x) -> TensorList { return {x[0] * *(x[0] + 1).data<float>()}; })})
    EXPECT_EQ(code_of([&] { trace(function, {ones({1})}); }), ErrorCode::value_while_capturing);
  EXPECT_EQ(outside.item<float>(), 1);
}

}  // namespace
}  // namespace phlox::graph
