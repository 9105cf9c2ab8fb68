// Lists of pieces with scores and types, as SentencePiece's own files and GGUF hold them, turned into a vocabulary.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer_file.h"

namespace fude {

// The numbers are those of the files.
enum class PieceType : int32_t { normal = 1, unknown, control, user_defined, unused, byte };

struct PieceList {
  std::vector<std::string> texts;
  std::vector<float> scores;   // by id; empty where merges are listed
  std::vector<int32_t> types;  // by id; PieceType
};

// Error for an unknown type, text that is no UTF-8, a score that is no number. `where` names the file.
void check_pieces(const PieceList& pieces, std::string_view where);

// Control, unknown and unused pieces become special tokens: text never gives them. User-defined ones become added
// tokens that are found in any text.
void add_special_pieces(const PieceList& pieces, TokenizerData& data);

// SentencePiece's BPE, in which any neighbours merge whose text together is a piece, those with the best score first,
// of equal scores the leftmost. All ways to cut a piece in two become merges of its rank.
void add_scored_merges(const PieceList& pieces, std::string_view where, Vocabulary& vocabulary);

}  // namespace fude
