#include "text/bpe_train.h"

#include <algorithm>
#include <queue>
#include <unordered_map>

#include "base/error.h"
#include "base/run_on_threads.h"
#include "text/byte_names.h"
#include "text/piece_counts.h"
#include "text/unicode.h"

namespace fude {
namespace {

constexpr uint64_t kBatchBytes = 8 << 20;  // text read before it is counted; a constant, so that pruning is too
constexpr size_t kLongestWord = 1024;      // longer pieces are counted in parts: a merge visits whole words

void count_document(const PreTokenizer& pre_tokenizer, std::string_view text, std::vector<size_t>& ends,
                    PieceCounts& counts) {
  ends.clear();
  pre_tokenizer.split(text, ends);
  size_t begin = 0;
  for (const size_t end : ends) {
    for (; end - begin > kLongestWord; begin += kLongestWord) counts.add(text.substr(begin, kLongestWord), 1);
    counts.add(text.substr(begin, end - begin), 1);
    begin = end;
  }
}

// Counts a batch with each thread taking every n-th document, then adds the threads' tables to `counts`.
void count_batch(const PreTokenizer& pre_tokenizer, const std::vector<std::string>& documents,
                 std::vector<PieceCounts>& local, PieceCounts& counts) {
  run_on_threads(local.size(), [&](size_t thread) {
    std::vector<size_t> ends;
    for (size_t i = thread; i < documents.size(); i += local.size())
      count_document(pre_tokenizer, documents[i], ends, local[thread]);
  });
  for (PieceCounts& table : local) {
    for (size_t i = 0; i < table.distinct(); ++i) counts.add(table.bytes(i), table.count(i));
    table.clear();
  }
}

struct Word {
  uint64_t begin;  // into the symbols
  uint32_t length;
  int64_t count;
};

// A pair of neighbours: how often it occurs, and the words it was seen in (some may have lost it since).
struct Pair {
  TokenId left, right;
  int64_t count = 0;
  std::vector<uint32_t> words;
  bool queued = false;
};

// The merging phase. Counts are kept for every pair; the queue holds upper bounds and is corrected when a
// pair comes up.
class Merger {
 public:
  Merger(const PieceCounts& counts, const std::array<TokenId, 256>& byte_ids, std::vector<std::string>& tokens,
         size_t longest)
      : tokens_(tokens), longest_(longest) {
    words_.reserve(counts.distinct());
    for (size_t i = 0; i < counts.distinct(); ++i) {
      const std::string_view bytes = counts.bytes(i);
      words_.push_back({symbols_.size(), uint32_t(bytes.size()), int64_t(counts.count(i))});
      for (const char c : bytes) symbols_.push_back(byte_ids[uint8_t(c)]);
    }
    for (uint32_t w = 0; w < words_.size(); ++w)
      for (uint32_t i = 0; i + 1 < words_[w].length; ++i) {
        const TokenId* at = &symbols_[words_[w].begin + i];
        add(at[0], at[1], w, words_[w].count);
      }
    queue_changed();
  }

  // The most frequent pair with its true count, or null.
  const Pair* best() {
    while (!queue_.empty()) {
      const Queued top = queue_.top();
      const Pair& pair = pairs_[top.pair];
      if (pair.count == top.count) return &pair;
      queue_.pop();
      if (pair.count > 0) queue_.push({pair.count, pair.left, pair.right, top.pair});
    }
    return nullptr;
  }

  // Gives up the pair that best() returned: it is never merged.
  void discard() {
    pairs_[queue_.top().pair].count = 0;
    queue_.pop();
  }

  // Merges the pair that best() returned into `result` in all words.
  void merge(TokenId result) {
    const uint32_t index = queue_.top().pair;
    queue_.pop();
    const TokenId left = pairs_[index].left, right = pairs_[index].right;
    const std::vector<uint32_t> words = std::move(pairs_[index].words);
    pairs_[index].words = {};
    ++epoch_;
    before_.resize(tokens_.size());
    behind_.resize(tokens_.size());
    for (const uint32_t w : words) merge_in_word(w, left, right, result);
    pairs_[index].count = 0;
    queue_changed();
  }

