// SHA-256, by which a file is known to be the one that was published.
#pragma once

#include <string>

namespace fude {

// Of a file's bytes, as 64 hexadecimal digits in small letters.
std::string sha256_of_file(const std::string& path);

}  // namespace fude
