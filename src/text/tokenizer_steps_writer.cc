#include "text/base64.h"
#include "text/byte_names.h"
#include "text/tokenizer_steps.h"

namespace fude {
namespace {

Json text_pattern(std::string_view text) { return {{"String", text}}; }
Json regex_pattern(std::string_view regex) { return {{"Regex", regex}}; }

Json replace_json(const Json& pattern, std::string_view content) {
  return {{"type", "Replace"}, {"pattern", pattern}, {"content", content}};
}

Json normal_step_json(const NormalStep& step) {
  using Kind = NormalStep::Kind;
  switch (step.kind) {
    case Kind::nfc:
      return {{"type", "NFC"}};
    case Kind::charsmap: {
      std::string map;
      append_base64(map, step.from);
      return {{"type", "Precompiled"}, {"precompiled_charsmap", map}};
    }
    case Kind::replace:
      return replace_json(text_pattern(step.from), step.to);
    case Kind::squeeze:
      return replace_json(regex_pattern(kSqueezePattern), step.to);
    case Kind::trim:
      return replace_json(regex_pattern(kTrimPattern), "");
    case Kind::strip_left:
    case Kind::strip_right: {
      const bool left = step.kind == Kind::strip_left;
      return {{"type", "Strip"}, {"strip_left", left}, {"strip_right", !left}};
    }
    case Kind::prepend:
      return {{"type", "Prepend"}, {"prepend", step.to}};
  }
  return nullptr;
}

Json split_json(const Json& pattern, std::string_view behavior) {
  return {{"type", "Split"}, {"pattern", pattern}, {"behavior", behavior}, {"invert", false}};
}

Json split_step_json(const SplitStep& step) {
  switch (step.kind) {
    case SplitStep::Kind::pattern:
      return split_json(regex_pattern(step.pattern), "Isolated");
    case SplitStep::Kind::before_text:
      return split_json(text_pattern(step.pattern), "MergedWithNext");
    case SplitStep::Kind::after_text:
      return split_json(text_pattern(step.pattern), "MergedWithPrevious");
    case SplitStep::Kind::digits:
    case SplitStep::Kind::each_digit:
      break;
  }
  return {{"type", "Digits"}, {"individual_digits", step.kind == SplitStep::Kind::each_digit}};
}

Json byte_level(bool prefix_space, bool use_regex) {
  return {{"type", "ByteLevel"}, {"add_prefix_space", prefix_space}, {"trim_offsets", true}, {"use_regex", use_regex}};
}

// One part by itself, several in a sequence, none as null.
Json sequence(Json parts, const char* key) {
  if (parts.empty()) return nullptr;
  if (parts.size() == 1) return parts[0];
  return {{"type", "Sequence"}, {key, std::move(parts)}};
}

bool is_byte_level(const TokenizerData& data) { return data.vocabulary.kind == Vocabulary::Kind::bytes; }

}  // namespace

Json normalizer_json(const TokenizerData& data) {
  Json parts = Json::array();
  for (const NormalStep& step : data.normal) parts.push_back(normal_step_json(step));
  return sequence(std::move(parts), "normalizers");
}

Json pre_tokenizer_json(const TokenizerData& data) {
  std::vector<SplitStep> steps = data.steps;
  const bool gpt2_last = is_byte_level(data) && !steps.empty() &&
                         steps.back() == SplitStep{SplitStep::Kind::pattern, std::string(named_pattern("gpt2"))};
  if (gpt2_last) steps.pop_back();
  Json parts = Json::array();
  if (!is_byte_level(data) && data.prefix_space != PrefixSpace::never)
    parts.push_back({{"type", "Metaspace"},
                     {"replacement", kBlankMark},
                     {"prepend_scheme", data.prefix_space == PrefixSpace::first ? "first" : "always"},
                     {"split", false}});
  for (const SplitStep& step : steps) parts.push_back(split_step_json(step));
  if (is_byte_level(data)) parts.push_back(byte_level(data.prefix_space != PrefixSpace::never, gpt2_last));
  return sequence(std::move(parts), "pretokenizers");
}

Json decoder_json(const TokenizerData& data) {
  if (is_byte_level(data)) return byte_level(true, true);
  Json parts = Json::array({replace_json(text_pattern(kBlankMark), " ")});
  if (data.vocabulary.byte_fallback) parts.push_back({{"type", "ByteFallback"}});
  parts.push_back({{"type", "Fuse"}});
  if (data.drops_prefix) parts.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  return sequence(std::move(parts), "decoders");
}

}  // namespace fude
