// libFuzzer target: any bytes must give tensors or a typed error.
#include "phlox/io/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace phlox;
  try {
    load_safetensors_bytes({data, size});
  } catch (const Error&) {
  }
  return 0;
}
