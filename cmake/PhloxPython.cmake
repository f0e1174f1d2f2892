# The extension module phlox._phlox. In a development build <build>/python is a complete package:
# PYTHONPATH=<build>/python uses it, and a changed .py file is seen at once, as they are links.

file(GLOB python_sources CONFIGURE_DEPENDS "src/python/*.cc")
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

file(MAKE_DIRECTORY "${PROJECT_BINARY_DIR}/python/phlox")
file(GLOB python_entries CONFIGURE_DEPENDS LIST_DIRECTORIES true RELATIVE
     "${PROJECT_SOURCE_DIR}/python/phlox" "python/phlox/*")
list(REMOVE_ITEM python_entries __pycache__)
foreach(entry IN LISTS python_entries)
  file(CREATE_LINK "${PROJECT_SOURCE_DIR}/python/phlox/${entry}"
       "${PROJECT_BINARY_DIR}/python/phlox/${entry}" SYMBOLIC)
endforeach()

# Stubs for editors and type checkers, from the library as built.
add_custom_command(
  TARGET _phlox POST_BUILD
  COMMAND "${Python_EXECUTABLE}" "${PROJECT_SOURCE_DIR}/tools/make_stubs.py" "${PROJECT_BINARY_DIR}/python/phlox"
  COMMENT "Writing the Python stubs"
  VERBATIM)
