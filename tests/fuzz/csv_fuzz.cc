// libFuzzer target: any bytes, plain or compressed, must give a table or a typed error.
#include "phlox/io/csv.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace phlox;
  try {
    load_csv_bytes({data, size});
  } catch (const Error&) {
  }
  return 0;
}
