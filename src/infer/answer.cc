#include "infer/answer.h"

#include <utility>

#include "infer/stop.h"
#include "text/text_stream.h"

namespace fude {

Answer answer(Engine& engine, const Tokenizer& tokenizer, Request request, const AnswerEvents& events,
              const std::vector<std::string>& stop_strings, const std::atomic<bool>* cancel) {
  TextStream stream(tokenizer);
  StopMatcher stop(stop_strings);
  Answer result;
  const auto give = [&](const std::string& text) {
    result.text += text;
    if (!text.empty() && events.text) events.text(text);
  };
  const auto on_token = [&](const AnswerToken& token) {
    result.tokens.push_back(token.sampled.token);
    if (events.token) events.token(token.sampled);
    give(stop.add(stream.add(token.sampled.token)));
    return !stop.matched();
  };
  result.reason = generate(engine, std::move(request), on_token, cancel).reason;
  give(stop.add(stream.flush()));
  give(stop.flush());
  if (stop.matched()) result.reason = FinishReason::stop;
  return result;
}

}  // namespace fude
