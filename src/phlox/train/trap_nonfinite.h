// Where did the NaN come from?
//
//   TrapNonfinite trap;                       // this thread, until the scope ends
//   for (auto [x, y] : loader) step(x, y);    // NonFiniteError (E0609) names operation, module and line
//
// The first operation that gives NaN, or an infinity although its inputs are finite, ends in an error: forward or in
// backward(), eagerly or in a captured function. An infinity that came in (such as a mask of -inf) may go on. The inputs of
// the operation, and the operation as a graph, are written to a file, from which replay() runs it again.
#pragma once

#include <filesystem>
#include <string>

#include "phlox/graph/graph.h"
#include "phlox/ops/primitives/watch.h"

namespace phlox {

struct NonFiniteError : Error {
  using Error::Error;
};

class TrapNonfinite {
 public:
  // Replay files go to this folder.
  explicit TrapNonfinite(std::filesystem::path folder = ".");
  ~TrapNonfinite();
  TrapNonfinite(const TrapNonfinite&) = delete;
  TrapNonfinite& operator=(const TrapNonfinite&) = delete;

 private:
  WatchScope scope_;
  std::filesystem::path before_;
};

// The same for the rest of the thread.
void set_trap_nonfinite(bool on);
bool is_trap_nonfinite_enabled();
std::filesystem::path trap_folder();
void set_trap_folder(std::filesystem::path folder);

// What a replay file holds. An input that the operation overwrote is undefined.
struct ReplayFile {
  std::string operation;
  std::string origin;  // where it was called
  graph::GraphPointer graph;
  TensorList inputs;
};
// Throws FileError, and FormatError for a file of another kind.
ReplayFile load_replay(const std::filesystem::path& path);
// Runs the operation again; its results. Throws StateError for one that overwrote an input.
TensorList replay(const std::filesystem::path& path);

}  // namespace phlox
