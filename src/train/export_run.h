// A run written down for another program to repeat: the weights before the first step, the batches in their order, the
// learning rate of every step. bench/peers/torch_replica.py reads it.
#pragma once

#include <string>

#include "model/transformer.h"
#include "train/trainer.h"

namespace fude {

// Writes folder/{model/, order.bin, validation-NAME.bin for each set, replica.json}. order.bin has one record per step,
// little-endian int32: N, S, tokens[N], targets[N], positions[N], sequence_starts[S + 1]; validation files likewise.
// The source is read from where it stands. Error if the run uses what the other side has not: Muon, or an objective of
// its own.
void export_run(const std::string& folder, const Transformer& model, BatchSource& source,
                const std::vector<ValidationRows>& validation, const TrainerOptions& options);

}  // namespace fude
