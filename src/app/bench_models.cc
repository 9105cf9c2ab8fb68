#include "app/bench_models.h"

#include "base/json.h"
#include "model/architecture.h"

namespace fude {

std::unique_ptr<Transformer> random_gpt2(Device& device, Precision precision, int64_t context) {
  const Json json = {{"model_type", "gpt2"}, {"n_positions", context}};  // the rest are the family's defaults
  auto model = std::make_unique<Transformer>(device, architecture_of("gpt2").read(json), precision);
  model->initialise(0);
  return model;
}

}  // namespace fude
