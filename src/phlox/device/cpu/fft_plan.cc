#include "phlox/device/cpu/fft_plan.h"

#include <algorithm>
#include <cmath>
#include <list>
#include <map>
#include <mutex>
#include <utility>

#include "phlox/core/allocator.h"
#include "phlox/core/parallel.h"
#include "phlox/device/cpu/device.h"
#include "phlox/device/cpu/processor.h"
#include "phlox/device/cpu/rows.h"

namespace phlox::cpu {

PHLOX_TABLE(FftKernels, phlox_fft_kernels);

const FftFunctions& fft_functions(bool wide) {
  static const FftKernels& best = best_of(PHLOX_TABLE_SPAN(phlox_fft_kernels));
  return wide ? best.float64 : best.float32;
}

FftTable::FftTable(bool wide, std::int64_t numbers) : wide_(wide), bytes_(numbers * (wide ? 8 : 4)) {
  const auto bytes = static_cast<std::size_t>(bytes_);
  block_ = {allocate(bytes), [bytes](void* block) { deallocate(block, bytes); }};
}

void FftTable::set(std::int64_t position, long double value) {
  if (wide_) static_cast<double*>(block_.get())[position] = static_cast<double>(value);
  else static_cast<float*>(block_.get())[position] = static_cast<float>(value);
}

namespace {

// Primes above this have no pass of their own (fft_butterflies.h).
constexpr std::int64_t largest_radix = 47;
// Bytes of vector elements that stay in the second cache.
constexpr std::int64_t cached_bytes = 1 << 19;

struct Root {
  long double cosine, sine;
};

// exp(-2 pi i k / n), with the angle within an eighth of a turn, where it is exact.
Root root_of_unity(std::int64_t k, std::int64_t n, bool wide) {
  k %= n;
  const std::int64_t octant = 8 * k / n;
  // The angle from the nearest quarter below or above, in units of 2 pi / (4 n).
  const std::int64_t quarter = (octant + 1) / 2, rest = 4 * k - quarter * n;
  long double c, s;
  if (wide) {
    const long double angle = 2 * 3.14159265358979323846264338327950288L * static_cast<long double>(rest) /
                              static_cast<long double>(4 * n);
    c = std::cos(angle), s = std::sin(angle);
  } else {
    const double angle = 2 * 3.14159265358979323846 * static_cast<double>(rest) / static_cast<double>(4 * n);
    c = std::cos(angle), s = std::sin(angle);
  }
  switch (quarter % 4) {
    case 0: return {c, -s};
    case 1: return {-s, -c};
    case 2: return {-c, s};
    default: return {s, c};
  }
}

void set_root(FftTable& table, std::int64_t position, std::int64_t k, std::int64_t n, bool wide) {
  const Root root = root_of_unity(k, n, wide);
  table.set(2 * position, root.cosine);
  table.set(2 * position + 1, root.sine);
}

// The chirp exp(-pi i k^2 / n).
void set_chirp(FftTable& table, std::int64_t k, std::int64_t n, bool wide) {
  const auto square = static_cast<unsigned __int128>(k) * static_cast<unsigned __int128>(k);
  set_root(table, k, static_cast<std::int64_t>(square % static_cast<unsigned __int128>(2 * n)), 2 * n, wide);
}

// The radices of passes for a length; empty when it has a prime factor without pass.
std::vector<int> radices_of(std::int64_t n) {
  std::vector<int> radices;
  int twos = 0;
  for (; n % 2 == 0; n /= 2) ++twos;
  for (int prime = 3; prime <= largest_radix && n > 1; prime += 2)
    for (; n % prime == 0; n /= prime) radices.push_back(prime);
  if (n > 1) return {};
  std::sort(radices.begin(), radices.end(), std::greater<>());
  int eights = twos / 3;
  const int rest = twos % 3;
  if (rest == 1 && eights > 0) {
    --eights;
    radices.insert(radices.end(), 2, 4);
  } else if (rest > 0) {
    radices.push_back(rest == 1 ? 2 : 4);
  }
  radices.insert(radices.end(), static_cast<std::size_t>(eights), 8);
  return radices;
}

// What passes cost for each element, about in cycles of one vector.
double cost_of_radix(int radix) {
  switch (radix) {
    case 2: return 2;
    case 3: return 2.5;
    case 4: return 2.5;
    case 5: return 3.5;
    case 7: return 5;
    case 8: return 3.5;
    default: return 3 + 0.7 * radix;
  }
}
constexpr double cost_of_moving = 4;

// Of passes alone; 0 when there are none for the length.
double cost_of_passes(std::int64_t n) {
  if (n == 1) return 1;
  double each = 0;
  for (int radix : radices_of(n)) each += cost_of_radix(radix);
  return each * static_cast<double>(n);
}

// Lengths that are at least `least` and consist of small primes, up to twice as long.
std::vector<std::int64_t> convenient_lengths(std::int64_t least) {
  std::vector<std::int64_t> found;
  for (std::int64_t odd : {1, 3, 5, 7, 9, 15}) {
    std::int64_t length = odd;
    while (length < least) length *= 2;
    if (length < 2 * least) found.push_back(length);
  }
  std::sort(found.begin(), found.end());
  return found;
}

struct Convolution {
  std::int64_t inner;
  double cost;
};
template <class Cost>
Convolution best_convolution(std::int64_t length, const Cost& cost_of_length) {
  Convolution best{0, 0};
  for (std::int64_t inner : convenient_lengths(2 * length - 1)) {
    const double cost = 2 * cost_of_length(inner) + cost_of_moving * static_cast<double>(2 * inner);
    if (best.inner == 0 || cost < best.cost) best = {inner, cost};
  }
  return best;
}

struct LanesChoice {
  std::int64_t inner;  // the length itself: passes
  double cost;
};
LanesChoice choose_lanes(std::int64_t length) {
  const double direct = cost_of_passes(length), moving = cost_of_moving * static_cast<double>(length);
  const Convolution other = best_convolution(length, cost_of_passes);
  if (direct > 0 && direct <= other.cost) return {length, direct + moving};
  return {other.inner, other.cost + moving};
}

struct LongChoice {
  FftLongPlan::Way way;
  std::int64_t other;  // columns, or the length of the convolution
  double cost;
};
LongChoice choose_long(std::int64_t length, std::int64_t lanes, bool convolution = true) {
  const auto vectors = [lanes](std::int64_t count) {
    return static_cast<double>((count + lanes - 1) / lanes);
  };
  LongChoice best{FftLongPlan::Way::lanes, 0, choose_lanes(length).cost};
  for (std::int64_t rows = 2; rows * rows <= length; ++rows) {
    if (length % rows != 0) continue;
    const std::int64_t other = length / rows;
    const double first = choose_lanes(rows).cost, second = choose_lanes(other).cost;
    const double cost = vectors(other) * first + vectors(rows) * second;
    if (cost < best.cost) best = {FftLongPlan::Way::four_steps, rows, cost};
  }
  if (convolution && cost_of_passes(length) == 0) {
    const Convolution other =
        best_convolution(length, [&](std::int64_t inner) { return choose_long(inner, lanes, false).cost; });
    if (other.cost < best.cost) best = {FftLongPlan::Way::convolution, other.inner, other.cost};
  }
  return best;
}

// --- plans

void add_passes(FftLanesPlan& plan, std::int64_t length, bool wide) {
  std::int64_t stride = 1;
  for (int radix : radices_of(length)) {
    FftPass pass{};
    pass.radix = radix;
    pass.stride = stride;
    pass.count = length / stride / radix;
    if (pass.count > 1) {
      FftTable table(wide, 2 * pass.count * (radix - 1));
      for (std::int64_t p = 0; p < pass.count; ++p)
        for (int k = 1; k < radix; ++k)
          set_root(table, p * (radix - 1) + k - 1, p * k, pass.count * radix, wide);
      pass.twiddles = table.data();
      plan.memory.push_back(std::move(table));
    }
    if (radix > 8) {
      FftTable table(wide, 2 * radix);
      for (int k = 0; k < radix; ++k) set_root(table, k, k, radix, wide);
      pass.roots = table.data();
      plan.memory.push_back(std::move(table));
    }
    plan.passes.push_back(pass);
    stride *= radix;
  }
}

// The transformed conjugate chirp, divided by its length; computed in double.
FftTable make_filter(std::int64_t length, std::int64_t inner, bool wide) {
  FftTable chirp(true, 2 * inner);
  auto* values = static_cast<double*>(chirp.data());
  std::fill_n(values, 2 * inner, 0.0);
  for (std::int64_t k = 0; k < length; ++k) {
    set_chirp(chirp, k, length, true);
    values[2 * k + 1] = -values[2 * k + 1];
    if (k > 0) std::copy_n(values + 2 * k, 2, values + 2 * (inner - k));
  }
  run_long_fft(*fft_long_plan(inner, true), true, values, values, false, false,
               1 / static_cast<double>(inner));
  if (wide) return chirp;
  FftTable filter(false, 2 * inner);
  for (std::int64_t i = 0; i < 2 * inner; ++i) filter.set(i, values[i]);
  return filter;
}

FftTable make_chirp(std::int64_t length, bool wide) {
  FftTable chirp(wide, 2 * length);
  for (std::int64_t k = 0; k < length; ++k) set_chirp(chirp, k, length, wide);
  return chirp;
}

std::shared_ptr<const FftLanesPlan> make_lanes_plan(std::int64_t length, bool wide) {
  auto plan = std::make_shared<FftLanesPlan>();
  const LanesChoice choice = choose_lanes(length);
  plan->cost = choice.cost;
  add_passes(*plan, choice.inner, wide);
  FftTables tables{length,  choice.inner, plan->passes.data(), static_cast<int>(plan->passes.size()),
                   nullptr, nullptr};
  if (choice.inner != length) {
    plan->memory.push_back(make_chirp(length, wide));
    tables.chirp = plan->memory.back().data();
    plan->memory.push_back(make_filter(length, choice.inner, wide));
    tables.filter = plan->memory.back().data();
  }
  plan->tables = tables;
  return plan;
}

std::shared_ptr<const FftLongPlan> make_long_plan(std::int64_t length, bool wide) {
  using Way = FftLongPlan::Way;
  const std::int64_t lanes = fft_functions(wide).lanes;
  const LongChoice choice = choose_long(length, lanes);
  auto plan = std::make_shared<FftLongPlan>();
  plan->way = choice.way;
  plan->length = length;
  plan->cost = choice.cost;
  plan->inner = choice.other;
  if (choice.way == Way::lanes) {
    plan->column = fft_lanes_plan(length, wide);
  } else if (choice.way == Way::convolution) {
    plan->inner_plan = fft_long_plan(choice.other, wide);
    plan->chirp = make_chirp(length, wide);
    plan->filter = make_filter(length, choice.other, wide);
  } else {
    const std::int64_t rows = choice.other, columns = length / rows;
    plan->column = fft_lanes_plan(rows, wide);
    plan->row = fft_lanes_plan(columns, wide);
    FftLong& steps = plan->steps;
    steps = {&plan->column->tables, &plan->row->tables, rows, columns, rows, 1, nullptr, nullptr};
    // A table as long as the transform as long as it is in the caches.
    if (2 * length * (wide ? 8 : 4) > cached_bytes) {
      steps.fine_count = static_cast<std::int64_t>(std::sqrt(static_cast<double>(rows))) + 1;
      steps.coarse_count = (rows + steps.fine_count - 1) / steps.fine_count;
    }
    const std::int64_t groups = (columns + lanes - 1) / lanes;
    const auto fill = [&](std::int64_t count, std::int64_t step) {
      FftTable table(wide, groups * count * 2 * lanes);
      for (std::int64_t group = 0; group < groups; ++group) {
        for (std::int64_t k = 0; k < count; ++k) {
          for (std::int64_t lane = 0; lane < lanes; ++lane) {
            const std::int64_t column = std::min(group * lanes + lane, columns - 1);
            const Root root = root_of_unity(column * k * step, length, wide);
            const std::int64_t at = (group * count + k) * 2 * lanes + lane;
            table.set(at, root.cosine);
            table.set(at + lanes, root.sine);
          }
        }
      }
      return table;
    };
    plan->fine = fill(steps.fine_count, 1);
    plan->coarse = fill(steps.coarse_count, steps.fine_count);
    steps.fine = plan->fine.data();
    steps.coarse = plan->coarse.data();
  }
  return plan;
}

FftTable make_real_twiddles(std::int64_t half, bool wide) {
  FftTable table(wide, 2 * (half / 2 + 1));
  for (std::int64_t k = 0; k <= half / 2; ++k) set_root(table, k, k, 2 * half, wide);
  return table;
}

// --- the cache

std::int64_t bytes_of(const FftLanesPlan& plan) {
  std::int64_t bytes = 0;
  for (const FftTable& table : plan.memory) bytes += table.bytes();
  return bytes;
}
std::int64_t bytes_of(const FftLongPlan& plan) {
  return plan.fine.bytes() + plan.coarse.bytes() + plan.chirp.bytes() + plan.filter.bytes();
}
std::int64_t bytes_of(const FftTable& table) { return table.bytes(); }

// Keeps what was used last, within a number of bytes and of entries.
template <class Plan>
class Cache {
 public:
  template <class Make>
  std::shared_ptr<const Plan> get(std::int64_t length, bool wide, const Make& make) {
    const auto key = std::make_pair(length, wide);
    {
      const std::lock_guard lock(mutex_);
      if (auto found = places_.find(key); found != places_.end()) {
        entries_.splice(entries_.begin(), entries_, found->second);
        return found->second->plan;
      }
    }
    // Made outside of the lock, since plans ask for other plans; two threads may make the same one.
    std::shared_ptr<const Plan> plan = make();
    const std::lock_guard lock(mutex_);
    if (places_.count(key)) return plan;
    entries_.push_front({key, plan, bytes_of(*plan)});
    places_[key] = entries_.begin();
    bytes_ += entries_.front().bytes;
    while (entries_.size() > most_entries || (bytes_ > most_bytes && entries_.size() > 1)) {
      bytes_ -= entries_.back().bytes;
      places_.erase(entries_.back().key);
      entries_.pop_back();
    }
    return plan;
  }

