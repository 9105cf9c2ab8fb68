#include "serve/api_error.h"

#include "base/json.h"

namespace fude {

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
