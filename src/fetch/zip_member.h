// One file out of a zip archive (Python's wheels are such), by libzip.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace fude {

// Hands on the bytes of `member` piece by piece. Error if there is none of that name, it is damaged, or it has more
// than `limit` bytes.
void read_zip_member(const std::string& path, const std::string& member, uint64_t limit,
                     const std::function<void(std::string_view)>& piece);

}  // namespace fude
