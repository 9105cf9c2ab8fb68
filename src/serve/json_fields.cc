#include "serve/json_fields.h"

#include "base/nearest.h"

namespace fude {
namespace {

// What was sent, short enough for a message.
std::string shown(const Json& value) {
  if (value.is_structured()) return value.is_array() ? "a list" : "an object";
  std::string text = value.dump(-1, ' ', true, Json::error_handler_t::replace);
  if (text.size() > 60) text = text.substr(0, 57) + "...";
  return text;
}

}  // namespace

JsonFields::JsonFields(const Json& object, std::string place) : object_(object), place_(std::move(place)) {
  if (!object.is_object())
    throw ApiError(400,
                   fmt::format("[request] expected an object{}, got {}", place_.empty() ? "" : " at '" + place_ + "'",
                               shown(object)),
                   place_, "invalid_type");
}

void JsonFields::fail(const char* key, const std::string& expected, const Json& got, const char* code) const {
  throw ApiError(400, fmt::format("[request] expected {} at '{}', got {}", expected, place_of(key), shown(got)),
                 place_of(key), code);
}

void JsonFields::fail(const char* key, const std::string& message, const char* code) const {
  throw ApiError(400, "[request] " + message, place_of(key), code);
}

const Json* JsonFields::find(const char* key) const {
  const auto found = object_.find(key);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

const Json& JsonFields::need(const char* key) const {
  if (const Json* value = find(key)) return *value;
  const bool is_null = object_.contains(key);
  std::string found = is_null ? "null" : "missing";
  for (const auto& [name, value] : object_.items())
    if (!is_null && name.size() < 60 && nearest_name(name, {key}) == key) {
      found = "missing; '" + name + "' is not known";
      break;
    }
  throw ApiError(400, fmt::format("[request] expected '{}', it is {}", place_of(key), found), place_of(key),
                 "missing_required_parameter");
}

std::string JsonFields::string(const char* key, std::string otherwise) const {
  const Json* value = find(key);
  if (value == nullptr) return otherwise;
  if (!value->is_string()) fail_type(key, "a string", *value);
  return value->get<std::string>();
}

bool JsonFields::boolean(const char* key, bool otherwise) const {
  const Json* value = find(key);
  if (value == nullptr) return otherwise;
  if (!value->is_boolean()) fail_type(key, "true or false", *value);
  return value->get<bool>();
}

double JsonFields::number(const char* key, double least, double most, double otherwise) const {
  const Json* value = find(key);
  if (value == nullptr) return otherwise;
  const std::string expected = fmt::format("a number from {} to {}", least, most);
  if (!value->is_number()) fail_type(key, expected, *value);
  const auto number = value->get<double>();
  if (!(number >= least && number <= most)) fail(key, expected, *value);
  return number;
}

int64_t JsonFields::integer(const char* key, int64_t least, int64_t most, int64_t otherwise) const {
  const Json* value = find(key);
  if (value == nullptr) return otherwise;
  const std::string expected = fmt::format("a whole number from {} to {}", least, most);
  if (!value->is_number_integer()) fail_type(key, expected, *value);
  if (value->is_number_unsigned() && value->get<uint64_t>() > uint64_t(INT64_MAX)) fail(key, expected, *value);
  const auto number = value->get<int64_t>();
  if (number < least || number > most) fail(key, expected, *value);
  return number;
}

const Json* JsonFields::list(const char* key, size_t most) const {
  const Json* value = find(key);
  if (value == nullptr) return nullptr;
  if (!value->is_array()) fail_type(key, "a list", *value);
  if (value->size() > most)
    fail(key, fmt::format("'{}' has {} items, the limit is {}", place_of(key), value->size(), most));
  return value;
}

}  // namespace fude
