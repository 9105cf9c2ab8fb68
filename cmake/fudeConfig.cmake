# find_package(fude): the libraries it stands on, then its targets.
include(${CMAKE_CURRENT_LIST_DIR}/dependencies.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/fudeTargets.cmake)
