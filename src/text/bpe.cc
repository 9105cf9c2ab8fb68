#include "text/bpe.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <queue>

#include "base/error.h"
#include "text/byte_names.h"
#include "text/unicode.h"

namespace fude {
namespace {

constexpr size_t kLongestOdd = 1024;  // bytes of an entry that merges do not make: all its cuts are tried
constexpr size_t kShortPiece = 96;    // symbols; beyond it the heap wins

// Merges `count` symbols in place and returns how many are left. Each round takes the lowest rank of all, so
// the work is count²/2 at most, over arrays in the innermost cache.
size_t merge_short(const PairTable& pairs, TokenId* symbols, size_t count) {
  PairTable::Found found[kShortPiece];
  for (size_t i = 0; i + 1 < count; ++i) found[i] = pairs.find(symbols[i], symbols[i + 1]);
  while (count > 1) {
    size_t best = 0;
    for (size_t i = 1; i + 1 < count; ++i)
      if (found[i].rank < found[best].rank) best = i;
    if (found[best].rank == PairTable::kNoRank) break;
    symbols[best] = found[best].result;
    std::copy(symbols + best + 2, symbols + count, symbols + best + 1);
    --count;
    if (best + 1 < count) {
      std::copy(found + best + 2, found + count, found + best + 1);
      found[best] = pairs.find(symbols[best], symbols[best + 1]);
    }
    if (best > 0) found[best - 1] = pairs.find(symbols[best - 1], symbols[best]);
  }
  return count;
}

// The same with a linked list and a heap of (rank, position). An entry is stale when its position now has
// another rank.
size_t merge_long(const PairTable& pairs, TokenId* symbols, size_t count) {
  require(count < PairTable::kNoRank, "[bpe] expected a piece below 4 GiB, got {} symbols", count);
  constexpr uint32_t kNone = PairTable::kNoRank;
  struct Node {
    uint32_t previous, next, rank;
    TokenId result;
  };
  std::vector<Node> nodes(count);
  std::vector<uint64_t> initial;
  initial.reserve(count);
  for (uint32_t i = 0; i < count; ++i) {
    const PairTable::Found found = i + 1 < count ? pairs.find(symbols[i], symbols[i + 1]) : PairTable::Found{};
    nodes[i] = {i == 0 ? kNone : i - 1, i + 1 < count ? i + 1 : kNone, found.rank, found.result};
    if (found.rank != kNone) initial.push_back(uint64_t(found.rank) << 32 | i);
  }
  std::priority_queue<uint64_t, std::vector<uint64_t>, std::greater<>> heap(std::greater<>(), std::move(initial));
  const auto refresh = [&](uint32_t i) {
    Node& node = nodes[i];
    const PairTable::Found found = node.next == kNone ? PairTable::Found{} : pairs.find(symbols[i], symbols[node.next]);
    node.rank = found.rank;
    node.result = found.result;
    if (found.rank != kNone) heap.push(uint64_t(found.rank) << 32 | i);
  };
  while (!heap.empty()) {
    const uint32_t rank = uint32_t(heap.top() >> 32), at = uint32_t(heap.top());
    heap.pop();
    Node& node = nodes[at];
    if (node.rank != rank) continue;
    symbols[at] = node.result;
    const uint32_t gone = node.next;
    nodes[gone].rank = kNone;
    node.next = nodes[gone].next;
    if (node.next != kNone) nodes[node.next].previous = at;
    refresh(at);
    if (node.previous != kNone) refresh(node.previous);
  }
  size_t left = 0;
  for (uint32_t i = 0; i != kNone; i = nodes[i].next) symbols[left++] = symbols[i];
  return left;
}

size_t merge(const PairTable& pairs, TokenId* symbols, size_t count) {
  return count <= kShortPiece ? merge_short(pairs, symbols, count) : merge_long(pairs, symbols, count);
}

std::array<TokenId, 256> single_bytes(const std::vector<std::string>& tokens) {
  std::array<TokenId, 256> ids;
  ids.fill(kNoToken);
  for (size_t id = 0; id < tokens.size(); ++id)
    if (tokens[id].size() == 1) ids[uint8_t(tokens[id][0])] = TokenId(id);
  return ids;
}

uint32_t hash_of(std::string_view bytes) { return uint32_t(XXH3_64bits(bytes.data(), bytes.size()) >> 32); }

}  // namespace

PairTable::PairTable(size_t expected) {
  const size_t size = std::bit_ceil(std::max<size_t>(16, expected * 2));
  slots_.resize(size);
  mask_ = size - 1;
  shift_ = 64 - std::countr_zero(size);
}

void PairTable::insert(const Merge& merge) {
  if ((used_ + 1) * 2 > slots_.size()) grow();
  const uint64_t key = key_of(merge.left, merge.right);
  size_t slot = slot_of(key);
  while (slots_[slot].key != kEmpty && slots_[slot].key != key) slot = (slot + 1) & mask_;
  used_ += slots_[slot].key == kEmpty;
  slots_[slot] = {key, {merge.rank, merge.result}};
}

void PairTable::grow() {
  PairTable larger(slots_.size());
  for (const Slot& slot : slots_)
    if (slot.key != kEmpty)
      larger.insert({TokenId(slot.key >> 32), TokenId(uint32_t(slot.key)), slot.value.result, slot.value.rank});
  *this = std::move(larger);
}

EntryTable::EntryTable(size_t count) : slots_(std::bit_ceil(std::max<size_t>(16, count * 2))) {}

TokenId EntryTable::insert(const std::vector<std::string>& entries, TokenId id) {
  const std::string& bytes = entries[size_t(id)];
  const uint32_t hash = hash_of(bytes);
  Slot& slot = slots_[slot_of(entries, bytes, hash)];
  const TokenId same = slot.id;
  if (same == kNoToken) slot = {hash, id};
  return same;
}

TokenId EntryTable::find(const std::vector<std::string>& entries, std::string_view bytes) const {
  return slots_[slot_of(entries, bytes, hash_of(bytes))].id;
}

size_t EntryTable::slot_of(const std::vector<std::string>& entries, std::string_view bytes, uint32_t hash) const {
  for (size_t slot = hash & (slots_.size() - 1);; slot = (slot + 1) & (slots_.size() - 1)) {
    const Slot& s = slots_[slot];
    if (s.id == kNoToken || (s.hash == hash && entries[size_t(s.id)] == bytes)) return slot;
  }
}

// The merges of a rank file, in order of rank. When an entry's turn comes, the table holds every merge of
// lower rank, and what those make of the entry's bytes is what stands in the text just before the entry is
// formed: two parts, and so one merge. If more parts remain (an entry made from later ones, or one that
// merging never reaches), all ways to cut it into two entries become merges of its rank, as the rule says.
Vocabulary vocabulary_from_ranks(std::vector<std::string> tokens) {
  Vocabulary vocabulary;
  vocabulary.whole_pieces = true;
  vocabulary.tokens = std::move(tokens);
  const auto bytes = single_bytes(vocabulary.tokens);
  PairTable pairs(vocabulary.tokens.size());
  // Needed only for entries of the odd kind, so made at the first of them.
  std::vector<std::pair<std::string_view, TokenId>> sorted;
  const auto find = [&](std::string_view part) {
    if (sorted.empty()) {
      for (size_t id = 0; id < vocabulary.tokens.size(); ++id) sorted.push_back({vocabulary.tokens[id], TokenId(id)});
      std::sort(sorted.begin(), sorted.end());
    }
    const auto at = std::lower_bound(sorted.begin(), sorted.end(), std::pair(part, TokenId(0)));
    return at != sorted.end() && at->first == part ? at->second : kNoToken;
  };
  std::vector<TokenId> symbols;
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    const std::string_view token = vocabulary.tokens[id];
    if (token.size() < 2) continue;
    symbols.clear();
    for (const char c : token) symbols.push_back(bytes[uint8_t(c)]);
    if (std::find(symbols.begin(), symbols.end(), kNoToken) != symbols.end()) continue;
    const auto add = [&](TokenId left, TokenId right) {
      vocabulary.merges.push_back({left, right, TokenId(id), uint32_t(id)});
      pairs.insert(vocabulary.merges.back());
    };
    if (merge(pairs, symbols.data(), symbols.size()) == 2) {
      add(symbols[0], symbols[1]);
      continue;
    }
    require(token.size() <= kLongestOdd,
            "[tokenizer] expected entries that no merges make to have at most {} bytes, entry {} has {}", kLongestOdd,
            id, token.size());
    for (size_t cut = 1; cut < token.size(); ++cut) {
      const TokenId left = find(token.substr(0, cut)), right = find(token.substr(cut));
      if (left != kNoToken && right != kNoToken) add(left, right);
    }
  }
  return vocabulary;
}

