// The machine's memory bandwidth with all threads, which is the limit of memory-bound operations: bytes read and
// written a second, on blocks of 64 MB.
#include <benchmark/benchmark.h>
#include <phlox/core/parallel.h>

#include <cstdint>
#include <cstring>
#include <vector>

namespace {

constexpr std::int64_t bytes = std::int64_t{64} << 20;

void copy(benchmark::State& state) {
  std::vector<char> source(bytes, 1), target(bytes, 2);
  for (auto _ : state) {
    phlox::parallel_for(0, bytes, 1 << 20, [&](std::int64_t first, std::int64_t last) {
      std::memcpy(target.data() + first, source.data() + first, static_cast<std::size_t>(last - first));
    });
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(2 * bytes * state.iterations());
}
BENCHMARK(copy)->Name("bandwidth, memcpy")->UseRealTime();

void read(benchmark::State& state) {
  const std::vector<std::uint64_t> source(bytes / 8, 1);
  for (auto _ : state) {
    phlox::parallel_for(0, bytes / 8, 1 << 17, [&](std::int64_t first, std::int64_t last) {
      std::uint64_t sums[16] = {};
      for (std::int64_t i = first; i + 16 <= last; i += 16)
        for (int k = 0; k < 16; ++k) sums[k] += source[static_cast<std::size_t>(i + k)];
      for (std::uint64_t sum : sums) benchmark::DoNotOptimize(sum);
    });
  }
  state.SetBytesProcessed(bytes * state.iterations());
}
BENCHMARK(read)->Name("bandwidth, reading")->UseRealTime();

}  // namespace
