// SentencePiece's unigram model: of all ways to cut a text into entries, the one with the greatest sum of scores
// (Kudo 2018, "Subword regularization"), found by Viterbi from left to right.
//
// A character without an entry costs 10 more than the worst entry and becomes its bytes or the unknown token. Sums are
// kept in double, as Hugging Face does it; SentencePiece's are float, which in a text of many thousand tokens may
// choose another of two cuts that are nearly alike.
#pragma once

#include "text/bpe.h"
#include "text/trie.h"

namespace fude {

class Unigram {
 public:
  // Error unless every entry has a finite score.
  explicit Unigram(Vocabulary vocabulary);
  // Appends the tokens of one piece of text.
  void encode_piece(std::string_view piece, std::vector<TokenId>& out) const;

 private:
  Vocabulary vocabulary_;
  Fallback fallback_;
  Trie trie_;
  double missing_score_;
};

}  // namespace fude
