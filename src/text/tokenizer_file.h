// Tokenizers as files: Hugging Face's tokenizer.json and .tiktoken rank files, both ways; SentencePiece's
// tokenizer.model, read (sentencepiece.h).
//
// The files come from strangers: sizes are bounded, every id is checked, and a file that asks for something Fude does
// not do (another model type, a normaliser that is not in normalize.h, a pre-tokenizer that drops text) is refused with
// its name. Of a post-processor only the tokens around a text are read (`prepends_begin`, `appends_end`); encoding
// leaves them to the caller.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/json_fwd.h"
#include "text/bpe.h"
#include "text/normalize.h"
#include "text/pretokenize.h"

namespace fude {

// What a file may ask for. Its ids are indices, so that one number could claim gigabytes: they must lie below the count
// of its entries plus a gap, which real files need (tiktoken's leave some 20 ids free) but never one like this.
constexpr size_t kLargestIdGap = 1 << 16;
constexpr size_t kLongestToken = 1 << 10;  // bytes; encoding may look so far ahead at every place of a text

// A token that is found whole, before the text is cut.
struct AddedToken {
  TokenId id = kNoToken;
  std::string content;
  bool special = true;       // never produced from plain text
  bool single_word = false;  // only where no word character touches it
  bool lstrip = false;       // takes the white space before it along
  bool rstrip = false;       // and behind it
  bool normalized = false;   // searched in the normalised text
};

// Whether a text gets a blank in front, unless one stands there.
enum class PrefixSpace {
  never,
  first,   // the text as a whole
  always,  // and what follows an added token
};

// What a tokenizer file says.
struct TokenizerData {
  Vocabulary vocabulary;
  std::vector<AddedToken> added;
  std::vector<NormalStep> normal;  // what happens to the text first
  std::vector<SplitStep> steps;
  PrefixSpace prefix_space = PrefixSpace::never;
  bool drops_prefix = false;  // decoding drops a blank in front
  // What encoding leaves to the caller: whole sequences and chats.
  TokenId begin_token = kNoToken;    // "bos"
  bool prepends_begin = false;       // sequences begin with it
  bool appends_end = false;          // and end with the first of `end_tokens`
  std::vector<TokenId> end_tokens;   // "eos", and what else ends a turn
  std::string chat_template;         // Jinja
  TokenId padding_token = kNoToken;  // for other programs; Fude does not pad
};

// A folder with tokenizer.json or tokenizer.model (and tokenizer_config.json), one of these two, or a .tiktoken file.
// Rank files do not name their pattern: it is `pattern` (as pattern_called takes it); if empty, the file's name must be
// one of tiktoken's, which then brings the special tokens too.
TokenizerData read_tokenizer(const std::string& path, std::string_view pattern = {});

// Adds what the folder's tokenizer_config.json, chat_template.jinja and generation_config.json say, where there are
// such; config.json names the end tokens where the last is missing.
void read_tokenizer_config(const std::string& folder, TokenizerData& data);

// From and to the text of a tokenizer.json. `where` names it in errors.
TokenizerData parse_tokenizer_json(std::string_view text, std::string_view where);
std::string tokenizer_json(const TokenizerData& data);

// From and to the text of a rank file: lines of base64 and rank.
std::vector<std::string> parse_ranks(std::string_view text, std::string_view where);
std::string ranks_text(const std::vector<std::string>& tokens);

// Writes the entries that merging makes as a rank file; the added tokens are left out and keep their ids. A rank file
// has no list of merges: false if its readers would merge in other ways (of two merges of one entry it tells one).
bool save_ranks(const std::string& path, const TokenizerData& data);

// What config.json and generation_config.json say of where texts begin and end.
Json begin_and_ends(const TokenizerData& data);

// What a folder says of its tokenizer: tokenizer.json and tokenizer_config.json. `end_of_text` is the content of an
// added token, and `chat_template` a Jinja text; where they are empty, what `data` says is written, with a
// generation_config.json if it has end tokens. What an earlier tokenizer may have left that would change this one
// (chat_template.jinja, generation_config.json) may not be there. Error if the files cannot say it.
FolderFiles tokenizer_files(const TokenizerData& data, const std::string& end_of_text,
                            const std::string& chat_template = {});
// Writes them. For a folder that is a model: save_model and export_folder, which take them along.
void save_tokenizer(const std::string& folder, const TokenizerData& data, const std::string& end_of_text,
                    const std::string& chat_template = {});

}  // namespace fude
