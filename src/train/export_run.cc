#include "train/export_run.h"

#include "base/file.h"
#include "base/json.h"
#include "model/folder.h"

namespace fude {
namespace {

// Blocks one after the other as one record.
std::string record_of(const std::vector<TokenBlock>& blocks) {
  std::vector<int32_t> tokens, targets, positions, starts = {0};
  for (const TokenBlock& block : blocks) {
    const int32_t shift = int32_t(tokens.size());
    for (size_t s = 1; s < block.sequence_starts_S1.size(); ++s) starts.push_back(shift + block.sequence_starts_S1[s]);
    tokens.insert(tokens.end(), block.tokens_N.begin(), block.tokens_N.end());
    targets.insert(targets.end(), block.targets_N.begin(), block.targets_N.end());
    positions.insert(positions.end(), block.positions_N.begin(), block.positions_N.end());
  }
  std::string bytes;
  const auto put = [&](const std::vector<int32_t>& values) {
    bytes.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(int32_t));
  };
  put({int32_t(tokens.size()), int32_t(starts.size()) - 1});
  put(tokens), put(targets), put(positions), put(starts);
  return bytes;
}

}  // namespace

void export_run(const std::string& folder, const Transformer& model, BatchSource& source,
                const std::vector<ValidationRows>& validation, const TrainerOptions& o) {
  require(!o.optimizer.uses_muon, "[export] expected a run with AdamW alone");
  if (o.save)
    o.save(folder + "/model");
  else
    save_model(model, folder + "/model");
  Json rates = Json::array();
  write_atomically(folder + "/order.bin", [&](const auto& put) {
    for (int64_t step = 0; step < o.schedule.steps; ++step) {
      const Batch batch = source.next();
      require(!batch.objective.slope, "[export] expected a run whose loss is cross entropy");
      put(record_of(batch.blocks));
      rates.push_back(float(o.schedule.at(step)));
    }
  });
  Json sets = Json::object();
  for (const ValidationRows& set : validation) {
    const std::string file = "validation-" + set.name() + ".bin";
    int64_t bytes = 0;
    write_atomically(folder + "/" + file, [&](const auto& put) {
      for (int64_t row = 0; row < set.rows(); row += o.rows_per_block) {
        const TokenBlock block = set.block(row, std::min(o.rows_per_block, set.rows() - row));
        bytes += block.target_bytes;
        put(record_of({block}));
      }
    });
    sets[set.name()] = {{"file", file}, {"bytes", bytes}};
  }
  const Json replica = {{"betas", {o.optimizer.beta1, o.optimizer.beta2}},
                        {"eps", o.optimizer.eps},
                        {"weight_decay", o.optimizer.weight_decay},
                        {"clip", o.optimizer.max_norm},
                        {"validation", sets},
                        {"rates", rates}};
  write_file(folder + "/replica.json", replica.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
}

}  // namespace fude
