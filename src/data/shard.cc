#include "data/shard.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/error.h"
#include "base/json.h"
#include "data/shard_format.h"
#include "text/unicode.h"

namespace fude {
namespace {

std::string hex(const uint8_t (&bytes)[16]) { return fmt::format("{:02x}", fmt::join(bytes, "")); }

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Where the parts of a file lie, from sizes that may be lies: nothing if they do not add up to `file_bytes`.
struct Layout {
  uint64_t index, languages, end;
};
std::optional<Layout> layout_of(const ShardHeader& header, uint64_t file_bytes) {
  // Each count alone must fit the file, after which no product or sum below can overflow.
  if (header.token_width != 2 && header.token_width != 4) return {};
  if (header.tokens > file_bytes / header.token_width || header.documents > file_bytes / sizeof(ShardEntry) ||
      header.language_bytes > file_bytes)
    return {};
  Layout layout;
  layout.index = sizeof(ShardHeader) + padded_to_8(header.tokens * header.token_width);
  layout.languages = layout.index + header.documents * sizeof(ShardEntry);
  layout.end = layout.languages + padded_to_8(header.language_bytes);
  if (layout.end + 8 != file_bytes) return {};
  return layout;
}

template <class Token>
bool widen(const std::byte* from, int64_t count, int64_t vocabulary, int32_t* out) {
  uint32_t largest = 0;
  for (int64_t i = 0; i < count; ++i) {
    Token token;
    std::memcpy(&token, from + i * int64_t(sizeof(Token)), sizeof(Token));
    largest = std::max(largest, uint32_t(token));
    out[i] = int32_t(token);
  }
  return int64_t(largest) < vocabulary;
}

}  // namespace

uint64_t checksum_of(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

void seal_shard(std::string& shard) {
  if (shard.size() < sizeof(ShardHeader) + 8) return;
  ShardHeader header;
  std::memcpy(&header, shard.data(), sizeof header);
  const std::string_view bytes = shard;
  if (const auto layout = layout_of(header, shard.size()))
    header.index_checksum = checksum_of(bytes.substr(layout->index, layout->end - layout->index));
  header.checksum = checksum_of({reinterpret_cast<const char*>(&header), offsetof(ShardHeader, checksum)});
  std::memcpy(shard.data(), &header, sizeof header);
  const uint64_t whole = checksum_of(bytes.substr(0, bytes.size() - 8));
  std::memcpy(shard.data() + shard.size() - 8, &whole, 8);
}

void TokenSpan::copy(int64_t begin, int64_t end, int32_t* out) const {
  require(0 <= begin && begin <= end && end <= size_, "[shard] expected a range within {} tokens, got {}..{}", size_,
          begin, end);
  const bool valid = width_ == 2 ? widen<uint16_t>(data_ + begin * 2, end - begin, vocabulary_, out)
                                 : widen<uint32_t>(data_ + begin * 4, end - begin, vocabulary_, out);
  require(valid, "[shard] a token is outside the vocabulary of {}: the shard is corrupt", vocabulary_);
}

std::vector<int32_t> TokenSpan::to_vector() const {
  std::vector<int32_t> tokens(size_t(size_), 0);
  copy(0, size_, tokens.data());
  return tokens;
}

Shard::Shard(const std::string& path, ShardCheck check) : file_(path), bytes_(file_.bytes()) { open(path, check); }
Shard::Shard(std::span<const std::byte> bytes, const std::string& name, ShardCheck check) : bytes_(bytes) {
  open(name, check);
}

void Shard::open(const std::string& name, ShardCheck check) {
  const std::string_view whole = as_text(bytes_);
  ShardHeader header;
  require(whole.size() >= sizeof header + 8, "[shard] {}: expected a shard, got {} bytes", name, whole.size());
  std::memcpy(&header, whole.data(), sizeof header);
  require(std::memcmp(header.magic, kShardMagic, 8) == 0, "[shard] {}: not a Fude shard", name);
  require(header.version == kShardVersion, "[shard] {}: expected version {}, got {}", name, kShardVersion,
          header.version);
  require(header.checksum == checksum_of(whole.substr(0, offsetof(ShardHeader, checksum))),
          "[shard] {}: the header is corrupt (checksum)", name);
  const auto layout = layout_of(header, whole.size());
  require(layout.has_value(),
          "[shard] {}: the sizes in the header do not add up to the file's {} bytes: truncated or corrupt", name,
          whole.size());
  require(header.vocabulary >= 1 && header.vocabulary <= uint64_t(INT32_MAX) &&
              header.token_width == (header.vocabulary <= 65536 ? 2u : 4u),
          "[shard] {}: a vocabulary of {} does not go with tokens of {} bytes", name, header.vocabulary,
          header.token_width);
  require(header.text_bytes <= uint64_t(INT64_MAX), "[shard] {}: too many bytes of text", name);
  require(header.index_checksum == checksum_of(whole.substr(layout->index, layout->end - layout->index)),
          "[shard] {}: the document index is corrupt (checksum)", name);
  std::memcpy(&checksum_, whole.data() + layout->end, 8);
  if (check == ShardCheck::everything)
    require(checksum_ == checksum_of(whole.substr(0, layout->end)), "[shard] {}: the contents are corrupt (checksum)",
            name);

  std::string_view names = whole.substr(layout->languages, header.language_bytes);
  require(is_valid_utf8(names), "[shard] {}: a language name is not UTF-8", name);
  while (!names.empty()) {
    const size_t end = names.find('\n');
    require(end != names.npos && languages_.size() < kMaxLanguages, "[shard] {}: the language names are malformed",
            name);
    languages_.emplace_back(names.substr(0, end));
    names.remove_prefix(end + 1);
  }

  index_ = bytes_.data() + layout->index;
  width_ = int(header.token_width);
  info_ = {int64_t(header.vocabulary), hex(header.tokenizer_hash), hex(header.text_hash),
           int64_t(header.documents),  int64_t(header.tokens),     int64_t(header.text_bytes)};
  uint64_t begin = 0, text_bytes = 0;
  for (int64_t i = 0; i < info_.documents; ++i) {
    ShardEntry found;
    std::memcpy(&found, entry(i), sizeof found);
    require(i == 0 ? found.begin == 0 : found.begin >= begin && found.begin <= header.tokens,
            "[shard] {}: document {} begins at token {}, after {} and within {} expected", name, i, found.begin, begin,
            header.tokens);
    require(found.text_bytes <= header.text_bytes - text_bytes, "[shard] {}: document {} has more text than the shard",
            name, i);
    require(found.language < languages_.size(), "[shard] {}: document {} has language {} of {}", name, i,
            found.language, languages_.size());
    begin = found.begin;
    text_bytes += found.text_bytes;
  }
  require(text_bytes == header.text_bytes && (header.documents > 0 || header.tokens == 0),
          "[shard] {}: the documents' sizes do not add up", name);
}

const std::byte* Shard::entry(int64_t index) const {
  require(index >= 0 && index < info_.documents, "[shard] expected a document below {}, got {}", info_.documents,
          index);
  return index_ + index * int64_t(sizeof(ShardEntry));
}

TokenSpan Shard::document(int64_t index) const {
  uint64_t begin, end = uint64_t(info_.tokens);
  std::memcpy(&begin, entry(index), 8);
  if (index + 1 < info_.documents) std::memcpy(&end, entry(index + 1), 8);
  return {bytes_.data() + sizeof(ShardHeader) + begin * uint64_t(width_), width_, int64_t(end - begin),
          info_.vocabulary};
}

int64_t Shard::text_bytes(int64_t index) const {
  ShardEntry found;
  std::memcpy(&found, entry(index), sizeof found);
  return int64_t(found.text_bytes);
}

std::string_view Shard::language(int64_t index) const {
  ShardEntry found;
  std::memcpy(&found, entry(index), sizeof found);
  return languages_[found.language];
}

ShardSet::ShardSet(const std::string& folder, ShardCheck check) : folder_(folder) {
  const std::string path = folder + "/shards.json";
  const Json manifest = parse_json(read_file(path, kManifestLimit), path);
  require(json_string(manifest, "format", path) == "fude-shards" && json_integer(manifest, "version", path) == 1,
          "[shard] {}: expected the format fude-shards, version 1", path);
  require(json_boolean(manifest, "complete", path),
          "[shard] {} is not complete: run the same command again and it goes on where it stopped", folder);
  const auto shards = manifest.find("shards");
  require(shards != manifest.end() && shards->is_array() && !shards->empty(), "[shard] {}: expected a list of shards",
          path);
  info_.tokenizer_hash = json_string(manifest, "tokenizer", path);
  info_.vocabulary = json_integer(manifest, "vocabulary", path);
  std::string hashes;
  first_document_.push_back(0);
  for (const Json& row : *shards) {
    const std::string file = json_string(row, "file", path);
    require(!file.empty() && file.find('/') == file.npos, "[shard] {}: '{}' is not a file of this folder", path, file);
    const Shard& shard = shards_.emplace_back(fmt::format("{}/{}", folder, file), check);
    const ShardInfo& info = shard.info();
    require(fmt::format("{:016x}", shard.checksum()) == json_string(row, "checksum", path),
            "[shard] {}/{} is not the shard that shards.json lists", folder, file);
    require(info.tokenizer_hash == info_.tokenizer_hash && info.vocabulary == info_.vocabulary,
            "[shard] {}/{} was made with another tokenizer than its set", folder, file);
    require(info.text_bytes <= INT64_MAX - info_.text_bytes, "[shard] {}: too many bytes of text", path);
    info_.documents += info.documents;
    info_.tokens += info.tokens;
    info_.text_bytes += info.text_bytes;
    first_document_.push_back(info_.documents);
    hashes += info.text_hash;
  }
  info_.text_hash = hash_hex(hashes);
}

std::pair<const Shard*, int64_t> ShardSet::find(int64_t index) const {
  require(index >= 0 && index < info_.documents, "[shard] expected a document below {}, got {}", info_.documents,
          index);
  const auto after = std::upper_bound(first_document_.begin(), first_document_.end(), index);
  const size_t shard = size_t(after - first_document_.begin()) - 1;
  return {&shards_[shard], index - first_document_[shard]};
}

TokenSpan ShardSet::document(int64_t index) const {
  const auto [shard, inside] = find(index);
  return shard->document(inside);
}
int64_t ShardSet::text_bytes(int64_t index) const {
  const auto [shard, inside] = find(index);
  return shard->text_bytes(inside);
}
std::string_view ShardSet::language(int64_t index) const {
  const auto [shard, inside] = find(index);
  return shard->language(inside);
}

}  // namespace fude
