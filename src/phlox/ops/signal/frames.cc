#include "phlox/ops/signal/frames.h"

#include "phlox/ops/functions.h"
#include "phlox/ops/registry/operation.h"
#include "phlox/ops/view.h"

namespace phlox {

Tensor frames_of(const Tensor& signal, std::int64_t frame_length, std::int64_t step, int dim) {
  const Tensor frames = unfold(signal, dim, frame_length, step);  // with the frames' elements last
  return movedim(frames, DimList(-1), DimList(dim + 1));
}

Tensor overlapped(const Tensor& frames, std::int64_t step) {
  const int rank = frames.rank();
  const std::int64_t count = frames.size(-2), length = frames.size(-1);
  Shape shape = frames.shape();
  shape.resize(shape.size() - 1);
  shape[shape.size() - 1] = (count - 1) * step + length;
  return apply_view_gradient(frames, shape, {ViewKind::unfold, {rank - 2, length, step}});
}

namespace {

void check_positive(std::int64_t value, const char* name, const char* operation) {
  if (value < 1)
    fail<ValueError>(ErrorCode::invalid_value, "{}: {} is {}", operation, name, value)
        .hint(fmt::format("{} must be at least 1", name))
        .raise();
}

}  // namespace

PHLOX_OPERATION(
    Tensor, signal_frame,
    (const Tensor& signal, std::int64_t frame_length, std::int64_t frame_step, bool pad_end = false,
     Scalar pad_value = 0, std::int64_t dim = -1),
    .doc =
        "Frames of `frame_length` elements, `frame_step` apart, of a signal along `dim`: [..., frames, frame_length, "
        "...]. What is left at the end is dropped, or filled up with `pad_value` where `pad_end` says so.",
    .family = Family::fft, .home = "signal", .method = false,
    .samples =
        "signal_frame(A(2, 10), 4, 3); signal_frame(A(10, 3), 4, 2, dim=0); signal_frame(A(9), 4, 3, pad_end=True, "
        "pad_value=1.5); signal_frame(A(3), 5, 2)",
    .complex = true) {
  const int d = normalize_dim(dim, signal.rank(), "frame");
  check_positive(frame_length, "frame_length", "frame");
  check_positive(frame_step, "frame_step", "frame");
  if (signal.rank() == 0)
    fail<ShapeError>(ErrorCode::wrong_rank, "frame: a signal has at least one dimension")
        .detail("signal", describe(signal))
        .raise();
  Tensor x = signal;
  const std::int64_t size = x.size(d);
  if (pad_end && size > 0) {
    const std::int64_t frames = (size + frame_step - 1) / frame_step,
                       missing = (frames - 1) * frame_step + frame_length - size;
    Shape shape = x.shape();
    shape[static_cast<std::size_t>(d)] = missing;
    if (missing > 0) x = cat({x, full(shape, pad_value, x.dtype(), x.device())}, d);
    else x = narrow(x, d, 0, size + missing);
  }
  if (x.size(d) >= frame_length) return frames_of(x, frame_length, frame_step, d);
  Shape shape = x.shape();
  shape[static_cast<std::size_t>(d)] = 0;
  shape.insert(static_cast<std::size_t>(d) + 1, frame_length);
  // No frame at all, but with a place on the tape.
  return reshape(narrow(x, d, 0, 0), shape);
}

PHLOX_OPERATION(
    Tensor, signal_overlap_and_add, (const Tensor& signal, std::int64_t frame_step),
    .doc =
        "Adds frames [..., frames, frame_length] up, each `frame_step` after the one before: [..., (frames "
        "- 1) * frame_step + frame_length].",
    .family = Family::fft, .home = "signal", .method = false,
    .samples = "signal_overlap_and_add(A(2, 3, 5), 2); signal_overlap_and_add(A(3, 2), 4)", .complex = true) {
  check_positive(frame_step, "frame_step", "overlap_and_add");
  if (signal.rank() < 2)
    fail<ShapeError>(ErrorCode::wrong_rank, "overlap_and_add: takes frames [..., frames, frame_length]")
        .detail("signal", describe(signal))
        .raise();
  if (signal.size(-2) == 0) return sum(signal, DimList(-2));
  return overlapped(signal, frame_step);
}

}  // namespace phlox
