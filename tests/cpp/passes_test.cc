// Passes over graphs: each rewrite as text before and after, and what must stay as it is.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "error_matching.h"
#include "phlox/base/debug.h"
#include "phlox/graph/captured.h"
#include "phlox/graph/passes/passes.h"
#include "phlox/graph/passes/pipeline.h"
#include "phlox/graph/passes/rebuild.h"
#include "phlox/ops/effects.h"
#include "phlox/ops/functions.h"

namespace phlox::graph {
namespace {

// Lines of nodes; the last one is returned, or what `results` says.
GraphPointer graph_of(const std::string& inputs, const std::string& lines, const std::string& results) {
  return parse("graph(" + inputs + ") {\n" + lines + "  return " + results + "\n}\n");
}
// %r is a row-major value, as results of reductions are; %0 is made from it.
constexpr const char* rows = "  %r: f32[2,3] = reduce.sum(%x, dims=[0])\n";
constexpr const char* int_rows = "  %r: i64[2,3] = reduce.sum(%x, dims=[0], compute=i64, result=i64)\n";

struct Rewritten {
  const char* name;
  const char* lines;   // after %r; the last one makes %0
  const char* result;  // the names of the operations afterwards, besides the reduction
};
void PrintTo(const Rewritten& r, std::ostream* stream) { *stream << r.name; }

std::string names_of(const Graph& graph) {
  std::string names;
  for (const auto& node : graph.nodes())
    if (node->kind() == NodeKind::operation && node->name() != "reduce.sum")
      names += (names.empty() ? "" : " ") + node->name();
  return names;
}

std::string bytes_of(const Tensor& tensor) {
  const Tensor dense = tensor.contiguous();
  return {static_cast<const char*>(dense.impl()->address()),
          static_cast<std::size_t>(dense.numel() * element_size(dense.dtype()))};
}

// f32[4,2,3] whose sums over the first dimension are random numbers, and numbers that are easily mistaken.
TensorList numbers_to_reduce() {
  constexpr float infinity = std::numeric_limits<float>::infinity(),
                  none = std::numeric_limits<float>::quiet_NaN();
  const float special[] = {-0.0F, 0.0F, infinity, -infinity, none, std::numeric_limits<float>::denorm_min()};
  std::vector<float> values;
  for (int row = 0; row < 4; ++row)
    for (float number : special) values.push_back(row == 0 || std::isinf(number) ? number : -0.0F);
  return {randn({4, 2, 3}), from_values<float>(values, {4, 2, 3})};
}

class Simplified : public testing::TestWithParam<Rewritten> {};

TEST_P(Simplified, GivesTheSameBitsWithLess) {
  const auto& [name, lines, result] = GetParam();
  const bool integers = std::string_view(lines).find("i64[2,3]") != std::string_view::npos;
  const GraphPointer graph = graph_of(integers ? "%x: i64[4,2,3]" : "%x: f32[4,2,3]",
                                      std::string(integers ? int_rows : rows) + lines + "\n", "%0");
  const GraphPointer simple = simplify(graph);
  EXPECT_NO_THROW(verify(*simple));
  EXPECT_EQ(names_of(*simple), result) << to_string(*simple);
  EXPECT_EQ(to_string(*simplify(simple)), to_string(*simple)) << "once is enough";
  for (const Tensor& input : integers ? TensorList{arange(24).reshape({4, 2, 3})} : numbers_to_reduce()) {
    const TensorList inputs{input};
    EXPECT_EQ(bytes_of(execute(*graph, inputs)[0]), bytes_of(execute(*simple, inputs)[0]));
  }
}

const Rewritten rewritten[] = {
    {"neg_neg", "%1: f32[2,3] = neg(%r)\n%0: f32[2,3] = neg(%1)", ""},
    {"neg_four_times",
     "%1: f32[2,3] = neg(%r)\n%2: f32[2,3] = neg(%1)\n%3: f32[2,3] = neg(%2)\n%0: f32[2,3] = neg(%3)", ""},
    {"times_one", "%0: f32[2,3] = mul(%r, 1)", ""},
    {"one_times", "%0: f32[2,3] = mul(1.0, %r)", ""},
    {"times_constant_one", "%1: f32[] = constant(1.0)\n%0: f32[2,3] = mul(%r, %1)", ""},
    {"times_filled_one", "%1: f32[2,3] = fill(shape=[2,3], value=1)\n%0: f32[2,3] = mul(%r, %1)", ""},
    {"by_one", "%0: f32[2,3] = div(%r, 1)", ""},
    {"plus_minus_zero", "%0: f32[2,3] = add(%r, -0.0)", ""},
    {"minus_zero", "%0: f32[2,3] = sub(%r, 0.0)", ""},
    {"integer_plus_zero", "%0: i64[2,3] = add(%r, 0)", ""},
    {"integer_not_not", "%1: i64[2,3] = bitwise_invert(%r)\n%0: i64[2,3] = bitwise_invert(%1)", ""},
    {"not_not",
     "%1: bool[2,3] = gt(%r, 0)\n%2: bool[2,3] = logical_not(%1)\n%3: bool[2,3] = logical_not(%2)\n"
     "%0: f32[2,3] = where(%3, %r, 0)",
     "gt where"},
    {"relu_relu", "%1: f32[2,3] = relu(%r)\n%0: f32[2,3] = relu(%1)", "relu"},
    {"abs_abs", "%1: f32[2,3] = abs(%r)\n%0: f32[2,3] = abs(%1)", "abs"},
    {"floor_floor", "%1: f32[2,3] = floor(%r)\n%0: f32[2,3] = floor(%1)", "floor"},
    {"maximum_of_one", "%0: f32[2,3] = maximum(%r, %r)", ""},
    {"minimum_of_one", "%0: f32[2,3] = minimum(%r, %r)", ""},
    {"positive", "%0: f32[2,3] = positive(%r)", ""},
    {"where_same", "%1: bool[2,3] = gt(%r, 0)\n%0: f32[2,3] = where(%1, %r, %r)", ""},
    {"where_true", "%1: bool[] = constant(true)\n%0: f32[2,3] = where(%1, %r, 0)", ""},
    {"where_false", "%1: bool[] = constant(false)\n%0: f32[2,3] = where(%1, 0, %r)", ""},
    {"convert_same", "%0: f32[2,3] = convert(%r, dtype=f32)", ""},
    {"convert_there_and_back", "%1: f64[2,3] = convert(%r, dtype=f64)\n%0: f32[2,3] = convert(%1, dtype=f32)",
     ""},
    {"convert_through_wider",
     "%1: bool[2,3] = gt(%r, 0)\n%2: i32[2,3] = convert(%1, dtype=i32)\n%0: f32[2,3] = convert(%2, dtype=f32)",
     "gt convert"},
    {"reshape_same", "%0: f32[2,3] = view.reshape(%r, sizes=[2,3])", ""},
    {"reshape_reshape",
     "%1: f32[6] = view.reshape(%r, sizes=[6])\n%0: f32[3,2] = view.reshape(%1, sizes=[3,2])",
     "view.reshape"},
    {"reshape_there_and_back",
     "%1: f32[6] = view.reshape(%r, sizes=[6])\n%0: f32[2,3] = view.reshape(%1, sizes=[2,3])", ""},
    {"permute_permute",
     "%1: f32[3,2] = view.permute(%r, dims=[1,0])\n%0: f32[2,3] = view.permute(%1, dims=[1,0])", ""},
    {"permute_same", "%0: f32[2,3] = view.permute(%r, dims=[0,1])", ""},
    {"expand_expand",
     "%1: f32[1,2,3] = view.expand(%r, sizes=[1,2,3])\n%0: f32[4,2,3] = view.expand(%1, sizes=[4,2,3])",
     "view.expand"},
    {"expand_same", "%0: f32[2,3] = view.expand(%r, sizes=[2,3])", ""},
    {"slice_same", "%0: f32[2,3] = view.slice(%r, sizes=[2,3], starts=[0,0], steps=[1,1])", ""},
    {"slice_slice",
     "%1: f32[2,2] = view.slice(%r, sizes=[2,2], starts=[0,1], steps=[1,1])\n"
     "%0: f32[1,2] = view.slice(%1, sizes=[1,2], starts=[1,1], steps=[1,-1])",
     "view.slice"},
    {"put_of_the_whole",
     "%1: f32[2,3] = exp(%r)\n"
     "%0: f32[2,3] = view_put.slice(%r, %1, sizes=[2,3], starts=[0,0], steps=[1,1])",
     "exp"},
    {"put_of_what_is_there",
     "%1: f32[3] = view.select(%r, position=1)\n%0: f32[2,3] = view_put.select(%r, %1, position=1)", ""},
    {"put_twice",
     "%1: f32[3] = view.select(%r, position=1)\n%2: f32[3] = exp(%1)\n"
     "%3: f32[2,3] = view_put.select(%r, %1, position=0)\n%0: f32[2,3] = view_put.select(%3, %2, position=0)",
     "view.select exp view_put.select"},
    {"put_and_read",
     "%1: f32[3] = reduce.maximum(%r, dims=[0])\n%2: f32[2,3] = view_put.select(%r, %1, position=0)\n"
     "%0: f32[3] = view.select(%2, position=0)",
     "reduce.maximum"},
    {"cat_of_one", "%0: f32[2,3] = cat(%r, dim=1)", ""},
    {"split_of_one", "%1: f32[2,3] = split(%r, sizes=[2])\n%0: f32[2,3] = exp(%1)", "exp"},
    {"split_and_cat",
     "%1: f32[2,1], %2: f32[2,2] = split(%r, dim=1, sizes=[1,2])\n%0: f32[2,3] = cat(%1, %2, dim=1)", ""},
    {"maximum_over_nothing", "%0: f32[2,3] = reduce.maximum(%r)", ""},
    {"product_over_ones",
     "%1: f32[2,1,3] = view.reshape(%r, sizes=[2,1,3])\n%0: f32[2,3] = reduce.product(%1, dims=[1])", ""},
    {"integer_sum_over_ones",
     "%1: i64[2,3,1] = view.reshape(%r, sizes=[2,3,1])\n"
     "%0: i64[2,3] = reduce.product(%1, dims=[2], compute=i64, result=i64)",
     ""},
    {"check_of_true", "%1: bool[] = constant(true)\n%0: f32[2,3] = check(%r, %1, message=\"no\")", ""},
};
INSTANTIATE_TEST_SUITE_P(Passes, Simplified, testing::ValuesIn(rewritten),
                         [](const auto& test) { return std::string(test.param.name); });

struct Kept {
  const char* name;
  const char* inputs;
  const char* lines;  // the last one makes %0
};
void PrintTo(const Kept& k, std::ostream* stream) { *stream << k.name; }
class Unsimplified : public testing::TestWithParam<Kept> {};

TEST_P(Unsimplified, StaysAsItIs) {
  const auto& [name, inputs, lines] = GetParam();
  const GraphPointer graph = graph_of(inputs, std::string(lines) + "\n", "%0");
  EXPECT_EQ(to_string(*simplify(graph)), to_string(*graph));
}

const Kept kept[] = {
    {"plus_zero", "%x: f32[3]", "%0: f32[3] = add(%x, 0.0)"},  // -0 becomes 0
    {"plus_integer_zero", "%x: f32[3]", "%0: f32[3] = add(%x, 0)"},
    {"minus_minus_zero", "%x: f32[3]", "%0: f32[3] = sub(%x, -0.0)"},
    {"zero_minus", "%x: f32[3]", "%0: f32[3] = sub(0, %x)"},  // 0 - 0 is 0, and not -0
    {"times_zero", "%x: f32[3]", "%0: f32[3] = mul(%x, 0)"},  // of NaN and infinities
    {"minus_itself", "%x: f32[3]", "%0: f32[3] = sub(%x, %x)"},
    {"by_itself", "%x: f32[3]", "%0: f32[3] = div(%x, %x)"},
    {"power_of_one", "%x: f32[3]", "%0: f32[3] = pow(%x, 1)"},
    {"power_of_zero", "%x: f32[3]", "%0: f32[3] = pow(%x, 0)"},
    {"equal_to_itself", "%x: f32[3]", "%0: bool[3] = eq(%x, %x)"},  // NaN is not
    {"integer_by_one", "%x: i64[3]", "%0: f32[3] = div(%x, 1)"},    // gives another type
    {"times_one_of_another_type", "%x: f16[3]",
     "%1: f32[3] = constant(1.0,1.0,1.0)\n%0: f32[3] = mul(%x, %1)"},
    {"times_one_that_broadcasts", "%x: f32[3]",
     "%1: f32[2,3] = fill(shape=[2,3], value=1)\n%0: f32[2,3] = mul(%x, %1)"},
    {"complex_times_one", "%x: c64[3]", "%0: c64[3] = mul(%x, 1)"},  // infinity * (1 + 0i) is NaN
    {"convert_through_narrower", "%x: f32[3]",
     "%1: f16[3] = convert(%x, dtype=f16)\n%0: f32[3] = convert(%1, dtype=f32)"},
    {"double_to_half_through_float", "%x: f64[3]",
     "%1: f32[3] = convert(%x, dtype=f32)\n%0: f16[3] = convert(%1, dtype=f16)"},
    {"integer_through_float", "%x: i32[3]",
     "%1: f32[3] = convert(%x, dtype=f32)\n%0: i32[3] = convert(%1, dtype=i32)"},
    {"long_through_double", "%x: i64[3]",
     "%1: f64[3] = convert(%x, dtype=f64)\n%0: i64[3] = convert(%1, dtype=i64)"},
    {"signed_through_unsigned", "%x: i32[3]",
     "%1: u64[3] = convert(%x, dtype=u64)\n%0: f32[3] = convert(%1, dtype=f32)"},
    {"to_truth_and_back", "%x: f32[3]",
     "%1: bool[3] = convert(%x, dtype=bool)\n%0: f32[3] = convert(%1, dtype=f32)"},
    {"convert_to_an_order", "%x: f32[2,3]", "%0: f32[2,3] = convert(%x, dtype=f32, order=row_major)"},
    {"convert_of_a_view", "%x: f32[3]",
     "%1: f32[2,3] = view.expand(%x, sizes=[2,3])\n%0: f32[2,3] = convert(%1, dtype=f32)"},
    {"not_not_of_numbers", "%x: i64[3]", "%1: bool[3] = logical_not(%x)\n%0: bool[3] = logical_not(%1)"},
    {"both_of_numbers", "%x: i64[3]", "%0: bool[3] = logical_and(%x, %x)"},
    {"sum_over_ones", "%x: f32[3,1]",  // the sum of -0 alone is 0
     "%1: f32[3] = reduce.sum(%x, dims=[1])\n%0: f32[3] = reduce.sum(%1)"},
    {"mean_like_product_of_halves", "%x: f16[3,1]", "%0: f16[3] = reduce.sum(%x, dims=[1], result=f16)"},
    {"reshape_of_unknown_order", "%x: f32[2,3]",
     "%1: f32[6] = view.reshape(%x, sizes=[6])\n%0: f32[3,2] = view.reshape(%1, sizes=[3,2])"},
    {"put_elsewhere", "%x: f32[2,3], %y: f32[3]",
     "%1: f32[2,3] = view_put.select(%x, %y, position=0)\n%0: f32[2,3] = view_put.select(%1, %y, position=1)"},
    {"parts_in_another_order", "%x: f32[4]",
     "%1: f32[2], %2: f32[2] = split(%x, sizes=[2,2])\n%0: f32[4] = cat(%2, %1)"},
    {"where_of_unequal", "%x: f32[3], %y: f32[3], %c: bool[3]", "%0: f32[3] = where(%c, %x, %y)"},
    {"check_of_false", "%x: f32[3]",
     "%1: bool[] = constant(false)\n%0: f32[3] = check(%x, %1, message=\"no\")"},
    {"tanh_tanh", "%x: f32[3]", "%1: f32[3] = tanh(%x)\n%0: f32[3] = tanh(%1)"},
};
INSTANTIATE_TEST_SUITE_P(Passes, Unsimplified, testing::ValuesIn(kept),
                         [](const auto& test) { return std::string(test.param.name); });

TEST(FoldConstants, WhatDependsOnConstantsIsComputed) {
  const GraphPointer graph = graph_of("%x: f32[2]",
                                      "%1: f32[2] = constant(1.0,4.0)\n%2: f32[2] = sqrt(%1)\n"
                                      "%3: i64[3] = arange(start=0, step=2, count=3, dtype=i64)\n"
                                      "%4: i64[] = reduce.sum(%3, dims=[0], compute=i64, result=i64)\n"
                                      "%0: f32[2] = mul(%x, %2)\n",
                                      "%0, %4");
  EXPECT_EQ(to_string(*fold_constants(graph)),
            "graph(%x: f32[2]) {\n  %0: f32[2] = constant(1.0,2.0)\n  %1: i64[] = constant(6)\n"
            "  %2: f32[2] = mul(%x, %0)\n  return %2, %1\n}\n");
}

TEST(FoldConstants, NotWhatIsLargeOrFails) {
  for (const char* lines : {"%0: f32[100000] = fill(shape=[100000], value=1.5)\n",
                            "%1: f32[] = constant(2.0)\n%0: f32[100000] = view.expand(%1, sizes=[100000])\n",
                            "%1: bool[] = constant(false)\n%2: f32[] = constant(2.0)\n"
                            "%0: f32[] = check(%2, %1, message=\"no\")\n"}) {
    const GraphPointer graph = graph_of("", lines, "%0");
    EXPECT_EQ(to_string(*share(fold_constants(graph))), to_string(*share(graph)));
  }
}

TEST(FoldConstants, EffectsHappenAtEachRun) {
  const GraphPointer graph =
      graph_of("", "%1: i64[] = constant(0)\n%0: i64[] = print(%1, format=\"here\")\n", "%0");
  std::string printed;
  set_print_handler([&](std::string_view text) { printed += text; });
  const GraphPointer fast = run_pipeline(graph, default_pipeline());
  EXPECT_EQ(printed, "");
  for (int i = 0; i < 2; ++i) execute(*fast, {});
  set_print_handler({});
  EXPECT_EQ(printed, "here\nhere\n");
}

TEST(Share, EqualNodesAndConstantsBecomeOne) {
  const GraphPointer graph = graph_of("%x: f32[2]",
                                      "%1: f32[2] = constant(1.0,4.0)\n%2: f32[2] = constant(1.0,4.0)\n"
                                      "%3: f32[2] = mul(%x, %1)\n%4: f32[2] = mul(%x, %2)\n"
                                      "%0: f32[2] = add(%3, %4)\n",
                                      "%0");
  EXPECT_EQ(share(graph)->nodes().size(), 4u) << to_string(*share(graph));
  // Zeros of different signs are not equal.
  const GraphPointer zeros =
      graph_of("", "%1: f32[1] = constant(0.0)\n%2: f32[1] = constant(-0.0)\n", "%1, %2");
  EXPECT_EQ(share(zeros)->nodes().size(), 2u);
}

TEST(Share, WhatNoOutputNeedsIsLeftOut) {
  EXPECT_EQ(to_string(*share(graph_of("%x: f32[2]", "%1: f32[2] = exp(%x)\n%0: f32[2] = relu(%x)\n", "%0"))),
            "graph(%x: f32[2]) {\n  %0: f32[2] = relu(%x)\n  return %0\n}\n");
}

TEST(DropDetach, GoesWhereNobodyFollowsTheGraphBackwards) {
  const GraphPointer graph =
      graph_of("%x: f32[2], %y: f32[2]",
               "%1: f32[2] = detach(%x)\n%2: f32[2] = detach(%y)\n%0: f32[2] = mul(%1, %2)\n", "%0");
  EXPECT_EQ(to_string(*drop_detach(graph)),
            "graph(%x: f32[2], %y: f32[2]) {\n  %0: f32[2] = mul(%x, %y)\n  return %0\n}\n");
  // Gradients flow to %x only.
  EXPECT_EQ(to_string(*drop_detach(graph, {true, false})),
            "graph(%x: f32[2], %y: f32[2]) {\n  %0: f32[2] = detach(%x)\n  %1: f32[2] = mul(%0, %y)\n"
            "  return %1\n}\n");
  const GraphPointer without = drop_detach(graph);
  EXPECT_EQ(drop_detach(without), without);
}

TEST(Rebuild, APassMustKeepTypes) {
  const GraphPointer graph = graph_of("%x: f32[2]", "%0: bool[2] = gt(%x, 0)\n", "%0");
  const auto wrong = [&] {
    return rebuild(*graph, share, [](Rebuilder&, const Candidate& candidate) -> Replacement {
      return {{*candidate.value(0)}};
    });
  };
  EXPECT_ERROR(wrong(), GraphError, "a pass replaces pointwise by values of other types");
}

TEST(FoldBatchNorm, AfterConvolutionsAndProducts) {
  const Tensor weight = randn({4, 3, 3, 3}), bias = randn({4}), matrix = randn({4, 5});
  const auto statistics = [](std::int64_t n) { return TensorList{randn({n}), add(rand({n}), 0.5)}; };
  const TensorList first = statistics(4), second = statistics(5);
  const Captured captured = trace(
      [&](const TensorList& x) -> TensorList {
        const Tensor images = batch_norm(conv2d(x[0], weight, bias), first[0], first[1], bias, bias);
        return {images, batch_norm(matmul(mean(images, DimList{2, 3}), matrix), second[0], second[1])};
      },
      {randn({2, 3, 6, 6})});
  const GraphPointer folded = run_pipeline(captured.graph, inference_pipeline());
  for (const auto& node : folded->nodes()) EXPECT_NE(node->name(), "addcmul") << to_string(*folded);
  EXPECT_NO_THROW(verify(*folded));
  TensorList inputs;
  const Tensor x = randn({2, 3, 6, 6});
  for (const Source& source : captured.sources) inputs.push_back(source.argument >= 0 ? x : source.tensor);
  const TensorList expected = execute(*captured.graph, inputs), found = execute(*folded, inputs);
  for (std::size_t i = 0; i < 2; ++i) EXPECT_TRUE(allclose(found[i], expected[i], 1e-4, 1e-5));
}

TEST(FoldBatchNorm, NotWhereTheResultIsUsedOtherwise) {
  const GraphPointer graph = graph_of("%x: f32[2,3], %w: f32[3,4], %f: f32[1,4]",
                                      "%1: f32[2,4] = contraction(%x, %w)\n"
                                      "%2: f32[2,4] = addcmul(%f, %1, %f, scalars=[1])\n",
                                      "%1, %2");
  EXPECT_EQ(to_string(*fold_batch_norm(graph)), to_string(*graph));
}

// A row of cheap values that are all needed in the end.
GraphPointer keep_all(int count) {
  std::string lines = "%a0: f32[1000] = relu(%x)\n", last = "a0";
  for (int i = 1; i < count; ++i) {
    lines +=
        fmt::format("%a{}: f32[1000] = add(%x, {})\n%r{}: f32[] = reduce.sum(%a{}, dims=[0])\n", i, i, i, i);
  }
  for (int i = 1; i < count; ++i) {
    lines += fmt::format("%s{}: f32[1000] = mul(%{}, %a{})\n", i, last, i);
    last = fmt::format("s{}", i);
  }
  return graph_of("%x: f32[1000]", lines, "%" + last);
}

TEST(Rematerialize, WithinTheBudgetWithTheSameBits) {
  std::string sums;
  const GraphPointer graph = keep_all(12);
  const std::int64_t before = estimate_peak(*graph);
  EXPECT_GE(before, 12 * 4000);
  const GraphPointer lean = rematerialize(graph, before / 3);
  EXPECT_NO_THROW(verify(*lean));
  EXPECT_LE(estimate_peak(*lean), before / 3);
  EXPECT_GE(lean->nodes().size(), graph->nodes().size());
  const TensorList inputs{randn({1000})};
  EXPECT_TRUE(equal(execute(*lean, inputs)[0], execute(*graph, inputs)[0]));
  EXPECT_EQ(rematerialize(graph, before), graph) << "nothing is to be done";
  // What cannot be: the budget is not reached, and the graph still right.
  EXPECT_TRUE(equal(execute(*rematerialize(graph, 1), inputs)[0], execute(*graph, inputs)[0]));
}

TEST(Rematerialize, NotWhatIsExpensive) {
  const GraphPointer graph = graph_of("%x: f32[30,30]",
                                      "%1: f32[30,30] = contraction(%x, %x)\n%2: f32[30,30] = exp(%1)\n"
                                      "%3: f32[30,30] = softmax(%2, dim=1)\n%0: f32[30,30] = add(%3, %1)\n",
                                      "%0");
  const GraphPointer lean = rematerialize(graph, 0);
  EXPECT_EQ(names_of(*lean), names_of(*graph));
}

TEST(Rematerialize, ViewsAreTakenAnew) {
  const GraphPointer graph =
      graph_of("%x: f32[10,10]",
               "%1: f32[10,10] = exp(%x)\n%2: f32[10,10] = view.permute(%1, dims=[1,0])\n"
               "%3: f32[10,10] = neg(%x)\n%4: f32[10,10] = contraction(%3, %3)\n"
               "%6: f32[10,10] = contraction(%4, %3)\n%5: f32[10,10] = contraction(%6, %6)\n"
               "%0: f32[10,10] = add(%5, %2)\n",
               "%0");
  const GraphPointer lean = rematerialize(graph, 0);
  EXPECT_LT(estimate_peak(*lean), estimate_peak(*graph));
  EXPECT_NO_THROW(verify(*lean));
  const TensorList inputs{randn({10, 10})};
  EXPECT_TRUE(equal(execute(*lean, inputs)[0], execute(*graph, inputs)[0]));
}

TEST(Pipeline, LogsVerifiesAndPrintsByLevel) {
  const GraphPointer graph = graph_of("%x: f32[2]", "%0: f32[2] = mul(%x, 1)\n", "%0");
  const auto logged = [&](int level) {
    testing::internal::CaptureStderr();
    {
      const DebugScope scope(level);
      run_pipeline(graph, named_pipeline({"simplify", "share"}));
    }
    return testing::internal::GetCapturedStderr();
  };
  EXPECT_EQ(logged(0), "");
  EXPECT_EQ(logged(1), "simplify: 2 -> 1 nodes\nshare (unchanged)\n");
  EXPECT_EQ(logged(2), logged(1));
  EXPECT_NE(logged(3).find("return %x"), std::string::npos);
  EXPECT_ERROR(named_pipeline({"simplfy"}), ValueError, "there are simplify, fold_constants");
  EXPECT_ERROR(DebugScope(8), ValueError, "not one of 0 to 7");
}

// --- branches and loops

std::string pruned(const std::string& text) { return to_string(*share(prune_regions(parse(text)))); }

TEST(PruneRegions, LeavesOutStatesThatOnlyMakeThemselves) {
  EXPECT_EQ(pruned(R"(graph(%n: i64[], %x: f32[2], %y: f32[2], %z: f32[2]) {
  %0: f32[2], %1: f32[2], %2: f32[2] = for_loop(%n, %x, %y, %z, %y) (%i: i64[], %a: f32[2], %b: f32[2], %c: f32[2], %d: f32[2]) {
    %0: f32[2] = add(%a, %c)
    %1: f32[2] = mul(%b, %d)
    return %0, %1, %c
  }
  return %0, %2
}
)"),
            R"(graph(%n: i64[], %x: f32[2], %y: f32[2], %z: f32[2]) {
  %0: f32[2] = for_loop(%n, %x, %z) (%i: i64[], %a: f32[2], %c: f32[2]) {
    %0: f32[2] = add(%a, %c)
    return %0
  }
  return %0, %z
}
)");
}

