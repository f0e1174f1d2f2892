# libphlox, shared and static, from objects that are compiled once.

# What every file of the library is compiled with and linked to.
add_library(phlox_internal INTERFACE)
target_include_directories(phlox_internal INTERFACE "${PROJECT_SOURCE_DIR}/src" "${PHLOX_GENERATED_DIR}")
target_link_libraries(phlox_internal INTERFACE phlox_options)
set(phlox_libraries $<TARGET_NAME_IF_EXISTS:DNNL::dnnl> Phlox::lapack ZLIB::ZLIB PNG::PNG Threads::Threads)
if(TARGET OpenMP::OpenMP_CXX)
  list(APPEND phlox_libraries OpenMP::OpenMP_CXX)
endif()

# CMake refuses a library without sources; the very first checkout has none.
if(NOT phlox_sources)
  message(STATUS "Phlox: no sources yet")
  return()
endif()

add_library(phlox_objects OBJECT ${phlox_sources})
if(PHLOX_ONEDNN)
  target_compile_definitions(phlox_objects PRIVATE PHLOX_ONEDNN)
endif()
target_link_libraries(phlox_objects PRIVATE phlox_internal ${phlox_libraries} fmt::fmt CLI11::CLI11
                                            ${CMAKE_DL_LIBS})
add_dependencies(phlox_objects phlox_declarations)
set(phlox_object_libraries phlox_objects)

# Kernel files are compiled once for each instruction set; the best one is chosen when the program
# starts. Each sees PHLOX_ISA, which names the inline namespace that keeps the copies apart.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set(phlox_instruction_sets baseline avx2 avx512)
  set(flags_baseline "")
  set(flags_avx2 -mavx2 -mfma -mf16c -mbmi2)
  set(flags_avx512 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512cd -mfma -mf16c -mbmi2
                   -mprefer-vector-width=512)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
  set(phlox_instruction_sets neon)
  set(flags_neon "")
else()
  set(phlox_instruction_sets baseline)
  set(flags_baseline "")
endif()
set(PHLOX_INSTRUCTION_SETS "" CACHE STRING "Compile the kernels for these only; empty: for all")
if(PHLOX_INSTRUCTION_SETS)
  set(phlox_instruction_sets ${PHLOX_INSTRUCTION_SETS})
endif()
function(phlox_add_kernels target isa)
  add_library(${target} OBJECT ${ARGN})
  target_link_libraries(${target} PRIVATE phlox_internal)
  target_compile_definitions(${target} PRIVATE PHLOX_ISA=${isa})
  # A vector argument is passed only between functions of one copy, so its calling convention,
  # which differs between instruction sets, cannot matter: -Wno-psabi.
  target_compile_options(${target} PRIVATE ${flags_${isa}} -fno-exceptions -Wno-psabi)
  if(PHLOX_SANITIZE STREQUAL "address")
    # Every inlined vector value is a scope; watching them all makes these files compile ten times as long.
    target_compile_options(${target} PRIVATE -fno-sanitize-address-use-after-scope)
  endif()
  add_dependencies(${target} phlox_declarations)
endfunction()
foreach(isa IN LISTS phlox_instruction_sets)
  phlox_add_kernels(phlox_kernels_${isa} ${isa} ${phlox_kernel_sources})
  list(APPEND phlox_object_libraries phlox_kernels_${isa})
endforeach()
set(phlox_all_objects)
foreach(library IN LISTS phlox_object_libraries)
  list(APPEND phlox_all_objects $<TARGET_OBJECTS:${library}>)
endforeach()

function(phlox_public_interface target)
  target_include_directories(
    ${target} PUBLIC "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/src>"
                     "$<BUILD_INTERFACE:${PHLOX_GENERATED_DIR}>"
                     "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")
  target_compile_features(${target} PUBLIC cxx_std_20)
  # Public headers format error messages. Not fmt::fmt-header-only: it doubles a small file's compile time.
  target_link_libraries(${target} PUBLIC fmt::fmt)
endfunction()

add_library(phlox SHARED ${phlox_all_objects})
add_library(Phlox::phlox ALIAS phlox)
phlox_public_interface(phlox)
target_link_libraries(phlox PRIVATE ${phlox_libraries} ${CMAKE_DL_LIBS})
target_link_options(phlox PRIVATE -Wl,-z,defs,--as-needed)
set_target_properties(phlox PROPERTIES LINKER_LANGUAGE CXX SOVERSION
                                                           ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
if(PHLOX_SANITIZE)
  target_link_options(phlox PRIVATE -Wl,-z,undefs)  # the sanitizer's own symbols come with the program
endif()

if(PHLOX_STATIC_LIBRARY)
  # Operations register themselves in a linker section, so the archive must be linked whole: consumers
  # link the interface target phlox_static, which sees to that.
  add_library(phlox_archive STATIC ${phlox_all_objects})
  set_target_properties(phlox_archive PROPERTIES LINKER_LANGUAGE CXX OUTPUT_NAME phlox)
  phlox_public_interface(phlox_archive)
  target_link_libraries(phlox_archive PRIVATE ${phlox_libraries} ${CMAKE_DL_LIBS})
  add_library(Phlox::phlox_archive ALIAS phlox_archive)  # the name that also holds once installed
  add_library(phlox_static INTERFACE)
  target_link_libraries(phlox_static INTERFACE "$<LINK_LIBRARY:WHOLE_ARCHIVE,Phlox::phlox_archive>")
  add_library(Phlox::phlox_static ALIAS phlox_static)
endif()
