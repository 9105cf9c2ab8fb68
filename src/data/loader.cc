#include "data/loader.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/random.h"

namespace fude {
namespace {

void check_options(const LoaderOptions& options, int64_t vocabulary) {
  require(options.end_of_text >= 0 && options.end_of_text < vocabulary,
          "[loader] expected an end-of-text token below {}, got {}", vocabulary, options.end_of_text);
  require(options.bytes_of_token.empty() || int64_t(options.bytes_of_token.size()) == vocabulary,
          "[loader] expected the byte lengths of {} tokens, got {}", vocabulary, options.bytes_of_token.size());
}

// Documents with their end mark. `set_of(source)` is the set a source number stands for.
template <class SetOf>
DocumentTokens tokens_of(SetOf set_of, int32_t end_of_text) {
  return {[set_of](int32_t source, int64_t document) { return set_of(source).document(document).size() + 1; },
          [set_of, end_of_text](int32_t source, int64_t document, int64_t begin, int64_t end, int32_t* out) {
            const TokenSpan tokens = set_of(source).document(document);
            const int64_t inside = std::min(end, tokens.size());
            if (begin < inside) tokens.copy(begin, inside, out);
            if (end > tokens.size()) out[end - 1 - begin] = end_of_text;
          }};
}

Piece cut(Piece& rest, int64_t row_tokens) {
  Piece piece = rest;
  piece.end = rest.begin = rest.begin + std::min(rest.size(), row_tokens);
  return piece;
}

// Rows as one text: as lists of lists in JSON, thousands of pieces would take megabytes of memory while they are saved.
// A piece: "source document begin end ". A row: its number of pieces, whether one follows (0 or 1), and these.
void put_piece(const Piece& piece, std::string& text) {
  text += fmt::format("{} {} {} {} ", piece.source, piece.document, piece.begin, piece.end);
}

std::string text_of(const std::vector<PackedRow>& rows) {
  std::string text;
  for (const PackedRow& row : rows) {
    text += fmt::format("{} {} ", row.pieces.size(), int(row.following.has_value()));
    for (const Piece& piece : row.pieces) put_piece(piece, text);
    if (row.following) put_piece(*row.following, text);
  }
  return text;
}

class RowReader {
 public:
  RowReader(std::string_view text, std::string_view where) : text_(text), where_(where) {}

  Piece last_piece() {
    const Piece last = piece();
    require(text_.empty(), "[{}] expected one piece, more follows: '{}'", where_, text_.substr(0, 20));
    return last;
  }

  std::vector<PackedRow> rows() {
    std::vector<PackedRow> rows;
    while (!text_.empty()) {
      PackedRow& row = rows.emplace_back();
      const int64_t pieces = number();
      const bool is_followed = number(1) == 1;
      for (int64_t i = 0; i < pieces; ++i) row.pieces.push_back(piece());
      if (is_followed) row.following = piece();
    }
    return rows;
  }

 private:
  Piece piece() {
    Piece piece;
    piece.source = int32_t(number(std::numeric_limits<int32_t>::max()));
    piece.document = number(), piece.begin = number(), piece.end = number();
    return piece;
  }

  int64_t number(int64_t most = std::numeric_limits<int64_t>::max()) {
    int64_t value = 0;
    const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), value);
    require(error == std::errc() && end != text_.data() + text_.size() && *end == ' ' && value >= 0 && value <= most,
            "[{}] expected a number from 0 to {} in the list of rows, got '{}'", where_, most, text_.substr(0, 20));
    text_.remove_prefix(size_t(end - text_.data()) + 1);
    return value;
  }

  std::string_view text_, where_;
};

// A pool that held more than an epoch would give some rows twice before it gives others once.
size_t pool_size(const Mixture& mixture, const LoaderOptions& options) {
  require(options.waiting_rows >= 1, "[loader] expected at least one waiting row, got {}", options.waiting_rows);
  int64_t tokens = 0;
  for (int i = 0; i < mixture.sources(); ++i) tokens += mixture.set(i).info().tokens + mixture.set(i).documents();
  return size_t(std::clamp<int64_t>(tokens / options.packing.row_tokens / 4, 1, options.waiting_rows));
}

}  // namespace

