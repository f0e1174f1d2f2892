# The extension module phlox._phlox. In a development build <build>/python is a complete package:
# PYTHONPATH=<build>/python uses it, and a changed .py file is seen at once, as they are links.

file(GLOB_RECURSE python_sources CONFIGURE_DEPENDS "src/python/*.cc")
if(NOT python_sources OR NOT TARGET phlox)
  return()
endif()

execute_process(COMMAND "${Python_EXECUTABLE}" -m nanobind --cmake_dir OUTPUT_VARIABLE nanobind_ROOT
                OUTPUT_STRIP_TRAILING_WHITESPACE)
find_package(nanobind CONFIG REQUIRED)

# NOMINSIZE: nanobind would optimise the module for size, and calls through it must be fast.
nanobind_add_module(_phlox NB_STATIC NOMINSIZE NOSTRIP ${python_sources})
set_target_properties(_phlox PROPERTIES LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/python/phlox")
target_link_libraries(_phlox PRIVATE phlox phlox_options)
get_target_property(nanobind_headers nanobind-static INTERFACE_INCLUDE_DIRECTORIES)
execute_process(COMMAND "${Python_EXECUTABLE}" -c "import numpy; print(numpy.get_include())"
                OUTPUT_VARIABLE numpy_headers OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
target_include_directories(_phlox SYSTEM PRIVATE ${nanobind_headers} ${numpy_headers} ${Python_INCLUDE_DIRS})
target_include_directories(_phlox PRIVATE "${PROJECT_SOURCE_DIR}/src/python")
add_dependencies(_phlox phlox_declarations)

# The folders are real ones, because stubs are written beside the links.
file(GLOB_RECURSE python_files CONFIGURE_DEPENDS "python/phlox/*.py" "python/phlox/py.typed")
foreach(file IN LISTS python_files)
  cmake_path(RELATIVE_PATH file BASE_DIRECTORY "${PROJECT_SOURCE_DIR}" OUTPUT_VARIABLE entry)
  cmake_path(GET entry PARENT_PATH folder)
  if(IS_SYMLINK "${PROJECT_BINARY_DIR}/${folder}")
    file(REMOVE "${PROJECT_BINARY_DIR}/${folder}")
  endif()
  file(MAKE_DIRECTORY "${PROJECT_BINARY_DIR}/${folder}")
  file(CREATE_LINK "${file}" "${PROJECT_BINARY_DIR}/${entry}" SYMBOLIC)
endforeach()

# What px.extension.load() compiles with.
file(MAKE_DIRECTORY "${PROJECT_BINARY_DIR}/python/phlox/include/phlox")
foreach(folder extension math base)
  file(CREATE_LINK "${PROJECT_SOURCE_DIR}/src/phlox/${folder}"
                   "${PROJECT_BINARY_DIR}/python/phlox/include/phlox/${folder}" SYMBOLIC)
endforeach()

# A module that is no more must not be found either.
file(GLOB_RECURSE linked_files "${PROJECT_BINARY_DIR}/python/phlox/*.py" "${PROJECT_BINARY_DIR}/python/phlox/*.pyi")
foreach(file IN LISTS linked_files)
  string(REGEX REPLACE "i$" "" module "${file}")
  if(NOT file MATCHES "_phlox.pyi$" AND NOT EXISTS "${module}")
    file(REMOVE "${file}")
  endif()
endforeach()

# Stubs for editors and type checkers, from the library as built.
add_custom_command(
  OUTPUT "${PROJECT_BINARY_DIR}/python/stubs.stamp"
  COMMAND "${Python_EXECUTABLE}" "${PROJECT_SOURCE_DIR}/tools/make_stubs.py" "${PROJECT_BINARY_DIR}/python/phlox"
  COMMAND "${CMAKE_COMMAND}" -E touch "${PROJECT_BINARY_DIR}/python/stubs.stamp"
  DEPENDS _phlox ${python_files} tools/make_stubs.py tools/bound_stubs.py
  COMMENT "Writing the Python stubs"
  VERBATIM)
add_custom_target(phlox_stubs ALL DEPENDS "${PROJECT_BINARY_DIR}/python/stubs.stamp")
