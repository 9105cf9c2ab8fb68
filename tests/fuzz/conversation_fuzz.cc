// layer: posttrain
// Any line as a conversation: it is refused, or becomes tokens of which what is learned lies behind a prompt.
#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "posttrain/chat_example.h"
#include "text/tokenizer_file.h"

namespace {

fude::Tokenizer byte_tokenizer() {
  fude::TokenizerData data;
  for (int byte = 0; byte < 256; ++byte) data.vocabulary.tokens.push_back(std::string(1, char(byte)));
  for (const char* content : {fude::kEndOfText, fude::kUser, fude::kAssistant, fude::kEnd, fude::kSystem})
    data.added.push_back({.id = fude::TokenId(256 + data.added.size()), .content = content});
  return fude::Tokenizer(data);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace fude;
  static const Chat chat(byte_tokenizer());
  try {
    const TrainingConversation conversation = parse_conversation({reinterpret_cast<const char*>(data), size}, "line");
    ExampleCounts counts;
    const ChatExample example = make_example(chat, conversation, {}, "line", counts);
    if (example.tokens.size() != example.is_learned.size()) __builtin_trap();
    if (!example.is_learned.empty() && example.is_learned.front()) __builtin_trap();
    if (example.learned() > 0 && example.tokens.back() != *chat.tokenizer().find_special(kEnd)) __builtin_trap();
  } catch (const Error&) {}
  return 0;
}
