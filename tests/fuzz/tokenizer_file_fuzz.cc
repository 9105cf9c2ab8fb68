// layer: text
// Any file is either refused with an Error or a tokenizer that can be written, read again, and used.
#include <cstdlib>

#include "base/error.h"
#include "text/tokenizer.h"
#include "text/tokenizer_file.h"

using namespace fude;

static void check(bool condition) {
  if (!condition) std::abort();
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  try {
    if (size > 0 && text[0] != '{') {
      TokenizerData data;
      data.vocabulary = vocabulary_from_ranks(parse_ranks(text, "fuzz"));
      check(parse_ranks(ranks_text(data.vocabulary.tokens), "again") == data.vocabulary.tokens);
      Tokenizer(data).encode("some text\xFF");
      return 0;
    }
    const Tokenizer tokenizer(parse_tokenizer_json(text, "fuzz"));
    const std::string sample = "ab abab <s> 12 \xE3\x81\x82\xFF\n  x";
    for (const auto special : {SpecialTokens::as_text, SpecialTokens::recognised}) {
      const auto ids = tokenizer.encode(sample, special);
      tokenizer.decode(ids);
      for (const TokenId id : ids) check(id < tokenizer.vocabulary_size());
    }
    const Tokenizer again(parse_tokenizer_json(tokenizer_json(tokenizer.data()), "again"));
    check(again.encode(sample) == tokenizer.encode(sample));
  } catch (const Error&) {}
  return 0;
}