 private:
  struct Queued {
    int64_t count;
    TokenId left, right;
    uint32_t pair;
    bool operator<(const Queued& other) const {
      if (count != other.count) return count < other.count;
      if (left != other.left) return left > other.left;
      return right > other.right;
    }
  };

  uint32_t index_of(TokenId left, TokenId right) {
    const PairTable::Found found = table_.find(left, right);
    if (found.rank != PairTable::kNoRank) return found.rank;
    const uint32_t index = uint32_t(pairs_.size());
    require(index != PairTable::kNoRank, "[train_bpe] too many different pairs");
    table_.insert({left, right, 0, index});
    pairs_.push_back({left, right, 0, {}, false});
    return index;
  }

  void add(TokenId left, TokenId right, uint32_t word, int64_t count) { add_at(index_of(left, right), word, count); }
  void add_at(uint32_t index, uint32_t word, int64_t count) {
    Pair& pair = pairs_[index];
    pair.count += count;
    if (pair.words.empty() || pair.words.back() != word) pair.words.push_back(word);
    if (pair.queued) return;
    pair.queued = true;
    changed_.push_back(index);
  }

  // Pairs that grew since the last call enter the queue with their new counts.
  void queue_changed() {
    for (const uint32_t index : changed_) {
      Pair& pair = pairs_[index];
      pair.queued = false;
      const bool fits = tokens_[size_t(pair.left)].size() + tokens_[size_t(pair.right)].size() <= longest_;
      if (pair.count > 0 && fits) queue_.push({pair.count, pair.left, pair.right, index});
    }
    changed_.clear();
  }

  // Left to right. A pair of neighbours leaves the counts if one of them takes part in a merge, and one
  // enters if one of them is a result; all others stand as they were.
  void merge_in_word(uint32_t w, TokenId left, TokenId right, TokenId result) {
    Word& word = words_[w];
    TokenId* symbols = &symbols_[word.begin];
    const auto merges_at = [&](uint32_t i) {
      return i + 1 < word.length && symbols[i] == left && symbols[i + 1] == right;
    };
    uint32_t first = 0;
    while (first + 1 < word.length && !merges_at(first)) ++first;
    if (first + 1 >= word.length) return;
    old_.assign(symbols + first, symbols + word.length);
    const uint32_t count = uint32_t(old_.size());
    uint32_t out = first;
    bool before_is_new = false;
    for (uint32_t i = 0; i < count;) {
      const bool here = i + 1 < count && old_[i] == left && old_[i + 1] == right;
      if (here && before_is_new) {
        pairs_[index_of(right, left)].count -= word.count;
        add(result, result, w, word.count);
      } else if (here && out > 0) {
        const TokenId x = symbols[out - 1];
        Neighbour& near = before_[size_t(x)];
        if (near.epoch != epoch_) near = {epoch_, index_of(x, left), index_of(x, result)};
        pairs_[near.old_pair].count -= word.count;
        add_at(near.new_pair, w, word.count);
      } else if (before_is_new) {
        const TokenId y = old_[i];
        Neighbour& near = behind_[size_t(y)];
        if (near.epoch != epoch_) near = {epoch_, index_of(right, y), index_of(result, y)};
        pairs_[near.old_pair].count -= word.count;
        add_at(near.new_pair, w, word.count);
      }
      symbols[out++] = here ? result : old_[i];
      i += here ? 2 : 1;
      before_is_new = here;
    }
    word.length = out;
  }

  // The pairs of a neighbour of the current merge before and after it, so that each is looked up once a merge.
  struct Neighbour {
    uint32_t epoch = 0, old_pair = 0, new_pair = 0;
  };

