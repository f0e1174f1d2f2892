#include "phlox/ops/registry/added_operations.h"

#include <gtest/gtest.h>

namespace phlox {
namespace {

CustomKernel kernel_named(const std::string& name) {
  return {.name = name,
          .types = [](std::span<const CustomType> inputs,
                      std::span<const Scalar>) { return std::vector<CustomType>{inputs[0]}; },
          .run = [](std::span<const Tensor>, std::span<const Scalar>, std::span<const Tensor>) {},
          .gradient = {}};
}

TEST(AddedOperations, ARefusedKernelIsNotAdded) {
  for (const char* signature : {"(int width, Tensor input)", "(Tensor input, str text)", "Tensor input",
                                "(Tensor input, int width = 1, Tensor other)", "()"})
    EXPECT_THROW(add_kernel_operation(kernel_named("refused"), signature, "", 1), ValueError) << signature;
  EXPECT_THROW(add_kernel_operation(kernel_named("refused"), "(Tensor input)", "", 1, 2), ValueError);
  EXPECT_EQ(find_added_operation("refused"), nullptr);
  EXPECT_NO_THROW(add_kernel_operation(kernel_named("refused"), "(Tensor a, Tensor b, int n = 1)", "", 1, 2));
  const Operation* added = find_added_operation("refused");
  ASSERT_NE(added, nullptr);
  EXPECT_THROW(add_kernel_operation(kernel_named("refused"), "(int width)", "", 1), ValueError);
  EXPECT_EQ(find_added_operation("refused"), added);
}

}  // namespace
}  // namespace phlox
