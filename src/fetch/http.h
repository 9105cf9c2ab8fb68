// What is fetched from other machines: HTTP and HTTPS by libcurl, and file:// as another name for a file. Proxies are
// taken from the environment, as curl does it.
//
// A build without libcurl has these functions too (unavailable.cc), and they say what is missing.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace fude {

// The other side cannot be reached, breaks off, or has no such thing.
class FetchError : public Error {
 public:
  FetchError(const std::string& what, bool is_lasting) : Error(what), is_lasting(is_lasting) {}
  bool is_lasting;  // it will not go away by trying again: 404, an unknown host
};

struct FetchRequest {
  std::string url;
  uint64_t from = 0;                 // bytes to leave out
  std::vector<std::string> headers;  // "Accept: …"
  std::string certificates;          // a file of those to trust; empty: the system's
  std::string if_refused = {};       // what helps where the answer is 401 or 403, for the message
  std::string if_unreachable = {};   // where nobody answers
};

// Hands on the body piece by piece. `begin` is told first from which byte of the whole the pieces come: 0 where the
// other side cannot begin in the middle. FetchError; what the functions throw ends the transfer and comes out.
void fetch(const FetchRequest& request, const std::function<void(uint64_t from)>& begin,
           const std::function<void(std::string_view)>& piece);

// A small body as a whole. Error if it is larger than `limit` bytes.
std::string fetch_text(const FetchRequest& request, uint64_t limit);

// `link` as it stands on the page `base`.
std::string resolve_url(const std::string& base, const std::string& link);

// An address as messages have it: without the "user:password@" of its authority.
inline std::string shown(std::string_view url) {
  const size_t scheme = url.find("://");
  if (scheme == url.npos) return std::string(url);
  const size_t begin = scheme + 3, end = std::min(url.find_first_of("/?#", begin), url.size());
  const size_t at = url.substr(begin, end - begin).rfind('@');
  if (at == url.npos) return std::string(url);
  return std::string(url.substr(0, begin)).append(url.substr(begin + at + 1));
}

}  // namespace fude
