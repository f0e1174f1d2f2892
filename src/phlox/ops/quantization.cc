// Integers and floats of few bits in the place of floats: scale and zero point stay tensors that the program holds.
#include <optional>

#include "phlox/ops/functions.h"
#include "phlox/ops/primitives/convert.h"
#include "phlox/ops/registry/operation.h"

namespace phlox {
namespace {

struct Levels {
  double low, high;
};

// The integers that a dtype holds; none for floats of few bits, whose casts keep to their range.
std::optional<Levels> levels_of(DType dtype, const char* operation) {
  switch (dtype) {
    case DType::uint2: return Levels{0, 3};
    case DType::int2: return Levels{-2, 1};
    case DType::uint4: return Levels{0, 15};
    case DType::int4: return Levels{-8, 7};
    case DType::uint8: return Levels{0, 255};
    case DType::int8: return Levels{-128, 127};
    case DType::uint16: return Levels{0, 65535};
    case DType::int16: return Levels{-32768, 32767};
    case DType::int32: return Levels{-2147483648.0, 2147483647.0};
    default: break;
  }
  if (dtype >= DType::float8_e4m3fn && dtype <= DType::float4_e2m1fn_x2 && dtype != DType::float8_e8m0fnu)
    return {};
  fail<DTypeError>(ErrorCode::wrong_dtype, "{}: there is no quantisation to {}", operation, info(dtype).name)
      .hint("int8, uint8, int16, uint16, int32, int4, uint4, int2, uint2, float8_e4m3fn, float8_e5m2, ...")
      .raise();
}

void require_floats(const Tensor& input, const char* operation) {
  if (is_floating(input.dtype())) return;
  fail<DTypeError>(ErrorCode::wrong_dtype, "{}: quantises floats, not {}", operation,
                   info(input.dtype()).name)
      .detail("input", describe(input))
      .raise();
}

DType wide(DType dtype) { return dtype == DType::float64 ? dtype : DType::float32; }

Tensor number(const Operand& operand, DType dtype) {
  return operand.is_tensor() ? operand.tensor().to(dtype) : full({}, operand.scalar(), dtype);
}

// A parameter for each index of `axis`, so that it broadcasts.
Tensor along(const Tensor& values, const Tensor& input, int axis, const char* name, const char* operation) {
  if (values.rank() != 1 || values.size(0) != input.size(axis))
    fail<ShapeError>(ErrorCode::sizes_differ,
                     "{}: {} has one number for each of the {} indices of dimension {}", operation, name,
                     input.size(axis), axis)
        .detail("input", describe(input))
        .detail(name, describe(values))
        .raise();
  Shape shape(static_cast<std::size_t>(input.rank()), 1);
  shape[static_cast<std::size_t>(axis)] = values.size(0);
  return reshape(values, shape);
}

// A parameter for each group of `size` neighbours along `axis`, in the shape of the input.
Tensor by_groups(const Tensor& values, const Tensor& input, std::int64_t size, int axis, const char* name,
                 const char* operation) {
  if (size <= 0)
    fail<ValueError>(ErrorCode::invalid_value, "{}: group_size is {}", operation, size)
        .hint("1 or more")
        .raise();
  Shape expected = input.shape();
  const auto at = static_cast<std::size_t>(axis);
  expected[at] = (expected[at] + size - 1) / size;
  if (values.shape() != expected)
    fail<ShapeError>(ErrorCode::sizes_differ, "{}: {} has one number for each group, [{}]", operation, name,
                     to_string(expected))
        .detail("input", describe(input))
        .detail(name, describe(values))
        .raise();
  return narrow(repeat_interleave(values, size, axis), axis, 0, input.size(axis));
}

// `scale` and `zero_point` broadcast with the input.
Tensor quantize(const Tensor& input, const Tensor& scale, const Tensor& zero_point, DType dtype,
                const char* operation) {
  require_floats(input, operation);
  const std::optional<Levels> levels = levels_of(dtype, operation);
  const DType exact = wide(input.dtype());
  const Tensor steps = div(input.detach().to(exact), scale.detach().to(exact));
  if (!levels) return steps.to(dtype);
  const Tensor rounded = add(round(steps), zero_point.detach().to(exact));
  return clamp(rounded, levels->low, levels->high).to(dtype);
}

// What quantize() and dequantize() give one after the other. Where the integer is within its range, gradients pass
// as if nothing were done; elsewhere none do.
Tensor fake_quantize(const Tensor& input, const Tensor& scale, const Tensor& zero_point,
                     std::int64_t quant_min, std::int64_t quant_max, const char* operation) {
  require_floats(input, operation);
  if (quant_min > quant_max)
    fail<ValueError>(ErrorCode::invalid_value, "{}: quant_min is {}, above quant_max, {}", operation,
                     quant_min, quant_max)
        .raise();
  const DType exact = wide(input.dtype());
  const Tensor step = scale.detach().to(exact), zero = zero_point.detach().to(exact);
  const Tensor level = add(round(mul(input.detach().to(exact), reciprocal(step))), zero);
  const Tensor inside =
      logical_and(ge(level, static_cast<double>(quant_min)), le(level, static_cast<double>(quant_max)));
  const Tensor kept = clamp(level, static_cast<double>(quant_min), static_cast<double>(quant_max));
  const Tensor value = mul(sub(kept, zero), step).to(input.dtype());
  const Tensor path = where(inside, input, 0.0);
  return add(value, sub(path, path.detach()));  // adds zero, and the gradient
}

}  // namespace

PHLOX_OPERATION(
    Tensor, quantize_per_tensor,
    (const Tensor& input, const Operand& scale, const Operand& zero_point, DType dtype),
    .doc =
        "round(input / scale) + zero_point, kept within the range of `dtype`: an integer of 2 to 32 bits. Ties go to "
        "even, and NaN becomes 0. A float8 or float4 dtype takes input / scale as it is. As ONNX's QuantizeLinear; the "
        "result is a plain tensor, which dequantize() takes back with the same scale and zero point.",
    .source = "ONNX, operator QuantizeLinear", .family = Family::conversion, .method = false,
    .samples =
        "quantize_per_tensor(A(3, 4), 0.1, 10, dtype=uint8); quantize_per_tensor(A(5), 0.3, 0, dtype=int8)",
    .reference =
        "np.clip(np.round(input / scale) + zero_point, 0 if zero_point else -128, 255 if zero_point else 127)",
    .differentiable = false, .integers = false) {
  const DType exact = wide(input.dtype());
  return quantize(input, number(scale, exact), number(zero_point, exact), dtype, "quantize_per_tensor");
}

PHLOX_OPERATION(
    Tensor, quantize_per_channel,
    (const Tensor& input, const Tensor& scales, const Tensor& zero_points, std::int64_t axis, DType dtype),
    .doc = "quantize_per_tensor() with a scale and a zero point for each index of the dimension `axis`.",
    .source = "ONNX, operator QuantizeLinear", .family = Family::conversion, .method = false,
    .samples =
        "quantize_per_channel(A(3, 4), P(3), I(9, 3), 0, dtype=int8); "
        "quantize_per_channel(A(2, 3, 4), P(4), I(9, 4), -1, dtype=int16)",
    .reference =
        "np.round(input / (scales[:, None] if axis == 0 else scales)) + (zero_points[:, None] if axis == 0 else "
        "zero_points)",
    .differentiable = false, .integers = false) {
  const char* name = "quantize_per_channel";
  const int dim = normalize_dim(axis, input.rank(), name);
  const Tensor scale = along(scales, input, dim, "scales", name);
  return quantize(input, scale, along(zero_points, input, dim, "zero_points", name), dtype, name);
}

PHLOX_OPERATION(
    Tensor, quantize_per_group,
    (const Tensor& input, const Tensor& scales, const Tensor& zero_points, std::int64_t group_size,
     DType dtype, std::int64_t axis = -1),
    .doc =
        "quantize_per_tensor() with a scale and a zero point for each group of `group_size` neighbours along `axis`: "
        "they have the shape of the input, but as many groups as there are along `axis`. The last group may be shorter.",
    .source = "ONNX, operator QuantizeLinear with block_size", .family = Family::conversion, .method = false,
    .samples =
        "quantize_per_group(A(2, 4), P(2, 2), I(9, 2, 2), 2, dtype=int8); "
        "quantize_per_group(A(5, 2), P(2, 2), I(9, 2, 2), 3, dtype=int16, axis=0)",
    .reference =
        "np.round(input / np.repeat(scales, group_size, axis)[:input.shape[0], :input.shape[1]]) + "
        "np.repeat(zero_points, group_size, axis)[:input.shape[0], :input.shape[1]]",
    .differentiable = false, .integers = false) {
  const char* name = "quantize_per_group";
  const int dim = normalize_dim(axis, input.rank(), name);
  const Tensor scale = by_groups(scales, input, group_size, dim, "scales", name);
  return quantize(input, scale, by_groups(zero_points, input, group_size, dim, "zero_points", name), dtype,
                  name);
}

PHLOX_OPERATION(
    Tensor, dequantize,
    (const Tensor& input, const Operand& scale, const OptionalOperand& zero_point = {}, OptionalDim axis = {},
     OptionalInt group_size = {}, OptionalDType dtype = {}),
    .doc =
        "(input - zero_point) * scale: what the quantize functions took apart. Scale and zero point are single numbers; with "
        "`axis` one for each of its indices; with `axis` and `group_size` one for each group along it. The result has "
        "`dtype`, or that of a floating `scale`, else the default one. Gradients flow to the scale.",
    .source = "ONNX, operator DequantizeLinear", .family = Family::conversion, .method = false,
    .samples =
        "dequantize(I(9, 3, 4), 0.5, 4); dequantize(I(9, 3, 4), A(3), I(9, 3), 0); "
        "dequantize(I(9, 2, 5), A(2, 3), axis=1, group_size=2)",
    .reference =
        "(input - (0 if zero_point is None else zero_point[:, None] if axis == 0 else zero_point)) * (scale if axis is "
        "None else scale[:, None] if group_size is None else np.repeat(scale, group_size, axis)[:, :input.shape[1]])") {
  const DType result = dtype                                                      ? *dtype
                       : scale.is_tensor() && is_floating(scale.tensor().dtype()) ? scale.tensor().dtype()
                                                                                  : default_dtype();
  const DType exact = wide(result);
  const auto placed = [&](const Operand& parameter, const char* name) {
    const Tensor values = number(parameter, exact);
    if (!axis) {
      if (values.numel() != 1)
        fail<ShapeError>(ErrorCode::sizes_differ, "dequantize: without axis, {} is a single number", name)
            .detail(name, describe(values))
            .hint("axis=0 for one number for each of its indices")
            .raise();
      return reshape(values, {});
    }
    const int dim = normalize_dim(*axis, input.rank(), "dequantize");
    return group_size ? by_groups(values, input, *group_size, dim, name, "dequantize")
                      : along(values, input, dim, name, "dequantize");
  };
  Tensor steps = input.to(exact);
  if (zero_point) steps = sub(steps, placed(*zero_point, "zero_point"));
  return mul(steps, placed(scale, "scale")).to(result);
}

PHLOX_OPERATION(
    Tensor, fake_quantize_per_tensor_affine,
    (const Tensor& input, const Operand& scale, const Operand& zero_point, std::int64_t quant_min,
     std::int64_t quant_max),
    .doc =
        "What is left of the input after it has been integers from quant_min to quant_max: (level - zero_point) * scale "
        "with level = round(input / scale) + zero_point kept within them. For training with quantisation in mind: the "
        "gradient passes unchanged where the level is within the range, and is 0 elsewhere, at NaN too.",
    .source = "Jacob et al. 2018, arXiv:1712.05877", .family = Family::conversion, .method = false,
    .example = "fake_quantize_per_tensor_affine(px.tensor([-9.0, -0.26, 0.3, 9.0]), 0.5, 0, -8, 7)",
    .integers = false) {
  const DType exact = wide(input.dtype());
  return fake_quantize(input, number(scale, exact), number(zero_point, exact), quant_min, quant_max,
                       "fake_quantize_per_tensor_affine");
}

PHLOX_OPERATION(
    Tensor, fake_quantize_per_channel_affine,
    (const Tensor& input, const Tensor& scale, const Tensor& zero_point, std::int64_t axis,
     std::int64_t quant_min, std::int64_t quant_max),
    .doc =
        "fake_quantize_per_tensor_affine() with a scale and a zero point for each index of the dimension `axis`.",
    .source = "Jacob et al. 2018, arXiv:1712.05877", .family = Family::conversion, .method = false,
    .example =
        "fake_quantize_per_channel_affine(px.tensor([[0.3, 0.6], [3.0, 6.0]]), px.tensor([0.5, 4.0]), px.tensor([0, 0]), 0, -8, 7)",
    .integers = false) {
  const char* name = "fake_quantize_per_channel_affine";
  const int dim = normalize_dim(axis, input.rank(), name);
  const Tensor steps = along(scale, input, dim, "scale", name);
  return fake_quantize(input, steps, along(zero_point, input, dim, "zero_point", name), quant_min, quant_max,
                       name);
}

PHLOX_OPERATION(
    TensorPair, quantize_fp8, (const Tensor& input, DType dtype = DType::float8_e4m3fn, OptionalDim dim = {}),
    .doc =
        "The input in float8 and the scale that brings it back, values.to(float32) * scale: the largest magnitude becomes "
        "the largest number of the dtype. One scale in all, f32[], or with `dim` one for each row along it, with size 1 "
        "there. What is 0 everywhere has scale 1.",
    .source = "Micikevicius et al. 2022, arXiv:2209.05433", .family = Family::conversion, .method = false,
    .example = "quantize_fp8(px.tensor([[1.0, -2.0, 0.3], [10.0, 20.0, 30.0]]), dim=1)",
    .differentiable = false, .integers = false, .results = "values scale") {
  require_floats(input, "quantize_fp8");
  double largest = 0;
  switch (dtype) {
    case DType::float8_e4m3fn: largest = 448; break;
    case DType::float8_e4m3fnuz: largest = 240; break;
    case DType::float8_e5m2:
    case DType::float8_e5m2fnuz: largest = 57344; break;
    default:
      fail<DTypeError>(ErrorCode::wrong_dtype, "quantize_fp8: {} is no float8 with a sign", info(dtype).name)
          .hint("float8_e4m3fn, float8_e5m2, float8_e4m3fnuz, float8_e5m2fnuz")
          .raise();
  }
  const Tensor values = input.detach().to(DType::float32);
  const Tensor size = abs(values);
  Tensor top = dim             ? amax(size, DimList(*dim), true)
               : input.numel() ? amax(size)
                               : full({}, 0.0, DType::float32);
  const Tensor scale = where(eq(top, 0.0), 1.0, div(top, largest));
  return {div(values, scale).to(dtype), scale};
}

PHLOX_OPERATION(
    Tensor, pack_int4, (const Tensor& input),
    .doc =
        "Pairs of neighbours along the last dimension in one byte, u8[..., (n + 1) / 2]: the low four bits of each "
        "integer, the first of a pair in the low half of the byte. A last one without neighbour has zeros beside it.",
    .source = "ONNX, TensorProto of int4", .family = Family::conversion, .method = false,
    .samples = "pack_int4(I(16, 3, 4)); pack_int4(I(8, 5))",
    .reference =
        "(input[..., ::2] & 15) | (np.concatenate([input, 0 * input[..., :1]], -1)[..., 1:input.shape[-1] + 1:2] & 15) << 4",
    .differentiable = false) {
  if (is_floating(input.dtype()) || is_complex(input.dtype()) ||
      (!is_computable(input.dtype()) && input.dtype() < DType::int4))
    fail<DTypeError>(ErrorCode::wrong_dtype, "pack_int4: packs integers, not {}", info(input.dtype()).name)
        .detail("input", describe(input))
        .raise();
  if (input.rank() == 0)
    fail<ShapeError>(ErrorCode::wrong_rank, "pack_int4: input has no dimension")
        .detail("input", describe(input))
        .raise();
  Tensor bytes = bitwise_and(input.to(DType::uint8), 15);
  if (bytes.size(-1) % 2) {
    Shape beside = bytes.shape();
    beside[static_cast<std::size_t>(bytes.rank() - 1)] = 1;
    bytes = cat({bytes, zeros(beside, DType::uint8, bytes.device())}, -1);
  }
  const std::int64_t pairs = bytes.size(-1) / 2;
  Shape shape = bytes.shape();
  shape[static_cast<std::size_t>(bytes.rank() - 1)] = pairs;
  shape.push_back(2);
  const Tensor halves = reshape(bytes, shape);
  return bitwise_or(halves.select(-1, 0), bitwise_left_shift(halves.select(-1, 1), 4));
}

PHLOX_OPERATION(
    Tensor, unpack_int4, (const Tensor& input, OptionalInt size = {}, DType dtype = DType::int8),
    .doc =
        "The integers that pack_int4() put into the bytes of `input`: twice as many along the last dimension, or `size`, "
        "which leaves out what was beside the last one. With a signed `dtype` they are from -8 to 7, else from 0 to 15.",
    .source = "ONNX, TensorProto of int4", .family = Family::conversion, .method = false,
    .samples = "unpack_int4(pack_int4(I(8, 3, 4))); unpack_int4(pack_int4(I(8, 5)), 5)",
    .differentiable = false) {
  if (input.dtype() != DType::uint8 || input.rank() == 0)
    fail<DTypeError>(ErrorCode::wrong_dtype, "unpack_int4: takes uint8 of one dimension or more")
        .detail("input", describe(input))
        .raise();
  const std::int64_t all = input.size(-1) * 2;
  if (size && (*size < 0 || *size > all))
    fail<ValueError>(ErrorCode::invalid_value, "unpack_int4: {} numbers are asked for, and there are {}",
                     *size, all)
        .detail("input", describe(input))
        .raise();
  const Tensor halves = stack({bitwise_and(input, 15), bitwise_right_shift(input, 4)}, -1);
  Shape shape = input.shape();
  shape[static_cast<std::size_t>(input.rank() - 1)] = all;
  Tensor values = reshape(halves, shape);
  if (size) values = narrow(values, -1, 0, *size);
  const bool is_signed = !is_unsigned(dtype) && dtype != DType::uint4;
  if (is_signed) values = values.to(DType::int4);
  return values.to(dtype);
}

}  // namespace phlox
