# The library beside the program: `cmake --install` leaves static libraries, public headers and find_package(fude).
#
# Targets: one for each layer, so that a program which only generates links fude::infer and none of what trains; fude::fude
# is all of them.
include(CMakePackageConfigHelpers)

add_library(fude_library INTERFACE)
set_target_properties(fude_library PROPERTIES EXPORT_NAME fude)
get_property(layers GLOBAL PROPERTY FUDE_LAYERS)
foreach(layer ${layers})
  target_link_libraries(fude_library INTERFACE fude_${layer})
  set_target_properties(fude_${layer} PROPERTIES EXPORT_NAME ${layer})
  install(TARGETS fude_${layer} EXPORT fude)
endforeach()
install(TARGETS fude_library EXPORT fude)
install(TARGETS fude RUNTIME)

# Public headers forward to headers in src/. What they reach is installed beside them, and nothing else.
install(CODE "set(source \"${CMAKE_SOURCE_DIR}\")
set(target \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_INCLUDEDIR}/fude\")
include(\"${CMAKE_SOURCE_DIR}/cmake/install_headers.cmake\")")

set(package ${CMAKE_INSTALL_LIBDIR}/cmake/fude)
install(EXPORT fude NAMESPACE fude:: DESTINATION ${package} FILE fudeTargets.cmake)
install(FILES ${CMAKE_SOURCE_DIR}/cmake/fudeConfig.cmake ${CMAKE_SOURCE_DIR}/cmake/dependencies.cmake DESTINATION ${package})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/fudeConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/fudeConfigVersion.cmake DESTINATION ${package})
