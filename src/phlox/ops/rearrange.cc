// Moving elements between channels and space.
#include "phlox/ops/functions.h"
#include "phlox/ops/registry/operation.h"

namespace phlox {
namespace {

void need_rank(const char* operation, const Tensor& input, int rank) {
  if (input.rank() >= rank) return;
  fail<ShapeError>(ErrorCode::wrong_rank, "{}: input needs at least {} dimensions, not {}", operation, rank,
                   input.rank())
      .detail("input", describe(input))
      .raise();
}

// The shape with the dimensions before channels, height and width, and others in the place of these.
Shape with_last_three(const Tensor& input, const Shape& rest) {
  Shape shape = input.shape();
  shape.resize(shape.size() - 3);
  for (std::int64_t size : rest) shape.push_back(size);
  return shape;
}

// The order of six dimensions behind the first `leading` ones.
DimList behind(int leading, const DimList& order) {
  DimList result;
  for (int d = 0; d < leading; ++d) result.push_back(d);
  for (std::int64_t d : order) result.push_back(leading + d);
  return result;
}

// Depth to space. Channels are [outputs, r, r] (as in pixel_shuffle) or [r, r, outputs] ("DCR").
Tensor into_space(const Tensor& input, std::int64_t r, bool block_first, const char* operation) {
  need_rank(operation, input, 3);
  const std::int64_t channels = input.size(-3), height = input.size(-2), width = input.size(-1);
  if (r < 1 || channels % (r * r) != 0)
    fail<ShapeError>(ErrorCode::sizes_differ, "{}: {} channels do not divide by {}²", operation, channels, r)
        .detail("input", describe(input))
        .raise();
  const std::int64_t outputs = channels / (r * r);
  const int leading = input.rank() - 3;
  const Tensor parts =
      reshape(input, with_last_three(input, block_first ? Shape{r, r, outputs, height, width}
                                                        : Shape{outputs, r, r, height, width}));
  const DimList order = block_first ? DimList{2, 3, 0, 4, 1} : DimList{0, 3, 1, 4, 2};
  return reshape(permute(parts, behind(leading, order)),
                 with_last_three(input, {outputs, height * r, width * r}));
}

// Space to depth, the inverse.
Tensor into_channels(const Tensor& input, std::int64_t r, bool block_first, const char* operation) {
  need_rank(operation, input, 3);
  const std::int64_t channels = input.size(-3), height = input.size(-2), width = input.size(-1);
  if (r < 1 || height % r != 0 || width % r != 0)
    fail<ShapeError>(ErrorCode::sizes_differ, "{}: height and width do not divide by {}", operation, r)
        .detail("input", describe(input))
        .raise();
  const int leading = input.rank() - 3;
  const Tensor parts = reshape(input, with_last_three(input, {channels, height / r, r, width / r, r}));
  const DimList order = block_first ? DimList{2, 4, 0, 1, 3} : DimList{0, 2, 4, 1, 3};
  return reshape(permute(parts, behind(leading, order)),
                 with_last_three(input, {channels * r * r, height / r, width / r}));
}

bool is_block_first(const std::string& mode, const char* operation) {
  if (mode == "DCR" || mode == "CRD") return mode == "DCR";
  fail<ValueError>(ErrorCode::invalid_value, "{}: mode is '{}'", operation, mode)
      .hint("\"DCR\": blocks before channels; \"CRD\": channels before blocks")
      .raise();
}

}  // namespace

PHLOX_OPERATION(
    Tensor, pixel_shuffle, (const Tensor& input, std::int64_t upscale_factor),
    .doc =
        "Moves channels into space: [..., channels r², height, width] becomes [..., channels, height r, width "
        "r].",
    .source = "Shi et al. 2016, arXiv:1609.05158", .family = Family::view, .home = "nn.functional",
    .method = false, .samples = "pixel_shuffle(A(2, 8, 2, 3), 2)") {
  return into_space(input, upscale_factor, false, "pixel_shuffle");
}

PHLOX_OPERATION(Tensor, pixel_unshuffle, (const Tensor& input, std::int64_t downscale_factor),
                .doc = "Moves space into channels, the inverse of pixel_shuffle.",
                .source = "Shi et al. 2016, arXiv:1609.05158", .family = Family::view,
                .home = "nn.functional", .method = false, .samples = "pixel_unshuffle(A(2, 3, 4, 6), 2)") {
  return into_channels(input, downscale_factor, false, "pixel_unshuffle");
}

PHLOX_OPERATION(
    Tensor, depth_to_space, (const Tensor& input, std::int64_t block_size, const std::string& mode = "DCR"),
    .doc =
        "Moves channels into space: [..., block_size² channels, height, width] becomes [..., channels, height block_size, width block_size]. mode \"DCR\" reads "
        "the channels as [block_size, block_size, channels], \"CRD\", like pixel_shuffle, as [channels, block_size, block_size].",
    .source = "ONNX DepthToSpace", .family = Family::view, .home = "nn.functional", .method = false,
    .samples = "depth_to_space(A(2, 8, 2, 3), 2); depth_to_space(A(8, 2, 3), 2, 'CRD')") {
  return into_space(input, block_size, is_block_first(mode, "depth_to_space"), "depth_to_space");
}

PHLOX_OPERATION(Tensor, space_to_depth,
                (const Tensor& input, std::int64_t block_size, const std::string& mode = "DCR"),
                .doc = "Moves space into channels, the inverse of depth_to_space.",
                .source = "ONNX SpaceToDepth", .family = Family::view, .home = "nn.functional",
                .method = false,
                .samples = "space_to_depth(A(2, 3, 4, 6), 2); space_to_depth(A(3, 4, 6), 2, 'CRD')") {
  return into_channels(input, block_size, is_block_first(mode, "space_to_depth"), "space_to_depth");
}

PHLOX_OPERATION(Tensor, channel_shuffle, (const Tensor& input, std::int64_t groups),
                .doc = "Interleaves groups of channels of [batch, channels, ...].",
                .source = "Zhang et al. 2017, arXiv:1707.01083", .family = Family::view,
                .home = "nn.functional", .method = false, .samples = "channel_shuffle(A(2, 6, 3), 2)") {
  need_rank("channel_shuffle", input, 2);
  if (groups < 1 || input.size(1) % groups != 0)
    fail<ShapeError>(ErrorCode::sizes_differ, "channel_shuffle: {} channels do not divide into {} groups",
                     input.size(1), groups)
        .detail("input", describe(input))
        .raise();
  Shape parts = input.shape();
  parts[1] = groups;
  parts.insert(2, input.size(1) / groups);
  return reshape(transpose(reshape(input, parts), 1, 2), input.shape());
}

}  // namespace phlox
