#include "phlox/extension/load.h"

#include <algorithm>
#include <mutex>

#include "phlox/core/parallel.h"
#include "phlox/extension/values.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/primitives/custom.h"
#include "phlox/ops/registry/added_operations.h"

#ifdef _WIN32
#include <windows.h>
#else
#include <dlfcn.h>
#endif

namespace phlox {
namespace {

using extension::attempt;
using extension::last_error;
using extension::raise_last_error;

// --- what extensions add

std::mutex loading;                              // one extension after the other,
std::vector<const Operation*>* added = nullptr;  // which adds to this

void note(const Operation& operation) {
  if (added) added->push_back(&operation);
}

math::ExpressionProgram program_of(const phlox_pointwise& given) {
  math::ExpressionProgram program;
  const auto refuse = [&](const std::string& why) {
    fail<ValueError>(ErrorCode::invalid_value, "the operation {} cannot be added: {}", given.name, why)
        .hint("build the extension with the headers of this library, or a newer one")
        .raise();
  };
  if (given.count < 1 || given.count > math::body_capacity) refuse("its expression is too long");
  for (int i = 0; i < given.count; ++i) {
    const phlox_expression_node& node = given.nodes[i];
    constexpr int last = static_cast<int>(math::Opcode::select);
    int opcode = 0;
    while (opcode <= last && std::string_view(node.opcode) != opcode_name(static_cast<math::Opcode>(opcode)))
      ++opcode;
    if (opcode > last) refuse(std::string("there is no function '") + node.opcode + "'");
    math::ExpressionNode& made = program.nodes[i];
    made.opcode = static_cast<math::Opcode>(opcode);
    made.value = node.value;
    for (int a = 0; a < 3; ++a)
      made.arguments[a] = static_cast<std::int16_t>(std::clamp(node.arguments[a], -1, given.count));
  }
  program.count = given.count;
  program.result = given.result;
  program.is_mask = given.result_is_mask != 0;
  return program;
}

int add_pointwise(const phlox_pointwise* given) {
  return attempt([&] {
    if (given->types < 0 || given->types > PHLOX_INTEGRAL_TYPES)
      fail<ValueError>(ErrorCode::invalid_value, "{}: {} is no kind of types", given->name, given->types)
          .raise();
    const PointwiseTraits traits{.types = static_cast<PointwiseTypes>(given->types)};
    const PointwiseFunction& function =
        add_pointwise_function(given->name, program_of(*given), given->tensors, given->scalars, traits);
    note(add_operation(
        {.name = given->name, .signature = given->signature, .doc = given->doc, .pointwise = &function}));
  });
}

ResultKind result_kind(int results) { return results == 1 ? ResultKind::tensor : ResultKind::tuple; }
Result result_of(TensorList results) {
  if (results.size() == 1) return std::move(results[0]);
  return results;
}

CustomKernel kernel_of(const phlox_kernel& given) {
  using namespace extension;
  CustomKernel kernel{
      .name = given.name, .types = {}, .run = {}, .gradient = {}, .batched = given.batched != 0};
  kernel.types = [given](std::span<const CustomType> inputs, std::span<const Scalar> numbers) {
    std::vector<phlox_type> in, out(static_cast<std::size_t>(given.results));
    for (const CustomType& type : inputs) in.push_back(type_to_c(type.dtype, type.shape));
    if (given.types(in.data(), values_of(numbers).data(), out.data())) raise_last_error(given.name);
    std::vector<CustomType> types;
    for (const phlox_type& type : out) types.push_back({dtype_from_c(type.dtype), shape_from_c(type)});
    return types;
  };
  kernel.run = [given](std::span<const Tensor> inputs, std::span<const Scalar> numbers,
                       std::span<const Tensor> results) {
    std::vector<phlox_array> in, out;
    for (const Tensor& input : inputs) in.push_back(array_of(input));
    for (const Tensor& result : results) out.push_back(array_of(result));
    if (given.run(in.data(), values_of(numbers).data(), out.data())) raise_last_error(given.name);
  };
  if (!given.gradient) return kernel;
  kernel.gradient = [given](const TensorList& inputs, const TensorList& results, const TensorList& gradients,
                            std::span<const Scalar> numbers) {
    const Handles in(inputs), out(results), of_results(gradients);
    Handles found(inputs.size());
    if (given.gradient(in.data(), out.data(), of_results.data(), values_of(numbers).data(), found.data()))
      raise_last_error(given.name);
    return found.tensors();
  };
  return kernel;
}

int add_kernel(const phlox_kernel* given) {
  return attempt([&] {
    if (given->inputs < 1 || given->results < 1 || !given->types || !given->run)
      fail<ValueError>(ErrorCode::invalid_value, "{}: a kernel has inputs, results, `types` and `run`",
                       given->name)
          .raise();
    note(
        add_kernel_operation(kernel_of(*given), given->signature, given->doc, given->results, given->inputs));
  });
}

int add_composite(const phlox_composite* given) {
  return attempt([&] {
    using namespace extension;
    const phlox_composite composite = *given;
    const auto function = [composite](std::span<const Value> arguments) {
      std::vector<phlox_value> values;
      std::vector<Handles> held;
      held.reserve(arguments.size());
      for (const Value& value : arguments) {
        if (value.kind == Value::Kind::tensor) held.emplace_back(TensorList{*value.tensor});
        values.push_back(value.kind == Value::Kind::tensor ? tensor_value(held.back().data()[0])
                                                           : value_to_c(value));
      }
      Handles results(static_cast<std::size_t>(composite.results));
      if (composite.call(values.data(), static_cast<std::int32_t>(values.size()), results.data()))
        raise_last_error(composite.name);
      return result_of(results.tensors());
    };
    note(add_operation({.name = given->name,
                        .signature = given->signature,
                        .doc = given->doc,
                        .function = function,
                        .result = result_kind(given->results)}));
  });
}

int run_parallel(std::int64_t count, std::int64_t grain, void (*body)(void*, std::int64_t, std::int64_t),
                 void* context) {
  return attempt([&] {
    parallel_for(0, count, std::max<std::int64_t>(grain, 1),
                 [&](std::int64_t first, std::int64_t last) { body(context, first, last); });
  });
}

constexpr phlox_api api = {.size = sizeof(phlox_api),
                           .version = PHLOX_ABI_VERSION,
                           .last_error = last_error,
                           .set_error = extension::set_error,
                           .add_pointwise = add_pointwise,
                           .add_kernel = add_kernel,
                           .add_composite = add_composite,
                           .parallel_for = run_parallel,
                           .tensor_from = extension::tensor_from,
                           .tensor_release = extension::tensor_release,
                           .tensor_retain = extension::tensor_retain,
                           .tensor_type = extension::tensor_type,
                           .tensor_elements = extension::tensor_elements,
                           .call = extension::call_by_name};

// --- shared libraries

using EntryPoint = int (*)(const phlox_api*);

[[noreturn]] void refuse(const std::string& path, const std::string& why) {
  fail<StateError>(ErrorCode::extension_failed, "the extension cannot be loaded: {}", why)
      .detail("file", path)
      .raise();
}

EntryPoint entry_point_of(const std::string& path) {
#ifdef _WIN32
  const HMODULE library = LoadLibraryA(path.c_str());
  if (!library) refuse(path, "error " + std::to_string(GetLastError()));
  const auto entry = reinterpret_cast<EntryPoint>(GetProcAddress(library, "phlox_extension"));
#else
  void* const library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) refuse(path, dlerror());
  const auto entry = reinterpret_cast<EntryPoint>(dlsym(library, "phlox_extension"));
#endif
  if (!entry) refuse(path, "it has no function phlox_extension, so it is none");
  return entry;
}

}  // namespace

const phlox_api& extension_api() { return api; }

std::vector<const Operation*> load_extension(const std::string& path) {
  const EntryPoint entry = entry_point_of(path);
  const std::lock_guard lock(loading);
  std::vector<const Operation*> found;
  added = &found;
  extension::set_error("it gives no reason");
  const int failed = entry(&api);
  added = nullptr;
  if (failed) refuse(path, last_error());
  return found;
}

}  // namespace phlox