Fallback::Fallback(const Vocabulary& vocabulary)
    : to_bytes_(vocabulary.byte_fallback), fuse_(vocabulary.fuse_unknown), unknown_(vocabulary.unknown) {
  bytes_.fill(kNoToken);
  if (!to_bytes_) return;
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id)
    if (const auto byte = byte_of_piece(vocabulary.tokens[id])) bytes_[*byte] = TokenId(id);
  for (size_t byte = 0; byte < 256; ++byte)
    require(bytes_[byte] != kNoToken, "[tokenizer] byte_fallback needs an entry for every byte, {} is missing",
            piece_of_byte(uint8_t(byte)));
}

void Fallback::append(std::string_view character, size_t begin, std::vector<TokenId>& out) const {
  if (to_bytes_) {
    for (const char byte : character) out.push_back(bytes_[uint8_t(byte)]);
  } else if (unknown_ != kNoToken && !(fuse_ && out.size() > begin && out.back() == unknown_)) {
    out.push_back(unknown_);
  }
}

Bpe::Bpe(Vocabulary vocabulary)
    : vocabulary_(std::move(vocabulary)),
      fallback_(vocabulary_),
      pairs_(vocabulary_.merges.size()),
      entries_(vocabulary_.tokens.size()) {
  const auto& tokens = vocabulary_.tokens;
  const auto known = [&](TokenId id) { return id >= 0 && size_t(id) < tokens.size() && !tokens[size_t(id)].empty(); };
  require(tokens.size() < (1u << 30), "[bpe] expected at most 2^30 ids, got {}", tokens.size());
  for (const Merge& m : vocabulary_.merges) {
    require(known(m.left) && known(m.right) && known(m.result),
            "[bpe] merge {} + {} -> {} names an id without an entry", m.left, m.right, m.result);
    const std::string_view left = tokens[size_t(m.left)], right = tokens[size_t(m.right)],
                           result = tokens[size_t(m.result)];
    require(result.size() == left.size() + right.size() && result.starts_with(left) && result.ends_with(right),
            "[bpe] the entry {} is not the bytes of {} and {}", m.result, m.left, m.right);
    require(m.rank != PairTable::kNoRank, "[bpe] the rank {} is out of range", m.rank);
    pairs_.insert(m);
  }
  byte_tokens_ = single_bytes(tokens);
  for (size_t id = 0; id < tokens.size(); ++id) {
    if (tokens[id].empty()) continue;
    const TokenId same = entries_.insert(tokens, TokenId(id));
    require(same == kNoToken, "[bpe] the ids {} and {} have the same bytes", same, id);
  }
  is_whole_.assign(tokens.size(), vocabulary_.whole_pieces);
}

