#include "data/shard_writer.h"

#include <xxhash.h>

#include <algorithm>
#include <atomic>
#include <filesystem>

#include "base/error.h"
#include "base/json.h"
#include "base/run_on_threads.h"
#include "data/identity.h"
#include "data/shard_format.h"

namespace fude {
namespace {

void unhex(const std::string& digits, uint8_t (&bytes)[16]) {
  require(digits.size() == 32 && digits.find_first_not_of("0123456789abcdef") == digits.npos,
          "[shard] expected a tokenizer hash of 32 hexadecimal digits, got '{}'", digits);
  for (int i = 0; i < 16; ++i) bytes[i] = uint8_t(std::stoi(digits.substr(size_t(i) * 2, 2), nullptr, 16));
}

constexpr uint64_t kBatchBytes = uint64_t(1) << 20;  // of text that a thread gets at a time

// A document with its tokens, and where the corpus stood behind it.
struct Encoded {
  Document document;
  std::vector<int32_t> tokens;
  Json next;
  uint64_t bytes_done;
};

// The next documents, so many that each thread has some; none at the end.
std::vector<Encoded> next_batch(DocumentSource& documents, const Encoder& encode, int threads) {
  std::vector<Encoded> batch;
  for (uint64_t bytes = 0; bytes < (threads == 1 ? 1 : kBatchBytes * uint64_t(threads));) {
    std::optional<Document> document = documents.next();
    if (!document) break;
    bytes += document->text.size();
    batch.push_back({std::move(*document), {}, documents.position(), documents.bytes_done()});
  }
  std::atomic<size_t> next{0};
  run_on_threads(std::min(size_t(threads), std::max<size_t>(1, batch.size())), [&](size_t) {
    for (size_t i; (i = next++) < batch.size();) encode(batch[i].document.text, batch[i].tokens);
  });
  return batch;
}

// One shard in memory.
class ShardBuilder {
 public:
  explicit ShardBuilder(const ShardOptions& options) : width_(options.vocabulary <= 65536 ? 2 : 4) {
    std::memcpy(header_.magic, kShardMagic, 8);
    header_.version = kShardVersion;
    header_.token_width = uint32_t(width_);
    header_.vocabulary = uint64_t(options.vocabulary);
    unhex(options.tokenizer_hash, header_.tokenizer_hash);
    XXH3_128bits_reset(text_hash_.get());
  }
  int64_t tokens() const { return int64_t(header_.tokens); }
  int64_t documents() const { return int64_t(header_.documents); }
  int64_t text_bytes() const { return int64_t(header_.text_bytes); }

  void add(const Document& document, const std::vector<int32_t>& tokens) {
    const auto language = std::find(languages_.begin(), languages_.end(), document.language);
    const ShardEntry entry{header_.tokens, document.text.size(), uint64_t(language - languages_.begin())};
    if (language == languages_.end()) {
      require(document.language.find('\n') == std::string::npos && languages_.size() < kMaxLanguages,
              "[shard] {}:{}: '{}' cannot be a language name (or is one of more than {})", document.file, document.line,
              document.language, kMaxLanguages);
      languages_.push_back(document.language);
    }
    index_.append(reinterpret_cast<const char*>(&entry), sizeof entry);
    for (const int32_t token : tokens) tokens_.append(reinterpret_cast<const char*>(&token), size_t(width_));
    XXH3_128bits_update(text_hash_.get(), document.text.data(), document.text.size());
    XXH3_128bits_update(text_hash_.get(), "\0", 1);  // texts hold no NUL, so the boundary is part of the hash
    header_.documents += 1;
    header_.tokens += tokens.size();
    header_.text_bytes += document.text.size();
  }

  std::string finish() {
    std::string names;
    for (const std::string& name : languages_) names += name + '\n';
    header_.language_bytes = names.size();
    const XXH128_hash_t hash = XXH3_128bits_digest(text_hash_.get());
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, hash);
    std::memcpy(header_.text_hash, canonical.digest, 16);
    std::string shard(reinterpret_cast<const char*>(&header_), sizeof header_);
    shard.reserve(shard.size() + tokens_.size() + index_.size() + names.size() + 32);
    shard += tokens_;
    shard.resize(padded_to_8(shard.size()));
    shard += index_;
    shard += names;
    shard.resize(padded_to_8(shard.size()) + 8);
    seal_shard(shard);
    return shard;
  }

