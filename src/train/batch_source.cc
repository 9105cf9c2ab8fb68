#include "train/batch_source.h"

#include "base/json.h"

namespace fude {

Batch LoadedBatches::next() {
  Batch batch;
  for (int64_t i = 0; i < blocks_; ++i) batch.blocks.push_back(loader_.next(rows_));
  return batch;
}

Json LoadedBatches::state() const { return loader_.state().to_json(); }

void LoadedBatches::restore(const Json& state, std::string_view where) {
  loader_.restore(LoaderState::from_json(state, where));
}

}  // namespace fude
