# phlox_add_extension(softlog softlog.cc ...): a shared library of operations (phlox/extension/extension.h), to be loaded
# with phlox::load_extension() or px.extension.load_library(). It is not linked to Phlox, so it serves later versions too.
function(phlox_add_extension name)
  add_library(${name} MODULE ${ARGN})
  target_compile_features(${name} PRIVATE cxx_std_20)
  set_target_properties(${name} PROPERTIES PREFIX "" CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  target_include_directories(${name} PRIVATE $<TARGET_PROPERTY:Phlox::phlox,INTERFACE_INCLUDE_DIRECTORIES>)
  if(NOT MSVC)
    target_compile_options(${name} PRIVATE -ffp-contract=off)
  endif()
endfunction()
