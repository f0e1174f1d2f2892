#include "phlox/ops/view_layout.h"

#include <algorithm>

#include "phlox/ops/primitives/convert.h"

namespace phlox {
namespace {

// Strides for a reshape without copying; false when there are none. Dimensions that run on in memory are
// taken together and cut anew.
bool reshape_strides(const TensorImpl& from, const Shape& sizes, Strides& strides) {
  strides.resize(sizes.size());
  if (from.count == 0 || from.contiguous) {
    strides = contiguous_strides(sizes);
    return true;
  }
  int next = sizes.rank() - 1;
  std::int64_t chunk = 1, chunk_stride = 1;
  bool begun = false;
  for (int d = from.rank - 1; d >= 0; --d) {
    if (from.sizes[d] == 1) continue;
    if (!begun) {
      chunk_stride = from.strides[d];
      chunk = 1;
      begun = true;
    }
    chunk *= from.sizes[d];
    int above = d - 1;
    while (above >= 0 && from.sizes[above] == 1) --above;
    if (above >= 0 && from.strides[above] == from.strides[d] * from.sizes[d]) continue;
    std::int64_t taken = 1;
    while (next >= 0 && (taken < chunk || sizes[static_cast<std::size_t>(next)] == 1)) {
      strides[static_cast<std::size_t>(next)] = taken * chunk_stride;
      taken *= sizes[static_cast<std::size_t>(next)];
      --next;
    }
    if (taken != chunk) return false;
    begun = false;
  }
  for (; next >= 0; --next) strides[static_cast<std::size_t>(next)] = 1;  // sizes of 1
  return true;
}

std::int64_t wrapping_product(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) * static_cast<std::uint64_t>(b));
}

}  // namespace

// The same bytes in elements of another size; false where they do not begin or end with the old ones.
static bool reinterpret_layout(const TensorImpl& from, std::int64_t had, std::int64_t has, ViewLayout& to) {
  for (int d = 0; d < from.rank; ++d) {
    const bool last = d == from.rank - 1;
    const bool dense = from.strides[d] == 1 || from.sizes[d] <= 1;
    if (last && had != has && !dense) return false;
    const std::int64_t stride = last && had != has ? 1 : from.strides[d];
    if (had < has && !last && from.sizes[d] > 1 && stride % (has / had) != 0) return false;
    to.sizes.push_back(last ? from.sizes[d] * had / has : from.sizes[d]);
    to.strides.push_back(last ? stride : had < has ? stride / (has / had) : stride * (had / has));
  }
  if (had < has && from.offset % (has / had) != 0) return false;
  to.offset = had < has ? to.offset / (has / had) : to.offset * (had / has);
  return true;
}

