#include <gtest/gtest.h>
#include <signal.h>

#include <cstdio>

#include "error_matching.h"
#include "phlox/metrics/classification.h"
#include "phlox/nn/nn.h"
#include "phlox/ops/functions.h"
#include "phlox/train/interrupt.h"
#include "phlox/train/predict.h"
#include "phlox/train/progress.h"

namespace phlox {
namespace {

std::string text_of(std::FILE* file) {
  std::rewind(file);
  std::string text(4096, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file));
  return text;
}

TEST(ProgressTest, CountsAndWritesALineAStepIntoAFile) {
  std::FILE* file = std::tmpfile();
  {
    auto bar = progress(3, {.unit = "images", .stream = file});
    int expected = 0;
    for (int epoch : bar) {
      EXPECT_EQ(epoch, expected++);
      bar.count(500);
      bar.set("loss", 0.125 * epoch);
    }
    EXPECT_EQ(expected, 3);
  }
  const std::string text = text_of(file);
  std::fclose(file);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 3) << text;
  EXPECT_NE(text.find("epoch 2/3 [####################----------]"), std::string::npos) << text;
  EXPECT_NE(text.find("images/s, loss 0.25\n"), std::string::npos) << text;
}

TEST(ProgressTest, DrawsOneLineAnewOnATerminal) {
  std::FILE* file = std::tmpfile();
  {
    auto bar = progress(2, {.stream = file, .terminal = true});
    for (int epoch : bar) bar.set("a rather long name", epoch);
    bar.set("b", 1);
  }
  const std::string text = text_of(file);
  std::fclose(file);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1) << text;
  EXPECT_GE(std::count(text.begin(), text.end(), '\r'), 3) << text;
  for (int epoch : progress(2, {.stream = nullptr})) EXPECT_LT(epoch, 2);
  EXPECT_ERROR(progress(-1), ValueError, "-1 steps");
}

TEST(PredictTest, RunsInEvaluationModeAndPutsModesBack) {
  struct Net : nn::Module {
    nn::Linear body{this, "body", 3, 4};
    nn::Dropout dropout{this, "dropout", 0.5};
    Tensor forward(Tensor x) override { return dropout(body(x)); }
  } net;
  net.body.set_training(false);
  const Tensor input = rand({7, 3});
  const Tensor output = predict(net, input, 3);
  EXPECT_FALSE(output.requires_grad());
  EXPECT_TRUE(allclose(output, net.body(input)));
  EXPECT_TRUE(net.training());
  EXPECT_TRUE(net.dropout.training());
  EXPECT_FALSE(net.body.training());
  EXPECT_ERROR(predict(net, input, 0), ValueError, "batch_size is 0");
  EXPECT_ERROR(predict(net, rand({7, 2})), ShapeError, "linear");
  struct Total : nn::Module {
    Tensor forward(Tensor x) override { return x.sum(); }
  } total;
  EXPECT_ERROR(predict(total, input), ShapeError, "predict: the module gives one number");
  EXPECT_TRUE(net.training());
}

TEST(InterruptTest, TheFirstSignalOnlySetsAFlag) {
  struct sigaction before, after;
  sigaction(SIGINT, nullptr, &before);
  {
    train::Interrupt interrupt;
    EXPECT_FALSE(interrupt.requested());
    raise(SIGINT);
    EXPECT_TRUE(interrupt.requested());
    train::Interrupt nested;
    EXPECT_TRUE(nested.requested());
  }
  sigaction(SIGINT, nullptr, &after);
  EXPECT_EQ(before.sa_handler, after.sa_handler);
  EXPECT_FALSE(train::Interrupt().requested());
}

TEST(MetricsTest, AccuracyAndConfusion) {
  const Tensor scores = from_values<float>(std::array<float, 12>{1, 2, 0, 5, 1, 1, 0, 0, 3, 0, 9, 1}, {4, 3});
  const Tensor target = from_values<std::int64_t>(std::array<std::int64_t, 4>{1, 0, 2, 2}, {4});
  EXPECT_EQ(metrics::predicted_classes(scores), (std::vector<std::int64_t>{1, 0, 2, 1}));
  EXPECT_EQ(metrics::accuracy(scores, target), 0.75);
  EXPECT_EQ(metrics::accuracy(target, target), 1);
  metrics::ConfusionMatrix confusion(3);
  confusion.update(scores, target);
  confusion.update(scores, target);
  EXPECT_EQ(confusion.count(2, 1), 2);
  EXPECT_EQ(confusion.total(), 8);
  EXPECT_EQ(confusion.accuracy(), 0.75);
  EXPECT_EQ(confusion.to_tensor().to_vector<int>(), (std::vector<int>{2, 0, 0, 0, 2, 0, 0, 2, 2}));
  EXPECT_ERROR(metrics::accuracy(scores, zeros({3})), ShapeError, "f32[4,3]");
  EXPECT_ERROR(metrics::ConfusionMatrix(2).update(scores, target), IndexError, "no class 2");
  EXPECT_ERROR(metrics::ConfusionMatrix(0), ValueError, "positive");
}

}  // namespace
}  // namespace phlox
