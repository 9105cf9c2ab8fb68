// JSON from strangers and for them: nlohmann-json behind a door with limits.
//
// `parse_json` is the only way in (size, depth and count of values are bounded); `Json` values and `dump()` are the
// library's own. Object keys keep their order, so that files written by Fude read as a person wrote them.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/json_fwd.h"

namespace fude {

struct JsonLimits {
  uint64_t bytes = uint64_t(1) << 30;
  int depth = 100;
  // Of all kinds, at any depth. Each takes 16 to 110 bytes however short its text is, so that these stay below 1 GiB. A
  // tokenizer.json has some seven for each token: one, and three for each of its merges (Gemma 3's: 2 million in all).
  uint64_t values = uint64_t(8) << 20;
  // Integers beyond int64_t become strings of their digits, where the library makes them unsigned or, longer, a float.
  bool long_integers_as_text = false;
};

// `where` names the source ("config.json", "corpus.jsonl:17") in the error message. Error also for a key that comes
// twice in an object.
Json parse_json(std::string_view text, std::string_view where, JsonLimits limits = {});

// Typed members with errors that name the place: "[config.json] expected an integer at 'hidden_size', got string".
int64_t json_integer(const Json& object, const char* key, std::string_view where);
double json_number(const Json& object, const char* key, std::string_view where);
std::string json_string(const Json& object, const char* key, std::string_view where);
bool json_boolean(const Json& object, const char* key, std::string_view where);
// The same with a value for a missing (or null) key.
int64_t json_integer(const Json& object, const char* key, std::string_view where, int64_t otherwise);
double json_number(const Json& object, const char* key, std::string_view where, double otherwise);
std::string json_string(const Json& object, const char* key, std::string_view where, std::string otherwise);
bool json_boolean(const Json& object, const char* key, std::string_view where, bool otherwise);
// An object's member, or null if it is missing or null; a member that is an array.
const Json* json_member(const Json& object, const char* key, std::string_view where);
const Json& json_array(const Json& object, const char* key, std::string_view where);

}  // namespace fude