Json LoaderState::to_json() const {
  std::string text_of_pending;
  put_piece(pending, text_of_pending);
  Json json = {
      {"identity", identity},
      {"sources", Json::array()},
      {"pending", std::move(text_of_pending)},
      {"open_rows", text_of(open_rows)},
      {"waiting_rows", text_of(waiting_rows)},
      {"totals",
       {{"rows", totals.rows}, {"tokens", totals.tokens}, {"targets", totals.targets}, {"padding", totals.padding}}}};
  for (const SourcePosition& at : sources)
    json["sources"].push_back({{"documents", at.documents}, {"tokens", at.tokens}});
  return json;
}

LoaderState LoaderState::from_json(const Json& json, std::string_view where) {
  LoaderState state;
  state.identity = json_string(json, "identity", where);
  const auto sources = json.find("sources");
  require(sources != json.end() && sources->is_array(), "[{}] expected a list at 'sources'", where);
  for (const Json& at : *sources)
    state.sources.push_back({json_integer(at, "documents", where), json_integer(at, "tokens", where)});
  state.pending = RowReader(json_string(json, "pending", where), where).last_piece();
  state.open_rows = RowReader(json_string(json, "open_rows", where), where).rows();
  state.waiting_rows = RowReader(json_string(json, "waiting_rows", where), where).rows();
  const auto totals = json.find("totals");
  require(totals != json.end(), "[{}] expected the key 'totals', it is missing", where);
  state.totals = {json_integer(*totals, "rows", where), json_integer(*totals, "tokens", where),
                  json_integer(*totals, "targets", where), json_integer(*totals, "padding", where)};
  return state;
}

Loader::Loader(Mixture mixture, LoaderOptions options)
    : mixture_(std::move(mixture)),
      options_(std::move(options)),
      packer_(options_.packing),
      pool_size_(pool_size(mixture_, options_)) {
  check_options(options_, mixture_.vocabulary());
  Json identity = {{"seed", mixture_.seed()},
                   {"row_tokens", options_.packing.row_tokens},
                   {"open_rows", options_.packing.open_rows},
                   {"waiting_rows", pool_size_},
                   {"concat", options_.packing.concat},
                   {"unlearned_from", options_.packing.unlearned_from},
                   {"end_of_text", options_.end_of_text},
                   {"shares", mixture_.shares()},
                   {"tokenizer", mixture_.set(0).info().tokenizer_hash},
                   {"sets", Json::array()}};
  for (int i = 0; i < mixture_.sources(); ++i) {
    const ShardInfo& info = mixture_.set(i).info();
    identity["sets"].push_back({info.text_hash, info.documents, info.tokens});
  }
  identity_ = hash_hex(identity.dump());
}

PackedRow Loader::pack_row() {
  while (true) {
    if (pending_.size() == 0) {
      const DocumentRef ref = mixture_.next();
      pending_ = {ref.source, ref.document, 0, mixture_.set(ref.source).document(ref.document).size() + 1};
    }
    if (std::optional<PackedRow> row = packer_.add(cut(pending_, options_.packing.row_tokens))) return std::move(*row);
  }
}

PackedRow Loader::draw_row(uint64_t number) {
  constexpr uint64_t kStream = 0x726F7773;  // "rows"
  while (waiting_.size() < pool_size_) waiting_.push_back(pack_row());
  const uint64_t draw = philox(mixture_.seed(), kStream, number)[0];
  return std::exchange(waiting_[size_t(draw * pool_size_ >> 32)], pack_row());
}

