// fude info PATH: what a folder or file of Fude's holds, and what a model needs. The facts are one JSON
// object, printed as it is with --json, and else line by line.
#include <cstdio>
#include <filesystem>

#include "app/command_line.h"
#include "app/commands.h"
#include "app/pipeline.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/progress.h"
#include "data/shard.h"
#include "data/shard_format.h"
#include "fetch/pull.h"
#include "infer/generate.h"
#include "model/folder.h"
#include "model/gguf_model.h"
#include "model/load.h"
#include "model/peft_folder.h"
#include "reason/scorer.h"
#include "tensor/gguf.h"
#include "tensor/safetensors.h"
#include "text/chat_format.h"
#include "text/tokenizer.h"
#include "text/tokenizer_file.h"
#include "train/checkpoint_file.h"
#include "train/metrics.h"

namespace fude {
namespace {

namespace fs = std::filesystem;

struct InfoOptions {
  std::string path, compute = "file", pattern;
  int64_t context = 0;
  bool tensors = false;
};

// Types of the tensors of a safetensors file and how many elements there are of each; with `list`, every tensor.
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

// The same of a GGUF file, and what it says about itself; vocabularies are counted only.
void add_gguf(Json& facts, const GgufFile& file, bool list) {
  std::map<std::string, int64_t> elements;
  Json tensors = Json::array();
  for (const auto& [name, tensor] : file.tensors()) {
    const std::string type = tensor.format ? std::string(tensor.format->name) : fmt::format("type {}", tensor.gguf_id);
    int64_t& sum = elements[type];
    // Of an unknown type there may be any number.
    if (__builtin_add_overflow(sum, tensor.rows() * tensor.cols(), &sum)) sum = INT64_MAX;
    if (list) tensors.push_back({{"name", name}, {"type", type}, {"shape", tensor.shape}});
  }
  facts["tensors_in_file"] = file.tensors().size();
  for (const auto& [type, size] : elements) facts["elements"][type] = size;
  constexpr size_t kShown = 80;  // bytes: no templates
  const GgufMetadata& metadata = file.metadata();
  Json& shown = facts["metadata"] = Json::object();
  for (const auto& [key, value] : metadata.entries()) {
    if (value.is_array)
      shown[key] = fmt::format("{} values", value.count);
    else if (value.type == GgufType::string)
      shown[key] = metadata.string(key).size() <= kShown ? std::string(metadata.string(key))
                                                         : fmt::format("{} bytes", metadata.string(key).size());
    else if (value.type == GgufType::boolean)
      shown[key] = metadata.boolean(key);
    else if (value.type == GgufType::f32 || value.type == GgufType::f64)
      shown[key] = metadata.number(key);
    else
      shown[key] = metadata.integer(key);
  }
  if (list) facts["tensors"] = tensors;
}

std::string name_of(const SplitStep& step) {
  if (step.kind == SplitStep::Kind::digits) return "digits";
  if (step.kind == SplitStep::Kind::each_digit) return "each digit";
  for (const char* name : {"gpt2", "cl100k", "llama3", "qwen2", "o200k"})
    if (step.pattern == named_pattern(name)) return name;
  return step.pattern;
}

void add_tokenizer_facts(Json& facts, const std::string& path, std::string_view pattern = {}) {
  const Tokenizer tokenizer = Tokenizer::load(path, pattern);
  Json steps = Json::array(), special = Json::array();
  for (const SplitStep& step : tokenizer.data().steps) steps.push_back(name_of(step));
  int64_t longest = 0;
  for (int64_t id = 0; id < tokenizer.vocabulary_size(); ++id) {
    if (tokenizer.is_special(TokenId(id)))
      special.push_back(tokenizer.bytes_of(TokenId(id)));
    else
      longest = std::max(longest, int64_t(tokenizer.bytes_of(TokenId(id)).size()));
  }
  facts["tokenizer"] = {{"entries", tokenizer.vocabulary_size()},
                        {"merges", tokenizer.data().vocabulary.merges.size()},
                        {"longest", longest},
                        {"split", steps},
                        {"special", special},
                        {"chat", ChatFormat::is_in(tokenizer) || !tokenizer.data().chat_template.empty()},
                        {"hash", tokenizer.hash()}};
}

Json facts_of(const RopeConfig& rope) {
  Json json = rope_to_json(rope);
  json["rope_theta"] = rope.base;
  return json;
}

void add_model(Json& facts, const WeightSource& weights, const InfoOptions& o) {
  const ModelConfig& c = weights.config();
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
  facts["positions"] = c.has_rope ? facts_of(c.rope) : Json("learned");
  if (c.window > 0) facts["window"] = c.window, facts["positions_in_window"] = facts_of(c.local_rope);
  facts["ties_head"] = c.ties_head;
  const Device::Usage plan = plan_generation_memory(weights, context, precision_of(o.compute));
  facts["memory"] = {{"compute", o.compute}, {"context", context}};
  for (int i = 0; i < kPurposes; ++i)
    if (plan.at_peak[size_t(i)] > 0)
      facts["memory"][std::string(name_of(Purpose(i))) + "_bytes"] = plan.at_peak[size_t(i)];
  facts["memory"]["peak_bytes"] = plan.held;
}

void add_model_folder(Json& facts, const std::string& folder, const InfoOptions& o) {
  add_model(facts, *open_folder(folder), o);
  add_tensors(facts, weight_files(folder), o.tensors);
  if (file_exists(folder + "/tokenizer.json")) add_tokenizer_facts(facts, folder);
}

void add_shard_facts(Json& facts, const ShardInfo& info) {
  facts["documents"] = info.documents;
  facts["tokens"] = info.tokens;
  facts["text_bytes"] = info.text_bytes;
  if (info.tokens > 0) facts["bytes_per_token"] = double(info.text_bytes) / double(info.tokens);
  facts["vocabulary"] = info.vocabulary;
  facts["tokenizer_hash"] = info.tokenizer_hash;
  facts["text_hash"] = info.text_hash;
}

// Documents and tokens of each language that the corpus names.
void add_languages(Json& facts, const ShardSet& set) {
  std::map<std::string_view, std::pair<int64_t, int64_t>> languages;
  for (int64_t i = 0; i < set.documents(); ++i) {
    auto& [documents, tokens] = languages[set.language(i)];
    ++documents, tokens += set.document(i).size();
  }
  for (const auto& [name, counts] : languages)
    if (!name.empty() || languages.size() > 1)
      facts["languages"][name.empty() ? "(none)" : std::string(name)] = {{"documents", counts.first},
                                                                         {"tokens", counts.second}};
}

void add_shards(Json& facts, const std::string& folder) {
  const std::string path = folder + "/shards.json";
  const Json state = parse_json(read_file(path, kManifestLimit), path);
  facts["complete"] = json_boolean(state, "complete", path);
  const auto shards = state.find("shards");
  require(shards != state.end() && shards->is_array(), "[info] {}: expected a list of shards", path);
  facts["shards"] = shards->size();
  if (facts["complete"].get<bool>()) {
    const ShardSet set(folder, ShardCheck::structure);
    add_shard_facts(facts, set.info());
    add_languages(facts, set);
    if (state.contains("report")) facts["corpus"] = state["report"];
    return;
  }
  for (const char* key : {"documents", "tokens", "text_bytes"}) {
    int64_t sum = 0;
    for (const Json& shard : *shards) sum += json_integer(shard, key, path);
    facts[key] = sum;
  }
}

Json json_of(const ValidationMetrics& set) {
  Json json = {{"loss", set.loss}};
  if (set.bits_per_byte) json["bits_per_byte"] = *set.bits_per_byte;
  return json;
}

void add_progress(Json& facts, const StepMetrics& last) {
  facts["step"] = last.step;
  facts["tokens"] = last.tokens;
  facts["loss"] = last.loss;
  if (last.bits_per_byte) facts["bits_per_byte"] = *last.bits_per_byte;
}

void add_run(Json& facts, const std::string& folder) {
  const std::string path = folder + "/metrics.jsonl";
  const std::vector<StepMetrics> steps = parse_metrics(read_file(path), path);
  if (!steps.empty()) add_progress(facts, steps.back());
  double seconds = 0;
  for (const StepMetrics& step : steps) seconds += step.seconds;
  if (seconds > 0) facts["seconds"] = seconds, facts["tokens_per_second"] = double(steps.back().tokens) / seconds;
  const auto validated =
      std::find_if(steps.rbegin(), steps.rend(), [](const StepMetrics& m) { return !m.validation.empty(); });
  if (validated != steps.rend()) {
    facts["validation"] = {{"step", validated->step}};
    for (const ValidationMetrics& set : validated->validation) facts["validation"][set.name] = json_of(set);
  }
  facts["finished"] = false;
  // Of each result the file that is written last. A model may be what a run with another result began from.
  for (const auto& [name, last] :
       {std::pair("adapter", "adapter_config.json"), {"scorer", kScorerFile}, {"model", "config.json"}}) {
    const std::string result = folder + "/" + name;
    if (!file_exists(result + "/" + last)) continue;
    facts["finished"] = true, facts[name] = result;
    break;
  }
  if (file_exists(folder + "/report.html")) facts["report"] = folder + "/report.html";
  facts["checkpoints"] = Json::array();
  for (const auto& entry : fs::directory_iterator(folder))
    if (file_exists(entry.path() / kCheckpointName) && entry.path().extension() != ".partial")
      facts["checkpoints"].push_back(entry.path().filename().string());
  std::sort(facts["checkpoints"].begin(), facts["checkpoints"].end());
}

void add_checkpoint(Json& facts, const std::string& folder) {
  const Checkpoint checkpoint(folder);
  int64_t bytes = 0;
  for (const CheckpointEntry& entry : checkpoint.entries()) bytes += int64_t(entry.bytes.size());
  facts["state"] = {{"tensors", checkpoint.entries().size()}, {"tensor_bytes", bytes}};
  const Json& user = checkpoint.user();
  if (!user.is_object()) return;
  if (user.contains("line") && user["line"].is_string())
    add_progress(facts, parse_metrics_line(user["line"].get<std::string>(), folder));
  for (const char* key : {"step", "tokens", "optimizer_steps", "identity"})
    if (user.contains(key)) facts[key] = user[key];
}

// A folder is known by one of its files, and that file stands for the folder.
std::string folder_of(const std::string& path) {
  const fs::path file(path);
  for (const char* name : {"config.json", "shards.json", "metrics.jsonl", "tokenizer_config.json", kCheckpointName})
    if (file.filename() == name && !fs::is_directory(file))
      return file.has_parent_path() ? file.parent_path().string() : ".";
  return path;
}

void add_gguf_file(Json& facts, const std::string& path, const InfoOptions& o) {
  const auto file = std::make_shared<const GgufFile>(path);
  const bool is_adapter = file->metadata().find_string("general.type") == "adapter";
  facts["kind"] = is_adapter ? "adapter in a GGUF file" : "model in a GGUF file";
  if (!is_adapter) add_model(facts, *open_gguf(file), o);
  add_gguf(facts, *file, o.tensors);
}

void add_adapter(Json& facts, const std::string& path) {
  const PeftConfig config = read_peft_config(path);
  facts["method"] = config.is_rank_stabilised ? "LoRA, rank-stabilised" : "LoRA";
  facts["rank"] = config.rank, facts["alpha"] = config.alpha;
  if (!config.base_model.empty()) facts["base_model"] = config.base_model;
  if (!config.targets.empty()) facts["target_modules"] = config.targets;
  add_tensors(facts, {path + "/adapter_model.safetensors"}, /*list=*/false);
}

Json facts_of(const InfoOptions& o) {
  const std::string found = find_model(o.path), path = folder_of(found);
  const auto has = [&](const char* name) { return file_exists(path + "/" + name); };
  require(o.pattern.empty() || path.ends_with(".tiktoken"),
          "[info] {}: --pattern is for .tiktoken files; others say themselves how text is split", path);
  Json facts;
  const auto is = [&](const char* kind) { facts["kind"] = kind; };
  if (is_peft_folder(path)) {
    is("adapter"), add_adapter(facts, path);
  } else if (has("shards.json")) {
    is("token shards"), add_shards(facts, path);
  } else if (has("config.json")) {
    is(has(kCheckpointName) ? "checkpoint" : "model"), add_model_folder(facts, path, o);
    if (has(kCheckpointName)) add_checkpoint(facts, path);
  } else if (has(kCheckpointName)) {
    is("checkpoint"), add_checkpoint(facts, path);
  } else if (has("metrics.jsonl")) {
    is("run"), add_run(facts, path);
  } else if (path.ends_with(".gguf")) {
    add_gguf_file(facts, path, o);
  } else if (path.ends_with(".safetensors")) {
    is("safetensors file"), add_tensors(facts, {path}, /*list=*/true);
  } else if (path.ends_with(".shard")) {
    is("token shard"), add_shard_facts(facts, Shard(path).info());
  } else if (has("tokenizer.json") || (path.ends_with(".json") && !path.ends_with("_config.json")) ||
             path.ends_with(".tiktoken")) {
    is("tokenizer"), add_tokenizer_facts(facts, path, o.pattern);
  } else {
    fail(
        "[info] {}: expected a model, adapter, checkpoint, run, tokenizer or token shards, or a .gguf, .safetensors, "
        ".shard or .tiktoken file",
        path);
  }
  return facts;
}

// What a file says, for a terminal, which would obey control characters.
std::string harmless(std::string text) {
  const auto byte = [&](size_t i) { return i < text.size() ? uint8_t(text[i]) : 0; };
  for (size_t i = 0; i < text.size(); ++i) {
    const bool is_wide = byte(i) == 0xc2 && byte(i + 1) >= 0x80 && byte(i + 1) < 0xa0;  // U+0080 to U+009F
    if (byte(i) >= 0x20 && byte(i) != 0x7f && !is_wide) continue;
    text.replace(i, is_wide ? 2 : 1, "?");
  }
  return text;
}

std::string text_of(const std::string& key, const Json& value) {
  if (value.is_string()) return harmless(value.get<std::string>());
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (value.is_null()) return "not a number";
  if (value.is_number_float()) return fmt::format("{:.4g}", value.get<double>());
  if (!value.is_number_integer()) return value.dump();
  const double number = value.get<double>();
  if (key.ends_with("_bytes"))
    return number < (1 << 20) ? fmt::format("{:.1f} KiB", number / 1024)
                              : fmt::format("{:.1f} MiB", number / (1 << 20));
  return number < 1e5 ? value.dump() : fmt::format("{} ({})", quantity_text(number), value.dump());
}

void print(const Json& facts, const std::string& indent) {
  for (const auto& [key, value] : facts.items()) {
    std::string label = harmless(key.ends_with("_bytes") ? key.substr(0, key.size() - 6) : key);
    const bool is_name =
        label.find('.') != std::string::npos || label.starts_with('Q');  // of a key in a file, a format
    if (!is_name) std::replace(label.begin(), label.end(), '_', ' ');
    if (value.is_object()) {
      std::printf("%s%s\n", indent.c_str(), label.c_str());
      print(value, indent + "  ");
    } else if (key == "tensors" && value.is_array()) {
      for (const Json& tensor : value)
        std::printf("  %-5s %-16s %s\n", tensor["type"].get<std::string>().c_str(), tensor["shape"].dump().c_str(),
                    harmless(tensor["name"].get<std::string>()).c_str());
    } else if (value.is_array()) {
      std::string items;
      for (const Json& item : value) items += (items.empty() ? "" : ", ") + text_of(key, item);
      std::printf("%s%-*s %s\n", indent.c_str(), 20 - int(indent.size()), label.c_str(),
                  items.empty() ? "none" : items.c_str());
    } else {
      std::printf("%s%-*s %s\n", indent.c_str(), 20 - int(indent.size()), label.c_str(), text_of(key, value).c_str());
    }
  }
}

}  // namespace

void add_info(CLI::App& app, const CommonOptions& common) {
  auto options = std::make_shared<InfoOptions>();
  CLI::App* command =
      app.add_subcommand("info", "what a model, adapter, checkpoint, run, tokenizer or shard folder holds");
  command
      ->add_option("path", options->path,
                   "folder, or a .gguf, .safetensors, .shard, tokenizer.json or .tiktoken file, or a name of fude pull")
      ->required();
  command->add_option("--context", options->context, "models: tokens to plan memory for; 0: the model's")
      ->check(at_least(0))
      ->capture_default_str();
  command
      ->add_option("--compute", options->compute,
                   "models: what matrices multiply in: file (as it has them), f32 or bf16")
      ->check(CLI::IsMember({"file", "f32", "bf16"}))
      ->capture_default_str();
  command->add_option("--pattern", options->pattern,
                      "rank files: how text is split: o200k, cl100k, gpt2, qwen2, llama3");
  command->add_flag("--tensors", options->tensors, "models: list the tensors");
  command->callback([=, &common] {
    const Json facts = facts_of(*options);
    if (common.json)
      print_as_json(facts);
    else
      print(facts, "");
  });
}

}  // namespace fude
