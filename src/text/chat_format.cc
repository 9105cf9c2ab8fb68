#include "text/chat_format.h"

#include "base/error.h"

namespace fude {

std::string chat_template() {
  return "{% for message in messages %}{{ '<|' + message['role'] + '|>' }}"
         "{% if message['reasoning_content'] %}{{ '<think>' + message['reasoning_content'] + '</think>' }}{% endif %}"
         "{{ message['content'] + '<|end|>' }}{% endfor %}"
         "{% if add_generation_prompt %}{{ '<|assistant|>' }}"
         "{% if enable_thinking is defined and not enable_thinking %}{{ '<think></think>' }}{% endif %}{% endif %}";
}

bool ChatFormat::is_in(const Tokenizer& tokenizer) {
  return tokenizer.find_special(kUser) && tokenizer.find_special(kAssistant) && tokenizer.find_special(kEnd);
}

ChatFormat::ChatFormat(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {
  const auto marker = [&](const char* content) {
    const auto id = tokenizer_.find_special(content);
    require(id.has_value(),
            "[chat] the model's tokenizer has no token {}: it was not trained to chat; use `fude generate` "
            "for plain text",
            content);
    return *id;
  };
  user_ = marker(kUser), assistant_ = marker(kAssistant), end_ = marker(kEnd);
  stops_ = {end_, user_};
  if (const auto id = tokenizer_.find_special(kEndOfText)) stops_.push_back(*id);
}

std::vector<TokenId> ChatFormat::user_turn(const std::string& text) const {
  std::vector<TokenId> tokens = {user_};
  tokenizer_.encode_into(text, tokens);
  tokens.push_back(end_);
  tokens.push_back(assistant_);
  return tokens;
}

}  // namespace fude
