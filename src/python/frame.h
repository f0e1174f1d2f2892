// The line of the user's program that is running now.
#pragma once

#include <string>

namespace phlox::python {

// "train.py:41   h = x @ w1" for the innermost frame outside of Phlox; empty when there is none.
// Reads the source file when a line is asked for the first time. The GIL must be held. Leaves the Python error state as it was.
std::string user_line();

}  // namespace phlox::python
