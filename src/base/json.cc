#include "base/json.h"

#include <algorithm>
#include <vector>

#include "base/error.h"

namespace fude {
namespace {

// Builds the value from what the library's parser reads. A member is appended without looking for its key,
// and an object's keys are compared by sorting when it ends: the library's ordered object searches all keys
// for each that is added, and a vocabulary of 200,000 entries would take minutes.
class Builder : public nlohmann::json_sax<Json> {
 public:
  Builder(std::string_view where, const JsonLimits& limits)
      : where_(where),
        depth_(size_t(limits.depth)),
        values_(limits.values),
        long_integers_as_text_(limits.long_integers_as_text) {}

  bool null() override { return put(nullptr); }
  bool boolean(bool value) override { return put(value); }
  bool number_integer(number_integer_t value) override { return put(value); }
  bool number_unsigned(number_unsigned_t value) override {
    const bool is_text = long_integers_as_text_ && value > uint64_t(INT64_MAX);
    return is_text ? put(std::to_string(value)) : put(value);
  }
  bool number_float(number_float_t value, const string_t& spelled) override {
    const bool is_text = long_integers_as_text_ && spelled.find_first_of(".eE") == string_t::npos;
    return is_text ? put(spelled) : put(value);
  }
  bool string(string_t& value) override { return put(std::move(value)); }
  bool binary(binary_t&) override { return false; }  // not in JSON
  bool key(string_t& name) override {
    name_ = std::move(name);
    return true;
  }
  bool start_object(size_t) override { return open(Json::object()); }
  bool start_array(size_t) override { return open(Json::array()); }
  bool end_array() override {
    open_.pop_back();
    return true;
  }
  bool end_object() override {
    std::vector<std::string_view> names;
    for (const auto& [name, value] : members(*open_.back())) names.push_back(name);
    std::sort(names.begin(), names.end());
    const auto twice = std::adjacent_find(names.begin(), names.end());
    require(twice == names.end(), "[{}] the key '{}' comes twice in a JSON object", where_,
            twice == names.end() ? "" : *twice);
    open_.pop_back();
    return true;
  }
  bool parse_error(size_t, const std::string&, const Json::exception& error) override {
    const std::string_view what = error.what();  // "[json.exception.parse_error.101] parse error at line 1, …"
    fail("[{}] not valid JSON: {}", where_, what.substr(what.find(' ') + 1));
  }

  Json take() { return std::move(root_); }

 private:
  static std::vector<Json::object_t::value_type>& members(Json& object) { return object.get_ref<Json::object_t&>(); }

  bool put(Json value) {
    place(std::move(value));
    return true;
  }
  bool open(Json value) {
    require(open_.size() < depth_, "[{}] JSON is nested deeper than {}", where_, depth_);
    open_.push_back(place(std::move(value)));
    return true;
  }
  // Where it lies; nothing is added to what is around an open value, so that it stays there.
  Json* place(Json value) {
    require(++count_ <= values_, "[{}] expected JSON of at most {} values, got more", where_, values_);
    if (open_.empty()) return &(root_ = std::move(value));
    Json& around = *open_.back();
    if (around.is_array()) return &around.get_ref<Json::array_t&>().emplace_back(std::move(value));
    return &members(around).emplace_back(std::move(name_), std::move(value)).second;
  }

  std::string_view where_;
  size_t depth_;
  uint64_t values_, count_ = 0;
  bool long_integers_as_text_;
  std::vector<Json*> open_;  // outermost first
  std::string name_;         // of the member to come
  Json root_;
};

const Json& need(const Json& object, const char* key, std::string_view where) {
  const Json* value = json_member(object, key, where);
  require(value != nullptr, "[{}] expected the key '{}', it is missing", where, key);
  return *value;
}

int64_t integer(const Json& value, const char* key, std::string_view where) {
  require(value.is_number_integer(), "[{}] expected an integer at '{}', got {}", where, key, value.type_name());
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

Json parse_json(std::string_view text, std::string_view where, JsonLimits limits) {
  require(text.size() <= limits.bytes, "[{}] JSON has {} bytes, the limit is {}", where, text.size(), limits.bytes);
  // The library takes one for the end, whatever comes behind it.
  require(text.find('\0') == std::string_view::npos, "[{}] not valid JSON: there is a NUL byte in it", where);
  Builder builder(where, limits);
  Json::sax_parse(text, &builder);
  return builder.take();
}

const Json* json_member(const Json& object, const char* key, std::string_view where) {
  require(object.is_object(), "[{}] expected a JSON object, got {}", where, object.type_name());
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

const Json& json_array(const Json& object, const char* key, std::string_view where) {
  const Json* value = json_member(object, key, where);
  require(value != nullptr && value->is_array(), "[{}] expected an array at '{}'", where, key);
  return *value;
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
  const Json* value = json_member(object, key, where);
  return value == nullptr ? otherwise : integer(*value, key, where);
}
double json_number(const Json& object, const char* key, std::string_view where, double otherwise) {
  const Json* value = json_member(object, key, where);
  return value == nullptr ? otherwise : number(*value, key, where);
}
std::string json_string(const Json& object, const char* key, std::string_view where, std::string otherwise) {
  const Json* value = json_member(object, key, where);
  return value == nullptr ? std::move(otherwise) : string(*value, key, where);
}
bool json_boolean(const Json& object, const char* key, std::string_view where, bool otherwise) {
  const Json* value = json_member(object, key, where);
  return value == nullptr ? otherwise : boolean(*value, key, where);
}

}  // namespace fude
