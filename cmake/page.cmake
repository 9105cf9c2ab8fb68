# The page of web/ as a source file of the layer serve: page_file() of src/serve/page.h. Made anew when a file changes.
set(page_source ${CMAKE_BINARY_DIR}/page/page_files.cc)
set(arrays "")
set(rows "")
foreach(file index.html page.css page.js)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/web/${file})
  file(READ ${CMAKE_SOURCE_DIR}/web/${file} bytes HEX)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
  string(MAKE_C_IDENTIFIER ${file} name)
  string(APPEND arrays "constexpr unsigned char ${name}[] = {${bytes}};\n")
  if(file STREQUAL "index.html")
    set(path "/")
    set(type "text/html; charset=utf-8")
  elseif(file STREQUAL "page.css")
    set(path "/${file}")
    set(type "text/css; charset=utf-8")
  else()
    set(path "/${file}")
    set(type "text/javascript; charset=utf-8")
  endif()
  string(APPEND rows "  {\"${path}\", \"${type}\", {reinterpret_cast<const char*>(${name}), sizeof ${name}}},\n")
endforeach()
file(CONFIGURE OUTPUT ${page_source} CONTENT [[
#include "serve/page.h"
namespace fude {
namespace {
@arrays@
}  // namespace
const PageFile& page_file(std::string_view path) {
  static const PageFile files[] = {
@rows@  };
  for (const PageFile& file : files)
    if (path == file.path) return file;
  return files[0];
}
}  // namespace fude
]] @ONLY)
target_sources(fude_serve PRIVATE ${page_source})
set_source_files_properties(${page_source} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