TEST(PruneRegions, KeepsWhatTheTestOfALoopNeeds) {
  const std::string text = R"(graph(%x: f32[], %y: f32[]) {
  %0: f32[], %1: f32[] = while_loop(%x, %y) (%a: f32[], %b: f32[]) {
    %0: bool[] = lt(%a, 10)
    return %0
  } (%a: f32[], %b: f32[]) {
    %0: f32[] = add(%a, 1)
    %1: f32[] = add(%b, %a)
    return %0, %1
  }
  return %1
}
)";
  EXPECT_EQ(pruned(text), text);
}

TEST(PruneRegions, LeavesOutResultsAndOperandsOfBranches) {
  EXPECT_EQ(pruned(R"(graph(%c: bool[], %x: f32[2], %y: f32[3]) {
  %0: f32[2], %1: f32[3] = cond(%c, %x, %y) (%a: f32[2], %b: f32[3]) {
    %0: f32[2] = neg(%a)
    %1: f32[3] = neg(%b)
    return %0, %1
  } (%a: f32[2], %b: f32[3]) {
    return %a, %b
  }
  return %0
}
)"),
            R"(graph(%c: bool[], %x: f32[2], %y: f32[3]) {
  %0: f32[2] = cond(%c, %x) (%a: f32[2]) {
    %0: f32[2] = neg(%a)
    return %0
  } (%a: f32[2]) {
    return %a
  }
  return %0
}
)");
}

TEST(PruneRegions, LoopsWithoutUseGo) {
  EXPECT_EQ(pruned(R"(graph(%n: i64[], %x: f32[2]) {
  %0: f32[2] = for_loop(%n, %x, %x) (%i: i64[], %a: f32[2], %d: f32[2]) {
    return %a
  }
  return %0
}
)")
                .find("for_loop"),
            std::string::npos);
}

}  // namespace
}  // namespace phlox::graph
