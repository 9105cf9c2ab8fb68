# Every library that Fude's own libraries stand on, from the system's packages (docs/dependencies.md says why each was
# chosen). Installed too: find_package(fude) finds the same ones.
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(xxhash REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(pcre2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(utf8proc REQUIRED IMPORTED_TARGET libutf8proc)
find_package(Boost 1.81 REQUIRED)
# Without these Fude builds, and cannot download.
pkg_check_modules(download IMPORTED_TARGET libcurl libzip libcrypto)
pkg_check_modules(compression REQUIRED IMPORTED_TARGET zlib libzstd liblzma)