bool layout_of(const TensorImpl& from, const ViewAttributes& v, ViewLayout& to) {
  to.offset = from.offset;
  const auto at = [](const IntList& list, int i) { return list[static_cast<std::size_t>(i)]; };
  switch (v.kind) {
    case ViewKind::reshape: to.sizes = v.a; return reshape_strides(from, to.sizes, to.strides);
    case ViewKind::expand: {
      to.sizes = v.a;
      to.strides.resize(v.a.size());
      const int added = v.a.rank() - from.rank;
      for (int d = 0; d < v.a.rank(); ++d) {
        const bool kept = d >= added && from.sizes[d - added] == at(v.a, d);
        to.strides[static_cast<std::size_t>(d)] = kept ? from.strides[d - added] : 0;
      }
      return true;
    }
    case ViewKind::permute:
      to.sizes.resize(v.a.size());
      to.strides.resize(v.a.size());
      for (std::size_t d = 0; d < v.a.size(); ++d) {
        to.sizes[d] = from.sizes[v.a[d]];
        to.strides[d] = from.strides[v.a[d]];
      }
      return true;
    case ViewKind::select: {
      const std::int64_t dim = v.a[0];
      to.sizes.resize(from.rank - 1u);
      to.strides.resize(from.rank - 1u);
      for (int d = 0, e = 0; d < from.rank; ++d) {
        if (d == dim) continue;
        to.sizes[static_cast<std::size_t>(e)] = from.sizes[d];
        to.strides[static_cast<std::size_t>(e++)] = from.strides[d];
      }
      to.offset += v.a[1] * from.strides[dim];
      return true;
    }
    case ViewKind::slice: {
      to.sizes = v.a;
      to.strides.resize(v.a.size());
      std::int64_t shift = 0;
      for (int d = 0; d < from.rank; ++d) {
        // Steps beyond the end may be as large as they like: only those that are taken must not overflow.
        to.strides[static_cast<std::size_t>(d)] = wrapping_product(from.strides[d], at(v.c, d));
        shift += element_count(v.a) > 0 ? from.strides[d] * at(v.b, d) : 0;
      }
      if (element_count(v.a) > 0) to.offset += shift;  // an empty slice may begin beyond the end
      return true;
    }
    case ViewKind::diagonal: {
      const std::int64_t shift = v.a[0], first = v.a[1], second = v.a[2];
      for (int d = 0; d < from.rank; ++d) {
        if (d == first || d == second) continue;
        to.sizes.push_back(from.sizes[d]);
        to.strides.push_back(from.strides[d]);
      }
      const std::int64_t length = shift >= 0 ? std::min(from.sizes[first], from.sizes[second] - shift)
                                             : std::min(from.sizes[first] + shift, from.sizes[second]);
      to.sizes.push_back(std::max<std::int64_t>(length, 0));
      to.strides.push_back(from.strides[first] + from.strides[second]);
      if (length > 0) to.offset += shift >= 0 ? shift * from.strides[second] : -shift * from.strides[first];
      return true;
    }
    case ViewKind::unfold: {
      const std::int64_t dim = v.a[0], size = v.a[1], step = v.a[2];
      for (int d = 0; d < from.rank; ++d) {
        to.sizes.push_back(d == dim ? (from.sizes[d] - size) / step + 1 : from.sizes[d]);
        to.strides.push_back(d == dim ? wrapping_product(from.strides[d], step) : from.strides[d]);
      }
      to.sizes.push_back(size);
      to.strides.push_back(from.rank == 0 ? 1 : from.strides[dim]);
      return true;
    }
    case ViewKind::strided:
      to.sizes = v.a;
      to.strides = v.b;
      to.offset = v.offset;
      return true;
    case ViewKind::real_pairs:
      for (int d = 0; d < from.rank; ++d) {
        to.sizes.push_back(from.sizes[d]);
        to.strides.push_back(2 * from.strides[d]);
      }
      to.sizes.push_back(2);
      to.strides.push_back(1);
      to.offset *= 2;
      return true;
    case ViewKind::complex_pairs:
      if (from.strides[from.rank - 1] != 1 || from.offset % 2 != 0) return false;
      for (int d = 0; d < from.rank - 1; ++d) {
        if (from.strides[d] % 2 != 0 && from.sizes[d] > 1) return false;
        to.sizes.push_back(from.sizes[d]);
        to.strides.push_back(from.strides[d] / 2);
      }
      to.offset /= 2;
      return true;
    case ViewKind::bits: return reinterpret_layout(from, info(v.from).bits / 8, info(v.to).bits / 8, to);
  }
  return false;
}

namespace {
DType complex_of(DType dtype) { return dtype == DType::float64 ? DType::complex128 : DType::complex64; }
}  // namespace

DType viewed_dtype(const ViewAttributes& view, DType dtype) {
  if (view.kind == ViewKind::real_pairs) return info(dtype).real;
  if (view.kind == ViewKind::complex_pairs) return complex_of(dtype);
  return view.kind == ViewKind::bits ? view.to : dtype;
}
DType origin_dtype(const ViewAttributes& view, DType dtype) {
  if (view.kind == ViewKind::real_pairs) return complex_of(dtype);
  if (view.kind == ViewKind::complex_pairs) return info(dtype).real;
  return view.kind == ViewKind::bits ? view.from : dtype;
}

