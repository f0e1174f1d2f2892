// Parts of a program that run a second time, for gradients only.
#pragma once

namespace phlox {

// Whether this thread runs a part a second time: then nothing that outlives the run, such as running statistics, changes.
bool is_recomputing();

// For as long as it lives.
class Recomputation {
 public:
  Recomputation();
  ~Recomputation();
  Recomputation(const Recomputation&) = delete;
  Recomputation& operator=(const Recomputation&) = delete;

 private:
  bool before_;
};

}  // namespace phlox