 private:
  static constexpr std::size_t most_entries = 256;
  static constexpr std::int64_t most_bytes = 32 << 20;
  using Key = std::pair<std::int64_t, bool>;
  struct Entry {
    Key key;
    std::shared_ptr<const Plan> plan;
    std::int64_t bytes;
  };
  std::mutex mutex_;
  std::list<Entry> entries_;
  std::map<Key, typename std::list<Entry>::iterator> places_;
  std::int64_t bytes_ = 0;
};

// Never destroyed: threads may still compute while the process ends.
template <class Plan>
Cache<Plan>& cache() {
  static auto& plans = *new Cache<Plan>;
  return plans;
}

}  // namespace

std::shared_ptr<const FftLanesPlan> fft_lanes_plan(std::int64_t length, bool wide) {
  return cache<FftLanesPlan>().get(length, wide, [&] { return make_lanes_plan(length, wide); });
}

std::shared_ptr<const FftLongPlan> fft_long_plan(std::int64_t length, bool wide) {
  return cache<FftLongPlan>().get(length, wide, [&] { return make_long_plan(length, wide); });
}

std::shared_ptr<const FftTable> fft_real_twiddles(std::int64_t half, bool wide) {
  return cache<FftTable>().get(
      half, wide, [&] { return std::make_shared<const FftTable>(make_real_twiddles(half, wide)); });
}

void run_long_fft(const FftLongPlan& plan, bool wide, const void* input, void* output, bool swapped_input,
                  bool swapped_output, double scale) {
  using Way = FftLongPlan::Way;
  const FftFunctions& f = fft_functions(wide);
  const std::int64_t bytes = wide ? 8 : 4, element = 2 * f.lanes * bytes;
  if (plan.way == Way::lanes) {
    const FftTables& tables = plan.column->tables;
    const Scratch scratch(2 * (tables.inner + 1) * element);
    FftSide from{const_cast<void*>(input), 2, 1, 0, true}, to{output, 2, 1, 0, true};
    const bool backward = swapped_input && swapped_output;
    if (swapped_input != swapped_output) {  // the parts are exchanged on one side only
      FftSide& side = swapped_input ? from : to;
      side.base = static_cast<char*>(side.base) + bytes;
      side.imaginary = -1;
    }
    f.run_lanes({&tables, nullptr, FftForm::complex, !backward, scale, from, to, 1}, scratch.at(0));
    return;
  }
  if (plan.way == Way::convolution) {
    const std::int64_t complex_bytes = 2 * bytes;
    const Scratch work(2 * plan.inner * complex_bytes);
    char *x = work.at(0), *y = work.at(plan.inner * complex_bytes);
    f.multiply(input, plan.chirp.data(), x, plan.length, swapped_input, false, 1);
    std::fill(x + plan.length * complex_bytes, x + plan.inner * complex_bytes, 0);
    run_long_fft(*plan.inner_plan, wide, x, y, false, false, 1);
    f.multiply(y, plan.filter.data(), x, plan.inner, false, true, 1);
    run_long_fft(*plan.inner_plan, wide, x, y, false, true, 1);
    f.multiply(y, plan.chirp.data(), output, plan.length, false, swapped_output, scale);
    return;
  }
  const FftLong& steps = plan.steps;
  const std::int64_t column_groups = (steps.columns + f.lanes - 1) / f.lanes,
                     row_groups = (steps.rows + f.lanes - 1) / f.lanes;
  const Scratch matrix(steps.rows * column_groups * element);
  const auto grain = [](const FftLanesPlan& part) {
    constexpr double worthwhile = 40000;
    return std::max<std::int64_t>(1, static_cast<std::int64_t>(worthwhile / part.cost));
  };
  parallel_for(0, column_groups, grain(*plan.column), [&](std::int64_t first, std::int64_t last) {
    const Scratch scratch(2 * (steps.column->inner + 1) * element);
    f.long_columns(steps, input, matrix.at(0), swapped_input, first, last, scratch.at(0));
  });
  parallel_for(0, row_groups, grain(*plan.row), [&](std::int64_t first, std::int64_t last) {
    const Scratch scratch(2 * (steps.row->inner + 1) * element);
    f.long_rows(steps, matrix.at(0), output, swapped_output, scale, first, last, scratch.at(0));
  });
}

}  // namespace phlox::cpu
