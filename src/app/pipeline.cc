#include "app/pipeline.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "data/identity.h"
#include "data/shard_writer.h"
#include "fetch/pull.h"
#include "infer/model_files.h"
#include "model/folder.h"
#include "posttrain/conversation.h"
#include "text/bpe_train.h"
#include "text/chat_format.h"
#include "text/tokenizer_file.h"

namespace fude {
namespace {

// All that is said and thought in a conversation.
std::string words_of(const Document& document) {
  const std::string where = fmt::format("{}:{}", document.file, document.line);
  std::string words;
  for (const Json& message : parse_conversation(document.text, where).messages)
    for (const char* key : {"reasoning_content", "content"})
      if (message.contains(key)) words += message[key].get<std::string>() + "\n";
  return words;
}

// Of a tokenizer's own files, or of a model.
Tokenizer tokenizer_at(const std::string& path) {
  const std::string place = find_model(path);
  const bool is_own = std::filesystem::is_directory(place) || place.ends_with(".json") || place.ends_with(".model") ||
                      place.ends_with(".tiktoken");
  return is_own ? Tokenizer::load(place) : open_model(place).tokenizer;
}

constexpr const char* kTokenizerSettings = "/tokenizer_settings.json";

// All that decides which tokenizer comes out.
Json deciding_settings(const TokenizerSettings& s, const DocumentStream& documents) {
  return {{"vocabulary", s.vocabulary},
          {"pattern", pattern_called(s.pattern)},
          {"chats", s.chats},
          {"corpus", documents.identity()}};
}

// Shards and models were made with a tokenizer that is there.
void require_same_tokenizer(const std::string& folder, const Json& settings) {
  if (!file_exists(folder + "/tokenizer.json") && !file_exists(folder + "/tokenizer.model")) return;
  const std::string path = folder + kTokenizerSettings;
  require(file_exists(path), "[tokenizer] {} holds a tokenizer already; choose another --out", folder);
  const std::string changed = differences(parse_json(read_file(path), path), settings);
  require(changed.empty(),
          "[tokenizer] {} holds a tokenizer of other settings: {}; choose another --out, or the old settings", folder,
          changed);
}

Json skipped_json(const DocumentCounts& counts) {
  Json skipped = Json::object();
  for (const auto& [reason, count] : counts.skipped) skipped[reason] = count;
  return skipped;
}

}  // namespace

void print_as_json(const Json& json) {
  std::printf("%s\n", json.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
  std::fflush(stdout);
}

Json token_facts(const Tokenizer& tokenizer, TokenId token) {
  // A model may have more rows than its tokenizer has tokens.
  const std::string_view own = tokenizer.has(token) ? tokenizer.bytes_of(token) : std::string_view();
  Json bytes = Json::array();
  for (const char byte : own) bytes.push_back(int(static_cast<unsigned char>(byte)));
  return {{"token", token}, {"text", own.empty() ? "" : tokenizer.decode({&token, 1})}, {"bytes", std::move(bytes)}};
}

Json written_model(const std::string& path) {
  uint64_t bytes = 0;
  for (const std::string& file : path.ends_with(".gguf") ? std::vector<std::string>{path} : weight_files(path))
    bytes += file_size(file);
  return {{"path", path}, {"bytes", bytes}};
}

void print_skipped(const DocumentCounts& counts) {
  for (const auto& [reason, count] : counts.skipped)
    std::fprintf(stderr, "skipped %lld: %s\n", (long long)count, reason.c_str());
}

Progress progress_on_stderr() { return Progress(stderr, ::isatty(STDERR_FILENO) != 0); }

std::vector<std::string> own_special_tokens() {
  return {kEndOfText, kUser, kAssistant, kEnd, kSystem, kThinkOpen, kThinkClose};
}

Json train_tokenizer(const TokenizerSettings& settings, int threads) {
  DocumentOptions reading = settings.documents;
  if (settings.chats) reading.text_field.clear();
  DocumentStream documents(settings.inputs, reading);
  const Json deciding = deciding_settings(settings, documents);
  require_same_tokenizer(settings.out, deciding);
  BpeTrainOptions options;
  options.vocabulary_size = settings.vocabulary;
  options.special_tokens = own_special_tokens();
  options.steps = {{SplitStep::Kind::pattern, pattern_called(settings.pattern)}};
  options.threads = threads_of(threads);
  Progress progress = progress_on_stderr();
  const double began = now_seconds();
  ProgressState state{.label = "tokenizer", .unit = "entries"};
  auto result = train_bpe(
      options,
      [&](std::string& text) {
        auto document = documents.next();
        if (!document) return false;
        text = settings.chats ? words_of(*document) : std::move(document->text);
        return true;
      },
      [&](const BpeTrainProgress& now) {
        state.done = now.entries, state.total = now.entries == 0 ? 0 : settings.vocabulary;
        state.seconds = now_seconds() - began;
        progress.update(state, now_seconds());
      });
  state.done = state.total = int64_t(result.tokenizer.vocabulary.tokens.size());
  state.seconds = now_seconds() - began;
  progress.finish(state);
  if (state.done < settings.vocabulary)
    std::fprintf(stderr, "the text is too small for more than %lld entries\n", (long long)state.done);
  if (result.pruned_pieces > 0)
    std::fprintf(stderr, "the memory limit dropped %llu rare pieces (seen up to %llu times)\n",
                 (unsigned long long)result.pruned_pieces, (unsigned long long)result.pruned_below);
  // As other models have them: to be seen in an answer's text.
  for (AddedToken& token : result.tokenizer.added)
    if (token.content == kThinkOpen || token.content == kThinkClose) token.special = false;
  make_directories(settings.out);
  write_file(settings.out + kTokenizerSettings, deciding.dump(1) + "\n");  // first: it may be killed in between
  save_tokenizer(settings.out, result.tokenizer, kEndOfText, chat_template());
  if (!settings.ranks.empty() && !save_ranks(settings.ranks, result.tokenizer))
    std::fprintf(stderr, "%s does not tell all merges: what reads it may cut some texts in another way\n",
                 settings.ranks.c_str());
  const DocumentCounts& counts = documents.counts();
  print_skipped(counts);
  return {{"path", settings.out},       {"vocabulary", state.done},        {"documents", counts.documents},
          {"bytes", counts.text_bytes}, {"skipped", skipped_json(counts)}, {"dropped_pieces", result.pruned_pieces}};
}

Json make_shards(const ShardSettings& settings, int threads) {
  const Tokenizer tokenizer = tokenizer_at(settings.tokenizer);
  DocumentStream documents(settings.inputs, settings.documents);
  Progress progress = progress_on_stderr();
  const double began = now_seconds();
  ProgressState state{.label = "shards", .unit = "bytes"};
  bool is_complete = true;  // before anything was done
  ShardOptions options{.folder = settings.out,
                       .vocabulary = tokenizer.vocabulary_size(),
                       .tokenizer_hash = tokenizer.hash(),
                       .shard_tokens = settings.shard_tokens,
                       .threads = threads_of(threads),
                       .progress = [&](uint64_t done, uint64_t total) {
                         is_complete = false;
                         state.done = int64_t(done), state.total = int64_t(total),
                         state.seconds = now_seconds() - began;
                         progress.update(state, now_seconds());
                       }};
  const SpecialTokens special = settings.special_tokens ? SpecialTokens::recognised : SpecialTokens::as_text;
  const Json made = write_shards(
      documents, [&](std::string_view text, std::vector<int32_t>& out) { tokenizer.encode_into(text, out, special); },
      options);
  if (!is_complete) progress.finish(state);
  int64_t document_count = 0, tokens = 0;
  for (const Json& shard : made["shards"]) {
    document_count += json_integer(shard, "documents", settings.out);
    tokens += json_integer(shard, "tokens", settings.out);
  }
  std::fprintf(stderr, "%s: %lld documents, %lld tokens%s\n", settings.out.c_str(), (long long)document_count,
               (long long)tokens, is_complete ? ", complete already" : "");
  const DocumentCounts& counts = documents.counts();
  print_skipped(counts);
  return {{"path", settings.out},
          {"documents", document_count},
          {"tokens", tokens},
          {"vocabulary", tokenizer.vocabulary_size()},
          {"was_complete", is_complete},
          {"skipped", skipped_json(counts)}};
}

}  // namespace fude
