#include "tensor/safetensors_shards.h"

#include <fmt/format.h>

#include <cstdio>
#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"

namespace fude {
namespace {

int64_t bytes_of(const SafetensorsOutput& tensor) {
  int64_t bytes = weight_format(tensor.type).block_bytes;
  for (const int64_t extent : tensor.shape) bytes *= extent;
  return bytes;
}

// Removes the shards of an earlier model: names of this form with another number of shards than `count`.
void remove_other_shards(const std::string& folder, size_t count) {
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename();
    size_t number = 0, of = 0;
    int end = 0;
    if (std::sscanf(name.c_str(), "model-%5zu-of-%5zu.safetensors%n", &number, &of, &end) == 2 &&
        size_t(end) == name.size() && of != count)
      std::filesystem::remove(entry.path());
  }
}

}  // namespace

void write_safetensors_folder(const std::string& folder, const std::vector<SafetensorsOutput>& tensors,
                              const WriteOptions& options, int64_t shard_bytes) {
  require(shard_bytes > 0, "[safetensors] expected shards of at least a byte, got {}", shard_bytes);
  std::vector<std::vector<SafetensorsOutput>> shards(1);
  int64_t total = 0, in_shard = 0;
  for (const SafetensorsOutput& tensor : tensors) {
    const int64_t bytes = bytes_of(tensor);
    if (in_shard > 0 && in_shard + bytes > shard_bytes) shards.emplace_back(), in_shard = 0;
    shards.back().push_back(tensor);
    in_shard += bytes, total += bytes;
  }
  const std::string whole = folder + "/model.safetensors", index = whole + ".index.json";
  if (shards.size() == 1) {
    write_safetensors(whole, tensors, options);
    std::remove(index.c_str());
    return remove_other_shards(folder, 0);
  }
  // Shards of an earlier model may have the same names: all are written beside them, and move when the last is there.
  // Whoever writes the index has the folder.
  write_atomically(index, [&](const auto& put) {
    Json map = Json::object();
    int64_t done = 0;
    WriteOptions of_shard = options;
    if (options.progress) of_shard.progress = [&](int64_t now, int64_t) { options.progress(done + now, total); };
    std::vector<std::string> paths;
    const auto beside = [](const std::string& path) { return path + ".new"; };
    try {
      for (size_t i = 0; i < shards.size(); ++i) {
        const std::string name = fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, shards.size());
        paths.push_back(folder + "/" + name);
        write_safetensors(beside(paths.back()), shards[i], of_shard);
        for (const SafetensorsOutput& tensor : shards[i]) map[tensor.name] = name, done += bytes_of(tensor);
      }
    } catch (...) {
      for (const std::string& path : paths) std::remove(beside(path).c_str());
      throw;
    }
    std::remove(index.c_str());  // it would name shards of both models for a moment
    for (const std::string& path : paths) move_into_place(beside(path), path);
    put(Json{{"metadata", {{"total_size", total}}}, {"weight_map", map}}.dump(2) + "\n");
  });
  std::remove(whole.c_str());
  remove_other_shards(folder, shards.size());
}

}  // namespace fude
