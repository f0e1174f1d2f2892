# What is written by the build from the files under ops/, so that no list of operations has to be
# kept by hand:
#   <build>/generated/phlox/base/version.h
#   <build>/generated/phlox/ops/functions.h, phlox/core/tensor_methods.h   declarations
#   <build>/generated/kernels/<family>.kernel.cc, <family>.cc             one pair a pointwise header

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
#include "phlox/device/cpu/pointwise_kernel_end.h"
]] @ONLY)
  file(CONFIGURE OUTPUT "${definition}" CONTENT [[
#include "phlox/ops/pointwise_definition.h"
#include "phlox/ops/pointwise/@family@.h"
]] @ONLY)
  list(APPEND phlox_kernel_sources "${kernel}")
  list(APPEND phlox_sources "${definition}")
endforeach()

add_custom_target(phlox_declarations)
set(declare_operations "${PROJECT_SOURCE_DIR}/tools/declare_operations.py")
if(EXISTS "${declare_operations}")
  file(GLOB_RECURSE operation_files CONFIGURE_DEPENDS "src/phlox/ops/*.h" "src/phlox/ops/*.cc")
  set(declared "${PHLOX_GENERATED_DIR}/phlox/ops/functions.h"
               "${PHLOX_GENERATED_DIR}/phlox/core/tensor_methods.h")
  set(fresh "${PROJECT_BINARY_DIR}/generated.fresh/phlox")
  # Copied only where different: a changed body of an operation must not rebuild what merely calls it.
  add_custom_command(
    OUTPUT ${declared}
    COMMAND "${Python_EXECUTABLE}" "${declare_operations}" --source "${PROJECT_SOURCE_DIR}/src/phlox/ops"
            --output "${fresh}"
    COMMAND "${CMAKE_COMMAND}" -E make_directory "${PHLOX_GENERATED_DIR}/phlox/ops"
            "${PHLOX_GENERATED_DIR}/phlox/core"
    COMMAND "${CMAKE_COMMAND}" -E copy_if_different "${fresh}/ops/functions.h"
            "${PHLOX_GENERATED_DIR}/phlox/ops/functions.h"
    COMMAND "${CMAKE_COMMAND}" -E copy_if_different "${fresh}/core/tensor_methods.h"
            "${PHLOX_GENERATED_DIR}/phlox/core/tensor_methods.h"
    DEPENDS "${declare_operations}" ${operation_files}
    COMMENT "Declaring the operations"
    VERBATIM)
  add_custom_target(phlox_declaration_files DEPENDS ${declared})
  add_dependencies(phlox_declarations phlox_declaration_files)
endif()
