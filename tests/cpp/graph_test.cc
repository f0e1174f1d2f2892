#include "phlox/graph/graph.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "error_matching.h"
#include "phlox/graph/captured.h"
#include "phlox/graph/control_flow.h"
#include "phlox/graph/lines.h"
#include "phlox/core/random.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/operators.h"
#include "phlox/ops/primitives/sequence.h"

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

// A copy for each line made printing, and with it each capture, quadratic in the number of nodes.
TEST(Graph, LinesArePrintedWithoutCopiesOfTheNames) {
  static_assert(!std::is_copy_constructible_v<ValueNames> && !std::is_move_constructible_v<ValueNames>);
  const GraphPointer graph = parse("graph(%x: f32[2]) {\n  %0: f32[2] = relu(%x)\n  return %0\n}\n");
  const ValueNames names(*graph);
  EXPECT_EQ(line_of(*graph->nodes()[1], names), "%0: f32[2] = relu(%x)");
}

TEST(Graph, TextsThatCouldNotBeReadBackAreRefused) {
  for (const char* name : {"0", "", "a b", "a-b", "1a"}) {
    const std::string text =
        fmt::format("graph(%{0}: f32[2]) {{\n%r: f32[2] = relu(%{0})\nreturn %r\n}}\n", name);
    EXPECT_ERROR(parse(text), GraphError, "is no name of an input");
    EXPECT_EQ(code_of([&] { parse(text); }), ErrorCode::bad_graph_text);
  }
  EXPECT_NO_THROW(parse("graph(%_a1: f32[2]) {\nreturn %_a1\n}\n"));
  EXPECT_ERROR(parse("graph() {\n%0: seq[] = constant(1)\nreturn %0\n}\n"), GraphError,
               "a sequence is no constant");
}

