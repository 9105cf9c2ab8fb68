#include "text/chat.h"

#include <algorithm>

#include "base/error.h"
#include "text/tokenizer_file.h"

namespace fude {
namespace {

void put_once(std::vector<TokenId>& tokens, TokenId token) {
  if (std::ranges::find(tokens, token) == tokens.end()) tokens.push_back(token);
}

std::string_view without_blank_ends(std::string_view text) {
  const size_t first = text.find_first_not_of(" \n");
  return first == text.npos ? std::string_view() : text.substr(first, text.find_last_not_of(" \n") + 1 - first);
}

}  // namespace

Chat::Chat(Tokenizer tokenizer, TemplateLimits limits) : tokenizer_(std::move(tokenizer)) {
  const TokenizerData& data = tokenizer_.data();
  const bool is_own = ChatFormat::is_in(tokenizer_);
  if (is_own) stops_ = ChatFormat(tokenizer_).stops();
  for (const TokenId token : data.end_tokens) put_once(stops_, token);
  if (const auto end = tokenizer_.find_special(kEndOfText)) put_once(stops_, *end);
  source_ = !data.chat_template.empty() ? data.chat_template : is_own ? chat_template() : "";
  if (source_.empty()) return;
  template_.emplace(source_, limits);
  may_think_ = source_.find(kThinkClose) != std::string::npos ||
               std::ranges::any_of(data.added, [](const AddedToken& token) { return token.content == kThinkOpen; });
}

std::vector<TextPiece> Chat::render(const Json& messages, const ChatRendering& rendering) const {
  require(can_chat(), "[chat] the model has no chat template: it was not trained to chat");
  const TokenizerData& data = tokenizer_.data();
  const auto spelled = [&](TokenId id) { return std::string(id < 0 ? std::string_view() : tokenizer_.bytes_of(id)); };
  Conversation conversation{.messages = messages,
                            .tools = rendering.tools,
                            .add_generation_prompt = rendering.add_generation_prompt,
                            .bos_token = spelled(data.begin_token),
                            .eos_token = data.end_tokens.empty() ? "" : spelled(data.end_tokens.front())};
  if (rendering.enable_thinking) conversation.more["enable_thinking"] = *rendering.enable_thinking;
  return template_->render_pieces(template_variables(conversation));
}

std::vector<TokenId> Chat::question(const std::string& text, std::optional<bool> enable_thinking) const {
  return tokens(Json::array({{{"role", "user"}, {"content", text}}}), {.enable_thinking = enable_thinking});
}

bool Chat::opens_thought(const std::vector<TextPiece>& prompt) const {
  return may_think_ && !prompt.empty() && prompt.back().is_trusted &&
         without_blank_ends(prompt.back().text).ends_with(kThinkOpen);
}

bool Chat::opens_thought(const std::vector<TokenId>& prompt) const {
  constexpr size_t kMostTokens = 32;  // of the marker and the space behind it
  const std::vector<TokenId> end(prompt.end() - int64_t(std::min(prompt.size(), kMostTokens)), prompt.end());
  return may_think_ && without_blank_ends(tokenizer_.decode(end)).ends_with(kThinkOpen);
}

ThoughtAndAnswer split_thought(std::string_view text, bool begins_in_thought) {
  size_t begin = 0;
  if (!begins_in_thought) {
    begin = text.find_first_not_of(" \n");
    if (begin == text.npos || !text.substr(begin).starts_with(kThinkOpen)) return {{}, text};
    begin += std::string_view(kThinkOpen).size();
  }
  const size_t end = text.find(kThinkClose, begin);
  if (end == text.npos) return {without_blank_ends(text.substr(begin)), {}, true};
  return {without_blank_ends(text.substr(begin, end - begin)),
          without_blank_ends(text.substr(end + std::string_view(kThinkClose).size()))};
}

}  // namespace fude
