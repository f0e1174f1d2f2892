# Finds what Phlox stands on. Debian packages and PyPI packages provide it; `./dev setup` installs both.

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
  include(PhloxLapack)

  if(PHLOX_ONEDNN)
    phlox_onednn_prefix(phlox_onednn_root)
    find_package(dnnl 3.2 REQUIRED CONFIG HINTS "${phlox_onednn_root}")
  endif()

  # ThreadSanitizer cannot see into gomp and reports its barriers as races; without -fopenmp,
  # core/parallel.h uses std::thread. The fuzzers' compiler, clang, has no gomp.
  if(NOT PHLOX_SANITIZE MATCHES "thread|fuzzer")
    find_package(OpenMP REQUIRED COMPONENTS CXX)
  endif()
endmacro()
