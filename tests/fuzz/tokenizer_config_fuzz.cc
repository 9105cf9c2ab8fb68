// layer: text
// What a folder from a stranger says beside its tokenizer.json: tokenizer_config.json, chat_template.jinja,
// generation_config.json and config.json, with a NUL byte between them; an empty one is not there. They are refused
// with an Error, or name tokens that there are, once each; and what was read is the same after it was saved and read
// again.
#include <algorithm>
#include <array>

#include "base/error.h"
#include "check.h"
#include "folder.h"
#include "text/tokenizer_file.h"
#include "text/unicode.h"

using namespace fude;

// Entries and added tokens, an entry's content among the latter, a gap at 1, and nothing at 4.
static TokenizerData tokenizer() {
  TokenizerData data;
  data.vocabulary.tokens = {"a", "", "</s>", "\xE3\x81\x82"};
  data.added = {{.id = 2, .content = "</s>"}, {.id = 5, .content = "<s>"}};
  return data;
}

static bool has(const TokenizerData& data, TokenId id) {
  const auto& tokens = data.vocabulary.tokens;
  if (id >= 0 && size_t(id) < tokens.size() && !tokens[size_t(id)].empty()) return true;
  return std::any_of(data.added.begin(), data.added.end(), [&](const AddedToken& token) { return token.id == id; });
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  static const FuzzFolder folder;
  std::string_view rest(reinterpret_cast<const char*>(bytes), size);
  for (const char* name : {"tokenizer_config.json", "chat_template.jinja", "generation_config.json", "config.json"}) {
    const std::string_view part = rest.substr(0, rest.find('\0'));
    rest.remove_prefix(std::min(rest.size(), part.size() + 1));
    if (part.empty())
      std::filesystem::remove(folder / name);
    else
      write_file(folder / name, part);
  }
  TokenizerData data = tokenizer();
  try {
    read_tokenizer_config(folder.path(), data);
  } catch (const Error&) { return 0; }
  check(data.begin_token == kNoToken || has(data, data.begin_token));
  for (const TokenId end : data.end_tokens) {
    check(has(data, end));
    check(std::count(data.end_tokens.begin(), data.end_tokens.end(), end) == 1);
  }
  if (!is_valid_utf8(data.chat_template)) return 0;  // is not written
  // From here on an Error is a finding.
  save_tokenizer(folder / "again", data, "");
  const TokenizerData again = read_tokenizer(folder / "again");
  check(again.begin_token == data.begin_token && again.padding_token == data.padding_token &&
        again.end_tokens == data.end_tokens);
  check(again.prepends_begin == data.prepends_begin && again.appends_end == data.appends_end);
  check(again.chat_template == data.chat_template);
  return 0;
}
