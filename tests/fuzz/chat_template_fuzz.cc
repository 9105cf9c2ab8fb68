// layer: text
// Templates and messages of any kind: rendering ends within its limits, with the same text each time, and what users
// wrote is never trusted. The template goes up to the first zero byte, the content of the messages is the rest, between
// two § that the template cannot write by itself.
#include <cstdlib>

#include "base/error.h"
#include "text/chat_template.h"
#include "text/unicode.h"

using namespace fude;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const std::string_view given(reinterpret_cast<const char*>(bytes), size);
  const std::string_view source = given.substr(0, given.find('\0'));
  const std::string mark = "\xC2\xA7";
  const std::string content = mark + std::string(given.substr(std::min(size, source.size() + 1))) + mark;
  TemplateLimits limits;
  limits.source_bytes = 1 << 16;
  limits.steps = 100'000;
  limits.value_bytes = 8 << 20;
  limits.output_bytes = 1 << 20;
  try {
    const ChatTemplate chat_template(source, limits);
    const Json part = {{"type", "text"}, {"text", content}};
    const Json call = {{"function", {{"name", mark}, {"arguments", {{mark, {1, 2.5, nullptr, true}}}}}}};
    Conversation conversation{
        .messages = {{{"role", "system"}, {"content", content}},
                     {{"role", "user"}, {"content", Json::array({part, part})}},
                     {{"role", "assistant"}, {"content", ""}, {"tool_calls", Json::array({call})}},
                     {{"role", "tool"}, {"content", content}},
                     {{"role", mark}, {"content", content}}},
        .tools = Json::array({call}),
        .add_generation_prompt = true,
        .bos_token = "<s>",
        .eos_token = "</s>",
        .more = {{"x", content}, {"n", 3}, {"words", {"b", mark, "a"}}}};
    const Json variables = template_variables(conversation);
    std::string text;
    const bool can_write_mark = source.find('\\') != std::string_view::npos ||
                                source.find(mark) != std::string_view::npos || !is_valid_utf8(source);
    for (const TextPiece& piece : chat_template.render_pieces(variables)) {
      if (piece.text.empty()) std::abort();
      if (piece.is_trusted && !can_write_mark && piece.text.find(mark) != std::string::npos) std::abort();
      text += piece.text;
    }
    if (source.find("strftime_now") == std::string_view::npos && chat_template.render(variables) != text) std::abort();
  } catch (const Error&) {}
  return 0;
}
