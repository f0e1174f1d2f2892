// What holds for every pointwise operation, whoever adds it: kernels of all instruction sets and the interpreter
// give the same bits, layouts do not matter, gradients are right, and so are their gradients.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

#include "phlox/device/cpu/pointwise_kernel_entry.h"
#include "phlox/device/cpu/processor.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/registry/operation.h"
#include "phlox/ops/primitives/pointwise.h"

namespace phlox {
namespace {

std::vector<const Operation*> pointwise_operations() {
  std::vector<const Operation*> found;
  for (const Operation* o : operations())
    if (o->pointwise) found.push_back(o);
  return found;
}

// Arguments that a body is made for, with the values in between that trip people.
template <class T>
std::vector<T> samples(const PointwiseTraits& traits, int input, std::int64_t count, bool edges) {
  std::mt19937_64 random(17 + input);
  const double low = input == 0 ? traits.sample_low : traits.other_low;
  const double high = input == 0 ? traits.sample_high : traits.other_high;
  std::uniform_real_distribution<double> values(low, high);
  std::vector<T> out(count);
  for (T& v : out) v = static_cast<T>(values(random));
  if (!edges) return out;
  const T special[] = {T(0),
                       T(-0.0),
                       T(1),
                       T(-1),
                       std::numeric_limits<T>::infinity(),
                       -std::numeric_limits<T>::infinity(),
                       std::numeric_limits<T>::quiet_NaN(),
                       std::numeric_limits<T>::denorm_min(),
                       std::numeric_limits<T>::max(),
                       std::numeric_limits<T>::lowest(),
                       std::numeric_limits<T>::min()};
  std::uniform_int_distribution<int> pick(0, static_cast<int>(std::size(special)) - 1);
  for (std::int64_t i = 0; i < count; i += 3) out[i] = special[pick(random)];
  return out;
}

template <class T>
bool same_value(T a, T b) {
  if (std::isnan(a) && std::isnan(b)) return true;  // payloads are free
  return std::memcmp(&a, &b, sizeof(T)) == 0;
}

// One function (an operation or a derived gradient), through each kernel and the interpreter.
template <class T>
void check_bits(const PointwiseFunction& function, const char* name) {
  const DType dtype = dtype_of<T>;
  const std::int64_t count = 259;  // whole vectors and a rest
  std::vector<std::vector<T>> values;
  std::vector<std::vector<std::uint8_t>> truths;
  const void* inputs[max_pointwise_inputs];
  values.reserve(8);
  truths.reserve(8);
  for (int k = 0; k < function.tensors; ++k) {
    if (function.is_mask(k)) {
      truths.emplace_back(count);
      for (std::int64_t i = 0; i < count; ++i) truths.back()[i] = i % 3 == 0;
      inputs[k] = truths.back().data();
    } else {
      values.push_back(samples<T>(*function.traits, k, count, true));
      inputs[k] = values.back().data();
    }
  }
  const KernelScalar scalars[max_pointwise_scalars] = {
      kernel_scalar(0.75), kernel_scalar(1.25), kernel_scalar(-0.5), {}};
  const std::size_t bytes = function.predicate() ? 1 : sizeof(T);
  std::vector<char> expected(count * sizeof(T)), actual(count * sizeof(T));

  const PointwiseKernelTables tables = pointwise_kernel_tables();
  bool first = true;
  const auto compare = [&](const std::string& who) {
    for (std::int64_t i = 0; i < count; ++i) {
      const bool equal = function.predicate() ? expected[i] == actual[i]
                                              : same_value(reinterpret_cast<T*>(expected.data())[i],
                                                           reinterpret_cast<T*>(actual.data())[i]);
      ASSERT_TRUE(equal) << name << " gradient " << int{function.gradient_of} << " " << info(dtype).name
                         << " " << who << " differs at " << i << ": "
                         << reinterpret_cast<T*>(expected.data())[i] << " and "
                         << reinterpret_cast<T*>(actual.data())[i] << " for "
                         << (values.empty() ? T(0) : values[0][i]);
    }
  };
  for (auto* entry = tables.first_kernel; entry != tables.last_kernel; ++entry) {
    if (std::string_view(entry->name) != function.name || cpu::usable_rank(entry->instruction_set) < 0)
      continue;
    const PointwiseKernelSet& set =
        function.gradient_of < 0 ? entry->forward : entry->gradients[function.gradient_of];
    const PointwiseKernel kernel = set.by_dtype[static_cast<int>(dtype)];
    if (!kernel) continue;
    std::vector<char>& out = first ? expected : actual;
    std::memset(out.data(), 0x55, out.size());
    kernel(inputs, scalars, out.data(), count);
    // Nothing behind the last element is written.
    for (std::size_t i = count * bytes; i < out.size(); ++i) ASSERT_EQ(out[i], 0x55);
    if (!first) compare(entry->instruction_set);
    first = false;
  }
  if (first) return;
  for (auto* entry = tables.first_interpreter; entry != tables.last_interpreter; ++entry) {
    if (cpu::usable_rank(entry->instruction_set) < 0) continue;
    const PointwiseInterpreter run = dtype == DType::float32 ? entry->float32 : entry->float64;
    run(*function.program, function.masks, inputs, scalars, actual.data(), count);
    compare(std::string("interpreter ") + entry->instruction_set);
  }
}

TEST(Pointwise, KernelsAndInterpreterGiveTheSameBits) {
  int checked = 0;
  for (const Operation* o : pointwise_operations()) {
    if (o->pointwise_traits->types == PointwiseTypes::integral) continue;
    check_bits<float>(*o->pointwise, o->name);
    check_bits<double>(*o->pointwise, o->name);
    ++checked;
    for (int k = 0; k < o->pointwise->tensors; ++k) {
      const GradientRule& rule = gradient_rule(*o->pointwise, k);
      if (rule.form != math::GradientForm::computed) continue;
      check_bits<float>(*rule.function, o->name);
      check_bits<double>(*rule.function, o->name);
    }
  }
  EXPECT_GE(checked, 90);
}

// --- values through the public interface ---------------------------------------------------------------------------

Tensor sample_tensor(const Operation& o, int input, const Shape& shape, DType dtype = DType::float64) {
  const std::vector<double> values = samples<double>(*o.pointwise_traits, input, element_count(shape), false);
  return from_values(std::span<const double>(values), shape).to(dtype);
}

Tensor call_with(const Operation& o, const std::vector<Tensor>& tensors) {
  std::vector<Operand> inputs(tensors.begin(), tensors.end());
  const KernelScalar scalars[max_pointwise_scalars] = {
      kernel_scalar(0.75), kernel_scalar(1.25), kernel_scalar(-0.5), {}};
  return apply_pointwise(*o.pointwise, inputs, {scalars, o.pointwise->scalars});
}

std::vector<Tensor> arguments(const Operation& o, const Shape& shape, DType dtype) {
  std::vector<Tensor> tensors;
  for (int k = 0; k < o.pointwise->tensors; ++k) {
    Tensor t = sample_tensor(o, k, shape, dtype);
    tensors.push_back(o.pointwise->is_mask(k) ? gt(t, 0.0) : t);
  }
  return tensors;
}

void expect_equal(const Tensor& a, const Tensor& b, const char* name) {
  ASSERT_EQ(a.shape(), b.shape()) << name;
  const auto x = a.to_vector<double>(), y = b.to_vector<double>();
  for (std::size_t i = 0; i < x.size(); ++i) ASSERT_TRUE(same_value(x[i], y[i])) << name << " at " << i;
}

TEST(Pointwise, LayoutsDoNotChangeResults) {
  for (const Operation* o : pointwise_operations()) {
    const DType dtype =
        o->pointwise_traits->types == PointwiseTypes::integral ? DType::int32 : DType::float32;
    const Shape shape{6, 5, 7};
    const std::vector<Tensor> plain = arguments(*o, shape, dtype);
    const Tensor expected = call_with(*o, plain);
    // The same values behind transposed strides.
    std::vector<Tensor> strided;
    for (const Tensor& t : plain) {
      Tensor turned = make_tensor({7, 5, 6}, t.dtype());
      const Strides s = turned.strides();
      Tensor view = make_view(turned, shape, {s[2], s[1], s[0]}, 0);
      for (std::int64_t i = 0; i < shape[0]; ++i)
        for (std::int64_t j = 0; j < shape[1]; ++j)
          for (std::int64_t k = 0; k < shape[2]; ++k) {
            const int size = element_size(t.dtype());
            std::memcpy(static_cast<char*>(turned.data_pointer()) + (i * s[2] + j * s[1] + k * s[0]) * size,
                        static_cast<char*>(t.data_pointer()) + ((i * 5 + j) * 7 + k) * size, size);
          }
      strided.push_back(view);
    }
    expect_equal(call_with(*o, strided), expected, o->name);
    // One operand turned, the others not.
    std::vector<Tensor> mixed = plain;
    mixed[0] = strided[0];
    expect_equal(call_with(*o, mixed), expected, o->name);
    // Negative strides in, and the answer read backwards.
    std::vector<Tensor> flipped;
    for (const Tensor& t : plain) flipped.push_back(make_view(t, {6 * 5 * 7}, {-1}, 6 * 5 * 7 - 1));
    const Tensor backwards = call_with(*o, flipped);
    expect_equal(make_view(backwards, {6 * 5 * 7}, {-1}, 6 * 5 * 7 - 1),
                 make_view(expected, {6 * 5 * 7}, {1}, 0), o->name);
    // Nothing in, nothing out; and a single element.
    EXPECT_EQ(call_with(*o, arguments(*o, {0, 3}, dtype)).shape(), (Shape{0, 3})) << o->name;
    EXPECT_EQ(call_with(*o, arguments(*o, {}, dtype)).rank(), 0) << o->name;
  }
}

TEST(Pointwise, BroadcastingEqualsExpandedOperands) {
  for (const Operation* o : pointwise_operations()) {
    if (o->pointwise->tensors != 2) continue;
    const DType dtype =
        o->pointwise_traits->types == PointwiseTypes::integral ? DType::int64 : DType::float32;
    const Tensor a = sample_tensor(*o, 0, {70, 3, 80}, dtype), row = sample_tensor(*o, 1, {80}, dtype),
                 column = sample_tensor(*o, 1, {3, 1}, dtype);
    for (const Tensor& small : {row, column}) {
      Strides strides(3, 0);
      const Strides own = small.strides();
      for (int d = 0; d < small.rank(); ++d) strides[3 - small.rank() + d] = small.size(d) == 1 ? 0 : own[d];
      const Tensor expanded = make_view(small, {70, 3, 80}, strides, 0);
      Tensor copy = make_tensor({70, 3, 80}, dtype);
      const auto values = expanded.to_vector<double>();
      const Tensor full = from_values(std::span<const double>(values), {70, 3, 80}).to(dtype);
      expect_equal(call_with(*o, {a, small}), call_with(*o, {a, full}), o->name);
    }
  }
}

// The derivative of sum(f * weights) by central differences.
TEST(Pointwise, GradientsAndTheirGradientsAgreeWithFiniteDifferences) {
  const Shape shape{13};
  for (const Operation* o : pointwise_operations()) {
    if (!o->pointwise_traits->differentiable) continue;
    const std::vector<Tensor> point = arguments(*o, shape, DType::float64);
    for (int k = 0; k < o->pointwise->tensors; ++k) {
      if (o->pointwise->is_mask(k)) continue;
      const GradientRule& rule = gradient_rule(*o->pointwise, k);
      if (rule.form == math::GradientForm::unknown) continue;  // as betainc() with respect to a and b
      const auto slope = [&](const std::vector<Tensor>& at) {
        std::vector<Tensor> copies = at;
        copies[k] = at[k].detach();
        copies[k].set_requires_grad();
        const Tensor y = call_with(*o, copies);
        if (!y.requires_grad())
          return from_values(std::span<const double>(std::vector<double>(13, 0.0)), shape);
        const std::vector<double> ones(13, 1.0);
        y.backward(from_values(std::span<const double>(ones), shape));
        const Tensor g = copies[k].grad();
        return g.defined() ? g : from_values(std::span<const double>(std::vector<double>(13, 0.0)), shape);
      };
      const auto moved = [&](double h) {
        std::vector<Tensor> at = point;
        at[k] = add(point[k], h);
        return at;
      };
      const double h = 1e-6;
      const auto up = call_with(*o, moved(h)).to_vector<double>(),
                 down = call_with(*o, moved(-h)).to_vector<double>();
      const auto x = point[k].to_vector<double>();
      const auto first = slope(point).to_vector<double>();
      const double tolerance = o->pointwise_traits->gradient_tolerance;
      for (std::size_t i = 0; i < first.size(); ++i) {
        // Where the function jumps or bends within the step, differences say nothing.
        const double numeric = (up[i] - down[i]) / (2 * h);
        if (std::abs(numeric) > 1e4 || (std::isnan(numeric) && std::isnan(first[i]))) continue;
        EXPECT_NEAR(first[i], numeric, tolerance * 10 * (1 + std::abs(numeric)))
            << o->name << " input " << k << " at " << x[i];
      }
      if (rule.form != math::GradientForm::computed) continue;
      // Second order: differences of the first derivative, against the derived derivative of the gradient function.
      std::vector<Tensor> copies = point;
      copies[k] = point[k].detach();
      copies[k].set_requires_grad();
      const Tensor y = call_with(*o, copies);
      const std::vector<double> ones(13, 1.0);
      const Tensor weights = from_values(std::span<const double>(ones), shape);
      y.backward(weights, true, true);
      const Tensor g = copies[k].grad();
      if (!g.defined() || !g.requires_grad()) continue;
      copies[k].set_grad({});
      bool known = true;
      for (int i = 0; i < rule.function->tensors; ++i)
        known &= gradient_rule(*rule.function, i).form != math::GradientForm::unknown;
      try {
        g.backward(weights);
      } catch (const NotSupportedError&) {
        EXPECT_FALSE(known) << o->name;
        continue;
      }
      const Tensor second = copies[k].grad();
      const auto values = second.defined() ? second.to_vector<double>() : std::vector<double>(13, 0.0);
      const auto above = slope(moved(h)).to_vector<double>(), below = slope(moved(-h)).to_vector<double>();
      for (std::size_t i = 0; i < values.size(); ++i) {
        const double numeric = (above[i] - below[i]) / (2 * h);
        if (std::abs(numeric) > 1e4 || (std::isnan(numeric) && std::isnan(values[i]))) continue;
        EXPECT_NEAR(values[i], numeric, 1e-3 * (1 + std::abs(numeric)))
            << o->name << " second order, input " << k << " at " << x[i];
      }
    }
  }
}

TEST(Pointwise, PromotionOfTensorsAndWeakNumbers) {
  const Tensor i8 = from_values(std::span<const std::int8_t>(std::vector<std::int8_t>{1, 2}), {2});
  const Tensor f16 = i8.to(DType::float16), f32 = i8.to(DType::float32), f64 = i8.to(DType::float64),
               b = gt(i8, 1);
  EXPECT_EQ(add(i8, 1).dtype(), DType::int8);
  EXPECT_EQ(add(i8, 1.5).dtype(), DType::float32);
  EXPECT_EQ(add(f16, 1.5).dtype(), DType::float16);
  EXPECT_EQ(add(f16, i8).dtype(), DType::float16);
  EXPECT_EQ(add(f32, f64).dtype(), DType::float64);
  EXPECT_EQ(add(b, b).dtype(), DType::bool_);
  EXPECT_EQ(add(b, 1).dtype(), DType::int64);
  EXPECT_EQ(div(i8, i8).dtype(), DType::float32);
  EXPECT_EQ(eq(f16, f32).dtype(), DType::bool_);
  EXPECT_EQ(exp(i8).dtype(), DType::float32);
  // true + true is true, not 2.
  EXPECT_EQ(add(b, b).to_vector<double>(), (std::vector<double>{0, 1}));
  EXPECT_THROW(add(i8, 200), DTypeError);
  EXPECT_THROW(bitwise_and(f32, f32), DTypeError);
  EXPECT_THROW(sub(b, b), DTypeError);
}

TEST(Pointwise, InPlaceForms) {
  const Tensor x = from_values(std::span<const float>(std::vector<float>{1, 2, 3, 4}), {4});
  const std::uint32_t before = x.version();
  x.mul_(2.0);
  EXPECT_EQ(x.to_vector<double>(), (std::vector<double>{2, 4, 6, 8}));
  EXPECT_GT(x.version(), before);
  // Reading an overlapping view of what is written.
  const Tensor head = make_view(x, {3}, {1}, 0), tail = make_view(x, {3}, {1}, 1);
  tail.add_(head);
  EXPECT_EQ(x.to_vector<double>(), (std::vector<double>{2, 6, 10, 14}));
  const Tensor whole = from_values(std::span<const std::int32_t>(std::vector<std::int32_t>{1, 2}), {2});
  EXPECT_THROW(whole.add_(0.5), DTypeError);
  EXPECT_THROW(whole.add_(x), ShapeError);
  // A leaf that requires gradients may not be overwritten; its result may.
  const Tensor leaf = x.detach().to(DType::float64);
  leaf.set_requires_grad();
  EXPECT_THROW(leaf.add_(1.0), GradientError);
  const Tensor y = mul(leaf, 3.0);
  y.mul_(leaf);  // 3 x^2
  y.backward(from_values(std::span<const double>(std::vector<double>{1, 1, 1, 1}), {4}));
  EXPECT_EQ(leaf.grad().to_vector<double>(), (std::vector<double>{12, 36, 60, 84}));
}

TEST(Pointwise, ErrorsNameTheOperationAndBothSides) {
  const Tensor a = make_tensor({2, 3}, DType::float32), b = make_tensor({4, 3}, DType::float32);
  try {
    add(a, b);
    FAIL();
  } catch (const ShapeError& error) {
    EXPECT_EQ(error.code(), ErrorCode::shapes_do_not_broadcast);
    EXPECT_NE(std::string(error.what()).find("add"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("[E0201]"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace phlox
