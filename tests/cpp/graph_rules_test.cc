// Graphs that somebody wrote by hand, wrongly or with bad intent: each primitive refuses what it cannot do.
#include <gtest/gtest.h>

#include "error_matching.h"
#include "phlox/graph/captured.h"
#include "phlox/graph/graph.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/primitives/rules.h"

namespace phlox::graph {
namespace {

GraphPointer graph_of(const std::string& inputs, const std::string& node) {
  return parse("graph(" + inputs + ") {\n  " + node + "\n  return %0\n}\n");
}

TEST(GraphRules, EveryPrimitiveHasARule) {
  for (const Primitive* primitive : primitives())
    EXPECT_NE(find_rule(*primitive), nullptr) << primitive->name;
}

TEST(GraphRules, NumbersOfPrimitivesAreTheirOwn) {
  const Primitive* before = nullptr;
  for (const Primitive* primitive : primitives()) {
    EXPECT_TRUE(!before || before->number < primitive->number) << before->name << ", " << primitive->name;
    before = primitive;
  }
}

struct Refused {
  const char* inputs;
  const char* node;
  const char* reason;
};

void PrintTo(const Refused& refused, std::ostream* stream) { *stream << refused.node; }

class Refusals : public testing::TestWithParam<Refused> {};

TEST_P(Refusals, AreGraphErrorsWithAReason) {
  const auto& [inputs, node, reason] = GetParam();
  EXPECT_ERROR(graph_of(inputs, node), GraphError, reason);
}

const Refused refused[] = {
    // numbers of inputs, and what they are
    {"%x: f32[2]", "%0: f32[2] = softmax(dim=0)", "takes 1 inputs, not 0"},
    {"%x: f32[2]", "%0: f32[2] = softmax(%x, %x, dim=0)", "takes 1 inputs, not 2"},
    {"%x: f32[2]", "%0: f32[2] = softmax(none, dim=0)", "input 0 cannot be left out"},
    {"%x: f32[2]", "%0: f32[2] = softmax(3, dim=0)", "input 0 is a number"},
    {"%x: f32[2]", "%0: f32[2] = add(%x)", "takes 2 inputs, not 1"},
    {"%x: f32[2]", "%0: f32[2] = add(%x, none)", "input 1 cannot be left out"},
    {"%x: f32[2]", "%0: i64[] = add(1, 2)", "numbers alone"},
    {"%x: f32[2]", "%0: f32[2] = add(%x, 1, scalars=[1,2,3,4,5,6,7,8])", "scalars"},
    {"%x: f32[2]", "%0: f32[2] = fill(%x, shape=[2])", "takes 0 inputs"},
    {"%x: f32[2]", "%0: f32[2] = cat()", "no inputs"},
    {"%x: str[2]", "%0: str[2] = add(%x, %x)", "one cannot compute with"},
    // effects
    {"%c: f32[]", "%0: i64[] = print(%c, format=\"a\")", "the count of effects"},
    {"%c: i64[2]", "%0: i64[] = print(%c, format=\"a\")", "is not i64[]"},
    {"%c: i64[]", "%0: i64[] = print(%c, format=\"{}\")", "asks for tensor 0"},
    {"%c: i64[]", "%0: i64[] = print(%c, %c, format=\"{9999999999}\")", "not the number of a tensor"},
    {"%c: i64[]", "%0: i64[] = print()", "no inputs"},
    {"%c: i64[]", "%0: i64[] = callback(%c, name=\"show\")", "\"show\" is an object of the program"},
    // views
    {"%x: f32[2,3]", "%0: f32[2,3] = view.permute(%x, dims=[0,7])", "dims holds 7"},
    {"%x: f32[2,3]", "%0: f32[2,2] = view.permute(%x, dims=[0,0])", "dims holds 0 twice"},
    {"%x: f32[2,3]", "%0: f32[2] = view.permute(%x, dims=[0])", "dims are 1, not 2"},
    {"%x: f32[2,3]", "%0: f32[7] = view.reshape(%x, sizes=[7])", "does not hold 6 elements"},
    {"%x: f32[2,3]", "%0: f32[6] = view.reshape(%x, sizes=[-2,-3])", "sizes holds -2"},
    {"%x: f32[0]", "%0: f32[0] = view.reshape(%x, sizes=[0,4611686018427387904,4611686018427387904])",
     "more elements"},
    {"%x: f32[2,3]", "%0: f32[2,4] = view.expand(%x, sizes=[2,4])", "dimension 1 cannot become"},
    {"%x: f32[2,3]", "%0: f32[3] = view.expand(%x, sizes=[3])", "fewer dimensions"},
    {"%x: f32[1]", "%0: f32[1] = view.expand(%x, sizes=[4611686018427387904,8])", "more elements"},
    {"%x: f32[2,3]", "%0: f32[3] = view.select(%x, dim=0, position=2)", "position 2"},
    {"%x: f32[2,3]", "%0: f32[3] = view.select(%x, dim=2, position=0)", "dim is 2"},
    {"%x: f32[]", "%0: f32[] = view.select(%x, dim=0, position=0)", "no dimension"},
    {"%x: f32[5]", "%0: f32[3] = view.slice(%x, sizes=[3], starts=[3], steps=[1])", "beyond 5 elements"},
    {"%x: f32[5]", "%0: f32[2] = view.slice(%x, sizes=[2], starts=[0], steps=[9223372036854775807])",
     "beyond 5 elements"},
    {"%x: f32[5]", "%0: f32[2] = view.slice(%x, sizes=[2])", "other lengths"},
    {"%x: f32[5]", "%0: f32[-2] = view.slice(%x, sizes=[-2], starts=[0], steps=[1])", "not a size"},
    {"%x: f32[3,3]", "%0: f32[3] = view.diagonal(%x, offset=0, dim1=1, dim2=1)", "twice"},
    {"%x: f32[3,3]", "%0: f32[3] = view.diagonal(%x, offset=-9223372036854775808, dim1=0, dim2=1)", "offset"},
    {"%x: f32[5]", "%0: f32[2,3] = view.unfold(%x, dim=0, size=3, step=0)", "0 apart"},
    {"%x: f32[5]", "%0: f32[2,9] = view.unfold(%x, dim=0, size=9, step=1)", "windows of 9"},
    {"%x: f32[5]", "%0: f32[3] = view.strided(%x, sizes=[3], strides=[2], offset=1)", "beyond 5 elements"},
    {"%x: f32[5]", "%0: f32[3] = view.strided(%x, sizes=[3], strides=[-1], offset=1)", "beyond 5 elements"},
    {"%x: f32[5]", "%0: f32[3] = view.strided(%x, sizes=[3], strides=[], offset=1)", "other lengths"},
    {"%x: f32[2]", "%0: f32[2,2] = view.real_pairs(%x)", "not complex"},
    {"%x: f32[3]", "%0: c64[] = view.complex_pairs(%x)", "does not hold pairs"},
    {"%x: i64[2]", "%0: c64[] = view.complex_pairs(%x)", "neither float32 nor float64"},
    {"%x: f32[3]", "%0: f32[5] = view_gradient.slice(%x, sizes=[2], starts=[0], steps=[1], shape=[5])",
     "not [2]"},
    {"%x: f32[3]", "%0: f32[5] = view_gradient.slice(%x, sizes=[3], starts=[0], steps=[1], shape=[-5])",
     "shape holds -5"},
    {"%x: f32[6]", "%0: f32[6] = view_gradient.strided(%x, sizes=[6], strides=[1], shape=[6])",
     "another gradient"},
    {"%x: f32[6], %y: f32[2]", "%0: f32[6] = view_put.slice(%x, %y, sizes=[3], starts=[0], steps=[1])",
     "not [3]"},
    {"%x: f32[6], %y: f32[6]", "%0: f32[6] = view_put.reshape(%x, %y, sizes=[6])", "shows all"},
    {"%x: f32[5]", "%0: f32[2], %1: f32[4] = split(%x, sizes=[2,4])", "not those of 5"},
    {"%x: f32[5]", "%0: f32[2] = split(%x, sizes=[2])", "3 elements out"},
    {"%x: f32[5]", "%0: f32[5] = split(%x, dim=1, sizes=[5])", "dim is 1"},
    {"%x: f32[5]", "%0: f32[10] = cat(%x, %x, dim=3)", "dim is 3"},
    {"%x: f32[5], %y: f32[]", "%0: f32[10] = cat(%x, %y)", "differ in their dimensions"},
    // creation and conversion
    {"", "%0: f32[3] = fill(shape=[-3])", "shape holds -3"},
    {"", "%0: f32[3] = fill(shape=[99999999999,99999999999])", "more elements"},
    {"", "%0: f32[3] = arange(start=0, step=1, count=-3)", "count holds -3"},
    {"%x: f32[99999999999,99999999999]", "%0: f32[3] = relu(%x)", "as large as"},
    {"%x: f32[2]", "%0: str[2] = convert(%x, dtype=str)", "one cannot compute with"},
    // reductions and orders
    {"%x: f32[2,3]", "%0: f32[2] = reduce.sum(%x, dims=[5])", "dims holds 5"},
    {"%x: f32[2,3]", "%0: f32[2] = reduce.sum(%x, dims=[1,1])", "twice"},
    {"%x: f32[2,3]", "%0: f32[2] = reduce.sum(%x, dims=[1], compute=i8)", "does not compute in int8"},
    {"%x: c64[2,3]", "%0: c64[2] = reduce.product(%x, dims=[1], result=c64)", "sums only"},
    {"%x: f32[2,3]", "%0: i64[2,1] = arg_reduce(%x, dim=-1)", "dim is -1"},
    {"%x: c64[2,3]", "%0: i64[2,1] = arg_reduce(%x, dim=1)", "no order"},
    {"%x: f32[2,3]", "%0: f32[2,3] = scan.sum(%x, dim=2)", "dim is 2"},
    {"%x: f32[2,3]", "%0: c64[2,3] = scan.sum(%x, dim=1, result=c64)", "cannot be complex64"},
    {"%x: f32[2,3]", "%0: f32[2,9], %1: i64[2,9] = sort(%x, dim=1, count=9)", "first 9 of 3"},
    {"%x: f32[2,3]", "%0: f32[2,3], %1: i64[2,3] = sort(%x, dim=1, count=-1)", "first -1 of 3"},
    {"%x: f16[3]", "%0: i64[3] = search(%x, %x)", "does not search in float16"},
    {"%x: f32[2,3], %y: f32[3,3]", "%0: i64[3,3] = search(%x, %y)", "leading dimensions"},
    {"%x: f32[3]", "%0: f32[3] = softmax(%x, dim=1)", "dim is 1"},
    {"%x: i64[3]", "%0: i64[3] = softmax(%x)", "not floating"},
    {"%x: f32[3], %y: f32[2]", "%0: f32[3] = softmax_gradient(%x, %y)", "not [3]"},
    // places
    {"%x: f32[3], %i: i64[2]", "%0: f32[2] = index(%x, %i, dims=[4])", "dims holds 4"},
    {"%x: f32[3], %i: i64[2]", "%0: f32[2] = index(%x, %i, dims=[])", "0 dimensions for 2 inputs"},
    {"%x: f32[3], %i: i64[2]", "%0: f32[2] = index(%x, %i, dims=[0], position=5)", "position is 5"},
    {"%x: f32[3,3], %i: i64[2]", "%0: f32[2] = index(%x, %i, %i, dims=[1,0])", "do not ascend"},
    {"%x: f32[3], %i: i64[2]", "%0: f32[3] = index_put(%x, dims=[0])", "inputs"},
    {"%x: f32[3], %i: i64[2]", "%0: f32[2] = gather(%x, %i, dim=1)", "dim is 1"},
    {"%x: f32[3], %i: i64[2]", "%0: f32[3] = scatter(%x, %i, 1, dim=0)", "input 2 is a number"},
    // heavy primitives
    {"%x: f32[2,3]", "%0: f32[2,3] = contraction(%x, %x)", "inner sizes are 3 and 2"},
    {"%x: f32[3]", "%0: f32[3] = contraction(%x, %x)", "two matrices"},
    {"%x: f32[3,3], %y: f64[3,3]", "%0: f32[3,3] = contraction(%x, %y)", "not float32"},
    {"%x: f32[3,3], %b: f32[4]", "%0: f32[3,3] = contraction(%x, %x, %b)", "not [3]"},
    {"%x: f32[1,2,5], %w: f32[3,2,3]",
     "%0: f32[1,3,3] = convolution(%x, %w, sizes=[3], stride=[0], padding_before=[0], padding_after=[0], "
     "dilation=[1])",
     "stride holds 0"},
    {"%x: f32[1,2,5], %w: f32[3,2,3]", "%0: f32[1,3,3] = convolution(%x, %w, sizes=[3])", "stride has 0"},
    {"%x: f32[1,2,5], %w: f32[3,4,3]",
     "%0: f32[1,3,3] = convolution(%x, %w, sizes=[3], stride=[1], padding_before=[0], padding_after=[0], "
     "dilation=[1])",
     "2 channels meet weights for 4"},
    {"%x: f32[1,2,5]", "%0: f32[1,2,3], %1: i32[1,2,3] = max_pool(%x, output=[3])", "kernel has 0"},
    {"%x: f32[1,2]", "%0: f32[1,2,3], %1: i32[1,2,3] = max_pool(%x, output=[3])", "2 dimensions"},
    {"%x: f32[1,2,5], %i: i32[1,2,4]", "%0: f32[1,2,9] = max_pool_scatter(%x, %i, spatial=[9])", "indices"},
    {"%x: f32[1,2,5]", "%0: f32[1,2,9] = average_pool_transpose(%x, spatial=[9], output=[4], adaptive=true)",
     "not what pooling gives"},
    {"%x: f32[2,3], %y: i64[3]", "%0: f32[3], %1: f32[3,2] = cross_entropy(%x, %y, none)", "not [2]"},
    {"%x: f32[2,3], %y: i64[2], %w: f32[2]", "%0: f32[2], %1: f32[2,2] = cross_entropy(%x, %y, %w)",
     "not [3]"},
    {"%x: f32[2,3]",
     "%0: f32[2,3], %1: f32[2,1], %2: f32[2,1], %3: f32[2,1] = normalize(%x, none, none, outer=9, kept=9, "
     "inner=9, run=9, channels=9, dims=[1])",
     "not one of 6 elements"},
    {"%x: f32[2,3]", "%0: f32[2,3] = normalize(%x, none, none)", "the layout holds 0"},
    // randomness and checks
    {"%s: i64[2]", "%0: f32[3] = random.uniform(%s, shape=[3])", "the state is [2]"},
    {"%s: i64[3]", "%0: i64[3] = random.normal(%s, shape=[3], dtype=i64)", "not int64"},
    {"%s: i64[3], %x: f32[3]", "%0: f32[3] = dropout(%x, %s, probability=1.5)", "not a probability"},
    {"%s: i64[3], %x: f32[3]", "%0: f32[3] = dropout(%x, %s, probability=nan)", "not a probability"},
    {"%x: f32[3], %c: bool[3]", "%0: f32[3] = check(%x, %c)", "one truth value"},
};
INSTANTIATE_TEST_SUITE_P(All, Refusals, testing::ValuesIn(refused));

TEST(GraphRules, ErrorsOfOperationsThemselvesComeThrough) {
  EXPECT_THROW(graph_of("%x: f32[3], %y: f32[2]", "%0: f32[3] = add(%x, %y)"), ShapeError);
  EXPECT_THROW(graph_of("%x: f32[3], %i: f32[2]", "%0: f32[2] = gather(%x, %i)"), IndexError);
  EXPECT_THROW(graph_of("%x: f32[3]@cuda", "%0: f32[3] = relu(%x)"), DeviceError);
  EXPECT_THROW(graph_of("%x: f32[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]",
                        "%0: f32[1] = relu(%x)"),
               ShapeError);
}

TEST(GraphRules, NamesOfGradientsThatNobodyKnows) {
  std::string name = "tanh";
  for (int i = 0; i < 100000; ++i) name += ".gradient0";
  EXPECT_ERROR(graph_of("%x: f32[3]", "%0: f32[3] = " + name + "(%x)"), GraphError, "no primitive");
}

TEST(GraphRules, MessagesMayHoldAnything) {
  const std::string line = R"(%0: f32[2] = check(%x, %c, message="no, [not \"so\" = 3  # ) \\ at\nall"))";
  const GraphPointer graph = graph_of("%x: f32[2], %c: bool[]", line);
  EXPECT_NE(to_string(*graph).find(line), std::string::npos) << to_string(*graph);
  const TensorList inputs{ones({2}), Tensor(false)};
  EXPECT_ERROR(execute(*graph, inputs), ValueError, "no, [not \"so\" = 3  # ) \\ at\nall");
}

// Values are checked when the graph runs.
TEST(GraphRules, ValuesThatReachBeyondAreErrorsOfTheRun) {
  const auto run = [](const GraphPointer& graph, const TensorList& inputs) { execute(*graph, inputs); };
  const GraphPointer scatter =
      graph_of("%x: f32[1,1,2], %i: i32[1,1,2]", "%0: f32[1,1,3] = max_pool_scatter(%x, %i, spatial=[3])");
  const GraphPointer gather =
      graph_of("%x: f32[1,1,3], %i: i32[1,1,2]", "%0: f32[1,1,2] = max_pool_gather(%x, %i)");
  for (std::int64_t bad : {std::int64_t{3}, std::int64_t{-1}}) {
    const Tensor indices = full({1, 1, 2}, bad, DType::int32);
    EXPECT_THROW(run(scatter, {ones({1, 1, 2}), indices}), IndexError);
    EXPECT_THROW(run(gather, {ones({1, 1, 3}), indices}), IndexError);
  }
  const GraphPointer loss = graph_of("%x: f32[2,3], %y: i64[2], %s: f32[2,2], %g: f32[2]",
                                     "%0: f32[2,3] = cross_entropy_gradient(%x, %y, none, %s, %g)");
  EXPECT_THROW(run(loss, {ones({2, 3}), full({2}, 3, DType::int64), ones({2, 2}), ones({2})}), IndexError);
}

TEST(GraphRules, OneValueIsNotScatteredToSeveralPlaces) {
  EXPECT_THROW(graph_of("%x: f32[4], %i: i64[4], %v: f32[]", "%0: f32[4] = scatter(%x, %i, %v)"), ShapeError);
  EXPECT_THROW(scatter(zeros({4}), 0, zeros({4}, DType::int64), Tensor(1.0)), ShapeError);
}

// Primitives take values in any memory order, also those that work on rows.
TEST(GraphRules, MemoryOrderIsNoPartOfAValue) {
  const GraphPointer graph = parse(
      "graph(%x: f32[3,2], %y: i64[2,4], %l: f32[2,4,5]) {\n"
      "  %0: f32[2,3] = view.permute(%x, dims=[1,0])\n"
      "  %1: i64[2,3] = search(%0, %0)\n"
      "  %2: i64[4,2] = view.permute(%y, dims=[1,0])\n"
      "  %3: f32[4,2,5] = view.permute(%l, dims=[1,0,2])\n"
      "  %4: f32[4,2], %5: f32[4,2,2] = cross_entropy(%3, %2, none)\n"
      "  return %1, %4\n}\n");
  const Tensor x = Tensor({{1, 4}, {2, 5}, {3, 6}}).to(DType::float32), l = randn({2, 4, 5});
  const Tensor y = Tensor({{0, 1, 2, 3}, {4, 3, 2, 1}});
  const TensorList results = execute(*graph, TensorList{x, y, l});
  EXPECT_EQ(results[0].to_vector<std::int64_t>(), (std::vector<std::int64_t>{0, 1, 2, 0, 1, 2}));
  const Tensor expected = cross_entropy(reshape(permute(l, {1, 0, 2}), {8, 5}),
                                        reshape(permute(y, {1, 0}), {8}), {}, -100, "none");
  EXPECT_EQ(results[1].contiguous().to_vector<float>(), expected.to_vector<float>());
}

}  // namespace
}  // namespace phlox::graph
