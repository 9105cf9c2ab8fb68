#include "app/chat_shards.h"

#include <cstdio>

#include <fmt/ranges.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"

namespace fude {
namespace {

// Remembers where the last document came from, for errors; says when there is no other.
class Placed final : public DocumentSource {
 public:
  explicit Placed(DocumentSource& documents) : documents_(documents) {}
  std::optional<Document> next() override {
    auto document = documents_.next();
    if (document)
      place = fmt::format("{}:{}", document->file, document->line);
    else
      at_end();
    return document;
  }
  Json position() const override { return documents_.position(); }
  void seek(const Json& position) override {
    goes_on = true;
    documents_.seek(position);
  }
  std::string identity() const override { return documents_.identity(); }
  Json report() const override { return documents_.report(); }
  uint64_t bytes_done() const override { return documents_.bytes_done(); }
  uint64_t bytes_total() const override { return documents_.bytes_total(); }

  std::string place;
  std::function<void()> at_end;
  bool goes_on = false;  // where an earlier run stopped, which found documents

 private:
  DocumentSource& documents_;
};

// All that decides the tokens of a conversation.
Json settings_of_chats(const Chat& chat, const ChatShardSettings& s) {
  return {{"tokenizer", chat.tokenizer().hash()},
          {"template", hash_hex(chat.source())},
          {"row_tokens", s.row_tokens},
          {"roles", s.example.learned_roles},
          {"with_thoughts", s.example.with_thoughts}};
}

}  // namespace

ChatShards make_chat_shards(const Chat& chat, const ChatShardSettings& settings) {
  require(chat.can_chat(), "[sft] the model has no chat template: it cannot be told how a conversation is written");
  DocumentOptions reading = settings.documents;
  reading.text_field.clear();
  DocumentStream stream(settings.inputs, reading);
  Placed documents(stream);
  const auto vocabulary = int32_t(chat.tokenizer().vocabulary_size());
  ExampleCounts counts;
  int64_t cut = 0, empty = 0, learned = 0;
  const auto encode = [&](std::string_view line, std::vector<int32_t>& out) {
    const TrainingConversation conversation = parse_conversation(line, documents.place);
    ChatExample example = make_example(chat, conversation, settings.example, documents.place, counts);
    // One place is the end mark's.
    if (const auto room = size_t(settings.row_tokens - 1); example.tokens.size() > room) {
      ++cut;
      example.tokens.resize(room), example.is_learned.resize(room);
    }
    learned += example.learned();
    if (example.learned() == 0) return void(++empty);
    for (size_t i = 0; i < example.tokens.size(); ++i)
      out.push_back(example.tokens[i] + (example.is_learned[i] ? 0 : vocabulary));
  };
  // Before anything is written.
  documents.at_end = [&] {
    require(documents.goes_on || learned > 0, "[sft] no conversation of {} has a turn of {} that can be learned",
            fmt::join(settings.inputs, ", "), fmt::join(settings.example.learned_roles, " or "));
  };
  Progress progress = progress_on_stderr();
  const double began = now_seconds();
  ProgressState state{.label = "chats", .unit = "bytes"};
  const Json deciding = settings_of_chats(chat, settings);
  const std::string made_with = hash_hex(deciding.dump());
  const Json made = write_shards(documents, encode,
                                 {.folder = settings.out,
                                  .vocabulary = 2 * int64_t(vocabulary),
                                  .tokenizer_hash = made_with,
                                  .settings = &deciding,
                                  .replaces_others = settings.replaces_others,
                                  .progress = [&](uint64_t done, uint64_t total) {
                                    state.done = int64_t(done), state.total = int64_t(total);
                                    state.seconds = now_seconds() - began;
                                    progress.update(state, now_seconds());
                                  }});
  if (state.total > 0) progress.finish(state);
  ChatShards result{made_with};
  for (const Json& shard : made["shards"]) {
    result.conversations += json_integer(shard, "documents", settings.out);
    result.tokens += json_integer(shard, "tokens", settings.out);
  }
  std::fprintf(stderr, "%s: %lld conversations, %lld tokens", settings.out.c_str(), (long long)result.conversations,
               (long long)result.tokens);
  if (counts.conversations > 0)
    std::fprintf(stderr, ", %lld %s learned in %lld turns", (long long)learned,
                 documents.goes_on ? "of those read now" : "of them", (long long)counts.turns);
  std::fprintf(stderr, "\n");
  const auto warn = [](int64_t count, const char* what) {
    if (count > 0) std::fprintf(stderr, "%lld %s\n", (long long)count, what);
  };
  warn(cut, "conversations were longer than --row-tokens and cut");
  warn(empty, "conversations have nothing to learn and were left out");
  warn(counts.changed_turns,
       "turns are not learned: the chat template changes them once they are history; a file with one conversation for "
       "each of them would teach them too");
  warn(counts.without_end, "turns have no token behind them that ends a turn: the model will not learn to stop there");
  print_skipped(stream.counts());
  return result;
}

}  // namespace fude
