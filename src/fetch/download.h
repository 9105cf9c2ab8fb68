// A file from elsewhere, put under its name only when it is whole.
//
// Bytes go to NAME.part. A download that was cut goes on there, in the next attempt or the next run, if the checksum is
// known by which the whole can be told to be right; otherwise it begins again. It is tried anew as long as that brings
// it on, and some times more.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace fude {

inline constexpr std::string_view kPartEnding = ".part";

struct RemoteFile {
  std::string url;
  std::string sha256;  // empty: not known
  uint64_t size = 0;   // bytes; 0: not known
  uint64_t limit = 0;  // bytes at most, where the size is not known
  std::vector<std::string> headers = {};
  std::string certificates = {}, if_refused = {};  // as in FetchRequest
};

// Bytes so far, and in all (0: not known). What it throws stops the download, which can go on later.
using DownloadProgress = std::function<void(uint64_t done, uint64_t total)>;

// Nothing that was there under `path` is touched unless the new file is right. Error (a FetchError where trying
// elsewhere may help).
void download(const RemoteFile& remote, const std::string& path, const DownloadProgress& progress);

// The last step of it, for files that come together in other ways: NAME.part becomes NAME if it has that size (0: any)
// and sum (empty: any). Else NAME.part is removed, and FetchError says what came from `where`.
void accept_part(const std::string& path, uint64_t size, const std::string& sha256, const std::string& where);

}  // namespace fude
