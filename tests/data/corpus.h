// Small corpora for the tests: a folder that cleans up after itself, compressors, and an encoder of one token a byte.
#pragma once

#include <gtest/gtest.h>
#include <lzma.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/random.h"
#include "data/documents.h"
#include "data/shard_writer.h"

namespace fude {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "fude-data-XXXXXX").string();
    require(::mkdtemp(pattern.data()) != nullptr, "no temporary folder");
    path_ = pattern;
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline std::string gzip(const std::string& text) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, text.size()) + 32, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = uInt(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = uInt(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

inline std::string zstd(const std::string& text) {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress2(context, out.data(), out.size(), text.data(), text.size()));
  ZSTD_freeCCtx(context);
  return out;
}

inline std::string xz(const std::string& text) {
  std::string out(lzma_stream_buffer_bound(text.size()), '\0');
  size_t size = 0;
  lzma_easy_buffer_encode(1, LZMA_CHECK_CRC64, nullptr, reinterpret_cast<const uint8_t*>(text.data()), text.size(),
                          reinterpret_cast<uint8_t*>(out.data()), &size, out.size());
  out.resize(size);
  return out;
}

// One token a byte: token = byte + 1; 0 is the end mark.
inline void encode_bytes(std::string_view text, std::vector<int32_t>& out) {
  for (const char c : text) out.push_back(int32_t(static_cast<unsigned char>(c)) + 1);
}
inline constexpr int64_t kByteVocabulary = 257;

inline std::string random_text(Random& random, uint64_t longest) {
  std::string text(1 + random.below(longest), ' ');
  for (char& c : text) c = char('a' + random.below(26));
  return text;
}

inline std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) { return error.what(); }
  return "(no error)";
}

// Shards of the given texts in `folder`.
inline std::shared_ptr<const ShardSet> make_set(const std::string& folder, const std::vector<std::string>& texts,
                                                int64_t shard_tokens = 100) {
  std::string lines;
  for (const std::string& text : texts) lines += Json{{"text", text}}.dump() + "\n";
  write_file(folder + ".jsonl", lines);
  DocumentStream documents({folder + ".jsonl"});
  write_shards(documents, encode_bytes,
               {.folder = folder,
                .vocabulary = kByteVocabulary,
                .tokenizer_hash = hash_hex("bytes"),
                .shard_tokens = shard_tokens,
                .progress = {}});
  return std::make_shared<ShardSet>(folder);
}

}  // namespace fude
