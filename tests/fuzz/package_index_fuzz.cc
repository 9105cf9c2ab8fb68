// layer: fetch
// A page of a package index, a list of the hub or a pip.conf from a stranger: files with addresses, or an Error.
#include "base/error.h"
#include "fetch/hub.h"
#include "fetch/package_index.h"

using namespace fude;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  try {
    for (const IndexFile& file : parse_index_page(text, "https://index/simple/a/"))
      if (file.url.empty() || (!file.sha256.empty() && file.sha256.size() != 64)) __builtin_trap();
  } catch (const Error&) {}
  try {
    for (const HubFile& file : choose_hub_files(text, {"org/name", ""}, "https://hub", "list"))
      if (file.name.find('/') != std::string::npos || file.name.find("..") != std::string::npos) __builtin_trap();
  } catch (const Error&) {}
  PipSettings settings;
  read_pip_config(text, settings);
  if (settings.index_url.empty()) __builtin_trap();
  return 0;
}
