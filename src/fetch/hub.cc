#include "fetch/hub.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "base/error.h"
#include "base/json.h"
#include "fetch/http.h"

namespace fude {
namespace {

constexpr uint64_t kListLimit = 16 << 20, kFileLimit = uint64_t(1) << 40, kSmallFileLimit = 512 << 20;
constexpr const char* kIfRefused = "a model that is not public needs HF_TOKEN";
constexpr const char* kIfNoHubAnswers = "check the network; HF_ENDPOINT names another hub, https_proxy a way there";

bool is_plain(std::string_view text) {
  return !text.empty() && text.size() <= 200 && text.front() != '.' && text.find("..") == text.npos &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.' || c == '+' || c == '=';
         });
}

bool is_repository(std::string_view text) {
  const size_t slash = text.find('/');
  return slash != text.npos && is_plain(text.substr(0, slash)) && is_plain(text.substr(slash + 1));
}

bool is_weights(std::string_view name) { return name.starts_with("model") && name.ends_with(".safetensors"); }

std::vector<std::string> hub_headers() {
  const char* token = std::getenv("HF_TOKEN");
  if (token == nullptr || *token == '\0') return {};
  const std::string_view text = token;
  require(std::all_of(text.begin(), text.end(), [](unsigned char c) { return c > ' ' && c < 127; }),
          "[hub] expected HF_TOKEN without blanks and line ends");
  return {fmt::format("Authorization: Bearer {}", text)};
}

}  // namespace

bool is_of_a_folder(std::string_view name) {
  for (const char* known : {"config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json",
                            "tokenizer.model", "chat_template.jinja", "model.safetensors.index.json"})
    if (name == known) return true;
  return is_weights(name);
}

bool is_hub_name(std::string_view text) {
  const size_t colon = text.find(':');
  return is_repository(text.substr(0, colon)) && (colon == text.npos || is_plain(text.substr(colon + 1)));
}

HubName parse_hub_name(std::string_view text) {
  require(is_hub_name(text), "[hub] expected a repository such as org/name or org/name:file, got '{}'", text);
  const size_t colon = text.find(':');
  return {std::string(text.substr(0, colon)), colon == text.npos ? "" : std::string(text.substr(colon + 1))};
}

std::string hub_endpoint() {
  const char* own = std::getenv("HF_ENDPOINT");
  std::string endpoint = own == nullptr || *own == '\0' ? "https://huggingface.co" : own;
  while (endpoint.ends_with('/')) endpoint.pop_back();
  return endpoint;
}

RemoteFile hub_file(const std::string& endpoint, const std::string& repository, const std::string& file) {
  return {.url = endpoint + "/" + repository + "/resolve/main/" + file,
          .limit = kFileLimit,
          .headers = hub_headers(),
          .if_refused = kIfRefused};
}

std::vector<HubFile> choose_hub_files(std::string_view list, const HubName& name, const std::string& endpoint,
                                      std::string_view where) {
  const Json json = parse_json(list, where, {kListLimit});
  require(json.is_array(), "[hub] {}: expected a list of files", where);
  std::vector<HubFile> all, chosen;
  std::string known;
  for (const Json& item : json) {
    const std::string path = json_string(item, "path", where);
    if (json_string(item, "type", where) != "file" || !is_plain(path)) continue;
    HubFile file{path, hub_file(endpoint, name.repository, path)};
    file.remote.size = uint64_t(std::max<int64_t>(0, json_integer(item, "size", where, 0)));
    // Large files are known by their SHA-256, small ones by git's sum only.
    if (const auto large = item.find("lfs"); large != item.end() && large->is_object())
      file.remote.sha256 = json_string(*large, "oid", where, "");
    if (file.remote.sha256.empty()) file.remote.limit = kSmallFileLimit;
    if (path.ends_with(".gguf") || is_of_a_folder(path)) known += (known.empty() ? "" : ", ") + path;
    all.push_back(std::move(file));
  }
  const auto take = [&](const auto& is_wanted) {
    std::copy_if(all.begin(), all.end(), std::back_inserter(chosen),
                 [&](const HubFile& f) { return is_wanted(f.name); });
  };
  const auto has = [&](const auto& is_wanted) {
    return std::any_of(all.begin(), all.end(), [&](const HubFile& f) { return is_wanted(f.name); });
  };
  const auto is_gguf = [](const std::string& n) { return n.ends_with(".gguf"); };
  if (!name.file.empty()) {
    take([&](const std::string& n) { return n == name.file; });
  } else if (has([](const std::string& n) { return n == "config.json"; }) && has(is_weights)) {
    take(is_of_a_folder);
  } else if (std::count_if(all.begin(), all.end(), [&](const HubFile& f) { return is_gguf(f.name); }) == 1) {
    take(is_gguf);
  }
  require(!chosen.empty(), "[hub] {}: expected {}; there are: {}", name.repository,
          name.file.empty()
              ? "config.json with model*.safetensors, or one .gguf file (else name it, as in org/name:file)"
              : name.file,
          known.empty() ? "no files of a model" : known);
  return chosen;
}

std::vector<HubFile> find_in_hub(const HubName& name) {
  const std::string endpoint = hub_endpoint(), url = endpoint + "/api/models/" + name.repository + "/tree/main";
  const FetchRequest request{
      .url = url, .headers = hub_headers(), .if_refused = kIfRefused, .if_unreachable = kIfNoHubAnswers};
  return choose_hub_files(fetch_text(request, kListLimit), name, endpoint, shown(url));
}

}  // namespace fude
