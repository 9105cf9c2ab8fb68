// Python's package index as a place where files lie: its address as pip knows it, and its pages (PEP 503 and 691).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fude {

struct PipSettings {
  std::string index_url = "https://pypi.org/simple";
  std::string certificates;  // a file; empty: the system's
};

// From the environment (PIP_INDEX_URL, PIP_CERT), else from pip's files: PIP_CONFIG_FILE, the user's, the machine's.
PipSettings pip_settings();
// What a pip.conf says in [global]; the rest stays as it is.
void read_pip_config(std::string_view text, PipSettings& settings);

struct IndexFile {
  std::string name, url;
  std::string sha256;  // empty: the page does not say
  uint64_t size = 0;   // 0: likewise
};

// The files on a project's page, which is JSON or HTML and came from `url`. Error if it is neither.
std::vector<IndexFile> parse_index_page(const std::string& page, const std::string& url);

// Asks the index. Error (FetchError) if it has no such project, or the project no such file.
IndexFile find_in_index(const PipSettings& settings, const std::string& project, const std::string& file);

}  // namespace fude
