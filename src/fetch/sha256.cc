#include "fetch/sha256.h"

#include <openssl/evp.h>

#include <algorithm>
#include <memory>

#include "base/error.h"
#include "base/file.h"

namespace fude {

std::string sha256_of_file(const std::string& path) {
  constexpr size_t kAtOnce = size_t(8) << 20;
  const MappedFile file(path);
  const auto bytes = file.bytes();
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> digest(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  bool fine = digest && EVP_DigestInit_ex(digest.get(), EVP_sha256(), nullptr) == 1;
  for (size_t at = 0; fine && at < bytes.size(); at += kAtOnce) {
    const auto piece = bytes.subspan(at, std::min(kAtOnce, bytes.size() - at));
    fine = EVP_DigestUpdate(digest.get(), piece.data(), piece.size()) == 1;
    file.drop(at, at + piece.size());
  }
  unsigned char sum[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  fine = fine && EVP_DigestFinal_ex(digest.get(), sum, &length) == 1;
  require(fine, "[sha256] {}: libcrypto cannot compute it", path);
  std::string hex;
  for (unsigned i = 0; i < length; ++i) hex += fmt::format("{:02x}", sum[i]);
  return hex;
}

}  // namespace fude
