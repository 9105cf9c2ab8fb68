// `fude train` as a function: from settings to a finished run in a folder. `fude life` calls it too.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/commands.h"
#include "model/lora_training.h"
#include "train/trainer.h"

namespace fude {

struct TrainSettings {
  std::vector<std::string> data;        // shard folders
  std::vector<double> weights;          // of the data; empty: by size
  std::vector<std::string> validation;  // shard folders, or NAME=FOLDER
  std::string tokenizer, out;
  std::string model;           // folder to continue from; empty: random weights of the shape below
  ModelConfig shape;           // its vocabulary is the tokenizer's
  DType compute = DType::f32;  // of the matrix products
  // Trains an adapter beside the model, which stays as it is and may keep its file's formats (`frozen`).
  std::optional<LoraOptions> lora;
  Precision frozen;
  int64_t row_tokens = 256, rows = 16, blocks = 1, validation_rows = 64;
  StepOptions step;
  bool concat = false, muon = false;
  Schedule schedule;
  OptimizerOptions optimizer;
  int64_t validate_every = 100, save_every = 100, keep = 2;
  std::vector<std::string> sample_prompts;  // for the report
  std::string export_to;                    // write the run down here instead of training
  // The shards are chats, of which parts are learned (make_chat_shards): what they say they were made with.
  std::optional<std::string> chats;
  std::shared_ptr<const FolderLock> lock;  // of `out`, if the caller has it
};

// Error if a row of so many tokens is longer than the model's context.
void require_row_fits(int64_t row_tokens, const ModelConfig& model);

// Trains to the end, or until Ctrl-C; writes metrics.jsonl, checkpoints, report.html, and the finished model to
// out/model, or the adapter to out/adapter. Returns whether it reached the end.
bool train_model(TrainSettings settings, const CommonOptions& common);

// Writes a model of this shape with random weights, drawn by common.seed. Its vocabulary is the tokenizer's.
void init_model(const std::string& tokenizer, ModelConfig shape, const std::string& out, const CommonOptions& common);

}  // namespace fude
