// The form of errors, and whole texts as C++ programs see them.
#include "phlox/base/error.h"

#include <gtest/gtest.h>

#include "error_matching.h"
#include "phlox/io/safetensors.h"
#include "phlox/nn/nn.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/operators.h"
#include "temporary_folder.h"

namespace phlox {
namespace {

TEST(ErrorTest, PutsNamesAndNotesInColumnsAndTheCureLast) {
  const int x = 0, weight = 0;
  Error error(ErrorCode::inner_sizes_differ, "matmul: inner sizes differ, 4 and 3");
  error.add_detail("lhs", "f32[3,4] cpu", &x);
  error.add_detail("rhs", "f32[30,40] cpu", &weight);
  error.add_hint("<lhs> @ <rhs>.T");
  EXPECT_STREQ(error.what(),
               "[E0203] matmul: inner sizes differ, 4 and 3\n"
               "  lhs  f32[3,4] cpu\n"
               "  rhs  f32[30,40] cpu\n"
               "  try  lhs @ rhs.T");
  error.set_name(&x, "a + b");
  error.set_note(&weight, "Linear \"0.weight\"");
  error.add_detail("at", "train.py:3");
  EXPECT_STREQ(error.what(),
               "[E0203] matmul: inner sizes differ, 4 and 3\n"
               "  lhs  a + b  f32[3,4] cpu\n"
               "  rhs         f32[30,40] cpu   Linear \"0.weight\"\n"
               "  at   train.py:3\n"
               "  try  (a + b) @ rhs.T");
}

TEST(ErrorTest, AnInnerStepTakesTheNameOfWhatWasCalled) {
  Error error(ErrorCode::invalid_value, "item: a tensor of 6 elements is not a single number");
  error.set_operation("float");
  EXPECT_EQ(error.summary(), "float: a tensor of 6 elements is not a single number");
  Error plain(ErrorCode::integer_overflow, "the integer 300 does not fit uint8");
  plain.set_operation("fill_");
  EXPECT_EQ(plain.summary(), "fill_: the integer 300 does not fit uint8");
}

TEST(ErrorTest, ModulesNameTheirParameters) {
  struct Net : nn::Module {
    nn::Linear first{this, "first", 4, 3};
    nn::Linear second{this, "second", 5, 2};
    Tensor forward(Tensor x) override { return second(first(x)); }
  };
  Net net;
  EXPECT_EQ(error_text([&] { net(ones({8, 4})); }),
            "[E0203] linear: input has 3 features, the weight takes 5\n"
            "  input   f32[8,3] cpu\n"
            "  weight  f32[2,5] cpu   Linear \"second.weight\"\n"
            "  try     input.flatten(1) joins all but the batch dimension; or a layer for 3 features");
}

TEST(ErrorTest, WholeTexts) {
  const Tensor x = ones({3, 4}), w = ones({3, 4}), v = ones({3});
  EXPECT_EQ(
      error_text([&] { x + v; }),
      "[E0201] add: shapes [3,4] and [3] do not broadcast\n"
      "  lhs  f32[3,4] cpu\n"
      "  rhs  f32[3] cpu\n"
      "  try  sizes must be equal or 1, counted from the last dimension; unsqueeze() or reshape() one side");
  EXPECT_EQ(error_text([&] { x[{Slice{0, 2}, 4}]; }),
            "[E0501] index: position 4 is out of range for dimension 1 of size 4\n"
            "  try  allowed are -4 to 3");
  EXPECT_EQ(error_text([&] { Tensor().sum(); }), "[E0102] a tensor is used that was never given a value");
  EXPECT_EQ(error_text([&] { ones({2}).data<double>(); }).substr(0, 7), "[E0301]");
  const Tensor leaf = ones({2}).set_requires_grad();
  EXPECT_EQ(
      error_text([&] { leaf.add_(1); }),
      "[E0603] add: a leaf that requires gradients cannot be modified in place\n"
      "  tensor  f32[2] cpu\n"
      "  try     with no_grad(): for updates and initialisation; else the form that returns a new tensor");
  TemporaryFolder folder;
  write_text(folder / "model.safetensors", "<!DOCTYPE html><title>Not found</title>");
  EXPECT_EQ(error_text([&] { load_safetensors(folder / "model.safetensors"); }),
            "[E0803] load_safetensors: this is no safetensors file but a web page\n"
            "  file  " +
                (folder / "model.safetensors").string() +
                ", 39 bytes\n"
                "  byte  0");
}

}  // namespace
}  // namespace phlox
