# What is written by the build from the files under ops/, so that no list of operations has to be
# kept by hand:
#   <build>/generated/phlox/base/version.h
#   <build>/generated/phlox/ops/functions.h, functions.cc, declarations.h; phlox/core/tensor_methods.h
#   <build>/generated/kernels/<family>.kernel.cc, <family>.cc   one pair a pointwise header

set(PHLOX_GENERATED_DIR "${PROJECT_BINARY_DIR}/generated")

file(CONFIGURE OUTPUT "${PHLOX_GENERATED_DIR}/phlox/base/version.h" CONTENT [[
#pragma once

#define PHLOX_VERSION "@PROJECT_VERSION@"
]] @ONLY)

file(GLOB phlox_pointwise_headers CONFIGURE_DEPENDS "src/phlox/ops/pointwise/*.h")
foreach(header IN LISTS phlox_pointwise_headers)
  get_filename_component(family "${header}" NAME_WE)
  set(kernel "${PHLOX_GENERATED_DIR}/kernels/${family}.kernel.cc")
  set(definition "${PHLOX_GENERATED_DIR}/kernels/${family}.cc")
  file(CONFIGURE OUTPUT "${kernel}" CONTENT [[
#include "phlox/device/cpu/pointwise_kernel.h"
#include "phlox/ops/pointwise/@family@.h"
]] @ONLY)
  file(CONFIGURE OUTPUT "${definition}" CONTENT [[
#include "phlox/ops/registry/pointwise_definition.h"
#include "phlox/ops/pointwise/@family@.h"
]] @ONLY)
  list(APPEND phlox_kernel_sources "${kernel}")
  list(APPEND phlox_sources "${definition}")
endforeach()

file(GLOB_RECURSE operation_files CONFIGURE_DEPENDS "src/phlox/ops/*.h" "src/phlox/ops/*.cc")
set(declared
    "${PHLOX_GENERATED_DIR}/phlox/ops/functions.h" "${PHLOX_GENERATED_DIR}/phlox/ops/functions.cc"
    "${PHLOX_GENERATED_DIR}/phlox/ops/declarations.h" "${PHLOX_GENERATED_DIR}/phlox/core/tensor_methods.h")
# Writes a file only if it differs: a changed body of an operation does not rebuild what merely calls it.
add_custom_command(
  OUTPUT ${declared}
  COMMAND "${Python_EXECUTABLE}" "${PROJECT_SOURCE_DIR}/tools/declare_operations.py" --source
          "${PROJECT_SOURCE_DIR}/src/phlox/ops" --output "${PHLOX_GENERATED_DIR}/phlox"
  DEPENDS "${PROJECT_SOURCE_DIR}/tools/declare_operations.py" ${operation_files}
  COMMENT "Declaring the operations"
  VERBATIM)
add_custom_target(phlox_declarations DEPENDS ${declared})
list(APPEND phlox_sources "${PHLOX_GENERATED_DIR}/phlox/ops/functions.cc")

# The digits of the first example are part of the library, so that they are found wherever it is installed.
set(digits_source "${PROJECT_SOURCE_DIR}/data/digits/digits.csv.gz")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${digits_source}")
file(READ "${digits_source}" digits_bytes HEX)
string(REGEX REPLACE "(..)" "0x\\1," digits_bytes "${digits_bytes}")
file(CONFIGURE OUTPUT "${PHLOX_GENERATED_DIR}/phlox/data/embedded.cc" CONTENT [[
#include "phlox/data/embedded.h"

namespace phlox::data {

std::span<const std::uint8_t> embedded_digits() {
  static constexpr std::uint8_t bytes[] = {@digits_bytes@};
  return bytes;
}

}  // namespace phlox::data
]] @ONLY)
list(APPEND phlox_sources "${PHLOX_GENERATED_DIR}/phlox/data/embedded.cc")

# The pages on errors are part of the library too: `phlox help E0203` prints docs/errors/E0203.md.
file(GLOB error_pages CONFIGURE_DEPENDS "docs/errors/E*.md")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${error_pages}")
set(error_page_entries "")
foreach(page IN LISTS error_pages)
  get_filename_component(code "${page}" NAME_WE)
  file(READ "${page}" text)
  string(APPEND error_page_entries "    {\"${code}\", R\"page(${text})page\"},\n")
endforeach()
file(CONFIGURE OUTPUT "${PHLOX_GENERATED_DIR}/phlox/cli/error_pages.cc" CONTENT [[
#include "phlox/cli/pages.h"

namespace phlox::cli {

std::span<const ErrorPage> error_pages() {
  static constexpr ErrorPage pages[] = {
@error_page_entries@  };
  return pages;
}

}  // namespace phlox::cli
]] @ONLY)
list(APPEND phlox_sources "${PHLOX_GENERATED_DIR}/phlox/cli/error_pages.cc")
