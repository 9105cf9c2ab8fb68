#include "text/tokenizer.h"

#include <algorithm>
#include <bit>
#include <unordered_map>
#include <unordered_set>
#include <variant>

#include "base/error.h"
#include "base/file.h"
#include "text/added_tokens.h"
#include "text/byte_names.h"
#include "text/unigram.h"

namespace fude {
namespace {

// Not all files mark them as special; but a user who could spell them would end turns.
TokenizerData with_special_ends(TokenizerData data) {
  std::unordered_set<TokenId> ends(data.end_tokens.begin(), data.end_tokens.end());
  ends.insert(data.begin_token);
  for (AddedToken& token : data.added) token.special |= ends.contains(token.id);
  return data;
}

// The vocabulary that plain text is made of: without the special tokens, unless merges need them as parts. The unknown
// token stays where bytes cannot stand in: such a vocabulary has nothing else for much of the world's writing.
Vocabulary plain_vocabulary(const TokenizerData& data) {
  Vocabulary vocabulary = data.vocabulary;
  std::vector<bool> in_merges(vocabulary.tokens.size());
  const auto note = [&](TokenId id) {
    if (id >= 0 && size_t(id) < in_merges.size()) in_merges[size_t(id)] = true;
  };
  for (const Merge& merge : vocabulary.merges) {
    note(merge.left);
    note(merge.right);
    note(merge.result);
  }
  for (const AddedToken& token : data.added) {
    const size_t id = size_t(token.id);
    if (token.special && token.id == vocabulary.unknown && data.vocabulary.kind == Vocabulary::Kind::bytes)
      vocabulary.unknown = kNoToken;
    if (token.special && id < vocabulary.tokens.size() && !in_merges[id] && vocabulary.tokens[id].size() != 1)
      vocabulary.tokens[id].clear();
  }
  return vocabulary;
}

void append_number(std::string& out, uint64_t value) {
  for (int i = 0; i < 8; ++i) out += char(value >> (8 * i));
}
void append_text(std::string& out, std::string_view text) {
  append_number(out, text.size());
  out += text;
}

std::variant<Bpe, Unigram> make_model(Vocabulary vocabulary) {
  if (vocabulary.kind == Vocabulary::Kind::unigram) return Unigram(std::move(vocabulary));
  return Bpe(std::move(vocabulary));
}

// What each entry stands for: names that are not bytes are turned into them.
std::vector<std::string> entry_bytes(const Vocabulary& vocabulary) {
  std::vector<std::string> bytes = vocabulary.tokens;
  if (vocabulary.kind == Vocabulary::Kind::bytes) return bytes;
  for (std::string& token : bytes) {
    const auto byte = vocabulary.byte_fallback ? byte_of_piece(token) : std::nullopt;
    token = byte ? std::string(1, char(*byte)) : replace_all(token, kBlankMark, " ");
  }
  return bytes;
}

}  // namespace

struct Tokenizer::State {
  explicit State(TokenizerData given)
      : data(with_special_ends(std::move(given))),
        model(make_model(plain_vocabulary(data))),
        pre_tokenizer(data.steps),
        entries(entry_bytes(data.vocabulary)),
        blank(data.vocabulary.kind == Vocabulary::Kind::bytes ? std::string_view(" ") : kBlankMark),
        normalized_added(data.added) {
    std::vector<bool> is_added;
    for (AddedToken& token : normalized_added) {
      if (token.normalized) token.content = normalize(data.normal, token.content);
    }
    for (const AddedToken& token : data.added) {
      require(token.id >= 0 && !token.content.empty(), "[tokenizer] an added token has no id or no content");
      const size_t id = size_t(token.id);
      if (id >= entries.size()) entries.resize(id + 1);
      if (id >= is_added.size()) is_added.resize(id + 1), is_special.resize(id + 1);
      require(!is_added[id], "[tokenizer] the added token id {} stands twice", token.id);
      entries[id] = token.content;
      is_added[id] = true;
      is_special[id] = token.special;
      if (token.special)
        require(specials.emplace(token.content, token.id).second, "[tokenizer] the special token '{}' stands twice",
                token.content);
    }
    for (const bool normalized : {false, true})
      for (const bool special : {false, true}) {
        std::vector<const AddedToken*> tokens;
        for (const AddedToken& token : normalized_added)
          if (token.normalized == normalized && (special || !token.special) && !token.content.empty())
            tokens.push_back(&token);
        finders[normalized][special] = AddedTokenFinder(std::move(tokens));
      }
  }

  // Hands the text between matches, and its trust, to `plain` and appends the matches' ids.
  template <class Plain>
  void between(const AddedTokenFinder& finder, std::string_view text, std::string_view trust, std::vector<TokenId>& out,
               const Plain& plain) const {
    for (size_t at = 0; at < text.size();) {
      const auto match = finder.find(text, at, trust);
      const size_t stop = match.token == nullptr ? text.size() : match.begin;
      if (stop > at) plain(text.substr(at, stop - at), trust.empty() ? trust : trust.substr(at, stop - at));
      if (match.token == nullptr) break;
      out.push_back(match.token->id);
      at = match.end;
    }
  }

  // `trust` as AddedTokenFinder::find takes it.
  void encode(std::string_view text, std::string_view trust, bool recognise, std::vector<TokenId>& out) const {
    between(finders[false][recognise], text, trust, out, [&](std::string_view raw, std::string_view raw_trust) {
      const bool first = raw.data() == text.data();
      std::string normal, normal_trust;
      if (!data.normal.empty()) {
        normal_trust = raw_trust;
        normal = normalize(data.normal, raw, &normal_trust);
        raw = normal, raw_trust = normal_trust;
      }
      between(finders[true][recognise], raw, raw_trust, out, [&](std::string_view plain, std::string_view) {
        encode_plain(plain, first && plain.data() == raw.data(), out);
      });
    });
  }

