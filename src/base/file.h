// Files: read whole, mapped, and written so that a crash never leaves half a file under its name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace fude {

// The bytes of a file, or of a pipe to its end. Error if it cannot be read or is larger than `limit` bytes.
std::string read_file(const std::string& path, uint64_t limit = uint64_t(1) << 40);

bool file_exists(const std::string& path);
uint64_t file_size(const std::string& path);
void make_directories(const std::string& path);

// Writes beside `path` ("path.partial"), flushes to the disk, then renames: readers see the old file or the new one.
// `write` appends pieces through the function it is given. Error (and the partial file removed) if the disk is full.
// Error if another one, of this process or another, is writing the same file (the partial file is locked until it is
// renamed); what a killed one left is taken over.
// A link is followed and stays; a pipe or a device is written to as it is.
void write_atomically(const std::string& path,
                      const std::function<void(const std::function<void(std::string_view)>&)>& write);
void write_file(const std::string& path, std::string_view bytes);
// Files of a folder by name: what each holds, or nothing where none may be.
using FolderFiles = std::map<std::string, std::optional<std::string>>;
// Writes each atomically. The folder is made if it is not there.
void write_files(const std::string& folder, const FolderFiles& files);
// The last step of writing atomically, for files that were written in other ways: flushes `from` to the disk, then
// renames it to `to`. A link at `to` is replaced; Error if something else is there that is no regular file.
void move_into_place(const std::string& from, const std::string& to);

// Keeps a folder for one owner at a time: a lock on the file `lock` in it, which stays there. It ends with its owner or
// the process, however that ends; programs that are started do not inherit it.
class FolderLock {
 public:
  // The folder must be there.
  explicit FolderLock(const std::string& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

  // False if another one has the folder, of this process or of another. True where the file system knows no locks.
  bool is_held() const { return is_held_; }

 private:
  int fd_ = -1;
  bool is_held_ = false;
};

// A file mapped read-only. Owns the mapping; movable.
class MappedFile {
 public:
  MappedFile() = default;
  explicit MappedFile(const std::string& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  // Tells the system that this range will not be read again, so that loading never holds a model twice.
  void drop(size_t begin, size_t end) const;

 private:
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

// 128-bit XXH3 as 32 hexadecimal digits: identity of text, tokenizer and configuration, not a defence.
std::string hash_hex(std::string_view bytes);

}  // namespace fude
