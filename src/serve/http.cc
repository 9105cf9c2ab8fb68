#include "serve/http.h"

#include <algorithm>
#include <cmath>

namespace fude {

HttpReply reply_of(const ApiError& error) {
  HttpReply reply{.status = error.status, .body = error.body()};
  if (error.status == 401) reply.headers.emplace_back("www-authenticate", "Bearer");
  if (error.retry_after > 0)
    reply.headers.emplace_back("retry-after", std::to_string(int64_t(std::ceil(std::min(error.retry_after, 3600.0)))));
  if (error.code == "internal_error") reply.headers.emplace_back("x-should-retry", "false");  // it would come again
  return reply;
}

}  // namespace fude
