// layer: data
// shards.json from a stranger, beside a good shard: the set is refused, or all its documents can be read; and
// the writer refuses the folder, or goes on in it to a set that can be opened.
#include <filesystem>

#include "base/error.h"
#include "base/json.h"
#include "data/documents.h"
#include "data/shard_writer.h"
#include "folder.h"

using namespace fude;

namespace {

void encode(std::string_view text, std::vector<int32_t>& out) {
  for (const char c : text) out.push_back(int32_t(uint8_t(c)));
}

// The folder's files and its shards.json when they are whole.
struct Work {
  FuzzFolder folder;
  std::string manifest = folder / "set/shards.json", good;

  Work() {
    write_file(folder / "text.jsonl",
               "{\"text\":\"first\"}\n{\"text\":\"second\",\"lang\":\"en\"}\n{\"text\":\"third\"}\n");
    good = write().dump();
  }
  Json write() const {
    DocumentStream documents({folder / "text.jsonl"});
    return write_shards(documents, encode,
                        {.folder = folder / "set",
                         .vocabulary = 256,
                         .tokenizer_hash = hash_hex("bytes"),
                         .shard_tokens = 8,
                         .progress = {}});
  }
  void read() const {
    const ShardSet set(folder / "set");
    int64_t tokens = 0;
    for (int64_t i = 0; i < set.documents(); ++i) {
      set.language(i);
      set.text_bytes(i);
      tokens += int64_t(set.document(i).to_vector().size());
    }
    if (tokens != set.info().tokens) __builtin_trap();
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Work work;
  // The first byte may lay the rest over the good file at a place of its own.
  std::string text(reinterpret_cast<const char*>(data), size);
  if (size > 2 && data[0] < 0x20) {
    std::string patched = work.good;
    patched.replace(std::min(patched.size(), size_t(data[0]) << 8 | data[1]), size - 2, text.substr(2));
    text = patched;
  }
  write_file(work.manifest, text);
  try {
    work.read();
  } catch (const Error&) {}
  bool went_on = false;
  try {
    work.write();
    went_on = true;
    work.read();
  } catch (const Error&) {
    if (!went_on) std::filesystem::remove_all(work.folder / "set"), work.write();
  }
  return 0;
}
