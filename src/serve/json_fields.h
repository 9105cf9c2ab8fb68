// The members of a JSON object from a client, by name, with their types and ranges: what is wrong is an ApiError that
// names the place ("messages[2].content").
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "serve/api_error.h"

namespace fude {

class JsonFields {
 public:
  // `place` of the object; empty: the body itself. Error if it is none.
  JsonFields(const Json& object, std::string place);

  std::string place_of(const char* key) const { return place_.empty() ? key : place_ + "." + key; }
  [[noreturn]] void fail(const char* key, const std::string& expected, const Json& got,
                         const char* code = "invalid_value") const;
  [[noreturn]] void fail_type(const char* key, const std::string& expected, const Json& got) const {
    fail(key, expected, got, "invalid_type");
  }
  [[noreturn]] void fail(const char* key, const std::string& message, const char* code = "invalid_value") const;
  // Null if it is not there, or null.
  const Json* find(const char* key) const;
  const Json& need(const char* key) const;

  std::string string(const char* key, std::string otherwise = {}) const;
  bool boolean(const char* key, bool otherwise = false) const;
  double number(const char* key, double least, double most, double otherwise) const;
  int64_t integer(const char* key, int64_t least, int64_t most, int64_t otherwise) const;
  // Null if it is not there; Error if it has more items.
  const Json* list(const char* key, size_t most) const;
  std::string item_place(const char* key, size_t index) const {
    return place_of(key) + "[" + std::to_string(index) + "]";
  }

 private:
  const Json& object_;
  std::string place_;
};

}  // namespace fude
