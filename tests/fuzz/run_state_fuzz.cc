// layer: train
// The JSON of a checkpoint from a stranger: the loader's position and the window of losses. Each is refused,
// or comes out of JSON as it went in, and the run goes on from it with blocks that hold together.
#include "base/error.h"
#include "base/json.h"
#include "data/documents.h"
#include "data/loader.h"
#include "data/shard_writer.h"
#include "folder.h"
#include "train/spike.h"

using namespace fude;

namespace {

constexpr int64_t kVocabulary = 257, kRowTokens = 16;

std::shared_ptr<const ShardSet> make_set(const FuzzFolder& folder) {
  std::string lines;
  for (const char* text : {"a", "some words", "a document that is longer than a row of tokens", "12345678901234567"})
    lines += Json{{"text", text}}.dump() + "\n";
  write_file(folder / "text.jsonl", lines);
  DocumentStream documents({folder / "text.jsonl"});
  const auto encode = [](std::string_view text, std::vector<int32_t>& out) {
    for (const char c : text) out.push_back(int32_t(uint8_t(c)) + 1);
  };
  write_shards(
      documents, encode,
      {.folder = folder / "set", .vocabulary = kVocabulary, .tokenizer_hash = hash_hex("bytes"), .progress = {}});
  return std::make_shared<ShardSet>(folder / "set");
}

Loader make_loader(bool concat) {
  static const FuzzFolder folder;
  static const auto set = make_set(folder);
  return Loader(Mixture({{set, 1}, {set, 2}}, 3),
                {.packing = {.row_tokens = kRowTokens, .open_rows = 4, .concat = concat},
                 .end_of_text = 0,
                 .bytes_of_token = std::vector<uint16_t>(kVocabulary, 1)});
}

void check_block(const TokenBlock& block) {
  if (block.tokens() + block.padding != block.rows * kRowTokens || block.padding < 0) __builtin_trap();
  if (block.sequence_starts_S1.front() != 0 || block.sequence_starts_S1.back() != block.tokens()) __builtin_trap();
  for (const int32_t token : block.tokens_N)
    if (token < 0 || token >= kVocabulary) __builtin_trap();
  for (const int32_t position : block.positions_N)
    if (position < 0 || position >= kRowTokens) __builtin_trap();
}

// An Error of what was taken is a finding.
void go_on(const Json& json, bool concat) {
  LoaderState state;
  try {
    state = LoaderState::from_json(json, "fuzz");
  } catch (const Error&) { return; }
  if (LoaderState::from_json(state.to_json(), "again") != state) __builtin_trap();
  Loader loader = make_loader(concat);
  state.identity = loader.state().identity;  // a hash, which no input would guess
  try {
    loader.restore(state);
  } catch (const Error&) { return; }
  if (loader.state() != state) __builtin_trap();
  for (int i = 0; i < 3; ++i) check_block(loader.next(2));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Json json;
  try {
    json = parse_json({reinterpret_cast<const char*>(data), size}, "fuzz");
  } catch (const Error&) { return 0; }
  for (const bool concat : {false, true}) go_on(json, concat);
  SpikeDetector spikes;
  try {
    spikes.restore(json);
  } catch (const Error&) { return 0; }
  if (spikes.state().size() != json.size()) __builtin_trap();
  for (const double loss : {1.0, 100.0, 2.0}) spikes.observe(loss);
  SpikeDetector again;
  again.restore(parse_json(spikes.state().dump(), "again"));
  if (again.state() != spikes.state()) __builtin_trap();
  return 0;
}
