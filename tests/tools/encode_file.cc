// encode_file TOKENIZER TEXTS [recognised]: encodes length-prefixed texts, for the comparisons in tools/.
//
// TEXTS holds records of a 32-bit little-endian length and that many bytes. For each, standard output gets a
// 32-bit count and the ids. The rate goes to standard error.
#include <cstdio>
#include <cstring>

#include "base/clock.h"
#include "base/file.h"
#include "text/tokenizer.h"
#include "text/tokenizer_file.h"

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: encode_file TOKENIZER TEXTS [recognised]\n");
    return 2;
  }
  try {
    const double begin = fude::now_seconds();
    const auto tokenizer = fude::Tokenizer::load(argv[1]);
    const double loaded = fude::now_seconds();
    const auto special = argc > 3 ? fude::SpecialTokens::recognised : fude::SpecialTokens::as_text;
    const std::string texts = fude::read_file(argv[2]);
    std::vector<fude::TokenId> ids;
    size_t bytes = 0, tokens = 0;
    double seconds = 0;
    for (size_t at = 0; at + 4 <= texts.size();) {
      uint32_t size;
      std::memcpy(&size, texts.data() + at, 4);
      const auto text = std::string_view(texts).substr(at + 4, size);
      at += 4 + size;
      ids.clear();
      const double start = fude::now_seconds();
      tokenizer.encode_into(text, ids, special);
      seconds += fude::now_seconds() - start;
      bytes += text.size();
      tokens += ids.size();
      if (special == fude::SpecialTokens::as_text && tokenizer.data().normal.empty() && tokenizer.decode(ids) != text)
        std::fprintf(stderr, "round trip differs for the record that ends at byte %zu\n", at);
      const uint32_t count = uint32_t(ids.size());
      std::fwrite(&count, 4, 1, stdout);
      std::fwrite(ids.data(), 4, ids.size(), stdout);
    }
    std::fprintf(stderr, "loaded in %.3f s; %.2f MB in %.3f s: %.1f MB/s, %zu tokens\n", loaded - begin,
                 double(bytes) / 1e6, seconds, double(bytes) / 1e6 / seconds, tokens);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
