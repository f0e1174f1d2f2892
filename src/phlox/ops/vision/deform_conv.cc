// Convolution whose kernel elements look where learned offsets send them.
#include "phlox/ops/functions.h"
#include "phlox/ops/operators.h"
#include "phlox/ops/registry/operation.h"
#include "phlox/ops/vision/sampling.h"
#include "phlox/ops/signal/window_arguments.h"

namespace phlox {

PHLOX_OPERATION(
    Tensor, deform_conv2d,
    (const Tensor& input, const Tensor& offset, const Tensor& weight, const OptionalTensor& bias = {},
     const DimList& stride = 1, const DimList& padding = 0, const DimList& dilation = 1,
     const OptionalTensor& mask = {}),
    .doc =
        "conv2d whose kernel elements are moved by `offset` [batch, groups * kernel height * kernel width * 2, rows, columns], y before x, and multiplied by `mask` [batch, groups * kernel height "
        "* kernel width, rows, columns]. input [batch, channels, height, width], weight [out, channels / groups of the convolution, kernel height, kernel width]; outside of "
        "the image is 0.",
    .source = "Dai et al. 2017, arXiv:1703.06211; Zhu et al. 2018, arXiv:1811.11168 (mask)",
    .family = Family::convolution, .home = "vision", .method = false,
    .samples =
        "deform_conv2d(A(2, 4, 5, 6), A(2, 8, 4, 5), A(3, 4, 2, 2)); deform_conv2d(A(1, 4, 5, 6), A(1, 16, 3, 4), A(2, 2, "
        "2, 2), A(2), stride=2, padding=1, dilation=1, mask=A(1, 8, 3, 4))",
    .integers = false, .tolerance = 1e-4) {
  if (input.rank() != 4 || offset.rank() != 4 || weight.rank() != 4)
    fail<ShapeError>(ErrorCode::wrong_rank, "deform_conv2d: input, offset and weight have 4 dimensions")
        .detail("input", describe(input))
        .detail("offset", describe(offset))
        .detail("weight", describe(weight))
        .raise();
  const IntList steps = for_each_dimension(stride, 2, 1, "deform_conv2d", "stride"),
                margins = for_each_dimension(padding, 2, 0, "deform_conv2d", "padding"),
                gaps = for_each_dimension(dilation, 2, 1, "deform_conv2d", "dilation");
  const std::int64_t batch = input.size(0), channels = input.size(1),
                     kernel[] = {weight.size(2), weight.size(3)};
  const std::int64_t taps = kernel[0] * kernel[1];
  const std::int64_t offset_groups = taps > 0 ? offset.size(1) / (2 * taps) : 0;
  const std::int64_t groups = weight.size(1) > 0 ? channels / weight.size(1) : 0;
  std::int64_t output[2];
  for (int d = 0; d < 2; ++d)
    output[d] = (input.size(2 + d) + 2 * margins[d] - gaps[d] * (kernel[d] - 1) - 1) / steps[d] + 1;
  if (groups < 1 || groups * weight.size(1) != channels || weight.size(0) % groups != 0 ||
      offset_groups < 1 || offset_groups * 2 * taps != offset.size(1) || channels % offset_groups != 0 ||
      output[0] < 1 || output[1] < 1 || offset.size(0) != batch || offset.size(2) != output[0] ||
      offset.size(3) != output[1])
    fail<ShapeError>(
        ErrorCode::sizes_differ,
        "deform_conv2d: the offset has the shape [{}, groups * {}, {}, {}], and groups divide the {} "
        "channels",
        batch, 2 * taps, output[0], output[1], channels)
        .detail("input", describe(input))
        .detail("offset", describe(offset))
        .detail("weight", describe(weight))
        .raise();
  const Shape mask_shape{batch, offset_groups * taps, output[0], output[1]};
  if (mask && mask->shape() != mask_shape)
    fail<ShapeError>(ErrorCode::sizes_differ, "deform_conv2d: the mask has the shape [{}]",
                     to_string(mask_shape))
        .detail("mask", describe(*mask))
        .raise();
  if (bias && bias->shape() != Shape{weight.size(0)})
    fail<ShapeError>(ErrorCode::sizes_differ, "deform_conv2d: bias needs the shape [{}]", weight.size(0))
        .detail("bias", describe(*bias))
        .raise();
  // Offsets [batch * offset groups, taps, 2, rows, columns], and where kernel elements are without them.
  const std::int64_t images = batch * offset_groups, spots = output[0] * output[1];
  const Tensor moved = reshape(offset, {images, kernel[0], kernel[1], 2, output[0], output[1]});
  std::vector<Tensor> positions;
  for (int d = 0; d < 2; ++d) {
    const auto line = [&](std::int64_t count, std::int64_t step, int dim) {
      Shape shape(5, 1);
      shape[static_cast<std::size_t>(dim)] = count;
      return reshape(arange(0, count, 1, offset.dtype(), offset.device()) * step, shape);
    };
    const Tensor base = line(kernel[d], gaps[d], 1 + d) +
                        (line(output[d], steps[d], 3 + d) - static_cast<double>(margins[d]));
    positions.push_back(reshape(select(moved, 3, d) + base, {images, taps * spots}));
  }
  const Tensor grouped = reshape(input, {images, channels / offset_groups, input.size(2), input.size(3)});
  Tensor samples = sample_grid(grid_rows(grouped), positions, 1, Outside::zero);
  if (mask) samples = samples * reshape(*mask, {images, taps * spots, 1});
  // Columns [batch, groups, channels of a group * taps, spots] meet the weight [groups, outputs, ...].
  const Tensor columns =
      reshape(permute(reshape(samples, {batch, offset_groups, taps, spots, channels / offset_groups}),
                      {0, 1, 4, 2, 3}),
              {batch, groups, channels / groups * taps, spots});
  const Tensor result = reshape(matmul(reshape(weight, {groups, weight.size(0) / groups, -1}), columns),
                                {batch, weight.size(0), output[0], output[1]});
  return bias ? result + reshape(*bias, {-1, 1, 1}) : result;
}

}  // namespace phlox
