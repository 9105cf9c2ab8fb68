// fude convert, fude quantize: a model from one kind of files to another.
#include <algorithm>
#include <filesystem>
#include <map>

#include "app/command_line.h"
#include "app/commands.h"
#include "app/model_files.h"
#include "app/pipeline.h"
#include "app/signals.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/progress.h"
#include "fetch/pull.h"
#include "infer/gguf_tokenizer_keys.h"
#include "infer/model_files.h"
#include "model/export_folder.h"
#include "model/folder.h"
#include "model/load.h"
#include "model/lora_training.h"
#include "model/quantize.h"
#include "text/tokenizer_file.h"

namespace fude {
namespace {

namespace fs = std::filesystem;

struct ConvertOptions {
  std::string in, out, type, adapter;
  bool requantize = false;
};

// Ends the writing at Ctrl-C.
struct Stopped {};

// Runs `write` with a line of progress. At Ctrl-C nothing is left of what it was writing.
void write_with_progress(const char* label, const CommonOptions& common,
                         const std::function<void(const WriteOptions&)>& write) {
  Threads threads(common.threads);
  Progress progress = progress_on_stderr();
  ProgressState state{.label = label, .unit = "MB"};
  const double began = now_seconds();
  const WriteOptions options{&threads, [&](int64_t done, int64_t total) {
                               if (interrupted) throw Stopped();
                               state.done = done / 1000000, state.total = (total + 999999) / 1000000;
                               state.seconds = now_seconds() - began;
                               progress.update(state, now_seconds());
                             }};
  watch_interrupts();
  try {
    write(options);
    state.done = state.total;
  } catch (const Stopped&) {}
  progress.finish(state);
}

// Everything a GGUF file of this model holds.
GgufContents gguf_contents_of(ModelFiles files, const std::string& path) {
  if (files.gguf) {
    check_tensors(*files.weights);
    return contents_of(files.gguf);
  }
  GgufContents contents =
      contents_of(std::shared_ptr<const WeightSource>(std::move(files.weights)), name_of_model(path));
  put_tokenizer(gguf_tokenizer_of(files.tokenizer.data(), contents.config.vocabulary, path), contents.metadata);
  return contents;
}

void write_folder(const ModelFiles& files, const std::string& folder, std::optional<WeightType> type,
                  const WriteOptions& options) {
  const TokenizerData& tokenizer = files.tokenizer.data();
  Json more = begin_and_ends(tokenizer);
  // transformers takes a row of the embedding for it, and no model without that row.
  if (const TokenId padding = tokenizer.padding_token; padding >= 0 && padding < files.weights->config().vocabulary)
    more["pad_token_id"] = padding;
  export_folder(*files.weights, folder, type, more, options, tokenizer_files(tokenizer, ""));
}

void write_merged(const ConvertOptions& o, const CommonOptions& common) {
  require(!o.out.ends_with(".gguf") && o.type.empty(),
          "[convert] a model is merged with its adapter into a folder, in f32: convert or quantize that to {}", o.out);
  ModelFiles files = open_model(find_model(o.in));
  const FolderFiles tokenizer = tokenizer_files(files.tokenizer.data(), "");
  Device device(common.threads);
  const auto model = load_model(device, std::move(files.weights), {DType::f32});
  merge_adapter(*model, *load_adapter(*model, o.adapter));
  save_model(*model, o.out, tokenizer);
}

void check_paths(const ConvertOptions& o) {
  std::error_code none;
  require(!fs::equivalent(o.in, o.out, none), "[convert] {} would be written over while it is read", o.out);
  require(!fs::is_directory(o.out) || !o.out.ends_with(".gguf"), "[convert] {} is a folder", o.out);
  const std::string folder = fs::path(o.out).parent_path();
  require(!o.out.ends_with(".gguf") || folder.empty() || fs::is_directory(folder), "[convert] there is no folder {}",
          folder);
  require(!file_exists(o.out + "/config.json"), "[convert] {} holds a model already; choose another folder", o.out);
}

void report_written(const ConvertOptions& o, const CommonOptions& common) {
  if (common.json && !interrupted) print_as_json(written_model(o.out));
}

void run_convert(const ConvertOptions& o, const CommonOptions& common) {
  check_paths(o);
  if (!o.adapter.empty()) return write_merged(o, common);
  std::optional<WeightType> type;
  if (!o.type.empty()) type = quantize_mixture(o.type).type;
  ModelFiles files = open_model(find_model(o.in));
  write_with_progress("convert", common, [&](const WriteOptions& options) {
    if (!o.out.ends_with(".gguf")) return write_folder(files, o.out, type, options);
    const GgufContents contents = gguf_contents_of(std::move(files), o.in);
    const std::vector<WeightType> types = plain_types(contents, type);
    // The number of the type that most values have.
    std::map<WeightType, int64_t> values;
    for (size_t i = 0; i < types.size(); ++i) values[types[i]] += contents.tensors[i].size();
    const auto most = std::max_element(values.begin(), values.end(),
                                       [](const auto& a, const auto& b) { return a.second < b.second; });
    std::optional<uint32_t> number;
    for (const QuantizeMixture& mixture : quantize_mixtures())
      if (mixture.type == most->first && !weight_format(mixture.type).is_quantized()) number = mixture.file_type;
    write_gguf(o.out, contents, types, number, options);
  });
}

// Plain numbers take what blocks decode to; other blocks would lose once more.
void require_exact_source(const GgufContents& contents, const std::vector<WeightType>& types) {
  for (size_t i = 0; i < types.size(); ++i) {
    const GgufContents::Tensor& tensor = contents.tensors[i];
    const WeightFormat& format = weight_format(tensor.type);
    require(types[i] == tensor.type || !format.is_quantized() || !weight_format(types[i]).is_quantized(),
            "[quantize] {} is {} already, and quantising it again to {} would lose more than quantising the original; "
            "--allow-requantize does it all the same",
            tensor.name, format.name, weight_format(types[i]).name);
  }
}

void run_quantize(const ConvertOptions& o, const CommonOptions& common) {
  check_paths(o);
  const QuantizeMixture& mixture = quantize_mixture(o.type);
  require(o.out.ends_with(".gguf"), "[quantize] expected the name of a .gguf file to write, got {}", o.out);
  const GgufContents contents = gguf_contents_of(open_model(find_model(o.in)), o.in);
  const std::vector<WeightType> types = quantized_types(contents, mixture);
  if (!o.requantize) require_exact_source(contents, types);
  write_with_progress("quantize", common, [&](const WriteOptions& options) {
    write_gguf(o.out, contents, types, mixture.file_type, options);
  });
}

}  // namespace

void add_convert(CLI::App& app, const CommonOptions& common) {
  auto options = std::make_shared<ConvertOptions>();
  CLI::App* command = app.add_subcommand(
      "convert",
      "turn a Hugging Face folder into a GGUF file, or back\n\n"
      "The output is a GGUF file if its name ends in .gguf, else a folder. No bit of the weights is lost unless\n"
      "--type asks for fewer: what lies in blocks (Q4_K and the like) stays so in a GGUF file and becomes f32 in a\n"
      "folder. llama.cpp loads the files, transformers the folders. With --adapter the folder is of the model and\n"
      "its adapter in one, in f32.");
  command->add_option("in", options->in, kModelHelp)->required();
  command->add_option("out", options->out, "file or folder to write")->required();
  command->add_option("--type", options->type, "type of the matrices: f32, f16, bf16; without it, as they lie")
      ->check(CLI::IsMember({"f32", "f16", "bf16"}, CLI::ignore_case));
  add_adapter_option(*command, options->adapter);
  command->callback([=, &common] {
    run_convert(*options, common);
    report_written(*options, common);
  });
}

void add_quantize(CLI::App& app, const CommonOptions& common) {
  auto options = std::make_shared<ConvertOptions>();
  CLI::App* command = app.add_subcommand(
      "quantize",
      "write a model with fewer bits a weight, as a GGUF file\n\n"
      "Q8_0 is all but exact, Q4_K_M the usual choice where memory is short. Which tensor gets how many bits is\n"
      "decided as llama.cpp does: the mixtures _S and _M give more to those that need them.");
  command->add_option("in", options->in, kModelHelp)->required();
  command->add_option("out", options->out, "GGUF file to write")->required();
  std::string names;
  for (const QuantizeMixture& mixture : quantize_mixtures())
    names.append(names.empty() ? "" : ", ").append(mixture.name);
  const auto has_mixture = [](const std::string& name) {
    try {
      quantize_mixture(name);
      return std::string();
    } catch (const Error& error) { return std::string(error.what()); }
  };
  command->add_option("--type", options->type, "one of " + names)->required()->check(CLI::Validator(has_mixture, ""));
  command->add_flag("--allow-requantize", options->requantize, "take tensors that are quantised already");
  command->callback([=, &common] {
    run_quantize(*options, common);
    report_written(*options, common);
  });
}

}  // namespace fude
