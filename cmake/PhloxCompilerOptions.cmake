# Compiler and linker options, carried by the interface target `phlox_options`, so that code of
# others (nanobind, GoogleTest) is not held to our warnings.

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_LINK_DEPENDS_NO_SHARED ON)  # a changed libphlox.so does not relink every program

# -O3 was measured to be no faster than -O2 here and makes larger kernels.
string(REPLACE "-O3" "-O2" CMAKE_CXX_FLAGS_RELEASE "${CMAKE_CXX_FLAGS_RELEASE}")

find_program(PHLOX_CCACHE ccache)
if(PHLOX_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_C_COMPILER_LAUNCHER "${PHLOX_CCACHE}")
  set(CMAKE_CXX_COMPILER_LAUNCHER "${PHLOX_CCACHE}")
endif()
find_program(PHLOX_MOLD mold)
if(PHLOX_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

add_library(phlox_options INTERFACE)
target_compile_options(
  phlox_options
  INTERFACE -Wall -Wextra -Wshadow
            # The same bits on every machine: no fused multiply-add that the source does not ask for.
            -ffp-contract=off -fno-math-errno
            # Calls within libphlox need no detour through the dynamic linker's tables.
            -fno-semantic-interposition)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(phlox_options INTERFACE -Wno-restrict)  # false alarms in std::string: GCC bug 105651
endif()
if(PHLOX_WARNINGS_AS_ERRORS)
  target_compile_options(phlox_options INTERFACE -Werror)
endif()

if(PHLOX_SANITIZE STREQUAL "address")
  set(sanitizer_flags -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
elseif(PHLOX_SANITIZE STREQUAL "thread")
  set(sanitizer_flags -fsanitize=thread -fno-omit-frame-pointer)
elseif(PHLOX_SANITIZE STREQUAL "fuzzer")
  set(sanitizer_flags -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=all
                      -fno-omit-frame-pointer)
elseif(PHLOX_SANITIZE)
  message(FATAL_ERROR "PHLOX_SANITIZE is '${PHLOX_SANITIZE}'; it may be empty, address, thread or fuzzer")
endif()
if(PHLOX_SANITIZE MATCHES "thread|fuzzer")
  add_compile_definitions(PHLOX_STD_THREADS)  # there is no OpenMP in these builds: see PhloxDependencies.cmake
endif()
if(PHLOX_SANITIZE STREQUAL "fuzzer")
  add_compile_definitions(PHLOX_PLAIN_MALLOC)  # clang does not say so itself
endif()
if(PHLOX_SANITIZE)
  add_compile_options(${sanitizer_flags})
  add_link_options(${sanitizer_flags})
endif()