void check_view_of(const PrimitiveCall& call, const Tensor& input, const ViewAttributes& v) {
  const int rank = input.rank();
  const auto has_lists = [&](std::size_t a, std::size_t b, std::size_t c) {
    call.require(v.a.size() == a && v.b.size() == b && v.c.size() == c, "its lists have other lengths");
  };
  switch (v.kind) {
    case ViewKind::reshape:
      call.require_sizes("sizes", v.a);
      call.require(element_count(v.a) == input.numel(), "[{}] does not hold {} elements", to_string(v.a),
                   input.numel());
      return;
    case ViewKind::expand: {
      call.require_sizes("sizes", v.a);
      const int added = v.a.rank() - rank;
      call.require(added >= 0, "[{}] has fewer dimensions than the input", to_string(v.a));
      for (int d = 0; d < rank; ++d)
        call.require(input.size(d) == 1 || input.size(d) == v.a[static_cast<std::size_t>(d + added)],
                     "dimension {} cannot become [{}]", d, to_string(v.a));
      return;
    }
    case ViewKind::permute:
      call.require_dims("dims", v.a, input);
      call.require(v.a.rank() == rank, "dims are {}, not {}", v.a.rank(), rank);
      return;
    case ViewKind::select:
      has_lists(2, 0, 0);
      call.require(rank > 0, "there is no dimension to select from");
      call.require_dim("dim", v.a[0], input);
      call.require(v.a[1] >= 0 && v.a[1] < input.size(static_cast<int>(v.a[0])),
                   "position {} is out of range", v.a[1]);
      return;
    case ViewKind::slice: {
      const auto count = static_cast<std::size_t>(rank);
      has_lists(count, count, count);
      call.require_sizes("sizes", v.a);
      if (element_count(v.a) == 0) return;
      for (std::size_t d = 0; d < count; ++d) {
        const __int128 first = v.b[d], last = first + static_cast<__int128>(v.a[d] - 1) * v.c[d];
        const std::int64_t size = input.size(static_cast<int>(d));
        call.require(first >= 0 && first < size && last >= 0 && last < size,
                     "dimension {} reaches beyond {} elements", d, size);
      }
      return;
    }
    case ViewKind::diagonal:
      has_lists(3, 0, 0);
      call.require_dims("dimensions", {v.a[1], v.a[2]}, input);
      call.require(v.a[0] >= -max_elements && v.a[0] <= max_elements, "the offset is {}", v.a[0]);
      return;
    case ViewKind::unfold: {
      has_lists(3, 0, 0);
      call.require_dim("dim", v.a[0], input);
      const std::int64_t length = rank ? input.size(static_cast<int>(v.a[0])) : 1;
      call.require(v.a[1] >= 0 && v.a[1] <= length && v.a[2] > 0, "windows of {} elements, {} apart, of {}",
                   v.a[1], v.a[2], length);
      return;
    }
    case ViewKind::strided: {
      has_lists(v.a.size(), v.a.size(), 0);
      call.require_sizes("sizes", v.a);
      call.require(v.offset >= 0 && v.offset <= max_elements, "the offset is {}", v.offset);
      if (element_count(v.a) == 0) return;
      __int128 first = v.offset, last = v.offset;
      for (std::size_t d = 0; d < v.a.size(); ++d)
        (v.b[d] < 0 ? first : last) += static_cast<__int128>(v.a[d] - 1) * v.b[d];
      call.require(first >= 0 && last < input.numel(), "it reaches beyond {} elements", input.numel());
      return;
    }
    case ViewKind::real_pairs: call.require(is_complex(input.dtype()), "the input is not complex"); return;
    case ViewKind::complex_pairs:
      call.require(input.dtype() == DType::float32 || input.dtype() == DType::float64,
                   "the input is neither float32 nor float64");
      call.require(rank > 0 && input.size(-1) == 2, "the last dimension does not hold pairs");
      return;
    case ViewKind::bits: {
      const auto has_bytes = [](DType dtype) { return is_castable(dtype) && info(dtype).bits >= 8; };
      call.require(has_bytes(v.from) && has_bytes(v.to) && input.dtype() == v.from, "the dtypes do not fit");
      const int had = info(v.from).bits, has = info(v.to).bits;
      call.require(had == has || (rank > 0 && (has < had || input.size(-1) % (has / had) == 0)),
                   "the last dimension does not fill elements of {} bits", has);
      return;
    }
  }
}

}  // namespace phlox
