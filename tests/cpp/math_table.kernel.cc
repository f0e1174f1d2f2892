#include "math_table.h"

#include "phlox/math/functions.h"

#define PHLOX_JOIN_(a, b) a##b
#define PHLOX_JOIN(a, b) PHLOX_JOIN_(a, b)
#define PHLOX_STRING_(a) #a
#define PHLOX_STRING(a) PHLOX_STRING_(a)

namespace phlox::test {
namespace {

using namespace phlox::math;

#define PHLOX_UNARY_LOOP(name, cost)                                                        \
  template <class D, class T>                                                               \
  void name##_loop(const T* x, const T*, T* out, std::int64_t count) {                      \
    for (std::int64_t i = 0; i < count; i += D::lanes) name(D::load(x + i)).store(out + i); \
  }
#define PHLOX_BINARY_LOOP(name, cost)                                                                       \
  template <class D, class T>                                                                               \
  void name##_loop(const T* x, const T* y, T* out, std::int64_t count) {                                    \
    for (std::int64_t i = 0; i < count; i += D::lanes) name(D::load(x + i), D::load(y + i)).store(out + i); \
  }
PHLOX_TEST_UNARY(PHLOX_UNARY_LOOP)
PHLOX_TEST_BINARY(PHLOX_BINARY_LOOP)

template <class D, class T>
void integer_loop(const T* x, const T* y, T* out, std::int64_t count) {
  for (std::int64_t i = 0; i < count; i += D::lanes) {
    const D a = D::load(x + i), b = D::load(y + i);
    T* to = out + i;
    const auto put = [&](D value) {
      value.store(to);
      to += count;
    };
    put(a + b), put(a - b), put(a * b), put(a / b), put(a % b), put(-a);
    put(a & b), put(a | b), put(a ^ b), put(~a), put(a << b), put(a >> b);
    put(max(a, b)), put(min(a, b)), put(abs(a)), put(remainder(a, b)), put(floor_divide(a, b)),
        put(pow(a, b));
  }
}

#define PHLOX_ENTRY(name, arguments)    \
  {#name,                               \
   arguments,                           \
   name##_loop<Native<float>, float>,   \
   name##_loop<Scalar<float>, float>,   \
   name##_loop<Native<double>, double>, \
   name##_loop<Scalar<double>, double>},
#define PHLOX_UNARY_ENTRY(name, cost) PHLOX_ENTRY(name, 1)
#define PHLOX_BINARY_ENTRY(name, cost) PHLOX_ENTRY(name, 2)
constexpr MathFunction functions[] = {PHLOX_TEST_UNARY(PHLOX_UNARY_ENTRY)
                                          PHLOX_TEST_BINARY(PHLOX_BINARY_ENTRY)};

#define PHLOX_INTEGER(T) {integer_loop<Native<T>, T>, integer_loop<Scalar<T>, T>}

}  // namespace

extern constexpr MathTable PHLOX_JOIN(math_table_, PHLOX_ISA) = {
    PHLOX_STRING(PHLOX_ISA),
    functions,
    static_cast<int>(sizeof(functions) / sizeof(functions[0])),
    PHLOX_INTEGER(std::int8_t),
    PHLOX_INTEGER(std::int16_t),
    PHLOX_INTEGER(std::int32_t),
    PHLOX_INTEGER(std::int64_t),
    PHLOX_INTEGER(std::uint8_t),
    PHLOX_INTEGER(std::uint16_t),
    PHLOX_INTEGER(std::uint32_t),
    PHLOX_INTEGER(std::uint64_t)};

}  // namespace phlox::test
