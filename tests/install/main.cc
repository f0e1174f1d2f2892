// Prints a result and how many operations the program has: a static library that is not linked whole has
// none.
#include <phlox/core/tensor.h>
#include <phlox/ops/functions.h>
#include <phlox/ops/registry/operation.h>

#include <cstdio>

int main() {
  const phlox::Tensor x = phlox::full({2}, 9.0);
  std::printf("%s %zu\n", phlox::sqrt(x).to_string().c_str(), phlox::operations().size());
}
