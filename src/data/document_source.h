// A document, and whatever yields documents one by one: files, and the filters that stand behind them.
//
// A source can say where it is and return there, so that work over a corpus (writing shards) continues after
// a crash with exactly the documents that are left.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/json_fwd.h"

namespace fude {

struct Document {
  std::string text;      // valid UTF-8 without NUL, never empty
  std::string file;      // where it came from
  int64_t line = 0;      // 1-based line where it begins
  std::string language;  // as the corpus says ("en"), or empty
};

class DocumentSource {
 public:
  virtual ~DocumentSource() = default;

  // The next document, or nothing at the end.
  virtual std::optional<Document> next() = 0;
  // Where the next document will come from; seek() returns there.
  virtual Json position() const = 0;
  virtual void seek(const Json& position) = 0;
  // Names the corpus and the options that choose its documents: equal identities yield equal documents.
  virtual std::string identity() const = 0;
  // What was read, skipped and why, so far.
  virtual Json report() const = 0;
  // Progress in bytes of the files.
  virtual uint64_t bytes_done() const = 0;
  virtual uint64_t bytes_total() const = 0;
};

}  // namespace fude
