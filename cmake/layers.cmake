# fude_layer(name [USES layers...] [EXTERNAL targets...]): the library of src/name, all its sources.
function(fude_layer name)
  cmake_parse_arguments(LAYER "" "" "USES;EXTERNAL" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${name}/*.cc)
  add_library(fude_${name} STATIC ${sources})
  target_compile_features(fude_${name} PUBLIC cxx_std_20)
  target_include_directories(fude_${name} PUBLIC
    $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/src> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  foreach(used ${LAYER_USES})
    target_link_libraries(fude_${name} PUBLIC fude_${used})
  endforeach()
  target_link_libraries(fude_${name} PUBLIC ${LAYER_EXTERNAL})
  set_property(GLOBAL APPEND PROPERTY FUDE_LAYERS ${name})
endfunction()
