// Which modules run, for those who want to tell where an operation comes from.
#pragma once

#include "phlox/core/origin.h"

namespace phlox::nn {

class Module;

// Says that the module runs, for a scope: origin_of_call() names it.
class RunningModule {
 public:
  explicit RunningModule(const Module& module);
  ~RunningModule();
  RunningModule(const RunningModule&) = delete;
  RunningModule& operator=(const RunningModule&) = delete;

 private:
  RunningPart part_;
};

}  // namespace phlox::nn
