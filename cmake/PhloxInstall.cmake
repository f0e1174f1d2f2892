# Two layouts: a prefix for C++ users (`cmake --install`) and the inside of a Python wheel (PHLOX_BUNDLE),
# which brings along all libraries that other machines may lack.

if(NOT TARGET phlox)
  return()
endif()
include(CMakePackageConfigHelpers)

if(PHLOX_BUNDLE)
  set(library_dir lib)
  set(PHLOX_PRIVATE_LIBDIR lib)
  set(program_dir bin)
  set(python_dir .)
  set(library_rpath "$ORIGIN")
  set(python_rpath "$ORIGIN/lib")
  set(namelink NAMELINK_SKIP)  # a wheel cannot hold links
  # The old kind of run path also counts for what the bundled libraries need of each other.
  target_link_options(phlox PRIVATE -Wl,--disable-new-dtags)
else()
  set(library_dir "${CMAKE_INSTALL_LIBDIR}")
  set(PHLOX_PRIVATE_LIBDIR "${CMAKE_INSTALL_LIBDIR}/phlox")
  set(program_dir "${CMAKE_INSTALL_BINDIR}")
  set(python_dir python/phlox)
  cmake_path(GET PHLOX_OPENBLAS_LIBRARY PARENT_PATH openblas_dir)
  set(library_rpath "$ORIGIN/phlox" "${openblas_dir}")
  set(python_rpath "$ORIGIN/../../${library_dir}")
  set(namelink NAMELINK_COMPONENT development)
endif()

set_target_properties(phlox PROPERTIES INSTALL_RPATH "${library_rpath}")
install(TARGETS phlox EXPORT PhloxTargets LIBRARY DESTINATION "${library_dir}" COMPONENT runtime
                                                  ${namelink})
if(PHLOX_BUNDLE)
  # Under the name by which each is looked for, and not what every Linux has.
  install(CODE "set(library [[$<TARGET_FILE:phlox>]])\nset(folder [[${PHLOX_PRIVATE_LIBDIR}]])"
          COMPONENT runtime)
  install(CODE [[
    file(GET_RUNTIME_DEPENDENCIES LIBRARIES "${library}" RESOLVED_DEPENDENCIES_VAR found
         PRE_EXCLUDE_REGEXES "^lib(c|m|dl|rt|pthread|stdc\\+\\+|gcc_s|z)\\.so" "^ld-linux")
    set(destination "$ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}/${folder}")
    file(MAKE_DIRECTORY "${destination}")
    foreach(dependency IN LISTS found)
      get_filename_component(name "${dependency}" NAME)
      file(REAL_PATH "${dependency}" contents)
      message(STATUS "Bundling ${name}")
      file(COPY_FILE "${contents}" "${destination}/${name}")
      # The licence that must travel with it: beside oneDNN where PyPI put it, else in its Debian package.
      get_filename_component(prefix "${contents}" DIRECTORY)
      file(GLOB notices "${prefix}/../share/doc/onednn/[LT]*")
      if(NOT name MATCHES "dnnl")
        execute_process(COMMAND dpkg-query -S "${contents}" OUTPUT_VARIABLE package ERROR_QUIET)
        string(REGEX REPLACE ":.*" "" package "${package}")
        set(notices "/usr/share/doc/${package}/copyright")
      endif()
      foreach(notice IN LISTS notices)
        if(EXISTS "${notice}")
          get_filename_component(kind "${notice}" NAME)
          file(COPY_FILE "${notice}" "${destination}/${name}.${kind}.txt")
        endif()
      endforeach()
    endforeach()
  ]] COMPONENT runtime)
elseif(PHLOX_ONEDNN)
  install(FILES $<TARGET_FILE:DNNL::dnnl> DESTINATION "${PHLOX_PRIVATE_LIBDIR}" RENAME libdnnl.so.3
          COMPONENT runtime)
endif()

if(TARGET phlox_command)
  set_target_properties(phlox_command PROPERTIES INSTALL_RPATH "$ORIGIN/../${library_dir}")
  install(TARGETS phlox_command RUNTIME DESTINATION "${program_dir}" COMPONENT runtime)
endif()

if(TARGET _phlox)
  set_target_properties(_phlox PROPERTIES INSTALL_RPATH "${python_rpath}")
  install(TARGETS _phlox LIBRARY DESTINATION "${python_dir}" COMPONENT python)
  install(DIRECTORY "${PROJECT_BINARY_DIR}/python/phlox/" DESTINATION "${python_dir}" COMPONENT python
          FILES_MATCHING PATTERN "*.pyi" PATTERN __pycache__ EXCLUDE)
  # What px.extension.load() compiles with.
  install(DIRECTORY src/phlox/extension src/phlox/math DESTINATION "${python_dir}/include/phlox" COMPONENT python
          FILES_MATCHING PATTERN "*.h")
  install(FILES src/phlox/base/macros.h DESTINATION "${python_dir}/include/phlox/base" COMPONENT python)
  if(NOT PHLOX_BUNDLE)  # a wheel's Python files are added by scikit-build-core
    install(DIRECTORY python/phlox/ DESTINATION "${python_dir}" COMPONENT python
            PATTERN __pycache__ EXCLUDE)
  endif()
endif()

install(DIRECTORY src/phlox "${PHLOX_GENERATED_DIR}/phlox" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
        COMPONENT development FILES_MATCHING PATTERN "*.h")
if(TARGET phlox_archive)
  install(TARGETS phlox_archive phlox_static EXPORT PhloxTargets ARCHIVE DESTINATION "${library_dir}"
                                                                         COMPONENT development)
endif()
set(config_dir "${CMAKE_INSTALL_LIBDIR}/cmake/Phlox")
install(EXPORT PhloxTargets NAMESPACE Phlox:: DESTINATION "${config_dir}" COMPONENT development)
configure_package_config_file(
  cmake/PhloxConfig.cmake.in "${PROJECT_BINARY_DIR}/PhloxConfig.cmake"
  INSTALL_DESTINATION "${config_dir}" PATH_VARS PHLOX_PRIVATE_LIBDIR)
write_basic_package_version_file("${PROJECT_BINARY_DIR}/PhloxConfigVersion.cmake"
                                 COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/PhloxConfig.cmake" "${PROJECT_BINARY_DIR}/PhloxConfigVersion.cmake"
              cmake/PhloxLapack.cmake cmake/PhloxExtension.cmake
        DESTINATION "${config_dir}" COMPONENT development)
