// layer: serve
// Bodies of any kind: a request within its limits, or an ApiError of status 400. The same bytes as an answer: its parts
// are the same however it is cut.
#include <cstdlib>

#include "serve/answer_reader.h"
#include "serve/api_error.h"
#include "serve/chat_request.h"

using namespace fude;

namespace {

std::string read(const AnswerForm& form, std::string_view text, size_t piece) {
  AnswerReader reader(form);
  std::string out;
  AnswerPart::Kind last = AnswerPart::Kind::call;
  const auto use = [&](const std::vector<AnswerPart>& parts) {
    for (const AnswerPart& part : parts) {
      if (part.kind != last || part.kind == AnswerPart::Kind::call) out += "\n" + std::to_string(int(part.kind)) + ":";
      out += part.text;
      last = part.kind;
    }
  };
  for (size_t at = 0; at < text.size(); at += piece) use(reader.add(text.substr(at, piece)));
  use(reader.finish());
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  try {
    const ChatLimits limits;
    const ChatRequest request = parse_chat_request(text, limits);
    if (request.messages.empty() || request.messages.size() > limits.messages || request.choices < 1 ||
        request.choices > limits.choices || request.stops.size() > limits.stops ||
        request.tools.size() > limits.tools || (request.must_call() && request.tools.empty()))
      std::abort();
    check(request.sampling);
  } catch (const ApiError& error) {
    if (error.status != 400 || error.body().empty()) std::abort();
  }
  if (size > 4096) return 0;
  for (const auto calls : {AnswerForm::Calls::tagged, AnswerForm::Calls::bare})
    for (const bool is_open : {false, true}) {
      const AnswerForm form{.may_think = true, .begins_in_thought = is_open, .calls = calls, .tools = {"f"}};
      if (read(form, text, 1) != read(form, text, std::max<size_t>(1, size))) std::abort();
    }
  return 0;
}
