#include "data/identity.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"

namespace fude {
namespace {

std::string text_of_value(const Json* value) {
  if (value == nullptr || value->is_null()) return "absent";
  // A float that was widened is said as it was given: 0.1.
  if (value->is_number_float())
    if (const double number = value->get<double>(); double(float(number)) == number)
      return fmt::format("{}", float(number));
  return value->dump(-1, ' ', false, Json::error_handler_t::replace);
}

void add_differences(const Json& earlier, const Json& now, const std::string& prefix, std::string& all) {
  const auto compare = [&](const std::string& key, const Json* before, const Json* after) {
    if (before != nullptr && after != nullptr) {
      if (*before == *after) return;
      if (before->is_object() && after->is_object()) return add_differences(*before, *after, prefix + key + ".", all);
    }
    all += fmt::format("{}'{}{}' was {}, now it is {}", all.empty() ? "" : "; ", prefix, key, text_of_value(before),
                       text_of_value(after));
  };
  for (const auto& [key, value] : now.items()) {
    const auto found = earlier.find(key);
    compare(key, found == earlier.end() ? nullptr : &*found, &value);
  }
  for (const auto& [key, value] : earlier.items())
    if (!now.contains(key)) compare(key, &value, nullptr);
}

}  // namespace

std::string fingerprint_of_file(const std::string& path) {
  constexpr uint64_t kMost = 1024, kPieceBytes = 64 << 10;
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return {};
  std::ifstream in(path, std::ios::binary);
  if (!in) return {};
  const uint64_t size = file_size(path), pieces = std::min(kMost, (size + kPieceBytes - 1) / kPieceBytes);
  std::string seen = std::to_string(size), piece(kPieceBytes, '\0');
  for (uint64_t i = 0; i < pieces; ++i) {
    in.clear();
    in.seekg(pieces == 1 ? 0 : std::streamoff((size - kPieceBytes) * i / (pieces - 1)));
    in.read(piece.data(), std::streamsize(piece.size()));
    seen += hash_hex({piece.data(), size_t(in.gcount())});
  }
  return hash_hex(seen);
}

std::string differences(const Json& earlier, const Json& now) {
  std::string all;
  if (!earlier.is_object() || !now.is_object()) return earlier == now ? "" : "there is no list of settings";
  add_differences(earlier, now, "", all);
  return all;
}

}  // namespace fude
