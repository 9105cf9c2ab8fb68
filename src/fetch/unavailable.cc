// What stands in for http.cc, sha256.cc and zip_member.cc in a build without libcurl, libcrypto and libzip.
#include "base/error.h"
#include "fetch/http.h"
#include "fetch/sha256.h"
#include "fetch/zip_member.h"

namespace fude {
namespace {

[[noreturn]] void fail_unavailable() {
  fail(
      "[fetch] this build cannot download: it was made without libcurl, libzip or OpenSSL's libcrypto; install them "
      "(docs/dependencies.md) and build again");
}

}  // namespace

void fetch(const FetchRequest&, const std::function<void(uint64_t)>&, const std::function<void(std::string_view)>&) {
  fail_unavailable();
}
std::string fetch_text(const FetchRequest&, uint64_t) { fail_unavailable(); }
std::string resolve_url(const std::string&, const std::string&) { fail_unavailable(); }
std::string sha256_of_file(const std::string&) { fail_unavailable(); }
void read_zip_member(const std::string&, const std::string&, uint64_t, const std::function<void(std::string_view)>&) {
  fail_unavailable();
}

}  // namespace fude
