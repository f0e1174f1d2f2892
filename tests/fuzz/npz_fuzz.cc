// libFuzzer target: any bytes must give tensors or a typed error.
#include "phlox/io/npy.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace phlox;
  try {
    if (size > 0 && data[0] == 0x93) {
      load_npy_bytes({data, size});
    } else {
      load_npz_bytes({data, size}, "fuzz.npz", {.max_bytes = 1 << 24});
    }
  } catch (const Error&) {
  }
  return 0;
}
