#include "data/mixture.h"

#include <cmath>

#include "base/error.h"
#include "data/permutation.h"

namespace fude {

Mixture::Mixture(std::vector<MixtureSource> sources, uint64_t seed) : sources_(std::move(sources)), seed_(seed) {
  require(!sources_.empty(), "[mixture] expected at least one set of shards, got none");
  double sum = 0;
  for (const MixtureSource& source : sources_) {
    require(source.set != nullptr && source.set->documents() > 0, "[mixture] expected documents in {}, it has none",
            source.set == nullptr ? "a set" : source.set->folder());
    require(std::isfinite(source.weight) && source.weight > 0, "[mixture] expected a positive weight for {}, got {}",
            source.set->folder(), source.weight);
    const ShardInfo &first = sources_[0].set->info(), &info = source.set->info();
    require(info.tokenizer_hash == first.tokenizer_hash && info.vocabulary == first.vocabulary,
            "[mixture] {} and {} were made with different tokenizers", sources_[0].set->folder(), source.set->folder());
    sum += source.weight;
  }
  for (const MixtureSource& source : sources_)
    shares_.push_back(std::max<int64_t>(1, std::llround(source.weight / sum * 0x1p30)));
  position_.resize(sources_.size());
}

DocumentRef Mixture::next() {
  size_t chosen = 0;
  const auto behind = [&](size_t a, size_t b) {
    using Wide = __int128;
    return Wide(position_[a].tokens) * shares_[b] < Wide(position_[b].tokens) * shares_[a];
  };
  for (size_t i = 1; i < sources_.size(); ++i)
    if (behind(i, chosen)) chosen = i;

  const ShardSet& set = *sources_[chosen].set;
  SourcePosition& at = position_[chosen];
  DocumentRef ref;
  ref.source = int32_t(chosen);
  ref.epoch = at.documents / set.documents();
  const uint64_t stream = uint64_t(chosen) << 40 | uint64_t(ref.epoch);
  const Permutation order(uint64_t(set.documents()), seed_, stream);
  ref.document = int64_t(order(uint64_t(at.documents % set.documents())));
  at.documents += 1;
  at.tokens += set.document(ref.document).size() + 1;
  return ref;
}

void Mixture::seek(const std::vector<SourcePosition>& position) {
  require(position.size() == sources_.size(), "[mixture] expected the position of {} sets, got {}", sources_.size(),
          position.size());
  for (const SourcePosition& at : position)
    require(at.documents >= 0 && at.tokens >= at.documents && at.tokens <= INT64_MAX / 4,
            "[mixture] expected counts of documents and tokens, got {} and {}", at.documents, at.tokens);
  position_ = position;
}

}  // namespace fude
