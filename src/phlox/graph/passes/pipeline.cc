#include "phlox/graph/passes/pipeline.h"

#include <fmt/format.h>

#include "phlox/base/debug.h"
#include "phlox/graph/passes/passes.h"

namespace phlox::graph {
namespace {

constexpr Pass table[] = {
    {"simplify",
     "Rewrites nodes whose result is known to be another value: x * 1, neg(neg(x)), views of views.",
     simplify},
    {"fold_constants", "Computes what depends on constants alone.", fold_constants},
    {"share", "Makes equal nodes and equal small constants one, and leaves out what no output needs.", share},
    {"prune_regions", "Leaves out of branches and loops what nothing needs.", prune_regions},
    {"fold_batch_norm",
     "Moves the factors of a batch normalisation into the weights before it. Rounds differently: for evaluation.",
     fold_batch_norm},
};

#ifdef NDEBUG
constexpr int verify_from = 2;
#else
constexpr int verify_from = 0;
#endif

void log_change(const Pass& pass, const Graph& before, const Graph& after) {
  if (to_string(before) == to_string(after)) debug_log(fmt::format("{} (unchanged)", pass.name));
  else debug_log(fmt::format("{}: {} -> {} nodes", pass.name, before.nodes().size(), after.nodes().size()));
}

}  // namespace

std::span<const Pass> passes() { return table; }

Pipeline named_pipeline(const std::vector<std::string>& names) {
  Pipeline pipeline;
  for (const std::string& name : names) {
    const Pass* found = nullptr;
    std::string known;
    for (const Pass& pass : table) {
      if (name == pass.name) found = &pass;
      known += (known.empty() ? "" : ", ") + std::string(pass.name);
    }
    if (!found)
      fail<ValueError>(ErrorCode::invalid_value, "optimize: there is no pass '{}'", name)
          .hint("there are " + known)
          .raise();
    pipeline.push_back(found);
  }
  return pipeline;
}

Pipeline default_pipeline() {
  return named_pipeline({"simplify", "fold_constants", "simplify", "share", "prune_regions", "share"});
}

Pipeline inference_pipeline() {
  return named_pipeline({"simplify", "fold_constants", "fold_batch_norm", "fold_constants", "simplify",
                         "share", "prune_regions", "share"});
}

GraphPointer run_pipeline(const GraphPointer& graph, const Pipeline& pipeline) {
  GraphPointer current = graph;
  const int level = debug_level();
  for (const Pass* pass : pipeline) {
    const GraphPointer next = pass->run(current);
    if (level >= verify_from) verify(*next);
    if (level >= 1) log_change(*pass, *current, *next);
    if (level >= 3) debug_log(to_string(*next));
    current = next;
  }
  return current;
}

}  // namespace phlox::graph
