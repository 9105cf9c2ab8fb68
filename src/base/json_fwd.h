// The name of a JSON value, for headers that only pass one on: the library itself costs two seconds to compile.
#pragma once

#include <nlohmann/json_fwd.hpp>

namespace fude {

using Json = nlohmann::ordered_json;

}  // namespace fude
