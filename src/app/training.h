// `fude train` as a function: from settings to a finished run in a folder. `fude life` calls it too.
#pragma once

#include <string>
#include <vector>

#include "app/commands.h"
#include "model/config.h"
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
  int64_t row_tokens = 256, rows = 16, blocks = 1, validation_rows = 64;
  StepOptions step;
  bool concat = false, muon = false;
  Schedule schedule;
  OptimizerOptions optimizer;
  int64_t validate_every = 100, save_every = 100, keep = 2;
  std::vector<std::string> sample_prompts;  // for the report
  std::string export_to;                    // write the run down here instead of training
};

// Trains to the end, or until Ctrl-C; writes metrics.jsonl, checkpoints, report.html, and the finished model to
// out/model. Returns whether it reached the end.
bool train_model(TrainSettings settings, const CommonOptions& common);

}  // namespace fude
