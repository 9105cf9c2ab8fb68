#include "base/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "base/error.h"

namespace fude {
namespace {

// What the last system call said. Call first, then require(…, reason()): arguments are evaluated in any order.
std::string reason() { return std::strerror(errno); }

// A file descriptor that closes itself.
struct Descriptor {
  explicit Descriptor(int of) : fd(of) {}
  Descriptor(Descriptor&& other) noexcept : fd(std::exchange(other.fd, -1)) {}
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }

  int fd;
};

uint64_t size_of(int fd, const std::string& path) {
  struct stat info {};
  const int status = ::fstat(fd, &info);
  require(status == 0, "[file] cannot stat {}: {}", path, reason());
  require(S_ISREG(info.st_mode), "[file] expected a regular file, got {}", path);
  return uint64_t(info.st_size);
}

// A pipe or a device, which do not say how much there is.
bool is_stream(int fd) {
  struct stat info {};
  return ::fstat(fd, &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode);
}

std::string read_stream(int fd, const std::string& path, uint64_t limit) {
  constexpr size_t kPiece = 64 << 10;
  std::string bytes;
  for (;;) {
    const size_t done = bytes.size();
    bytes.resize(done + kPiece);
    const ssize_t got = ::read(fd, bytes.data() + done, kPiece);
    bytes.resize(done + size_t(std::max<ssize_t>(got, 0)));
    if (got < 0 && errno == EINTR) continue;
    require(got >= 0, "[file] cannot read {}: {}", path, reason());
    if (got == 0) return bytes;
    require(bytes.size() <= limit, "[file] {} has more than {} bytes, the limit", path, limit);
  }
}

void write_piece(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    require(put > 0, "[file] cannot write {}: {}", path, reason());
    bytes.remove_prefix(size_t(put));
  }
}

// False if another open file holds a lock on this one, of this process or of another. True where the file system knows
// no locks.
bool lock(int fd) { return ::flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK; }

// Whether this open file is the one under the name.
bool is_under(int fd, const std::string& path) {
  struct stat open {
  }, named{};
  return ::fstat(fd, &open) == 0 && ::stat(path.c_str(), &named) == 0 && open.st_dev == named.st_dev &&
         open.st_ino == named.st_ino;
}

// The file under `partial`, empty and locked, for who writes `target`. What a killed writer left there is taken over.
Descriptor open_partial(const std::string& partial, const std::string& target) {
  for (;;) {
    Descriptor file{::open(partial.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644)};
    require(file.fd >= 0, "[file] cannot create {}: {}", partial, reason());
    require(lock(file.fd), "[file] another program is writing {}", target);
    if (!is_under(file.fd, partial)) continue;  // its writer has renamed it meanwhile: it is the target now
    const int emptied = ::ftruncate(file.fd, 0);
    require(emptied == 0, "[file] cannot empty {}: {}", partial, reason());
    return file;
  }
}

// Whether something is there that no file may take the place of: a pipe, a device, a folder, or a link to one.
bool is_no_file(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode);
}

// Where a path leads through links, be it there or not.
std::string end_of_links(const std::string& path) {
  namespace fs = std::filesystem;
  constexpr int kMostLinks = 40;  // as the system has it
  fs::path at = path;
  std::error_code error;
  for (int links = 0; fs::is_symlink(fs::symlink_status(at, error)); ++links) {
    require(links < kMostLinks, "[file] {} leads through too many links", path);
    const fs::path next = fs::read_symlink(at, error);
    require(!error, "[file] cannot read the link {}: {}", at.string(), error.message());
    at = at.parent_path() / next;
  }
  return at.string();
}

void sync_directory_of(const std::string& path) {
  const auto parent = std::filesystem::path(path).parent_path();
  Descriptor directory{::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY)};
  if (directory.fd >= 0) ::fsync(directory.fd);
}

}  // namespace

