// layer: text
// Any bytes are either refused with an Error or a tokenizer that can be used, written as tokenizer.json and read again.
#include <optional>

#include "base/error.h"
#include "check.h"
#include "text/sentencepiece.h"
#include "use_tokenizer.h"

using namespace fude;

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
  for (const auto special : {SpecialTokens::as_text, SpecialTokens::recognised})
    if (!ids_of(*tokenizer, sample, special)) return 0;
  if (again) again->encode(sample);
  return 0;
}