  std::vector<std::string>& tokens_;
  size_t longest_;
  uint32_t epoch_ = 0;
  std::vector<Neighbour> before_, behind_;
  std::vector<TokenId> symbols_, old_;
  std::vector<Word> words_;
  PairTable table_;
  std::vector<Pair> pairs_;
  std::vector<uint32_t> changed_;
  std::priority_queue<Queued> queue_;
};

}  // namespace

BpeTrainResult train_bpe(const BpeTrainOptions& options, const std::function<bool(std::string&)>& next,
                         const std::function<void(const BpeTrainProgress&)>& progress) {
  const int64_t first_entries = int64_t(options.special_tokens.size()) + 256;
  require(options.vocabulary_size >= first_entries && options.vocabulary_size < (1 << 24),
          "[train_bpe] expected a vocabulary of {} (special tokens and bytes) to 2^24 entries, got {}", first_entries,
          options.vocabulary_size);
  require(options.threads >= 1 && options.threads <= 1024, "[train_bpe] expected 1 to 1024 threads, got {}",
          options.threads);
  const PreTokenizer pre_tokenizer(options.steps);
  BpeTrainResult result;

  PieceCounts counts;
  std::vector<PieceCounts> local(size_t(options.threads));
  std::vector<std::string> batch;
  std::string document;
  for (bool more = true; more;) {
    batch.clear();
    for (uint64_t bytes = 0; bytes < kBatchBytes && (more = next(document)); bytes += document.size()) {
      result.text_bytes += document.size();
      batch.push_back(document);
    }
    count_batch(pre_tokenizer, batch, local, counts);
    if (counts.cost() > options.memory_limit) {
      const auto pruned = counts.prune(options.memory_limit / 2);
      result.pruned_pieces += pruned.pieces;
      result.pruned_below = std::max(result.pruned_below, pruned.below);
    }
    if (progress) progress({result.text_bytes, counts.distinct(), 0});
  }
  local.clear();
  result.distinct_pieces = counts.distinct();
  result.pieces = counts.total();

  Vocabulary& vocabulary = result.tokenizer.vocabulary;
  result.tokenizer.steps = options.steps;
  auto& tokens = vocabulary.tokens;
  std::unordered_map<std::string, TokenId> ids;
  for (const std::string& content : options.special_tokens) {
    require(content.size() > 1 && is_valid_utf8(content) && ids.emplace(content, TokenId(tokens.size())).second,
            "[train_bpe] expected different special tokens of two or more bytes of UTF-8, got '{}'", content);
    result.tokenizer.added.push_back({.id = TokenId(tokens.size()), .content = content});
    tokens.push_back(content);
  }
  std::array<TokenId, 256> byte_ids;
  for (const uint8_t byte : bytes_in_name_order()) {
    byte_ids[byte] = TokenId(tokens.size());
    tokens.push_back(std::string(1, char(byte)));
  }
  Merger merger(counts, byte_ids, tokens,
                options.max_token_bytes == 0 ? kLongestToken : std::min(options.max_token_bytes, kLongestToken));
  counts = {};
  int64_t reported = 0;
  while (int64_t(tokens.size()) < options.vocabulary_size) {
    const Pair* best = merger.best();
    if (best == nullptr || best->count < std::max<int64_t>(1, options.min_frequency)) break;
    // Two merges can spell the same bytes; they share the id, and the second adds no entry. A special token's
    // bytes stay in pieces, so that plain text never becomes one.
    const TokenId left = best->left, right = best->right;
    std::string bytes = tokens[size_t(left)] + tokens[size_t(right)];
    const auto [known, fresh] = ids.emplace(bytes, TokenId(tokens.size()));
    if (fresh) tokens.push_back(std::move(bytes));
    if (size_t(known->second) < options.special_tokens.size()) {
      merger.discard();
      continue;
    }
    vocabulary.merges.push_back({left, right, known->second, uint32_t(vocabulary.merges.size())});
    merger.merge(known->second);
    if (progress && int64_t(tokens.size()) - reported >= 256) {
      reported = int64_t(tokens.size());
      progress({result.text_bytes, result.distinct_pieces, reported});
    }
  }
  return result;
}

}  // namespace fude