TokenBlock Loader::next(int64_t rows) {
  require(rows >= 1, "[loader] expected at least one row, got {}", rows);
  std::vector<PackedRow> packed;
  for (int64_t i = 0; i < rows; ++i) packed.push_back(draw_row(uint64_t(totals_.rows + i)));
  const auto set_of = [this](int32_t source) -> const ShardSet& { return mixture_.set(source); };
  TokenBlock block =
      make_block(packed, options_.packing, tokens_of(set_of, options_.end_of_text), options_.bytes_of_token);
  totals_.rows += block.rows;
  totals_.tokens += block.tokens();
  totals_.targets += block.target_count;
  totals_.padding += block.padding;
  return block;
}

LoaderState Loader::state() const {
  return {identity_, mixture_.position(), pending_, packer_.open_rows(), waiting_, totals_};
}

void Loader::restore(const LoaderState& state) {
  require(state.identity == identity_,
          "[loader] the saved position belongs to other data, weights, seed or packing: expected {}, got {}", identity_,
          state.identity);
  const auto check_piece = [&](const Piece& piece) {
    require(piece.source >= 0 && piece.source < mixture_.sources() && piece.document >= 0 &&
                piece.document < mixture_.set(piece.source).documents() && piece.begin >= 0 &&
                piece.begin <= piece.end && piece.end <= mixture_.set(piece.source).document(piece.document).size() + 1,
            "[loader] the saved position names a piece that does not exist");
  };
  for (const int64_t total : {state.totals.rows, state.totals.tokens, state.totals.targets, state.totals.padding})
    require(total >= 0 && total <= INT64_MAX / 4, "[loader] the saved totals are no counts: {}", total);
  if (state.pending.size() != 0) check_piece(state.pending);
  for (const auto* rows : {&state.open_rows, &state.waiting_rows})
    for (const PackedRow& row : *rows) {
      int64_t room = options_.packing.row_tokens;
      for (const Piece& piece : row.pieces) {
        check_piece(piece);
        require(piece.size() >= 1 && piece.size() <= room, "[loader] a saved row does not fit {} tokens",
                options_.packing.row_tokens);
        room -= piece.size();
      }
      require(!row.pieces.empty(), "[loader] a saved row is empty");
      if (!row.following) continue;
      check_piece(*row.following);
      require(options_.packing.concat && row.following->size() == 1, "[loader] a saved row is followed by {} tokens",
              row.following->size());
    }
  require(state.waiting_rows.empty() || state.waiting_rows.size() == pool_size_,
          "[loader] expected {} waiting rows in the saved position, got {}", pool_size_, state.waiting_rows.size());
  mixture_.seek(state.sources);
  packer_.restore(state.open_rows);
  waiting_ = state.waiting_rows;
  pending_ = state.pending;
  totals_ = state.totals;
}

ValidationRows::ValidationRows(std::string name, std::shared_ptr<const ShardSet> set, LoaderOptions options,
                               int64_t limit)
    : name_(std::move(name)), set_(std::move(set)), options_(std::move(options)) {
  require(set_ != nullptr && set_->documents() > 0, "[loader] expected a validation set with documents, got none");
  require(limit >= 1, "[loader] expected at least one row for validation, got {}", limit);
  check_options(options_, set_->info().vocabulary);
  Packer packer(options_.packing);
  for (int64_t i = 0; i < set_->documents() && rows() < limit; ++i) {
    Piece rest{0, i, 0, set_->document(i).size() + 1};
    while (rest.size() > 0 && rows() < limit)
      if (auto row = packer.add(cut(rest, options_.packing.row_tokens))) rows_.push_back(std::move(*row));
  }
  while (rows() < limit) {
    auto row = packer.flush();
    if (!row) break;
    rows_.push_back(std::move(*row));
  }
}

TokenBlock ValidationRows::block(int64_t first, int64_t count) const {
  require(first >= 0 && count >= 1 && count <= rows() - first, "[loader] expected rows within {}, got {} from {}",
          rows(), count, first);
  const auto set_of = [this](int32_t) -> const ShardSet& { return *set_; };
  return make_block(std::span(rows_).subspan(size_t(first), size_t(count)), options_.packing,
                    tokens_of(set_of, options_.end_of_text), options_.bytes_of_token);
}

}  // namespace fude
