// A tokenizer as GGUF files describe it, both ways: lists under "tokenizer.ggml.", and names for what is not listed.
//
// The file's reader lies in another layer, so its values come as plain ones. "gpt2" is byte-level BPE, whose split
// pattern has a name; "llama" is SentencePiece's BPE, where scores order the merges; "t5" is its unigram model, read
// only; "gemma4" is BPE over characters. What HF's files say and GGUF does not (that Qwen's text is normalised) goes by
// the pattern's name.
//
// "t5" cuts as SentencePiece does. llama.cpp differs in this: a character without an entry is unknown there even if the
// file has pieces for its bytes; it keeps a ▁ that ends a text where extra blanks are removed, and puts one in front
// then, asked or not; a text of blanks alone gets none. As there, and in HF's library, user-defined pieces are found
// before all else: its converter makes them of HF's added tokens.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/pieces.h"
#include "text/tokenizer_file.h"

namespace fude {

// What the keys hold; each of them without "tokenizer.ggml." unless named.
struct GgufTokenizer {
  std::string model, pre;           // "model", "pre"
  PieceList pieces;                 // "tokens", "scores", "token_type"; all normal where there are no types
  std::vector<std::string> merges;  // "merges": "left right"
  // "bos_token_id", "unknown_token_id", "padding_token_id"
  std::optional<int64_t> begin, unknown, padding;
  std::vector<int64_t> ends;  // "eos_token_id", "eot_token_id", "eom_token_id", those there are
  // "add_bos_token", "add_eos_token", "add_space_prefix" (which byte-level files have without meaning it),
  // "remove_extra_whitespaces"
  std::optional<bool> prepends_begin, appends_end, space_prefix, removes_blanks;
  std::string charsmap;       // "precompiled_charsmap": a table of charsmap.h; these two only of "t5"
  std::string chat_template;  // "tokenizer.chat_template"
};

// `where` names the file in errors.
TokenizerData read_gguf_tokenizer(GgufTokenizer file, std::string_view where);

// For a model of `vocabulary` tokens: ids without an entry become unused ones, tokens beyond are left out. What GGUF
// says of SentencePiece's kind are scores, so merges become scores that order them the same way.
//
// Error if a text would be cut otherwise after this (GGUF knows patterns by names only, and no other normalisation), or
// for more than three end tokens. GGUF has no place for what added tokens do with white space, nor for a blank in front
// of the first piece only; these are lost, as they are in llama.cpp's own files.
GgufTokenizer gguf_tokenizer_of(const TokenizerData& data, int64_t vocabulary, std::string_view where);

// The first name under "pre" that means this way to cut a text into pieces; empty if there is none.
std::string_view gguf_split_name(const TokenizerData& data);

}  // namespace fude
