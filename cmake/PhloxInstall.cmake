if(NOT TARGET phlox)
  return()
endif()
install(TARGETS phlox LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}")
