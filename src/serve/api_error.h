// What a client is told when its request is refused: the status and the body that OpenAI's libraries read.
//
// Those libraries choose their exception by the status alone and try 408, 409, 429 and everything from 500 on again. So
// what would fail the same way again is never a 5xx, and what asks to come back later says when.
#pragma once

#include <string>
#include <utility>

#include "base/error.h"

namespace fude {

class ApiError : public Error {
 public:
  // `param`: the field that is wrong; `code`: a name for programs. Empty ones are null in the body. A message of more
  // than 500 characters is cut, as it may quote all that a stranger sent.
  ApiError(int status, const std::string& message, std::string param = {}, std::string code = {});

  const int status;
  const std::string param, code;
  double retry_after = 0;  // seconds; 0: not said

  const char* type() const;
  // {"error": {"message": …, "type": …, "param": …, "code": …}}
  std::string body() const;
};

}  // namespace fude
