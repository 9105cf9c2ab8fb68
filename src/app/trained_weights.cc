#include "app/trained_weights.h"

#include <cstdio>
#include <filesystem>

#include "base/error.h"
#include "model/folder.h"
#include "model/peft_export.h"
#include "text/tokenizer_file.h"

namespace fude {
namespace {

std::string result_in(const std::string& out, bool is_adapter) { return out + (is_adapter ? "/adapter" : "/model"); }

}  // namespace

void require_elsewhere(const std::string& model, const std::optional<LoraOptions>& lora, const std::string& out) {
  const std::string from = lora ? lora->from : model, result = result_in(out, lora.has_value());
  std::error_code none;
  require(from.empty() || !std::filesystem::equivalent(from, result, none),
          "[train] the result would be written over {}, which it begins from; choose another --out", result);
}

TrainedWeights::TrainedWeights(Transformer& model, const Tokenizer& tokenizer, std::string base,
                               std::optional<LoraOptions> lora)
    : model_(model), tokenizer_(tokenizer), base_(std::move(base)), lora_(std::move(lora)) {
  if (lora_) adapter_ = new_adapter(model, *lora_);
}

void TrainedWeights::put_into(TrainerOptions& options) const {
  if (adapter_) options.step.adapter = adapter_.get(), options.step.trained = parameters(*adapter_);
  options.save = [this](const std::string& folder) { save(folder); };
}

void TrainedWeights::save(const std::string& folder) const {
  if (adapter_) return save_peft_folder(model_, *adapter_, *lora_, folder, base_);
  save_model(model_, folder, tokenizer_files(tokenizer_.data(), {}));
}

void TrainedWeights::finish(const std::string& out) const {
  const std::string result = result_in(out, adapter_ != nullptr);
  save(result);
  std::fprintf(stderr, "%s: %s  report: %s/report.html\n", adapter_ ? "adapter" : "model", result.c_str(), out.c_str());
}

}  // namespace fude
