// The histories of views whose base was written since they were made.
#pragma once

#include "phlox/core/gradient_node.h"

namespace phlox {

// Whether the node stands for a view that was brought up to date with its base, and not for one that was made then.
bool is_renewed_view(const GradientNode& node);

}  // namespace phlox
