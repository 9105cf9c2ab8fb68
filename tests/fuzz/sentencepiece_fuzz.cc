// layer: text
// Any bytes are either refused with an Error or a tokenizer that can be used, written as tokenizer.json and read again.
#include <cstdlib>

#include "base/error.h"
#include "text/sentencepiece.h"
#include "text/tokenizer.h"

using namespace fude;

static void check(bool condition) {
  if (!condition) std::abort();
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const std::string sample = "<s>the  mill \xE3\x81\x82\xFF\n aaab </s> x";
  try {
    const Tokenizer tokenizer(parse_sentencepiece({reinterpret_cast<const char*>(bytes), size}, "fuzz"));
    for (const auto special : {SpecialTokens::as_text, SpecialTokens::recognised}) {
      const auto ids = tokenizer.encode(sample, special);
      tokenizer.decode(ids);
      for (const TokenId id : ids) check(id < tokenizer.vocabulary_size());
    }
    const Tokenizer again(parse_tokenizer_json(tokenizer_json(tokenizer.data()), "again"));
    check(again.vocabulary_size() == tokenizer.vocabulary_size());
    again.encode(sample);
  } catch (const Error&) {}
  return 0;
}
