// The adapters that requests may name, by their names. Any thread.
//
// What a name stands for may change while requests run: each holds on to the adapter that it began with. An adapter
// that is put under a name, be it the same again, gets a key that none had before, and pages are known by the key
// (prefix_tree.h): so keys and values computed with one adapter never meet another.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "model/lora.h"

namespace fude {

struct StoredAdapter {
  uint64_t key = 0;  // 0: none
  std::shared_ptr<const Adapter> adapter{};
};

class AdapterStore {
 public:
  // The model must outlive the store and what is got from it.
  explicit AdapterStore(const Transformer& model) : model_(model) {}

  // From a folder of PEFT or a GGUF file, in place of what has this name. Error, and nothing has changed, if it does
  // not fit the model.
  void load(const std::string& name, const std::string& path);
  // The same with one that is there already. It may be one under training (model/lora_training.h): whoever trains it
  // changes its matrices between the engine's steps, and tells by Engine::weights_changed() that nothing computed with
  // the old ones may be used again.
  void put(const std::string& name, std::shared_ptr<const Adapter> adapter);
  // False if none has this name. What still runs with it goes on.
  bool remove(const std::string& name);
  // The adapter of a name, none for the empty one. Error naming those there are if there is no such one.
  StoredAdapter find(const std::string& name) const;
  std::vector<std::string> names() const;

 private:
  const Transformer& model_;
  mutable std::mutex mutex_;
  std::map<std::string, StoredAdapter> adapters_;
  uint64_t last_key_ = 0;
};

}  // namespace fude
