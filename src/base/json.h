// JSON from strangers and for them: nlohmann-json behind a door with limits.
//
// `parse_json` is the only way in (size and depth are bounded before the library sees the text); `Json`
// values and `dump()` are the library's own. Object keys keep their order, so that files written by Fude read
// as a person wrote them.
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
  // Of one object: a `Json` object searches all its keys for each one that is added.
  int64_t keys = 4096;
  // Objects this deep (0: the whole) may have any number of keys: the callback drops what it has seen.
  int dropped_at = -1;
};

// `where` names the source ("config.json", "corpus.jsonl:17") in the error message.
// `callback` sees each key and value as it is read and may drop it: for objects with very many keys.
Json parse_json(std::string_view text, std::string_view where, JsonLimits limits = {},
                const Json::parser_callback_t& callback = nullptr);

// Typed members with errors that name the place: "[config.json] expected a number at 'hidden_size', got a
// string".
int64_t json_integer(const Json& object, const char* key, std::string_view where);
double json_number(const Json& object, const char* key, std::string_view where);
std::string json_string(const Json& object, const char* key, std::string_view where);
bool json_boolean(const Json& object, const char* key, std::string_view where);
// The same with a value for a missing (or null) key.
int64_t json_integer(const Json& object, const char* key, std::string_view where, int64_t otherwise);
double json_number(const Json& object, const char* key, std::string_view where, double otherwise);
std::string json_string(const Json& object, const char* key, std::string_view where, std::string otherwise);
bool json_boolean(const Json& object, const char* key, std::string_view where, bool otherwise);

}  // namespace fude
