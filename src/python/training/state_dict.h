// States, tensors by name, between Python dicts and C++.
#pragma once

#include <nanobind/nanobind.h>

#include "phlox/io/state_dict.h"

namespace phlox::python {

nanobind::dict state_to_python(const StateDict& state);
// From a dict of tensors. Throws TypeError naming `operation` for anything else.
StateDict state_from_python(nanobind::handle state, const char* operation);

}  // namespace phlox::python