 private:
  int width_;
  ShardHeader header_{};
  std::string tokens_, index_;
  std::vector<std::string> languages_ = {""};
  struct FreeState {
    void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
  };
  std::unique_ptr<XXH3_state_t, FreeState> text_hash_{XXH3_createState()};
};

// In words, what makes a manifest that of other work than `fresh` begins; empty if it goes on with the same.
std::string other_work(Json found, Json fresh) {
  if (!found.is_object()) return "it is no list of shards";
  const std::string words = found.value("corpus", Json()) == fresh["corpus"]
                                ? ""
                                : "'corpus' differs: it is another text, or read in another way";
  for (Json* manifest : {&found, &fresh})
    for (const char* key : {"corpus", "complete", "shards", "report"}) manifest->erase(key);
  if (found.contains("settings") && fresh.contains("settings"))  // which the hash is of
    for (Json* manifest : {&found, &fresh}) manifest->erase("tokenizer");
  const std::string others = differences(found, fresh);
  return others + (words.empty() || others.empty() ? "" : "; ") + words;
}

// So that none is taken for one of those that will be written.
void remove_shards(const std::string& folder, const std::string& manifest) {
  std::filesystem::remove(manifest);
  std::vector<std::filesystem::path> shards;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".shard") shards.push_back(entry.path());
  for (const auto& path : shards) std::filesystem::remove(path);
}

// shards.json of an earlier run over the same corpus, or a new one.
Json open_manifest(const DocumentSource& documents, const ShardOptions& options, const std::string& path) {
  Json fresh = {{"format", "fude-shards"},
                {"version", 1},
                {"corpus", documents.identity()},
                {"tokenizer", options.tokenizer_hash},
                {"vocabulary", options.vocabulary},
                {"shard_tokens", options.shard_tokens},
                {"complete", false},
                {"shards", Json::array()}};
  if (options.settings != nullptr) fresh["settings"] = *options.settings;
  if (!file_exists(path)) return fresh;
  Json found = parse_json(read_file(path, kManifestLimit), path);
  const std::string other = other_work(found, fresh);
  if (!other.empty() && options.replaces_others) {
    remove_shards(options.folder, path);
    return fresh;
  }
  require(other.empty(), "[shard] {} belongs to other work: {}; choose another folder or remove this one", path, other);
  json_boolean(found, "complete", path);
  require(found.contains("shards") && found["shards"].is_array(), "[shard] {}: expected a list of shards", path);
  for (const Json& row : found["shards"]) {
    const std::string file = options.folder + "/" + json_string(row, "file", path);
    require(fmt::format("{:016x}", Shard(file).checksum()) == json_string(row, "checksum", path),
            "[shard] {} is not the shard that shards.json lists", file);
    require(row.contains("next"), "[shard] {}: expected the position after {}", path, file);
  }
  return found;
}

}  // namespace

Json write_shards(DocumentSource& documents, const Encoder& encode, const ShardOptions& options) {
  require(options.vocabulary >= 1 && options.vocabulary <= INT32_MAX,
          "[shard] expected a vocabulary of 1..2^31-1, got {}", options.vocabulary);
  require(options.shard_tokens >= 1, "[shard] expected shards of at least one token, got {}", options.shard_tokens);
  require(options.threads >= 1 && options.threads <= 1024, "[shard] expected 1 to 1024 threads, got {}",
          options.threads);
  make_directories(options.folder);
  const FolderLock lock(options.folder);
  require(lock.is_held(), "[shard] another process is writing shards into {}", options.folder);
  const std::string path = options.folder + "/shards.json";
  Json manifest = open_manifest(documents, options, path);
  if (json_boolean(manifest, "complete", path)) return manifest;
  Json& rows = manifest["shards"];
  if (!rows.empty()) documents.seek(rows.back()["next"]);

  ShardBuilder shard(options);
  const auto finish_shard = [&](const Json& next) {
    const std::string name = fmt::format("{:05}.shard", rows.size());
    const std::string bytes = shard.finish();
    uint64_t checksum;
    std::memcpy(&checksum, bytes.data() + bytes.size() - 8, 8);
    write_file(options.folder + "/" + name, bytes);
    rows.push_back({{"file", name},
                    {"documents", shard.documents()},
                    {"tokens", shard.tokens()},
                    {"text_bytes", shard.text_bytes()},
                    {"checksum", fmt::format("{:016x}", checksum)},
                    {"next", next}});
    write_file(path, manifest.dump(1) + "\n");
    shard = ShardBuilder(options);
  };
  for (std::vector<Encoded> batch; !(batch = next_batch(documents, encode, options.threads)).empty();)
    for (const Encoded& one : batch) {
      for (const int32_t token : one.tokens)
        require(token >= 0 && token < options.vocabulary,
                "[shard] {}:{}: expected tokens below {}, the encoder gave {}", one.document.file, one.document.line,
                options.vocabulary, token);
      if (!one.tokens.empty()) shard.add(one.document, one.tokens);
      if (shard.tokens() >= options.shard_tokens) finish_shard(one.next);
      if (options.progress) options.progress(one.bytes_done, documents.bytes_total());
    }
  if (shard.documents() > 0) finish_shard(documents.position());
  require(!rows.empty(), "[shard] expected at least one document for {}, got none: {}", options.folder,
          documents.report().dump());
  manifest["report"] = documents.report();
  manifest["complete"] = true;
  write_file(path, manifest.dump(1) + "\n");
  return manifest;
}

}  // namespace fude
