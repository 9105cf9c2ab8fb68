#include "fetch/zip_member.h"

#include <zip.h>

#include <memory>
#include <vector>

#include "base/error.h"

namespace fude {

void read_zip_member(const std::string& path, const std::string& member, uint64_t limit,
                     const std::function<void(std::string_view)>& piece) {
  int code = 0;
  const std::unique_ptr<zip_t, decltype(&zip_discard)> archive(zip_open(path.c_str(), ZIP_RDONLY, &code), &zip_discard);
  require(archive != nullptr, "[zip] {} is no zip archive (libzip's error {})", path, code);
  zip_stat_t facts;
  zip_stat_init(&facts);
  require(zip_stat(archive.get(), member.c_str(), 0, &facts) == 0 && (facts.valid & ZIP_STAT_SIZE) != 0,
          "[zip] {} has no member {}", path, member);
  require(facts.size <= limit, "[zip] {}: {}: expected at most {} bytes, it says {}", path, member, limit, facts.size);
  const std::unique_ptr<zip_file_t, decltype(&zip_fclose)> file(zip_fopen(archive.get(), member.c_str(), 0),
                                                                &zip_fclose);
  require(file != nullptr, "[zip] {}: {}: {}", path, member, zip_strerror(archive.get()));
  std::vector<char> buffer(size_t(1) << 20);
  uint64_t left = facts.size;
  while (left > 0) {
    const zip_int64_t read = zip_fread(file.get(), buffer.data(), buffer.size());
    require(read > 0 && uint64_t(read) <= left, "[zip] {}: {}: it is damaged", path, member);
    left -= uint64_t(read);
    piece({buffer.data(), size_t(read)});
  }
  // libzip compares the checksum when it meets the end.
  require(zip_fread(file.get(), buffer.data(), 1) == 0, "[zip] {}: {}: it is damaged", path, member);
}

}  // namespace fude
