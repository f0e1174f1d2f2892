# Phlox::lapack: OpenBLAS with OpenMP threads. Debian keeps its builds side by side in folders of their
# own; the name that all of them share may point at the one with POSIX threads, a second thread pool.
if(NOT TARGET Phlox::lapack)
  find_library(PHLOX_OPENBLAS_LIBRARY openblas PATH_SUFFIXES openblas-openmp REQUIRED)
  find_path(PHLOX_OPENBLAS_INCLUDE cblas.h PATH_SUFFIXES ${CMAKE_LIBRARY_ARCHITECTURE}/openblas-openmp
                                                         openblas-openmp openblas REQUIRED)
  mark_as_advanced(PHLOX_OPENBLAS_LIBRARY PHLOX_OPENBLAS_INCLUDE)
  add_library(Phlox::lapack INTERFACE IMPORTED)
  target_link_libraries(Phlox::lapack INTERFACE "${PHLOX_OPENBLAS_LIBRARY}")
  target_include_directories(Phlox::lapack SYSTEM INTERFACE "${PHLOX_OPENBLAS_INCLUDE}")
endif()
