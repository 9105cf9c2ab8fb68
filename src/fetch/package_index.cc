#include "fetch/package_index.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "fetch/http.h"

namespace fude {
namespace {

constexpr uint64_t kPageLimit = 64 << 20, kSettingsLimit = 1 << 20;
constexpr const char* kIfNoIndexAnswers =
    "check the network; PIP_INDEX_URL names another index, https_proxy a way there";

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string_view stripped(std::string_view text) {
  while (!text.empty() && std::isspace(uint8_t(text.front()))) text.remove_prefix(1);
  while (!text.empty() && std::isspace(uint8_t(text.back()))) text.remove_suffix(1);
  return text;
}

bool is_sha256(std::string_view text) {
  return text.size() == 64 &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

// "…/name.whl#sha256=…" → the address without, and the sum.
void set_address(const std::string& base, std::string link, IndexFile& file) {
  if (const size_t mark = link.find('#'); mark != link.npos) {
    const std::string fragment = link.substr(mark + 1);
    constexpr std::string_view kSum = "sha256=";
    if (fragment.starts_with(kSum) && is_sha256(fragment.substr(kSum.size())))
      file.sha256 = fragment.substr(kSum.size());
    link.resize(mark);
  }
  file.url = resolve_url(base, link);
}

std::vector<IndexFile> parse_json_page(const std::string& page, const std::string& url) {
  const std::string where = shown(url);
  const Json json = parse_json(page, where, {kPageLimit});
  const auto list = json.find("files");
  require(list != json.end() && list->is_array(), "[index] {}: expected a list at 'files'", where);
  std::vector<IndexFile> files;
  for (const Json& item : *list) {
    IndexFile file{.name = json_string(item, "filename", where)};
    set_address(url, json_string(item, "url", where), file);
    if (const auto hashes = item.find("hashes"); hashes != item.end() && hashes->is_object())
      if (const std::string sum = json_string(*hashes, "sha256", where, ""); is_sha256(sum)) file.sha256 = sum;
    file.size = uint64_t(std::max<int64_t>(0, json_integer(item, "size", where, 0)));
    files.push_back(std::move(file));
  }
  return files;
}

std::string unescaped(std::string text) {
  for (size_t at = 0; (at = text.find("&amp;", at)) != text.npos; ++at) text.erase(at + 1, 4);
  return text;
}

// <a href="address">name</a>, again and again; nothing else on the page matters.
std::vector<IndexFile> parse_html_page(const std::string& page, const std::string& url) {
  std::vector<IndexFile> files;
  size_t at = 0;
  while ((at = page.find("<a ", at)) != page.npos) {
    const size_t end = page.find('>', at), close = page.find("</a>", at);
    if (end == page.npos || close == page.npos || end > close) break;
    const std::string tag = page.substr(at, end - at);
    at = close;
    const size_t link = tag.find("href=");
    if (link == tag.npos || link + 6 >= tag.size()) continue;
    const char quote = tag[link + 5];
    const size_t link_end = tag.find(quote, link + 6);
    if ((quote != '"' && quote != '\'') || link_end == tag.npos) continue;
    IndexFile file{.name = std::string(stripped(std::string_view(page).substr(end + 1, close - end - 1)))};
    set_address(url, unescaped(tag.substr(link + 6, link_end - link - 6)), file);
    files.push_back(std::move(file));
  }
  return files;
}

}  // namespace

void read_pip_config(std::string_view text, PipSettings& settings) {
  bool is_global = false;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = stripped(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.starts_with('[')) is_global = line == "[global]";
    const size_t sign = line.find_first_of("=:");
    if (!is_global || sign == line.npos || line.starts_with('#') || line.starts_with(';')) continue;
    std::string key(stripped(line.substr(0, sign)));
    std::replace(key.begin(), key.end(), '_', '-');
    const std::string value(stripped(line.substr(sign + 1)));
    if (key == "index-url" && !value.empty()) settings.index_url = value;
    if (key == "cert" && !value.empty()) settings.certificates = value;
  }
}

PipSettings pip_settings() {
  PipSettings settings;
  const std::string home = environment("HOME"), folder = environment("XDG_CONFIG_HOME"),
                    own = environment("PIP_CONFIG_FILE");
  // What comes later goes before what came earlier; /dev/null means none of them.
  const std::vector<std::string> paths = {"/etc/xdg/pip/pip.conf", "/etc/pip.conf", home + "/.pip/pip.conf",
                                          (folder.empty() ? home + "/.config" : folder) + "/pip/pip.conf", own};
  for (const std::string& path : paths)
    if (own != "/dev/null" && !path.empty() && file_exists(path))
      read_pip_config(read_file(path, kSettingsLimit), settings);
  if (const std::string url = environment("PIP_INDEX_URL"); !url.empty()) settings.index_url = url;
  if (const std::string file = environment("PIP_CERT"); !file.empty()) settings.certificates = file;
  return settings;
}

std::vector<IndexFile> parse_index_page(const std::string& page, const std::string& url) {
  const std::string_view begin = stripped(page);
  require(begin.starts_with('{') || begin.starts_with('<'), "[index] {}: expected a page in JSON or HTML", shown(url));
  return begin.starts_with('{') ? parse_json_page(page, url) : parse_html_page(page, url);
}

IndexFile find_in_index(const PipSettings& settings, const std::string& project, const std::string& file) {
  std::string url = settings.index_url;
  if (!url.ends_with('/')) url += '/';
  url += project + "/";
  const std::string accept =
      "Accept: application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1";
  const FetchRequest request{
      .url = url, .headers = {accept}, .certificates = settings.certificates, .if_unreachable = kIfNoIndexAnswers};
  const std::string page = fetch_text(request, kPageLimit);
  for (IndexFile& found : parse_index_page(page, url))
    if (found.name == file) return std::move(found);
  throw FetchError(fmt::format("[index] {}: there is no file {}", shown(url), file), true);
}

}  // namespace fude
