// Where the extremum of a row stands, compiled once for each instruction set.
#include "phlox/device/cpu/arg_reduce_kernel.h"
#include "phlox/device/cpu/reduce_blocks.h"

namespace phlox {
namespace PHLOX_ISA {

// The first element that equals `value`, or that is NaN when `value` is; there is one.
template <class T>
PHLOX_INLINE std::int64_t find_first(const T* x, std::int64_t count, T value) {
  using V = Vector<T>;
  const bool nan = value != value;
  const V wanted(value);
  std::int64_t i = 0;
  for (; i + V::lanes <= count; i += V::lanes) {
    const V v = V::load(x + i);
    if (nan ? any(v != v) : any(v == wanted)) break;
  }
  for (; i < count; ++i)
    if (nan ? x[i] != x[i] : x[i] == value) break;
  return i;
}

template <class Op, class T>
std::int64_t extremum_index(const void* row, std::int64_t count, void* value) {
  const T* x = static_cast<const T*>(row);
  const T found = reduce_whole<Op>(x, count);
  *static_cast<T*>(value) = found;
  return find_first(x, count, found);
}

#define PHLOX_TYPES(Op)                                                                     \
  {extremum_index<Op, float>, extremum_index<Op, double>, extremum_index<Op, std::int64_t>, \
   extremum_index<Op, std::uint64_t>, extremum_index<Op, std::uint8_t>}
#define PHLOX_STRINGIFY_(x) #x
#define PHLOX_STRINGIFY(x) PHLOX_STRINGIFY_(x)
static constexpr ArgReduceKernels entry PHLOX_TABLE_ENTRY(phlox_arg_reduce_kernels) = {
    PHLOX_STRINGIFY(PHLOX_ISA), PHLOX_TYPES(Minimum), PHLOX_TYPES(Maximum)};

}  // namespace PHLOX_ISA
}  // namespace phlox
