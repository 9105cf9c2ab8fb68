// SentencePiece's own files, tokenizer.model: a protobuf with pieces, scores, types and the normaliser.
//
// BPE and unigram models are read. Models of words or characters, white space behind words, and user-defined pieces in
// a BPE model whose normaliser would have to know them, are refused. What differs from SentencePiece by intent: bytes
// that are no UTF-8 stay themselves where the model has byte tokens; the blank in front of a text comes behind every
// special token too, where those are recognised, as in Llama 2; scores are added in double (unigram.h); and the
// character map does not spare user-defined pieces, which matters where a combining mark follows one.
//
// Sequences of a BPE model with a BOS begin with it (`prepends_begin`), which these files leave to their readers.
#pragma once

#include <string>
#include <string_view>

#include "text/tokenizer_file.h"

namespace fude {

// `where` names the bytes in errors.
TokenizerData parse_sentencepiece(std::string_view bytes, std::string_view where);

}  // namespace fude
