// Boxes around things in images: their forms, overlaps, and the choice among those that overlap.
#include <algorithm>
#include <numeric>

#include "phlox/core/mode.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/operators.h"
#include "phlox/ops/registry/operation.h"

namespace phlox {
namespace {

void require_boxes(const Tensor& boxes, const char* name, const char* operation) {
  if (boxes.rank() >= 1 && boxes.size(-1) == 4) return;
  fail<ShapeError>(ErrorCode::sizes_differ, "{}: boxes have the shape [..., 4]", operation)
      .detail(name, describe(boxes))
      .raise();
}

Tensor part(const Tensor& boxes, std::int64_t which) { return select(boxes, -1, which); }

struct Overlap {
  Tensor intersection, union_area;  // [..., n, m]
};

Tensor area(const Tensor& boxes) {
  return (part(boxes, 2) - part(boxes, 0)) * (part(boxes, 3) - part(boxes, 1));
}

Overlap overlap(const Tensor& boxes1, const Tensor& boxes2) {
  const Tensor a = unsqueeze(boxes1, -2), b = unsqueeze(boxes2, -3);
  const Tensor low = maximum(narrow(a, -1, 0, 2), narrow(b, -1, 0, 2));
  const Tensor high = minimum(narrow(a, -1, 2, 2), narrow(b, -1, 2, 2));
  const Tensor sides = clamp_min(high - low, 0);
  const Tensor intersection = part(sides, 0) * part(sides, 1);
  return {intersection, unsqueeze(area(boxes1), -1) + unsqueeze(area(boxes2), -2) - intersection};
}

struct Corners {
  Tensor first, second;
};

// Two lists of boxes [n, 4] and [m, 4] as corners, of a floating dtype.
Corners corners(const Tensor& boxes1, const Tensor& boxes2, const std::string& fmt, const char* operation) {
  require_boxes(boxes1, "boxes1", operation);
  require_boxes(boxes2, "boxes2", operation);
  if (boxes1.rank() < 2 || boxes2.rank() < 2)
    fail<ShapeError>(ErrorCode::wrong_rank, "{}: takes lists of boxes, [n, 4] and [m, 4]", operation)
        .detail("boxes1", describe(boxes1))
        .detail("boxes2", describe(boxes2))
        .raise();
  return {box_convert(boxes1, fmt, "xyxy"), box_convert(boxes2, fmt, "xyxy")};
}

// The boxes to keep, best first: each that overlaps a better one by more than the threshold goes.
Tensor kept_boxes(const Tensor& boxes, const Tensor& scores, const Tensor& groups, double iou_threshold,
                  const char* operation) {
  if (boxes.rank() != 2 || boxes.size(1) != 4 || scores.rank() != 1 || scores.size(0) != boxes.size(0) ||
      (groups.defined() && groups.shape() != scores.shape()))
    fail<ShapeError>(ErrorCode::sizes_differ, "{}: takes boxes [n, 4] and a score for each, [n]", operation)
        .detail("boxes", describe(boxes))
        .detail("scores", describe(scores))
        .raise();
  NoGrad no_gradient;
  const auto corner = boxes.to_vector<double>();
  const auto group = groups.defined() ? groups.to_vector<std::int64_t>() : std::vector<std::int64_t>();
  const auto order = std::get<1>(sort(scores.detach(), -1, true, true)).to_vector<std::int64_t>();
  const auto size = [&](std::int64_t i) {
    const double* c = &corner[static_cast<std::size_t>(4 * i)];
    return (c[2] - c[0]) * (c[3] - c[1]);
  };
  std::vector<std::int64_t> kept;
  for (const std::int64_t i : order) {
    const double* a = &corner[static_cast<std::size_t>(4 * i)];
    const bool covered = std::any_of(kept.begin(), kept.end(), [&](std::int64_t j) {
      if (!group.empty() && group[static_cast<std::size_t>(i)] != group[static_cast<std::size_t>(j)])
        return false;
      const double* b = &corner[static_cast<std::size_t>(4 * j)];
      const double width = std::max(0.0, std::min(a[2], b[2]) - std::max(a[0], b[0]));
      const double height = std::max(0.0, std::min(a[3], b[3]) - std::max(a[1], b[1]));
      const double common = width * height;
      return common / (size(i) + size(j) - common) > iou_threshold;
    });
    if (!covered) kept.push_back(i);
  }
  return from_values<std::int64_t>(kept, {static_cast<std::int64_t>(kept.size())}).to(boxes.device());
}

}  // namespace

PHLOX_OPERATION(
    Tensor, box_convert, (const Tensor& boxes, const std::string& in_fmt, const std::string& out_fmt),
    .doc =
        "Boxes [..., 4] in another form: \"xyxy\" are two corners, \"xywh\" the first corner, width and height, \"cxcywh\" the centre, width and "
        "height.",
    .family = Family::view, .home = "vision", .method = false,
    .samples =
        "box_convert(A(3, 4), 'xyxy', 'xywh'); box_convert(A(3, 4), 'cxcywh', 'xyxy'); "
        "box_convert(A(2, 3, 4), 'xywh', 'cxcywh')",
    .integers = false) {
  require_boxes(boxes, "boxes", "box_convert");
  for (const std::string* form : {&in_fmt, &out_fmt})
    if (*form != "xyxy" && *form != "xywh" && *form != "cxcywh")
      fail<ValueError>(ErrorCode::unknown_name, "box_convert: there is no form '{}'", *form)
          .hint("\"xyxy\", \"xywh\" or \"cxcywh\"")
          .raise();
  if (in_fmt == out_fmt) return boxes;
  const Tensor first = narrow(boxes, -1, 0, 2), second = narrow(boxes, -1, 2, 2);
  Tensor low = first, high = second;
  if (in_fmt == "xywh") high = first + second;
  if (in_fmt == "cxcywh") {
    low = first - second / 2.0;
    high = first + second / 2.0;
  }
  if (out_fmt == "xyxy") return cat({low, high}, -1);
  return cat({out_fmt == "xywh" ? low : (low + high) / 2.0, high - low}, -1);
}

PHLOX_OPERATION(Tensor, box_area, (const Tensor& boxes),
                .doc = "The areas of boxes [..., 4] given as two corners.", .family = Family::reduction,
                .home = "vision", .method = false, .samples = "box_area(A(3, 4))",
                .reference = "(boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])") {
  require_boxes(boxes, "boxes", "box_area");
  return area(boxes);
}

PHLOX_OPERATION(
    Tensor, box_iou, (const Tensor& boxes1, const Tensor& boxes2, const std::string& fmt = "xyxy"),
    .doc =
        "Intersection over union of all pairs of boxes: [..., n, 4] and [..., m, 4] give [..., n, m]. `fmt` is a form of box_convert().",
    .source = "Jaccard 1912", .family = Family::reduction, .home = "vision", .method = false,
    .samples = "box_iou(cumsum(P(3, 4), 1), cumsum(P(2, 4), 1)); box_iou(P(3, 4), P(2, 4), 'cxcywh')",
    .integers = false) {
  const auto [first, second] = corners(boxes1, boxes2, fmt, "box_iou");
  const auto [intersection, union_area] = overlap(first, second);
  return intersection / union_area;
}

PHLOX_OPERATION(
    Tensor, generalized_box_iou,
    (const Tensor& boxes1, const Tensor& boxes2, const std::string& fmt = "xyxy"),
    .doc =
        "box_iou() less the part of the smallest box around both that neither covers: also boxes that do not touch differ.",
    .source = "Rezatofighi et al. 2019, arXiv:1902.09630", .family = Family::reduction, .home = "vision",
    .method = false, .samples = "generalized_box_iou(cumsum(P(3, 4), 1), cumsum(P(2, 4), 1))",
    .integers = false) {
  const auto [first, second] = corners(boxes1, boxes2, fmt, "generalized_box_iou");
  const auto [intersection, union_area] = overlap(first, second);
  const Tensor a = unsqueeze(first, -2), b = unsqueeze(second, -3);
  const Tensor sides =
      maximum(narrow(a, -1, 2, 2), narrow(b, -1, 2, 2)) - minimum(narrow(a, -1, 0, 2), narrow(b, -1, 0, 2));
  const Tensor around = part(sides, 0) * part(sides, 1);
  return intersection / union_area - (around - union_area) / around;
}

PHLOX_OPERATION(
    Tensor, nms, (const Tensor& boxes, const Tensor& scores, double iou_threshold),
    .doc =
        "Non-maximum suppression: the positions of boxes [n, 4] (two corners) that overlap no better one by more than `iou_threshold`, best score first.",
    .family = Family::sort, .home = "vision", .method = false,
    .samples = "nms(cumsum(P(6, 4), 1), C(6), 0.3)", .differentiable = false, .reads_values = true) {
  return kept_boxes(boxes, scores, {}, iou_threshold, "nms");
}

PHLOX_OPERATION(
    Tensor, batched_nms,
    (const Tensor& boxes, const Tensor& scores, const Tensor& idxs, double iou_threshold),
    .doc =
        "nms() within each group of boxes, whose numbers are `idxs` [n]: boxes of different groups never compete.",
    .family = Family::sort, .home = "vision", .method = false,
    .samples = "batched_nms(cumsum(P(6, 4), 1), C(6), I(2, 6), 0.3)", .differentiable = false,
    .reads_values = true) {
  return kept_boxes(boxes, scores, idxs, iou_threshold, "batched_nms");
}

}  // namespace phlox
