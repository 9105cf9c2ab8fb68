// fude info PATH: what a folder or file of Fude's holds, and what a model needs. The facts are one JSON
// object, printed as it is with --json, and else line by line.
#include <cstdio>
#include <filesystem>

#include "app/commands.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/progress.h"
#include "data/shard.h"
#include "infer/generator.h"
#include "model/folder.h"
#include "tensor/safetensors.h"
#include "text/chat_format.h"
#include "text/tokenizer.h"
#include "train/checkpoint_file.h"
#include "train/metrics.h"

namespace fude {
namespace {

namespace fs = std::filesystem;

struct InfoOptions {
  std::string path, compute = "f32";
  int64_t context = 0;
  bool tensors = false;
};

// Types of the tensors of a safetensors file and how many elements there are of each; with `list`, every
// tensor.
void add_tensors(Json& facts, const std::vector<std::string>& files, bool list) {
  std::map<std::string, int64_t> elements;
  Json tensors = Json::array();
  int64_t count = 0;
  for (const std::string& path : files) {
    const SafetensorsFile file(path);
    for (const auto& [name, entry] : file.entries()) {
      elements[entry.dtype] += entry.size();
      ++count;
      if (list) tensors.push_back({{"name", name}, {"type", entry.dtype}, {"shape", entry.shape}});
    }
  }
  facts["tensors_in_file"] = count;
  for (const auto& [type, size] : elements) facts["elements"][type] = size;
  if (list) facts["tensors"] = tensors;
}

std::vector<std::string> files_with(const std::string& folder, const std::string& extension) {
  std::vector<std::string> files;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().extension() == extension) files.push_back(entry.path().string());
  std::sort(files.begin(), files.end());
  return files;
}

void add_tokenizer_facts(Json& facts, const std::string& path) {
  const Tokenizer tokenizer = Tokenizer::load(path);
  int64_t special = 0;
  for (int64_t id = 0; id < tokenizer.vocabulary_size(); ++id)
    special += tokenizer.is_special(TokenId(id)) ? 1 : 0;
  facts["tokenizer"] = {{"entries", tokenizer.vocabulary_size()},
                        {"special", special},
                        {"chat", ChatFormat::is_in(tokenizer)},
                        {"hash", tokenizer.hash()}};
}

void add_model(Json& facts, const std::string& folder, const InfoOptions& o) {
  const ModelConfig c = read_config(folder);
  const DType compute = compute_type_of(o.compute);
  const int64_t context = o.context == 0 ? c.context : o.context;
  Device counting(1, /*only_counts=*/true);
  facts["family"] = c.family;
  facts["parameters"] = Transformer(counting, c).parameter_count();
  facts["layers"] = c.layers;
  facts["width"] = c.width;
  facts["heads"] = c.heads;
  facts["key_value_heads"] = c.kv_heads;
  facts["head_size"] = c.head_size;
  facts["feed_forward"] = c.feed_forward;
  facts["vocabulary"] = c.vocabulary;
  facts["context"] = c.context;
  const Device::Usage plan = plan_generation_memory(c, context, compute);
  facts["memory"] = {{"compute", o.compute}, {"context", context}};
  for (int i = 0; i < kPurposes; ++i)
    if (plan.at_peak[size_t(i)] > 0)
      facts["memory"][std::string(name_of(Purpose(i))) + "_bytes"] = plan.at_peak[size_t(i)];
  facts["memory"]["peak_bytes"] = plan.peak;
  add_tensors(facts, files_with(folder, ".safetensors"), o.tensors);
  if (file_exists(folder + "/tokenizer.json")) add_tokenizer_facts(facts, folder);
}

void add_shards(Json& facts, const std::string& folder) {
  const std::string path = folder + "/shards.json";
  const Json state = parse_json(read_file(path, uint64_t(64) << 20), path);
  facts["complete"] = json_boolean(state, "complete", path);
  if (state.contains("shards")) facts["shards"] = state["shards"].size();
  if (!facts["complete"].get<bool>()) return;
  const ShardInfo info = ShardSet(folder, ShardCheck::structure).info();
  facts["documents"] = info.documents;
  facts["tokens"] = info.tokens;
  facts["text_bytes"] = info.text_bytes;
  facts["vocabulary"] = info.vocabulary;
  facts["tokenizer_hash"] = info.tokenizer_hash;
  facts["text_hash"] = info.text_hash;
}

void add_run(Json& facts, const std::string& folder) {
  const std::string path = folder + "/metrics.jsonl";
  const std::vector<StepMetrics> steps = parse_metrics(read_file(path), path);
  if (!steps.empty()) {
    facts["steps"] = steps.back().step;
    facts["tokens"] = steps.back().tokens;
    facts["loss"] = steps.back().loss;
  }
  facts["finished"] = file_exists(folder + "/model/model.safetensors");
  for (const auto& entry : fs::directory_iterator(folder))
    if (file_exists(entry.path() / kCheckpointName))
      facts["checkpoints"].push_back(entry.path().filename().string());
  if (facts.contains("checkpoints")) std::sort(facts["checkpoints"].begin(), facts["checkpoints"].end());
}

Json facts_of(const InfoOptions& o) {
  const std::string& path = o.path;
  require(file_exists(path), "[info] {} does not exist", path);
  const auto has = [&](const char* name) { return file_exists(path + "/" + name); };
  Json facts;
  const auto is = [&](const char* kind) { facts["kind"] = kind; };
  if (has("shards.json")) {
    is("token shards"), add_shards(facts, path);
  } else if (has("config.json")) {
    is(has(kCheckpointName) ? "checkpoint" : "model"), add_model(facts, path, o);
    if (has(kCheckpointName)) {
      const Checkpoint checkpoint(path);
      const Json& user = checkpoint.user();
      for (const char* key : {"step", "tokens", "identity"})
        if (user.is_object() && user.contains(key)) facts[key] = user[key];
    }
  } else if (has("metrics.jsonl")) {
    is("run"), add_run(facts, path);
  } else if (path.ends_with(".safetensors")) {
    is("safetensors file"), add_tensors(facts, {path}, /*list=*/true);
  } else if (has("tokenizer.json") || path.ends_with(".json") || path.ends_with(".tiktoken")) {
    is("tokenizer"), add_tokenizer_facts(facts, path);
  } else {
    fail(
        "[info] {}: expected a model, checkpoint, run, tokenizer or token shards, or a .safetensors or "
        ".tiktoken file",
        path);
  }
  return facts;
}

std::string text_of(const std::string& key, const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_number_integer()) return value.dump();
  const double number = value.get<double>();
  if (key.ends_with("_bytes")) return fmt::format("{:.1f} MiB", number / (1 << 20));
  return number < 1e5 ? value.dump() : fmt::format("{} ({})", quantity_text(number), value.dump());
}

