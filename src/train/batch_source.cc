#include "train/batch_source.h"

#include "base/error.h"
#include "base/json.h"

namespace fude {

Batch LoadedBatches::next() {
  constexpr int kMost = 10000;  // steps passed over: behind so many no other is to be expected
  for (int passed = 0; passed < kMost; ++passed) {
    Batch batch;
    int64_t targets = 0;
    for (int64_t i = 0; i < blocks_; ++i) {
      batch.blocks.push_back(loader_.next(rows_));
      targets += batch.blocks.back().target_count;
    }
    if (targets > 0) return batch;
  }
  fail("[train] expected text with something to learn, found none in {} rows", kMost * blocks_ * rows_);
}

Json LoadedBatches::state() const { return loader_.state().to_json(); }

void LoadedBatches::restore(const Json& state, std::string_view where) {
  loader_.restore(LoaderState::from_json(state, where));
}

}  // namespace fude
