#include "infer/answer.h"

#include "infer/stop.h"
#include "text/text_stream.h"

namespace fude {

Answer answer(Generator& generator, const Tokenizer& tokenizer, const std::vector<TokenId>& prompt,
              const GenerationOptions& options, const AnswerEvents& events,
              const std::vector<std::string>& stop_strings, const std::atomic<bool>* cancel) {
  TextStream stream(tokenizer);
  StopMatcher stop(stop_strings);
  Answer result;
  const auto give = [&](const std::string& text) {
    result.text += text;
    if (!text.empty() && events.text) events.text(text);
  };
  const auto on_token = [&](const SampledToken& token) {
    result.tokens.push_back(token.token);
    if (events.token) events.token(token);
    give(stop.add(stream.add(token.token)));
    return !stop.matched();
  };
  result.reason = generator.generate(prompt, options, on_token, cancel);
  give(stop.add(stream.flush()));
  give(stop.flush());
  return result;
}

}  // namespace fude