  void encode_plain(std::string_view text, bool first, std::vector<TokenId>& out) const {
    std::string with_prefix;
    const bool prefix = data.prefix_space == PrefixSpace::always || (data.prefix_space == PrefixSpace::first && first);
    if (prefix && !text.starts_with(blank)) text = with_prefix = std::string(blank).append(text);
    std::vector<size_t> ends;
    pre_tokenizer.split(text, ends);
    size_t begin = 0;
    for (const size_t end : ends) {
      std::visit([&](const auto& m) { m.encode_piece(text.substr(begin, end - begin), out); }, model);
      begin = end;
    }
  }

  const TokenizerData data;
  const std::variant<Bpe, Unigram> model;
  const PreTokenizer pre_tokenizer;
  std::vector<std::string> entries;  // by id, the bytes of each; of an added token its content
  std::vector<bool> is_special;      // by id, up to the last added token
  const std::string_view blank;      // as the vocabulary writes it
  std::vector<AddedToken> normalized_added;
  std::unordered_map<std::string_view, TokenId> specials;
  AddedTokenFinder finders[2][2];  // [normalized][special tokens too]
};

Tokenizer::Tokenizer(TokenizerData data) : state_(std::make_shared<const State>(std::move(data))) {}

Tokenizer Tokenizer::load(const std::string& path, std::string_view pattern) {
  return Tokenizer(read_tokenizer(path, pattern));
}

std::vector<TokenId> Tokenizer::encode(std::string_view text, SpecialTokens special) const {
  std::vector<TokenId> out;
  encode_into(text, out, special);
  return out;
}

void Tokenizer::encode_into(std::string_view text, std::vector<TokenId>& out, SpecialTokens special) const {
  state_->encode(text, {}, special == SpecialTokens::recognised, out);
}

std::vector<TokenId> Tokenizer::encode(std::span<const TextPiece> pieces) const {
  std::string text, trust;
  for (const TextPiece& piece : pieces) {
    text += piece.text;
    trust.append(piece.text.size(), char(piece.is_trusted));
  }
  std::vector<TokenId> out;
  state_->encode(text, trust, true, out);
  return out;
}

std::string Tokenizer::decode(std::span<const TokenId> tokens) const {
  std::string out;
  for (const TokenId token : tokens) out += bytes_of(token);
  if (state_->data.drops_prefix && out.starts_with(' ')) out.erase(0, 1);
  return out;
}

std::string_view Tokenizer::bytes_of(TokenId token) const {
  require(has(token), "[tokenizer] expected a token id in [0, {}), got {}", vocabulary_size(), token);
  return state_->entries[size_t(token)];
}

bool Tokenizer::is_special(TokenId token) const {
  const auto& is_special = state_->is_special;
  return token >= 0 && size_t(token) < is_special.size() && is_special[size_t(token)];
}

std::optional<TokenId> Tokenizer::find_special(std::string_view content) const {
  const auto found = state_->specials.find(content);
  return found == state_->specials.end() ? std::nullopt : std::optional(found->second);
}

int64_t Tokenizer::vocabulary_size() const { return int64_t(state_->entries.size()); }
const TokenizerData& Tokenizer::data() const { return state_->data; }

std::string Tokenizer::hash() const {
  const TokenizerData& data = state_->data;
  const Vocabulary& vocabulary = data.vocabulary;
  const bool nfc = data.normal == std::vector<NormalStep>{{NormalStep::Kind::nfc}};
  std::string all;
  append_number(all, state_->entries.size());
  for (const std::string& entry : state_->entries) append_text(all, entry);
  append_number(all, vocabulary.merges.size());
  for (const Merge& merge : vocabulary.merges)
    for (const uint64_t part : {uint64_t(merge.left), uint64_t(merge.right), uint64_t(merge.result)})
      append_number(all, part);
  append_number(all, vocabulary.whole_pieces | vocabulary.fuse_unknown << 1 |
                         (data.prefix_space != PrefixSpace::never) << 2 | nfc << 3);
  append_number(all, uint64_t(int64_t(vocabulary.unknown)));
  append_number(all, data.added.size());
  for (const AddedToken& token : data.added) {
    append_number(all, uint64_t(token.id));
    append_text(all, token.content);
    append_number(
        all, token.special | token.single_word << 1 | token.lstrip << 2 | token.rstrip << 3 | token.normalized << 4);
  }
  append_number(all, data.steps.size());
  for (const SplitStep& step : data.steps) {
    append_number(all, uint64_t(step.kind));
    append_text(all, step.pattern);
  }
  // What older tokenizers did not have is added where it is, so that theirs keep their hash and shards stay valid.
  if (vocabulary.kind != Vocabulary::Kind::bytes || (!data.normal.empty() && !nfc)) {
    append_number(all, uint64_t(vocabulary.kind) | uint64_t(vocabulary.byte_fallback) << 8 |
                           uint64_t(data.drops_prefix) << 9 | uint64_t(data.prefix_space) << 16);
    // Merges of one rank go from left to right.
    bool has_ties = false;
    for (size_t i = 0; i < vocabulary.merges.size(); ++i) has_ties |= vocabulary.merges[i].rank != i;
    if (has_ties)
      for (const Merge& merge : vocabulary.merges) append_number(all, merge.rank);
    for (const double score : vocabulary.scores) append_number(all, std::bit_cast<uint64_t>(score));
    for (const NormalStep& step : data.normal) {
      append_number(all, uint64_t(step.kind));
      append_text(all, step.from);
      append_text(all, step.to);
    }
  }
  return hash_hex(all);
}

}  // namespace fude
