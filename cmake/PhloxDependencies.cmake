# Finds what Phlox stands on and gives each one the name Phlox::<what>, in the build and for the
# consumers of an installed static library alike. Debian packages and PyPI packages provide them;
# `./dev setup` installs both.

# Where the PyPI package of oneDNN lies: it puts its files under the prefix of a Python environment
# (a .venv, or the temporary one in which pip builds a wheel), which only that Python can tell.
function(phlox_onednn_prefix result)
  set(find_it "import importlib.metadata as m
for f in m.files('onednn-devel-cpu-gomp') or ():
    if f.name == 'dnnl-config.cmake':
        print(f.locate().resolve().parents[3])")
  execute_process(COMMAND "${Python_EXECUTABLE}" -c "${find_it}" OUTPUT_VARIABLE prefix
                  OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  set(${result} "${prefix}" PARENT_SCOPE)
endfunction()

# OpenBLAS with OpenMP threads. Debian keeps its builds side by side in folders of their own; the
# name that all of them share may point at the one with POSIX threads, a second thread pool.
function(phlox_find_lapack)
  find_library(PHLOX_OPENBLAS_LIBRARY openblas PATH_SUFFIXES openblas-openmp REQUIRED)
  find_path(PHLOX_OPENBLAS_INCLUDE cblas.h
            PATHS "/usr/include/${CMAKE_LIBRARY_ARCHITECTURE}/openblas-openmp" REQUIRED)
  add_library(Phlox::lapack INTERFACE IMPORTED GLOBAL)
  target_link_libraries(Phlox::lapack INTERFACE "${PHLOX_OPENBLAS_LIBRARY}")
  target_include_directories(Phlox::lapack SYSTEM INTERFACE "${PHLOX_OPENBLAS_INCLUDE}")
endfunction()

macro(phlox_find_dependencies)
  if(NOT DEFINED Python_EXECUTABLE AND NOT SKBUILD AND EXISTS "${PROJECT_SOURCE_DIR}/.venv/bin/python")
    set(Python_EXECUTABLE "${PROJECT_SOURCE_DIR}/.venv/bin/python")  # what ./dev setup made
  endif()
  if(PHLOX_PYTHON)
    find_package(Python 3.10 REQUIRED COMPONENTS Interpreter Development.Module)
  else()
    find_package(Python 3.10 REQUIRED COMPONENTS Interpreter)
  endif()

  find_package(Threads REQUIRED)
  find_package(ZLIB REQUIRED)
  find_package(PNG REQUIRED)
  find_package(fmt REQUIRED)
  find_package(CLI11 REQUIRED)
  phlox_find_lapack()

  phlox_onednn_prefix(phlox_onednn_root)
  find_package(dnnl 3.2 REQUIRED CONFIG HINTS "${phlox_onednn_root}")

  # ThreadSanitizer cannot see into gomp and reports its barriers as races; without -fopenmp,
  # core/parallel.h uses std::thread.
  if(NOT PHLOX_SANITIZE STREQUAL "thread")
    find_package(OpenMP REQUIRED COMPONENTS CXX)
  endif()
endmacro()
