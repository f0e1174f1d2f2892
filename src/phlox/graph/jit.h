// A function that runs as a graph.
//
//   auto step = phlox::jit([&](const Tensor& x, const Tensor& y) {
//     optimizer.zero_grad();
//     Tensor loss = cross_entropy(net(x), y);
//     loss.backward();
//     optimizer.step();
//     return loss;
//   });
//   step(x, y);                      // captured now
//   step(x2, y2);                    // the same graph, if shapes and dtypes are the same
//
// The function takes tensors and gives a tensor, a std::vector or std::tuple of tensors, or nothing. It is captured when
// it meets other shapes, dtypes or gradient modes than before, and when modules or optimisers that it runs have changed:
// train() and eval(), parts, hooks, set_parameter(), settings by options(). Captures that differ in sizes only are one
// graph (graph/symbolic.h), which compile_count() counts. Other numbers that it reads are decided when it is captured,
// since C++ cannot watch them: capture another function for another setting. Branches and loops on the values of tensors are cond(), while_loop() and for_loop().
//
// Throws GraphError where the function asks for the values of tensors. disable_jit() runs everything eagerly.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "phlox/graph/captured.h"
#include "phlox/graph/symbolic.h"
#include "phlox/graph/workspace.h"

namespace phlox {

// Captured functions run eagerly, line by line, while one of these lives. PHLOX_JIT=0 in the environment does it for the
// whole program.
class DisableJit {
 public:
  DisableJit();
  ~DisableJit();
  DisableJit(const DisableJit&) = delete;
  DisableJit& operator=(const DisableJit&) = delete;
};

namespace detail {

// Captures by the kinds of arguments.
class JitCache {
 public:
  TensorList run(const std::function<TensorList(const TensorList&)>& function, const TensorList& arguments);
  int capture_count() const;
  int compile_count() const;
  graph::GraphPointer last_graph() const;
  std::string last_symbolic_graph() const;

 private:
  std::vector<std::shared_ptr<const graph::Captured>> captures_for(const std::string& key) const;
  std::shared_ptr<const graph::Captured> capture(const std::function<TensorList(const TensorList&)>& function,
                                                 const TensorList& arguments, const std::string& key);

  mutable std::mutex mutex_;
  std::map<std::string, std::vector<std::shared_ptr<const graph::Captured>>> captures_;
  // By the kinds of arguments without their sizes.
  std::map<std::string, std::list<graph::SymbolicGraph>> graphs_;
  std::shared_ptr<graph::Workspace> workspace_ = std::make_shared<graph::Workspace>();
  graph::GraphPointer last_;
  const graph::SymbolicGraph* last_symbolic_ = nullptr;
};

inline TensorList list_of(const Tensor& tensor) { return {tensor}; }
inline TensorList list_of(TensorList tensors) { return tensors; }
template <class... Tensors>
TensorList list_of(const std::tuple<Tensors...>& tensors) {
  return std::apply([](const auto&... each) { return TensorList{each...}; }, tensors);
}

template <class Result>
Result result_from(TensorList tensors) {
  if constexpr (std::is_same_v<Result, Tensor>) {
    return std::move(tensors[0]);
  } else if constexpr (std::is_same_v<Result, TensorList>) {
    return tensors;
  } else {
    return [&]<std::size_t... i>(std::index_sequence<i...>) {
      return Result{std::move(tensors[i])...};
    }(std::make_index_sequence<std::tuple_size_v<Result>>());
  }
}

}  // namespace detail

template <class Function>
class Jit {
 public:
  explicit Jit(Function function)
      : function_(std::move(function)), cache_(std::make_unique<detail::JitCache>()) {}

  template <class... Tensors>
    requires(std::is_convertible_v<Tensors, Tensor> && ...)
  auto operator()(const Tensors&... arguments) {
    using Result = std::invoke_result_t<Function&, const Tensors&...>;
    const auto flat = [this](const TensorList& given) -> TensorList {
      return [&]<std::size_t... i>(std::index_sequence<i...>) -> TensorList {
        if constexpr (std::is_void_v<Result>) return function_(given[i]...), TensorList{};
        else return detail::list_of(function_(given[i]...));
      }(std::index_sequence_for<Tensors...>());
    };
    TensorList results = cache_->run(flat, TensorList{arguments...});
    if constexpr (!std::is_void_v<Result>) return detail::result_from<Result>(std::move(results));
  }

  // How often the function was captured.
  int capture_count() const { return cache_->capture_count(); }
  // How many graphs there are, if those that differ in sizes only are one.
  int compile_count() const { return cache_->compile_count(); }
  // The text of the last of these, with names in the place of sizes that differed; empty before the first call.
  std::string symbolic_graph() const { return cache_->last_symbolic_graph(); }
  // The graph of the last capture; null before the first call.
  graph::GraphPointer graph() const { return cache_->last_graph(); }

 private:
  Function function_;
  std::unique_ptr<detail::JitCache> cache_;
};

template <class Function>
Jit<std::decay_t<Function>> jit(Function&& function) {
  return Jit<std::decay_t<Function>>(std::forward<Function>(function));
}

}  // namespace phlox
