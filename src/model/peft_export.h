// Writes an adapter as PEFT does: adapter_config.json beside adapter_model.safetensors, in F32. peft opens the folder,
// and so does load_adapter, with the same values.
#pragma once

#include <string>

#include "model/lora_training.h"

namespace fude {

// Both files are written atomically, the configuration last; the folder is made if it is not there. `base_model` is
// what the configuration calls the model, and may be empty. Error unless the adapter is one of these options
// (require_options).
void save_peft_folder(const Transformer& model, const Adapter& adapter, const LoraOptions& options,
                      const std::string& folder, const std::string& base_model = "");

}  // namespace fude
