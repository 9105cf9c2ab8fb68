#include "data/shard.h"

#include <atomic>

#include "base/json.h"
#include "data/shard_format.h"
#include "data/shard_writer.h"
#include "tests/data/corpus.h"

namespace fude {
namespace {

std::span<const std::byte> bytes_of(const std::string& text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

std::string write_corpus(const TemporaryFolder& folder, int documents) {
  Random random{.seed = 11};
  std::string lines;
  for (int i = 0; i < documents; ++i)
    lines += Json{{"text", random_text(random, 40)}, {"lang", i % 3 ? "en" : "ja"}}.dump() + (i % 7 ? "\n" : "\nbad\n");
  write_file(folder / "corpus.jsonl.xz", xz(lines));
  return folder / "corpus.jsonl.xz";
}

ShardOptions options_for(const std::string& folder) {
  return {.folder = folder,
          .vocabulary = kByteVocabulary,
          .tokenizer_hash = hash_hex("bytes"),
          .shard_tokens = 300,
          .progress = {}};
}

std::map<std::string, std::string> contents(const std::string& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    files[entry.path().filename().string()] = read_file(entry.path().string());
  return files;
}

// Reads everything a shard can be asked for.
void read_everything(const Shard& shard) {
  for (int64_t i = 0; i < shard.info().documents; ++i) {
    shard.document(i).to_vector();
    shard.text_bytes(i);
    shard.language(i);
  }
}

TEST(Shard, RoundTrip) {
  const TemporaryFolder folder;
  const std::string corpus = write_corpus(folder, 100);
  for (const int64_t vocabulary : {int64_t(257), int64_t(65536), int64_t(65537), int64_t(INT32_MAX)}) {
    const int32_t shift = int32_t(vocabulary - 257);  // up to the last token
    ShardOptions options = options_for(folder / std::to_string(vocabulary));
    options.vocabulary = vocabulary;
    uint64_t seen = 0, total = 0;
    options.progress = [&](uint64_t done, uint64_t of) {
      EXPECT_GE(done, seen);
      seen = done;
      total = of;
    };
    const DocumentOptions skip{.on_bad_input = OnBadInput::skip};
    DocumentStream documents({corpus}, skip);
    const auto encode = [&](std::string_view text, std::vector<int32_t>& out) {
      for (const char c : text) out.push_back(shift + static_cast<unsigned char>(c) + 1);
    };
    const Json manifest = write_shards(documents, encode, options);
    EXPECT_EQ(manifest["report"]["skipped"]["not valid JSON"], 15);
    EXPECT_EQ(seen, total);
    EXPECT_EQ(total, file_size(corpus));

    const ShardSet set(options.folder);
    EXPECT_GT(manifest["shards"].size(), 3u);
    ASSERT_EQ(set.documents(), 100);
    DocumentStream again({corpus}, skip);
    int64_t text_bytes = 0;
    for (int64_t i = 0; const auto document = again.next(); ++i) {
      std::vector<int32_t> expected;
      encode(document->text, expected);
      EXPECT_EQ(set.document(i).to_vector(), expected);
      EXPECT_EQ(set.text_bytes(i), int64_t(document->text.size()));
      EXPECT_EQ(set.language(i), document->language);
      text_bytes += int64_t(document->text.size());
    }
    EXPECT_EQ(set.info().text_bytes, text_bytes);
    EXPECT_EQ(set.info().tokens, text_bytes);
    EXPECT_THROW(set.document(100), Error);
    EXPECT_THROW(set.document(-1), Error);
    EXPECT_THROW(set.document(0).copy(0, 1000, nullptr), Error);
  }
}

TEST(Shard, AnyChangedByteAndAnyLengthIsRefused) {
  const TemporaryFolder folder;
  make_set(folder / "set", {"some", "short", "documents"}, 1000);
  const std::string whole = read_file(folder / "set/00000.shard");
  EXPECT_NO_THROW(read_everything(Shard(bytes_of(whole), "whole")));
  for (size_t at = 0; at < whole.size(); ++at)
    for (const int flip : {1, 0x80, 0xff}) {
      std::string damaged = whole;
      damaged[at] = char(damaged[at] ^ flip);
      EXPECT_THROW(Shard(bytes_of(damaged), "damaged"), Error) << at;
    }
  for (size_t size = 0; size < whole.size(); ++size) EXPECT_THROW(Shard(bytes_of(whole.substr(0, size)), "cut"), Error);
  EXPECT_THROW(Shard(bytes_of(whole + "12345678"), "longer"), Error);
}

// With checksums made right again, what is left must be refused for its structure, or be readable without harm.
TEST(Shard, SealedDamageIsRefusedOrHarmless) {
  const TemporaryFolder folder;
  make_set(folder / "set", {"some", "short", "documents"}, 1000);
  const std::string whole = read_file(folder / "set/00000.shard");
  int refused = 0;
  for (size_t at = 0; at + 8 < whole.size(); ++at)
    for (const int value : {0, 1, 2, 4, 0x7f, 0x80, 0xff}) {
      std::string damaged = whole;
      damaged[at] = char(value);
      seal_shard(damaged);
      refused += message_of([&] { read_everything(Shard(bytes_of(damaged), "damaged")); }) != "(no error)";
    }
  EXPECT_GT(refused, 500);
  // A checksum of the tokens is not checked where only the structure is; a token outside the vocabulary still is.
  std::string damaged = whole;
  damaged[sizeof(ShardHeader) + 1] = char(0xff);
  EXPECT_THROW(Shard(bytes_of(damaged), "damaged"), Error);
  const Shard shard(bytes_of(damaged), "damaged", ShardCheck::structure);
  EXPECT_THROW(shard.document(0).to_vector(), Error);
}

TEST(Shard, KilledAnywhereAndRunAgainGivesTheSameBytes) {
  const TemporaryFolder folder;
  const std::string corpus = write_corpus(folder, 200);
  const DocumentOptions skip{.on_bad_input = OnBadInput::skip};
  DocumentStream documents({corpus}, skip);
  write_shards(documents, encode_bytes, options_for(folder / "whole"));
  const auto expected = contents(folder / "whole");

  struct Killed {};
  Random random{.seed = 17};
  for (int round = 0; round < 14; ++round) {
    const std::string target = folder / ("round" + std::to_string(round));
    int kills = 0;
    for (bool done = false; !done;) {
      DocumentStream source({corpus}, skip);
      ShardOptions options = options_for(target);
      options.threads = round < 10 ? 1 : 3;
      int64_t left = int64_t(random.below(120));
      std::atomic<int64_t> encoded = 0;
      options.progress = [&](uint64_t, uint64_t) {
        if (left-- == 0) throw Killed();
      };
      const auto encode = [&](std::string_view text, std::vector<int32_t>& out) {
        ++encoded;
        encode_bytes(text, out);
      };
      try {
        write_shards(source, encode, options);
        done = true;
      } catch (const Killed&) {
        ++kills;
        EXPECT_THROW(ShardSet{target}, Error);
        // What a kill -9 leaves besides: a half-written file, and a shard that the list does not have yet.
        write_file(target + "/shards.json.partial", "{\"for");
        if (kills % 2) {
          const Json list =
              file_exists(target + "/shards.json") ? parse_json(read_file(target + "/shards.json"), "list") : Json();
          const size_t next = list.is_null() ? 0 : list["shards"].size();
          write_file(target + fmt::format("/{:05}.shard", next), "half");
        }
      }
      if (kills > 2 && done && options.threads == 1) { EXPECT_LT(encoded, 200); }
    }
    auto found = contents(target);
    found.erase("shards.json.partial");
    EXPECT_EQ(found, expected);
  }
}

TEST(Shard, OtherWorkInTheFolderIsRefused) {
  const TemporaryFolder folder;
  const std::string corpus = write_corpus(folder, 30);
  const DocumentOptions skip{.on_bad_input = OnBadInput::skip};
  DocumentStream documents({corpus}, skip);
  make_directories(folder / "set");
  {
    const FolderLock other(folder / "set");
    EXPECT_NE(
        message_of([&] { write_shards(documents, encode_bytes, options_for(folder / "set")); }).find("another process"),
        std::string::npos);
  }
  write_shards(documents, encode_bytes, options_for(folder / "set"));
  DocumentStream again({corpus}, skip);
  EXPECT_NO_THROW(write_shards(again, encode_bytes, options_for(folder / "set")));
  DocumentStream strict({corpus});
  EXPECT_THROW(write_shards(strict, encode_bytes, options_for(folder / "set")), Error);
  ShardOptions other = options_for(folder / "set");
  other.tokenizer_hash = hash_hex("words");
  EXPECT_THROW(write_shards(again, encode_bytes, other), Error);
  other.tokenizer_hash = "words";
  EXPECT_THROW(write_shards(again, encode_bytes, other), Error);

  make_set(folder / "other", {"text"});
  std::filesystem::copy_file(folder / "other/00000.shard", folder / "set/00001.shard",
                             std::filesystem::copy_options::overwrite_existing);
  EXPECT_THROW(ShardSet(folder / "set"), Error);
  EXPECT_THROW(ShardSet(folder / "missing"), Error);
}

TEST(Shard, OtherWorkInTheFolderIsReplacedIfItMayBe) {
  const TemporaryFolder folder;
  const std::string corpus = write_corpus(folder, 30);
  const DocumentOptions skip{.on_bad_input = OnBadInput::skip};
  DocumentStream documents({corpus}, skip);
  const Json settings = {{"row_tokens", 64}}, others = {{"row_tokens", 32}};
  ShardOptions options = options_for(folder / "set");
  options.settings = &settings;
  write_shards(documents, encode_bytes, options);
  options.settings = &others, options.tokenizer_hash = hash_hex("others");
  DocumentStream again({corpus}, skip);
  const std::string message = message_of([&] { write_shards(again, encode_bytes, options); });
  EXPECT_NE(message.find("'settings.row_tokens' was 64, now it is 32"), std::string::npos) << message;
  options.replaces_others = true, options.shard_tokens = 1 << 20;
  write_shards(again, encode_bytes, options);
  EXPECT_EQ(ShardSet(folder / "set").documents(), 30);
  EXPECT_FALSE(file_exists(folder / "set/00001.shard"));
}

TEST(Shard, ADocumentWithoutTokensIsLeftOut) {
  const TemporaryFolder folder;
  write_file(folder / "text.jsonl", "{\"text\": \"a\"}\n{\"text\": \"no\"}\n{\"text\": \"b\"}\n{\"text\": \"no\"}\n");
  DocumentStream documents({folder / "text.jsonl"});
  const auto encode = [](std::string_view text, std::vector<int32_t>& out) {
    if (text != "no") encode_bytes(text, out);
  };
  write_shards(documents, encode, options_for(folder / "set"));
  EXPECT_EQ(ShardSet(folder / "set").documents(), 2);
}

// A source whose filter let nothing through.
struct NoDocuments : DocumentSource {
  std::optional<Document> next() override { return std::nullopt; }
  Json position() const override { return {}; }
  void seek(const Json&) override {}
  std::string identity() const override { return "nothing"; }
  Json report() const override { return {{"filtered", 7}}; }
  uint64_t bytes_done() const override { return 0; }
  uint64_t bytes_total() const override { return 0; }
};

TEST(Shard, NoDocumentsAreAnError) {
  const TemporaryFolder folder;
  NoDocuments none;
  const std::string message = message_of([&] { write_shards(none, encode_bytes, options_for(folder / "set")); });
  EXPECT_NE(message.find("\"filtered\":7"), std::string::npos) << message;
}

TEST(Shard, AnEncoderOutsideTheVocabularyIsRefused) {
  const TemporaryFolder folder;
  DocumentStream documents({write_corpus(folder, 3)}, {.on_bad_input = OnBadInput::skip});
  const auto encode = [](std::string_view, std::vector<int32_t>& out) { out.push_back(257); };
  EXPECT_THROW(write_shards(documents, encode, options_for(folder / "set")), Error);
}

}  // namespace
}  // namespace fude
