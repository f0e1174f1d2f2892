#include "python/tensor/random.h"

#include <nanobind/nanobind.h>
#include <nanobind/stl/tuple.h>

#include <random>
#include <tuple>

namespace nb = nanobind;
using namespace nb::literals;

namespace phlox::python {

namespace {

using State = std::tuple<std::uint64_t, std::uint64_t, std::uint64_t>;

State state_of(const Generator& generator) {
  const GeneratorState s = generator.state();
  return {s.seed, s.stream, s.counter};
}

void set_state(Generator& generator, const State& state) {
  generator.set_state({std::get<0>(state), std::get<1>(state), std::get<2>(state)});
}

std::uint64_t fresh_seed() {
  std::random_device device;
  return (static_cast<std::uint64_t>(device()) << 32 | device()) >> 1;
}

}  // namespace

Generator* generator_from_python(PyObject* object) {
  Generator* generator = nullptr;
  return nb::try_cast(nb::handle(object), generator) ? generator : nullptr;
}

void add_random(PyObject* module) {
  nb::module_ m = nb::borrow<nb::module_>(module);
  auto type =
      nb::class_<Generator>(
          m, "Generator",
          "A stream of random numbers (Philox 4x32-10). Equal seeds give equal numbers on any machine and\n"
          "with any number of threads.")
          .def(
              "__init__", [](Generator* self, nb::handle, std::uint64_t seed) { new (self) Generator(seed); },
              "device"_a = "cpu", "seed"_a = 0)
          .def(
              "manual_seed",
              [](nb::handle self, std::uint64_t seed) {
                nb::inst_ptr<Generator>(self)->seed(seed);
                return nb::borrow(self);
              },
              nb::sig("def manual_seed(self, seed: int) -> Generator"), "seed"_a,
              "Starts the stream that belongs to the seed, and gives the generator.")
          .def(
              "seed",
              [](Generator& g) {
                const std::uint64_t seed = fresh_seed();
                g.seed(seed);
                return seed;
              },
              "Seeds from the system's entropy and returns the seed.")
          .def("initial_seed", &Generator::initial_seed, "The seed that the stream was started with.")
          .def("get_state", state_of, "Seed, stream and counter: where the stream stands.")
          .def("set_state", set_state, "state"_a, "Goes on where get_state() was taken.")
          .def(
              "fork", [](Generator& g) { return new Generator(g.fork()); }, nb::rv_policy::take_ownership,
              "A generator with a stream of its own; forks of equal generators are equal.")
          .def("__getstate__", state_of)
          .def("__setstate__", [](Generator& g, const State& state) {
            new (&g) Generator();
            set_state(g, state);
          });
  type.attr("__module__") = "phlox";
  m.attr("default_generator") = nb::cast(&default_generator(), nb::rv_policy::reference);
  m.def(
      "manual_seed",
      [m](std::uint64_t seed) {
        manual_seed(seed);
        return m.attr("default_generator");
      },
      "seed"_a, "Seeds the generator that is used when none is given.");
  m.def(
      "seed",
      [] {
        const std::uint64_t seed = fresh_seed();
        manual_seed(seed);
        return seed;
      },
      "Seeds the default generator from the system's entropy and returns the seed.");
  m.def(
      "initial_seed", [] { return default_generator().initial_seed(); },
      "The seed of the default generator.");
  m.def("get_rng_state", [] { return state_of(default_generator()); }, "The state of the default generator.");
  m.def(
      "set_rng_state", [](const State& state) { set_state(default_generator(), state); }, "new_state"_a,
      "Sets the state of the default generator.");
}

}  // namespace phlox::python
