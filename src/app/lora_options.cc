#include "app/lora_options.h"

#include "app/command_line.h"
#include "base/error.h"

namespace fude {

std::optional<LoraOptions> LoraChoice::options(uint64_t seed) const {
  if (!adapter.empty()) return options_of_adapter(adapter);
  require(rank > 0 || compute == "file", "[lora] --lora-compute is of a model beside an adapter: give --lora too");
  if (rank == 0) return {};
  return LoraOptions{.rank = rank, .alpha = alpha > 0 ? alpha : 2.0 * double(rank), .targets = targets, .seed = seed};
}

void add_lora(CLI::App& command, LoraChoice& choice) {
  command.option_defaults()->group("Adapter");
  CLI::Option* lora =
      command
          .add_option("--lora", choice.rank,
                      "rank of a low-rank adapter that is trained while the model stays as it is; 0: train the model")
          ->check(at_least(0))
          ->capture_default_str();
  command.add_option("--lora-alpha", choice.alpha, "scale of the adapter is this by its rank; 0: twice the rank")
      ->check(number_at_least(0))
      ->needs(lora);
  command.add_option("--lora-targets", choice.targets, "modules, such as q_proj v_proj; without: all of the blocks")
      ->needs(lora);
  command
      .add_option("--lora-compute", choice.compute,
                  "what the model beside the adapter is kept in: file (as its file has it), f32 or bf16")
      ->check(CLI::IsMember({"file", "f32", "bf16"}))
      ->capture_default_str();
  command.add_option("--adapter", choice.adapter, "train this adapter further (a folder of PEFT) instead of a new one")
      ->check(some_text())
      ->excludes(lora);
}

Precision precision_of_run(const std::optional<LoraOptions>& lora, Precision frozen, DType compute) {
  require(!lora || compute == DType::f32,
          "[lora] beside an adapter the model is kept as --lora-compute says; leave out --compute");
  return lora ? frozen : Precision{compute};
}

Json json_of(const std::optional<LoraOptions>& lora, Precision frozen) {
  if (!lora) return {};
  return {{"rank", lora->rank},       {"alpha", lora->alpha},
          {"targets", lora->targets}, {"rank_stabilised", lora->is_rank_stabilised},
          {"adapter", lora->from},    {"compute", frozen.keeps_formats ? "file" : name_of(frozen.compute)}};
}

}  // namespace fude