TokenId Bpe::find(std::string_view bytes) const { return entries_.find(vocabulary_.tokens, bytes); }

void Bpe::encode_piece(std::string_view piece, std::vector<TokenId>& out) const {
  const TokenId id = find(piece);
  if (id == kNoToken) return encode_by_merging(piece, out);
  const std::atomic_ref is_whole(is_whole_[size_t(id)]);
  if (is_whole.load(std::memory_order_relaxed)) return out.push_back(id);
  const size_t begin = out.size();
  encode_by_merging(piece, out);
  if (out.size() == begin + 1 && out[begin] == id) is_whole.store(true, std::memory_order_relaxed);
}

void Bpe::append_characters(std::string_view piece, std::vector<TokenId>& out) const {
  const size_t begin = out.size();
  for (size_t at = 0; at < piece.size();) {
    const std::string_view character = piece.substr(at, decode_character(piece, at).length);
    const TokenId id = find(character);
    if (id != kNoToken)
      out.push_back(id);
    else
      fallback_.append(character, begin, out);
    at += character.size();
  }
}

// Symbols are written to the end of `out` and merged in place there.
void Bpe::encode_by_merging(std::string_view piece, std::vector<TokenId>& out) const {
  const size_t begin = out.size();
  if (vocabulary_.kind == Vocabulary::Kind::characters) {
    append_characters(piece, out);
    out.resize(begin + merge(pairs_, out.data() + begin, out.size() - begin));
    return;
  }
  out.resize(begin + piece.size());
  size_t count = 0;
  for (const char c : piece) {
    TokenId id = byte_tokens_[uint8_t(c)];
    if (id == kNoToken) {
      id = vocabulary_.unknown;
      if (id == kNoToken || (vocabulary_.fuse_unknown && count > 0 && out[begin + count - 1] == id)) continue;
    }
    out[begin + count++] = id;
  }
  out.resize(begin + merge(pairs_, out.data() + begin, count));
}

}  // namespace fude
