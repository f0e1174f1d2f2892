# Everything that links against the library: the phlox command, examples, tests and benchmarks.

if(NOT TARGET phlox)
  return()
endif()

if(EXISTS "${PROJECT_SOURCE_DIR}/src/phlox/cli/main.cc")
  add_executable(phlox_command src/phlox/cli/main.cc)
  set_target_properties(phlox_command PROPERTIES OUTPUT_NAME phlox RUNTIME_OUTPUT_DIRECTORY
                                                                   "${PROJECT_BINARY_DIR}/bin")
  target_link_libraries(phlox_command PRIVATE phlox phlox_options CLI11::CLI11)
  add_dependencies(phlox_command phlox_declarations)
endif()

# One program for each file in `folder`, in the same folder of the build; its name is the file's.
function(phlox_add_programs folder)
  file(GLOB files CONFIGURE_DEPENDS "${folder}/*.cc")
  foreach(file IN LISTS files)
    get_filename_component(name "${file}" NAME_WE)
    add_executable(${folder}_${name} "${file}")
    set_target_properties(
      ${folder}_${name} PROPERTIES OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY
                                                       "${PROJECT_BINARY_DIR}/${folder}")
    target_link_libraries(${folder}_${name} PRIVATE phlox phlox_options ${ARGN})
    add_dependencies(${folder}_${name} phlox_declarations)
  endforeach()
endfunction()

if(PHLOX_EXAMPLES)
  phlox_add_programs(examples)
endif()

if(PHLOX_BENCHMARKS)
  find_package(benchmark REQUIRED)
  phlox_add_programs(benchmarks benchmark::benchmark_main)
endif()

if(PHLOX_TESTS)
  enable_testing()
  find_package(GTest REQUIRED)
  file(GLOB test_sources CONFIGURE_DEPENDS "tests/cpp/*_test.cc")
  if(test_sources)
    add_executable(phlox_tests ${test_sources})
    target_link_libraries(phlox_tests PRIVATE phlox phlox_options GTest::gtest_main $<TARGET_NAME_IF_EXISTS:DNNL::dnnl>
                                              ZLIB::ZLIB PNG::PNG)
    target_include_directories(phlox_tests PRIVATE "${PROJECT_SOURCE_DIR}/tests/cpp")
    target_compile_definitions(phlox_tests PRIVATE PHLOX_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
    # Like those of the library, for tests that compare instruction sets.
    file(GLOB test_kernel_sources CONFIGURE_DEPENDS "tests/cpp/*.kernel.cc")
    foreach(isa IN LISTS phlox_instruction_sets)
      phlox_add_kernels(phlox_test_kernels_${isa} ${isa} ${test_kernel_sources})
      target_sources(phlox_tests PRIVATE $<TARGET_OBJECTS:phlox_test_kernels_${isa}>)
    endforeach()
    add_dependencies(phlox_tests phlox_declarations)
    add_test(NAME phlox_tests COMMAND phlox_tests)
  endif()
endif()

# The programs that `./dev fuzz` runs. Parsers stand on base, core and io alone, so nothing else is compiled with
# sanitizers; what these call of the operations, where tensors are saved or moved, is never reached and left open. That
# of graphs (graph_*) needs the operations too, to infer types, but no device.
if(PHLOX_SANITIZE STREQUAL "fuzzer")
  set(fuzzed_sources ${phlox_sources})
  list(FILTER fuzzed_sources INCLUDE REGEX "src/phlox/(base|core|io)/")
  add_library(phlox_fuzzed OBJECT ${fuzzed_sources})
  target_link_libraries(phlox_fuzzed PUBLIC phlox_internal ${phlox_libraries} fmt::fmt ${CMAKE_DL_LIBS})
  add_dependencies(phlox_fuzzed phlox_declarations)
  set(fuzzed_graph_sources ${phlox_sources})
  list(FILTER fuzzed_graph_sources INCLUDE REGEX "phlox/(math|ops|autograd|graph)/[^:]*[.]cc$")
  add_library(phlox_fuzzed_graphs OBJECT ${fuzzed_graph_sources})
  target_link_libraries(phlox_fuzzed_graphs PUBLIC phlox_fuzzed)
  add_custom_target(fuzzers)
  file(GLOB fuzz_sources CONFIGURE_DEPENDS "tests/fuzz/*_fuzz.cc")
  foreach(file IN LISTS fuzz_sources)
    get_filename_component(name "${file}" NAME_WE)
    add_executable(${name} EXCLUDE_FROM_ALL "${file}")
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests/fuzz")
    target_link_libraries(${name} PRIVATE phlox_fuzzed -fsanitize=fuzzer)
    target_link_options(${name} PRIVATE -Wl,--unresolved-symbols=ignore-all)
    if(name MATCHES "^graph_")
      target_link_libraries(${name} PRIVATE phlox_fuzzed_graphs)
    endif()
    add_dependencies(fuzzers ${name})
  endforeach()
endif()
