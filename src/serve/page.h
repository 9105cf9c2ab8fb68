// The files of web/, which CMake puts into the program.
#pragma once

#include <string_view>

namespace fude {

struct PageFile {
  const char* path;
  const char* type;  // content-type
  std::string_view content;
};
// "/", "/page.css" or "/page.js".
const PageFile& page_file(std::string_view path);

}  // namespace fude
