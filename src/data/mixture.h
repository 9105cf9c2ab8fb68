// Several token sets drawn from in given shares, forever: the order in which a run reads its documents.
//
// Each epoch of each set is a permutation by (seed, source, epoch). The next document comes from the set that
// is furthest behind its share, tokens given so far divided by weight, compared in integers: shares are exact
// up to one document at any moment, with no dice, and the whole position is two integers per set.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "data/shard.h"

namespace fude {

struct MixtureSource {
  std::shared_ptr<const ShardSet> set;
  double weight = 1;  // relative share of tokens; a set's token count gives the sets' natural mixture
};

struct DocumentRef {
  int32_t source = 0;
  int64_t document = 0;  // within the set
  int64_t epoch = 0;     // of the set: how often it was read to the end before
};

// How far one set has been read.
struct SourcePosition {
  int64_t documents = 0;  // over all epochs
  int64_t tokens = 0;     // likewise, with one end mark for each document
  bool operator==(const SourcePosition&) const = default;
};

class Mixture {
 public:
  // Error if there is no set, a set is empty, a weight is not positive, or the tokenizers differ.
  Mixture(std::vector<MixtureSource> sources, uint64_t seed);

  DocumentRef next();
  const ShardSet& set(int source) const { return *sources_[size_t(source)].set; }
  int sources() const { return int(sources_.size()); }
  int64_t vocabulary() const { return sources_[0].set->info().vocabulary; }
  uint64_t seed() const { return seed_; }
  // The weights as the integers that decide, summing to about 2^30.
  const std::vector<int64_t>& shares() const { return shares_; }

  const std::vector<SourcePosition>& position() const { return position_; }
  void seek(const std::vector<SourcePosition>& position);

 private:
  std::vector<MixtureSource> sources_;
  std::vector<int64_t> shares_;
  std::vector<SourcePosition> position_;
  uint64_t seed_;
};

}  // namespace fude
