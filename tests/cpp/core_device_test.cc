#include <gtest/gtest.h>

#include "phlox/base/error.h"
#include "phlox/core/device.h"
#include "phlox/core/tensor.h"

namespace phlox {
namespace {

TEST(DeviceTest, NamesGoRound) {
  for (const char* name : {"cpu", "cuda:0", "cuda:7", "null"}) EXPECT_EQ(to_string(parse_device(name)), name);
  EXPECT_EQ(parse_device("cuda"), parse_device("cuda:0"));
  EXPECT_EQ(parse_device("cpu:0"), Device{});
  for (const char* name : {"", "tpu", "cuda:", "cuda:x", "cuda:256", "cuda:-1", "cpu:1"})
    EXPECT_THROW(parse_device(name), DeviceError) << name;
}

TEST(DeviceTest, WhatIsNotThereCannotBeUsed) {
  EXPECT_TRUE(is_available(Device{}));
  Device cuda = parse_device("cuda:0");
  if (is_available(cuda)) GTEST_SKIP() << "there is a GPU";
  EXPECT_THROW(set_default_device(cuda), DeviceError);
  EXPECT_THROW(make_tensor({2}, DType::float32, cuda), DeviceError);
  EXPECT_EQ(default_device(), Device{});
}

}  // namespace
}  // namespace phlox
