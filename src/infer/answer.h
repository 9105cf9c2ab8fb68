// An answer as text: tokens in, whole characters out as they come, ended by stop strings.
#pragma once

#include <string>
#include <vector>

#include "infer/generator.h"
#include "text/tokenizer.h"

namespace fude {

struct Answer {
  std::string text;  // without the stop string
  std::vector<TokenId> tokens;
  FinishReason reason;
};

// What happens while an answer is made; each may be left out.
struct AnswerEvents {
  std::function<void(const std::string&)> text;    // whole characters
  std::function<void(const SampledToken&)> token;  // before its text
};

// `cancel`, if given, is read before each token.
Answer answer(Generator& generator, const Tokenizer& tokenizer, const std::vector<TokenId>& prompt,
              const GenerationOptions& options, const AnswerEvents& events = {},
              const std::vector<std::string>& stop_strings = {}, const std::atomic<bool>* cancel = nullptr);

}  // namespace fude
