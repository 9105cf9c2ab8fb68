// Bytes of a file, pulled piece by piece: plain, gzip, zstd or xz, told apart by their first bytes.
//
// A truncated or corrupt file is an error that names it, never a quiet end: a corpus that lost its second
// half should not train. Concatenated members and frames (`cat a.gz b.gz`, parallel compressors) read as one.
// Memory is bounded by the decoders' windows, whatever the file claims.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace fude {

class CompressedStream {
 public:
  // Opens a regular file. A name that ends in .gz, .zst or .xz promises compressed contents and is held to it.
  explicit CompressedStream(const std::string& path);
  // Reads from memory that outlives the stream; `name` is for messages and the promise of its ending.
  CompressedStream(std::string_view bytes, std::string name);
  CompressedStream(CompressedStream&&) noexcept;
  CompressedStream& operator=(CompressedStream&&) noexcept;
  ~CompressedStream();

  // Up to `size` > 0 bytes; 0 only at the true end.
  size_t read(char* into, size_t size);
  const std::string& name() const;
  // Bytes taken from the file so far (compressed), for progress.
  uint64_t consumed() const;

  struct Input;
  struct Decoder;

 private:
  std::unique_ptr<Input> input_;
  std::unique_ptr<Decoder> decoder_;
};

}  // namespace fude
