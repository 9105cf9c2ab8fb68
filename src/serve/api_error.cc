#include "serve/api_error.h"

#include "base/json.h"
#include "text/unicode.h"

namespace fude {
namespace {

constexpr int kMostCharacters = 500;  // of a message

std::string shortened(const std::string& message) {
  if (message.size() <= kMostCharacters) return message;
  size_t end = 0;
  for (int i = 0; i < kMostCharacters - 1 && end < message.size(); ++i) end += decode_character(message, end).length;
  return end == message.size() ? message : message.substr(0, end) + "…";
}

}  // namespace

ApiError::ApiError(int status, const std::string& message, std::string param, std::string code)
    : Error(shortened(message)), status(status), param(std::move(param)), code(std::move(code)) {}

const char* ApiError::type() const {
  if (status == 429) return "rate_limit_error";
  return status >= 500 ? "server_error" : "invalid_request_error";
}

std::string ApiError::body() const {
  const auto or_null = [](const std::string& text) { return text.empty() ? Json() : Json(text); };
  const Json error = {{"message", what()}, {"type", type()}, {"param", or_null(param)}, {"code", or_null(code)}};
  // Messages may quote what a stranger sent.
  return Json{{"error", error}}.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace fude
