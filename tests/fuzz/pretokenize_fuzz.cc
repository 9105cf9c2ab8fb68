// layer: text
// Hand-written splitters against their regular expressions, and encode/decode against the input. The first
// byte picks the pattern. Another stands in for characters that PCRE2's older tables class differently: left out, they
// could make a new one of the bytes around them.
#include <cstdlib>

#include "../reference/random_text.h"
#include "text/tokenizer.h"
#include "text/tokenizer_file.h"

using namespace fude;

// Takes seconds here: before the time of the inputs begins.
extern "C" int LLVMFuzzerInitialize(int*, char***) {
  reference::agreed();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  static const char* const kNames[] = {"gpt2", "cl100k", "llama3", "qwen2", "o200k"};
  if (size == 0) return 0;
  const std::string_view pattern = named_pattern(kNames[bytes[0] % 5]);
  const std::string_view given(reinterpret_cast<const char*>(bytes) + 1, size - 1);
  std::string text;
  for (size_t i = 0; i < given.size();) {
    const Character c = decode_character(given, i);
    const bool is_agreed = c.code_point == kInvalid || reference::agreed()[c.code_point];
    text += is_agreed ? given.substr(i, c.length) : "?";
    i += c.length;
  }
  std::vector<size_t> fast, oracle;
  make_known_splitter(pattern)->split(text, fast);
  make_regex_splitter(pattern)->split(text, oracle);
  if (fast != oracle) std::abort();

  static const Tokenizer tokenizer = [] {
    TokenizerData data;
    for (int byte = 0; byte < 256; ++byte) data.vocabulary.tokens.push_back(std::string(1, char(byte)));
    for (const char* entry : {"th", "the", "  ", "    ", "\xE3\x81", "\xE3\x81\x82", "'s", "aa", "aaaa"})
      data.vocabulary.tokens.push_back(entry);
    data.vocabulary = vocabulary_from_ranks(data.vocabulary.tokens);
    data.steps = {{SplitStep::Kind::pattern, std::string(named_pattern("o200k"))}};
    data.added.push_back({.id = 300, .content = "<|end|>"});
    return Tokenizer(data);
  }();
  for (const auto special : {SpecialTokens::as_text, SpecialTokens::recognised})
    if (tokenizer.decode(tokenizer.encode(given, special)) != given) std::abort();
  return 0;
}
