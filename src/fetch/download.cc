#include "fetch/download.h"

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <thread>

#include "base/error.h"
#include "base/file.h"
#include "fetch/http.h"
#include "fetch/sha256.h"

namespace fude {
namespace {

namespace fs = std::filesystem;

constexpr int kAttempts = 4;

// A file that grows.
class PartFile {
 public:
  explicit PartFile(std::string path) : path_(std::move(path)) {}

  uint64_t size() const { return file_exists(path_) ? file_size(path_) : 0; }
  // Writes from this byte on.
  void open(uint64_t from) {
    if (from == 0) {
      file_.reset(std::fopen(path_.c_str(), "wb"));
    } else {
      fs::resize_file(path_, from);
      file_.reset(std::fopen(path_.c_str(), "ab"));
    }
    require(file_ != nullptr, "[fetch] cannot write {}", path_);
  }
  void write(std::string_view bytes) {
    const bool is_written = std::fwrite(bytes.data(), 1, bytes.size(), file_.get()) == bytes.size();
    require(is_written, "[fetch] cannot write {}: the disk may be full", path_);
  }
  void close() {
    if (file_ == nullptr) return;
    const int failed = std::fclose(file_.release());
    require(failed == 0, "[fetch] cannot write {}: the disk may be full", path_);
  }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::string path_;
  std::unique_ptr<std::FILE, Close> file_;
};

// One attempt, from where the part ends.
void fetch_rest(const RemoteFile& remote, PartFile& part, const DownloadProgress& progress) {
  const uint64_t limit = remote.size > 0 ? remote.size : remote.limit;
  uint64_t done = remote.sha256.empty() ? 0 : part.size();
  if (remote.size > 0 && done >= remote.size) return;  // all is here; the sum decides
  const auto begin = [&](uint64_t from) { part.open(done = from); };
  const auto piece = [&](std::string_view bytes) {
    done += bytes.size();
    if (done > limit)
      throw FetchError(fmt::format("[fetch] {}: expected at most {} bytes", shown(remote.url), limit), true);
    part.write(bytes);
    progress(done, remote.size);
  };
  try {
    fetch({remote.url, done, remote.headers, remote.certificates, remote.if_refused}, begin, piece);
  } catch (...) {
    part.close();  // what has come is kept
    throw;
  }
  part.close();
}

}  // namespace

void accept_part(const std::string& path, uint64_t size, const std::string& sha256, const std::string& where) {
  const std::string part = path + ".part";
  const uint64_t got = file_size(part);
  const std::string sum = sha256.empty() ? "" : sha256_of_file(part);
  if ((size > 0 && got != size) || sum != sha256) {
    fs::remove(part);
    throw FetchError(
        fmt::format("[fetch] {}: expected {} bytes with the SHA-256 {}, got {} bytes with {}; what came is removed. If "
                    "it comes again, the file has changed there or something between changes it",
                    where, size, sha256.empty() ? "(not known)" : sha256, got, sum.empty() ? "(not computed)" : sum),
        true);
  }
  move_into_place(part, path);
}

void download(const RemoteFile& remote, const std::string& path, const DownloadProgress& progress) {
  if (const fs::path folder = fs::path(path).parent_path(); !folder.empty()) make_directories(folder);
  PartFile part(path + ".part");
  for (int attempt = 1;; ++attempt) {
    const uint64_t before = part.size();
    try {
      fetch_rest(remote, part, progress);
      break;
    } catch (const FetchError& error) {
      if (part.size() > before) attempt = 1;  // it goes on, if slowly
      if (error.is_lasting || attempt >= kAttempts) throw;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(500) * attempt);
  }
  accept_part(path, remote.size, remote.sha256, shown(remote.url));
}

}  // namespace fude