std::string read_file(const std::string& path, uint64_t limit) {
  Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  require(file.fd >= 0, "[file] cannot open {}: {}", path, reason());
  if (is_stream(file.fd)) return read_stream(file.fd, path, limit);
  const uint64_t size = size_of(file.fd, path);
  require(size <= limit, "[file] {} has {} bytes, the limit is {}", path, size, limit);
  std::string bytes(size, '\0');
  for (uint64_t done = 0; done < size;) {
    const ssize_t got = ::read(file.fd, bytes.data() + done, size - done);
    if (got < 0 && errno == EINTR) continue;
    require(got > 0, "[file] cannot read {}: {}", path, got == 0 ? "it became shorter" : reason());
    done += uint64_t(got);
  }
  return bytes;
}

bool file_exists(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

uint64_t file_size(const std::string& path) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  require(!error, "[file] cannot stat {}: {}", path, error.message());
  return size;
}

void make_directories(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  require(!error, "[file] cannot create the folder {}: {}", path, error.message());
}

void write_atomically(const std::string& path,
                      const std::function<void(const std::function<void(std::string_view)>&)>& write) {
  if (is_no_file(path)) {
    Descriptor stream{::open(path.c_str(), O_WRONLY | O_CLOEXEC)};
    require(stream.fd >= 0, "[file] cannot open {}: {}", path, reason());
    return write([&](std::string_view bytes) { write_piece(stream.fd, bytes, path); });
  }
  const std::string target = end_of_links(path), partial = target + ".partial";
  const Descriptor file = open_partial(partial, target);  // locked until it has its name or is gone
  try {
    write([&](std::string_view bytes) { write_piece(file.fd, bytes, partial); });
    move_into_place(partial, target);
  } catch (...) {
    ::unlink(partial.c_str());
    throw;
  }
}

void write_file(const std::string& path, std::string_view bytes) {
  write_atomically(path, [&](const auto& put) { put(bytes); });
}

void write_files(const std::string& folder, const FolderFiles& files) {
  make_directories(folder);
  for (const auto& [name, bytes] : files)
    if (bytes)
      write_file(folder + "/" + name, *bytes);
    else
      ::unlink((folder + "/" + name).c_str());
}

void move_into_place(const std::string& from, const std::string& to) {
  require(!is_no_file(to), "[file] expected a regular file to replace, got {}", to);
  Descriptor file{::open(from.c_str(), O_RDONLY | O_CLOEXEC)};
  require(file.fd >= 0, "[file] cannot open {}: {}", from, reason());
  const int flushed = ::fsync(file.fd);
  require(flushed == 0, "[file] cannot flush {}: {}", from, reason());
  const int renamed = ::rename(from.c_str(), to.c_str());
  require(renamed == 0, "[file] cannot rename {} to {}: {}", from, to, reason());
  sync_directory_of(to);
}

FolderLock::FolderLock(const std::string& folder) {
  const std::string path = folder + "/lock";
  fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  require(fd_ >= 0, "[file] cannot open {}: {}", path, reason());
  is_held_ = lock(fd_);
}

FolderLock::~FolderLock() { ::close(fd_); }

MappedFile::MappedFile(const std::string& path) {
  Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  require(file.fd >= 0, "[file] cannot open {}: {}", path, reason());
  size_ = size_of(file.fd, path);
  if (size_ == 0) return;
  void* mapped = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file.fd, 0);
  if (mapped == MAP_FAILED && errno == ENOMEM) throw OutOfMemory(fmt::format("[file] no memory to map {}", path));
  require(mapped != MAP_FAILED, "[file] cannot map {}: {}", path, reason());
  data_ = static_cast<const std::byte*>(mapped);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

void MappedFile::drop(size_t begin, size_t end) const {
  constexpr size_t kPage = 4096;
  begin = (begin + kPage - 1) / kPage * kPage;
  end = std::min(end, size_) / kPage * kPage;
  if (data_ != nullptr && begin < end) ::madvise(const_cast<std::byte*>(data_) + begin, end - begin, MADV_DONTNEED);
}

std::string hash_hex(std::string_view bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

}  // namespace fude
