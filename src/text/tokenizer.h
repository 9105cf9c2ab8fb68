// A tokenizer: text to token ids and back, exactly.
//
// Text from users is plain text: a special token spelled in it is cut like anything else, unless the caller asks for
// SpecialTokens::recognised, or says piece by piece what is trusted. Only special tokens are kept out; other added
// tokens are ordinary vocabulary and are found always, as Hugging Face does it. Special are those that the file marks
// so, and those that begin or end sequences and turns. Decoding gives the bytes that were encoded, with exceptions that
// the file decides: normalisation, and what its vocabulary has no entry for. The byte-level kind works on bytes;
// SentencePiece's kinds on characters, with ▁ for the blank, and bytes that are no UTF-8 go through their fallback to
// bytes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/bpe.h"
#include "text/text_piece.h"

namespace fude {

struct TokenizerData;

enum class SpecialTokens { as_text, recognised };

// Immutable; copies share one vocabulary, and one object serves any number of threads.
class Tokenizer {
 public:
  explicit Tokenizer(TokenizerData data);
  // A Hugging Face folder, a tokenizer.json, a tokenizer.model, or a .tiktoken file with its pattern (read_tokenizer
  // in tokenizer_file.h).
  static Tokenizer load(const std::string& path, std::string_view pattern = {});

  std::vector<TokenId> encode(std::string_view text, SpecialTokens special = SpecialTokens::as_text) const;
  // The same, appended to `out`.
  void encode_into(std::string_view text, std::vector<TokenId>& out,
                   SpecialTokens special = SpecialTokens::as_text) const;
  // One text in pieces: special tokens are recognised where all of their bytes are trusted, everything else is encoded
  // as if the pieces were one. Without special tokens spelled in other pieces, the same as `recognised` for the whole,
  // but for trusted bytes that normalisation joins with others: these are trusted no more.
  std::vector<TokenId> encode(std::span<const TextPiece> pieces) const;
  std::string decode(std::span<const TokenId> tokens) const;

  // Bytes of one token; of an added token its text; nothing for an id without an entry. Error if out of range.
  std::string_view bytes_of(TokenId token) const;
  // Whether there can be such a token. A model may have more rows than its tokenizer has tokens; what is drawn there
  // has no text.
  bool has(TokenId token) const { return token >= 0 && token < vocabulary_size(); }
  bool is_special(TokenId token) const;
  std::optional<TokenId> find_special(std::string_view content) const;
  // 1 + the largest id.
  int64_t vocabulary_size() const;
  // Identity: equal for tokenizers that encode and decode alike by construction.
  std::string hash() const;
  const TokenizerData& data() const;

 private:
  struct State;
  std::shared_ptr<const State> state_;
};

}  // namespace fude
