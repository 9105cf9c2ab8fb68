// layer: text
// Any file is either refused with an Error or a tokenizer that can be written, read again, and used.
#include <optional>

#include "base/error.h"
#include "check.h"
#include "text/tokenizer_file.h"
#include "use_tokenizer.h"

using namespace fude;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  const bool is_ranks = size > 0 && text[0] != '{';
  std::optional<Tokenizer> tokenizer, again;
  try {
    TokenizerData data;
    if (is_ranks)
      data.vocabulary = vocabulary_from_ranks(parse_ranks(text, "fuzz"));
    else
      data = parse_tokenizer_json(text, "fuzz");
    tokenizer.emplace(std::move(data));
  } catch (const Error&) { return 0; }
  // From here on an Error is a finding.
  const TokenizerData& data = tokenizer->data();
  if (is_ranks) {
    check(parse_ranks(ranks_text(data.vocabulary.tokens), "again") == data.vocabulary.tokens);
    tokenizer->encode("some text\xFF");
    return 0;
  }
  std::string file;
  try {
    file = tokenizer_json(data);
  } catch (const Error&) {  // two entries have one name
  }
  if (!file.empty()) again.emplace(parse_tokenizer_json(file, "again"));
  const std::string sample = "ab abab <s> 12 \xE3\x81\x82\xFF\n  x";
  const auto plain = ids_of(*tokenizer, sample, SpecialTokens::as_text);
  if (!plain || !ids_of(*tokenizer, sample, SpecialTokens::recognised)) return 0;
  if (again) check(again->encode(sample) == *plain);
  return 0;
}
