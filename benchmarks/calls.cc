// What a call of an operation costs from C++ on ten floats, without and with a record for gradients.
#include <benchmark/benchmark.h>
#include <phlox/phlox.h>

namespace px = phlox;

namespace {

px::Tensor ten_ones(bool requires_grad) {
  px::set_thread_count(1);
  return px::ones({10}).set_requires_grad(requires_grad);
}

void add(benchmark::State& state) {
  const px::Tensor a = ten_ones(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(px::add(a, a));
}
BENCHMARK(add)->Name("add, 10 floats (aim 40 ns)/recorded")->Arg(0)->Arg(1);

void add_number(benchmark::State& state) {
  const px::Tensor a = ten_ones(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(a + 1.5);
}
BENCHMARK(add_number)->Name("add a number, 10 floats/recorded")->Arg(0)->Arg(1);

void relu(benchmark::State& state) {
  const px::Tensor a = ten_ones(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(px::relu(a));
}
BENCHMARK(relu)->Name("relu, 10 floats/recorded")->Arg(0)->Arg(1);

void slice(benchmark::State& state) {
  const px::Tensor a = ten_ones(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(px::slice(a, 0, 1, 3));
}
BENCHMARK(slice)->Name("slice, 10 floats/recorded")->Arg(0)->Arg(1);

void backward(benchmark::State& state) {
  const px::Tensor a = ten_ones(true);
  for (auto _ : state) px::sum(px::relu(px::mul(a, a))).backward();
}
BENCHMARK(backward)->Name("three operations and backward, 10 floats");

}  // namespace
