#include "base/json.h"

#include <vector>

#include "base/error.h"

namespace fude {
namespace {

// The library parses recursively; measure nesting and keys first, outside strings.
void require_limits(std::string_view text, std::string_view where, const JsonLimits& limits) {
  std::vector<int64_t> keys;  // of each object that is open, outermost first; an array has none
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      keys.push_back(0);
      require(int(keys.size()) <= limits.depth, "[{}] JSON is nested deeper than {}", where, limits.depth);
    } else if (c == '}' || c == ']') {
      if (!keys.empty()) keys.pop_back();
    } else if (c == ':' && !keys.empty()) {
      require(++keys.back() <= limits.keys || int(keys.size()) - 1 == limits.dropped_at,
              "[{}] a JSON object has more than {} keys", where, limits.keys);
    }
  }
}

const Json* find(const Json& object, const char* key, std::string_view where) {
  require(object.is_object(), "[{}] expected a JSON object, got {}", where, object.type_name());
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

const Json& need(const Json& object, const char* key, std::string_view where) {
  const Json* value = find(object, key, where);
  require(value != nullptr, "[{}] expected the key '{}', it is missing", where, key);
  return *value;
}

int64_t integer(const Json& value, const char* key, std::string_view where) {
  require(value.is_number_integer(), "[{}] expected an integer at '{}', got {}", where, key,
          value.type_name());
  require(!value.is_number_unsigned() || value.get<uint64_t>() <= uint64_t(INT64_MAX),
          "[{}] the integer at '{}' is too large", where, key);
  return value.get<int64_t>();
}
double number(const Json& value, const char* key, std::string_view where) {
  require(value.is_number(), "[{}] expected a number at '{}', got {}", where, key, value.type_name());
  return value.get<double>();
}
std::string string(const Json& value, const char* key, std::string_view where) {
  require(value.is_string(), "[{}] expected a string at '{}', got {}", where, key, value.type_name());
  return value.get<std::string>();
}
bool boolean(const Json& value, const char* key, std::string_view where) {
  require(value.is_boolean(), "[{}] expected true or false at '{}', got {}", where, key, value.type_name());
  return value.get<bool>();
}

}  // namespace

Json parse_json(std::string_view text, std::string_view where, JsonLimits limits,
                const Json::parser_callback_t& callback) {
  require(text.size() <= limits.bytes, "[{}] JSON has {} bytes, the limit is {}", where, text.size(),
          limits.bytes);
  require_limits(text, where, limits);
  try {
    return Json::parse(text, callback);
  } catch (const nlohmann::json::exception& error) { fail("[{}] not valid JSON: {}", where, error.what()); }
}

int64_t json_integer(const Json& object, const char* key, std::string_view where) {
  return integer(need(object, key, where), key, where);
}
double json_number(const Json& object, const char* key, std::string_view where) {
  return number(need(object, key, where), key, where);
}
std::string json_string(const Json& object, const char* key, std::string_view where) {
  return string(need(object, key, where), key, where);
}
bool json_boolean(const Json& object, const char* key, std::string_view where) {
  return boolean(need(object, key, where), key, where);
}
int64_t json_integer(const Json& object, const char* key, std::string_view where, int64_t otherwise) {
  const Json* value = find(object, key, where);
  return value == nullptr ? otherwise : integer(*value, key, where);
}
double json_number(const Json& object, const char* key, std::string_view where, double otherwise) {
  const Json* value = find(object, key, where);
  return value == nullptr ? otherwise : number(*value, key, where);
}
std::string json_string(const Json& object, const char* key, std::string_view where, std::string otherwise) {
  const Json* value = find(object, key, where);
  return value == nullptr ? std::move(otherwise) : string(*value, key, where);
}
bool json_boolean(const Json& object, const char* key, std::string_view where, bool otherwise) {
  const Json* value = find(object, key, where);
  return value == nullptr ? otherwise : boolean(*value, key, where);
}

}  // namespace fude
