#include "posttrain/chat_example.h"

#include <algorithm>
#include <optional>

#include "base/error.h"

namespace fude {
namespace {

std::string text_of(const std::vector<TextPiece>& pieces) {
  std::string text;
  for (const TextPiece& piece : pieces) text += piece.text;
  return text;
}

// What stands behind the first `bytes` of them.
std::vector<TextPiece> behind(const std::vector<TextPiece>& pieces, size_t bytes) {
  std::vector<TextPiece> rest;
  for (const TextPiece& piece : pieces) {
    if (bytes < piece.text.size()) rest.push_back({piece.text.substr(bytes), piece.is_trusted});
    bytes -= std::min(bytes, piece.text.size());
  }
  return rest;
}

// The tokens before a turn and those of the turn, up to its end.
struct TurnTokens {
  std::vector<int32_t> before, turn;
  bool has_end = false;
};

class Renderer {
 public:
  Renderer(const Chat& chat, const TrainingConversation& conversation, const ExampleOptions& options)
      : chat_(chat), tools_(conversation.tools), messages_(conversation.messages) {
    const bool knows_thoughts = chat.source().find("reasoning_content") != std::string::npos;
    for (Json& message : messages_) {
      const auto thought = message.find("reasoning_content");
      if (thought == message.end()) continue;
      if (options.with_thoughts && !knows_thoughts)
        message["content"] = fmt::format("{}\n{}\n{}\n\n{}", kThinkOpen, thought->get<std::string>(), kThinkClose,
                                         message["content"].get<std::string>());
      if (!options.with_thoughts || !knows_thoughts) message.erase("reasoning_content");
    }
  }

  size_t size() const { return messages_.size(); }
  const Json& message(size_t i) const { return messages_[i]; }

  std::vector<TextPiece> first(size_t count, bool add_generation_prompt) const {
    if (count == 0 && !add_generation_prompt) return {};
    const Json some(messages_.begin(), messages_.begin() + int64_t(count));
    return chat_.render(some, {.tools = tools_, .add_generation_prompt = add_generation_prompt});
  }
  std::vector<int32_t> whole() const { return chat_.tokenizer().encode(first(size(), false)); }

  // Nothing where the turn does not continue its prompt.
  std::optional<TurnTokens> turn(size_t i) const {
    const bool is_assistant = messages_[i]["role"] == "assistant";
    const std::vector<TextPiece> before = first(i, is_assistant), with = first(i + 1, false);
    const std::string text_before = text_of(before);
    if (!text_of(with).starts_with(text_before)) return {};
    TurnTokens tokens{chat_.tokenizer().encode(before), chat_.tokenizer().encode(behind(with, text_before.size()))};
    const auto is_stop = [&](int32_t token) { return std::ranges::find(chat_.stops(), token) != chat_.stops().end(); };
    const auto last = std::find_if(tokens.turn.rbegin(), tokens.turn.rend(), is_stop);
    tokens.has_end = last != tokens.turn.rend();
    if (is_assistant && tokens.has_end) tokens.turn.erase(last.base(), tokens.turn.end());
    return tokens;
  }

 private:
  const Chat& chat_;
  const Json& tools_;
  Json messages_;
};

bool begins_with(const std::vector<int32_t>& all, const TurnTokens& part) {
  return all.size() >= part.before.size() + part.turn.size() &&
         std::equal(part.before.begin(), part.before.end(), all.begin()) &&
         std::equal(part.turn.begin(), part.turn.end(), all.begin() + int64_t(part.before.size()));
}

}  // namespace

ChatExample make_example(const Chat& chat, const TrainingConversation& conversation, const ExampleOptions& options,
                         std::string_view where, ExampleCounts& counts) try {
  ++counts.conversations;
  const Renderer renderer(chat, conversation, options);
  const auto may_learn = [&](size_t i) {
    return conversation.is_weighted[i] && options.learned_roles.contains(renderer.message(i)["role"]);
  };
  ChatExample example;
  // The last learned turn decides how the text before it is encoded; what comes behind that turn is of no use.
  size_t last = renderer.size();
  while (last > 0 && !may_learn(last - 1)) --last;
  if (last == 0) return example;
  const std::optional<TurnTokens> end = renderer.turn(last - 1);
  if (end) {
    example.tokens = end->before;
    example.tokens.insert(example.tokens.end(), end->turn.begin(), end->turn.end());
  } else {
    example.tokens = renderer.whole();
  }
  example.is_learned.assign(example.tokens.size(), false);
  for (size_t i = 0; i < last; ++i) {
    if (!may_learn(i)) continue;
    const std::optional<TurnTokens> turn = i + 1 == last ? end : renderer.turn(i);
    if (!turn || !begins_with(example.tokens, *turn)) {
      ++counts.changed_turns;
      continue;
    }
    ++counts.turns;
    if (!turn->has_end) ++counts.without_end;
    const auto from = example.is_learned.begin() + int64_t(turn->before.size());
    std::fill(from, from + int64_t(turn->turn.size()), true);
  }
  return example;
} catch (const Error& error) { fail("[{}] {}", where, error.what()); }

}  // namespace fude
