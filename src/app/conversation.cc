#include "app/conversation.h"

#include "app/signals.h"
#include "base/error.h"
#include "infer/stop.h"

namespace fude {

std::string chat_template() {
  return "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}{% endfor %}"
         "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}";
}

ChatFormat::ChatFormat(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {
  const auto marker = [&](const char* content) {
    const auto id = tokenizer_.find_special(content);
    require(id.has_value(),
            "[chat] the model's tokenizer has no token {}: it was not trained to chat; use `fude generate` for plain text", content);
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

Answer answer(Generator& generator, const Tokenizer& tokenizer, const std::vector<TokenId>& prompt,
              const GenerationOptions& options, const std::vector<std::string>& stop_strings,
              const std::function<void(const std::string&)>& on_text) {
  TextStream stream(tokenizer);
  StopMatcher stop(stop_strings);
  Answer result;
  const auto give = [&](const std::string& text) {
    result.text += text;
    if (!text.empty()) on_text(text);
  };
  result.reason = generator.generate(
      prompt, options,
      [&](const SampledToken& token) {
        result.tokens.push_back(token.token);
        give(stop.add(stream.add(token.token)));
        return !stop.matched();
      },
      &interrupted);
  give(stop.add(stream.flush()));
  give(stop.flush());
  return result;
}

}  // namespace fude
