// Tokenizers as files: Hugging Face's tokenizer.json (byte-level BPE) and .tiktoken rank files, both ways.
//
// The files come from strangers: sizes are bounded, every id is checked, and a file that asks for something Fude does
// not do (another model type, a normaliser that changes text, a pre-tokenizer that drops text) is refused with its
// name. A post-processor is not applied: tokens that begin a conversation are the chat template's work.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/bpe.h"
#include "text/pretokenize.h"

namespace fude {

// What a file may ask for. Its ids are indices, so that one number could claim gigabytes: they must lie below the count
// of its entries plus a gap, which real files need (tiktoken's leave some 20 ids free) but never one like this.
constexpr size_t kLargestIdGap = 1 << 16;
constexpr size_t kLongestToken = 1 << 16;  // bytes

// A token that is found in the text as it is written, before anything else happens.
struct AddedToken {
  TokenId id = kNoToken;
  std::string content;
  bool special = true;       // never produced from plain text
  bool single_word = false;  // only where no word character touches it
  bool lstrip = false;       // takes the white space before it along
  bool rstrip = false;       // and behind it
  bool normalized = false;   // searched in the normalised text
};

// What a tokenizer file says.
struct TokenizerData {
  Vocabulary vocabulary;
  std::vector<AddedToken> added;
  std::vector<SplitStep> steps;
  bool prefix_space = false;  // text starts with a blank, put there if need be
  bool nfc = false;           // text is normalised first
};

// A folder with tokenizer.json, a tokenizer.json, or a .tiktoken file. Rank files do not name their pattern:
// it is `pattern` (a name of named_pattern, or a regular expression); if empty, the file's name must be one
// of tiktoken's, which then brings the special tokens too.
TokenizerData read_tokenizer(const std::string& path, std::string_view pattern = {});

// From and to the text of a tokenizer.json. `where` names it in errors.
TokenizerData parse_tokenizer_json(std::string_view text, std::string_view where);
std::string tokenizer_json(const TokenizerData& data);

// From and to the text of a rank file: lines of base64 and rank.
std::vector<std::string> parse_ranks(std::string_view text, std::string_view where);
std::string ranks_text(const std::vector<std::string>& tokens);

// Writes tokenizer.json and tokenizer_config.json into `folder`. `end_of_text` is the content of an added
// token, or empty; `chat_template` is a Jinja text, or empty.
void save_tokenizer(const std::string& folder, const TokenizerData& data, const std::string& end_of_text,
                    const std::string& chat_template = {});

}  // namespace fude
