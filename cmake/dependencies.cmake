# Every library Fude stands on, from the system's packages (docs/dependencies.md says why each was chosen).
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(PkgConfig REQUIRED)

# fude_pkg(name pkg-config modules...): an interface target for libraries that come with pkg-config only.
function(fude_pkg name)
  pkg_check_modules(${name}_pkg REQUIRED IMPORTED_TARGET ${ARGN})
  add_library(${name} INTERFACE)
  target_link_libraries(${name} INTERFACE PkgConfig::${name}_pkg)
endfunction()

fude_pkg(xxhash libxxhash)
fude_pkg(pcre2 libpcre2-8)
fude_pkg(utf8proc libutf8proc)
fude_pkg(compression zlib libzstd liblzma)
