// layer: infer
// A GGUF file from a stranger that says it has a tokenizer: it can be used, or is an Error. One that is written again
// cuts texts as before.
#include <optional>

#include "base/error.h"
#include "check.h"
#include "folder.h"
#include "infer/gguf_tokenizer_keys.h"
#include "tensor/gguf.h"
#include "use_tokenizer.h"

using namespace fude;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const FuzzFolder folder;
  const std::string path = folder / "tokenizer.gguf", sample = "<s>the  mill \xE3\x81\x82\xFF\n 12 aaab </s> x";
  write_file(path, {reinterpret_cast<const char*>(data), size});
  std::optional<Tokenizer> tokenizer, again;
  try {
    tokenizer.emplace(read_gguf_tokenizer(tokenizer_in(GgufFile(path).metadata()), path));
  } catch (const Error&) { return 0; }
  GgufMetadata metadata;
  try {
    put_tokenizer(gguf_tokenizer_of(tokenizer->data(), tokenizer->vocabulary_size(), path), metadata);
  } catch (const Error&) {}  // the format cannot say all that its reader takes
  // From here on an Error is a finding.
  if (!metadata.entries().empty()) again.emplace(read_gguf_tokenizer(tokenizer_in(metadata), "again"));
  for (const auto special : {SpecialTokens::as_text, SpecialTokens::recognised}) {
    const auto ids = ids_of(*tokenizer, sample, special);
    if (!ids) return 0;
    if (again) check(again->encode(sample, special) == *ids);
  }
  return 0;
}
