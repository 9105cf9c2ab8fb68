// The parts of a tokenizer.json around its model (normalizer, pre_tokenizer, decoder), both ways. A part
// is read into what TokenizerData says, or refused by its name.
#pragma once

#include <string_view>

#include "base/json.h"
#include "text/tokenizer_file.h"

namespace fude {

// The regular expressions that stand for NormalStep::Kind::squeeze and trim.
inline constexpr std::string_view kSqueezePattern = " {2,}", kTrimPattern = "^ +|[ \xE2\x96\x81]+$";

// The pre-tokenizer decides the kind: with ByteLevel it is a byte-level BPE, else BPE over characters or a unigram
// model.
void read_normalizer(const Json* normalizer, std::string_view where, TokenizerData& data);
void read_pre_tokenizer(const Json* pre_tokenizer, std::string_view where, TokenizerData& data);
// Needs the kind.
void read_decoder(const Json* decoder, std::string_view where, TokenizerData& data);

Json normalizer_json(const TokenizerData& data);
Json pre_tokenizer_json(const TokenizerData& data);
Json decoder_json(const TokenizerData& data);

}  // namespace fude
