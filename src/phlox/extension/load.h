// Loads extensions: shared libraries with operations of somebody else (phlox/extension/extension.h shows how one is
// written).
//
//   for (const Operation* operation : load_extension("./libsoftlog.so")) std::cout << operation->name << '\n';
//   Tensor y = std::get<Tensor>(call(*find_operation("softlog"), ...));
#pragma once

#include <string>
#include <vector>

#include "phlox/extension/c_abi.h"
#include "phlox/ops/registry/operation.h"

namespace phlox {

// The operations that the library adds. It stays loaded, and runs code when it is: load only what you trust. Throws
// StateError (E0109) where it cannot be loaded or says that it failed.
std::vector<const Operation*> load_extension(const std::string& path);

// What extensions are given.
const phlox_api& extension_api();

}  // namespace phlox
