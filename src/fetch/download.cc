#include "fetch/download.h"

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <thread>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "fetch/http.h"
#include "fetch/sha256.h"

namespace fude {
namespace {

namespace fs = std::filesystem;

constexpr int kAttempts = 4;

// A file that grows. An answer that begins again is written beside it until it has come as far: it may be another
// thing, such as a network's page to log in, or be cut before.
class PartFile {
 public:
  explicit PartFile(std::string path) : path_(std::move(path)), beside_(path_ + ".again") {}
  ~PartFile() {
    std::error_code ignored;
    fs::remove(beside_, ignored);
  }

  uint64_t size() const { return file_exists(path_) ? file_size(path_) : 0; }
  void remove() { fs::remove(path_); }
  // Writes from the first byte on, or from the end.
  void open(bool begins_again) {
    before_ = size(), written_ = 0;
    is_beside_ = begins_again && before_ > 0;
    file_.reset(std::fopen((is_beside_ ? beside_ : path_).c_str(), begins_again ? "wb" : "ab"));
    require(file_ != nullptr, "[fetch] cannot write {}", path_);
  }
  void write(std::string_view bytes) {
    const bool is_written = std::fwrite(bytes.data(), 1, bytes.size(), file_.get()) == bytes.size();
    require(is_written, "[fetch] cannot write {}: the disk may be full", path_);
    written_ += bytes.size();
    if (written_ >= before_) take();
  }
  // What was written takes the place of the part, if it is not there yet.
  void take() {
    if (std::exchange(is_beside_, false)) fs::rename(beside_, path_);
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
  std::string path_, beside_;
  std::unique_ptr<std::FILE, Close> file_;
  bool is_beside_ = false;
  uint64_t before_ = 0, written_ = 0;
};

// One attempt, from where the part ends. `goes_on` becomes true when bytes come that the next attempt can go on from.
void fetch_rest(const RemoteFile& remote, PartFile& part, const DownloadProgress& progress, bool& goes_on) {
  const bool can_go_on = !remote.sha256.empty();
  if (!can_go_on) part.remove();
  const uint64_t limit = remote.size > 0 ? remote.size : remote.limit, before = part.size();
  if (remote.size > 0 && before >= remote.size) return;  // all is here; the sum decides
  uint64_t done = before;
  bool has_begun = false, begins_again = false;
  const auto begin = [&](uint64_t from) {
    has_begun = true, begins_again = from < before;
    part.open(from == 0), done = from;
  };
  const auto piece = [&](std::string_view bytes) {
    done += bytes.size();
    if (done > limit)
      throw FetchError(fmt::format("[fetch] {}: expected at most {} bytes", shown(remote.url), limit), true);
    part.write(bytes);
    goes_on = can_go_on && !begins_again;
    progress(done, remote.size);
  };
  try {
    fetch({remote.url, before, remote.headers, remote.certificates, remote.if_refused}, begin, piece);
  } catch (...) {
    part.close();  // what has come is kept
    throw;
  }
  // Where nobody said how long it is, an answer to its end is all.
  if (remote.size == 0) part.take();
  part.close();
  // Too little may be a connection that ended early, unless the other side has no more: there is nothing behind the
  // part (nothing has begun), or the same comes again.
  const bool has_no_more = !has_begun || (begins_again && done == before);
  if (done < remote.size && !has_no_more)
    throw FetchError(
        fmt::format("[fetch] {}: expected {} bytes, the answer ends after {}; a connection may have been cut, or "
                    "something between answers in place of the server",
                    shown(remote.url), remote.size, done),
        false);
}

}  // namespace

void accept_part(const std::string& path, uint64_t size, const std::string& sha256, const std::string& where) {
  const std::string part = path + std::string(kPartEnding);
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
  PartFile part(path + std::string(kPartEnding));
  for (int attempt = 1;; ++attempt) {
    bool goes_on = false;
    try {
      fetch_rest(remote, part, progress, goes_on);
      break;
    } catch (const FetchError& error) {
      if (goes_on) attempt = 1;  // if slowly
      if (error.is_lasting || attempt >= kAttempts) throw;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(500) * attempt);
  }
  accept_part(path, remote.size, remote.sha256, shown(remote.url));
}

}  // namespace fude