TEST(Graph, ATensorOfAnotherCaptureIsRefused) {
  Tensor kept;
  EXPECT_ERROR(trace(
                   [&](const TensorList& x) -> TensorList {
                     kept = x[0] * 2;
                     return {kept};
                   },
                   {ones({2})}),
               GraphError, "is kept by the program");
  EXPECT_ERROR(trace([&](const TensorList& x) -> TensorList { return {x[0] + kept}; }, {ones({2})}),
               GraphError, "a tensor of another capture is used");
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

TEST(Graph, AGradientThatIsClearedIsClearedAtEachCall) {
  const Tensor weight = randn({3});
  weight.set_requires_grad();
  const Captured captured = trace(
      [&](const TensorList&) -> TensorList {
        weight.set_grad({});
        return {};
      },
      {});
  weight.set_grad(randn({3}));
  captured.run({});
  EXPECT_FALSE(weight.grad().defined());
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

TEST(ControlFlow, IsTheSameEagerlyAndCaptured) {
  const Tensor weight = full({2}, 3.0);
  const Function function = [&](const TensorList& x) -> TensorList {
    const Tensor y = cond(
        gt(sum(x[0]), 0), [&] { return TensorList{x[0] * weight}; }, [&] { return TensorList{-x[0]}; })[0];
    const TensorList grown =
        while_loop([](const TensorList& s) { return lt(sum(s[0]), 100); },
                   [](const TensorList& s) { return TensorList{s[0] * 2 + 1, s[1] + 1}; },
                   {abs(y), zeros({}, DType::int64)});
    const TensorList summed = for_loop(grown[1],
                                       [&](const Tensor& i, const TensorList& s) {
                                         return TensorList{s[0] + i.to(DType::float32) * weight};
                                       },
                                       {zeros({2})});
    return {y, grown[0], grown[1], summed[0]};
  };
  const Captured captured = trace(function, {ones({2})});
  EXPECT_NO_THROW(verify(*captured.graph));
  const std::string text = to_string(*captured.graph);
  EXPECT_EQ(text, to_string(*parse(text, named_constants(*captured.graph)))) << text;
  for (double start : {1.0, -2.0, 60.0, 0.0}) {
    const Tensor x = full({2}, start);
    const TensorList eager = function({x}), traced = captured.run({x});
    for (std::size_t i = 0; i < eager.size(); ++i)
      EXPECT_EQ(eager[i].to_vector<float>(), traced[i].to_vector<float>()) << start << " " << i;
  }
}

TEST(ControlFlow, WhatBranchesWriteAndDrawIsSeenAfterwards) {
  const Tensor total = zeros({2});
  const Function function = [&](const TensorList& x) -> TensorList {
    return cond(
        gt(sum(x[0]), 0),
        [&] {
          total.add_(x[0]);
          return TensorList{rand({3})};
        },
        [&] { return TensorList{zeros({3})}; });
  };
  const Captured captured = trace(function, {ones({2})});
  EXPECT_EQ(total.to_vector<float>(), (std::vector<float>{0, 0}));
  manual_seed(3);
  const Tensor drawn = captured.run({ones({2})})[0];
  EXPECT_EQ(total.to_vector<float>(), (std::vector<float>{1, 1}));
  captured.run({full({2}, -1.0)});
  EXPECT_EQ(total.to_vector<float>(), (std::vector<float>{1, 1}));
  const Tensor next = rand({3});
  manual_seed(3);
  EXPECT_EQ(drawn.to_vector<float>(), rand({3}).to_vector<float>());
  EXPECT_EQ(next.to_vector<float>(), rand({3}).to_vector<float>());
}

TEST(ControlFlow, Refusals) {
  const auto code = [](const Function& f) { return code_of([&] { trace(f, {ones({2})}); }); };
  const auto truth = [](const TensorList& x) { return gt(sum(x[0]), 0); };
  EXPECT_EQ(code([&](const TensorList& x) {
              return cond(truth(x), [&] { return TensorList{x[0]}; }, [&] { return TensorList{sum(x[0])}; });
            }),
            ErrorCode::not_capturable);
  EXPECT_EQ(code([&](const TensorList& x) {
              return while_loop(truth, [](const TensorList& s) { return TensorList{sum(s[0])}; }, {x[0]});
            }),
            ErrorCode::not_capturable);
  EXPECT_EQ(code_of([&] { cond(ones({2}), [] { return TensorList{}; }, [] { return TensorList{}; }); }),
            ErrorCode::wrong_argument_type);
}

TEST(ControlFlow, SequencesHoldWhatTheyAreSaidToHold) {
  const Tensor none = make_tensor({}, DType::sequence, Device{}), element = ones({2});
  EXPECT_ERROR(apply_sequence_push(none, element), GraphError, "a tensor that is no sequence is used as one");
  const Tensor sequence = apply_sequence_push(apply_sequence_empty(), element);
  EXPECT_ERROR(apply_sequence_pop(sequence, ones({3})), GraphError,
               "an element of a sequence is not of the type that is expected");
}

TEST(ControlFlow, BadRegionsAreRefused) {
  const std::string good =
      "graph(%x: f32[2], %c: bool[]) {\n  %0: f32[2] = cond(%c, %x) (%a: f32[2]) {\n    return %a\n  } (%a: f32[2]) {\n"
      "    %1: f32[2] = relu(%a)\n    return %1\n  }\n  return %0\n}\n";
  EXPECT_NO_THROW(parse(good));
  for (const auto& [from, to] :
       std::vector<std::pair<std::string, std::string>>{{"cond(%c, %x)", "cond(%x, %x)"},
                                                        {"cond(%c, %x)", "cond(%c)"},
                                                        {"cond(%c, %x)", "relu(%x)"},
                                                        {"cond(%c, %x)", "while_loop(%x)"},
                                                        {"(%a: f32[2]) {\n    return %a\n  } (%a: f32[2]) {\n"
                                                         "    %1: f32[2] = relu(%a)\n    return %1\n  }",
                                                         ""},
                                                        {"} (%a: f32[2]) {", "} (%a: f32[3]) {"}}) {
    std::string text = good;
    text.replace(text.find(from), from.size(), to);
    EXPECT_THROW(parse(text), GraphError) << text;
  }
}

}  // namespace
}  // namespace phlox::graph
