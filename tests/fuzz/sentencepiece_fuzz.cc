// layer: text
// Any bytes are either refused with an Error or a tokenizer that can be used, written as tokenizer.json and read again.
#include <cstdlib>
#include <optional>

#include "base/error.h"
#include "text/sentencepiece.h"
#include "text/tokenizer.h"

using namespace fude;

static void check(bool condition) {
  if (!condition) std::abort();
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const std::string sample = "<s>the  mill \xE3\x81\x82\xFF\n aaab </s> x";
  std::optional<Tokenizer> tokenizer, again;
  try {
    tokenizer.emplace(parse_sentencepiece({reinterpret_cast<const char*>(bytes), size}, "fuzz"));
  } catch (const Error&) { return 0; }
  // From here on an Error is a finding.
  std::string file;
  try {
    file = tokenizer_json(tokenizer->data());
  } catch (const Error&) {  // two entries have one name
  }
  if (!file.empty()) {
    again.emplace(parse_tokenizer_json(file, "again"));
    check(again->vocabulary_size() == tokenizer->vocabulary_size());
  }
  for (const auto special : {SpecialTokens::as_text, SpecialTokens::recognised}) {
    std::vector<TokenId> ids;
    try {
      ids = tokenizer->encode(sample, special);
    } catch (const Error&) { return 0; }  // its normaliser makes too much of it
    tokenizer->decode(ids);
    for (const TokenId id : ids) check(id < tokenizer->vocabulary_size());
  }
  if (again) again->encode(sample);
  return 0;
}
