// The straight line, stage by stage, as the commands and `life` use it: text → tokenizer → shards → trained model.
#pragma once

#include <string>
#include <vector>

#include "app/commands.h"
#include "data/documents.h"
#include "data/shard_writer.h"
#include "model/config.h"
#include "text/tokenizer.h"
#include "train/trainer.h"

namespace fude {

// The special tokens of Fude's own vocabularies, ids 0 to 3.
std::vector<std::string> own_special_tokens();

struct TokenizerSettings {
  std::vector<std::string> inputs;
  std::string out;  // folder
  int64_t vocabulary = 8192;
  std::string pattern = "o200k";
  DocumentOptions documents;
};

// Trains a byte-level BPE and writes it as tokenizer.json.
void train_tokenizer(const TokenizerSettings& settings, int threads);

struct ShardSettings {
  std::vector<std::string> inputs;
  std::string tokenizer, out;
  int64_t shard_tokens = ShardOptions{}.shard_tokens;
  bool special_tokens = false;  // recognise special tokens in the text (trusted corpora only)
  DocumentOptions documents;
};

// Goes on where a killed run stopped.
void make_shards(const ShardSettings& settings);

struct TrainSettings {
  std::vector<std::string> data;  // shard folders
  std::vector<double> weights;    // of the data; empty: by size
  std::vector<std::string> validation;  // shard folders, or NAME=FOLDER
  std::string tokenizer, out;
  std::string model;  // folder to continue from; empty: random weights of the shape below
  ModelConfig shape;
  DType compute = DType::f32;  // of the matrix products
  int64_t row_tokens = 256, rows = 16, blocks = 1, validation_rows = 64;
  StepOptions step;
  bool concat = false, muon = false;
  Schedule schedule;
  OptimizerOptions optimizer;
  int64_t validate_every = 100, save_every = 100, keep = 2;
  std::vector<std::string> sample_prompts;  // for the report
  std::string export_to;                    // write the run down here instead of training
};

// Trains to the end, or until Ctrl-C; writes metrics.jsonl, checkpoints, report.html, and the finished model to out/model.
// Returns whether it reached the end.
bool train_model(TrainSettings settings, const CommonOptions& common);

}  // namespace fude
