#include "infer/adapter_store.h"

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace fude {
namespace {

constexpr const char* kOthersAdapter = "[adapter] {}: expected an adapter made for the engine's model";

}  // namespace

void AdapterStore::load(const std::string& name, const std::string& path) { put(name, load_adapter(model_, path)); }

void AdapterStore::put(const std::string& name, std::shared_ptr<const Adapter> adapter) {
  require(!name.empty() && adapter != nullptr, "[adapter] expected an adapter and its name, got an empty one");
  std::vector<const Parameter*> weights = model_.block_matrices();
  weights.push_back(&model_.classifier());
  for (const auto& [weight, parts] : adapter->parts)
    require(std::ranges::find(weights, weight) != weights.end(), kOthersAdapter, name);
  for (const auto& [table, part] : adapter->tables) require(table == &model_.token_table(), kOthersAdapter, name);
  const std::lock_guard lock(mutex_);
  adapters_[name] = {++last_key_, std::move(adapter)};
}

bool AdapterStore::remove(const std::string& name) {
  const std::lock_guard lock(mutex_);
  return adapters_.erase(name) > 0;
}

StoredAdapter AdapterStore::find(const std::string& name) const {
  if (name.empty()) return {};
  const std::lock_guard lock(mutex_);
  const auto found = adapters_.find(name);
  if (found != adapters_.end()) return found->second;
  std::string known;
  for (const auto& [other, adapter] : adapters_) known += (known.empty() ? "" : ", ") + other;
  fail("[adapter] expected one of the adapters {}, got {}", known.empty() ? "(none is loaded)" : known, name);
}

std::vector<std::string> AdapterStore::names() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [name, adapter] : adapters_) names.push_back(name);
  return names;
}

}  // namespace fude
