#include "base/error.h"
#include "text/base64.h"
#include "text/byte_names.h"
#include "text/charsmap.h"
#include "text/tokenizer_steps.h"

namespace fude {
namespace {

constexpr size_t kMostSteps = 16;

std::string type_of(const Json& object, std::string_view where) { return json_string(object, "type", where); }

// {"String": …} or {"Regex": …} at 'pattern'.
struct StepPattern {
  std::string text;
  bool is_regex;
};
StepPattern pattern_of(const Json& step, std::string_view where) {
  const Json* pattern = json_member(step, "pattern", where);
  require(pattern != nullptr && pattern->is_object(), "[{}] expected an object at 'pattern' of {}", where,
          type_of(step, where));
  const bool is_regex = pattern->contains("Regex");
  StepPattern result{json_string(*pattern, is_regex ? "Regex" : "String", where), is_regex};
  require(!result.text.empty(), "[{}] expected a pattern in {}, got an empty one", where, type_of(step, where));
  return result;
}

void require_blank_mark(const Json& step, std::string_view where) {
  const std::string mark = json_string(step, "replacement", where, std::string(kBlankMark));
  require(mark == kBlankMark, "[{}] expected {} to replace blanks, got '{}'", where, kBlankMark, mark);
}

// Older files say add_prefix_space instead of prepend_scheme.
PrefixSpace prefix_of(const Json& metaspace, std::string_view where) {
  const bool prefix = json_boolean(metaspace, "add_prefix_space", where, true);
  const std::string scheme = json_string(metaspace, "prepend_scheme", where, prefix ? "always" : "never");
  if (scheme == "always") return PrefixSpace::always;
  if (scheme == "first") return PrefixSpace::first;
  require(scheme == "never", "[{}] expected the prepend_scheme always, first or never, got '{}'", where, scheme);
  return PrefixSpace::never;
}

NormalStep replace_step(const Json& step, std::string_view where) {
  const StepPattern pattern = pattern_of(step, where);
  const std::string to = json_string(step, "content", where);
  if (!pattern.is_regex) return {NormalStep::Kind::replace, pattern.text, to};
  if (pattern.text == kSqueezePattern) return {NormalStep::Kind::squeeze, {}, to};
  if (pattern.text == kTrimPattern && to.empty()) return {NormalStep::Kind::trim};
  fail("[{}] expected the normalizer Replace with a text, '{}' or '{}', got the pattern '{}'", where, kSqueezePattern,
       kTrimPattern, pattern.text);
}

void add_normal_steps(const Json& normalizer, std::string_view where, std::vector<NormalStep>& steps) {
  using Kind = NormalStep::Kind;
  const std::string type = type_of(normalizer, where);
  if (type == "NFC") {
    steps.push_back({Kind::nfc});
  } else if (type == "Prepend") {
    steps.push_back({Kind::prepend, {}, json_string(normalizer, "prepend", where)});
  } else if (type == "Replace") {
    steps.push_back(replace_step(normalizer, where));
  } else if (type == "Strip") {
    if (json_boolean(normalizer, "strip_left", where, true)) steps.push_back({Kind::strip_left});
    if (json_boolean(normalizer, "strip_right", where, true)) steps.push_back({Kind::strip_right});
  } else if (type == "Precompiled") {
    const std::string map = from_base64(json_string(normalizer, "precompiled_charsmap", where, ""), where);
    if (!map.empty()) {
      Charsmap::check(map, where);
      steps.push_back({Kind::charsmap, map});
    }
  } else if (type == "Sequence") {
    for (const Json& part : json_array(normalizer, "normalizers", where)) add_normal_steps(part, where, steps);
  } else {
    fail("[{}] expected the normalizers NFC, Prepend, Replace, Strip and Precompiled, got '{}'", where, type);
  }
  require(steps.size() <= kMostSteps, "[{}] expected at most {} normalizers", where, kMostSteps);
}

SplitStep split_step(const Json& split, std::string_view where) {
  const StepPattern pattern = pattern_of(split, where);
  const std::string behavior = json_string(split, "behavior", where, "Isolated");
  const bool invert = json_boolean(split, "invert", where, false);
  if (!pattern.is_regex && !invert && behavior == "MergedWithPrevious")
    return {SplitStep::Kind::after_text, pattern.text};
  if (!pattern.is_regex && !invert && behavior == "MergedWithNext") return {SplitStep::Kind::before_text, pattern.text};
  SplitStep step{SplitStep::Kind::pattern,
                 pattern.is_regex ? canonical_pattern(pattern.text) : literal_pattern(pattern.text)};
  // Removing what lies outside the matches changes nothing if the matches cover every text, as the known patterns' do.
  const bool keeps_all =
      behavior == "Isolated" || (behavior == "Removed" && invert && make_known_splitter(step.pattern));
  require(keeps_all, "[{}] expected a Split with behavior 'Isolated', got '{}'", where, behavior);
  return step;
}

void read_metaspace(const Json& step, std::string_view where, TokenizerData& data) {
  require(data.steps.empty(), "[{}] Metaspace behind another pre-tokenizer is not supported", where);
  require_blank_mark(step, where);
  data.prefix_space = prefix_of(step, where);
  if (data.normal.empty() || data.normal.back() != mark_blanks()) data.normal.push_back(mark_blanks());
  if (json_boolean(step, "split", where, true))
    data.steps.push_back({SplitStep::Kind::before_text, std::string(kBlankMark)});
}

// Returns whether a ByteLevel step was met; nothing may follow it.
bool add_split_steps(const Json& step, std::string_view where, TokenizerData& data) {
  const std::string type = type_of(step, where);
  if (type == "Sequence") {
    bool byte_level = false;
    for (const Json& part : json_array(step, "pretokenizers", where)) {
      require(!byte_level, "[{}] expected ByteLevel to be the last pre-tokenizer", where);
      byte_level = add_split_steps(part, where, data);
    }
    return byte_level;
  }
  if (type == "ByteLevel") {
    const bool prefix = json_boolean(step, "add_prefix_space", where, true);
    require(!prefix || data.steps.empty(), "[{}] add_prefix_space behind another pre-tokenizer is not supported",
            where);
    data.prefix_space = prefix ? PrefixSpace::always : PrefixSpace::never;
    if (json_boolean(step, "use_regex", where, true))
      data.steps.push_back({SplitStep::Kind::pattern, std::string(named_pattern("gpt2"))});
    return true;
  }
  if (type == "Metaspace") {
    read_metaspace(step, where, data);
  } else if (type == "Split") {
    data.steps.push_back(split_step(step, where));
  } else if (type == "Digits") {
    const bool each = json_boolean(step, "individual_digits", where, false);
    data.steps.push_back({each ? SplitStep::Kind::each_digit : SplitStep::Kind::digits, {}});
  } else {
    fail("[{}] expected the pre-tokenizers Split, Digits, Metaspace and ByteLevel, got '{}'", where, type);
  }
  require(data.steps.size() <= kMostSteps, "[{}] expected at most {} pre-tokenizers", where, kMostSteps);
  return false;
}

// What a decoder does to names, and to the blank in front of the text.
struct Decoding {
  bool marks_to_blanks = false, bytes = false, drops_prefix = false;
};
void read_decoding(const Json& decoder, std::string_view where, Decoding& found) {
  const std::string type = type_of(decoder, where);
  if (type == "Sequence") {
    for (const Json& part : json_array(decoder, "decoders", where)) read_decoding(part, where, found);
  } else if (type == "Metaspace") {
    require_blank_mark(decoder, where);
    found.marks_to_blanks = true;
    found.drops_prefix |= prefix_of(decoder, where) != PrefixSpace::never;
  } else if (type == "Replace") {
    const NormalStep step = replace_step(decoder, where);
    require(step == NormalStep{NormalStep::Kind::replace, std::string(kBlankMark), " "},
            "[{}] expected the decoder to replace {} by a blank, got '{}'", where, kBlankMark, step.from);
    found.marks_to_blanks = true;
  } else if (type == "Strip") {
    const int64_t start = json_integer(decoder, "start", where, 0);
    require(json_string(decoder, "content", where) == " " && json_integer(decoder, "stop", where, 0) == 0 &&
                (start == 0 || start == 1),
            "[{}] expected the decoder Strip to drop one blank in front", where);
    found.drops_prefix |= start == 1;
  } else if (type == "ByteFallback") {
    found.bytes = true;
  } else {
    require(type == "Fuse", "[{}] expected the decoders Metaspace, Replace, ByteFallback, Fuse and Strip, got '{}'",
            where, type);
  }
}

}  // namespace

void read_normalizer(const Json* normalizer, std::string_view where, TokenizerData& data) {
  if (normalizer != nullptr) add_normal_steps(*normalizer, where, data.normal);
}

void read_pre_tokenizer(const Json* pre_tokenizer, std::string_view where, TokenizerData& data) {
  const bool byte_level = pre_tokenizer != nullptr && add_split_steps(*pre_tokenizer, where, data);
  // Metaspace is one too, and is written among them.
  require(data.normal.size() <= kMostSteps, "[{}] expected at most {} normalizers", where, kMostSteps);
  data.vocabulary.kind = byte_level ? Vocabulary::Kind::bytes : Vocabulary::Kind::characters;
}

void read_decoder(const Json* decoder, std::string_view where, TokenizerData& data) {
  if (data.vocabulary.kind == Vocabulary::Kind::bytes) {
    require(decoder == nullptr || type_of(*decoder, where) == "ByteLevel",
            "[{}] expected the decoder ByteLevel behind the pre-tokenizer ByteLevel", where);
    return;
  }
  Decoding found;
  if (decoder != nullptr) read_decoding(*decoder, where, found);
  require(found.marks_to_blanks, "[{}] expected ByteLevel, or a decoder that turns {} into blanks", where, kBlankMark);
  require(found.bytes == data.vocabulary.byte_fallback,
          "[{}] expected byte_fallback in the model and ByteFallback in the decoder, or neither", where);
  data.drops_prefix = found.drops_prefix;
}

}  // namespace fude