void print(const Json& facts, const std::string& indent) {
  for (const auto& [key, value] : facts.items()) {
    std::string label = key.ends_with("_bytes") ? key.substr(0, key.size() - 6) : key;
    std::replace(label.begin(), label.end(), '_', ' ');
    if (value.is_object()) {
      std::printf("%s%s\n", indent.c_str(), label.c_str());
      print(value, indent + "  ");
    } else if (key == "tensors") {
      for (const Json& tensor : value)
        std::printf("  %-5s %-16s %s\n", tensor["type"].get<std::string>().c_str(),
                    tensor["shape"].dump().c_str(), tensor["name"].get<std::string>().c_str());
    } else if (value.is_array()) {
      for (const Json& item : value)
        std::printf("%s%-18s %s\n", indent.c_str(), label.c_str(), text_of(key, item).c_str());
    } else {
      std::printf("%s%-*s %s\n", indent.c_str(), 20 - int(indent.size()), label.c_str(),
                  text_of(key, value).c_str());
    }
  }
}

}  // namespace

void add_info(CLI::App& app, const CommonOptions& common) {
  auto options = std::make_shared<InfoOptions>();
  CLI::App* command =
      app.add_subcommand("info", "what a model, checkpoint, run, tokenizer or shard folder holds");
  command->add_option("path", options->path, "folder, or a .safetensors, tokenizer.json or .tiktoken file")
      ->required();
  command->add_option("--context", options->context, "models: tokens to plan memory for; 0: the model's")
      ->capture_default_str();
  command->add_option("--compute", options->compute, "models: what matrices multiply in: f32 or bf16")
      ->check(CLI::IsMember({"f32", "bf16"}))
      ->capture_default_str();
  command->add_flag("--tensors", options->tensors, "models: list the tensors");
  command->callback([=, &common] {
    const Json facts = facts_of(*options);
    if (common.json)
      std::printf("%s\n", facts.dump().c_str());
    else
      print(facts, "");
  });
}

}  // namespace fude
