// An answer as text: tokens in, whole characters out as they come, ended by stop strings.
#pragma once

#include <string>
#include <vector>

#include "infer/generate.h"
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

// As generate() runs it.
Answer answer(Engine& engine, const Tokenizer& tokenizer, Request request, const AnswerEvents& events = {},
              const std::vector<std::string>& stop_strings = {}, const std::atomic<bool>* cancel = nullptr);

}  // namespace fude
